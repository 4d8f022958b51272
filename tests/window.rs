//! How long a record is nowhere but in memory, on its way to the disk: printed, not asserted.
#![cfg(all(
    feature = "otel",
    feature = "xray",
    feature = "rollbar",
    feature = "cloudwatch",
    feature = "spool"
))]

#[path = "faults/backend.rs"]
mod backend;
#[path = "faults/house.rs"]
mod house;

use std::{env, time::Duration};

use belvedere::outbox::OutboxEvent;
use house::{Case, House, Plan, Told};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

#[tokio::test]
async fn what_is_pushed_is_soon_on_the_disk() {
    for per_second in [1_000, 10_000] {
        for case in Case::spooled() {
            let house = House::apart(Plan::of(case).limits(|limits| limits.records(512))).await;
            // The first item takes the time in which its process reads its symbols.
            house.send(1).await;
            let pushed = push(&house, per_second).await;
            while spooled(&house.told()).len() <= pushed.len() {
                sleep(Duration::from_millis(1)).await;
            }
            let written = spooled(&house.told()).split_off(1);
            assert_eq!(written.len(), pushed.len(), "{case:?}");
            let windows =
                written.iter().zip(&pushed).map(|(written, pushed)| written.duration_since(*pushed));
            let mut windows: Vec<Duration> = windows.collect();
            windows.sort_unstable();
            let [p50, p99, most] =
                [500, 990, 1_000].map(|share| windows[(windows.len() - 1) * share / 1_000]);
            println!("{:?}, {per_second}/s: p50 {p50:?}, p99 {p99:?}, max {most:?}", case.kind);
            house.close_within(Duration::from_secs(60)).await.assert_exact();
        }
    }
}

/// For a second, or as many as the environment says. When each was pushed.
async fn push(house: &House, per_second: usize) -> Vec<Instant> {
    let seconds: usize = env::var("BELVEDERE_SECONDS").map_or(1, |seconds| seconds.parse().unwrap());
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut pushed = Vec::new();
    for _ in 0..1_000 * seconds {
        ticks.tick().await;
        for _ in 0..per_second / 1_000 {
            house.push(1);
            pushed.push(Instant::now());
        }
    }
    pushed
}

/// When each record was on the disk, in their order.
fn spooled(told: &[Told]) -> Vec<Instant> {
    let at = |told: &Told| match told.event {
        OutboxEvent::Spooled { records, .. } => vec![told.at; records],
        _ => Vec::new(),
    };
    told.iter().flat_map(at).collect()
}
