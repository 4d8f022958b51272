//! The application's own events on their way to CloudWatch Logs: in handlers on axum, in tasks and threads, outside of
//! requests, at the end. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/log_sink.rs"]
mod log_sink;
mod support;

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use belvedere::{
    cloudwatch::{CloudWatchLayer, LogLane, Subscriber, subscriber},
    otel::OtelLayer,
    outbox::{Limits, Outbox},
    trace::InScope as _,
};
use log_sink::LogSink;
use opentelemetry::{
    Context,
    trace::{TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use support::{Server, client::raw1};
use tracing::{Dispatch, Instrument as _, Level, dispatcher, level_filters::LevelFilter};
use tracing_subscriber::{filter::filter_fn, layer::SubscriberExt as _, registry::Registry};

/// What stands in for CloudWatch, and a lane to it.
struct Watch {
    sink: LogSink,
    outbox: Outbox,
    lane: LogLane,
}

// ===== impl Watch =====

impl Watch {
    fn open() -> Self {
        let (sink, outbox) = (LogSink::start(), Outbox::builder().start().unwrap());
        let lane = LogLane::new(&outbox, sink.api());
        Self { sink, outbox, lane }
    }

    fn layer(&self) -> CloudWatchLayer {
        CloudWatchLayer::on(self.lane.clone())
    }

    fn subscriber(&self) -> Subscriber {
        subscriber(&self.lane)
    }

    /// Runs `work` on a runtime each of whose threads has this subscriber and no other.
    fn run(&self, work: impl Future<Output = ()>) {
        run(&Dispatch::new(Registry::default().with(self.subscriber())), work);
    }

    /// All events, without loss.
    fn close(self) -> Vec<Value> {
        let report = self.outbox.shutdown_blocking(Duration::from_secs(10));
        assert_eq!((report.lost(), report.lanes[0].waiting), (0, 0), "{report}");
        let objects = self.sink.objects();
        assert_eq!(objects.len() as u64, report.lanes[0].accepted);
        objects
    }
}

fn run(dispatch: &Dispatch, work: impl Future<Output = ()>) {
    let of_threads = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || std::mem::forget(dispatcher::set_default(&of_threads)))
        .build()
        .unwrap();
    dispatcher::with_default(dispatch, || runtime.block_on(work));
}

/// Handlers that log, each in its way.
fn router() -> Router {
    Router::new()
        .route("/carts/{id}", get(in_a_span))
        .route("/spawned", get(spawned))
        .route("/blocking", get(blocking))
        .route("/begun", get(begun))
}

async fn in_a_span() -> &'static str {
    async { tracing::info!(items = 3, "in the handler") }
        .instrument(tracing::info_span!("checkout", cart = 7))
        .await;
    "a cart"
}

async fn spawned() -> StatusCode {
    tokio::spawn(async { tracing::info!("in scope") }.in_scope()).await.unwrap();
    tokio::spawn(async { tracing::info!("out of scope") }).await.unwrap();
    StatusCode::OK
}

async fn blocking() -> StatusCode {
    tokio::task::spawn_blocking((|| tracing::info!("in scope")).in_scope()).await.unwrap();
    tokio::task::spawn_blocking(|| tracing::info!("out of scope")).await.unwrap();
    StatusCode::OK
}

/// Begins a span of OpenTelemetry by hand.
async fn begun() -> String {
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let context = Context::current_with_span(tracer.start("inner"));
    let span_id = context.span().span_context().span_id();
    let _guard = context.attach();
    tracing::info!("in a span");
    span_id.to_string()
}

/// The trace's two spellings and the span.
fn ids(object: &Value) -> [&str; 3] {
    ["trace_id", "span_id", "xray_trace_id"].map(|name| object[name].as_str().unwrap_or_default())
}

/// The event that says this.
#[track_caller]
fn saying<'a>(objects: &'a [Value], message: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| object["message"] == message)
        .unwrap_or_else(|| panic!("{message}: {objects:#?}"))
}

/// The access record of a path.
#[track_caller]
fn access<'a>(objects: &'a [Value], path: &str) -> &'a Value {
    objects.iter().find(|object| object["path"] == path).unwrap_or_else(|| panic!("{path}: {objects:#?}"))
}

#[test]
fn an_event_of_a_handler_has_the_ids_of_its_access_record() {
    let watch = Watch::open();
    watch.run(async {
        let server = Server::axum(router().layer(watch.layer())).await;
        raw1(server.address, "GET", "/carts/7").await;
    });
    let objects = watch.close();
    let event = saying(&objects, "in the handler");
    assert_eq!(ids(event), ids(access(&objects, "/carts/7")));
    assert_eq!(event["trace_id"].as_str().unwrap().len(), 32);
    assert_eq!(event["fields"], serde_json::json!({ "items": 3 }));
    assert_eq!(event["span"], serde_json::json!({ "name": "checkout", "cart": 7 }));
    assert_eq!(event["target"], "cloudwatch_subscriber");
}

