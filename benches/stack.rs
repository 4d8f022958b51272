//! What a request pays for being seen: the time of the same service bare and under layers, in process.
//!
//! `cargo bench --all-features --bench stack` times each case by criterion, and at last all of them in alternating rounds,
//! so that a busy machine slows all alike. Records go nowhere: what is measured is the request's own part. The benches
//! `instructions` and `allocations` count the same cases.

mod support;

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group};
use tokio::runtime::Runtime;

use support::{
    case::{BARE, Case, Running},
    cases, service,
};

fn stack(criterion: &mut Criterion) {
    let runtime = service::runtime();
    let mut group = criterion.benchmark_group("stack");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    for case in cases::timed() {
        let mut running = case.start_full();
        let mut number = 0;
        group.bench_function(case.name, |bencher| {
            bencher.iter_batched(
                || {
                    number += 1;
                    Some(case.request(number))
                },
                |requests| running.serve(&runtime, requests),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
    summary(&runtime);
}

/// The shortest of many rounds.
fn summary(runtime: &Runtime) {
    let mut cases: Vec<_> =
        cases::timed().into_iter().map(|case| (case, case.start_full(), Duration::MAX)).collect();
    for _ in 0..ROUNDS {
        for (case, running, shortest) in &mut cases {
            *shortest = time(*case, running, runtime).min(*shortest);
        }
    }
    let nanos =
        |(case, _, time): &(Case, Running, Duration)| (*case, time.as_nanos() as i64 / EXCHANGES as i64);
    print(&cases.iter().map(nanos).collect::<Vec<_>>());
}

#[expect(clippy::disallowed_types, reason = "here the real clock is the point")]
fn time(case: Case, running: &mut Running, runtime: &Runtime) -> Duration {
    let requests: Vec<_> = case.requests(EXCHANGES).collect();
    let started = std::time::Instant::now();
    running.serve(runtime, requests);
    started.elapsed()
}

fn print(times: &[(Case, i64)]) {
    println!("\n| an exchange | ns | over | ns over it | ratio |\n|---|--:|---|--:|--:|");
    for (case, nanos) in times {
        let over = case.over.unwrap_or(BARE);
        let (_, without) = times.iter().find(|(case, _)| case.name == over).unwrap();
        let ratio = *nanos as f64 / *without as f64;
        println!("| {} | {nanos} | {over} | {} | {ratio:.1} |", case.name, nanos - without);
    }
    println!();
}

fn main() {
    // What it writes about the panics that are measured would cost more than they.
    std::panic::set_hook(Box::new(|_| ()));
    benches();
    Criterion::default().configure_from_args().final_summary();
}

const ROUNDS: usize = 20;
const EXCHANGES: u64 = 2_000;

criterion_group!(benches, stack);
