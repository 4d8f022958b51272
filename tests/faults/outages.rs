//! Backends that fail: what arrives, what is lost, what comes twice.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    backend::{
        dialect::Kind,
        fault::{Door, Fault, Lie, by_chance},
    },
    house::{Case, House, Plan},
};

#[tokio::test(start_paused = true)]
async fn what_is_pushed_arrives_once() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.push(500);
        house.close().await.assert_exact();
    }
}

// ===== no way to the backend =====

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_a_backend_cost_nothing_that_there_is_room_for() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.door(Door::Closed).await;
        for _ in 0..20 {
            house.push(20);
            sleep(Duration::from_secs(30)).await;
        }
        house.backend.door(Door::Open).await;
        assert!(house.retries().iter().all(|(_, reason)| reason == "refused"), "{case:?}");
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bound_the_oldest_that_wait_are_lost_and_none_else() {
    for kind in Kind::ALL {
        let plan = Plan::of(kind).limits(|limits| limits.queue_records(100).in_flight(2));
        let house = House::of(plan).await;
        house.backend.door(Door::Closed).await;
        house.push(50);
        // Two requests are under way, and keep their places.
        sleep(Duration::from_secs(2)).await;
        house.push(300);
        house.backend.door(Door::Open).await;
        let end = house.close().await;
        end.assert_lost(&[("overflow", 250)]);
        let first = end.verdict.lost[0];
        assert_eq!(end.verdict.lost, (first..first + 250).collect::<Vec<_>>(), "{kind:?}");
        assert!(end.verdict.lost.iter().all(|number| *number < 300), "{kind:?}: the newest survive");
    }
}

#[tokio::test(start_paused = true)]
async fn packets_that_vanish_are_noticed_by_the_time_that_a_connection_may_take() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.door(Door::Walled).await;
        house.push(60);
        let start = Instant::now();
        sleep(Duration::from_secs(60)).await;
        let retries = house.retries();
        let (first, reason) = retries.first().expect("it gave up waiting");
        let waited = first.duration_since(start);
        println!("{case:?}: {reason} after {waited:?}, {} attempts in a minute", retries.len());
        assert_eq!(reason, "connect timeout", "{case:?}");
        assert!(waited <= Duration::from_secs(10), "{case:?}: {waited:?}");
        house.backend.door(Door::Open).await;
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_reads_nothing_is_given_up_by_the_time_that_a_request_may_take() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.send(10).await;
        house.backend.door(Door::Deaf).await;
        house.push(60);
        let start = Instant::now();
        sleep(Duration::from_secs(60)).await;
        let retries = house.retries();
        let (first, reason) = retries.first().expect("it gave up waiting");
        let waited = first.duration_since(start);
        println!("{case:?}: {reason} after {waited:?}, {} attempts in a minute", retries.len());
        assert_eq!(reason, "timeout", "{case:?}");
        // The age of a batch comes before it.
        assert!(waited <= Duration::from_secs(11), "{case:?}: {waited:?}");
        house.backend.door(Door::Open).await;
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_never_answers_is_asked_again() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.faults(|call| (call.number % 3 == 0).then_some(Fault::Hang));
        house.push(300);
        house.close().await.assert_exact();
    }
}

// ===== slow ones =====

