//! Many records: a queue that is full of them at the end, and threads that push them at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use belvedere::outbox::{Batch, Codec, Destination, Limits, Outbox, SendError, Spool};
use tokio::time::Instant;

use super::{
    backend::{dialect::Kind, fault::Door},
    house::{Case, House, Mode, Plan, folder::Folder},
};

#[tokio::test]
async fn a_hundred_thousand_spans_that_are_queued_are_delivered_by_the_shutdown() {
    assert_delivered(Kind::Otlp, 512, 100_000).await;
}

#[tokio::test]
async fn fifty_thousand_segments_that_are_queued_are_delivered_by_the_shutdown() {
    assert_delivered(Kind::XRay, 50, 50_000).await;
}

#[tokio::test]
async fn five_thousand_items_that_are_queued_are_delivered_by_the_shutdown() {
    // Each is a request.
    assert_delivered(Kind::Rollbar, 1, 5_000).await;
}

#[tokio::test]
async fn a_hundred_thousand_events_that_are_queued_are_delivered_by_the_shutdown() {
    assert_delivered(Kind::CloudWatch, 10_000, 100_000).await;
}

/// So many wait for a backend, in requests of so many, which is well again when the service ends; a fifth of it by the
/// disk.
async fn assert_delivered(kind: Kind, records: usize, many: usize) {
    for case in Case::of(&[kind]) {
        let many = if case.mode == Mode::Spool { many / 5 } else { many };
        assert_one_delivered(case, records, many).await;
    }
}

async fn assert_one_delivered(case: Case, records: usize, many: usize) {
    let house = House::apart(Plan::of(case).limits(|limits| limits.records(records))).await;
    house.backend.door(Door::Closed).await;
    house.push(many);
    let report = house.report();
    assert_eq!(report.waiting + report.spooled, many as u64, "{report}");
    house.backend.door(Door::Open).await;
    let start = Instant::now();
    let end = house.close_within(Duration::from_secs(60)).await;
    println!("{case:?}: {many} in {} requests, sent by a shutdown of {:?}", end.calls.len(), start.elapsed());
    end.assert_exact();
}

/// Which thread pushed it, and as which of its own.
#[derive(Clone, Copy)]
struct Ticket {
    thread: u32,
    number: u32,
}

/// Keeps what it is sent, in the order in which it comes.
#[derive(Clone, Default)]
struct Drawer(Arc<Mutex<Vec<Ticket>>>);

impl Destination for Drawer {
    type Record = Ticket;

    fn limits(&self) -> Limits {
        // In their order, that is one after the other.
        Limits::default().records(100_000).queue_records(usize::MAX).queue_bytes(usize::MAX).in_flight(1)
    }

    fn size(&self, _: &Ticket) -> usize {
        1
    }

    fn codec(&self) -> Option<Codec<Ticket>> {
        let write = |ticket: Ticket, to: &mut Vec<u8>| {
            to.extend([ticket.thread, ticket.number].map(u32::to_le_bytes).concat());
        };
        let read = |bytes: &[u8]| {
            let (thread, number) = bytes.split_first_chunk()?;
            let number = u32::from_le_bytes(number.try_into().ok()?);
            Some(Ticket { thread: u32::from_le_bytes(*thread), number })
        };
        Some(Codec::new(write, read))
    }

    async fn send(&self, batch: Batch<Ticket>) -> Result<(), SendError<Ticket>> {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[test]
fn sixty_four_threads_lose_nothing_and_each_keeps_its_order() {
    assert_ordered("in memory", &Outbox::builder().start().unwrap());
}

#[test]
fn sixty_four_threads_lose_nothing_and_each_keeps_its_order_by_the_disk() {
    let folder = Folder::new();
    let spool = Spool::new(folder.path()).bytes(1 << 30);
    assert_ordered("by the disk", &Outbox::builder().spool(spool).start().unwrap());
}

/// Prints what a push costs.
fn assert_ordered(way: &str, outbox: &Outbox) {
    let each = std::env::var("BELVEDERE_PUSHES").map_or(20_000, |pushes| pushes.parse().unwrap());
    let drawer = Drawer::default();
    let lane = outbox.lane("tickets", drawer.clone());
    let mut took: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let lane = &lane;
                scope.spawn(move || {
                    let push = |number| {
                        let start = Instant::now();
                        lane.push(Ticket { thread, number });
                        start.elapsed()
                    };
                    (0..each).map(push).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    took.sort_unstable();
    let [p50, p99, p999] = [500, 990, 999].map(|share| took[(took.len() - 1) * share / 1000]);
    println!("{way}: {} pushes of {THREADS} threads: p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}", took.len());

    let report = outbox.shutdown_blocking(Duration::from_secs(60)).lanes.remove(0);
    let all = u64::from(THREADS) * u64::from(each);
    assert_eq!((report.accepted, report.delivered, report.lost()), (all, all, 0), "{report}");
    let mut next = BTreeMap::<u32, u32>::new();
    for Ticket { thread, number } in drawer.0.lock().unwrap().iter() {
        let expected = next.entry(*thread).or_default();
        assert_eq!(number, expected, "thread {thread}");
        *expected += 1;
    }
    assert!(next.len() == THREADS as usize && next.values().all(|count| *count == each));
}

const THREADS: u32 = 64;
