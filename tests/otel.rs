//! The OpenTelemetry layers, attribute by attribute.
#![cfg(feature = "otel")]

#[path = "otel/clients.rs"]
mod clients;
#[path = "otel/servers.rs"]
mod servers;
mod support;
#[path = "otel/table.rs"]
mod table;

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use belvedere::{
    exchange::{Annotations, Peer, Query},
    observe::ObserveLayer,
    otel::{OtelClientLayer, OtelLayer},
    trace::{Propagation, Propagator, TrustIncoming},
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry::{KeyValue, trace::SpanKind};
use opentelemetry_sdk::trace::{Sampler, SpanData};
use support::{
    Script,
    spans::{Spans, attribute, attributes, status},
};
use tokio::time::timeout;
use tower::{BoxError, Layer, Service, ServiceExt as _, service_fn};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Sends one request through a layered service that gives `answer`, reads its body, and gives the head.
async fn exchange(layer: &OtelLayer, request: Request<()>, answer: Response<Script>) -> Response<()> {
    let mut answer = Some(answer);
    let service = service_fn(move |_: Request<()>| {
        let answer = answer.take().unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let (parts, body) = layer.layer(service).oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    Response::from_parts(parts, ())
}

/// The span of one request to a service that gives `answer`.
async fn span_of(request: Request<()>, answer: Response<Script>) -> SpanData {
    let spans = Spans::new();
    exchange(&OtelLayer::new().tracer_provider(&spans.provider), request, answer).await;
    spans.only()
}

fn answer(status: u16) -> Response<Script> {
    Response::builder().status(status).body(Script::new().data("hello").last()).unwrap()
}

fn get(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_server_span_has_the_attributes_of_the_conventions_and_no_others() {
    let mut request = Request::post("/carts/17?token=secret")
        .header("host", "shop.example:8080")
        .header("user-agent", "curl/8")
        .header("authorization", "Bearer secret")
        .body(())
        .unwrap();
    request.extensions_mut().insert(Peer("192.0.2.7:4711".parse::<SocketAddr>().unwrap()));
    let span = span_of(request, answer(200)).await;
    assert_eq!((span.name.as_ref(), &span.span_kind), ("POST", &SpanKind::Server));
    assert_eq!(
        attributes(&span),
        [
            "client.address=192.0.2.7",
            "http.request.method=POST",
            "http.response.status_code=200",
            "network.peer.address=192.0.2.7",
            "network.peer.port=4711",
            "network.protocol.version=1.1",
            "server.address=shop.example",
            "server.port=8080",
            "url.path=/carts/17",
            "url.query=token=REDACTED",
            "url.scheme=http",
            "user_agent.original=curl/8",
        ]
    );
    assert_eq!(status(&span), "unset");
    assert_eq!(span.instrumentation_scope.name(), "belvedere");
}

#[tokio::test(start_paused = true)]
async fn http_statuses_are_judged_as_a_server_judges_them() {
    for (code, expected, error) in [
        (101, "unset", None),
        (204, "unset", None),
        (302, "unset", None),
        (404, "unset", None),
        (499, "unset", None),
        (500, "error: ", Some("500")),
        (503, "error: ", Some("503")),
        // No status of HTTP: one may write it, and the conventions say nothing of it.
        (600, "unset", None),
        (999, "unset", None),
    ] {
        let span = span_of(get("/"), answer(code)).await;
        assert_eq!(status(&span), expected, "{code}");
        assert_eq!(attribute(&span, "error.type").as_deref(), error, "{code}");
        assert_eq!(attribute(&span, "http.response.status_code"), Some(code.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_that_nobody_knows_is_other_and_keeps_its_name_aside() {
    let request = Request::builder().method("BREW").uri("/").body(()).unwrap();
    let span = span_of(request, answer(200)).await;
    assert_eq!(span.name, "HTTP");
    assert_eq!(attribute(&span, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(&span, "http.request.method_original").as_deref(), Some("BREW"));
}

#[tokio::test(start_paused = true)]
async fn a_route_names_the_span_and_the_path_never_does() {
    let spans = Spans::new();
    let layer = OtelLayer::new()
        .tracer_provider(&spans.provider)
        .route(|request| request.uri.path().starts_with("/carts/").then_some("/carts/{id}"));
    exchange(&layer, get("/carts/17"), answer(200)).await;
    let span = spans.only();
    assert_eq!(span.name, "GET /carts/{id}");
    assert_eq!(attribute(&span, "http.route").as_deref(), Some("/carts/{id}"));
}

#[tokio::test(start_paused = true)]
async fn the_span_lasts_as_long_as_the_streamed_body() {
    let body = Script::new().data("a").wait(500).data("b");
    let span = span_of(get("/"), Response::new(body)).await;
    assert_eq!(span.end_time.duration_since(span.start_time).unwrap(), Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_is_an_error_that_says_so() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(answer(200))
    });
    let call = OtelLayer::new().tracer_provider(&spans.provider).layer(service).oneshot(get("/"));
    timeout(Duration::from_millis(300), call).await.unwrap_err();
    let span = spans.only();
    assert_eq!(span.end_time.duration_since(span.start_time).unwrap(), Duration::from_millis(300));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("canceled"));
    assert_eq!(status(&span), "error: the client left before the response was over");
    assert_eq!(attribute(&span, "http.response.status_code"), None);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_with_its_message_and_an_exception_event() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        if true {
            panic!("no such cart");
        }
        Ok::<_, Infallible>(answer(200))
    });
    let service = OtelLayer::new().tracer_provider(&spans.provider).layer(service);
    tokio::spawn(async { drop(service.oneshot(get("/")).await) }).await.unwrap_err();
    let span = spans.only();
    assert_eq!(status(&span), "error: panicked: no such cart");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("panic"));
    let event = &span.events[0];
    assert_eq!(event.name, "exception");
    let said: Vec<_> = event.attributes.iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    assert_eq!(said, ["exception.type=panic", "exception.message=no such cart"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_is_an_error_with_its_type() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        Err::<Response<Script>, _>(BoxError::from(std::io::Error::other("no database")))
    });
    let layer = OtelLayer::new().tracer_provider(&spans.provider);
    layer.layer(service).oneshot(get("/")).await.unwrap_err();
    let span = spans.only();
    assert_eq!(status(&span), "error: no database");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("std::io::error::Error"));
    assert_eq!(span.events.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_is_an_error_beside_its_good_status() {
    let span = span_of(get("/"), Response::new(Script::new().data("a").fail("the disk is gone"))).await;
    assert_eq!(status(&span), "error: the disk is gone");
    assert_eq!(attribute(&span, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("otel::support::body::Broken"));
}

fn grpc(path: &str) -> Request<()> {
    Request::post(path)
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("host", "shop:50051")
        .body(())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stranger_cannot_name_a_span_by_a_content_type() {
    let request =
        || Request::get("/users/random-8231").header("content-type", "application/grpc").body(()).unwrap();
    let span = span_of(request(), answer(200)).await;
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("GET", "unset"));

    let span = span_of(grpc("/users/random-8231"), answer(200)).await;
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("POST", "unset"));
    assert_eq!(
        attributes(&span),
        [
            "http.request.method=POST",
            "http.response.status_code=200",
            "network.protocol.version=2",
            "rpc.system.name=grpc",
            "server.address=shop",
            "server.port=50051",
            "url.path=/users/random-8231",
            "url.scheme=http",
        ]
    );

    let span = span_of(grpc("/users/random-8231"), answer(503)).await;
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("503"));
}

#[tokio::test(start_paused = true)]
async fn what_a_user_adds_is_asked_for_once_whatever_the_answer_is() {
    let spans = Spans::new();
    let layer = OtelLayer::new()
        .tracer_provider(&spans.provider)
        .request_attributes(|_| vec![KeyValue::new("app.tenant", "north")]);
    exchange(&layer, grpc("/a.B/C"), answer(200)).await;
    let keys: Vec<_> = spans.only().attributes.into_iter().map(|pair| pair.key).collect();
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "{keys:?}");
    assert!(keys.iter().any(|key| key.as_str() == "app.tenant"));
}

#[tokio::test(start_paused = true)]
async fn known_grpc_methods_keep_their_names_and_all_others_have_none() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider).rpc_methods(["shop.Carts/Get"]);
    let unimplemented = || grpc_answer(Script::new().trailers(&[("grpc-status", "12")]));
    exchange(&layer, grpc("/shop.Carts/Get"), unimplemented()).await;
    exchange(&layer, grpc("/by.A/Stranger"), grpc_answer(Script::new().trailers(&[("grpc-status", "16")])))
        .await;
    let names: Vec<_> = spans.all().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["shop.Carts/Get", "grpc"]);
    let stranger = spans.named("grpc");
    assert_eq!(attribute(&stranger, "rpc.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(&stranger, "rpc.method_original").as_deref(), Some("by.A/Stranger"));
}

#[tokio::test(start_paused = true)]
async fn a_given_name_survives_whatever_the_answer_is() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider).span_name(|_| Some("mine"));
    exchange(&layer, grpc("/a.B/C"), grpc_answer(Script::new().trailers(&[("grpc-status", "12")]))).await;
    exchange(&layer, grpc("/a.B/C"), answer(200)).await;
    assert!(spans.all().into_iter().all(|span| span.name == "mine"));
}