#[tokio::test(start_paused = true)]
async fn a_slow_backend_gets_everything_once() {
    for case in Case::all() {
        let house = House::of(Plan { timeout: Duration::from_secs(60), ..Plan::of(case) }).await;
        house.backend.faults(|_| Some(Fault::Slow(Duration::from_secs(30))));
        house.push(200);
        let end = house.close().await;
        end.assert_exact();
        assert!(end.calls.iter().all(|call| call.status == Some(200)), "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_slower_than_it_may_be_costs_doubles_of_what_it_never_confirmed() {
    for case in Case::all() {
        let house = House::open(case).await;
        let start = Instant::now();
        house.backend.faults(move |_| {
            let is_slow = start.elapsed() < Duration::from_secs(300);
            is_slow.then_some(Fault::Slow(Duration::from_secs(30)))
        });
        house.push(200);
        sleep(Duration::from_secs(100)).await;
        assert!(house.retries().iter().all(|(_, reason)| reason == "timeout"), "{case:?}");
        let end = house.close().await;
        end.assert_whole();
        assert!(end.verdict.doubles() > 0, "{case:?}: all that waited was stored");
        assert_eq!(end.verdict.doubles(), end.unanswered, "{case:?}");
    }
}

// ===== busy ones, broken ones =====

#[tokio::test(start_paused = true)]
async fn five_minutes_of_throttling_lose_and_double_nothing_and_are_no_storm() {
    for case in Case::all() {
        let house = House::open(case).await;
        let start = Instant::now();
        house.backend.faults(move |call| {
            let is_throttled = start.elapsed() < Duration::from_secs(300) || call.number % 10 == 0;
            is_throttled.then_some(Fault::Throttled)
        });
        for _ in 0..100 {
            house.push(5);
            sleep(Duration::from_secs(3)).await;
        }
        let tried = house.backend.calls().len();
        println!("{case:?}: {tried} calls in five minutes of throttling");
        assert!((10..=300).contains(&tried), "{case:?}: {tried} calls in five minutes");
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_of_all_calls_may_be_answered_with_503() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.faults(by_chance(11, 0.3, |_| Fault::Status(503)));
        house.push(400);
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_500_is_tried_again_but_by_otlp_which_forbids_it() {
    for case in Case::of(&[Kind::XRay, Kind::Rollbar, Kind::CloudWatch]) {
        let house = House::open(case).await;
        house.backend.faults(by_chance(12, 0.3, |_| Fault::Status(500)));
        house.push(400);
        house.close().await.assert_exact();
    }
    // https://opentelemetry.io/docs/specs/otlp/#failures-1
    for case in Case::of(&[Kind::Otlp]) {
        let house = House::open(case).await;
        house.backend.faults(|call| (call.number == 2).then_some(Fault::Status(500)));
        house.push(400);
        house.close().await.assert_lost(&[("http 500", 25)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_reset_before_anything_is_stored_costs_nothing() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.faults(by_chance(13, 0.3, |_| Fault::Reset));
        house.push(400);
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_reset_after_all_is_stored_costs_as_many_doubles_as_there_were_records() {
    for case in Case::all() {
        let house = House::open(case).await;
        house.backend.faults(by_chance(14, 0.2, |_| Fault::StoreAndReset));
        house.push(400);
        let end = house.close().await;
        end.assert_whole();
        let (doubles, unanswered) = (end.verdict.doubles(), end.unanswered);
        println!("{case:?}: {doubles} doubled of {unanswered} in doubt");
        assert!(doubles > 0, "{case:?}");
        assert_eq!(doubles, unanswered, "{case:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn everything_at_once_loses_nothing() {
    for (seed, case) in (0..).zip(Case::all()) {
        let house = House::open(case).await;
        house.backend.faults(by_chance(seed, 0.4, |chance| match chance.u8(0..7) {
            0 => Fault::Throttled,
            1 => Fault::Status(503),
            2 => Fault::Reset,
            3 => Fault::StoreAndReset,
            4 => Fault::Hang,
            5 => Fault::Slow(Duration::from_secs(3)),
            _ => Fault::Slow(Duration::from_secs(30)),
        }));
        for door in [Door::Open, Door::Walled, Door::Open, Door::Deaf, Door::Closed, Door::Open] {
            house.backend.door(door).await;
            house.push(100);
            sleep(Duration::from_secs(20)).await;
        }
        house.close().await.assert_whole();
    }
}

// ===== answers that make no sense =====

#[tokio::test(start_paused = true)]
async fn a_success_that_makes_no_sense_is_survived_and_nothing_is_sent_twice() {
    for case in Case::all() {
        for lie in Lie::ALL {
            let house = House::open(case).await;
            house.backend.faults(move |_| Some(Fault::Lie(lie)));
            house.push(100);
            let end = house.close().await;
            // What it stored is not what it says: of the books only the sum is left.
            assert_eq!((end.verdict.lost.len(), end.verdict.doubles()), (0, 0), "{case:?} {lie:?}");
            println!("{case:?} {lie:?}: {}", end.report);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_partial_success_the_rest_is_lost_and_counted_and_nothing_else() {
    for case in Case::of(&[Kind::Otlp, Kind::XRay, Kind::CloudWatch]) {
        let reason = match case.kind {
            Kind::Otlp => "partial success",
            Kind::XRay => "InvalidTraceId",
            _ => "too old",
        };
        let house = House::open(case).await;
        house.backend.faults(|call| (call.number % 2 == 0).then_some(Fault::Part(3)));
        house.push(100);
        let end = house.close().await;
        let parts = end.calls.iter().filter(|call| call.stored < call.records).count() as u64;
        assert!(parts > 0, "{case:?}");
        end.assert_lost(&[(reason, 3 * parts)]);
        assert_eq!(end.verdict.doubles(), 0, "{case:?}");
    }
}
