//! What the outbox sends of what is pushed when there is a budget.

#[path = "support/folder.rs"]
mod folder;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::outbox::{
    Allowance, Batch, Budget, Destination, Limits, Outbox, OutboxEvent, Price, SendError, Tariff, Unit,
};
use folder::Folder;
use tokio::{
    runtime::Handle,
    time::{Instant, advance, sleep},
};

/// A request that was served.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    trace: u64,
    kind: Option<u32>,
    weight: u64,
}

/// Takes all there is, and fails so many times before.
#[derive(Clone, Debug, Default)]
struct Backend {
    taken: Arc<Mutex<Vec<Served>>>,
    asked: Arc<Mutex<Vec<Instant>>>,
    failures: usize,
}

// ===== impl Backend =====

impl Backend {
    fn taken(&self) -> Vec<Served> {
        self.taken.lock().unwrap().clone()
    }

    fn failures(&self) -> usize {
        self.taken().iter().filter(|served| served.kind.is_some()).count()
    }
}

impl Destination for Backend {
    type Record = Served;

    fn limits(&self) -> Limits {
        Limits::default().records(100).queue_records(1 << 20).in_flight(1)
    }

    fn tariff(&self) -> Option<Tariff<Served>> {
        let price = |served: &Served| {
            let price = Price::units(1).trace(served.trace);
            served.kind.map_or(price, |kind| price.failed(kind))
        };
        let tariff = Tariff::new(Unit::SPANS, price).requests(Unit::LOG_REQUESTS);
        Some(tariff.weigh(|served, weight| served.weight *= u64::from(weight)))
    }

    fn size(&self, _: &Served) -> usize {
        1
    }

    async fn send(&self, batch: Batch<Served>) -> Result<(), SendError<Served>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(Instant::now());
        if asked.len() <= self.failures {
            return Err(SendError::Retry { rest: batch, after: None, reason: "busy".into() });
        }
        self.taken.lock().unwrap().extend(batch);
        Ok(())
    }
}

fn good(trace: u64) -> Served {
    Served { trace, kind: None, weight: 1 }
}

fn failed(trace: u64, kind: u32) -> Served {
    Served { kind: Some(kind), ..good(trace) }
}

fn spans(month: u64) -> Budget {
    Budget::new().allowance(Unit::SPANS, Allowance::month(month))
}

#[tokio::test(start_paused = true)]
async fn a_day_of_too_many_requests_shows_every_failure_and_stands_for_all() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let outbox = Outbox::builder()
        .runtime(Handle::current())
        .budget(spans(300_000))
        .events(move |event| told.lock().unwrap().push(event.clone()))
        .start()
        .unwrap();
    let backend = Backend::default();
    let lane = outbox.lane("spans", backend.clone());
    let (mut trace, mut bad) = (0, 0);
    for minute in 0..24 * 60 {
        for _ in 0..60 {
            trace += 1;
            lane.push(good(trace));
        }
        if minute % 10 == 0 {
            bad += 1;
            trace += 1;
            lane.push(failed(trace, bad % 3));
        }
        sleep(Duration::from_secs(60)).await;
    }
    let report = outbox.shutdown(Duration::from_secs(60)).await;
    let spans = report.lane("spans").unwrap();
    assert_eq!(spans.accepted, spans.delivered + spans.lost["budget"], "{report}");
    // A start and a day's trickle, of which the bucket fills up to where one in eight is kept.
    assert!((2_000..=1_000 + 260_000 / 31).contains(&spans.delivered), "{report}");
    assert_eq!(backend.failures(), bad as usize);
    let stood: u64 = backend.taken().iter().map(|served| served.weight).sum();
    assert!(stood.abs_diff(trace) < trace / 10, "{stood} for {trace}");

    let events = events.lock().unwrap();
    let thinned = events.iter().filter_map(|event| match event {
        OutboxEvent::Thinned { records, one_in, .. } => Some((*records as u64, *one_in, event.to_string())),
        _ => None,
    });
    let thinned: Vec<_> = thinned.collect();
    assert_eq!(thinned.iter().map(|(records, ..)| records).sum::<u64>(), spans.lost["budget"]);
    assert!(thinned.iter().any(|(_, one_in, _)| *one_in > 4), "{thinned:?}");
    let words = &thinned.last().unwrap().2;
    assert!(words.contains("good; 300000 spans a month are not enough for all"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_nothing_is_left_out() {
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = outbox.lane("spans", Backend::default());
    (0..10_000).for_each(|trace| lane.push(good(trace)));
    let report = outbox.shutdown(Duration::from_secs(60)).await;
    assert_eq!(report.to_string(), "spans: 10000 accepted, 10000 delivered, 0 lost, 0 waiting");
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_what_is_left_out() {
    let outbox = Outbox::builder().runtime(Handle::current()).budget(spans(0)).start().unwrap();
    let lane = outbox.lane("spans", Backend::default());
    (0..1_000).for_each(|trace| lane.push(good(trace)));
    let began = Instant::now();
    assert!(outbox.flush(Duration::from_secs(60)).await);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(outbox.report().lane("spans").unwrap().lost["budget"], 1_000);
}

#[tokio::test(start_paused = true)]
async fn requests_are_spread_and_those_that_are_tried_again_count() {
    // Less than 0.03 in a second, and ten to start with.
    let budget = Budget::new().allowance(Unit::LOG_REQUESTS, Allowance::month(3_000).burst(10));
    let outbox = Outbox::builder().runtime(Handle::current()).budget(budget).start().unwrap();
    let backend = Backend { failures: 3, ..Backend::default() };
    let lane = outbox.lane("spans", backend.clone());
    for trace in 0..6 * 60 * 60 {
        lane.push(good(trace));
        advance(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(600)).await;
    let asked = backend.asked.lock().unwrap().len();
    // 2,690 in 31 days are 3.6 an hour.
    assert!((18..=10 + 23).contains(&asked), "{asked}");
    assert!(!outbox.report().lane("spans").unwrap().lost.contains_key("budget"));
}

#[test]
fn a_restart_goes_on_where_the_process_ended() {
    let folder = Folder::new();
    let start = |records: u64| {
        let outbox = Outbox::builder().budget(spans(30_000).folder(folder.path())).start().unwrap();
        let (lane, backend) = ("spans", Backend::default());
        let lane = outbox.lane(lane, backend);
        (0..records).for_each(|trace| lane.push(failed(trace, trace as u32)));
        outbox.shutdown_blocking(Duration::from_secs(10)).lane("spans").unwrap().delivered
    };
    // A bucket begins with 100, and what trickles in meanwhile is less than one.
    assert_eq!([start(60), start(30), start(60), start(60)], [60, 30, 10, 0]);
}

#[test]
fn a_folder_that_is_none_is_no_reason_not_to_start() {
    let folder = Folder::new().file("budget", "a file");
    let budget = spans(30_000).folder(folder.path().join("budget"));
    let outbox = Outbox::builder().budget(budget).start().unwrap();
    let lane = outbox.lane("spans", Backend::default());
    (0..100).for_each(|trace| lane.push(good(trace)));
    let report = outbox.shutdown_blocking(Duration::from_secs(10));
    assert_eq!(report.lane("spans").unwrap().lost["budget"], 100, "{report}");
}
