//! What a backend that hangs costs in memory. Alone in its process, so that what it measures is its own.
#![cfg(all(feature = "cloudwatch", target_os = "linux"))]

#[path = "support/cloudwatch.rs"]
mod cloudwatch;

use std::{
    fs,
    time::{Duration, SystemTime},
};

use belvedere::{
    cloudwatch::{Api, LogEvent, LogLane},
    outbox::{Limits, Outbox},
};
use cloudwatch::{CloudWatch, Fault};

#[tokio::test]
async fn a_backend_that_hangs_costs_what_was_set_and_no_more() {
    let cloudwatch = CloudWatch::start().with(GROUP, &[STREAM]);
    cloudwatch.faults(|_| Some(Fault::Hang));
    let outbox = Outbox::builder().start().unwrap();
    let limits = Limits::default().queue_bytes(QUEUE_BYTES).queue_records(EVENTS).in_flight(2);
    let api = Api::new(cloudwatch.client(), GROUP.parse().unwrap()).limits(limits);
    let lane = LogLane::new(&outbox, api).stream(STREAM.parse().unwrap());
    let line = "x".repeat(1_000);
    let now = SystemTime::now();
    let before = resident();

    // What the allocator gave to this thread and did not get back: what is in flight is never freed here.
    let cost = allocation_counter::measure(|| {
        (0..EVENTS).for_each(|number| lane.push(LogEvent::new(now, format!("#{number} {line}"))));
    });
    let mut peak = resident();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        peak = peak.max(resident());
    }

    let grown = peak.saturating_sub(before);
    println!("{} KiB of {} KiB held, {} KiB resident", cost.bytes_max >> 10, QUEUE_BYTES >> 10, grown >> 10);
    // A queue's own slots come on top of what the books count.
    assert!(cost.bytes_max < QUEUE_BYTES as u64 * 5 / 4, "{cost:?}");
    // So do the requests under way, on either side of the socket, of which the double's is the larger.
    assert!(grown < QUEUE_BYTES + 48 * 1024 * 1024, "{grown}");
    assert!(cloudwatch.calls().len() <= 2);

    let report = outbox.shutdown(Duration::ZERO).await.lanes.remove(0);
    assert_eq!(report.accepted, EVENTS as u64);
    assert_eq!(report.accepted, report.lost["overflow"] + report.lost["shutdown"], "{report}");
    let held = usize::try_from(report.lost["shutdown"]).unwrap();
    assert!((QUEUE_BYTES / 1_200..=QUEUE_BYTES / 1_000).contains(&held), "{report}");
}

/// In bytes, of the whole process.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

const EVENTS: usize = 100_000;
const QUEUE_BYTES: usize = 8 * 1024 * 1024;
const GROUP: &str = "/tea/house";
const STREAM: &str = "web-1";
