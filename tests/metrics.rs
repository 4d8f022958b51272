//! The metrics of the OpenTelemetry layers, and what a stranger can make of their names.
#![cfg(feature = "full")]

#[path = "support/log.rs"]
mod log;
mod support;

use std::{
    collections::HashSet,
    convert::Infallible,
    future::pending,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use belvedere::{
    exchange::Methods,
    otel::{Metrics, OtelClientLayer, OtelLayer},
};
use http::{HeaderName, HeaderValue, Method, Request, Response, Version};
use http_body_util::{BodyExt as _, Empty};
use opentelemetry::{metrics::NoopMeterProvider, trace::noop::NoopTracerProvider};
use opentelemetry_sdk::trace::Sampler;
use proptest::{prelude::*, test_runner::TestRunner};
use support::{
    Meters, Script, Server, Spans, client,
    greeter::GreeterClient,
    layers::{lasted, text},
    meters::{Point, Scribe},
    shop,
};
use tokio::time::timeout;
use tower::{BoxError, Layer, Service, ServiceExt as _, layer::util::Stack, service_fn, util::BoxService};

const REQUESTS: &str = "http.server.request.duration";
const CALLS: &str = "rpc.server.call.duration";
const ACTIVE: &str = "http.server.active_requests";
const SENT: &str = "http.client.request.duration";
const SENT_CALLS: &str = "rpc.client.call.duration";

/// The conventions' own.
const BOUNDARIES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

fn layer(meters: &Meters) -> OtelLayer {
    OtelLayer::new().tracer_provider(&NoopTracerProvider::new()).metrics(meters.all_metrics())
}

fn client_layer(meters: &Meters) -> OtelClientLayer {
    OtelClientLayer::new().tracer_provider(&NoopTracerProvider::new()).metrics(meters.all_metrics())
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

fn answer(status: u16) -> Response<Script> {
    Response::builder().status(status).body(Script::new().data("hello").last()).unwrap()
}

fn grpc(path: &str) -> Request<()> {
    let request = Request::post(path).version(Version::HTTP_2).header("content-type", "application/grpc");
    request.body(()).unwrap()
}

fn grpc_answer(code: &'static str) -> Response<Script> {
    let body = Script::new().data("x").trailers(Vec::leak(vec![("grpc-status", code)]));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

/// One request through any layer to a service that gives `answer`; its body is read to its end.
async fn exchange<L, B>(layer: L, request: Request<()>, answer: Response<Script>)
where
    L: Layer<BoxService<Request<()>, Response<Script>, Infallible>>,
    L::Service: Service<Request<()>, Response = Response<B>>,
    B: http_body::Body,
{
    let mut answer = Some(answer);
    let service = service_fn(move |_: Request<()>| {
        let answer = answer.take().unwrap();
        async { Ok(answer) }
    });
    if let Ok(response) = layer.layer(BoxService::new(service)).oneshot(request).await {
        drop(response.into_body().collect().await);
    }
}

/// What one exchange leaves in the histogram of a server's requests.
async fn request_of(request: Request<()>, answer: Response<Script>) -> Point {
    let meters = Meters::new();
    exchange(layer(&meters), request, answer).await;
    meters.point(REQUESTS)
}

#[test]
fn metrics_of_an_inner_layer_alone_are_none_and_a_warning_says_so() {
    let (log, meters) = (log::Log::default(), Meters::new());
    let stack = Stack::new(layer(&meters), OtelLayer::new().tracer_provider(&NoopTracerProvider::new()));
    tracing::subscriber::with_default(log.subscriber(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(exchange(stack, Request::get("/").body(()).unwrap(), answer(200)));
    });
    assert!(log.lines().concat().contains("give them to the outer one"), "{:?}", log.lines());
    assert!(meters.seen().is_empty());
}

// ===== what is measured =====

#[tokio::test(start_paused = true)]
async fn each_instrument_is_the_one_of_the_conventions() {
    let meters = Meters::new();
    let post = || Request::post("http://api.example/").header("content-length", "7").body(()).unwrap();
    exchange(layer(&meters), post(), answer(200)).await;
    exchange(layer(&meters), grpc("/a.B/C"), grpc_answer("0")).await;
    exchange(client_layer(&meters), post(), answer(200)).await;
    exchange(client_layer(&meters), grpc("http://api.example/a.B/C"), grpc_answer("0")).await;
    let seen = meters.seen();
    let told: Vec<_> = seen
        .iter()
        .map(|metric| format!("{} [{}] {}", metric.name, metric.unit, metric.description))
        .collect();
    assert_eq!(
        told,
        [
            "http.client.active_requests [{request}] Number of active HTTP requests.",
            "http.client.request.body.size [By] Size of HTTP client request bodies.",
            "http.client.request.duration [s] Duration of HTTP client requests.",
            "http.client.response.body.size [By] Size of HTTP client response bodies.",
            "http.server.active_requests [{request}] Number of active HTTP server requests.",
            "http.server.request.body.size [By] Size of HTTP server request bodies.",
            "http.server.request.duration [s] Duration of HTTP server requests.",
            "http.server.response.body.size [By] Size of HTTP server response bodies.",
            "rpc.client.call.duration [s] Measures the duration of an outgoing Remote Procedure Call (RPC).",
            "rpc.server.call.duration [s] Measures the duration of an incoming Remote Procedure Call (RPC).",
        ]
    );
    for metric in seen.iter().filter(|metric| metric.unit == "s") {
        assert_eq!(metric.points[0].bounds, BOUNDARIES, "{}", metric.name);
    }
}

#[tokio::test(start_paused = true)]
async fn only_durations_are_measured_unless_more_is_asked_for() {
    let meters = Meters::new();
    let spans = Spans::new();
    let request = Request::post("/").header("content-length", "7").body(()).unwrap();
    exchange(spans.layer().metrics(meters.metrics()), request, answer(200)).await;
    exchange(spans.client_layer().metrics(meters.metrics()), get("http://api.example/"), answer(200)).await;
    assert_eq!(meters.names(), [SENT, REQUESTS]);
}

#[tokio::test(start_paused = true)]
async fn without_metrics_nothing_is_measured() {
    let meters = Meters::new();
    exchange(Spans::new().layer(), get("/"), answer(200)).await;
    assert_eq!(meters.names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn boundaries_can_be_chosen() {
    let meters = Meters::new();
    let metrics = meters.metrics().boundaries([2.0, 1.0]);
    exchange(Spans::new().layer().metrics(metrics), get("/"), answer(200)).await;
    assert_eq!(meters.point(REQUESTS).bounds, [1.0, 2.0]);
}

#[tokio::test(start_paused = true)]
async fn a_servers_requests_have_the_attributes_of_the_conventions_and_no_others() {
    let request = Request::post("http://shop.example:8080/carts/17?token=secret")
        .header("user-agent", "curl/8")
        .body(())
        .unwrap();
    let meters = Meters::new();
    exchange(layer(&meters).route(|_| Some("/carts/{id}")), request, answer(200)).await;
    assert_eq!(
        meters.point(REQUESTS).attributes,
        "http.request.method=POST http.response.status_code=200 http.route=/carts/{id} \
         network.protocol.version=1.1 url.scheme=http"
    );
    assert_eq!(meters.point(ACTIVE).attributes, "http.request.method=POST url.scheme=http");
    let size = meters.point("http.server.response.body.size");
    assert_eq!((size.attributes, size.sum), (meters.point(REQUESTS).attributes, 5.0));
}

#[tokio::test(start_paused = true)]
async fn a_servers_statuses_are_judged_as_on_its_span() {
    for (status, error) in [(200, ""), (404, ""), (500, "error.type=500 "), (503, "error.type=503 ")] {
        let point = request_of(get("/"), answer(status)).await;
        let expected = format!(
            "{error}http.request.method=GET http.response.status_code={status} network.protocol.version=1.1 \
             url.scheme=http"
        );
        assert_eq!(point.attributes, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_nobody_knows_is_other() {
    let request = Request::builder().method("BREW").uri("/").body(()).unwrap();
    let point = request_of(request, answer(200)).await;
    assert!(point.attributes.starts_with("http.request.method=_OTHER http.response"), "{point:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_has_its_error_and_its_good_status() {
    let meters = Meters::new();
    let answer = Response::new(Script::new().data("a").fail("the disk is gone"));
    let request = Request::post("/").header("content-length", "7").body(()).unwrap();
    exchange(layer(&meters), request, answer).await;
    assert_eq!(
        meters.point(REQUESTS).attributes,
        "error.type=metrics::support::body::Broken http.request.method=POST http.response.status_code=200 \
         network.protocol.version=1.1 url.scheme=http"
    );
    assert_eq!(meters.point("http.server.request.body.size").sum, 7.0);
    assert_eq!(meters.count("http.server.response.body.size"), 0, "how long it would be nobody knows");
}

#[tokio::test(start_paused = true)]
async fn a_length_that_cannot_be_is_not_measured_and_a_large_one_breaks_nothing() {
    let meters = Meters::new();
    for length in ["", "many", "-1", "18446744073709551615", "18446744073709551615"] {
        let request = Request::post("/").header("content-length", length).body(()).unwrap();
        exchange(layer(&meters), request, answer(200)).await;
    }
    let size = meters.point("http.server.request.body.size");
    assert_eq!((size.count, size.sum), (2, 2.0 * u64::MAX as f64));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_measured_to_its_end_as_its_span_is() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let body = Script::new().data("a").wait(500).data("b");
    exchange(spans.layer().metrics(meters.metrics()), get("/"), Response::new(body)).await;
    let span = spans.only();
    assert_eq!(lasted(&span), Duration::from_millis(500));
    assert_eq!(meters.point(REQUESTS).sum, lasted(&span).as_secs_f64());
}

#[tokio::test(start_paused = true)]
async fn the_same_error_is_on_the_metric_and_on_the_span() {
    let ends: [fn() -> Response<Script>; 4] = [
        || answer(500),
        || answer(200),
        || Response::new(Script::new().fail("the disk is gone")),
        || grpc_answer("13"),
    ];
    for end in ends {
        let (meters, spans) = (Meters::new(), Spans::new());
        let request = if end().headers().is_empty() { get("/") } else { grpc("/a.B/C") };
        exchange(spans.layer().metrics(meters.metrics()), request, end()).await;
        let error = text(&spans.only(), "error.type");
        let attributes = meters.seen().remove(0).points.remove(0).attributes;
        let found = attributes.split(' ').find_map(|pair| pair.strip_prefix("error.type="));
        assert_eq!(found.unwrap_or_default(), error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_requests_have_the_attributes_of_the_conventions_and_no_others() {
    for (uri, status, expected) in [
        (
            "https://api.example/carts?token=secret",
            200,
            "http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 \
             server.address=api.example server.port=443",
        ),
        (
            "http://user:secret@api.example:81/",
            404,
            "error.type=404 http.request.method=GET http.response.status_code=404 \
             network.protocol.version=1.1 server.address=api.example server.port=81",
        ),
    ] {
        let meters = Meters::new();
        exchange(client_layer(&meters), get(uri), answer(status)).await;
        assert_eq!(meters.point(SENT).attributes, expected);
        let active = meters.point("http.client.active_requests");
        let lead: Vec<_> = expected.split(' ').filter(|pair| active.attributes.contains(pair)).collect();
        assert_eq!((active.attributes, lead.len(), active.sum), (lead.join(" "), 3, 0.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drops_the_body_has_no_error_and_no_size() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("a").hang()))
    });
    drop(client_layer(&meters).layer(service).oneshot(get("http://api.example/")).await.unwrap());
    assert!(!meters.point(SENT).attributes.contains("error.type"));
    assert_eq!(meters.count("http.client.response.body.size"), 0);
    assert_eq!(meters.sum("http.client.active_requests"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_call_is_measured_as_one_and_not_as_a_request() {
    for (code, name, server, client) in
        [("0", "OK", false, false), ("5", "NOT_FOUND", false, true), ("13", "INTERNAL", true, true)]
    {
        let meters = Meters::new();
        exchange(layer(&meters), grpc("/a.B/C"), grpc_answer(code)).await;
        exchange(client_layer(&meters), grpc("http://api.example/a.B/C"), grpc_answer(code)).await;
        let facts = format!(
            "rpc.method=a.B/C rpc.response.status_code={name} rpc.status_code={name} rpc.system.name=grpc"
        );
        let error = |is_error: bool| if is_error { format!("error.type={name} ") } else { String::new() };
        assert_eq!(meters.point(CALLS).attributes, format!("{}{facts}", error(server)));
        let server = "server.address=api.example server.port=80";
        assert_eq!(meters.point(SENT_CALLS).attributes, format!("{}{facts} {server}", error(client)));
        assert_eq!((meters.count(REQUESTS), meters.count(SENT)), (0, 0));
        assert_eq!(meters.point(ACTIVE).attributes, "http.request.method=POST url.scheme=http");
        assert!(meters.names().iter().all(|name| !name.contains("body")), "{:?}", meters.names());
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_grpc_is_measured_as_a_request() {
    let meters = Meters::new();
    exchange(layer(&meters).route(|_| Some("/carts/{id}")), grpc("/carts/17"), answer(404)).await;
    assert_eq!(meters.count(CALLS), 0);
    assert_eq!(
        meters.point(REQUESTS).attributes,
        "http.request.method=POST http.response.status_code=404 http.route=/carts/{id} \
         network.protocol.version=2 url.scheme=http"
    );
}

// ===== how long a request is active =====

/// A server's exchanges that are going on now.
fn active(meters: &Meters) -> f64 {
    meters.sum(ACTIVE)
}

#[tokio::test(start_paused = true)]
async fn a_request_is_active_from_its_arrival_to_the_end_of_its_body() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("a").wait(100).data("b")))
    });
    let call = layer(&meters).layer(service).call(get("/"));
    assert_eq!(active(&meters), 1.0);
    let response = call.await.unwrap();
    assert_eq!(active(&meters), 1.0);
    drop(response.into_body().collect().await);
    assert_eq!(active(&meters), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_before_the_head_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| pending::<Result<Response<Script>, Infallible>>());
    let call = layer(&meters).layer(service).oneshot(get("/"));
    timeout(Duration::from_millis(300), call).await.unwrap_err();
    assert_eq!((active(&meters), meters.points(ACTIVE).len()), (0.0, 1));
    assert_eq!(
        meters.point(REQUESTS).attributes,
        "error.type=canceled http.request.method=GET network.protocol.version=1.1 url.scheme=http"
    );
    assert_eq!(meters.point(REQUESTS).sum, 0.3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_the_body_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("a").hang()))
    });
    let response = layer(&meters).layer(service).oneshot(get("/")).await.unwrap();
    assert_eq!(active(&meters), 1.0);
    timeout(Duration::from_millis(300), response.into_body().collect()).await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
    assert!(meters.point(REQUESTS).attributes.starts_with("error.type=canceled "));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_handler_panics_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        if true {
            panic!("no such cart");
        }
        Ok::<_, Infallible>(answer(200))
    });
    let service = layer(&meters).layer(service);
    tokio::spawn(async { drop(service.oneshot(get("/")).await) }).await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
    assert!(meters.point(REQUESTS).attributes.starts_with("error.type=panic "));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_call_panics_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| -> std::future::Ready<Result<Response<Script>, Infallible>> {
        panic!("no such cart")
    });
    let service = layer(&meters).layer(service);
    tokio::spawn(async { drop(service.oneshot(get("/")).await) }).await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
    assert!(meters.point(REQUESTS).attributes.starts_with("error.type=panic "));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_body_panics_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("a").panic("no such cart")))
    });
    let response = layer(&meters).layer(service).oneshot(get("/")).await.unwrap();
    tokio::spawn(response.into_body().collect()).await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
    assert!(meters.point(REQUESTS).attributes.starts_with("error.type=panic "));
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_task_is_aborted_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| pending::<Result<Response<Script>, Infallible>>());
    let service = layer(&meters).layer(service);
    let task = tokio::spawn(async { drop(service.oneshot(get("/")).await) });
    tokio::task::yield_now().await;
    assert_eq!(active(&meters), 1.0);
    task.abort();
    task.await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_is_no_longer_active() {
    let meters = Meters::new();
    let service = service_fn(|_: Request<()>| async {
        Err::<Response<Script>, _>(BoxError::from(std::io::Error::other("no database")))
    });
    layer(&meters).layer(service).oneshot(get("/")).await.unwrap_err();
    assert_eq!(active(&meters), 0.0);
    assert!(meters.point(REQUESTS).attributes.starts_with("error.type=std::io::error::Error "));
}

// ===== who measures =====

#[tokio::test(start_paused = true)]
async fn what_is_skipped_is_not_measured() {
    let meters = Meters::new();
    exchange(layer(&meters).skip(|_| true), get("/healthz"), answer(200)).await;
    exchange(client_layer(&meters).skip(|_| true), get("http://a/healthz"), answer(200)).await;
    assert_eq!(meters.names(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn two_layers_around_one_service_measure_once() {
    let meters = Meters::new();
    let (outer, inner) = (layer(&meters), layer(&meters));
    exchange(Stack::new(inner, outer), get("/"), answer(200)).await;
    assert_eq!(meters.point(REQUESTS).count, 1);
    let (outer, inner) = (client_layer(&meters), client_layer(&meters));
    exchange(Stack::new(inner, outer), get("http://a/"), answer(200)).await;
    assert_eq!((meters.point(SENT).count, meters.sum("http.client.active_requests")), (1, 0.0));
}

#[tokio::test(start_paused = true)]
async fn a_client_layer_measures_below_one_that_does_not() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let stack = Stack::new(client_layer(&meters), spans.client_layer());
    exchange(stack, get("http://a/"), answer(200)).await;
    assert_eq!(meters.point(SENT).count, 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_only_an_inner_layer_knows_is_on_the_metric() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let inner = spans.layer().route(|_| Some("/carts/{id}"));
    let outer = spans.layer().metrics(meters.metrics());
    exchange(Stack::new(inner, outer), get("/carts/17"), answer(200)).await;
    assert_eq!(text(&spans.only(), "http.route"), "/carts/{id}");
    let attributes = meters.point(REQUESTS).attributes;
    assert!(attributes.contains(" http.route=/carts/{id} "), "{attributes}");
}

#[tokio::test(start_paused = true)]
async fn sampling_changes_nothing() {
    for spans in [Spans::sampled(Sampler::AlwaysOff), Spans::sampled(Sampler::TraceIdRatioBased(0.5))] {
        let meters = Meters::new();
        let layer = spans.layer().metrics(meters.metrics());
        for _ in 0..20 {
            exchange(layer.clone(), get("/"), answer(200)).await;
        }
        assert_eq!(meters.point(REQUESTS).count, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn any_provider_will_do_and_finds_the_span_current() {
    let (scribe, spans) = (Scribe::default(), Spans::new());
    let metrics = || Metrics::new(&scribe).active_requests(true).body_sizes(true);
    exchange(spans.layer().metrics(metrics()), get("/"), answer(200)).await;
    let trace = spans.only().span_context.trace_id();
    let expected = [
        format!("http.server.active_requests 1 {trace}"),
        format!("http.server.request.duration 0 {trace}"),
        format!("http.server.response.body.size 5 {trace}"),
        format!("http.server.active_requests -1 {trace}"),
    ];
    assert_eq!(scribe.written(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_meter_that_panics_costs_neither_the_request_nor_the_span() {
    // At its first measurement, at its first duration, at the end alone.
    for (holds, panics) in [(0, 1), (1, 2), (2, 1)] {
        let (scribe, spans) = (Scribe::breaking(holds), Spans::new());
        let layer = spans.layer().metrics(Metrics::new(&scribe).active_requests(true));
        let service = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer(200)) });
        let response = layer.layer(service).oneshot(get("/")).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
        assert_eq!((spans.only().name.as_ref(), scribe.panicked()), ("GET", panics));
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_cost_a_list_and_a_box_and_nothing_where_there_are_none() {
    let spans = || OtelLayer::new().tracer_provider(&NoopTracerProvider::new()).route(|_| Some("/"));
    let metrics = Metrics::new(&NoopMeterProvider::new()).active_requests(true).body_sizes(true);
    let count = async |layer: OtelLayer| {
        let service = layer.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer(200)) }));
        let mut allocations = 0;
        // The second request finds what the first one has set up.
        for _ in 0..2 {
            let call = service.clone().oneshot(get("/"));
            let mut call = std::pin::pin!(call);
            let info = allocation_counter::measure(|| {
                let mut task = std::task::Context::from_waker(std::task::Waker::noop());
                let std::task::Poll::Ready(response) = call.as_mut().poll(&mut task) else {
                    panic!("it is ready")
                };
                drop(response);
            });
            allocations = info.count_total;
        }
        allocations
    };
    assert_eq!(count(spans().metrics(metrics)).await, count(spans()).await + 2);
}

// ===== known methods =====

#[tokio::test(start_paused = true)]
async fn known_methods_replace_the_default_on_spans_and_metrics_of_both_sides() {
    for (method, name, value) in [("BREW", "BREW", "BREW"), ("GET", "GET", "GET"), ("POST", "HTTP", "_OTHER")]
    {
        let (meters, spans) = (Meters::new(), Spans::new());
        let request = || Request::builder().method(method).uri("http://a/").body(()).unwrap();
        let server = spans.layer().metrics(meters.metrics()).known_methods(["GET", "BREW"]);
        exchange(server, request(), answer(200)).await;
        let client = spans.client_layer().metrics(meters.metrics()).known_methods(["GET", "BREW"]);
        exchange(client, request(), answer(200)).await;
        for span in spans.all() {
            assert_eq!((span.name.as_ref(), text(&span, "http.request.method").as_str()), (name, value));
        }
        for metric in [REQUESTS, SENT] {
            let attributes = meters.point(metric).attributes;
            assert!(attributes.contains(&format!("http.request.method={value} ")), "{attributes}");
        }
    }
    assert_eq!(Methods::default().name(&Method::POST).as_deref(), Some("POST"));
}

// ===== over sockets =====

#[tokio::test]
async fn axum_over_a_socket_is_measured_with_its_route() {
    let meters = Meters::new();
    let server = Server::axum(shop::router().layer(layer(&meters))).await;
    client::raw1(server.address, "GET", "/ok").await;
    client::raw1(server.address, "GET", "/broken").await;
    client::raw1(server.address, "GET", "/panic").await;
    meters.measured(REQUESTS, 3).await;
    let attributes: Vec<_> = meters.points(REQUESTS).into_iter().map(|point| point.attributes).collect();
    let rest = "network.protocol.version=1.1 url.scheme=http";
    assert_eq!(
        attributes,
        [
            format!(
                "error.type=500 http.request.method=GET http.response.status_code=500 http.route=/{{what}} {rest}"
            ),
            format!("error.type=panic http.request.method=GET http.route=/{{what}} {rest}"),
            format!("http.request.method=GET http.response.status_code=200 http.route=/{{what}} {rest}"),
        ]
    );
    assert_eq!(active(&meters), 0.0);
}

#[tokio::test]
async fn the_route_of_axum_reaches_a_layer_outside_of_the_router() {
    let meters = Meters::new();
    let inner = OtelLayer::new().tracer_provider(&NoopTracerProvider::new());
    let service = layer(&meters).layer(shop::router().layer(inner));
    let server = Server::hyper1(service_fn(move |request: Request<hyper::body::Incoming>| {
        service.clone().oneshot(request.map(axum::body::Body::new))
    }))
    .await;
    client::raw1(server.address, "GET", "/ok").await;
    meters.measured(REQUESTS, 1).await;
    let attributes = meters.point(REQUESTS).attributes;
    assert!(attributes.contains("http.route=/{what}"), "{attributes}");
}

#[tokio::test]
async fn hyper_over_sockets_is_measured_also_when_a_client_leaves() {
    for http2 in [false, true] {
        let meters = Meters::new();
        let service = layer(&meters).layer(service_fn(shop::shop));
        let server = if http2 { Server::hyper2(service).await } else { Server::hyper1(service).await };
        let soon = Duration::from_millis(200);
        if http2 {
            client::leave2(server.address, &["/ok", "/endless", "/slow"], soon).await;
        } else {
            client::raw1(server.address, "GET", "/ok").await;
            client::leave1(server.address, "GET", "/endless", soon).await;
            client::leave1(server.address, "GET", "/slow", soon).await;
        }
        meters.measured(REQUESTS, 3).await;
        let attributes: Vec<_> = meters.points(REQUESTS).into_iter().map(|point| point.attributes).collect();
        let version = if http2 { "2" } else { "1.1" };
        let rest = format!("network.protocol.version={version} url.scheme=http");
        assert_eq!(
            attributes,
            [
                format!("error.type=canceled http.request.method=GET http.response.status_code=200 {rest}"),
                format!("error.type=canceled http.request.method=GET {rest}"),
                format!("http.request.method=GET http.response.status_code=200 {rest}"),
            ]
        );
        assert_eq!(active(&meters), 0.0);
    }
}

#[tokio::test]
async fn a_hyper_client_over_a_socket_is_measured() {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let meters = Meters::new();
    let server = Server::hyper1(service_fn(shop::shop)).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let uri = format!("http://{}/ok", server.address);
    let request = Request::get(uri).body(Empty::new()).unwrap();
    let response = client_layer(&meters).layer(client).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    let (address, port) = (server.address.ip(), server.address.port());
    assert_eq!(
        meters.point(SENT).attributes,
        format!(
            "http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 \
             server.address={address} server.port={port}"
        )
    );
    assert_eq!(meters.sum("http.client.response.body.size"), 5.0);
}

#[tokio::test]
async fn tonic_over_a_socket_is_measured_on_both_sides() {
    let meters = Meters::new();
    let server = Server::tonic(layer(&meters)).await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let channel = client_layer(&meters).layer(channel.connect().await.unwrap());
    let mut client = GreeterClient::new(channel, server.address);
    client.hello("worf").await.unwrap();
    client.hello("nobody").await.unwrap_err();
    client.unheard_of().await.unwrap_err();
    meters.measured(CALLS, 3).await;
    meters.measured(SENT_CALLS, 3).await;
    let of = |metric| -> Vec<_> {
        let points = meters.points(metric).into_iter();
        points
            .map(|Point { attributes, .. }| attributes.split(" rpc.response").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        of(CALLS),
        [
            "error.type=UNIMPLEMENTED rpc.method=_OTHER",
            "rpc.method=shop.Greeter/SayHello",
            "rpc.method=shop.Greeter/SayHello"
        ]
    );
    assert_eq!(
        of(SENT_CALLS),
        [
            "error.type=NOT_FOUND rpc.method=shop.Greeter/SayHello",
            "error.type=UNIMPLEMENTED rpc.method=shop.Greeter/SayGoodbye",
            "rpc.method=shop.Greeter/SayHello",
        ]
    );
    assert_eq!((active(&meters), meters.sum("http.client.active_requests")), (0.0, 0.0));
}

// ===== what a stranger can do =====

/// Any request, as one would be made to hurt.
fn stranger() -> impl Strategy<Value = Request<()>> {
    let method =
        prop_oneof![3 => Just("POST".to_owned()), 2 => Just("GET".to_owned()), 1 => "[!#-'*+.A-Za-z]{1,9}"];
    let target =
        ("(https?://[a-z0-9.-]{0,9}[a-z](:[0-9]{1,4})?)?", "/[a-zA-Z0-9._~/-]{0,20}([?][a-z=&%]{0,9})?");
    let version = prop_oneof![
        3 => Just(Version::HTTP_2),
        1 => prop::sample::select(vec![Version::HTTP_09, Version::HTTP_10, Version::HTTP_11, Version::HTTP_3]),
    ];
    let kind = prop_oneof![
        3 => Just("application/grpc".to_owned()),
        1 => "application/grpc[+;a-z]{0,9}",
        1 => "[ -~]{0,9}",
    ];
    let header = (prop::sample::select(HEADERS.to_vec()), prop::collection::vec(any::<u8>(), 0..20));
    let headers = prop::collection::vec(header, 0..6);
    (method, target, version, kind, headers).prop_map(|(method, (origin, path), version, kind, headers)| {
        let builder = Request::builder().method(&*method).uri(format!("{origin}{path}")).version(version);
        let mut request = builder.header("content-type", kind).body(()).unwrap();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        request
    })
}

/// Where servers look for something.
const HEADERS: [&str; 14] = [
    "host",
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-for",
    "user-agent",
    "content-length",
    "content-type",
    "grpc-status",
    "grpc-timeout",
    "traceparent",
    "tracestate",
    "baggage",
    "x-amzn-trace-id",
];

/// Each path has an answer of its own; no gRPC method that a stranger could guess is answered with `OK`.
fn answered(path: &str) -> Response<Script> {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    match hasher.finish() % 9 {
        0 => answer(200),
        1 => answer(404),
        2 => answer(500),
        3 => Response::new(Script::new().data("a").fail("the disk is gone")),
        4 => grpc_answer("12"),
        5 => grpc_answer("16"),
        6 => grpc_answer("13"),
        7 => grpc_answer("none"),
        _ => grpc_answer("5"),
    }
}

#[test]
fn a_stranger_cannot_multiply_names() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (meters, spans) = (Meters::new(), Spans::new());
    let service = service_fn(|request: Request<()>| {
        let path = request.uri().path().to_owned();
        async move { Ok::<_, Infallible>(answered(&path)) }
    });
    let layer = spans.layer().metrics(meters.all_metrics()).trusted_hops(1);
    let service = layer.layer(service);
    let mut runner = TestRunner::new(ProptestConfig { cases: 4_000, ..ProptestConfig::default() });
    let each = |request: Request<()>| {
        // Some leave before the end of the body.
        let stays = !request.headers().len().is_multiple_of(3);
        runtime.block_on(async {
            let response = service.clone().oneshot(request).await.unwrap();
            if stays {
                drop(response.into_body().collect().await);
            }
        });
        Ok(())
    };
    runner.run(&stranger(), each).unwrap();

    let all = spans.all();
    assert!(all.len() >= 4_000);
    let distinct = |what: &dyn Fn(&opentelemetry_sdk::trace::SpanData) -> String| {
        all.iter().map(what).collect::<HashSet<_>>().len()
    };
    assert!(distinct(&|span| text(span, "rpc.method_original")) > 300, "strangers tried");
    let methods = distinct(&|span| text(span, "rpc.method"));
    // No method, `_OTHER`, and the room for those that were never answered with OK.
    assert!((50..=102).contains(&methods), "{methods}");
    assert!(distinct(&|span| text(span, "http.request.method")) <= 12);
    assert_eq!(distinct(&|span| text(span, "http.route")), 1);
    assert!(distinct(&|span| span.name.to_string()) <= 112, "{}", distinct(&|span| span.name.to_string()));
    for (metric, most) in [
        (REQUESTS, 11 * 2 * 5 * 5),
        ("http.server.request.body.size", 11 * 2 * 5 * 5),
        ("http.server.response.body.size", 11 * 2 * 5 * 5),
        (ACTIVE, 11 * 2),
        (CALLS, 300),
    ] {
        let points = meters.points(metric).len();
        assert!(points <= most, "{metric}: {points}");
    }
    assert_eq!(active(&meters), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_answered_with_ok_has_its_name_whatever_strangers_did_before() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let layer = spans.layer().metrics(meters.metrics());
    for n in 0..200 {
        exchange(layer.clone(), grpc(&format!("/by.A/Stranger{n}")), grpc_answer("16")).await;
    }
    exchange(layer.clone(), grpc("/a.B/C"), grpc_answer("13")).await;
    assert_eq!(text(spans.all().last().unwrap(), "rpc.method"), "_OTHER");
    exchange(layer.clone(), grpc("/a.B/C"), grpc_answer("0")).await;
    exchange(layer.clone(), grpc("/a.B/C"), grpc_answer("13")).await;
    let all = spans.all();
    for span in &all[201..] {
        assert_eq!((span.name.as_ref(), text(span, "rpc.method").as_str()), ("a.B/C", "a.B/C"));
    }
    let names: HashSet<_> = all.iter().map(|span| span.name.clone()).collect();
    assert_eq!((names.len(), all[199].name.as_ref()), (102, "grpc"));
    assert_eq!(text(&all[199], "rpc.method_original"), "by.A/Stranger199");
    assert_eq!(
        meters.points(CALLS).len(),
        104,
        "100, one that is other, and one that is known with two codes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_the_path_ends_at_a_thousand_names_and_one_warning() {
    let (log, meters, spans) = (log::Log::default(), Meters::new(), Spans::new());
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let layer = spans
        .layer()
        .metrics(meters.metrics())
        .route(|request: &http::request::Parts| Some(request.uri.path().to_owned()));
    for n in 0..1_100 {
        exchange(layer.clone(), get(&format!("/users/{n}")), answer(200)).await;
    }
    exchange(layer.clone(), get("/users/7"), answer(200)).await;
    let routes: HashSet<_> = spans.all().iter().map(|span| text(span, "http.route")).collect();
    assert_eq!((routes.len(), routes.contains("_OTHER")), (1_001, true));
    assert_eq!(spans.all()[1_099].name, "GET _OTHER");
    assert_eq!(spans.all()[1_100].name, "GET /users/7");
    assert_eq!(meters.points(REQUESTS).len(), 1_001);
    let warned = log.lines().into_iter().filter(|line| line.contains("does `route` give the path?")).count();
    assert_eq!(warned, 1);
}

#[tokio::test(start_paused = true)]
async fn a_router_of_axum_may_have_any_number_of_routes() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let route = |router: axum::Router, n: usize| {
        router.route(&format!("/r{n}/{{id}}"), axum::routing::get(|| async {}))
    };
    let router = (0..1_001).fold(axum::Router::new(), route);
    let router = router.route_layer(spans.layer().metrics(meters.metrics()));
    for n in 0..1_001 {
        let request = Request::get(format!("/r{n}/17")).body(axum::body::Body::empty()).unwrap();
        drop(router.clone().oneshot(request).await.unwrap().into_body().collect().await);
    }
    assert_eq!(meters.points(REQUESTS).len(), 1_001);
    assert_eq!(text(&spans.all()[1_000], "http.route"), "/r1000/{id}");
}

#[tokio::test(start_paused = true)]
async fn a_client_of_any_host_and_any_method_ends_at_a_thousand_names() {
    let (meters, spans) = (Meters::new(), Spans::new());
    let layer = spans.client_layer().metrics(meters.all_metrics());
    for n in 0..1_100 {
        exchange(layer.clone(), get(&format!("http://tenant{n}.example/")), answer(200)).await;
        exchange(layer.clone(), grpc(&format!("http://tenant0.example/by.A/Stranger{n}")), grpc_answer("0"))
            .await;
    }
    for metric in [SENT, SENT_CALLS] {
        assert_eq!(meters.points(metric).len(), 1_001, "{metric}");
    }
    let other = |point: &Point| {
        point.attributes.contains("server.address=_OTHER") && !point.attributes.contains("port")
    };
    assert_eq!(meters.points(SENT).iter().filter(|point| other(point)).count(), 1);
    let all = spans.all();
    assert_eq!(text(&all[2_198], "server.address"), "tenant1099.example", "the span says whom it called");
    let last = &all[2_199];
    let method = text(last, "rpc.method_original");
    assert_eq!(
        (last.name.as_ref(), text(last, "rpc.method").as_str(), method.as_str()),
        ("grpc", "_OTHER", "by.A/Stranger1099")
    );
}

#[tokio::test(start_paused = true)]
async fn the_case_of_a_host_multiplies_nothing() {
    let meters = Meters::new();
    let layer = Spans::new().client_layer().metrics(meters.metrics());
    for host in ["api.example", "API.example", "Api.Example"] {
        exchange(layer.clone(), get(&format!("http://{host}/")), answer(200)).await;
    }
    let points = meters.points(SENT);
    assert_eq!((points.len(), points[0].count), (1, 3));
    assert!(points[0].attributes.contains("server.address=api.example"), "{points:?}");
}

#[tokio::test(start_paused = true)]
async fn the_clones_of_a_layer_share_the_room() {
    let spans = Spans::new();
    let layer = spans.layer();
    for n in 0..150 {
        let clone = layer.clone().known_methods(["POST"]);
        exchange(clone, grpc(&format!("/by.A/Stranger{n}")), grpc_answer("16")).await;
    }
    let names: HashSet<_> = spans.all().into_iter().map(|span| span.name).collect();
    assert_eq!(names.len(), 101);
}
