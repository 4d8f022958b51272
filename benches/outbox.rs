//! What a push into a lane costs the thread that serves, and what the outbox's own thread pays for taking it out.
//!
//! `cargo bench --all-features --bench outbox`. A push is also timed on as many threads as a server has at most, with a
//! backend that is dead, and with a disk behind it.

mod support;

use std::{sync::Barrier, thread, time::Duration};

use belvedere::outbox::{Batch, Builder, Codec, Destination, Lane, Limits, Outbox, SendError, Spool};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use support::folder::Folder;

/// As large as a small span.
type Record = [u8; 512];

/// A backend that takes everything, or nothing, at once.
struct Backend {
    is_dead: bool,
}

// ===== impl Backend =====

impl Destination for Backend {
    type Record = Record;

    fn limits(&self) -> Limits {
        Limits::default().retry_for(Duration::MAX)
    }

    fn size(&self, record: &Record) -> usize {
        record.len()
    }

    fn codec(&self) -> Option<Codec<Record>> {
        let encode = |record: Record, into: &mut Vec<u8>| into.extend_from_slice(&record);
        Some(Codec::new(encode, |bytes| bytes.try_into().ok()))
    }

    async fn send(&self, batch: Batch<Record>) -> Result<(), SendError<Record>> {
        match self.is_dead {
            true => Err(SendError::Retry { rest: batch, after: None, reason: "dead".into() }),
            false => Ok(()),
        }
    }
}

fn push(criterion: &mut Criterion) {
    let folder = Folder::new();
    let plain = Outbox::builder;
    let spooled = || Outbox::builder().spool(Spool::new(folder.path()));
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(PUSHES));
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for threads in [1, 64] {
        let mut bench = |name: &str, builder: Builder, is_dead: bool| {
            let outbox = builder.drop_limit(Duration::ZERO).start().unwrap();
            let lane = outbox.lane("bench", Backend { is_dead });
            group.bench_function(format!("{name}, {threads} threads"), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| pushed(&lane, threads)).sum());
            });
        };
        bench("alive", plain(), false);
        bench("dead", plain(), true);
        bench("dead with a spool", spooled(), true);
    }
    group.finish();
}

/// How long it takes until so many threads have pushed [`PUSHES`] together.
#[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
fn pushed(lane: &Lane<Record>, threads: u64) -> Duration {
    let start = Barrier::new(usize::try_from(threads).unwrap() + 1);
    let began = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                (0..PUSHES / threads).for_each(|_| lane.push([1; 512]));
            });
        }
        start.wait();
        std::time::Instant::now()
    });
    began.elapsed()
}

fn drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drain");
    group.throughput(Throughput::Elements(BATCH));
    let outbox = Outbox::builder().start().unwrap();
    let lane = outbox.lane("bench", Backend { is_dead: false });
    group.bench_function("a batch", |bencher| {
        bencher.iter(|| {
            (0..BATCH).for_each(|_| lane.push([1; 512]));
            assert!(outbox.flush_blocking(Duration::from_secs(60)), "it takes everything");
        });
    });
    group.finish();
}

const PUSHES: u64 = 64_000;
const BATCH: u64 = 512;

criterion_group!(benches, push, drain);
criterion_main!(benches);
