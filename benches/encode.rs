//! What becomes of records behind the lane: they are made into bytes and sent to a sink in another process.
//!
//! `cargo bench --all-features --bench encode` times the sending of a batch by each backend. An item is a request of its
//! own and leaves at once, so its exchange is in its time. The bench `instructions` counts what the process does in all.

mod support;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group};

use support::{
    case::Running,
    cases::{self, Encoded},
    service,
    sink::{self, Sink},
    ways::BATCH,
};
use tokio::runtime::Runtime;

fn encode(criterion: &mut Criterion) {
    let (runtime, sink) = (service::runtime(), Sink::start());
    let mut group = criterion.benchmark_group("encode");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500)).sample_size(20);
    for encoded in cases::encoded() {
        let Encoded { case, records, .. } = encoded;
        // One is missing, so that a batch waits for the flush.
        let exchanges = (BATCH as u64 - 1) / records;
        let mut running = case.start(&sink);
        group.throughput(Throughput::Elements(exchanges * records));
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|_| sent(encoded, exchanges, &mut running, &runtime)).sum()
            });
        });
    }
    group.finish();
}

#[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
fn sent(encoded: Encoded, exchanges: u64, running: &mut Running, runtime: &Runtime) -> Duration {
    let requests: Vec<_> = encoded.case.requests(exchanges).collect();
    let began = std::time::Instant::now();
    running.serve(runtime, requests);
    let kept = if encoded.is_kept { std::time::Instant::now() } else { began };
    running.flush();
    kept.elapsed()
}

fn main() {
    sink::be_one_if_asked();
    benches();
    Criterion::default().configure_from_args().final_summary();
}

criterion_group!(benches, encode);