#[test]
fn tasks_and_threads_have_the_ids_where_they_are_in_scope() {
    for path in ["/spawned", "/blocking"] {
        let watch = Watch::open();
        watch.run(async {
            let server = Server::axum(router().layer(watch.layer())).await;
            raw1(server.address, "GET", path).await;
        });
        let objects = watch.close();
        assert_eq!(ids(saying(&objects, "in scope")), ids(access(&objects, path)), "{path}");
        assert_eq!(ids(saying(&objects, "out of scope")), [""; 3], "{path}");
    }
}

#[test]
fn with_spans_of_opentelemetry_the_ids_are_those_of_the_active_one() {
    let watch = Watch::open();
    let provider = SdkTracerProvider::builder().with_id_generator(belvedere::otel::Ids).build();
    watch.run(async {
        let otel = OtelLayer::new().tracer_provider(&provider);
        let server = Server::axum(router().layer(watch.layer()).layer(otel)).await;
        raw1(server.address, "GET", "/carts/7").await;
        raw1(server.address, "GET", "/begun").await;
    });
    let objects = watch.close();
    assert_eq!(ids(saying(&objects, "in the handler")), ids(access(&objects, "/carts/7")));
    let [(event, record)] = [(saying(&objects, "in a span"), access(&objects, "/begun"))];
    assert_eq!(
        (&event["trace_id"], &event["xray_trace_id"]),
        (&record["trace_id"], &record["xray_trace_id"])
    );
    assert_ne!(event["span_id"], record["span_id"]);
}

#[test]
fn what_was_active_before_the_exchange_is_not_taken_for_its_span() {
    let watch = Watch::open();
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    watch.run(async {
        let context = Context::current_with_span(tracer.start("outer"));
        let service =
            tower::ServiceBuilder::new().layer(watch.layer()).service_fn(|_: http::Request<()>| async {
                tracing::info!("inside");
                Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
            });
        let call = {
            let _guard = context.clone().attach();
            tower::ServiceExt::oneshot(service, http::Request::get("/in").body(()).unwrap()).in_scope()
        };
        drop(call.await.unwrap());
    });
    let objects = watch.close();
    assert_eq!(ids(saying(&objects, "inside")), ids(access(&objects, "/in")));
}

#[test]
fn outside_of_requests_an_event_has_no_ids() {
    let watch = Watch::open();
    watch.run(async { tracing::warn!("on our own") });
    let objects = watch.close();
    let (event, at) = (saying(&objects, "on our own"), &objects[0]["timestamp"]);
    assert!(event.get("trace_id").is_none() && event.get("fields").is_none() && event.get("span").is_none());
    assert!(at.as_str().unwrap().starts_with("20"), "{at}");
}

