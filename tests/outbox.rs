//! What the outbox promises: nothing blocks a push, the newest survive, and the books balance.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "what blocks is measured by the real clock"
)]

#[path = "support/destination.rs"]
mod destination;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    task::{self, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use belvedere::outbox::{
    Batch, Destination, Lane, LaneReport, Limits, Outbox, OutboxEvent, Report, SendError,
};
use destination::{Log, Play, Record, Scripted, UNMEASURABLE};
use opentelemetry::Context;
use proptest::prelude::*;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

// ===== batching =====

#[tokio::test(start_paused = true)]
async fn a_record_waits_for_company_for_its_age_and_no_longer() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().age(seconds(5))));
    push(&lane, 0..1);
    sleep(seconds(4)).await;
    push(&lane, 1..2);
    assert_eq!(log.batches().len(), 0);
    sleep(seconds(1) + TICK).await;
    assert_eq!(log.batches(), [[0, 1]]);
    assert_end(&outbox, 2, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_when_all_others_have_left_waits_no_longer() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().age(seconds(1))));
    for number in 0..3 {
        sleep(seconds(5)).await;
        push(&lane, number..number + 1);
        sleep(seconds(1) + TICK).await;
        assert_eq!(log.taken(), Vec::from_iter(0..=number));
    }
    assert_end(&outbox, 3, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_a_quiet_thread_left_while_others_filled_a_batch_waits_no_longer() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().records(64).age(seconds(10))));
    push(&lane, 0..1);
    sleep(seconds(1)).await;
    thread::scope(|scope| _ = scope.spawn(|| push(&lane, 100..101)));
    sleep(seconds(8)).await;
    push(&lane, 1..64);
    sleep(TICK).await;
    assert_eq!(log.batches().len(), 1);
    sleep(seconds(2)).await;
    assert_eq!(log.taken().len(), 65);
    assert_end(&outbox, 65, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().records(3).age(seconds(5))));
    push(&lane, 0..7);
    sleep(TICK).await;
    assert_eq!(log.batches(), [[0, 1, 2], [3, 4, 5]]);
    sleep(seconds(5)).await;
    assert_eq!(log.batches().last(), Some(&vec![6]));
    assert_end(&outbox, 7, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_closed_before_the_record_that_would_pass_its_bytes() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().bytes(100)));
    for (number, size) in [(0, 40), (1, 40), (2, 40), (3, 60), (4, 1)] {
        lane.push(Record { number, size });
    }
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.batches(), [vec![0, 1], vec![2, 3], vec![4]]);
    assert_end(&outbox, 5, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_request_travels_alone() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().bytes(100)));
    for (number, size) in [(0, 1), (1, 1000), (2, 1)] {
        lane.push(Record { number, size });
    }
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.batches(), [[0], [1], [2]]);
    assert_end(&outbox, 3, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_than_allowed() {
    let slow = Scripted::always(Play::AcceptAfter(seconds(1)));
    let (outbox, lane, log) = open(slow.limits(Limits::default().records(1).in_flight(3)));
    push(&lane, 0..10);
    sleep(seconds(2) + TICK).await;
    assert_eq!((log.most_under_way(), log.taken().len()), (3, 6));
    assert_end(&outbox, 10, &[]).await;
    assert_eq!(log.most_under_way(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_free_request_does_not_wait_for_company_again() {
    let slow = Scripted::new([Play::AcceptAfter(seconds(60))]);
    let limits = Limits::default().records(2).in_flight(1).age(seconds(5));
    let (outbox, lane, log) = open(slow.limits(limits));
    push(&lane, 0..3);
    sleep(seconds(60) + TICK).await;
    assert_eq!(log.batches(), [vec![0, 1], vec![2]]);
    assert_end(&outbox, 3, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_does_not_hold_another_one_back() {
    let (outbox, stuck, _) = open(Scripted::always(Play::Hang));
    let scripted = Scripted::new([]);
    let log = scripted.log();
    let lane = outbox.lane("other", scripted);
    push(&stuck, 0..10_000);
    push(&lane, 0..1);
    sleep(seconds(1) + TICK).await;
    assert_eq!(log.taken(), [0]);
    let report = outbox.shutdown(seconds(1)).await;
    assert_balanced(&report);
    assert_eq!(report.lane("other").unwrap().delivered, 1);
}

// ===== what is lost =====

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room_and_the_newest_survive() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().queue_records(10)));
    push(&lane, 0..25);
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.taken(), Vec::from_iter(15..25));
    assert_end(&outbox, 10, &[("overflow", 15)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_record_makes_as_many_smaller_ones_give_way_as_it_needs() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().queue_bytes(100)));
    (0..10).for_each(|number| lane.push(Record { number, size: 10 }));
    lane.push(Record { number: 10, size: 35 });
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.taken(), Vec::from_iter(4..11));
    assert_end(&outbox, 7, &[("overflow", 4)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_the_whole_bound_is_lost_itself() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().queue_bytes(100)));
    push(&lane, 0..3);
    lane.push(Record { number: 3, size: 101 });
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.taken(), [0, 1, 2]);
    assert_end(&outbox, 3, &[("overflow", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_counts_to_both_bounds_and_does_not_give_way() {
    for limits in [Limits::default().queue_records(10), Limits::default().queue_bytes(10)] {
        let slow = Scripted::always(Play::AcceptAfter(seconds(9)));
        let (outbox, lane, log) = open(slow.limits(limits.records(4).in_flight(2)));
        push(&lane, 0..10);
        sleep(TICK).await;
        push(&lane, 10..20);
        assert!(outbox.flush(seconds(60)).await);
        assert_eq!(log.taken(), Vec::from_iter((0..8).chain(18..20)));
        assert_end(&outbox, 10, &[("overflow", 10)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_finds_the_lane_full_of_flights_is_lost_itself() {
    let slow = Scripted::always(Play::AcceptAfter(seconds(9)));
    let (outbox, lane, log) = open(slow.limits(Limits::default().records(4).queue_records(4)));
    push(&lane, 0..4);
    sleep(TICK).await;
    push(&lane, 4..6);
    assert!(outbox.flush(seconds(60)).await);
    assert_eq!(log.taken(), [0, 1, 2, 3]);
    assert_end(&outbox, 4, &[("overflow", 2)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rejected_batch_is_counted_under_the_words_of_the_destination() {
    let script = [Play::Reject(usize::MAX, "http 401"), Play::Reject(2, "http 400")];
    let (outbox, lane, log) = open(Scripted::new(script).limits(Limits::default().records(3)));
    push(&lane, 0..6);
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.batches().len(), 2, "nothing is tried again");
    assert_end(&outbox, 1, &[("http 400", 2), ("http 401", 3)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rejection_of_none_is_a_success_with_a_warning() {
    let (outbox, lane, _) = open(Scripted::new([Play::Reject(0, "deprecated")]));
    push(&lane, 0..3);
    assert_end(&outbox, 3, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_panics_loses_the_batch_and_not_the_lane() {
    let (outbox, lane, log) = open(Scripted::new([Play::Panic]).limits(Limits::default().records(2)));
    push(&lane, 0..4);
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.taken(), [2, 3]);
    assert_end(&outbox, 2, &[("panic", 2)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_measured_is_lost_and_the_push_returns() {
    let (outbox, lane, _) = open(Scripted::new([]));
    lane.push(Record { number: 0, size: UNMEASURABLE });
    push(&lane, 1..2);
    assert_end(&outbox, 1, &[("panic", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rest_with_more_records_than_were_given_is_cut() {
    struct Liar(Mutex<bool>);
    impl Destination for Liar {
        type Record = u64;
        fn size(&self, _: &u64) -> usize {
            1
        }
        async fn send(&self, batch: Batch<u64>) -> Result<(), SendError<u64>> {
            let mut has_lied = self.0.lock().unwrap();
            if std::mem::replace(&mut has_lied, true) {
                assert_eq!(batch.len(), 2);
                return Ok(());
            }
            let rest = batch.into_iter().chain(100..200).collect();
            Err(SendError::Retry { rest, after: None, reason: "busy".into() })
        }
    }
    let outbox = outbox();
    let lane = outbox.lane("spans", Liar(Mutex::new(false)));
    (0..2).for_each(|number| lane.push(number));
    assert_end(&outbox, 2, &[]).await;
}

// ===== retries =====

#[tokio::test(start_paused = true)]
async fn a_batch_is_tried_again_until_it_is_taken() {
    let (outbox, lane, log) = open(Scripted::new([Play::Retry, Play::Retry, Play::Retry]));
    push(&lane, 0..2);
    assert!(outbox.flush(seconds(60)).await);
    assert_eq!(log.batches(), [[0, 1]; 4]);
    assert_end(&outbox, 2, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn waits_stay_below_a_ceiling_that_doubles() {
    let (outbox, lane, log) = open(Scripted::always(Play::Retry));
    push(&lane, 0..1);
    assert!(outbox.flush(seconds(301)).await);
    let arrivals = log.arrivals();
    let waits = arrivals.windows(2).map(|pair| pair[1].at - pair[0].at);
    let ceilings = (0..).map(|attempt| Duration::from_millis(500 << attempt.min(6)).min(seconds(30)));
    // The timer counts in whole milliseconds.
    assert!(waits.zip(ceilings).all(|(wait, ceiling)| wait <= ceiling + TICK), "{arrivals:?}");
    assert!((10..100).contains(&arrivals.len()), "{arrivals:?}");
    assert_end(&outbox, 0, &[("expired", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_not_tried_again_before_the_backend_said() {
    let (outbox, lane, log) = open(Scripted::new([Play::RetryAfter(seconds(60))]));
    push(&lane, 0..1);
    assert!(outbox.flush(seconds(100)).await);
    let [first, second] = &log.arrivals()[..] else { panic!("two tries") };
    assert!((seconds(60)..seconds(60) + TICK).contains(&(second.at - first.at)));
    assert_end(&outbox, 1, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn only_the_rest_is_tried_again() {
    let (outbox, lane, log) = open(Scripted::new([Play::KeepBack(2), Play::KeepBack(1)]));
    push(&lane, 0..5);
    assert!(outbox.flush(seconds(60)).await);
    assert_eq!(log.batches(), [vec![0, 1, 2, 3, 4], vec![3, 4], vec![4]]);
    assert_eq!(log.taken(), [0, 1, 2, 3, 4]);
    assert_end(&outbox, 5, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_backend_took_of_a_batch_frees_its_bytes_at_once() {
    let script = [Play::KeepBack(1), Play::RetryAfter(seconds(60))];
    let limits = Limits::default().records(10).queue_bytes(10).in_flight(1);
    let (outbox, lane, log) = open(Scripted::new(script).limits(limits));
    push(&lane, 0..10);
    sleep(seconds(2)).await;
    push(&lane, 10..19);
    assert!(outbox.flush(seconds(100)).await);
    assert_eq!(log.taken(), Vec::from_iter(0..19));
    assert_end(&outbox, 19, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_rest_says_that_all_was_delivered() {
    let (outbox, lane, _) = open(Scripted::new([Play::KeepBack(0)]));
    push(&lane, 0..5);
    assert_end(&outbox, 5, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn of_one_batch_some_are_lost_some_delivered_and_some_tried_again() {
    let script = [Play::Mixed(&[(2, "too old"), (1, "spoiled")], 2), Play::Mixed(&[(1, "spoiled")], 0)];
    let limits = Limits::default().records(10).queue_bytes(10);
    let (outbox, lane, log) = open(Scripted::new(script).limits(limits));
    push(&lane, 0..10);
    assert!(outbox.flush(seconds(60)).await);
    assert_eq!(log.batches(), [Vec::from_iter(0..10), vec![8, 9]]);
    assert_eq!(log.taken(), [3, 4, 5, 6, 7, 9]);
    assert_end(&outbox, 6, &[("spoiled", 2), ("too old", 2)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_backend_refused_of_a_batch_frees_its_bytes_at_once() {
    let script = [Play::Mixed(&[(9, "spoiled")], 1), Play::RetryAfter(seconds(60))];
    let limits = Limits::default().records(10).queue_bytes(10).in_flight(1);
    let (outbox, lane, log) = open(Scripted::new(script).limits(limits));
    push(&lane, 0..10);
    sleep(seconds(2)).await;
    push(&lane, 10..19);
    assert!(outbox.flush(seconds(100)).await);
    assert_eq!(log.taken(), Vec::from_iter(9..19));
    assert_end(&outbox, 10, &[("spoiled", 9)]).await;
}

#[tokio::test(start_paused = true)]
async fn more_losses_than_records_are_all_of_them() {
    let (outbox, lane, _) = open(Scripted::new([Play::Mixed(&[(2, "a"), (usize::MAX - 9, "b")], 0)]));
    push(&lane, 0..5);
    assert_end(&outbox, 0, &[("a", 2), ("b", 3)]).await;
}

#[tokio::test(start_paused = true)]
async fn without_time_to_retry_nothing_is_tried_twice() {
    let (outbox, lane, log) =
        open(Scripted::always(Play::Retry).limits(Limits::default().retry_for(Duration::ZERO)));
    push(&lane, 0..5);
    assert!(outbox.flush(seconds(1)).await);
    assert_eq!(log.batches().len(), 1);
    assert_end(&outbox, 0, &[("expired", 5)]).await;
}

// ===== flush =====

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_company() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().age(seconds(3600))));
    push(&lane, 0..1);
    let start = Instant::now();
    assert!(outbox.flush(seconds(1)).await);
    assert!(start.elapsed() <= TICK);
    assert_eq!(log.taken(), [0]);
    assert_end(&outbox, 1, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_gives_up_at_its_limit_and_loses_nothing() {
    let (outbox, lane, _) = open(Scripted::new([Play::AcceptAfter(seconds(9))]));
    push(&lane, 0..1);
    let start = Instant::now();
    assert!(!outbox.flush(seconds(4)).await);
    assert!((seconds(4)..=seconds(4) + TICK).contains(&start.elapsed()));
    assert_eq!(report_of(&outbox.report()).waiting, 1);
    assert_end(&outbox, 1, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_does_not_wait_for_what_is_pushed_after_it() {
    let (outbox, lane, _) = open(Scripted::new([Play::AcceptAfter(seconds(1)), Play::Hang]));
    push(&lane, 0..1);
    let flush = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.flush(seconds(60)).await }
    });
    sleep(TICK).await;
    push(&lane, 1..2);
    assert!(flush.await.unwrap());
    assert_eq!(report_of(&outbox.report()).waiting, 1);
    assert_end(&outbox, 1, &[("shutdown", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_sees_records_that_gave_way() {
    let limits = Limits::default().records(1).in_flight(1).queue_records(2);
    let (outbox, lane, _) = open(Scripted::new([Play::AcceptAfter(seconds(1)), Play::Hang]).limits(limits));
    push(&lane, 0..2);
    sleep(TICK).await;
    let flush = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.flush(seconds(60)).await }
    });
    sleep(TICK).await;
    push(&lane, 2..3);
    assert!(flush.await.unwrap());
    assert_end(&outbox, 1, &[("overflow", 1), ("shutdown", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_nothing_is_done() {
    let (outbox, _, _) = open(Scripted::new([]));
    assert!(outbox.flush(Duration::ZERO).await);
    assert_end(&outbox, 0, &[]).await;
    assert!(outbox.flush(Duration::ZERO).await);
}

// ===== shutdown =====

#[tokio::test(start_paused = true)]
async fn a_shutdown_drains_without_waiting_for_company() {
    let (outbox, lane, log) = open(Scripted::new([]).limits(Limits::default().age(seconds(3600))));
    push(&lane, 0..1000);
    let start = Instant::now();
    assert_end(&outbox, 1000, &[]).await;
    assert!(start.elapsed() <= TICK);
    assert_eq!(log.taken().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_at_its_limit_and_counts_what_is_queued_and_in_flight() {
    let limits = Limits::default().records(2).in_flight(2);
    let (outbox, lane, log) = open(Scripted::new([Play::Accept, Play::Hang, Play::Hang]).limits(limits));
    push(&lane, 0..9);
    let start = Instant::now();
    let report = outbox.shutdown(seconds(7)).await;
    assert!((seconds(7)..=seconds(7) + TICK).contains(&start.elapsed()));
    assert_eq!(log.taken(), [0, 1]);
    assert_report(&report, 2, &[("shutdown", 7)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_goes_on_retrying_and_does_not_sit_out_a_long_backoff() {
    let script = vec![Play::Retry; 12];
    let (outbox, lane, log) = open(Scripted::new(script).limits(Limits::default().retry_for(seconds(3600))));
    push(&lane, 0..1);
    while log.arrivals().len() < 10 {
        sleep(seconds(1)).await;
    }
    let start = Instant::now();
    let report = outbox.shutdown(seconds(5)).await;
    assert_report(&report, 1, &[]);
    assert!(start.elapsed() <= Duration::from_millis(500 + 1000 + 2000));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_try_earlier_than_the_backend_said() {
    let (outbox, lane, log) = open(Scripted::new([Play::RetryAfter(seconds(20))]));
    push(&lane, 0..1);
    sleep(seconds(2)).await;
    let report = outbox.shutdown(seconds(60)).await;
    assert_report(&report, 1, &[]);
    let [first, second] = &log.arrivals()[..] else { panic!("two tries") };
    assert!((seconds(20)..=seconds(20) + TICK).contains(&(second.at - first.at)));
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_returns_the_same_report_at_once() {
    let (outbox, lane, _) = open(Scripted::always(Play::Hang));
    push(&lane, 0..3);
    let first = outbox.shutdown(seconds(1)).await;
    push(&lane, 3..5);
    let start = Instant::now();
    assert_eq!(outbox.shutdown(seconds(60)).await, first);
    assert_eq!(outbox.shutdown_blocking(seconds(60)), first);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_report(&first, 0, &[("shutdown", 3)]);
    assert_report(&outbox.report(), 0, &[("closed", 2), ("shutdown", 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_pushed_while_it_shuts_down_counts_as_closed() {
    let (outbox, lane, _) = open(Scripted::new([Play::AcceptAfter(seconds(2))]));
    push(&lane, 0..1);
    let late = tokio::spawn(async move {
        sleep(seconds(1)).await;
        push(&lane, 1..3);
    });
    assert_end(&outbox, 1, &[("closed", 2)]).await;
    late.await.unwrap();
}

#[test]
fn what_is_pushed_after_the_shutdown_is_not_kept() {
    struct Sink;
    impl Destination for Sink {
        type Record = Arc<()>;
        fn size(&self, _: &Arc<()>) -> usize {
            1
        }
        async fn send(&self, _: Batch<Arc<()>>) -> Result<(), SendError<Arc<()>>> {
            Ok(())
        }
    }
    let outbox = Outbox::builder().start().unwrap();
    let (lane, record) = (outbox.lane("records", Sink), Arc::new(()));
    (0..9).for_each(|_| lane.push(record.clone()));
    assert_report(&outbox.shutdown_blocking(LONG), 9, &[]);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| (0..3).for_each(|_| lane.push(record.clone())));
        }
    });
    assert_eq!(Arc::strong_count(&record), 1);
    assert_report(&outbox.report(), 9, &[("closed", 60)]);
}

#[tokio::test(start_paused = true)]
async fn of_two_shutdowns_at_once_the_shorter_limit_ends_both() {
    let (outbox, lane, _) = open(Scripted::always(Play::Hang));
    push(&lane, 0..1);
    let start = Instant::now();
    let (long, short) = tokio::join!(outbox.shutdown(seconds(60)), outbox.shutdown(seconds(2)));
    assert!(start.elapsed() <= seconds(2) + TICK);
    assert_eq!(long, short);
    assert_report(&long, 0, &[("shutdown", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_no_longer_awaited_goes_on() {
    let (outbox, lane, _) = open(Scripted::always(Play::Hang));
    push(&lane, 0..1);
    assert!(tokio::time::timeout(seconds(1), outbox.shutdown(seconds(5))).await.is_err());
    assert_eq!(report_of(&outbox.report()).waiting, 1);
    sleep(seconds(4) + TICK).await;
    assert_report(&outbox.report(), 0, &[("shutdown", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_opened_after_the_shutdown_is_closed() {
    let outbox = outbox();
    outbox.shutdown(seconds(1)).await;
    let lane = outbox.lane("late", Scripted::new([]));
    push(&lane, 0..2);
    assert_report(&outbox.report(), 0, &[("closed", 2)]);
}

#[test]
fn a_plain_thread_shuts_down() {
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert_report(&outbox.shutdown_blocking(seconds(60)), 100, &[]);
    assert_eq!(log.taken().len(), 100);
}

#[test]
fn a_plain_thread_flushes() {
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(outbox.flush_blocking(seconds(60)));
    assert_eq!(log.taken().len(), 100);
    assert_report(&outbox.shutdown_blocking(seconds(60)), 100, &[]);
}

#[test]
fn an_executor_that_is_not_tokio_shuts_down() {
    let (outbox, lane, _) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(block_on(outbox.flush(seconds(60))));
    assert_report(&block_on(outbox.shutdown(seconds(60))), 100, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_thread_runtime_shuts_down_either_way() {
    let (outbox, lane, _) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(outbox.flush(seconds(60)).await);
    assert_report(&outbox.shutdown(seconds(60)).await, 100, &[]);

    let (outbox, lane, _) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(outbox.flush_blocking(seconds(60)));
    assert_report(&outbox.shutdown_blocking(seconds(60)), 100, &[]);
}

#[tokio::test]
async fn a_current_thread_runtime_shuts_down_either_way() {
    let (outbox, lane, _) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(outbox.flush(seconds(60)).await);
    assert_report(&outbox.shutdown(seconds(60)).await, 100, &[]);

    let (outbox, lane, _) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..100);
    assert!(outbox.flush_blocking(seconds(60)));
    assert_report(&outbox.shutdown_blocking(seconds(60)), 100, &[]);
}

#[test]
fn an_outbox_is_dropped_while_unwinding_and_drains() {
    struct PushOnDrop(Lane<Record>);
    impl Drop for PushOnDrop {
        fn drop(&mut self) {
            assert!(thread::panicking());
            push(&self.0, 1..2);
        }
    }
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _outbox = outbox;
        push(&lane, 0..1);
        let _last = PushOnDrop(lane);
        panic!("a handler fell");
    }));
    assert!(unwound.is_err());
    assert_eq!(log.taken(), [0, 1]);
}

#[test]
fn a_shutdown_may_be_called_while_unwinding() {
    struct ShutDownOnDrop(Outbox);
    impl Drop for ShutDownOnDrop {
        fn drop(&mut self) {
            assert_report(&self.0.shutdown_blocking(seconds(60)), 1, &[]);
        }
    }
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _outbox = ShutDownOnDrop(outbox);
        push(&lane, 0..1);
        panic!("a handler fell");
    }));
    assert!(unwound.is_err());
    assert_eq!(log.taken(), [0]);
}

#[test]
fn dropping_the_last_handle_drains_and_a_lane_does_not_keep_it_alive() {
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..1);
    drop(outbox.clone());
    push(&lane, 1..2);
    drop(outbox);
    push(&lane, 2..3);
    assert_eq!(log.taken(), [0, 1]);
}

#[tokio::test]
async fn dropping_the_last_handle_inside_a_current_thread_runtime_drains() {
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]));
    push(&lane, 0..1);
    drop(outbox);
    assert_eq!(log.taken(), [0]);
}

#[test]
fn dropping_the_last_handle_waits_for_its_limit_and_no_longer() {
    let events = Told::default();
    let outbox = Outbox::builder().drop_limit(Duration::from_millis(200)).events(events.listener());
    let outbox = outbox.start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Hang));
    push(&lane, 0..1);
    let start = std::time::Instant::now();
    drop(outbox);
    assert!((Duration::from_millis(200)..seconds(5)).contains(&start.elapsed()));
    assert_eq!(events.words(), ["lost 1 records, the shutdown did not wait longer"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_on_a_runtime_of_the_users_leaves_the_rest_to_that_runtime() {
    let (outbox, lane, log) = open(Scripted::new([Play::AcceptAfter(seconds(1))]));
    push(&lane, 0..1);
    drop(outbox);
    push(&lane, 1..2);
    assert_eq!(log.batches().len(), 0);
    sleep(seconds(1) + TICK).await;
    assert_eq!(log.taken(), [0]);
}

#[test]
fn the_last_handle_may_be_dropped_on_the_thread_of_the_outbox() {
    let outbox = Outbox::builder().start().unwrap();
    let last = Arc::new(Mutex::new(None));
    let (tell, told) = mpsc::channel();
    let builder = Outbox::builder().events({
        let last = last.clone();
        move |event| {
            drop(last.lock().unwrap().take());
            tell.send(event.to_string()).unwrap();
        }
    });
    drop(outbox);
    let outbox = builder.start().unwrap();
    let lane = outbox.lane("spans", Scripted::new([]));
    *last.lock().unwrap() = Some(outbox);
    push(&lane, 0..1);
    assert_eq!(told.recv_timeout(seconds(60)).unwrap(), "sent 1 records");
}

#[test]
fn when_the_runtime_of_the_user_ends_what_is_left_is_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outbox = Outbox::builder().runtime(runtime.handle().clone()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Hang));
    push(&lane, 0..600);
    runtime.block_on(async { sleep(Duration::from_millis(20)).await });
    drop(runtime);
    assert_report(&outbox.report(), 0, &[("shutdown", 600)]);
    push(&lane, 600..601);
    assert!(outbox.flush_blocking(seconds(60)));
    assert_report(&outbox.shutdown_blocking(seconds(60)), 0, &[("closed", 1), ("shutdown", 600)]);
}

#[tokio::test]
async fn a_blocking_shutdown_on_the_runtime_of_the_lanes_waits_in_vain_and_balances() {
    let (outbox, lane, _) = open(Scripted::new([]));
    push(&lane, 0..3);
    assert!(!outbox.flush_blocking(Duration::from_millis(20)));
    assert_report(&outbox.shutdown_blocking(Duration::from_millis(20)), 0, &[("shutdown", 3)]);
}

// ===== a thread that is blocked =====

#[test]
fn a_shutdown_keeps_its_limit_while_a_destination_blocks_the_thread() {
    for executor in EXECUTORS {
        let blocked = Blocked::open(600);
        let (outbox, limit) = (blocked.outbox.clone(), LIMIT);
        let start = std::time::Instant::now();
        let report = executor.block_on(async move { outbox.shutdown(limit).await });
        assert!((LIMIT..LONG).contains(&start.elapsed()), "{executor:?}: {:?}", start.elapsed());
        assert_report(&report, 0, &[("shutdown", 600)]);
        push(&blocked.lane, 600..601);
        let outbox = blocked.release();
        assert_report(&outbox.report(), 0, &[("closed", 1), ("shutdown", 600)]);
    }
}

#[test]
fn a_flush_keeps_its_limit_while_a_destination_blocks_the_thread() {
    for executor in EXECUTORS {
        let blocked = Blocked::open(600);
        let (outbox, limit) = (blocked.outbox.clone(), LIMIT);
        let start = std::time::Instant::now();
        assert!(!executor.block_on(async move { outbox.flush(limit).await }));
        assert!((LIMIT..LONG).contains(&start.elapsed()), "{executor:?}: {:?}", start.elapsed());
        assert_eq!(report_of(&blocked.outbox.report()).waiting, 600);
        let outbox = blocked.release();
        assert_report(&outbox.shutdown_blocking(seconds(60)), 600, &[]);
    }
}

#[test]
fn a_blocking_call_keeps_its_limit_while_a_destination_blocks_the_thread() {
    for executor in EXECUTORS {
        let blocked = Blocked::open(600);
        let (outbox, start) = (blocked.outbox.clone(), std::time::Instant::now());
        let report = executor.block_on(async move {
            assert!(!outbox.flush_blocking(LIMIT));
            outbox.shutdown_blocking(LIMIT)
        });
        assert!((LIMIT * 2..LONG).contains(&start.elapsed()), "{executor:?}: {:?}", start.elapsed());
        assert_report(&report, 0, &[("shutdown", 600)]);
        let outbox = blocked.release();
        assert_report(&outbox.report(), 0, &[("shutdown", 600)]);
    }
}

#[test]
fn dropping_the_last_handle_keeps_its_limit_while_a_destination_blocks_the_thread() {
    for executor in EXECUTORS {
        let blocked = Blocked::open(600);
        let Blocked { outbox, lane, log, held } = blocked;
        let start = std::time::Instant::now();
        executor.block_on(async move { drop(outbox) });
        assert!((LIMIT..LONG).contains(&start.elapsed()), "{executor:?}: {:?}", start.elapsed());
        drop(lane);
        drop(held);
        assert_eq!(log.batches().len(), 1, "what was given up is not sent");
    }
}

#[test]
fn the_last_handle_keeps_its_limit_when_it_is_dropped_on_the_thread_that_blocks() {
    let last = Arc::new(Mutex::new(None));
    let (tell, told) = mpsc::channel();
    let (held, until) = mpsc::channel::<()>();
    let (until, letting_go) = (Mutex::new(until), last.clone());
    let outbox = Outbox::builder().drop_limit(LIMIT).events(move |event| {
        tell.send(event.to_string()).unwrap();
        if let OutboxEvent::Sent { .. } = event {
            drop(letting_go.lock().unwrap().take());
            let _ = until.lock().unwrap().recv_timeout(LONG * 2);
        }
    });
    let outbox = outbox.start().unwrap();
    let lane = outbox.lane("spans", Scripted::new([]).limits(Limits::default().records(1)));
    let mut guard = last.lock().unwrap();
    push(&lane, 0..2);
    *guard = Some(outbox);
    drop(guard);
    assert_eq!(told.recv_timeout(LONG).unwrap(), "sent 1 records");
    assert_eq!(told.recv_timeout(LONG).unwrap(), "lost 1 records, the shutdown did not wait longer");
    drop(held);
}

#[test]
fn of_two_shutdowns_at_once_the_shorter_limit_ends_both_while_the_thread_is_blocked() {
    let blocked = Blocked::open(600);
    let (outbox, start) = (blocked.outbox.clone(), std::time::Instant::now());
    let long = thread::spawn(move || outbox.shutdown_blocking(LONG));
    let outbox = blocked.outbox.clone();
    let longer = thread::spawn(move || block_on(outbox.shutdown(LONG)));
    let short = block_on(blocked.outbox.shutdown(LIMIT));
    assert_report(&short, 0, &[("shutdown", 600)]);
    assert_eq!((long.join().unwrap(), longer.join().unwrap()), (short.clone(), short));
    assert!(start.elapsed() < LONG);
}

#[test]
fn a_shutdown_that_is_no_longer_awaited_goes_on_while_the_thread_is_blocked() {
    let blocked = Blocked::open(600);
    let mut shutdown = Box::pin(blocked.outbox.shutdown(LIMIT));
    assert!(shutdown.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    drop(shutdown);
    assert!(block_on(blocked.outbox.flush(LONG)), "the shutdown gives up what is left");
    assert_report(&blocked.outbox.report(), 0, &[("shutdown", 600)]);
}

#[test]
fn a_blocking_call_in_a_task_whose_budget_is_spent_ends_when_all_is_sent() {
    use tokio::task::coop::{consume_budget, has_budget_remaining};
    for executor in [Executor::CurrentThread, Executor::MultiThread] {
        let scripted = Scripted::new([Play::AcceptAfter(LIMIT), Play::AcceptAfter(LIMIT)]);
        let (outbox, lane, _) = open_on_its_own(scripted);
        let start = std::time::Instant::now();
        let report = executor.block_on(async move {
            while has_budget_remaining() {
                consume_budget().await;
            }
            push(&lane, 0..1);
            assert!(outbox.flush_blocking(LONG));
            push(&lane, 1..2);
            outbox.shutdown_blocking(LONG)
        });
        assert_report(&report, 2, &[]);
        assert!(start.elapsed() < LONG, "{executor:?}: {:?}", start.elapsed());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_flush_that_is_no_longer_awaited_leaves_no_thread_behind() {
    let blocked = Blocked::open(600);
    let mut flush = Box::pin(blocked.outbox.flush(seconds(3600)));
    assert!(flush.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
    drop(flush);
    let start = std::time::Instant::now();
    while threads_at_a_limit() > 0 {
        assert!(start.elapsed() < LONG, "it waits for its hour");
        thread::yield_now();
    }
    assert_eq!(report_of(&blocked.outbox.report()).waiting, 600);
}

// ===== events =====

#[tokio::test(start_paused = true)]
async fn every_fate_is_told() {
    let told = Told::default();
    let outbox = Outbox::builder().runtime(Handle::current()).events(told.listener()).start().unwrap();
    let limits = Limits::default().records(2).in_flight(1).queue_records(8).retry_for(seconds(1));
    let script = [
        Play::Accept,
        Play::Reject(1, "http 400"),
        Play::Panic,
        Play::RetryAfter(seconds(1)),
        Play::RetryAfter(seconds(1)),
        Play::Hang,
    ];
    let lane = outbox.lane("spans", Scripted::new(script).limits(limits));
    push(&lane, 0..9);
    sleep(seconds(10)).await;
    push(&lane, 9..10);
    assert_end(
        &outbox,
        3,
        &[("expired", 2), ("http 400", 1), ("overflow", 1), ("panic", 2), ("shutdown", 1)],
    )
    .await;
    assert_eq!(
        told.words(),
        [
            "lost 1 records, the lane was full",
            "sent 2 records",
            "sent 1 records",
            "lost 1 records, rejected: http 400",
            "lost 2 records, the destination panicked: panic: the script says so",
            "trying 2 records again in 1000 ms: busy",
            "lost 2 records, retried for too long: busy",
            "lost 1 records, the shutdown did not wait longer",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejection_of_none_is_told_as_a_warning() {
    let (told, warnings) = (Told::default(), Warnings::default());
    let _guard = tracing::subscriber::set_default(warnings.subscriber());
    let outbox = Outbox::builder().runtime(Handle::current()).events(told.listener()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Reject(0, "deprecated")));
    for number in 0..3 {
        push(&lane, number..number + 1);
        assert!(outbox.flush(seconds(1)).await);
    }
    let told_once = ["the backend warns: deprecated", "sent 1 records"];
    assert_eq!(told.words(), told_once.repeat(3), "a flush returns when all is told");
    assert_eq!(warnings.folded(), [0]);
    assert_end(&outbox, 3, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn overflow_is_told_once_a_second_and_adds_up() {
    let told = Overflow::default();
    let outbox = Outbox::builder().runtime(Handle::current()).events(told.listener()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Hang).limits(Limits::default().queue_records(10)));
    for number in 0..10_000 {
        push(&lane, number..number + 1);
        sleep(Duration::from_millis(1)).await;
    }
    let times = told.times();
    assert!((9..=11).contains(&times.len()), "{times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= seconds(1)), "{times:?}");
    sleep(seconds(10)).await;
    push(&lane, 10_000..10_001);
    assert_end(&outbox, 0, &[("overflow", 9_991), ("shutdown", 10)]).await;
    assert_eq!(told.records(), 9_991);
}

#[tokio::test(start_paused = true)]
async fn what_overflowed_since_it_was_last_told_is_told_before_the_end() {
    let told = Told::default();
    let outbox = Outbox::builder().runtime(Handle::current()).events(told.listener()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Hang).limits(Limits::default().queue_records(1)));
    push(&lane, 0..1);
    sleep(TICK).await;
    push(&lane, 1..2);
    sleep(TICK).await;
    push(&lane, 2..5);
    let report = outbox.shutdown(LIMIT).await;
    assert_report(&report, 0, &[("overflow", 4), ("shutdown", 1)]);
    assert_eq!(
        told.words(),
        [
            "lost 1 records, the lane was full",
            "lost 3 records, the lane was full",
            "lost 1 records, the shutdown did not wait longer",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_panics_does_no_harm() {
    let builder = Outbox::builder().runtime(Handle::current());
    let outbox = builder.events(|_| panic!("the dashboard is broken")).start().unwrap();
    let lane = outbox.lane(
        "spans",
        Scripted::new([Play::Reject(1, "no"), Play::Retry]).limits(Limits::default().records(2)),
    );
    push(&lane, 0..6);
    assert_end(&outbox, 5, &[("no", 1)]).await;
}

#[test]
fn a_flush_returns_after_all_that_it_waits_for_was_told() {
    let told = Told::default();
    let listener = told.listener();
    let outbox = Outbox::builder().events(move |event| {
        thread::sleep(Duration::from_millis(50));
        listener(event);
    });
    let outbox = outbox.start().unwrap();
    let lane = outbox.lane("spans", Scripted::new([]));
    push(&lane, 0..1);
    assert!(block_on(outbox.flush(LONG)));
    assert_eq!(told.words(), ["sent 1 records"]);
    push(&lane, 1..2);
    assert!(outbox.flush_blocking(LONG));
    assert_eq!(told.words().len(), 2);
    push(&lane, 2..3);
    assert_report(&block_on(outbox.shutdown(LONG)), 3, &[]);
    assert_eq!(told.words().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_push_and_ask_for_the_report() {
    let lane: Arc<Mutex<Option<Lane<Record>>>> = Arc::default();
    let builder = Outbox::builder().runtime(Handle::current()).events({
        let lane = lane.clone();
        move |event| {
            if let (OutboxEvent::Rejected { .. }, Some(lane)) = (event, lane.lock().unwrap().take()) {
                push(&lane, 1..2);
            }
        }
    });
    let outbox = builder.start().unwrap();
    let opened = outbox.lane("spans", Scripted::new([Play::Reject(1, "no")]));
    *lane.lock().unwrap() = Some(opened.clone());
    push(&opened, 0..1);
    assert!(outbox.flush(seconds(5)).await);
    assert_end(&outbox, 1, &[("no", 1)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_warns_once_in_ten_seconds_and_says_how_much_it_kept_to_itself() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.subscriber());
    let (outbox, lane, _) =
        open(Scripted::always(Play::Reject(9, "no")).limits(Limits::default().records(1)));
    push(&lane, 0..50);
    sleep(seconds(11)).await;
    push(&lane, 50..60);
    sleep(seconds(1)).await;
    assert_eq!(warnings.folded(), [0, 49]);
    assert_end(&outbox, 0, &[("no", 60)]).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_warning_is_given_however_short_ago_the_one_before_was() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.subscriber());
    let script = [Play::Reject(1, "no"), Play::Reject(1, "no"), Play::Hang];
    let (outbox, lane, _) = open(Scripted::new(script).limits(Limits::default().records(1)));
    push(&lane, 0..3);
    assert_report(&outbox.shutdown(seconds(1)).await, 0, &[("no", 2), ("shutdown", 1)]);
    assert_eq!(warnings.folded(), [0, 1]);
}

// ===== telemetry about telemetry =====

struct Observant(Arc<Mutex<Vec<bool>>>);

impl Destination for Observant {
    type Record = Record;
    fn size(&self, _: &Record) -> usize {
        1
    }
    async fn send(&self, _: Batch<Record>) -> Result<(), SendError<Record>> {
        let look = || self.0.lock().unwrap().push(Context::is_current_telemetry_suppressed());
        look();
        sleep(TICK).await;
        look();
        let spawned = self.0.clone();
        let spawned = tokio::spawn(async move {
            spawned.lock().unwrap().push(Context::is_current_telemetry_suppressed());
        });
        spawned.await.unwrap();
        Ok(())
    }
}

#[test]
fn nothing_on_the_thread_of_the_outbox_is_traced() {
    let seen = Arc::default();
    let outbox = Outbox::builder().start().unwrap();
    push(&outbox.lane("spans", Observant(Arc::clone(&seen))), 0..1);
    assert_report(&outbox.shutdown_blocking(seconds(60)), 1, &[]);
    assert_eq!(*seen.lock().unwrap(), [true, true, true]);
    assert!(!Context::is_current_telemetry_suppressed());
}

#[test]
fn nothing_on_the_thread_that_waits_for_a_limit_is_traced() {
    let (tell, told) = mpsc::channel();
    let outbox = Outbox::builder().events(move |_| {
        let name = thread::current().name().map(str::to_owned);
        tell.send((name, Context::is_current_telemetry_suppressed())).unwrap();
    });
    let outbox = outbox.start().unwrap();
    push(&outbox.lane("spans", Scripted::always(Play::Hang)), 0..1);
    assert_report(&block_on(outbox.shutdown(LIMIT)), 0, &[("shutdown", 1)]);
    assert_eq!(told.try_recv(), Ok((Some("belvedere-limit".to_owned()), true)));
    assert!(!Context::is_current_telemetry_suppressed());
}

#[tokio::test(start_paused = true)]
async fn on_a_runtime_of_the_users_a_destination_is_not_traced_and_others_are() {
    let seen = Arc::default();
    let outbox = outbox();
    push(&outbox.lane("spans", Observant(Arc::clone(&seen))), 0..1);
    assert_end(&outbox, 1, &[]).await;
    assert_eq!(*seen.lock().unwrap(), [true, true, false]);
    assert!(!Context::is_current_telemetry_suppressed());
}

// ===== concurrency =====

#[test]
fn eight_threads_push_a_hundred_thousand_and_all_are_counted() {
    let limits = Limits::default().queue_records(1000).queue_bytes(100_000);
    let (outbox, lane, log) = open_on_its_own(Scripted::new([]).limits(limits));
    thread::scope(|scope| {
        for number in 0..8 {
            let lane = lane.clone();
            scope.spawn(move || push(&lane, number * 12_500..(number + 1) * 12_500));
        }
        for _ in 0..1000 {
            assert_balanced(&outbox.report());
        }
    });
    let report = outbox.shutdown_blocking(seconds(60));
    assert_balanced(&report);
    let LaneReport { accepted, delivered, lost, .. } = report_of(&report);
    assert_eq!(*accepted, 100_000);
    assert_eq!(*delivered, log.taken().len() as u64);
    assert_eq!(lost.get("overflow").copied().unwrap_or(0), 100_000 - delivered);
}

#[test]
fn of_sixty_four_threads_each_finds_its_records_in_order_and_none_is_missing() {
    const THREADS: u64 = 64;
    const EACH: u64 = 1_000;
    let usual = Limits::default();
    for (limits, bound) in [(usual, 8192), (usual.records(50), 8192), (usual.queue_records(200_000), 200_000)]
    {
        let (outbox, lane, log) = open_on_its_own(Scripted::new([]).limits(limits.in_flight(1)));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (outbox, lane) = (&outbox, &lane);
                scope.spawn(move || {
                    for number in 0..EACH {
                        push(lane, thread * EACH + number..thread * EACH + number + 1);
                        if number % 100 == 0 {
                            let report = outbox.report();
                            assert_balanced(&report);
                            assert!(report_of(&report).accepted > number, "its own are in the report");
                            assert!(report_of(&report).waiting <= bound);
                        }
                    }
                });
            }
        });
        assert_eq!(report_of(&outbox.report()).accepted, THREADS * EACH);
        assert!(outbox.flush_blocking(seconds(60)));
        let report = outbox.shutdown_blocking(seconds(60));
        let taken = log.taken();
        let overflowed = report_of(&report).lost.get("overflow").copied().unwrap_or(0);
        assert_eq!(taken.len() as u64 + overflowed, THREADS * EACH, "{report}");
        assert_eq!(
            (report_of(&report).delivered, report.lost()),
            (taken.len() as u64, overflowed),
            "{report}"
        );
        let mut last = [None; THREADS as usize];
        for number in taken {
            assert!(last[(number / EACH) as usize].replace(number) < Some(number), "{number} is late");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_overflows_keeps_the_newest_to_the_record_whenever_somebody_looks() {
    let limits = Limits::default().records(64).queue_records(1_000).in_flight(1);
    let (outbox, lane, log) = open(Scripted::new([Play::AcceptAfter(seconds(9))]).limits(limits));
    push(&lane, 0..64);
    sleep(TICK).await;
    for number in 64..5_000 {
        push(&lane, number..number + 1);
        if number % 777 == 0 {
            sleep(TICK).await;
            assert_eq!(report_of(&outbox.report()).waiting, 1_000.min(number + 1));
        }
    }
    assert!(outbox.flush(seconds(60)).await);
    assert_eq!(log.taken(), Vec::from_iter((0..64).chain(4_064..5_000)));
    assert_end(&outbox, 1_000, &[("overflow", 4_000)]).await;
}

#[test]
fn pushes_race_with_a_shutdown_and_all_are_counted() {
    for _ in 0..50 {
        let (outbox, lane, log) = open_on_its_own(Scripted::new([]).limits(Limits::default().records(7)));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| push(&lane, 0..500));
            }
            assert_balanced(&outbox.shutdown_blocking(seconds(60)));
        });
        let report = outbox.report();
        assert_balanced(&report);
        let LaneReport { accepted, delivered, lost, waiting, .. } = report_of(&report);
        assert_eq!((*accepted, *waiting), (2000, 0));
        assert_eq!(*delivered, log.taken().len() as u64);
        assert_eq!(lost.values().sum::<u64>(), lost.get("closed").copied().unwrap_or(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_pushes_when_it_is_dropped_does_not_lock_itself_out() {
    struct Echo(Option<Lane<Self>>);
    impl Drop for Echo {
        fn drop(&mut self) {
            if let Some(lane) = self.0.take() {
                lane.push(Self(None));
            }
        }
    }
    struct Anywhere;
    impl Destination for Anywhere {
        type Record = Echo;
        fn limits(&self) -> Limits {
            Limits::default().queue_records(2)
        }
        fn size(&self, _: &Echo) -> usize {
            1
        }
        async fn send(&self, _: Batch<Echo>) -> Result<(), SendError<Echo>> {
            Ok(())
        }
    }
    let outbox = outbox();
    let lane = outbox.lane("echoes", Anywhere);
    for _ in 0..4 {
        lane.push(Echo(Some(lane.clone())));
    }
    let report = outbox.shutdown(seconds(5)).await;
    assert_balanced(&report);
    lane.push(Echo(Some(lane.clone())));
    assert_balanced(&outbox.report());
}

// ===== any script =====

#[derive(Clone, Debug)]
enum Step {
    Push { records: u64, size: usize },
    Sleep(Duration),
    Flush(Duration),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn the_books_balance_whatever_happens(
        limits in limits(),
        script in prop::collection::vec(play(), 0..20),
        steps in prop::collection::vec(step(), 0..20),
        limit in time(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (outbox, lane, log) = open(Scripted::new(script).limits(limits));
            let mut pushed = 0;
            for step in steps {
                match step {
                    Step::Push { records, size } => {
                        (pushed..pushed + records).for_each(|number| lane.push(Record { number, size }));
                        pushed += records;
                    }
                    Step::Sleep(time) => sleep(time).await,
                    Step::Flush(limit) => drop(outbox.flush(limit).await),
                }
                assert_balanced(&outbox.report());
                assert_eq!(report_of(&outbox.report()).accepted, pushed);
            }
            let start = Instant::now();
            let report = outbox.shutdown(limit).await;
            assert!(start.elapsed() <= limit + TICK);
            assert_balanced(&report);
            let LaneReport { accepted, delivered, lost, waiting, .. } = report_of(&report);
            assert_eq!((*accepted, *waiting), (pushed, 0));
            // A batch that was in flight at the limit may still have been taken.
            let taken = log.taken();
            let doubtful = lost.get("shutdown").copied().unwrap_or(0);
            assert!((*delivered..=delivered + doubtful).contains(&(taken.len() as u64)), "{report}, {taken:?}");
            let distinct = BTreeSet::from_iter(&taken);
            assert_eq!(distinct.len(), taken.len(), "a record was taken twice");
        });
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..6_usize, 1..40_usize, time(), 1..4_usize, 1..20_usize, 0..60_usize, time()).prop_map(
        |(records, bytes, age, in_flight, queue_records, queue_bytes, retry_for)| {
            let limits = Limits::default().records(records).bytes(bytes).age(age).in_flight(in_flight);
            limits.queue_records(queue_records).queue_bytes(queue_bytes).retry_for(retry_for)
        },
    )
}

fn play() -> impl Strategy<Value = Play> {
    prop_oneof![
        3 => Just(Play::Accept),
        2 => time().prop_map(Play::AcceptAfter),
        2 => Just(Play::Retry),
        1 => time().prop_map(Play::RetryAfter),
        2 => (0..6_usize).prop_map(Play::KeepBack),
        2 => (0..6_usize).prop_map(|lost| Play::Reject(lost, "no")),
        1 => Just(Play::Hang),
        1 => Just(Play::Panic),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..15_u64, 0..12_usize).prop_map(|(records, size)| Step::Push { records, size }),
        2 => time().prop_map(Step::Sleep),
        1 => time().prop_map(Step::Flush),
    ]
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 1..1000_u64, 1000..100_000_u64].prop_map(Duration::from_millis)
}

// ===== what is promised to the compiler =====

#[test]
fn handles_are_send_sync_and_their_futures_are_send() {
    fn is_send_sync<T: Send + Sync + 'static>() {}
    fn is_send<T: Send>(_: &T) {}
    is_send_sync::<Outbox>();
    is_send_sync::<Lane<Record>>();
    is_send_sync::<Lane<std::cell::Cell<u8>>>();
    let outbox = Outbox::builder().start().unwrap();
    is_send(&outbox.flush(seconds(1)));
    is_send(&outbox.shutdown(seconds(1)));
    assert_eq!(size_of::<Lane<Record>>(), size_of::<usize>());
}

#[test]
fn a_report_is_one_line_per_lane() {
    let (outbox, lane, _) =
        open_on_its_own(Scripted::new([Play::Reject(2, "http 400"), Play::Reject(1, "http 401")]));
    let _ = outbox.lane("segments", Scripted::new([]));
    push(&lane, 0..5);
    assert!(outbox.flush_blocking(seconds(60)));
    push(&lane, 5..6);
    assert_eq!(
        outbox.shutdown_blocking(seconds(60)).to_string(),
        "spans: 6 accepted, 3 delivered, 3 lost (2 http 400, 1 http 401), 0 waiting\n\
         segments: 0 accepted, 0 delivered, 0 lost, 0 waiting"
    );
}

// ===== support =====

fn outbox() -> Outbox {
    Outbox::builder().runtime(Handle::current()).start().unwrap()
}

fn open(scripted: Scripted) -> (Outbox, Lane<Record>, Log) {
    let (outbox, log) = (outbox(), scripted.log());
    let lane = outbox.lane("spans", scripted);
    (outbox, lane, log)
}

fn open_on_its_own(scripted: Scripted) -> (Outbox, Lane<Record>, Log) {
    let (outbox, log) = (Outbox::builder().start().unwrap(), scripted.log());
    let lane = outbox.lane("spans", scripted);
    (outbox, lane, log)
}

fn push(lane: &Lane<Record>, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| lane.push(Record { number, size: 1 }));
}

fn report_of(report: &Report) -> &LaneReport {
    &report.lanes[0]
}

/// Shuts down, and asks for exactly these books.
async fn assert_end(outbox: &Outbox, delivered: u64, lost: &[(&str, u64)]) {
    assert_report(&outbox.shutdown(seconds(60)).await, delivered, lost);
}

fn assert_report(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    assert_balanced(report);
    let lane = report_of(report);
    let counted: Vec<(&str, u64)> = lane.lost.iter().map(|(reason, records)| (&**reason, *records)).collect();
    assert_eq!((lane.delivered, &counted[..], lane.waiting), (delivered, lost, 0), "{report}");
}

fn assert_balanced(report: &Report) {
    for lane in &report.lanes {
        assert_eq!(lane.accepted, lane.delivered + lane.lost() + lane.waiting, "{lane}");
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The timer's grain, twice: it rounds up, and a sleep may begin between two ticks.
const TICK: Duration = Duration::from_millis(2);

/// An executor that knows nothing of tokio.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut task::Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// How many threads wait for a limit now, those of other tests included.
#[cfg(target_os = "linux")]
fn threads_at_a_limit() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim_end() == "belvedere-limit").count()
}

/// An outbox whose own thread is blocked by a destination until it is released.
struct Blocked {
    outbox: Outbox,
    lane: Lane<Record>,
    log: Log,
    held: mpsc::Sender<()>,
}

impl Blocked {
    fn open(records: u64) -> Self {
        let (held, until) = mpsc::channel();
        let scripted = Scripted::new([Play::Block(Arc::new(Mutex::new(until)))]);
        let (outbox, log) = (Outbox::builder().drop_limit(LIMIT).start().unwrap(), scripted.log());
        let lane = outbox.lane("spans", scripted);
        push(&lane, 0..records);
        while log.arrivals().is_empty() {
            thread::yield_now();
        }
        Self { outbox, lane, log, held }
    }

    /// Lets the destination go on, and waits until the thread has seen it.
    fn release(self) -> Outbox {
        let Self { outbox, lane: _, log, held } = self;
        drop(held);
        while log.taken().is_empty() {
            thread::yield_now();
        }
        outbox
    }
}

/// What polls the futures of an outbox.
#[derive(Clone, Copy, Debug)]
enum Executor {
    CurrentThread,
    MultiThread,
    NotTokio,
}

impl Executor {
    fn block_on<T: Send + 'static>(self, future: impl Future<Output = T> + Send + 'static) -> T {
        use tokio::runtime::Builder;
        match self {
            Self::CurrentThread => Builder::new_current_thread().build().unwrap().block_on(future),
            Self::MultiThread => {
                let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
                runtime.block_on(runtime.spawn(future)).unwrap()
            }
            Self::NotTokio => block_on(future),
        }
    }
}

const EXECUTORS: [Executor; 3] = [Executor::CurrentThread, Executor::MultiThread, Executor::NotTokio];

/// What a call may take while the thread is blocked.
const LIMIT: Duration = Duration::from_millis(100);

/// What it takes only if it hangs.
const LONG: Duration = Duration::from_secs(8);

/// The events, in words.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn listener(&self) -> impl Fn(&OutboxEvent) + Send + Sync + 'static {
        let words = self.0.clone();
        move |event| words.lock().unwrap().push(event.to_string())
    }

    fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// When overflow was told of, and how much.
#[derive(Clone, Default)]
struct Overflow(Arc<Mutex<Vec<(Instant, usize)>>>);

impl Overflow {
    fn listener(&self) -> impl Fn(&OutboxEvent) + Send + Sync + 'static {
        let told = self.0.clone();
        move |event| {
            if let OutboxEvent::Overflowed { records, .. } = event {
                told.lock().unwrap().push((Instant::now(), *records));
            }
        }
    }

    fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().iter().map(|(time, _)| *time).collect()
    }

    fn records(&self) -> usize {
        self.0.lock().unwrap().iter().map(|(_, records)| records).sum()
    }
}

/// The `folded` of every warning of the outbox.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u64>>>);

impl Warnings {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        use tracing_subscriber::layer::SubscriberExt;
        // A thread without a subscriber that comes to a log line first would switch it off for all others.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        tracing_subscriber::registry().with(self.clone())
    }

    fn folded(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Folded<'a>(&'a Warnings);
        impl tracing::field::Visit for Folded<'_> {
            fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
                if field.name() == "folded" {
                    self.0.0.lock().unwrap().push(value);
                }
            }
            fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
        }
        if event.metadata().target() == "belvedere::outbox"
            && *event.metadata().level() == tracing::Level::WARN
        {
            event.record(&mut Folded(self));
        }
    }
}
