//! What the layers write into headers and take out of them, besides the trace itself; baggage and old names on spans.
#![cfg(feature = "full")]

mod support;

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use belvedere::{
    cloudwatch::{CloudWatchLayer, LogLane},
    observe::{ObserveLayer, Observer},
    otel::{BaggageAttributes, Ids, OtelClientLayer, OtelLayer, Undecided},
    outbox::Outbox,
    trace::{Propagation, Propagator, Scope, TrustIncoming},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Version, request};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt as _,
    trace::{
        FutureExt as _, TraceContextExt as _, Tracer as _, TracerProvider as _, noop::NoopTracerProvider,
    },
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use support::{
    Script, Server, Spans,
    observer::Bystander,
    spans::{attribute, attributes},
};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Every header that carries a trace or baggage.
const TRACING: [&str; 10] = [
    "traceparent",
    "tracestate",
    "baggage",
    "x-amzn-trace-id",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
];

// ===== excluded hosts =====

fn traced(uri: &str) -> Request<()> {
    let request = TRACING.iter().fold(Request::get(uri), |request, name| request.header(*name, "x"));
    request.header("accept", "*/*").body(()).unwrap()
}

async fn sent(layer: OtelClientLayer, request: Request<()>) -> HeaderMap {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let into = seen.clone();
    let service = service_fn(move |request: Request<()>| {
        *into.lock().unwrap() = request.headers().clone();
        ready(Ok::<_, Infallible>(Response::new(Script::new().last())))
    });
    layer.layer(service).oneshot(request).await.unwrap();
    let headers = seen.lock().unwrap();
    headers.clone()
}

