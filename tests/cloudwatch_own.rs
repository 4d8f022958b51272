//! With a subscriber at TRACE and a backend that fails, nothing of what the shipping itself says is shipped. In a process of
//! its own, because only a subscriber for all threads hears the outbox's.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/log_sink.rs"]
mod log_sink;
mod support;

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use belvedere::{
    aws::{Client, Service},
    cloudwatch::{LogEvent, LogLane, Subscriber, subscriber},
    observe::ObserveLayer,
    otel::{OtelLayer, Otlp, SpanLane},
    outbox::{Limits, Outbox},
    rollbar::{self, ItemLane, RollbarLayer},
    xray::{self, Sampler, SegmentLane, XRayLayer},
};
use http::{Request, Response, StatusCode};
use log_sink::LogSink;
use opentelemetry::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use socket2::SockRef;
use support::{Server, client::raw2, shop};
use tokio::runtime::Runtime;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing::{Event, Level};
use tracing_subscriber::{
    layer::{self, Layer, SubscriberExt as _},
    registry::Registry,
};

/// Counts what is said, by target, and whether telemetry was suppressed.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<(String, bool), usize>>>);

impl Layer<layer::Layered<Vec<Subscriber>, Registry>> for Heard {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, layer::Layered<Vec<Subscriber>, Registry>>) {
        let target = event.metadata().target().split("::").next().unwrap_or_default().to_owned();
        let is_suppressed = Context::is_current_telemetry_suppressed();
        *self.0.lock().unwrap().entry((target, is_suppressed)).or_default() += 1;
    }
}

// ===== impl Heard =====

impl Heard {
    fn count(&self, target: &str, is_suppressed: bool) -> usize {
        self.0.lock().unwrap().get(&(target.to_owned(), is_suppressed)).copied().unwrap_or_default()
    }
}

/// Where nobody listens.
fn refusing() -> String {
    url(&TcpListener::bind("127.0.0.1:0").unwrap())
}

/// Where a request is never answered.
fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(&listener);
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    url
}

/// Where a connection is torn as soon as it is there.
fn resetting() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(&listener);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    url
}

fn url(listener: &TcpListener) -> String {
    format!("http://localhost:{}", listener.local_addr().unwrap().port())
}

/// The layers of all the other backends, which are at this URL.
fn others(outbox: &Outbox, url: &str) -> ObserveLayer<(OtelLayer, XRayLayer, RollbarLayer)> {
    let limits = || Limits::default().records(1).age(Duration::ZERO).in_flight(2);
    let otlp = Otlp::new(format!("{url}/v1/traces").parse().unwrap()).limits(limits());
    let spans = SpanLane::otlp(outbox, otlp).unwrap();
    let provider = SdkTracerProvider::builder().with_span_processor(spans).build();
    let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
    let client = Client::builder(Service::XRAY, "eu-west-1".parse().unwrap(), keys);
    let client = client.endpoint(url.parse().unwrap()).build().unwrap();
    let segments = SegmentLane::api(outbox, xray::Api::new(client).limits(limits()));
    let api = rollbar::Api::new("a-token".parse().unwrap()).endpoint(url.parse().unwrap());
    ObserveLayer::new((
        OtelLayer::new().tracer_provider(&provider),
        XRayLayer::on("shop", segments).sample(Sampler::all()),
        RollbarLayer::on(ItemLane::limited(outbox, api, None, None).unwrap()),
    ))
}

/// An exchange that fails.
async fn fail(layer: &ObserveLayer<(OtelLayer, XRayLayer, RollbarLayer)>) {
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Ok::<_, std::convert::Infallible>(response)
    }));
    drop(service.oneshot(Request::new(())).await.unwrap());
}

#[test]
fn nothing_of_the_shipping_is_shipped_and_all_of_the_applications_own_is() {
    const PUSHED: u64 = 30;
    let runtime = Runtime::new().unwrap();
    let (sink, judge) = (LogSink::start(), Outbox::builder().start().unwrap());
    let judged = LogLane::new(&judge, sink.api());
    let (mut outboxes, mut lanes, mut layers, mut other) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for url in [refusing(), hanging(), resetting()] {
        for builder in [Outbox::builder(), Outbox::builder().runtime(runtime.handle().clone())] {
            let outbox = builder.start().unwrap();
            let limits = Limits::default().records(5).age(Duration::from_millis(10)).in_flight(2);
            lanes.push(LogLane::new(&outbox, log_sink::api(&url).limits(limits)));
            outboxes.push(outbox);
        }
        for builder in [Outbox::builder(), Outbox::builder().runtime(runtime.handle().clone())] {
            let outbox = builder.start().unwrap();
            layers.push(others(&outbox, &url));
            other.push(outbox);
        }
    }
    let heard = Heard::default();
    let of = |lane: &LogLane| subscriber(lane).level(Level::TRACE);
    let subscribers: Vec<_> = lanes.iter().chain([&judged]).map(of).collect();
    let registry = Registry::default().with(subscribers).with(heard.clone());
    tracing::subscriber::set_global_default(registry).unwrap();

    for number in 0..PUSHED {
        let push = |lane: &LogLane| lane.push(LogEvent::new(SystemTime::now(), number.to_string()));
        lanes.iter().for_each(push);
        runtime.block_on(async {
            for layer in &layers {
                fail(layer).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        });
    }
    for outbox in &outboxes {
        let report = outbox.shutdown_blocking(Duration::from_millis(200));
        assert_eq!((report.lanes[0].accepted, report.lanes[0].delivered), (PUSHED, 0), "{report}");
    }
    for outbox in &other {
        let report = outbox.shutdown_blocking(Duration::from_millis(200));
        assert!(report.lanes.iter().all(|lane| (lane.accepted, lane.delivered) == (PUSHED, 0)), "{report}");
    }
    drop((outboxes, other));
    runtime.shutdown_timeout(Duration::from_secs(1));
    assert!(judge.flush_blocking(Duration::from_secs(5)));
    assert_eq!(sink.objects(), Vec::<serde_json::Value>::new(), "{:?}", heard.0);
    // There would have been enough.
    assert!(heard.count("hyper_util", true) > 100, "{:?}", heard.0);
    assert!(heard.count("belvedere", true) > 0, "{:?}", heard.0);

    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let server = Server::axum(shop::router()).await;
        raw2(server.address, "GET", "/ok").await;
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    assert!(judge.flush_blocking(Duration::from_secs(5)));
    let is_h2 = |object: &serde_json::Value| object["target"].as_str().unwrap().starts_with("h2::");
    let shipped = sink.objects();
    assert!(shipped.iter().filter(|object| is_h2(object)).count() > 10, "{shipped:#?}");
    let report = judge.shutdown_blocking(Duration::from_secs(5));
    assert_eq!((report.lost(), report.lanes[0].accepted), (0, shipped.len() as u64), "{report}");
}
