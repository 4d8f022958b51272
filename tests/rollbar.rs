//! Failing exchanges, each of which is one item at Rollbar: on axum, hyper and tonic, and among other layers. Over real
//! sockets.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/rollbar.rs"]
mod rollbar;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::StatusCode,
    response::IntoResponse as _,
    routing::get,
};
use belvedere::{
    exchange::{Annotations, HandlerError, Peer},
    observe::ObserveLayer,
    outbox::{Limits, Outbox, Report},
    rollbar::{Api, Breadcrumbs, ItemLane, Level, Project, RollbarLayer, report_error, report_message},
    trace::{InScope as _, OccurrenceId, Propagation, Propagator, SpanId, TraceId, TrustIncoming},
};
use futures_util::StreamExt as _;
use http::Response;
use http_body_util::BodyExt as _;
use rollbar::Rollbar;
use segments::{Traced, Wrapped};
use serde_json::{Value, json};
use support::{
    Script, Server, Spans,
    client::{connect2, raw1, read, request2},
    greeter::GreeterClient,
    shop,
};
use tonic::transport::Channel;
use tower::{Layer, Service, ServiceExt as _, layer::util::Stack, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tracing_subscriber::layer::SubscriberExt as _;

/// What stands in for Rollbar, and a layer whose items it gets.
struct Watch {
    rollbar: Rollbar,
    outbox: Outbox,
    layer: RollbarLayer,
}

// ===== impl Watch =====

impl Watch {
    fn open() -> Self {
        Self::limited(None, None)
    }

    fn limited(items: Option<u32>, of_a_kind: Option<u32>) -> Self {
        let (rollbar, outbox) = (Rollbar::content(), Outbox::builder().start().unwrap());
        let api = Api::new("a-token".parse().unwrap()).endpoint(rollbar.url().parse().unwrap());
        let lane = ItemLane::limited(&outbox, api, items, of_a_kind).unwrap();
        Self { rollbar, outbox, layer: RollbarLayer::on(lane).environment("test") }
    }

    /// All items.
    async fn close(self) -> Vec<Value> {
        let Report { lanes, .. } = self.outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(lanes.iter().map(|lane| lane.lost()).sum::<u64>(), 0, "{lanes:?}");
        self.rollbar.items()
    }

    /// The items of one request to this path, made by hand, at axum's server.
    async fn at(self, path: &str) -> Vec<Value> {
        let server = Server::axum(router().layer(self.layer.clone())).await;
        drop(raw1(server.address, "GET", path).await);
        drop(server);
        self.close().await
    }
}

/// Handlers that fail, each in its way.
fn router() -> Router {
    let caught = Router::new().route("/swallowed", get(burn)).layer(CatchPanicLayer::new());
    Router::new()
        .route("/carts/{id}", get(no_cart))
        .route("/reported", get(reported))
        .route("/mended", get(mended))
        .route("/told", get(told))
        .route("/searched/{text}", get(searched))
        .route("/broken/a", get(broken))
        .route("/broken/b", get(broken))
        .route("/long", get(long))
        .route("/logged", get(logged))
        .route("/spawned", get(spawned))
        .route("/loose", get(loose))
        .route("/blocking", get(blocking))
        .route("/unwrapped", get(unwrapped))
        .merge(caught)
        .merge(shop::router())
}

async fn searched(Path(text): Path<String>) -> StatusCode {
    report_message(Level::Warning, format!("nothing found for {text}"));
    StatusCode::NOT_FOUND
}

async fn broken() -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn long() -> Response<Body> {
    report_message(Level::Warning, "\u{e9}\u{0}\u{1b}[31m".repeat(5 << 20));
    failed(HandlerError::new(io::Error::other("\u{e9}\u{0}\u{1b}[31m".repeat(5 << 20))))
}

async fn logged() -> StatusCode {
    tracing::error!("the till is empty");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn burn() -> StatusCode {
    panic!("the till is on fire")
}

async fn no_cart() -> Response<Body> {
    Annotations::current().insert("user_id", 17);
    Annotations::current().insert("user_name", "worf");
    Annotations::current().insert("ship", "defiant");
    failed(HandlerError::new(lost_cart()))
}

/// Reports by hand, and fails too.
async fn reported() -> Response<Body> {
    report_error(&lost_cart());
    failed(HandlerError::new("something else"))
}

/// Reports by hand, twice, and goes well.
async fn mended() -> StatusCode {
    report_error(&lost_cart());
    report_error(&io::Error::other("and another"));
    StatusCode::OK
}

/// Says something before it fails.
async fn told() -> StatusCode {
    report_message(Level::Warning, "the disk is nearly full");
    StatusCode::BAD_GATEWAY
}

/// Reports in a task of the exchange.
async fn spawned() -> StatusCode {
    let task = async { report_error(&lost_cart()) };
    tokio::spawn(task.in_scope()).await.unwrap();
    StatusCode::INTERNAL_SERVER_ERROR
}

/// Panics in a task of the exchange, and does not care.
async fn loose() -> StatusCode {
    tokio::spawn(async { panic!("the mail is on fire") }.in_scope()).await.unwrap_err();
    StatusCode::OK
}

/// Panics because a task of the exchange did.
async fn unwrapped() -> StatusCode {
    tokio::spawn(async { mail() }.in_scope()).await.unwrap()
}

fn mail() -> StatusCode {
    panic!("the mail is on fire")
}

async fn blocking() -> StatusCode {
    tokio::task::spawn_blocking((|| report_error(&lost_cart())).in_scope()).await.unwrap();
    StatusCode::OK
}

fn failed(error: HandlerError) -> Response<Body> {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(error);
    response
}

fn lost_cart() -> Wrapped<io::Error> {
    Wrapped("no cart", io::Error::other("the disk is gone"))
}

/// What the one item says: its level, and class and message of each error.
#[track_caller]
fn said(items: &[Value]) -> String {
    assert_eq!(items.len(), 1, "{items:#?}");
    says(&items[0])
}

fn says(data: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let level = text(&data["level"]);
    if data["body"]["message"].is_object() {
        return format!("{level}: {}", text(&data["body"]["message"]["body"]));
    }
    let chain = data["body"]["trace_chain"].as_array().cloned();
    let chain = chain.unwrap_or_else(|| vec![data["body"]["trace"].clone()]);
    let one = |trace: &Value| {
        format!("{} \"{}\"", text(&trace["exception"]["class"]), text(&trace["exception"]["message"]))
    };
    format!("{level}: {}", chain.iter().map(one).collect::<Vec<_>>().join(" < "))
}

/// Fails unless it is the occurrence with this number of its exchange.
#[track_caller]
fn assert_occurrence(item: &Value, ordinal: u32) {
    let text = |key: &str| item["custom"][key].as_str().unwrap();
    let trace_id: TraceId = text("trace_id").parse().unwrap();
    let span_id: SpanId = text("span_id").parse().unwrap();
    assert_eq!(text("xray_trace_id"), trace_id.amzn().to_string());
    assert_eq!(item["uuid"], OccurrenceId::of(trace_id, span_id, ordinal).to_string());
}

/// The frames of the first trace as `file:line`, without lines where there are none.
fn frames(item: &Value) -> Vec<String> {
    let body = &item["body"];
    let trace = if body["trace"].is_object() { &body["trace"] } else { &body["trace_chain"][0] };
    let one = |frame: &Value| match frame["lineno"].as_u64() {
        Some(line) => format!("{}:{line}", frame["filename"].as_str().unwrap()),
        None => frame["filename"].as_str().unwrap().to_owned(),
    };
    trace["frames"].as_array().into_iter().flatten().map(one).collect()
}

// ===== each failure once =====

#[tokio::test]
async fn on_axum_each_failing_exchange_is_one_item_that_says_why() {
    for (path, expected) in [
        ("/carts/17", "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\""),
        ("/broken", "error: HTTP 500 \"Internal Server Error\""),
        ("/panic", "critical: panic \"the till is on fire\""),
        ("/panic-in-the-body", "critical: panic \"the till is on fire\""),
        ("/swallowed", "critical: panic \"the till is on fire\""),
        ("/torn", "error: Broken \"the disk is gone\""),
        ("/reported", "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\""),
        ("/spawned", "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\""),
        ("/blocking", "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\""),
        ("/loose", "critical: panic \"the mail is on fire\""),
        ("/unwrapped", "critical: panic \"the mail is on fire\""),
    ] {
        let items = Watch::open().at(path).await;
        assert_eq!(said(&items), expected, "{path}");
        assert_occurrence(&items[0], 0);
        assert_eq!(items[0]["framework"], Value::Null);
    }
}

#[tokio::test]
async fn good_requests_wrong_ones_and_those_whose_client_left_are_none() {
    for path in ["/ok", "/missing", "/nothing", "/stream", "/checked"] {
        assert_eq!(Watch::open().at(path).await, Vec::<Value>::new(), "{path}");
    }
    for path in ["/slow", "/endless"] {
        let watch = Watch::open();
        let server = Server::axum(router().layer(watch.layer.clone())).await;
        support::client::leave1(server.address, "GET", path, Duration::from_millis(100)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(watch.close().await, Vec::<Value>::new(), "{path}");
    }
}

#[tokio::test]
async fn a_message_is_not_the_report_and_the_report_keeps_its_id() {
    let items = Watch::open().at("/told").await;
    let said: Vec<_> = items.iter().map(says).collect();
    assert_eq!(said, ["warning: the disk is nearly full", "error: HTTP 502 \"Bad Gateway\""]);
    assert_occurrence(&items[0], 1);
    assert_occurrence(&items[1], 0);
}

#[tokio::test]
async fn each_error_that_is_reported_by_hand_is_an_item_of_its_own() {
    let items = Watch::open().at("/mended").await;
    let said: Vec<_> = items.iter().map(says).collect();
    assert_eq!(
        said,
        [
            "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\"",
            "error: io::Error::Other \"and another\"",
        ]
    );
    assert_occurrence(&items[0], 0);
    assert_occurrence(&items[1], 1);
}

#[tokio::test]
async fn on_hyper_each_failing_exchange_is_one_item() {
    for (path, expected) in [
        // Of a type like this a layer cannot know that it is an error with causes.
        ("/refused", "error: Wrapped \"no cart\""),
        ("/broken", "error: HTTP 500 \"Internal Server Error\""),
        ("/panic", "critical: panic \"the till is on fire\""),
        ("/panic-in-the-body", "critical: panic \"the till is on fire\""),
        ("/torn", "error: Broken \"the disk is gone\""),
    ] {
        for version in [1, 2] {
            let watch = Watch::open();
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async {
                if request.uri().path() == "/refused" {
                    return Err(lost_cart());
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
            let items = watch.close().await;
            assert_eq!(said(&items), expected, "{path} {version}");
            assert_occurrence(&items[0], 0);
        }
    }
}

#[tokio::test]
async fn on_tonic_each_failing_call_is_one_item_by_its_code() {
    for (name, is_stream, expected) in [
        ("broken", false, Some("error: gRPC INTERNAL \"the greeter is ill\"")),
        ("late", false, Some("error: gRPC DEADLINE_EXCEEDED \"too late\"")),
        ("panic", false, Some("critical: panic \"the till is on fire\"")),
        ("torn", true, Some("error: gRPC INTERNAL \"the greeter fell ill\"")),
        ("panic", true, Some("critical: panic \"the till is on fire\"")),
        ("nobody", false, None),
        ("nobody", true, None),
        ("Worf", false, None),
        ("Worf", true, None),
    ] {
        let watch = Watch::open();
        call(&watch.layer, name, is_stream).await;
        let items = watch.close().await;
        match expected {
            Some(expected) => assert_eq!(said(&items), expected, "{name} {is_stream}"),
            None => assert_eq!(items, Vec::<Value>::new(), "{name} {is_stream}"),
        }
    }
}

async fn call(layer: &RollbarLayer, name: &str, is_stream: bool) {
    let server = Server::tonic(layer.clone()).await;
    let channel =
        Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
    let mut client = GreeterClient::new(channel, server.address);
    if is_stream {
        if let Ok(stream) = client.hellos(name).await {
            stream.collect::<Vec<_>>().await;
        }
    } else {
        drop(client.hello(name).await);
    }
}

#[tokio::test]
async fn a_call_of_a_method_that_nobody_serves_does_not_name_it() {
    let watch = Watch::open();
    let server = Server::tonic(watch.layer.clone()).await;
    let channel =
        Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
    GreeterClient::new(channel, server.address).unheard_of().await.unwrap_err();
    let items = watch.close().await;
    assert_eq!(said(&items), "error: gRPC UNIMPLEMENTED \"the call failed\"");
    assert_eq!(items[0]["context"], "POST");
}

// ===== which ones =====

#[tokio::test]
async fn which_statuses_and_codes_fail_is_the_users_choice() {
    let watch = Watch::open();
    let layer = watch.layer.clone().failures(|status| status == StatusCode::NOT_FOUND);
    let server = Server::axum(router().layer(layer)).await;
    for path in ["/broken", "/missing", "/ok"] {
        drop(raw1(server.address, "GET", path).await);
    }
    assert_eq!(said(&watch.close().await), "error: HTTP 404 \"Not Found\"");

    let watch = Watch::open();
    let layer = watch.layer.clone().grpc_failures(|code| code.number() == 5);
    call(&layer, "nobody", false).await;
    call(&layer, "broken", false).await;
    assert_eq!(said(&watch.close().await), "error: gRPC NOT_FOUND \"nobody of that name\"");
}

#[tokio::test]
async fn a_skipped_request_is_none_and_code_in_it_reports_nothing_of_it() {
    let watch = Watch::open();
    let layer = watch.layer.clone().skip(|request| request.uri.path() == "/broken");
    let server = Server::axum(router().layer(layer)).await;
    drop(raw1(server.address, "GET", "/broken").await);
    assert_eq!(watch.close().await, Vec::<Value>::new());
}

#[tokio::test]
async fn two_layers_make_one_item_and_the_one_further_in_tells_the_route() {
    for path in ["/carts/17", "/panic", "/torn", "/reported"] {
        let watch = Watch::open();
        let inner = router().layer(watch.layer.clone());
        let service = watch.layer.layer(inner);
        let server = Server::axum(Router::new().fallback_service(service)).await;
        drop(raw1(server.address, "GET", path).await);
        let items = watch.close().await;
        assert_eq!(items.len(), 1, "{path} {items:#?}");
        let route = match path {
            "/carts/17" => "GET /carts/{id}",
            "/reported" => "GET /reported",
            _ => "GET /{what}",
        };
        assert_eq!(items[0]["context"], route);
    }
}

// ===== what an item says =====

#[tokio::test]
async fn an_item_has_the_request_the_person_and_where_it_happened() {
    let watch = Watch::open();
    let layer = watch.layer.clone().code_version("17").framework("axum").host("ds9").branch("main");
    let layer = layer.project(Project::new("/srv/shop"));
    let mut request = Request::get("/carts/17?page=2&token=canary").header("host", "shop.example");
    request = request.header("user-agent", "curl/8").header("authorization", "Bearer canary");
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer("192.0.2.7:4711".parse::<SocketAddr>().unwrap()));
    let answer = router().layer(layer).oneshot(request).await.unwrap();
    drop(answer.into_body().collect().await);
    let item = watch.close().await.remove(0);

    assert_eq!(item["environment"], "test");
    assert_eq!(item["code_version"], "17");
    assert_eq!((&item["framework"], &item["language"]), (&json!("axum"), &json!("rust")));
    assert_eq!(item["context"], "GET /carts/{id}");
    assert_eq!(item["server"]["host"], "ds9");
    assert_eq!(item["server"]["root"], "/srv/shop");
    assert_eq!(item["server"]["branch"], "main");
    assert_eq!(item["server"]["pid"], std::process::id());
    assert_eq!((&item["person"]["id"], &item["person"]["username"]), (&json!("17"), &json!("worf")));
    assert_eq!(item["custom"]["ship"], "defiant");
    assert_eq!(item["custom"]["status"], 503);
    let request = &item["request"];
    assert_eq!(request["url"], "http://shop.example/carts/17?page=2&token=REDACTED");
    assert_eq!((&request["method"], &request["user_ip"]), (&json!("GET"), &json!("192.0.2.7")));
    assert_eq!(request["params"], json!({ "id": "17" }));
    assert_eq!(request["headers"], json!({ "Host": "shop.example", "User-Agent": "curl/8" }));
    let frames = frames(&item);
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(frames[0], "/carts/{id}");
    assert!(frames[1].starts_with("/srv/shop/tests/rollbar.rs:"), "{frames:?}");
    assert!(item["timestamp"].as_f64().unwrap() > 1.7e9);
    assert_eq!(item["notifier"]["name"], "belvedere");
}

#[tokio::test]
async fn the_frames_of_a_panic_end_with_its_line_and_begin_with_the_route() {
    for path in ["/panic", "/swallowed"] {
        let watch = Watch::open();
        let layer = watch.layer.clone().project(Project::new("/srv/shop"));
        let server = Server::axum(router().layer(layer)).await;
        drop(raw1(server.address, "GET", path).await);
        let frames = frames(&watch.close().await[0]);
        let (first, last) = (frames.first().unwrap(), frames.last().unwrap());
        let (route, file) = match path {
            "/panic" => ("/{what}", "/srv/shop/tests/support/shop.rs:"),
            _ => ("/swallowed", "/srv/shop/tests/rollbar.rs:"),
        };
        assert_eq!(first, route);
        assert!(last.starts_with(file), "{frames:#?}");
    }
}

#[tokio::test]
async fn what_is_reported_by_hand_is_what_was_said_and_where() {
    let watch = Watch::open();
    let service = service_fn(|_: http::Request<()>| async {
        let report = belvedere::rollbar::Report::error(&lost_cart()).level(Level::Critical);
        let uuid = report.custom("cart", json!({ "id": 17 })).title("No cart").fingerprint("cart").send();
        Ok::<_, Infallible>(Response::new(Script::new().data(uuid.to_string().leak()).last()))
    });
    let layer = watch.layer.clone().project(Project::new("/srv/shop"));
    let answer = layer.layer(service).oneshot(http::Request::new(())).await.unwrap();
    let uuid = answer.into_body().collect().await.unwrap().to_bytes();
    let item = watch.close().await.remove(0);
    assert_eq!(item["uuid"], str::from_utf8(&uuid).unwrap());
    assert_eq!((&item["level"], &item["title"]), (&json!("critical"), &json!("No cart")));
    assert_eq!(item["custom"]["cart"]["id"], 17);
    assert_eq!(item["fingerprint"], "cart");
    assert!(frames(&item).last().unwrap().starts_with("/srv/shop/tests/rollbar.rs:"), "{item:#}");
}

#[tokio::test]
async fn an_error_that_has_its_own_backtrace_is_shown_where_it_came_from() {
    #[inline(never)]
    fn lose_the_cart() -> std::backtrace::Backtrace {
        std::backtrace::Backtrace::force_capture()
    }
    for is_whole in [true, false] {
        let watch = Watch::open();
        let service = service_fn(move |_: http::Request<()>| async move {
            let backtrace = lose_the_cart();
            let stack = if is_whole { backtrace.into() } else { belvedere::rollbar::Stack::shown(backtrace) };
            belvedere::rollbar::Report::error(&anyhow::anyhow!("no cart")).stack(stack).send();
            Ok::<_, Infallible>(Response::new(Script::new().last()))
        });
        drop(watch.layer.layer(service).oneshot(http::Request::new(())).await.unwrap());
        let item = watch.close().await.remove(0);
        let frames = item["body"]["trace"]["frames"].as_array().unwrap();
        let is_there =
            |frame: &Value| frame["method"].as_str().is_some_and(|name| name.contains("lose_the_cart"));
        assert!(frames.iter().any(is_there), "{is_whole} {frames:#?}");
    }
}

#[tokio::test]
async fn the_last_fifty_events_of_the_request_are_told_and_how_many_came_before() {
    let watch = Watch::open();
    let service = service_fn(|_: http::Request<()>| async {
        (0..60).for_each(|page| tracing::info!(page, "turned"));
        Err::<Response<Script>, _>("no more pages")
    });
    let _subscribed =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(Breadcrumbs::new()));
    assert!(watch.layer.layer(service).oneshot(http::Request::new(())).await.is_err());
    let item = watch.close().await.remove(0);
    assert_eq!(item["body"]["telemetry"].as_array().unwrap().len(), 50);
    assert_eq!(item["notifier"]["diagnostic"]["telemetry_dropped"], 10);
}

// ===== among other layers =====

/// Serves one request by a stack of layers that is around the router.
async fn serve<L, B>(layer: L, path: &str)
where
    L: Layer<Router, Service: Service<http::Request<Body>, Response = Response<B>, Error = Infallible>>,
    <L::Service as Service<http::Request<Body>>>::Future: Send + 'static,
    L::Service: Send + 'static,
    B: http_body::Body<Error: std::fmt::Debug> + Send + 'static,
{
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    let service = layer.layer(router());
    // A panic ends the task.
    let serving = tokio::spawn(async move {
        let answer = service.oneshot(request).await.unwrap();
        let mut body = Box::pin(answer.into_body());
        while let Some(Ok(_)) = body.frame().await {}
    });
    drop(serving.await);
}

#[tokio::test]
async fn in_any_order_with_other_layers_and_in_one_pass_it_is_one_item_with_the_ids_of_all() {
    for path in ["/carts/17", "/panic", "/swallowed", "/torn", "/reported", "/broken"] {
        for order in 0..12 {
            let (watch, traced, spans) = (Watch::open(), Traced::new("shop").await, Spans::new());
            let (rollbar, xray, otel) = (watch.layer.clone(), traced.layer.clone(), spans.layer());
            match order {
                0 => serve(Stack::new(rollbar, Stack::new(xray, otel)), path).await,
                1 => serve(Stack::new(rollbar, Stack::new(otel, xray)), path).await,
                2 => serve(Stack::new(xray, Stack::new(rollbar, otel)), path).await,
                3 => serve(Stack::new(xray, Stack::new(otel, rollbar)), path).await,
                4 => serve(Stack::new(otel, Stack::new(rollbar, xray)), path).await,
                5 => serve(Stack::new(otel, Stack::new(xray, rollbar)), path).await,
                6 => serve(ObserveLayer::new((rollbar, xray, otel)), path).await,
                7 => serve(ObserveLayer::new((rollbar, otel, xray)), path).await,
                8 => serve(ObserveLayer::new((xray, rollbar, otel)), path).await,
                9 => serve(ObserveLayer::new((otel, rollbar, xray)), path).await,
                10 => serve(ObserveLayer::new((xray, otel, rollbar)), path).await,
                _ => serve(Stack::new(ObserveLayer::new((otel, rollbar)), xray), path).await,
            }
            let (items, segment, span) = (watch.close().await, traced.segment().await, spans.only());
            assert_eq!(items.len(), 1, "{path} {order} {items:#?}");
            assert_occurrence(&items[0], 0);
            let (trace_id, span_id) = (span.span_context.trace_id(), span.span_context.span_id());
            assert_eq!(items[0]["custom"]["trace_id"], trace_id.to_string(), "{path} {order}");
            assert_eq!(items[0]["custom"]["span_id"], span_id.to_string(), "{path} {order}");
            assert_eq!(items[0]["custom"]["xray_trace_id"], segment.trace_id.amzn().to_string());
            assert_eq!(segment.entity.id.to_string(), span_id.to_string());
            assert!(segment.entity.status.fault, "{path} {order}");
            let named = support::spans::attribute(&span, "rollbar.occurrence.uuid");
            assert_eq!(named.as_deref(), items[0]["uuid"].as_str(), "{path} {order}");
        }
    }
}

#[tokio::test]
async fn who_trusts_nobody_does_so_whichever_headers_are_named_after_it() {
    let headers = || Propagation::new([Propagator::TraceContext]);
    for distrusts in [
        |layer: RollbarLayer, headers| layer.trust(TrustIncoming::None).propagation(headers),
        |layer: RollbarLayer, headers| layer.propagation(headers).trust(TrustIncoming::None),
    ] {
        let watch = Watch::open();
        let layer = distrusts(watch.layer.clone(), headers());
        let request = Request::get("/broken")
            .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            .body(Body::empty())
            .unwrap();
        drop(router().layer(layer).oneshot(request).await.unwrap().into_body().collect().await);
        assert_ne!(watch.close().await[0]["custom"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}

#[tokio::test]
async fn a_span_that_did_not_fail_or_that_nobody_reports_names_no_item() {
    let (watch, spans) = (Watch::open(), Spans::new());
    serve(Stack::new(watch.layer.clone(), spans.layer()), "/missing").await;
    assert_eq!(support::spans::attribute(&spans.only(), "rollbar.occurrence.uuid"), None);
    let spans = Spans::new();
    serve(spans.layer(), "/broken").await;
    assert_eq!(support::spans::attribute(&spans.only(), "rollbar.occurrence.uuid"), None);
}

#[tokio::test]
async fn a_handler_can_say_under_which_id_it_is_to_be_found() {
    let watch = Watch::open();
    let sorry = |annotations: Annotations| async move {
        (StatusCode::BAD_GATEWAY, annotations.report_id().unwrap().to_string())
    };
    let service = Router::new().route("/", get(sorry)).layer(watch.layer.clone());
    let answer = service.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    let said = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(watch.close().await[0]["uuid"].as_str().unwrap().as_bytes(), said);
    assert_eq!(Annotations::current().report_id(), None);
}

#[tokio::test]
async fn an_error_that_a_handler_left_counts_before_the_body_that_breaks_after_it() {
    for (status, expected) in [
        (StatusCode::BAD_GATEWAY, "error: io::Error::Other \"no cart\""),
        (StatusCode::OK, "error: Broken \"the disk is gone\""),
    ] {
        let watch = Watch::open();
        let torn = move || async move {
            let mut response = Response::new(Body::new(Script::new().data("x").fail("the disk is gone")));
            *response.status_mut() = status;
            response.extensions_mut().insert(HandlerError::new(io::Error::other("no cart")));
            response
        };
        let server = Server::axum(Router::new().route("/", get(torn)).layer(watch.layer.clone())).await;
        drop(raw1(server.address, "GET", "/").await);
        assert_eq!(said(&watch.close().await), expected, "{status}");
    }
}

#[tokio::test]
async fn an_error_that_a_handler_left_can_have_its_backtrace() {
    let watch = Watch::open();
    let left = || async {
        let backtrace = std::backtrace::Backtrace::force_capture();
        failed(HandlerError::new(io::Error::other("no cart")).backtrace(backtrace.to_string()))
    };
    let service = Router::new().route("/left", get(left)).layer(watch.layer.clone());
    drop(service.oneshot(Request::get("/left").body(Body::empty()).unwrap()).await.unwrap());
    let frames = frames(&watch.close().await.remove(0));
    let own = frames.iter().filter(|frame| frame.contains("tests/rollbar.rs:")).count();
    assert!(own > 1, "{frames:?}");
}

#[tokio::test]
async fn the_trace_is_the_callers() {
    let watch = Watch::open();
    let request = Request::get("/broken")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .body(Body::empty());
    drop(router().layer(watch.layer.clone()).oneshot(request.unwrap()).await);
    let item = watch.close().await.remove(0);
    assert_eq!(item["custom"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(item["custom"]["xray_trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
    let attributes = item["attributes"].as_array().unwrap();
    assert!(
        attributes.iter().any(|one| one["value"] == "4bf92f3577b34da6a3ce929d0e0e4736"),
        "{attributes:?}"
    );
}

// ===== storms, and what comes late =====

#[tokio::test]
async fn of_a_storm_ten_are_sent_and_one_item_tells_of_the_others() {
    let watch = Watch::limited(Some(60), Some(10));
    let service = router().layer(watch.layer.clone());
    for _ in 0..1_000 {
        let request = http::Request::get("/carts/17").body(Body::empty()).unwrap();
        drop(service.clone().oneshot(request).await);
    }
    let items = watch.close().await;
    let said: Vec<_> = items.iter().map(says).collect();
    assert_eq!(said.len(), 11, "{said:#?}");
    assert_eq!(said[10], "warning: 990 occurrences of Wrapped were left out");
    assert_eq!(items[10]["environment"], "test");
}

#[tokio::test]
async fn what_a_client_writes_into_messages_does_not_drown_what_fails() {
    let watch = Watch::limited(Some(60), Some(10));
    let service = router().layer(watch.layer.clone());
    for number in 0..200 {
        ask(&service, &format!("/searched/{number}")).await;
    }
    ask(&service, "/carts/17").await;
    let said: Vec<_> = watch.close().await.iter().map(says).collect();
    assert!(said.iter().any(|said| said.contains("Wrapped") && !said.contains("left out")), "{said:#?}");
    assert!(said.len() <= 60, "{}", said.len());
}

#[tokio::test]
async fn a_route_that_always_fails_does_not_drown_another() {
    let watch = Watch::limited(Some(60), Some(10));
    let service = router().layer(watch.layer.clone());
    for _ in 0..100 {
        ask(&service, "/broken/a").await;
    }
    ask(&service, "/broken/b").await;
    let items = watch.close().await;
    let contexts: Vec<_> = items.iter().map(|item| &item["context"]).collect();
    assert!(contexts.contains(&&json!("GET /broken/b")), "{contexts:#?}");
    assert_eq!(items.iter().filter(|item| says(item).contains("left out")).count(), 1);
}

#[tokio::test]
async fn a_message_of_any_length_arrives_as_its_beginning() {
    let watch = Watch::open();
    let service = router().layer(watch.layer.clone());
    ask(&service, "/long").await;
    let items = watch.close().await;
    assert_eq!(items.len(), 2, "{items:#?}");
    assert!(items.iter().all(|item| item.to_string().len() < 64 << 10));
}

#[tokio::test]
async fn what_waits_is_measured_with_all_that_is_known_of_its_request() {
    let (rollbar, outbox) = (Rollbar::start(|_| None), Outbox::builder().start().unwrap());
    let api = Api::new("a-token".parse().unwrap()).endpoint(rollbar.url().parse().unwrap());
    let api = api.limits(Limits::default().queue_bytes(1 << 20));
    let layer = RollbarLayer::on(ItemLane::limited(&outbox, api, None, None).unwrap());
    let service = router().layer(layer);
    for _ in 0..100 {
        ask(&service, &format!("/broken/a?q={}", "x".repeat(30_000))).await;
    }
    let lane = &outbox.report().lanes[0];
    assert!(lane.waiting > 0 && lane.waiting * 30_000 < 1 << 20, "{lane}");
    outbox.shutdown(Duration::ZERO).await;
}

/// A subscriber that reports what others log as errors.
struct Reports;

impl<S: tracing::Subscriber> tracing_subscriber::layer::Layer<S> for Reports {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::WARN {
            report_message(Level::Warning, format!("{event:?}"));
        }
    }
}

#[tokio::test]
async fn a_log_that_reports_does_not_feed_itself() {
    let watch = Watch::limited(None, None);
    let log = tracing_subscriber::registry().with(Reports);
    let _log = tracing::subscriber::set_default(log);
    let service = router().layer(watch.layer.clone());
    ask(&service, "/logged").await;
    assert_eq!(watch.close().await.len(), 2);
}

async fn ask(service: &Router, path: &str) -> StatusCode {
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    service.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn a_panic_in_a_task_that_outlives_the_exchange_is_reported_too() {
    let watch = Watch::open();
    let (tell, told) = tokio::sync::oneshot::channel();
    let (told, task) = (std::sync::Mutex::new(Some(told)), std::sync::Mutex::new(None));
    let task = std::sync::Arc::new(task);
    let spawned = task.clone();
    let told = std::sync::Arc::new(told);
    let service = service_fn(move |_: http::Request<()>| {
        let told = told.lock().unwrap().take().unwrap();
        let late = async move {
            let () = told.await.unwrap();
            panic!("too late")
        };
        *spawned.lock().unwrap() = Some(tokio::spawn(late.in_scope()));
        async { Ok::<_, Infallible>(Response::new(Script::new().last())) }
    });
    let answer = watch.layer.layer(service).oneshot(http::Request::new(())).await.unwrap();
    drop(answer.into_body().collect().await);
    tell.send(()).unwrap();
    let task = task.lock().unwrap().take().unwrap();
    assert!(task.await.unwrap_err().is_panic());
    let items = watch.close().await;
    assert_eq!(said(&items), "critical: panic \"too late\"");
    assert_occurrence(&items[0], 0);
}