#[tokio::test(start_paused = true)]
async fn what_a_stranger_or_an_error_writes_is_cut() {
    let long = "x".repeat(100_000);
    let request = Request::builder()
        .method(&*long)
        .uri(format!("http://{}/{}?{}=1", &long[..60_000], &long[..2_000], &long[..3_000]))
        .header("user-agent", &long)
        .body(());
    let span =
        span_of(request.unwrap(), Response::new(Script::new().fail(Box::leak(long.into_boxed_str())))).await;
    for pair in span.attributes.iter().chain(&span.events[0].attributes) {
        assert!(pair.value.to_string().len() <= 4096, "{}", pair.key);
    }
    assert!(status(&span).len() <= 4096 + 7);
}

#[tokio::test(start_paused = true)]
async fn as_many_annotations_as_there_may_be_leave_the_error_its_type() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        (0..1_000).for_each(|n| Annotations::current().insert(n.to_string(), n));
        Ok::<_, Infallible>(answer(500))
    });
    let service = OtelLayer::new().tracer_provider(&spans.provider).layer(service);
    drop(service.oneshot(get("/")).await.unwrap().into_body().collect().await);
    let span = spans.only();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("500"));
    assert_eq!((attribute(&span, "63").as_deref(), span.dropped_attributes_count), (Some("63"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_decision_without_a_parent_is_honoured() {
    let propagation = Propagation::new([Propagator::XRay]);
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    for (root_sampler, header, expected) in [
        (Sampler::AlwaysOn, format!("{root};Sampled=0"), 0),
        (Sampler::AlwaysOn, "Sampled=0".to_owned(), 0),
        (
            Sampler::AlwaysOn,
            "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0".to_owned(),
            0,
        ),
        (Sampler::AlwaysOff, format!("{root};Sampled=1"), 1),
        (Sampler::AlwaysOff, root.to_owned(), 0),
    ] {
        let spans = Spans::sampled(Sampler::ParentBased(Box::new(root_sampler)));
        let layer = OtelLayer::new().tracer_provider(&spans.provider).propagation(propagation.clone());
        let request = Request::get("/").header("x-amzn-trace-id", &header).body(()).unwrap();
        exchange(&layer, request, answer(200)).await;
        assert_eq!(spans.all().len(), expected, "{header}");
        assert!(spans.all().iter().all(|span| span.parent_span_id.to_string() == "0000000000000000"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_provider_nobody_downstream_is_told_not_to_record() {
    let provider = opentelemetry::trace::noop::NoopTracerProvider::new();
    let layer = OtelClientLayer::new().tracer_provider(&provider);
    let headers = call(layer.clone(), get("http://api.example/"), || Ok(answer(200))).await;
    assert!(headers.is_empty(), "{headers:?}");

    let server = OtelLayer::new().tracer_provider(&provider);
    let (_, headers) = call_while_serving(server, layer, get("/")).await;
    assert!(headers.is_empty(), "{headers:?}");
}

#[tokio::test(start_paused = true)]
async fn trust_and_propagation_may_be_set_in_either_order() {
    let propagation = || Propagation::new([Propagator::TraceContext]);
    for layer in [
        OtelLayer::new().trust(TrustIncoming::None).propagation(propagation()),
        OtelLayer::new().propagation(propagation()).trust(TrustIncoming::None),
    ] {
        let spans = Spans::new();
        let request = Request::get("/").header("traceparent", TRACEPARENT).body(()).unwrap();
        exchange(&layer.tracer_provider(&spans.provider), request, answer(200)).await;
        assert_eq!(spans.only().links.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn ids_alone_are_recorded_by_a_provider_that_knows_nothing_of_us() {
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let provider =
        opentelemetry_sdk::trace::SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = OtelLayer::new().tracer_provider(&provider).trust(TrustIncoming::Ids);
    let request =
        Request::get("/").header("traceparent", TRACEPARENT.replace("-01", "-00")).body(()).unwrap();
    exchange(&layer, request, answer(200)).await;
    assert_eq!(exporter.get_finished_spans().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_nothing_of_a_root_that_is_not_our_trace() {
    let spans = Spans::new();
    let layer = OtelLayer::new()
        .tracer_provider(&spans.provider)
        .propagation(Propagation::new([Propagator::TraceContext, Propagator::XRay]));
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let request = Request::get("/")
        .header("traceparent", TRACEPARENT)
        .header("x-amzn-trace-id", format!("{root};Sampled=?"))
        .body(())
        .unwrap();
    assert_eq!(exchange(&layer, request, answer(200)).await.headers()["x-amzn-trace-id"], root);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_trusted_passes_nothing_on() {
    let propagation = Propagation::new([Propagator::XRay]).trust(TrustIncoming::None);
    let headers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("x-amzn-trace-id"),
        "Lineage=a:1;evil=1".parse().unwrap(),
    )]);
    let mut sent = http::HeaderMap::new();
    propagation.inject(&propagation.identify(&headers, None), &mut sent);
    assert!(!sent["x-amzn-trace-id"].to_str().unwrap().contains("evil"));
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_a_call_of_grpc_has_the_host_that_a_trusted_proxy_tells() {
    let spans = Spans::new();
    let mut request = grpc("/upload");
    request.headers_mut().insert("x-forwarded-host", "shop.example:8443".parse().unwrap());
    exchange(&spans.layer().trusted_hops(1), request, answer(200)).await;
    let span = spans.only();
    assert_eq!(attribute(&span, "server.address").as_deref(), Some("shop.example"));
    assert_eq!(attribute(&span, "server.port").as_deref(), Some("8443"));
}

fn grpc_answer(body: Script) -> Response<Script> {
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_grpc_span_has_the_attributes_of_the_conventions_and_no_others() {
    let body = Script::new().data("x").trailers(&[("grpc-status", "0")]);
    let span = span_of(grpc("/shop.Carts/Get"), grpc_answer(body)).await;
    assert_eq!((span.name.as_ref(), &span.span_kind), ("shop.Carts/Get", &SpanKind::Server));
    assert_eq!(
        attributes(&span),
        [
            "rpc.method=shop.Carts/Get",
            "rpc.response.status_code=OK",
            "rpc.status_code=OK",
            "rpc.system.name=grpc",
            "server.address=shop",
            "server.port=50051",
        ]
    );
    assert_eq!(status(&span), "unset");
}

#[tokio::test(start_paused = true)]
async fn grpc_codes_are_judged_as_a_server_judges_them() {
    for (code, name, is_error) in [
        ("0", "OK", false),
        ("1", "CANCELLED", false),
        ("2", "UNKNOWN", true),
        ("3", "INVALID_ARGUMENT", false),
        ("4", "DEADLINE_EXCEEDED", true),
        ("5", "NOT_FOUND", false),
        ("13", "INTERNAL", true),
        ("14", "UNAVAILABLE", true),
        ("15", "DATA_LOSS", true),
        ("16", "UNAUTHENTICATED", false),
        // No codes.
        ("17", "UNKNOWN", true),
        ("-1", "UNKNOWN", true),
        ("fine", "UNKNOWN", true),
        ("", "UNKNOWN", true),
    ] {
        let body: &[(&'static str, &'static str)] = Vec::leak(vec![("grpc-status", code)]);
        let span = span_of(grpc("/a.B/C"), grpc_answer(Script::new().data("x").trailers(body))).await;
        assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some(name));
        assert_eq!(status(&span) == "error: ", is_error, "{name}");
        assert_eq!(attribute(&span, "error.type").as_deref(), is_error.then_some(name));
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_answer_of_trailers_alone_has_its_status_in_the_head() {
    let mut answer = grpc_answer(Script::new().last());
    answer.headers_mut().insert("grpc-status", "13".parse().unwrap());
    let span = span_of(grpc("/a.B/C"), answer).await;
    assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some("INTERNAL"));
    assert_eq!(status(&span), "error: ");
}

/// The code of a call that was cut off after 300 ms, whose caller waits for so long.
async fn cut_off(waits: &str) -> (Option<String>, String) {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(answer(200))
    });
    let mut request = grpc("/a.B/C");
    request.headers_mut().insert("grpc-timeout", waits.parse().unwrap());
    let call = spans.layer().layer(service).oneshot(request);
    timeout(Duration::from_millis(300), call).await.unwrap_err();
    let span = spans.only();
    (attribute(&span, "rpc.status_code"), status(&span))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cut_off_at_its_deadline_is_late_and_before_it_is_canceled() {
    let (canceled, unset) = (Some("CANCELLED".to_owned()), "unset".to_owned());
    let late = (Some("DEADLINE_EXCEEDED".to_owned()), "error: ".to_owned());
    assert_eq!(cut_off("300m").await, late);
    assert_eq!(cut_off("1S").await, (canceled.clone(), unset.clone()));
    assert_eq!(cut_off("soon").await, (canceled, unset));
}

#[tokio::test(start_paused = true)]
async fn a_grpc_method_that_is_not_implemented_may_be_any_text_and_names_nothing() {
    let body = Script::new().trailers(&[("grpc-status", "12")]);
    let span = span_of(grpc("/made.Up/ByAStranger"), grpc_answer(body)).await;
    assert_eq!(span.name, "grpc");
    assert_eq!(attribute(&span, "rpc.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(&span, "rpc.method_original").as_deref(), Some("made.Up/ByAStranger"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_the_parent() {
    let request = Request::get("/").header("traceparent", TRACEPARENT).body(()).unwrap();
    let span = span_of(request, answer(200)).await;
    assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert!(span.parent_span_is_remote);
}

#[tokio::test(start_paused = true)]
async fn a_new_trace_begins_with_the_time_so_that_x_ray_takes_it() {
    let span = span_of(get("/"), answer(200)).await;
    let id = span.span_context.trace_id().to_string();
    let seconds = u64::from_str_radix(&id[..8], 16).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!(now.abs_diff(seconds) < 60, "{id}");
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_recorded_is_not_recorded_here() {
    let spans = Spans::new();
    let request =
        Request::get("/").header("traceparent", TRACEPARENT.replace("-01", "-00")).body(()).unwrap();
    exchange(&OtelLayer::new().tracer_provider(&spans.provider), request, answer(200)).await;
    assert!(spans.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_trusted_with_ids_alone_does_not_decide_the_sampling() {
    for (sampler, caller, expected) in
        [(Sampler::AlwaysOn, "-00", 1), (Sampler::AlwaysOff, "-01", 0), (Sampler::AlwaysOn, "-01", 1)]
    {
        let spans = Spans::sampled(Sampler::ParentBased(Box::new(sampler)));
        let layer = OtelLayer::new().tracer_provider(&spans.provider).trust(TrustIncoming::Ids);
        let request =
            Request::get("/").header("traceparent", TRACEPARENT.replace("-01", caller)).body(()).unwrap();
        exchange(&layer, request, answer(200)).await;
        let all = spans.all();
        assert_eq!(all.len(), expected, "{caller}");
        for span in all {
            assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_trusted_gets_a_trace_of_its_own_and_a_link() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider).trust(TrustIncoming::None);
    let request = Request::get("/").header("traceparent", TRACEPARENT).body(()).unwrap();
    exchange(&layer, request, answer(200)).await;
    let span = spans.only();
    assert_ne!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
    assert_eq!(span.links[0].span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

fn both() -> Request<()> {
    Request::get("/")
        .header("traceparent", TRACEPARENT)
        .header(
            "x-amzn-trace-id",
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
        )
        .body(())
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_order_of_the_propagators_decides_and_the_other_trace_is_a_link() {
    let (w3c, xray) = ("4bf92f3577b34da6a3ce929d0e0e4736", "5759e988bd862e3fe1be46a994272793");
    for (order, first, second) in [
        ([Propagator::TraceContext, Propagator::XRay], w3c, xray),
        ([Propagator::XRay, Propagator::TraceContext], xray, w3c),
    ] {
        let spans = Spans::new();
        let layer = OtelLayer::new().tracer_provider(&spans.provider).propagation(Propagation::new(order));
        exchange(&layer, both(), answer(200)).await;
        let span = spans.only();
        assert_eq!(span.span_context.trace_id().to_string(), first);
        assert_eq!(span.links[0].span_context.trace_id().to_string(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_is_not_among_the_propagators_is_not_read() {
    let span = span_of(both(), answer(200)).await;
    assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(span.links.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_root_without_a_decision_is_kept_and_decided_here_and_answered() {
    for (sampler, said) in [(Sampler::AlwaysOn, "1"), (Sampler::AlwaysOff, "0")] {
        let spans = Spans::sampled(Sampler::ParentBased(Box::new(sampler)));
        let layer = OtelLayer::new()
            .tracer_provider(&spans.provider)
            .propagation(Propagation::new([Propagator::XRay]));
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let request = Request::get("/")
            .header("x-amzn-trace-id", format!("{root};Parent=53995c3f42cd8ad8;Sampled=?"))
            .body(())
            .unwrap();
        let response = exchange(&layer, request, answer(200)).await;
        assert_eq!(response.headers()["x-amzn-trace-id"], format!("{root};Sampled={said}"));
        for span in spans.all() {
            assert_eq!(span.span_context.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
            assert_eq!(span.parent_span_id.to_string(), "53995c3f42cd8ad8");
        }
        assert_eq!(spans.all().len(), usize::from(said == "1"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_balancers_root_without_a_parent_becomes_the_trace() {
    let spans = Spans::new();
    let layer = OtelLayer::new()
        .tracer_provider(&spans.provider)
        .propagation(Propagation::new([Propagator::TraceContext, Propagator::XRay]));
    let request = Request::get("/")
        .header(
            "x-amzn-trace-id",
            "Self=1-67891234-12456789abcdef012345678;Root=1-5759e988-bd862e3fe1be46a994272793",
        )
        .body(())
        .unwrap();
    exchange(&layer, request, answer(200)).await;
    let span = spans.only();
    assert_eq!(span.span_context.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
    assert_eq!(span.parent_span_id.to_string(), "0000000000000000");
}

#[tokio::test(start_paused = true)]
async fn no_header_is_added_to_an_answer_that_nobody_asked_for() {
    let spans = Spans::new();
    let layer = OtelLayer::new().tracer_provider(&spans.provider);
    let response = exchange(&layer, both(), answer(200)).await;
    assert!(response.headers().is_empty(), "{:?}", response.headers());
}

#[tokio::test(start_paused = true)]
async fn a_skipped_request_has_no_span() {
    let spans = Spans::new();
    let layer =
        OtelLayer::new().tracer_provider(&spans.provider).skip(|request| request.uri.path() == "/healthz");
    exchange(&layer, get("/healthz"), answer(200)).await;
    assert!(spans.all().is_empty());
    exchange(&layer, get("/"), answer(200)).await;
    assert_eq!(spans.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_user_adds_is_on_the_span() {
    let spans = Spans::new();
    let layer = OtelLayer::new()
        .tracer_provider(&spans.provider)
        .span_name(|request| (request.method == Method::GET).then_some("a name of my own"))
        .request_attributes(|request| vec![KeyValue::new("app.path_length", request.uri.path().len() as i64)])
        .response_attributes(|response| vec![KeyValue::new("app.ok", response.status == StatusCode::OK)])
        .query(Query::only(["page"]))
        .request_headers(["x-tenant"])
        .unwrap()
        .response_headers(["x-cache"])
        .unwrap();
    let request = Request::get("/a?page=2&token=x")
        .header("x-tenant", "north")
        .header("x-tenant", "south")
        .body(())
        .unwrap();
    let mut answer = answer(200);
    answer.headers_mut().insert("x-cache", "hit".parse().unwrap());
    exchange(&layer, request, answer).await;
    let span = spans.only();
    assert_eq!(span.name, "a name of my own");
    assert_eq!(attribute(&span, "app.path_length").as_deref(), Some("2"));
    assert_eq!(attribute(&span, "app.ok").as_deref(), Some("true"));
    assert_eq!(attribute(&span, "url.query").as_deref(), Some("page=2&token=REDACTED"));
    assert_eq!(attribute(&span, "http.request.header.x-tenant").as_deref(), Some(r#"["north","south"]"#));
    assert_eq!(attribute(&span, "http.response.header.x-cache").as_deref(), Some(r#"["hit"]"#));
}

#[tokio::test(start_paused = true)]
async fn forwarded_addresses_count_only_behind_trusted_proxies() {
    let request = || {
        let mut request = Request::get("/")
            .header("host", "internal:8080")
            .header("x-forwarded-for", "6.6.6.6, 192.0.2.1")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "shop.example")
            .body(())
            .unwrap();
        request.extensions_mut().insert(Peer("10.0.0.1:4711".parse().unwrap()));
        request
    };
    for (hops, client, host, scheme) in
        [(0, "10.0.0.1", "internal", "http"), (1, "192.0.2.1", "shop.example", "https")]
    {
        let spans = Spans::new();
        let layer = OtelLayer::new().tracer_provider(&spans.provider).trusted_hops(hops);
        exchange(&layer, request(), answer(200)).await;
        let span = spans.only();
        assert_eq!(attribute(&span, "client.address").as_deref(), Some(client));
        assert_eq!(attribute(&span, "server.address").as_deref(), Some(host));
        assert_eq!(attribute(&span, "url.scheme").as_deref(), Some(scheme));
        assert_eq!(attribute(&span, "network.peer.address").as_deref(), Some("10.0.0.1"));
    }
}

#[tokio::test(start_paused = true)]
async fn annotations_become_typed_attributes() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        let annotations = Annotations::current();
        annotations.insert("app.user_id", "worf");
        annotations.insert("app.result_length", 3);
        annotations.insert("app.share", 0.5);
        annotations.insert("app.cached", false);
        Ok::<_, Infallible>(answer(200))
    });
    let service = OtelLayer::new().tracer_provider(&spans.provider).layer(service);
    drop(service.oneshot(get("/")).await.unwrap().into_body().collect().await);
    let span = spans.only();
    let value =
        |key: &str| span.attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value);
    assert_eq!(value("app.user_id"), Some(&"worf".into()));
    assert_eq!(value("app.result_length"), Some(&3.into()));
    assert_eq!(value("app.share"), Some(&0.5.into()));
    assert_eq!(value("app.cached"), Some(&false.into()));
}

/// What one call through a client layer leaves: the request's headers as the server got them, and the spans.
async fn call(
    layer: OtelClientLayer,
    request: Request<()>,
    answer: impl FnOnce() -> Result<Response<Script>, BoxError>,
) -> http::HeaderMap {
    let sent = std::sync::Arc::new(std::sync::Mutex::new(None));
    let (seen, mut answer) = (sent.clone(), Some(answer()));
    let service = service_fn(move |request: Request<()>| {
        *seen.lock().unwrap() = Some(request.headers().clone());
        std::future::ready(answer.take().unwrap())
    });
    if let Ok(response) = layer.layer(service).oneshot(request).await {
        drop(response.into_body().collect().await);
    }
    sent.lock().unwrap().take().unwrap()
}

/// A request whose handler makes one call: the head of the answer, and the headers of the call.
async fn call_while_serving(
    server: OtelLayer,
    client: OtelClientLayer,
    request: Request<()>,
) -> (Response<()>, http::HeaderMap) {
    let sent = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = sent.clone();
    let service = service_fn(move |_: Request<()>| {
        let (client, seen) = (client.clone(), seen.clone());
        async move {
            *seen.lock().unwrap() = Some(call(client, get("http://api.example/"), || Ok(answer(200))).await);
            Ok::<_, Infallible>(answer(200))
        }
    });
    let (parts, body) = server.layer(service).oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    let headers = sent.lock().unwrap().take().unwrap();
    (Response::from_parts(parts, ()), headers)
}

#[tokio::test(start_paused = true)]
async fn a_client_span_has_the_attributes_of_the_conventions_and_no_others() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let request = get("https://user:secret@api.example/carts?token=secret");
    let headers = call(layer, request, || Ok(answer(404))).await;
    let span = spans.only();
    assert_eq!((span.name.as_ref(), &span.span_kind), ("GET", &SpanKind::Client));
    assert_eq!(
        attributes(&span),
        [
            "error.type=404",
            "http.request.method=GET",
            "http.response.status_code=404",
            "network.protocol.version=1.1",
            "server.address=api.example",
            "server.port=443",
            "url.full=https://REDACTED:REDACTED@api.example/carts?token=REDACTED",
        ]
    );
    assert_eq!(status(&span), "error: ");
    let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
    assert_eq!(headers["traceparent"], format!("00-{trace}-{id}-03"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drops_the_body_is_no_error() {
    let spans = Spans::new();
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Script::new().hang())) });
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    drop(layer.layer(service).oneshot(get("http://api.example/")).await.unwrap());
    let span = spans.only();
    assert_eq!(status(&span), "unset");
    assert_eq!(attribute(&span, "error.type"), None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drops_the_body_of_a_500_is_an_error_all_the_same() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::builder().status(500).body(Script::new().hang()).unwrap())
    });
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    drop(layer.layer(service).oneshot(get("http://api.example/")).await.unwrap());
    let span = spans.only();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("500"));
    assert_eq!(status(&span), "error: ");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_panics_is_an_error_with_its_message() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async { panic!("the wire is on fire") });
    let service = service.map_result(|result: Result<Response<Script>, Infallible>| result);
    let call = spans.client_layer().layer(service).oneshot(get("http://shop.example/"));
    tokio::spawn(call).await.unwrap_err();
    let span = spans.only();
    assert_eq!(status(&span), "error: panicked: the wire is on fire");
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("panic"));
    assert_eq!(attribute(&span, "http.response.status_code"), None);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_call_has_the_code_of_its_head_on_both_sides_though_the_rest_is_dropped_unread() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        let mut answer = grpc_answer(Script::new().hang());
        answer.headers_mut().insert("grpc-status", "14".parse().unwrap());
        Ok::<_, Infallible>(answer)
    });
    drop(spans.layer().layer(service).oneshot(grpc("/a.B/C")).await.unwrap());
    drop(spans.client_layer().layer(service).oneshot(grpc("/a.B/C")).await.unwrap());
    for span in spans.all() {
        assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some("UNAVAILABLE"), "{span:#?}");
        assert_eq!(
            (status(&span).as_str(), attribute(&span, "error.type").as_deref()),
            ("error: ", Some("UNAVAILABLE"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_layers_one_tells_the_route() {
    let spans = Spans::new();
    let route = |route: &'static str| spans.layer().route(move |_| Some(route));
    let service = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer(200)) });
    let service = spans.layer().layer(route("/outer").layer(route("/inner").layer(service)));
    drop(service.oneshot(get("/x")).await.unwrap().into_body().collect().await);
    let span = spans.only();
    let routes = span.attributes.iter().filter(|pair| pair.key.as_str() == "http.route");
    assert_eq!(routes.map(|pair| pair.value.to_string()).collect::<Vec<_>>(), ["/outer"]);
    assert_eq!(span.name, "GET /outer");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_drops_a_grpc_stream_is_no_error() {
    let spans = Spans::new();
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(grpc_answer(Script::new().hang())) });
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    drop(layer.layer(service).oneshot(grpc("/a.B/C")).await.unwrap());
    let span = spans.only();
    assert_eq!((status(&span).as_str(), attribute(&span, "error.type")), ("unset", None));
    assert_eq!(attribute(&span, "rpc.status_code").as_deref(), Some("CANCELLED"));
}

#[tokio::test]
async fn a_client_error_says_why() {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let spans = Spans::new();
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<bytes::Bytes>>();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let uri = format!("http://{}/", socket.local_addr().unwrap());
    let request = Request::get(uri).body(http_body_util::Empty::new()).unwrap();
    layer.layer(client).oneshot(request).await.unwrap_err();
    let said = spans.only().events[0].attributes[1].value.to_string();
    assert!(said.to_lowercase().contains("connection refused"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cannot_connect_is_an_error_that_says_why() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let refused = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
    call(layer, get("http://api.example/"), refused).await;
    let span = spans.only();
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("connection_refused"));
    assert_eq!(status(&span), "error: connection refused");
}

#[tokio::test(start_paused = true)]
async fn a_call_made_while_serving_goes_on_with_the_callers_trace() {
    let spans = Spans::new();
    let client_layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let request = Request::get("/")
        .header("traceparent", TRACEPARENT.replace("-01", "-03"))
        .header("tracestate", "vendor=a:b,other=1")
        .header("baggage", "tenant=north")
        .body(())
        .unwrap();
    let server_layer = OtelLayer::new().tracer_provider(&spans.provider);
    let (_, headers) = call_while_serving(server_layer, client_layer, request).await;
    let (client, server) = (&spans.all()[0], &spans.all()[1]);
    assert_eq!(client.parent_span_id, server.span_context.span_id());
    let id = client.span_context.span_id();
    assert_eq!(headers["traceparent"], format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{id}-03"));
    assert_eq!(headers["tracestate"], "vendor=a:b,other=1");
    assert_eq!(headers["baggage"], "tenant=north");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_recorded_keeps_its_root_and_its_lineage_downstream() {
    let spans = Spans::new();
    let propagation = Propagation::new([Propagator::XRay]);
    let client_layer =
        OtelClientLayer::new().tracer_provider(&spans.provider).propagation(propagation.clone());
    let server_layer = OtelLayer::new().tracer_provider(&spans.provider).propagation(propagation);
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let request = Request::get("/")
        .header("x-amzn-trace-id", format!("{root};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=a87bd80c:1"))
        .body(())
        .unwrap();
    let (response, headers) = call_while_serving(server_layer, client_layer, request).await;
    assert_eq!(response.headers()["x-amzn-trace-id"], root);
    let header = headers["x-amzn-trace-id"].to_str().unwrap();
    assert!(header.starts_with(&format!("{root};Parent=")), "{header}");
    assert!(header.ends_with(";Sampled=0;Lineage=a87bd80c:1"), "{header}");
    assert!(!header.contains("53995c3f42cd8ad8"), "the parent is our own span: {header}");
    assert!(spans.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_makes_its_own_ids_still_gives_one_trace() {
    let exporter = opentelemetry_sdk::trace::InMemorySpanExporter::default();
    let provider =
        opentelemetry_sdk::trace::SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let service = service_fn(|_: Request<()>| async {
        let scope = belvedere::trace::Scope::current().unwrap();
        let id = scope.identity().unwrap().trace_id().to_string();
        Annotations::current().insert("seen", id);
        Ok::<_, Infallible>(answer(200))
    });
    let service = OtelLayer::new().tracer_provider(&provider).layer(service);
    drop(service.oneshot(get("/")).await.unwrap().into_body().collect().await);
    let span = exporter.get_finished_spans().unwrap().remove(0);
    assert_eq!(attribute(&span, "seen"), Some(span.span_context.trace_id().to_string()));
}

/// What goes out for a call made while serving a request with `header`, with an observer outside of the client layer:
/// nested, or in one pass.
async fn passed_on(nested: bool, recorded: bool, header: &str) -> String {
    let spans = Spans::new();
    let propagation = Propagation::new([Propagator::XRay]);
    let nobody = opentelemetry::trace::noop::NoopTracerProvider::new();
    let (server, client) = (OtelLayer::new(), OtelClientLayer::new());
    let (server, client) = if recorded {
        (server.tracer_provider(&spans.provider), client.tracer_provider(&spans.provider))
    } else {
        (server.tracer_provider(&nobody), client.tracer_provider(&nobody))
    };
    let (server, client) = (server.propagation(propagation.clone()), client.propagation(propagation));
    let sent = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let seen = sent.clone();
    let service = service_fn(move |_: Request<()>| {
        let (client, seen) = (client.clone(), seen.clone());
        async move {
            let api = service_fn(move |request: Request<()>| {
                *seen.lock().unwrap() = request.headers()["x-amzn-trace-id"].to_str().unwrap().to_owned();
                std::future::ready(Ok::<_, Infallible>(answer(200)))
            });
            let observer = support::observer::Bystander;
            if nested {
                drop(ObserveLayer::new(observer).layer(client.layer(api)).oneshot(get("http://a/")).await);
            } else {
                drop(ObserveLayer::new((observer, client)).layer(api).oneshot(get("http://a/")).await);
            }
            Ok::<_, Infallible>(answer(200))
        }
    });
    let request = Request::get("/").header("x-amzn-trace-id", header).body(()).unwrap();
    drop(server.layer(service).oneshot(request).await);
    sent.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_client_layer_keeps_the_trace_nested_as_in_one_pass() {
    let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
    for recorded in [true, false] {
        for nested in [true, false] {
            let sent = passed_on(nested, recorded, &format!("{root};Sampled=1;Lineage=a:1|b:2")).await;
            assert!(sent.starts_with(root), "{sent}");
            assert!(sent.ends_with(";Sampled=1;Lineage=a:1|b:2"), "{sent}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sampler_that_panics_leaves_no_ids_behind() {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_id_generator(belvedere::otel::Ids)
        .with_sampler(support::spans::PanicsAtGet)
        .build();
    let request = Request::get("/").header("traceparent", TRACEPARENT).body(()).unwrap();
    let response = exchange(&OtelLayer::new().tracer_provider(&provider), request, answer(200)).await;
    assert_eq!(response.status(), StatusCode::OK, "the request goes on");
    let next = provider.tracer("app").start("next").span_context().clone();
    assert_ne!(next.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(next.span_id(), provider.tracer("app").start("another").span_context().span_id());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_of_a_retry_between_two_client_layers_has_its_own_time() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let attempt = layer.layer(service_fn(|_: Request<()>| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(answer(503))
    }));
    let retry = service_fn(move |request: Request<()>| {
        let attempt = attempt.clone();
        async move {
            drop(attempt.clone().oneshot(request.clone()).await);
            drop(attempt.oneshot(request).await);
            Ok::<_, Infallible>(answer(200))
        }
    });
    drop(layer.layer(retry).oneshot(get("http://api.example/")).await);
    let lasted = |span: &SpanData| span.end_time.duration_since(span.start_time).unwrap().as_millis();
    let all = spans.all();
    assert_eq!(all.iter().map(lasted).collect::<Vec<_>>(), [100, 100, 200]);
    assert!(all[..2].iter().all(|span| span.parent_span_id == all[2].span_context.span_id()));
}

#[tokio::test(start_paused = true)]
async fn a_layer_further_in_does_not_change_what_others_were_told() {
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let recorder = support::Recorder::new();
    let service = service_fn(|_: Request<()>| async {
        let scope = belvedere::trace::Scope::current().unwrap();
        Annotations::current().insert("seen", scope.identity().unwrap().trace_id().to_string());
        Ok::<_, Infallible>(answer(200))
    });
    let layers = ObserveLayer::new((recorder.clone(), OtelLayer::new().tracer_provider(&provider)));
    drop(layers.layer(service).oneshot(get("/")).await.unwrap().into_body().collect().await);
    let ended = recorder.only();
    assert_eq!(ended.annotations, [("seen".to_owned(), ended.trace_id)]);
}

#[tokio::test(start_paused = true)]
async fn a_client_of_grpc_need_not_say_its_version() {
    let spans = Spans::new();
    let layer = OtelClientLayer::new().tracer_provider(&spans.provider);
    let mut request = grpc("/shop.Carts/Get");
    *request.version_mut() = http::Version::HTTP_11;
    call(layer, request, || Ok(grpc_answer(Script::new().trailers(&[("grpc-status", "5")])))).await;
    let span = spans.only();
    assert_eq!((span.name.as_ref(), status(&span).as_str()), ("shop.Carts/Get", "error: "));
    assert_eq!(attribute(&span, "error.type").as_deref(), Some("NOT_FOUND"));
}

#[tokio::test(start_paused = true)]
async fn an_inner_layer_adds_what_it_was_told_to_add_from_the_request() {
    let spans = Spans::new();
    let outer = OtelLayer::new().tracer_provider(&spans.provider);
    let inner = outer.clone().request_attributes(|_| vec![KeyValue::new("app.inner", true)]);
    let service = inner.layer(service_fn(|_: Request<()>| async { Ok::<_, Infallible>(answer(200)) }));
    drop(outer.layer(service).oneshot(get("/")).await.unwrap().into_body().collect().await);
    assert_eq!(attribute(&spans.only(), "app.inner").as_deref(), Some("true"));
}

#[tokio::test(start_paused = true)]
async fn annotations_without_room_are_counted_on_the_span() {
    let spans = Spans::new();
    let service = service_fn(|_: Request<()>| async {
        (0..70).for_each(|n| Annotations::current().insert(n.to_string(), n));
        Ok::<_, Infallible>(answer(200))
    });
    let service = OtelLayer::new().tracer_provider(&spans.provider).layer(service);
    drop(service.oneshot(get("/")).await.unwrap().into_body().collect().await);
    assert_eq!(attribute(&spans.only(), "belvedere.dropped_annotations_count").as_deref(), Some("6"));
}

/// Keeps `Service` in use where only its methods are.
fn _is_a_service<S: Service<Request<()>>>(_: &S) {}
