//! Records of every size around every limit: none of them costs a neighbour.

use belvedere::outbox::Limits;

use super::{
    backend::dialect::Kind,
    house::{End, House, Plan},
};

/// With how much to say a record has just this size, as the backend counts.
async fn saying(kind: Kind, size: usize) -> usize {
    let house = House::open(kind).await;
    house.exchanges.serve_saying(&house.oracle.next(), PROBE);
    let end = house.close().await;
    let around = end.calls[0].largest - PROBE;
    size.saturating_sub(around)
}

/// Records of these sizes, each between two of the ordinary kind.
async fn send(plan: Plan, sizes: impl IntoIterator<Item = usize>) -> End {
    let house = House::of(plan).await;
    for size in sizes {
        house.push(1);
        house.exchanges.serve_saying(&house.oracle.next(), size);
        house.push(1);
    }
    house.close().await
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_every_size_around_the_limit_arrives_and_none_is_larger() {
    let limit = 64_000;
    let edge = saying(Kind::XRay, limit).await;
    let sizes = (edge - 20..=edge + 20).chain([2 * edge, 1_000_000, 5_000_000]);
    let end = send(Plan::of(Kind::XRay), sizes).await;
    end.assert_exact();
    assert_edge(&end, limit, 64);
}

#[tokio::test(start_paused = true)]
async fn an_item_of_every_size_around_the_limit_arrives_and_none_is_larger() {
    let limit = 512 * 1024;
    let edge = saying(Kind::Rollbar, limit).await;
    let sizes = (edge - 2..=edge + 2).chain([2 * edge]);
    let end = send(Plan::of(Kind::Rollbar), sizes).await;
    end.assert_exact();
    assert_edge(&end, limit, 64);
}

#[tokio::test(start_paused = true)]
async fn a_span_of_every_size_around_that_of_a_request_arrives_and_travels_alone_if_it_must() {
    let limit = 1024 * 1024;
    let plan = Plan::of(Kind::Otlp).limits(|limits: Limits| limits.bytes(limit));
    let end = send(plan, (limit - 300..limit + 300).step_by(100).chain([5 * limit])).await;
    end.assert_exact();
    assert!(end.calls.iter().all(|call| call.largest < limit || call.records == 1));
}

/// The largest that was sent is as large as may be, but for a few bytes.
#[track_caller]
fn assert_edge(end: &End, limit: usize, few: usize) {
    let largest = end.calls.iter().map(|call| call.largest).max().unwrap();
    println!("{:?}: the largest of all has {largest} bytes", end.kind);
    assert!((limit - few..=limit).contains(&largest), "{:?}: {largest}", end.kind);
}

const PROBE: usize = 10_000;
