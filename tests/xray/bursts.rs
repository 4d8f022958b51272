//! Much at once, from requests to a daemon: what arrives, how long it takes, and what is left when there is no time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use belvedere::{
    outbox::Outbox,
    xray::{self, Document, Sampler, SegmentLane, XRayLayer},
};
use http::Request;
use serde_json::Value;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower::ServiceExt as _;

use super::{daemon::Daemon, inputs::places};

/// A service on paused time, and the smallest daemon.
struct House {
    router: Router,
    daemon: Daemon,
    outbox: Outbox,
    /// The ids of all segments and subsegments, and of what they are parts of.
    made: Made,
}

type Made = Arc<Mutex<BTreeMap<u64, Option<u64>>>>;

// ===== impl House =====

impl House {
    async fn open() -> Self {
        let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
        let daemon = Daemon::small().await;
        let way = xray::Daemon::new(daemon.address.to_string().parse().unwrap());
        let layer = XRayLayer::on("tea-house", SegmentLane::daemon(&outbox, way)).sample(Sampler::all());
        let made = Made::default();
        let (tea, tray, tower) = (made.clone(), made.clone(), made.clone());
        let router = Router::new()
            .route(
                "/tea",
                get(async move || {
                    note(&tea, None);
                }),
            )
            .route("/tray", get(async move || tray_of(70, &tray)))
            .route("/tower", get(async move || tower_of(40, &tower)))
            .route("/long", get(async || xray::annotate("long", "ü".repeat(200_000))))
            .layer(layer);
        Self { router, daemon, outbox, made }
    }

    async fn serve(&self, path: &str) {
        let request = Request::get(path).header("user-agent", "kettle/2.1").header("host", "tea.example.org");
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    }

    /// Each id that the daemon got, and what it is a part of.
    fn arrived(&self) -> BTreeMap<u64, Option<u64>> {
        let mut arrived = BTreeMap::new();
        for json in self.daemon.documents() {
            for (id, parent) in places(&serde_json::from_str::<Document>(&json).unwrap()) {
                assert_eq!(arrived.insert(id, parent), None, "{id} came twice");
            }
        }
        arrived
    }

    fn made(&self) -> BTreeMap<u64, Option<u64>> {
        self.made.lock().unwrap().clone()
    }
}

/// Notes what is current here, as a part of something.
fn note(made: &Made, parent: Option<u64>) -> u64 {
    let id = xray::current().id().unwrap().to_u64();
    made.lock().unwrap().insert(id, parent);
    id
}

/// Steps beside each other, of about a thousand bytes.
fn tray_of(cups: usize, made: &Made) {
    let segment = note(made, None);
    for cup in 0..cups {
        let step = xray::subsegment(format!("cup {cup}"));
        step.metadata("default", "leaves", "x".repeat(1_000));
        note(made, Some(segment));
    }
}

/// Steps in each other, of about two thousand bytes.
fn tower_of(cups: usize, made: &Made) {
    let mut parent = note(made, None);
    let steps = (0..cups).map(|cup| {
        let step = xray::subsegment(format!("cup {cup}"));
        step.metadata("default", "leaves", "x".repeat(2_000));
        parent = note(made, Some(parent));
        step
    });
    let mut steps: Vec<_> = steps.collect();
    while steps.pop().is_some() {}
}

#[tokio::test(start_paused = true)]
pub(crate) async fn two_thousand_segments_at_once_all_arrive_at_the_smallest_daemon() {
    let (house, start) = (House::open().await, Instant::now());
    for _ in 0..2_000 {
        house.serve("/tea").await;
    }
    assert!(house.outbox.flush(Duration::from_secs(600)).await);
    let took = start.elapsed();
    sleep(Duration::from_secs(5)).await;

    assert_eq!((house.daemon.dropped(), house.daemon.spilled()), (0, 0));
    assert_eq!(house.made().len(), 2_000);
    let arrived = house.arrived();
    assert_eq!(arrived, house.made());
    assert!((54..56).contains(&took.as_secs()), "{took:?}");
    let report = house.outbox.shutdown(Duration::ZERO).await;
    assert_eq!((report.lanes[0].delivered, report.lost()), (2_000, 0), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_a_shutdown_is_counted_and_what_was_delivered_is_there() {
    let house = House::open().await;
    for _ in 0..2_000 {
        house.serve("/tea").await;
    }
    let start = Instant::now();
    let report = house.outbox.shutdown(Duration::from_secs(5)).await;
    assert!(start.elapsed() < Duration::from_secs(6));
    sleep(Duration::from_secs(2)).await;

    let lane = &report.lanes[0];
    assert_eq!((lane.accepted, lane.waiting), (2_000, 0), "{report}");
    assert_eq!(lane.delivered + lane.lost["shutdown"], 2_000, "{report}");
    let arrived = house.daemon.documents().len() as u64;
    // What was on its way when the time was over may have arrived, and counts as lost.
    assert!((lane.delivered..=lane.delivered + 50).contains(&arrived), "{arrived} {report}");
    assert!(arrived >= 200, "{arrived}");
    assert_eq!(house.daemon.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn seventy_thousand_bytes_of_steps_arrive_in_several_datagrams_and_hang_where_they_hung() {
    for path in ["/tray", "/tower"] {
        let house = House::open().await;
        house.serve(path).await;
        assert!(house.outbox.flush(Duration::from_secs(60)).await);
        sleep(Duration::from_secs(2)).await;

        let datagrams = house.daemon.datagrams();
        assert!((2..=20).contains(&datagrams.len()), "{path}: {}", datagrams.len());
        assert!(datagrams.iter().map(Vec::len).sum::<usize>() > 70_000);
        assert_eq!(house.arrived(), house.made(), "{path}");
        assert!(house.daemon.documents().iter().all(|json| !json.contains(r#""belvedere":{"#)), "{path}");
        assert_eq!(house.outbox.shutdown(Duration::ZERO).await.lost(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_annotation_of_two_hundred_thousand_characters_is_cut_on_its_way_and_counted() {
    let house = House::open().await;
    house.serve("/long").await;
    assert!(house.outbox.flush(Duration::from_secs(60)).await);
    sleep(Duration::from_secs(2)).await;
    let documents = house.daemon.documents();
    assert_eq!(documents.len(), 1);
    let segment: Value = serde_json::from_str(&documents[0]).unwrap();
    assert_eq!(segment["annotations"]["long"], "ü".repeat(1_000));
    assert_eq!(segment["metadata"]["belvedere"]["shortened"], 1);
}