#[tokio::test(start_paused = true)]
async fn an_excluded_host_gets_a_span_and_no_header_of_a_trace_not_even_a_passed_on_one() {
    let spans = Spans::new();
    for propagators in [&[Propagator::TraceContext, Propagator::Baggage][..], &[Propagator::B3], &[]] {
        let layer = OtelClientLayer::new()
            .tracer_provider(&spans.provider)
            .propagation(Propagation::new(propagators.iter().copied()))
            .excluded_hosts(["api.partner.example", "*.example.com"])
            .unwrap();
        for uri in ["https://API.partner.example:8443/x", "http://eu.example.com/"] {
            let headers = sent(layer.clone(), traced(uri)).await;
            assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"], "{uri}");
        }
    }
    assert_eq!(spans.all().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_host_goes_to_the_origin_which_may_be_an_excluded_one() {
    let origin = || http::Uri::from_static("http://api.partner.example:50051");
    for (host, told) in [("api.partner.example", false), ("api.partner.example:80", true)] {
        let layer = OtelClientLayer::new().tracer_provider(&Spans::new().provider).origin(origin());
        let layer = layer.excluded_hosts([host]).unwrap();
        let headers = sent(layer, Request::get("/a.B/C").body(()).unwrap()).await;
        assert_eq!(headers.contains_key("traceparent"), told, "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_other_hosts_get_their_headers() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let layer = layer.excluded_hosts(vec!["*.example.com".to_owned()]).unwrap();
    let baggage = Context::new().with_baggage([KeyValue::new("tenant", "acme")]);
    let headers =
        sent(layer, Request::get("http://example.com/").body(()).unwrap()).with_context(baggage).await;
    assert_eq!(headers["baggage"], "tenant=acme");
    assert!(headers.contains_key("traceparent"));
}

#[tokio::test]
async fn over_sockets_an_excluded_host_sees_nothing_of_the_trace() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    let callee = Server::hyper1(service_fn(move |request: Request<Incoming>| {
        let mut names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
        names.sort();
        into.lock().unwrap().push(names);
        ready(Ok::<_, Infallible>(Response::new(Script::new().last())))
    }))
    .await;
    let spans = Spans::new();
    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let plain = OtelClientLayer::new().tracer_provider(&spans.provider);
    let port = callee.address.port();
    for excluded in [vec![], vec!["127.0.0.1".to_owned()], vec![format!("127.0.0.1:{port}")]] {
        let client = plain.clone().excluded_hosts(excluded).unwrap().layer(http.clone());
        let request = Request::get(format!("http://{}/", callee.address)).header("b3", "0");
        let response = client.oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(*seen.lock().unwrap(), [vec!["b3", "host", "traceparent"], vec!["host"], vec!["host"]]);
}

#[test]
fn a_pattern_that_is_no_host_is_refused_at_construction() {
    let error = OtelClientLayer::new().excluded_hosts(["https://api.example/"]).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("https://api.example/"), "{error}");
}

// ===== answers for browsers =====

fn browser(spans: &Spans) -> OtelLayer {
    OtelLayer::new().tracer_provider(&spans.provider).server_timing(true).traceresponse(true)
}

/// The two headers of an answer, and the span that they are about.
fn named(headers: &HeaderMap) -> (Vec<&str>, Vec<&str>) {
    let all = |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    (all("traceresponse"), all("server-timing"))
}

fn traceparent(span: &SpanData, flags: &str) -> String {
    let context = &span.span_context;
    format!("00-{}-{}-{flags}", context.trace_id(), context.span_id())
}

fn timing(traceparent: &str) -> String {
    format!("traceparent;desc=\"{traceparent}\"")
}

async fn answered(router: Router, request: Request<axum::body::Body>) -> HeaderMap {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    drop(http_body_util::BodyExt::collect(body).await);
    parts.headers
}

fn request(headers: &[(&str, &str)]) -> Request<axum::body::Body> {
    let request =
        headers.iter().fold(Request::get("/ok"), |request, (name, value)| request.header(*name, *value));
    request.body(axum::body::Body::empty()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_answer_names_its_span_when_it_is_asked_to() {
    for status in [200, 404, 500] {
        let spans = Spans::new();
        let status = http::StatusCode::from_u16(status).unwrap();
        let app = Router::new().route("/ok", get(move || async move { status })).layer(browser(&spans));
        let headers = answered(app, request(&[("traceparent", TRACEPARENT)])).await;
        let expected = traceparent(&spans.only(), "01");
        assert!(expected.contains(TRACE));
        assert_eq!(named(&headers), (vec![&*expected], vec![&*timing(&expected)]));
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_an_answer_names_nothing_and_each_header_is_asked_for_alone() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider);
    for (layer, traceresponse, timing) in [
        (layer.clone(), 0, 0),
        (layer.clone().traceresponse(true), 1, 0),
        (layer.clone().server_timing(true), 0, 1),
        (layer.server_timing(true).server_timing(false), 0, 0),
    ] {
        let headers = answered(support::shop::router().layer(layer), request(&[])).await;
        let (responses, timings) = named(&headers);
        assert_eq!((responses.len(), timings.len()), (traceresponse, timing));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_says_of_its_own_timing_stays() {
    let spans = Spans::new();
    let own = || async { [("server-timing", "db;dur=53"), ("traceresponse", "00-upstream")] };
    let app = Router::new().route("/ok", get(own)).layer(browser(&spans));
    let headers = answered(app, request(&[])).await;
    let expected = traceparent(&spans.only(), "03");
    // What a service called further on says of itself is not said of this one.
    assert_eq!(named(&headers), (vec![&*expected], vec!["db;dur=53", &*timing(&expected)]));
}

#[tokio::test(start_paused = true)]
async fn of_two_layers_either_may_ask_and_the_answer_says_it_once() {
    let plain = |spans: &Spans| OtelLayer::new().tracer_provider(&spans.provider);
    for (inner_asks, outer_asks) in [(true, false), (false, true), (true, true)] {
        let spans = Spans::new();
        let layer = |asks| if asks { browser(&spans) } else { plain(&spans) };
        let app = support::shop::router().layer(layer(inner_asks)).layer(layer(outer_asks));
        let headers = answered(app, request(&[])).await;
        let expected = traceparent(&spans.only(), "03");
        assert_eq!(named(&headers), (vec![&*expected], vec![&*timing(&expected)]));
    }
    let spans = Spans::new();
    let app = support::shop::router().layer(ObserveLayer::new((plain(&spans), browser(&spans))));
    let headers = answered(app, request(&[])).await;
    assert_eq!(named(&headers).1, [timing(&traceparent(&spans.only(), "03"))]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_recorded_says_so() {
    let spans = Spans::new();
    let app = support::shop::router().layer(browser(&spans));
    let headers = answered(app, request(&[("traceparent", &TRACEPARENT.replace("-01", "-00"))])).await;
    let (responses, _) = named(&headers);
    assert!(
        responses[0].starts_with(&format!("00-{TRACE}-")) && responses[0].ends_with("-00"),
        "{responses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_an_answer_names_the_trace_as_not_recorded() {
    let seen = Arc::new(Mutex::new(String::new()));
    let into = seen.clone();
    let app = Router::new().route(
        "/ok",
        get(move || async move {
            *into.lock().unwrap() = Scope::current().unwrap().identity().unwrap().trace_id().to_string();
        }),
    );
    let layer = OtelLayer::new().tracer_provider(&NoopTracerProvider::new());
    let headers = answered(app.layer(layer.server_timing(true).traceresponse(true)), request(&[])).await;
    let (responses, timings) = named(&headers);
    let start = format!("00-{}-", seen.lock().unwrap());
    // The id is random, and nothing is recorded.
    assert!(responses[0].starts_with(&start) && responses[0].ends_with("-02"), "{responses:?}");
    assert_eq!(timings, [timing(responses[0])]);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_answered_with_our_own_trace() {
    let spans = Spans::new();
    let app = support::shop::router().layer(browser(&spans).trust(TrustIncoming::None));
    let headers = answered(app, request(&[("traceparent", TRACEPARENT)])).await;
    assert!(!named(&headers).0[0].contains(TRACE));
    assert_eq!(named(&headers).0, [traceparent(&spans.only(), "03")]);
}

#[tokio::test(start_paused = true)]
async fn cors_may_stand_inside_or_outside() {
    let cors = || {
        CorsLayer::new()
            .allow_origin(HeaderValue::from_static("https://shop.example"))
            .allow_headers([HeaderName::from_static("traceparent")])
            .expose_headers([HeaderName::from_static("traceresponse")])
    };
    let origin = [("origin", "https://shop.example"), ("access-control-request-method", "GET")];
    for (cors_is_outside, preflights) in [(true, 0), (false, 1)] {
        let spans = Spans::new();
        let (shop, otel) = (support::shop::router(), browser(&spans));
        let app =
            if cors_is_outside { shop.layer(otel).layer(cors()) } else { shop.layer(cors()).layer(otel) };
        let mut preflight = request(&origin);
        *preflight.method_mut() = Method::OPTIONS;
        let headers = answered(app.clone(), preflight).await;
        assert_eq!(headers["access-control-allow-headers"], "traceparent");
        assert_eq!(spans.all().len(), preflights);

        let headers = answered(app, request(&origin)).await;
        assert_eq!(headers["access-control-expose-headers"], "traceresponse");
        assert_eq!((named(&headers).0.len(), named(&headers).1.len()), (1, 1));
    }
}

// ===== baggage on spans =====

struct Tenants {
    provider: SdkTracerProvider,
    exporter: InMemorySpanExporter,
}

impl Tenants {
    fn new() -> Self {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_sampler(Undecided(Sampler::AlwaysOn))
            .with_span_processor(BaggageAttributes::new(["tenant", "plan", "tenant"]))
            .with_simple_exporter(exporter.clone())
            .build();
        Self { provider, exporter }
    }

    /// A request whose handler makes a span by hand and a call.
    async fn serve(&self, layer: OtelLayer, baggage: &str) {
        let client = OtelClientLayer::new().tracer_provider(&self.provider);
        let tracer = self.provider.tracer("handler");
        let layer = layer.tracer_provider(&self.provider);
        let service = layer.layer(service_fn(move |_: Request<()>| {
            tracer.start("by hand");
            let client = client.clone();
            async move {
                sent(client, Request::get("http://api.example/").body(()).unwrap()).await;
                Ok::<_, Infallible>(Response::new(Script::new().last()))
            }
        }));
        let request = Request::get("/").header("baggage", baggage).header("traceparent", TRACEPARENT);
        let request = request.header("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793");
        service.oneshot(request.body(()).unwrap()).await.unwrap();
    }

    fn tenants(&self) -> Vec<Option<String>> {
        let spans = self.exporter.get_finished_spans().unwrap();
        spans.iter().map(|span| attribute(span, "tenant")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn listed_entries_of_the_baggage_are_on_every_span() {
    let tenants = Tenants::new();
    tenants.serve(OtelLayer::new(), "tenant=acme%20inc,secret=hunter2").await;
    assert_eq!(tenants.tenants(), vec![Some("acme inc".to_owned()); 3]);
    for span in tenants.exporter.get_finished_spans().unwrap() {
        assert_eq!(attribute(&span, "secret"), None);
        assert_eq!(attribute(&span, "plan"), None);
        assert_eq!(span.attributes.iter().filter(|pair| pair.key.as_str() == "tenant").count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn baggage_that_is_not_trusted_or_not_read_is_on_no_span() {
    for layer in [
        OtelLayer::new().trust(TrustIncoming::Ids),
        OtelLayer::new().trust(TrustIncoming::None),
        OtelLayer::new().propagation(Propagation::new([Propagator::TraceContext])),
    ] {
        let tenants = Tenants::new();
        tenants.serve(layer, "tenant=acme").await;
        assert_eq!(tenants.tenants(), [None, None, None]);
    }
}

#[tokio::test(start_paused = true)]
async fn baggage_that_is_added_between_two_layers_is_read_as_well() {
    let (tenants, outbox) = (Tenants::new(), Outbox::builder().start().unwrap());
    let handler =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Script::new().last()))));
    let inner = OtelLayer::new().tracer_provider(&tenants.provider).layer(handler);
    let between = inner.map_request(|mut request: Request<()>| {
        request.headers_mut().insert("baggage", HeaderValue::from_static("tenant=acme"));
        request
    });
    let outer = CloudWatchLayer::on(LogLane::stdout(&outbox));
    outer.layer(between).oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    assert_eq!(tenants.tenants(), [Some("acme".to_owned())]);
}

/// An observer that adds a header to each request.
#[derive(Clone)]
struct Adds;

impl Observer for Adds {
    type Observation = Bystander;

    fn observe(&self, request: &mut request::Parts, _: &mut Scope) -> Option<Bystander> {
        request.headers.insert("baggage", HeaderValue::from_static("tenant=acme"));
        None
    }
}

#[tokio::test(start_paused = true)]
async fn baggage_that_another_observer_of_the_same_pass_adds_is_read_as_well() {
    let (tenants, outbox) = (Tenants::new(), Outbox::builder().start().unwrap());
    let lines = CloudWatchLayer::on(LogLane::stdout(&outbox));
    let spans = OtelLayer::new().tracer_provider(&tenants.provider);
    let handler =
        service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Script::new().last()))));
    let service = ObserveLayer::new((lines, Adds, spans)).layer(handler);
    service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    assert_eq!(tenants.tenants(), [Some("acme".to_owned())]);
}

/// The headers with which a proxy that has these layers sends a request on.
async fn passed_on(server: OtelLayer, client: OtelClientLayer, request: Request<()>) -> HeaderMap {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let into = seen.clone();
    let service = server.layer(service_fn(move |mut request: Request<()>| {
        *request.uri_mut() = "http://api.example/".parse().unwrap();
        let (client, into) = (client.clone(), into.clone());
        async move {
            let headers = sent(client, request).await;
            *into.lock().unwrap() = headers;
            Ok::<_, Infallible>(Response::new(Script::new().last()))
        }
    }));
    service.oneshot(request).await.unwrap();
    let headers = seen.lock().unwrap();
    headers.clone()
}

#[tokio::test(start_paused = true)]
async fn a_proxy_passes_baggage_on_from_those_alone_whom_it_trusts() {
    for (trust, expected) in
        [(TrustIncoming::All, Some("tenant=acme")), (TrustIncoming::Ids, None), (TrustIncoming::None, None)]
    {
        let spans = Spans::new();
        let request = Request::get("/").header("baggage", "tenant=acme").body(()).unwrap();
        let headers = passed_on(spans.layer().trust(trust), spans.client_layer(), request).await;
        let baggage = headers.get("baggage").map(|value| value.to_str().unwrap());
        assert_eq!(baggage, expected, "{trust:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_without_a_provider_passes_a_trace_on_from_those_alone_whom_it_trusts() {
    for (trust, expected) in
        [(TrustIncoming::All, Some(TRACEPARENT)), (TrustIncoming::Ids, None), (TrustIncoming::None, None)]
    {
        let provider = NoopTracerProvider::new();
        let (server, client) = (OtelLayer::new().trust(trust), OtelClientLayer::new());
        let request = Request::get("/").header("traceparent", TRACEPARENT).header("tracestate", "vendor=1");
        let request = request.body(()).unwrap();
        let headers =
            passed_on(server.tracer_provider(&provider), client.tracer_provider(&provider), request).await;
        let parent = headers.get("traceparent").map(|value| value.to_str().unwrap());
        assert_eq!(parent, expected, "{trust:?}");
        assert_eq!(headers.contains_key("tracestate"), expected.is_some(), "{trust:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_under_an_active_span_keeps_the_baggage_that_is_there() {
    // The last one is given a root without a parent: a trace of its own.
    for layer in [
        OtelLayer::new().propagation(Propagation::new([])),
        OtelLayer::new().trust(TrustIncoming::None),
        OtelLayer::new().propagation(Propagation::new([Propagator::XRay])),
    ] {
        let tenants = Tenants::new();
        let around = tenants.provider.tracer("around").start("around");
        let context = Context::new().with_baggage([KeyValue::new("tenant", "acme")]).with_span(around);
        tenants.serve(layer, "tenant=evil").with_context(context).await;
        assert_eq!(tenants.tenants()[..3], vec![Some("acme".to_owned()); 3]);
    }
}

#[test]
fn a_long_entry_is_cut_at_a_character() {
    let tenants = Tenants::new();
    let context = Context::new().with_baggage([KeyValue::new("tenant", "é".repeat(2000))]);
    drop(tenants.provider.tracer("test").start_with_context("long", &context));
    assert_eq!(tenants.tenants(), [Some("é".repeat(1024))]);
}

// ===== old names =====

#[tokio::test(start_paused = true)]
async fn a_server_span_has_the_old_names_beside_the_new_ones() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider).old_http_names(true);
    let mut request = request(&[("host", "shop.example:8080"), ("user-agent", "curl/8")]);
    *request.uri_mut() = "/ok?token=secret".parse().unwrap();
    let peer: std::net::SocketAddr = "192.0.2.7:4711".parse().unwrap();
    request.extensions_mut().insert(belvedere::exchange::Peer(peer));
    answered(support::shop::router().layer(layer), request).await;
    assert_eq!(
        attributes(&spans.only()),
        [
            "client.address=192.0.2.7",
            "http.client_ip=192.0.2.7",
            "http.flavor=1.1",
            "http.method=GET",
            "http.request.method=GET",
            "http.response.status_code=200",
            "http.route=/{what}",
            "http.scheme=http",
            "http.status_code=200",
            "http.target=/ok?token=REDACTED",
            "http.url=http://shop.example:8080/ok?token=REDACTED",
            "http.user_agent=curl/8",
            "net.host.name=shop.example",
            "net.host.port=8080",
            "net.sock.peer.addr=192.0.2.7",
            "net.sock.peer.port=4711",
            "network.peer.address=192.0.2.7",
            "network.peer.port=4711",
            "network.protocol.version=1.1",
            "server.address=shop.example",
            "server.port=8080",
            "url.path=/ok",
            "url.query=token=REDACTED",
            "url.scheme=http",
            "user_agent.original=curl/8",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_span_has_the_old_names_beside_the_new_ones() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider).old_http_names(true);
    let request =
        Request::get("https://user:secret@api.example/carts?token=secret").header("user-agent", "belvedere");
    sent(layer, request.body(()).unwrap()).await;
    assert_eq!(
        attributes(&spans.only()),
        [
            "http.flavor=1.1",
            "http.method=GET",
            "http.request.method=GET",
            "http.response.status_code=200",
            "http.status_code=200",
            "http.url=https://REDACTED:REDACTED@api.example/carts?token=REDACTED",
            "http.user_agent=belvedere",
            "net.peer.name=api.example",
            "net.peer.port=443",
            "network.protocol.version=1.1",
            "server.address=api.example",
            "server.port=443",
            "url.full=https://REDACTED:REDACTED@api.example/carts?token=REDACTED",
            "user_agent.original=belvedere",
        ]
    );
}

#[tokio::test]
async fn a_client_span_has_the_old_names_of_the_socket_and_of_a_resend() {
    let callee = Server::hyper1(service_fn(|_: Request<Incoming>| {
        ready(Ok::<_, Infallible>(Response::new(Script::new().last())))
    }))
    .await;
    let spans = Spans::new();
    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let client = OtelClientLayer::new().tracer_provider(&spans.provider).old_http_names(true).layer(http);
    let resends = belvedere::exchange::Resends::new();
    resends.send();
    let request = Request::get(format!("http://{}/", callee.address)).extension(resends);
    client.oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    let span = spans.only();
    for (new, old) in [
        ("http.request.resend_count", "http.resend_count"),
        ("network.peer.address", "net.sock.peer.addr"),
        ("network.peer.port", "net.sock.peer.port"),
    ] {
        assert!(attribute(&span, new).is_some(), "{new}");
        assert_eq!(attribute(&span, old), attribute(&span, new), "{old}");
    }
}

/// The old names on the span of what may be a call of gRPC, and is one if its answer has this content type.
async fn old_names_of_grpc(content_type: &'static str) -> Vec<String> {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider).old_http_names(true);
    let service = layer.layer(service_fn(move |_: Request<()>| {
        let answer = Response::builder().header("content-type", content_type);
        ready(Ok::<_, Infallible>(answer.body(Script::new().last()).unwrap()))
    }));
    let request = Request::post("http://shop.example/shop.Greeter/SayHello")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc");
    service.oneshot(request.body(()).unwrap()).await.unwrap();
    let mut old = attributes(&spans.only());
    old.retain(|pair| {
        let name = pair.split('=').next().unwrap();
        name.starts_with("net.")
            || ["http.method", "http.flavor", "http.status_code", "http.url"].contains(&name)
    });
    old
}

#[tokio::test(start_paused = true)]
async fn a_span_of_grpc_has_no_old_names_unless_it_turns_out_to_be_http() {
    assert_eq!(old_names_of_grpc("application/grpc").await, [""; 0]);
    assert_eq!(
        old_names_of_grpc("text/plain").await,
        [
            "http.flavor=2.0",
            "http.method=POST",
            "http.status_code=200",
            "http.url=http://shop.example/shop.Greeter/SayHello",
            "net.host.name=shop.example",
        ]
    );
}
