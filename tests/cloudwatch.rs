//! Exchanges, each of which is one access record in CloudWatch Logs: on axum, hyper and tonic. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
mod support;

use std::{
    convert::Infallible,
    io::{self, Read as _},
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws::{Endpoint, Received, answer};
use axum::{Router, body::Body, http::StatusCode, response::IntoResponse as _, routing::get};
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{Api, CloudWatchLayer, Format, LogEvent, LogLane},
    exchange::{AddressPolicy, Annotations, HandlerError, Peer},
    observe::ObserveLayer,
    otel::Ratio,
    outbox::{Outbox, Report},
    scrub::Scrubber,
    trace::{Propagation, Propagator, SpanId, TraceId, TrustIncoming},
};
use flate2::read::GzDecoder;
use futures_util::StreamExt as _;
use http::{HeaderValue, Request, Response};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample as _};
use serde_json::{Value, json};
use support::{
    Script, Server,
    client::{connect2, leave1, raw1, read, request2},
    greeter::GreeterClient,
    shop,
};
use tonic::transport::Channel;
use tower::{Layer, ServiceExt as _, service_fn};
use tracing::Level;

/// What stands in for CloudWatch, and a layer whose records it gets.
struct Watch {
    logs: Endpoint,
    outbox: Outbox,
    layer: CloudWatchLayer,
}

// ===== impl Watch =====

impl Watch {
    async fn open() -> Self {
        let logs = Endpoint::start(|_| answer(200, "{}")).await;
        let outbox = Outbox::builder().start().unwrap();
        let layer = CloudWatchLayer::on(LogLane::new(&outbox, api(&logs)));
        Self { logs, outbox, layer }
    }

    fn set(mut self, set: impl FnOnce(CloudWatchLayer) -> CloudWatchLayer) -> Self {
        self.layer = set(self.layer);
        self
    }

    /// All messages, in the order of their times.
    async fn close(self) -> Vec<String> {
        let Report { lanes, .. } = self.outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(lanes.iter().map(|lane| lane.lost()).sum::<u64>(), 0, "{lanes:?}");
        messages(&self.logs)
    }

    /// The one record, as JSON.
    async fn record(self) -> Value {
        let messages = self.close().await;
        assert_eq!(messages.len(), 1, "{messages:#?}");
        serde_json::from_str(&messages[0]).unwrap()
    }

    /// The record of one request to this path, made by hand, at axum's server.
    async fn at(self, path: &str) -> Value {
        self.ask(path).await.record().await
    }

    async fn ask(self, path: &str) -> Self {
        let server = Server::axum(router().layer(self.layer.clone())).await;
        drop(raw1(server.address, "GET", path).await);
        drop(server);
        self
    }

    /// The record of a request that is asked without a socket.
    async fn of(self, request: Request<()>) -> Value {
        self.serve(request).await;
        self.record().await
    }

    async fn serve(&self, request: Request<()>) {
        let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
        drop(self.layer.layer(service).oneshot(request).await.unwrap());
    }
}