#[test]
fn each_threads_events_keep_their_order_and_none_is_lost() {
    const THREADS: usize = 64;
    const EACH: usize = 100;
    let watch = Watch::open();
    let dispatch = Dispatch::new(Registry::default().with(watch.subscriber()));
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (dispatch, barrier) = (dispatch.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                dispatcher::with_default(&dispatch, || {
                    let _span = tracing::info_span!("work", thread).entered();
                    (0..EACH).for_each(|number| tracing::info!(number, "one of many"));
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let objects = watch.close();
    for thread in 0..THREADS {
        let of = |object: &&Value| object["span"]["thread"] == thread;
        let numbers: Vec<_> =
            objects.iter().filter(of).map(|object| object["fields"]["number"].as_u64()).collect();
        let expected: Vec<_> = (0..EACH as u64).map(Some).collect();
        assert_eq!(numbers, expected, "thread {thread}");
    }
}

#[test]
fn the_level_decides_for_this_layer_alone() {
    let (watch, all) = (Watch::open(), Watch::open());
    let subscriber = Registry::default()
        .with(watch.subscriber().level(Level::WARN))
        .with(all.subscriber().level(Level::TRACE));
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::debug_span!("detail", depth = 1).entered();
        tracing::trace!("small talk");
        tracing::error!("trouble");
    });
    let (some, all) = (watch.close(), all.close());
    assert_eq!((some.len(), all.len()), (1, 2));
    assert_eq!((some[0].get("span"), &all[1]["span"]["depth"]), (None, &Value::from(1)));
}

#[test]
fn filters_of_tracing_subscriber_decide_more_finely() {
    let (watch, all) = (Watch::open(), Watch::open());
    let shop = filter_fn(|metadata| metadata.target() == "shop");
    let some = tracing_subscriber::Layer::with_filter(watch.subscriber(), shop);
    let warn = tracing_subscriber::Layer::with_filter(all.subscriber(), LevelFilter::INFO);
    tracing::subscriber::with_default(Registry::default().with(some).with(warn), || {
        let _span = tracing::info_span!("not of the shop", depth = 1).entered();
        tracing::info!(target: "shop", "open");
        tracing::info!(target: "bank", "closed");
    });
    let (some, all) = (watch.close(), all.close());
    assert_eq!((some.len(), all.len()), (1, 2));
    assert_eq!((some[0].get("span"), &all[0]["span"]["depth"]), (None, &Value::from(1)));
}

#[test]
fn a_stream_of_its_own_is_its_own() {
    let watch = Watch::open();
    let subscriber = watch.subscriber().stream("events").unwrap();
    assert!(watch.subscriber().stream("no:name").is_err());
    tracing::subscriber::with_default(Registry::default().with(subscriber), || tracing::info!("here"));
    let sink = watch.sink.clone();
    watch.close();
    assert_eq!(sink.events()[0].0, "events");
}

#[test]
fn both_destinations_have_every_event() {
    let watch = Watch::open();
    let lane = watch.lane.clone().and(LogLane::stdout(&watch.outbox));
    let registry = Registry::default().with(subscriber(&lane).level(Level::ERROR));
    tracing::subscriber::with_default(registry, || {
        (0..3).for_each(|number| tracing::error!(number, "twice"))
    });
    let report = watch.outbox.shutdown_blocking(Duration::from_secs(10));
    assert_eq!(report.lanes.iter().map(|lane| lane.delivered).collect::<Vec<_>>(), [3, 3], "{report}");
    assert_eq!(watch.sink.objects().len(), 3);
}

#[test]
fn what_is_logged_at_the_end_is_counted() {
    let watch = Watch::open();
    let registry = Registry::default().with(watch.subscriber());
    let report = tracing::subscriber::with_default(registry, || {
        tracing::info!("the last one");
        let _ = watch.outbox.shutdown_blocking(Duration::from_secs(10));
        tracing::info!("one too many");
        watch.outbox.report()
    });
    assert_eq!((report.lanes[0].delivered, report.lanes[0].lost["closed"]), (1, 1), "{report}");
    assert_eq!(watch.sink.objects()[0]["message"], "the last one");
}

#[test]
fn an_event_takes_two_allocations_however_many_fields_and_spans_it_has() {
    let outbox = Outbox::builder().start().unwrap();
    let never = Limits::default()
        .records(usize::MAX)
        .bytes(usize::MAX)
        .age(Duration::from_secs(3600))
        .queue_records(100);
    let lane = LogLane::new(&outbox, log_sink::api("http://192.0.2.1/").limits(never));
    tracing::subscriber::with_default(Registry::default().with(subscriber(&lane)), || {
        let _outer = tracing::info_span!("request", method = "GET", path = "/carts/7").entered();
        let _inner = tracing::info_span!("checkout", cart = 7).entered();
        let log = || tracing::info!(items = 3, user = "worf", total = 12.5, is_gift = ?Some(true), "paid {}", "all");
        // The queue is full: from then on it does not grow.
        (0..300).for_each(|_| log());
        let (usual, most) = counts(log);
        assert_eq!(usual, 2);
        assert!(most <= 3, "{most}");
        let silent = allocation_counter::measure(|| tracing::debug!(items = 3, user = "worf", "not shipped"));
        assert_eq!(silent.count_total, 0);
    });
    drop(outbox.shutdown_blocking(Duration::ZERO));
}

/// How many allocations it takes most times, and nine times of ten: now and then what waits needs room, or what gave way is
/// listed to be freed.
fn counts(log: impl Fn()) -> (u64, u64) {
    let mut counts: Vec<_> = (0..99).map(|_| allocation_counter::measure(&log).count_total).collect();
    counts.sort_unstable();
    (counts[counts.len() / 2], counts[counts.len() * 9 / 10])
}

#[test]
fn nothing_is_shipped_while_telemetry_is_suppressed() {
    let watch = Watch::open();
    watch.run(async {
        let suppressed = Context::enter_telemetry_suppressed_scope();
        tracing::error!("nobody hears it");
        drop(suppressed);
        tracing::error!(target: "belvedere", "its own");
        tracing::error!(target: "belvedere::outbox", "its own");
        tracing::event!(target: "log", Level::ERROR, log.target = "belvedere::outbox", "its own");
        tracing::error!(target: "belvedere_shop", "of somebody else");
    });
    let objects = watch.close();
    assert_eq!(objects.iter().map(|object| &object["message"]).collect::<Vec<_>>(), ["of somebody else"]);
}
