//! Keys that are over or not good enough, and clocks that are wrong.

use std::time::Duration;

use belvedere::outbox::{Outbox, Spool};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{
    backend::{dialect::Kind, fault::Fault, oracle::judge},
    house::{Case, House, Mode, Plan},
};

#[tokio::test(start_paused = true)]
async fn half_an_hour_with_keys_that_are_over_loses_nothing_and_a_minute_after_it_goes_on() {
    for case in Case::of(&Kind::AWS) {
        let house = House::open(case).await;
        house.backend.faults(|_| Some(Fault::Expired));
        for _ in 0..30 {
            house.push(10);
            sleep(Duration::from_secs(60)).await;
        }
        assert_eq!(house.backend.books(case.kind).distinct(), 0, "{case:?}");
        house.backend.mend();
        let start = Instant::now();
        while house.backend.books(case.kind).distinct() == 0 && start.elapsed() < Duration::from_secs(600) {
            sleep(Duration::from_secs(1)).await;
        }
        println!("{case:?}: goes on {:?} after the keys are good", start.elapsed());
        assert!(start.elapsed() <= Duration::from_secs(60), "{case:?}");
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn what_x_ray_may_not_be_told_is_lost_and_counted_and_what_comes_later_arrives() {
    let house = House::open(Kind::XRay).await;
    house.backend.faults(|_| Some(Fault::Denied));
    house.send(100).await;
    house.backend.mend();
    house.send(100).await;
    let end = house.close().await;
    end.assert_lost(&[("AccessDeniedException", 100)]);
    assert_eq!(end.verdict.lost, (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_cloudwatch_may_not_be_told_is_kept_until_it_may() {
    for case in Case::of(&[Kind::CloudWatch]) {
        let house = House::open(case).await;
        house.backend.faults(|_| Some(Fault::Denied));
        house.push(100);
        sleep(Duration::from_secs(30 * 60)).await;
        house.backend.mend();
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_otlp_does_not_know_loses_what_it_was_shown_with() {
    let house = House::open(Kind::Otlp).await;
    house.backend.faults(|_| Some(Fault::Expired));
    house.send(100).await;
    house.backend.mend();
    house.send(100).await;
    house.close().await.assert_lost(&[("http 401", 100)]);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_rollbar_does_not_know_is_shown_once_and_all_that_is_lost_is_counted() {
    let house = House::open(Kind::Rollbar).await;
    house.backend.faults(|_| Some(Fault::Expired));
    house.send(100).await;
    house.backend.mend();
    house.send(100).await;
    let end = house.close().await;
    end.assert_lost(&[("http 401", 200)]);
    assert_eq!(end.calls.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_its_key_is_on_the_disk_until_the_key_is_good() {
    for (kind, fault) in [(Kind::XRay, Fault::Denied), (Kind::Otlp, Fault::Expired)] {
        let case = Case { kind, mode: Mode::Spool };
        let house = House::open(case).await;
        house.backend.faults(move |_| Some(fault.clone()));
        for _ in 0..30 {
            house.push(10);
            sleep(Duration::from_secs(60)).await;
        }
        let calls = house.backend.calls().len();
        println!("{case:?}: {calls} calls in half an hour");
        assert!((30..=4 * 61).contains(&calls), "{case:?}: {calls} calls");
        house.backend.mend();
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_rollbar_does_not_know_is_shown_once_and_all_waits_for_a_process_with_a_better_one() {
    let plan = Plan::of(Case { kind: Kind::Rollbar, mode: Mode::Spool });
    let house = House::of(plan).await;
    house.backend.faults(|_| Some(Fault::Expired));
    house.push(100);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(house.backend.calls().len(), 1);
    let report = house.outbox.shutdown(Duration::from_secs(5)).await.lanes.remove(0);
    assert_eq!((report.spooled, report.lost()), (100, 0), "{report}");
    house.backend.mend();
    let folder = house.folder.as_ref().expect("it has a disk").path();
    while house.backend.books(Kind::Rollbar).distinct() < 100 {
        let outbox = Outbox::builder().runtime(Handle::current()).spool(Spool::new(folder)).start().unwrap();
        let _exchanges = plan.exchanges(&outbox, house.backend.address);
        sleep(Duration::from_secs(60)).await;
    }
    let verdict = judge(100, &house.backend.books(Kind::Rollbar));
    assert_eq!((verdict.lost.len(), verdict.doubles()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_not_the_backends_is_put_right_within_the_first_requests() {
    for case in Case::of(&Kind::AWS) {
        for ahead in [3 * HOUR, -HOUR, 13 * 24 * HOUR] {
            let house = House::open(case).await;
            house.backend.ahead(ahead);
            house.push(500);
            let end = house.close().await;
            end.assert_exact();
            let refused = end.calls.iter().filter(|call| call.status == Some(403)).count();
            println!("{case:?}: {refused} calls refused with a clock that is {} h off", ahead / HOUR);
            // Each of those that are under way at once may learn it once.
            assert!((1..=4).contains(&refused), "{case:?}: {refused} calls");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_while_it_runs_costs_nothing() {
    for case in Case::of(&Kind::AWS) {
        let house = House::open(case).await;
        for ahead in [0, HOUR, -HOUR, 0] {
            house.backend.ahead(ahead);
            house.send(100).await;
        }
        house.close().await.assert_exact();
    }
}

/// In seconds.
const HOUR: i64 = 60 * 60;