fn api(logs: &Endpoint) -> Api {
    let variable = |name: &str| match name {
        "AWS_REGION" => Some("eu-central-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("a-key".to_owned()),
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS" => Some(logs.url()),
        _ => None,
    };
    Api::new(Client::lookup(Service::LOGS, variable).unwrap(), "/shop/checkout".parse().unwrap())
}

fn messages(logs: &Endpoint) -> Vec<String> {
    let mut events: Vec<(i64, String)> = logs.received().iter().flat_map(events).collect();
    events.sort_by_key(|(timestamp, _)| *timestamp);
    events.into_iter().map(|(_, message)| message).collect()
}

fn events(received: &Received) -> Vec<(i64, String)> {
    assert_eq!(received.header("x-amz-target"), "Logs_20140328.PutLogEvents");
    let put = body(received);
    assert_eq!(put["logGroupName"], "/shop/checkout");
    let event =
        |event: &Value| (event["timestamp"].as_i64().unwrap(), event["message"].as_str().unwrap().to_owned());
    put["logEvents"].as_array().unwrap().iter().map(event).collect()
}

fn body(received: &Received) -> Value {
    if received.headers.get("content-encoding").is_none() {
        return serde_json::from_slice(&received.body).unwrap();
    }
    let mut text = String::new();
    GzDecoder::new(&*received.body).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Handlers beside those of the shop.
fn router() -> Router {
    Router::new()
        .route("/carts/{id}", get(cart))
        .route("/teapots/{id}", get(teapot))
        .route("/keys/{token}", get(async || "a key"))
        .merge(shop::router())
}

async fn cart() -> Response<Body> {
    Annotations::current().insert("user_id", 17);
    Annotations::current().insert("ship", "defiant");
    Annotations::current().insert("api_key", "canary");
    Annotations::current().insert("speed", 9.5);
    Annotations::current().insert("cloaked", true);
    failed(StatusCode::SERVICE_UNAVAILABLE)
}

async fn teapot() -> Response<Body> {
    failed(StatusCode::IM_A_TEAPOT)
}

fn failed(status: StatusCode) -> Response<Body> {
    let mut response = status.into_response();
    response.extensions_mut().insert(HandlerError::new(io::Error::other("no cart, password=canary")));
    response
}

/// What a record says in short: level, outcome, status, and what went wrong.
fn said(record: &Value) -> String {
    let text = |key: &str| match &record[key] {
        Value::String(text) => format!(" {text}"),
        Value::Null => String::new(),
        other => format!(" {other}"),
    };
    let all = ["level", "outcome", "status", "grpc_status", "error"].map(text).concat();
    all.trim().to_owned()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

// ===== each exchange once =====

#[tokio::test]
async fn on_axum_each_exchange_is_one_record_that_says_how_it_ended() {
    for (path, expected) in [
        ("/ok", "INFO complete 200"),
        ("/nothing", "INFO complete 204"),
        ("/missing", "WARN complete 404"),
        ("/broken", "ERROR complete 500"),
        ("/checked", "INFO complete 200"),
        ("/stream", "INFO complete 200"),
        ("/panic", "ERROR panicked the till is on fire"),
        ("/panic-in-the-body", "ERROR panicked 200 the till is on fire"),
        ("/torn", "ERROR failed 200 the disk is gone"),
        ("/carts/17", "ERROR complete 503 no cart, password=REDACTED"),
        ("/teapots/1", "WARN complete 418 no cart, password=REDACTED"),
    ] {
        assert_eq!(said(&Watch::open().await.at(path).await), expected, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_left_is_canceled() {
    for (path, expected) in [("/slow", "WARN canceled"), ("/endless", "WARN canceled 200")] {
        let watch = Watch::open().await;
        let server = Server::axum(router().layer(watch.layer.clone())).await;
        leave1(server.address, "GET", path, Duration::from_millis(100)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(said(&watch.record().await), expected, "{path}");
    }
}

#[tokio::test]
async fn on_hyper_each_exchange_is_one_record() {
    for (path, expected) in [
        ("/ok", "INFO complete 200"),
        ("/broken", "ERROR complete 500"),
        ("/refused", "ERROR failed the disk is gone"),
        ("/torn", "ERROR failed 200 the disk is gone"),
        ("/panic-in-the-body", "ERROR panicked 200 the till is on fire"),
    ] {
        for version in [1, 2] {
            let watch = Watch::open().await;
            let service = service_fn(|request: Request<hyper::body::Incoming>| async {
                if request.uri().path() == "/refused" {
                    return Err(io::Error::other("the disk is gone"));
                }
                let Ok(response) = shop::shop(request).await;
                Ok(response)
            });
            let service = watch.layer.layer(service);
            if version == 1 {
                let server = Server::hyper1(service).await;
                drop(raw1(server.address, "GET", path).await);
            } else {
                let server = Server::hyper2(service).await;
                let mut client = connect2(server.address).await;
                if let Ok(response) = client.send_request(request2(server.address, "GET", path)).await {
                    drop(read(response).await);
                }
            }
            assert_eq!(said(&watch.record().await), expected, "{path} {version}");
        }
    }
}

#[tokio::test]
async fn on_tonic_the_code_decides_wherever_it_is_said() {
    for (name, is_stream, expected) in [
        ("Worf", false, "INFO complete 200 OK"),
        ("Worf", true, "INFO complete 200 OK"),
        ("nobody", false, "WARN complete 200 NOT_FOUND nobody of that name"),
        ("nobody", true, "WARN complete 200 NOT_FOUND nobody of that name"),
        ("broken", false, "ERROR complete 200 INTERNAL the greeter is ill"),
        ("torn", true, "ERROR complete 200 INTERNAL the greeter fell ill"),
        ("panic", true, "ERROR panicked 200 the till is on fire"),
    ] {
        let watch = Watch::open().await;
        let server = Server::tonic(watch.layer.clone()).await;
        let channel = Channel::from_shared(format!("http://{}", server.address)).unwrap();
        let mut client = GreeterClient::new(channel.connect().await.unwrap(), server.address);
        if is_stream {
            if let Ok(stream) = client.hellos(name).await {
                stream.collect::<Vec<_>>().await;
            }
        } else {
            drop(client.hello(name).await);
        }
        let record = watch.record().await;
        assert_eq!(said(&record), expected, "{name} {is_stream}");
        assert_eq!(record["method"], "POST");
    }
}

#[tokio::test]
async fn two_layers_are_one_record_and_the_inner_one_knows_the_route() {
    let watch = Watch::open().await;
    let inner = Router::new().route("/carts/{id}", get(cart).layer(watch.layer.clone()));
    let service = watch.layer.layer(inner);
    let request = Request::get("/carts/17").body(Body::empty()).unwrap();
    drop(service.oneshot(request).await.unwrap());
    let record = watch.record().await;
    assert_eq!((&record["route"], &record["path"]), (&json!("/carts/{id}"), &json!("/carts/17")));
}

// ===== what is in it =====

#[tokio::test]
async fn a_record_has_all_that_is_known_of_the_exchange() {
    let before = now();
    let watch = Watch::open().await;
    let logs = watch.logs.clone();
    let mut record = watch.at("/carts/17?token=canary&page=2").await;
    let trace_id: TraceId = record["trace_id"].take().as_str().unwrap().parse().unwrap();
    let _: SpanId = record["span_id"].take().as_str().unwrap().parse().unwrap();
    assert_eq!(record["xray_trace_id"].take(), trace_id.amzn().to_string());
    assert!(record["duration_ms"].take().as_f64().unwrap() > 0.0);
    let timestamp = record["timestamp"].take();
    let (at, _) = events(&logs.received()[0])[0];
    let at = Duration::from_millis(at.unsigned_abs()).as_secs_f64();
    assert!((before - 0.001..=now()).contains(&at), "{at}");
    let seconds = time::OffsetDateTime::parse(
        timestamp.as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    assert!((seconds.unwrap().unix_timestamp_nanos() as f64 / 1e9 - at).abs() < 0.001);
    let expected = json!({
        "timestamp": null, "level": "ERROR", "outcome": "complete", "method": "GET", "scheme": "http",
        "host": "shop.example", "route": "/carts/{id}", "path": "/carts/17", "status": 503, "duration_ms": null,
        "bytes": 0, "error": "no cart, password=REDACTED",
        "annotations": {
            "user_id": 17, "ship": "defiant", "api_key": "REDACTED", "speed": 9.5, "cloaked": true,
        },
        "trace_id": null, "span_id": null, "xray_trace_id": null,
    });
    assert_eq!(record, expected);
}

#[tokio::test]
async fn a_secret_that_the_route_names_is_none_in_the_path() {
    assert_eq!(Watch::open().await.at("/keys/canary").await["path"], "/keys/REDACTED");
}

#[tokio::test]
async fn the_query_is_logged_where_somebody_says_so_without_secrets() {
    let path = "/ok?page=2&api_key=canary&page=3";
    assert_eq!(Watch::open().await.at(path).await.get("query"), None);
    let record = Watch::open().await.set(|layer| layer.query(true)).at(path).await;
    assert_eq!(record["query"], "page=2&api_key=REDACTED&page=3");
    let scrubber = Scrubber::default().queries(["page"]);
    let record = Watch::open().await.set(|layer| layer.query(true).scrubber(scrubber)).at(path).await;
    assert_eq!(record["query"], "page=REDACTED&api_key=REDACTED&page=REDACTED");
}

#[tokio::test]
async fn the_client_is_who_the_policy_and_the_proxies_let_it_be() {
    let asked = || {
        let mut request = Request::get("https://shop.example:8443/ok").body(()).unwrap();
        request.extensions_mut().insert(Peer(SocketAddr::from(([192, 0, 2, 17], 4711))));
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("203.0.113.42"));
        request.headers_mut().insert("user-agent", HeaderValue::from_static("worf/1.0"));
        request
    };
    let record = Watch::open().await.of(asked()).await;
    assert_eq!(record["client"], "192.0.2.17");
    assert_eq!((&record["scheme"], &record["host"]), (&json!("https"), &json!("shop.example:8443")));
    let record = Watch::open().await.set(|layer| layer.trusted_hops(1)).of(asked()).await;
    assert_eq!(record["client"], "203.0.113.42");
    let anonymized = |layer: CloudWatchLayer| layer.addresses(AddressPolicy::Anonymized);
    assert_eq!(Watch::open().await.set(anonymized).of(asked()).await["client"], "192.0.2.0");
    let none = |layer: CloudWatchLayer| layer.addresses(AddressPolicy::None);
    assert_eq!(Watch::open().await.set(none).of(asked()).await.get("client"), None);
    let told = |layer: CloudWatchLayer| layer.peer(|_| Some(SocketAddr::from(([198, 51, 100, 1], 1))));
    assert_eq!(Watch::open().await.set(told).of(asked()).await["client"], "198.51.100.1");
}

#[tokio::test]
async fn a_trace_goes_on_and_a_stranger_starts_none_where_nobody_trusts_him() {
    let asked = || {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        Request::get("/ok").header("traceparent", parent).body(()).unwrap()
    };
    let record = Watch::open().await.of(asked()).await;
    assert_eq!(record["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(record["xray_trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
    assert_ne!(record["span_id"], "00f067aa0ba902b7");
    let headers = || Propagation::new([Propagator::TraceContext]);
    for distrusts in [
        |layer: CloudWatchLayer, headers| layer.trust(TrustIncoming::None).propagation(headers),
        |layer: CloudWatchLayer, headers| layer.propagation(headers).trust(TrustIncoming::None),
    ] {
        let record = Watch::open().await.set(|layer| distrusts(layer, headers())).of(asked()).await;
        assert_ne!(record["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}

#[tokio::test]
async fn what_a_stranger_sends_is_bounded_and_breaks_no_line() {
    let long = "A".repeat(100_000);
    let mut request = Request::get("/ok").body(()).unwrap();
    *request.method_mut() = http::Method::from_bytes("M".repeat(5_000).as_bytes()).unwrap();
    request.headers_mut().insert("user-agent", long.parse().unwrap());
    request.headers_mut().insert("host", HeaderValue::from_bytes(b"a\xffb").unwrap());
    let record = Watch::open().await.of(request).await;
    assert_eq!(record["method"].as_str().unwrap().len(), 32);
    assert_eq!(record["user_agent"].as_str().unwrap().len(), 4096);
    assert_eq!(record.get("host"), None);
    let named = Request::get("/ok").header("host", "h".repeat(100_000)).body(()).unwrap();
    assert_eq!(Watch::open().await.of(named).await["host"].as_str().unwrap().len(), 260);

    let forged = |layer: CloudWatchLayer| layer.format(Format::of(|_| "a\r\nb\u{1b}[31m".to_owned()));
    let watch = Watch::open().await.set(forged).ask("/ok").await;
    assert_eq!(watch.close().await, ["a\\r\\nb\\u001b[31m"]);
}

#[tokio::test]
async fn what_is_marked_as_sensitive_is_not_logged() {
    let mut agent = HeaderValue::from_static("canary");
    agent.set_sensitive(true);
    let mut request = Request::get("/ok").body(()).unwrap();
    request.headers_mut().insert("user-agent", agent.clone());
    request.headers_mut().insert("host", agent);
    let record = Watch::open().await.of(request).await;
    assert_eq!((record.get("user_agent"), record.get("host")), (None, None));
}

// ===== how it is written =====

#[tokio::test]
async fn as_a_text_it_is_the_courses_line() {
    for (query, path, end) in [
        (false, "/carts/17?page=2", "GET http /carts/17? 503 Service Unavailable"),
        (true, "/ok?page=2&api_key=canary", "GET http /ok?page=2&api_key=REDACTED 200 OK"),
    ] {
        let text = |layer: CloudWatchLayer| layer.format(Format::text()).query(query);
        let line = Watch::open().await.set(text).ask(path).await.close().await.remove(0);
        let (time, rest) = line.split_once("] ").unwrap();
        let format = time::macros::format_description!("[[[year]-[month repr:short]-[day] [hour]:[minute]");
        assert!(time::PrimitiveDateTime::parse(time, &format).is_ok(), "{time}");
        assert_eq!(rest, format!("- {end}"));
    }
    let mut asked = Request::get("/api/activities/home").body(()).unwrap();
    asked.extensions_mut().insert(Peer(SocketAddr::from(([127, 0, 0, 1], 4711))));
    let watch = Watch::open().await.set(|layer| layer.format(Format::text()));
    watch.serve(asked).await;
    let line = watch.close().await.remove(0);
    assert_eq!(line.split_once("] ").unwrap().1, "127.0.0.1 GET http /api/activities/home? 200 OK");
}

#[tokio::test]
async fn a_function_writes_what_it_likes() {
    let format = Format::of(|record| format!("{} {}", record.path, record.level));
    let watch = Watch::open().await.set(|layer| layer.format(format)).ask("/missing").await;
    assert_eq!(watch.close().await, ["/missing WARN"]);
}

// ===== which ones =====

#[tokio::test]
async fn levels_are_as_somebody_says() {
    let levels = |status: StatusCode| if status == 404 { Level::DEBUG } else { Level::ERROR };
    let layer = |layer: CloudWatchLayer| layer.levels(levels);
    assert_eq!(said(&Watch::open().await.set(layer).at("/missing").await), "DEBUG complete 404");
    assert_eq!(said(&Watch::open().await.set(layer).at("/ok").await), "ERROR complete 200");
}

#[tokio::test]
async fn what_is_skipped_is_not_logged() {
    let watch = Watch::open().await.set(|layer| layer.skip(|request| request.uri.path() == "/ok"));
    assert_eq!(watch.ask("/ok").await.ask("/missing").await.close().await.len(), 1);
}

#[tokio::test]
async fn of_good_exchanges_a_share_is_logged_which_says_so_and_of_bad_ones_all() {
    let watch = Watch::open().await.set(|layer| layer.sample(0.25));
    for random in 0..16_u64 {
        // The last 56 bits decide: here the first four of them.
        let trace_id = format!("4bf92f3577b34da6a3{random:x}e929d0e0e4736");
        let parent = format!("00-{trace_id}-00f067aa0ba902b7-01");
        watch.serve(Request::get("/ok").header("traceparent", parent).body(()).unwrap()).await;
    }
    let records = watch.close().await;
    assert_eq!(records.len(), 4, "{records:#?}");
    assert!(records.iter().all(|record| record.contains(r#""sample_rate":4.0"#)));

    let watch = Watch::open().await.set(|layer| layer.sample(0.0));
    let records = watch.ask("/missing").await.ask("/torn").await.ask("/ok").await.close().await;
    assert_eq!(records.len(), 2, "{records:#?}");
    assert!(records.iter().all(|record| !record.contains("sample_rate")));
}

#[tokio::test]
async fn of_a_trace_the_line_is_logged_where_the_span_is_kept() {
    for share in [0.01, 0.1, 0.25, 1.0 / 3.0, 0.9] {
        let (watch, ratio) = (Watch::open().await.set(|layer| layer.sample(share)), Ratio::new(share));
        let mut kept = Vec::new();
        for _ in 0..200 {
            let trace_id = TraceId::generate();
            let id = opentelemetry::trace::TraceId::from(trace_id.to_u128());
            let sampled = ratio.should_sample(None, id, "", &SpanKind::Server, &[], &[]);
            if sampled.decision == SamplingDecision::RecordAndSample {
                kept.push(trace_id.to_string());
            }
            let parent = format!("00-{trace_id}-00f067aa0ba902b7-01");
            watch.serve(Request::get("/ok").header("traceparent", parent).body(()).unwrap()).await;
        }
        let records = watch.close().await;
        let trace_id = |record: &String| {
            let record: Value = serde_json::from_str(record).unwrap();
            record["trace_id"].as_str().unwrap().to_owned()
        };
        let mut logged: Vec<_> = records.iter().map(trace_id).collect();
        logged.sort();
        kept.sort();
        assert_eq!(logged, kept, "{share}");
    }
}

// ===== where it goes =====

#[tokio::test]
async fn events_of_ones_own_go_the_same_way_into_streams_of_their_own() {
    let watch = Watch::open().await;
    let lane = watch.layer.lane().clone().stream("audit".parse().unwrap());
    let watch = watch.set(|layer| layer.stream("web-1").unwrap());
    lane.push(LogEvent::new(SystemTime::now(), "the safe was opened"));
    let logs = watch.logs.clone();
    assert_eq!(watch.ask("/ok").await.close().await.len(), 2);
    let mut streams: Vec<_> =
        logs.received().iter().map(|received| body(received)["logStreamName"].clone()).collect();
    streams.sort_by_key(Value::to_string);
    assert_eq!(streams, ["audit", "web-1"]);
}

#[tokio::test]
async fn in_one_pass_the_record_is_the_same() {
    let watch = Watch::open().await;
    let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
    let service = ObserveLayer::new((watch.layer.clone(),)).layer(service);
    drop(service.oneshot(Request::get("/ok").body(()).unwrap()).await.unwrap());
    assert_eq!(said(&watch.record().await), "INFO complete 200");
}
