//! What an event of the application costs the thread that logs it: four fields in two spans inside of an exchange, noted
//! for a lane, beside `tracing_subscriber`'s own JSON written to nowhere.
//!
//! `cargo bench --all-features --bench events` times both and counts allocations. Instructions are counted by the bench
//! `instructions`, shipping included.

mod support;

use std::{io, time::Duration};

use belvedere::cloudwatch::{CloudWatchLayer, subscriber};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::{
    service::{self, Serve, log, serve, traced},
    ways::Ways,
};
use tokio::runtime::Runtime;
use tower::{Layer as _, service_fn};
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::{fmt, layer::SubscriberExt as _, registry::Registry};

/// Where events go.
struct Case {
    name: &'static str,
    dispatch: Dispatch,
    ways: Ways,
}

// ===== impl Case =====

impl Case {
    fn all() -> [Self; 2] {
        let ways = Ways::full();
        let json = fmt::layer().json().with_writer(io::sink);
        let json = Self { name: "json", dispatch: Dispatch::new(Registry::default().with(json)), ways };
        let ways = Ways::full();
        let noted = Dispatch::new(Registry::default().with(subscriber(&ways.logs())));
        [json, Self { name: "noted", dispatch: noted, ways }]
    }

    /// An exchange of so many events.
    fn exchange<const EVENTS: u64>(&self) -> Serve {
        serve(CloudWatchLayer::on(self.ways.logs()).layer(service_fn(log::<EVENTS>)))
    }

    fn log(&self, runtime: &Runtime, exchange: &mut Serve) {
        dispatcher::with_default(&self.dispatch, || exchange(runtime, &mut Some(traced()).into_iter()));
    }

    /// How much one more event allocates.
    fn allocations(&self, runtime: &Runtime) -> u64 {
        let count = |mut exchange: Serve| {
            (0..WARM).for_each(|_| self.log(runtime, &mut exchange));
            allocation_counter::measure(|| self.log(runtime, &mut exchange)).count_total
        };
        (count(self.exchange::<1_100>()) - count(self.exchange::<100>())) / 1_000
    }
}

fn events(criterion: &mut Criterion) {
    let runtime = service::runtime();
    let mut group = criterion.benchmark_group("events");
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Elements(EACH));
    for case in Case::all() {
        let mut exchange = case.exchange::<EACH>();
        group.bench_function(case.name, |bencher| bencher.iter(|| case.log(&runtime, &mut exchange)));
    }
    group.finish();
    println!("\n| one event | allocations |\n|---|--:|");
    for case in Case::all() {
        println!("| {} | {} |", case.name, case.allocations(&runtime));
    }
}

const EACH: u64 = 100;
const WARM: u64 = 20;

criterion_group!(benches, events);
criterion_main!(benches);
