//! Everything at once, as `from_env` starts it: what leaves the process over real sockets, and what clients see of it.
//! What each variable does is in `variables.rs`.
#![cfg(feature = "otel")]

mod support;

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::{
    Script, Server,
    environment::{bare, dead, fail, serve, setup, start, through, wholly},
    sink::{Sink, text},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[tokio::test]
async fn no_environment_at_all_is_no_error_and_no_warning() {
    for variables in [&[][..], &[("OTEL_SERVICE_NAME", ""), ("OTEL_TRACES_SAMPLER", " ")]] {
        assert_eq!(bare(variables).start().unwrap().warnings(), [""; 0]);
    }
}

#[tokio::test]
async fn a_span_arrives_as_gzipped_protobuf_below_the_base_url() {
    let sink = through(&[]).await;
    let received = &sink.received()[0];
    assert_eq!(received.path, "/v1/traces");
    assert_eq!(received.headers["content-type"], "application/x-protobuf");
    assert_eq!(received.headers["content-encoding"], "gzip");
    assert_eq!(sink.spans()[0].name, "GET");
}

#[tokio::test]
async fn an_ipv4_address_within_ipv6_is_shown_as_ipv4() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    let peer = belvedere::exchange::Peer("[::ffff:192.0.2.1]:80".parse().unwrap());
    serve(&belvedere, Request::get("/").extension(peer).body(()).unwrap()).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    let span = sink.spans().remove(0);
    let attributes = span.attributes.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value)));
    let attributes: std::collections::HashMap<_, _> = attributes.collect();
    for (key, expected) in
        [("network.peer.address", "192.0.2.1"), ("network.peer.port", "80"), ("client.address", "192.0.2.1")]
    {
        assert_eq!(attributes.get(key).map(String::as_str), Some(expected), "{key}");
    }
}

#[tokio::test]
async fn a_further_endpoint_takes_the_default_ones_place_and_stands_beside_a_named_one() {
    let (first, second) = (Sink::start(), Sink::start());
    let alone = setup(&[]).otlp(second.base());
    assert!(!alone.names_endpoint());
    let belvedere = alone.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!((report.lanes.len(), second.spans().len()), (1, 1));

    let both = setup(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &first.base())]).otlp(second.base());
    assert!(both.names_endpoint());
    let belvedere = both.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!((first.spans().len(), second.spans().len()), (1, 2));
}

#[tokio::test]
async fn a_key_that_is_set_twice_arrives_once_with_its_last_value() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    let service = service_fn(|_: Request<()>| async {
        belvedere::exchange::Annotations::current().insert("url.path", "by the handler");
        Ok::<_, Infallible>(Response::new(Script::new().last()))
    });
    drop(belvedere.layer().layer(service).oneshot(Request::new(())).await);
    belvedere.shutdown(Duration::from_secs(5)).await;
    let span = sink.spans().remove(0);
    let paths: Vec<_> = span.attributes.into_iter().filter(|pair| pair.key == "url.path").collect();
    assert_eq!(paths.len(), 1);
    assert_eq!(text(paths[0].value.clone().unwrap().value), "by the handler");
}

#[test]
fn an_endpoint_that_is_no_whole_url_is_refused_when_the_lane_is_made() {
    let outbox = belvedere::outbox::Outbox::builder().start().unwrap();
    let otlp = belvedere::otel::Otlp::new(http::Uri::from_static("/v1/traces"));
    let error = belvedere::otel::SpanLane::otlp(&outbox, otlp).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("/v1/traces"), "{error}");
}

#[test]
fn the_headers_of_an_endpoint_are_never_printed() {
    let otlp = belvedere::otel::Otlp::new(http::Uri::from_static("http://collector/v1/traces"))
        .header(http::HeaderName::from_static("x-key"), "canary".parse().unwrap());
    assert!(!format!("{otlp:?}").contains("canary"));
}

#[tokio::test]
async fn nothing_leaves_the_process_that_was_not_asked_for() {
    let sink = Sink::start();
    let belvedere = wholly(
        &sink,
        &[
            ("OTEL_PROPAGATORS", "tracecontext,baggage,xray"),
            ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs/dup"),
            ("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup"),
        ],
    );
    let client = belvedere.client_layer().layer(service_fn(|_: Request<Script>| async {
        Err::<Response<Script>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
    }));
    let service = service_fn(move |_: Request<Script>| {
        let client = client.clone();
        async move {
            let call = Request::post(
                "http://user:CANARY-call-password@pay.example/charges?card=CANARY-call-query&CANARY-call-bare",
            )
            .header("authorization", "Bearer CANARY-call-authorization")
            .header("cookie", "session=CANARY-call-cookie")
            .header("x-api-key", "CANARY-call-api-key")
            .body(Script::new().data("CANARY-call-body").last())
            .unwrap();
            assert!(client.oneshot(call).await.is_err());
            let mut response = Response::new(Script::new().data("CANARY-response-body").last());
            for header in ["set-cookie", "x-internal", "www-authenticate"] {
                response.headers_mut().insert(header, "CANARY-response-header".parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let request =
        Request::post("http://user:CANARY-password@shop.example/carts?token=CANARY-query&CANARY-bare")
            .header("authorization", "Bearer CANARY-authorization")
            .header("cookie", "session=CANARY-cookie")
            .header("x-api-key", "CANARY-api-key")
            .header("x-forwarded-for", "CANARY-forwarded")
            .header("x-forwarded-host", "CANARY-forwarded-host")
            .header("referer", "http://elsewhere/?CANARY-referer")
            .header("baggage", "secret=CANARY-baggage")
            .header(
                "x-amzn-trace-id",
                format!("{AMZN};Self=CANARY-self;Lineage=CANARY-lineage;CANARY-field=1"),
            )
            .body(Script::new().data("CANARY-request-body"))
            .unwrap();
    let response = belvedere.layer().layer(service).oneshot(request).await.unwrap();
    drop(response.into_body().collect().await);
    belvedere.shutdown(Duration::from_secs(5)).await;

    let bytes = sink.bytes();
    let found = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    assert!(found(b"/carts") && found(b"token=REDACTED"), "the span itself is there");
    assert!(found(b"pay.example/charges") && found(b"card=REDACTED"), "the span of the call is there");
    let spans = sink.spans();
    let id = 0x5759e988bd862e3fe1be46a994272793_u128.to_be_bytes();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.trace_id == id), "the header was read: {spans:?}");
    assert!(!sink.metrics().is_empty() && !sink.logs().is_empty(), "what they say of it is there, too");
    assert!(!found(b"CANARY"), "{}", String::from_utf8_lossy(&bytes));
}

#[tokio::test]
async fn an_endpoint_on_a_dead_port_changes_nothing_for_clients_and_the_loss_is_told_exactly() {
    let (_socket, dead) = dead();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &dead)]).unwrap();
    for _ in 0..1_000 {
        let response = serve(&belvedere, Request::new(())).await;
        assert!(response.status().is_success() && response.headers().is_empty());
    }
    let limit = Duration::from_millis(500);
    let shutdown = tokio::time::timeout(limit * 4, belvedere.shutdown(limit));
    let report = shutdown.await.expect("the shutdown ends within its limit");
    let lane = &report.lanes[0];
    assert_eq!((lane.accepted, lane.delivered, lane.waiting), (1_000, 0, 0), "{report}");
    assert_eq!(lane.lost.values().sum::<u64>(), 1_000, "{report}");
}

#[tokio::test]
async fn an_endpoint_on_a_dead_port_changes_nothing_for_clients_of_a_real_server() {
    let (_socket, dead) = dead();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &dead)]).unwrap();
    let router = || axum::Router::new().route("/carts", axum::routing::get(|| async { "hello" }));
    let plain = Server::axum(router()).await;
    let observed = Server::axum(router().layer(belvedere.layer())).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let ask = async |server: &Server| {
        let answer = client.get(format!("http://{}/carts", server.address).parse().unwrap()).await.unwrap();
        let (mut head, body) = answer.into_parts();
        assert!(head.headers.remove("date").is_some());
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    };
    let expected = ask(&plain).await;
    assert_eq!((expected.0.as_u16(), &*expected.2), (200, &b"hello"[..]));
    for _ in 0..200 {
        assert_eq!(ask(&observed).await, expected);
    }
    let limit = Duration::from_millis(500);
    let shutdown = tokio::time::timeout(limit * 4, belvedere.shutdown(limit));
    let report = shutdown.await.expect("the shutdown ends within its limit");
    assert_eq!((report.lanes[0].accepted, report.lanes[0].lost()), (200, 200), "{report}");
}

#[tokio::test]
async fn what_a_backend_calls_retryable_is_tried_again_and_arrives_once() {
    let sink = Sink::start();
    sink.answer(503, &[], "").answer(429, &[("retry-after", "1")], "");
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    serve(&belvedere, Request::new(())).await;
    let report = belvedere.shutdown(Duration::from_secs(10)).await;
    assert_eq!((report.lanes[0].delivered, sink.received().len()), (1, 3), "{report}");
}

#[tokio::test]
async fn a_wrong_key_is_lost_at_once_under_its_status() {
    let sink = Sink::start();
    sink.answer(401, &[], "unknown API key");
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    serve(&belvedere, Request::new(())).await;
    let report = belvedere.shutdown(Duration::from_secs(10)).await;
    assert_eq!(report.lanes[0].lost.get("http 401"), Some(&1), "{report}");
    assert_eq!(sink.received().len(), 1);
}

#[tokio::test]
async fn what_a_partial_success_refuses_is_counted() {
    use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceResponse,
    };
    use prost::Message as _;
    let partial = ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
    let response = ExportTraceServiceResponse { partial_success: Some(partial) };
    let sink = Sink::start();
    sink.answer(200, &[("content-type", "application/x-protobuf")], response.encode_to_vec());
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    for _ in 0..5 {
        serve(&belvedere, Request::new(())).await;
    }
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    let lane = &report.lanes[0];
    assert_eq!((lane.delivered, lane.lost.get("partial success")), (3, Some(&2)), "{report}");
}

#[test]
fn a_plain_thread_needs_no_runtime() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    let tracer = opentelemetry::trace::TracerProvider::tracer(belvedere.tracer_provider().unwrap(), "app");
    drop(opentelemetry::trace::Tracer::start(&tracer, "by hand"));
    let report = belvedere.shutdown_blocking(Duration::from_secs(5));
    assert_eq!((report.lanes[0].delivered, sink.spans()[0].name.as_str()), (1, "by hand"));
}

#[tokio::test]
async fn a_flush_sends_what_there_is_whoever_asks_for_it() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    serve(&belvedere, Request::new(())).await;
    assert!(belvedere.flush(Duration::from_secs(5)).await);
    assert_eq!(sink.spans().len(), 1);
    serve(&belvedere, Request::new(())).await;
    belvedere.tracer_provider().unwrap().force_flush().unwrap();
    assert_eq!(sink.spans().len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn dropping_the_guard_in_a_current_thread_runtime_sends_what_is_left() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    serve(&belvedere, Request::new(())).await;
    drop(belvedere);
    assert_eq!(sink.spans().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_thread_runtime_sends_and_shuts_down() {
    let sink = through(&[]).await;
    let span = &sink.spans()[0];
    let attribute = |key: &str| span.attributes.iter().find(|pair| pair.key == key).unwrap().value.clone();
    assert_eq!(text(attribute("http.response.status_code").unwrap().value), "200");
}

#[tokio::test]
async fn the_exporter_never_traces_itself() {
    use opentelemetry::trace::TracerProvider as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    let tracer = belvedere.tracer_provider().unwrap().tracer("app");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    serve(&belvedere, Request::new(())).await;
    sink.arrived(1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    let names: Vec<_> = sink.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET"]);
}

#[tokio::test]
async fn a_further_endpoint_gets_metrics_and_logs_as_well() {
    let logs = [("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")];
    let sink = Sink::start();
    let belvedere = bare(&logs).otlp(sink.base()).start().unwrap();
    fail(&belvedere).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!((report.lanes.len(), report.lost()), (3, 0), "{report}");
    assert_eq!((sink.spans().len(), sink.logs().len()), (1, 1));
    assert!(!sink.metrics().is_empty());
}

#[tokio::test]
async fn more_is_measured_where_the_code_asks_for_it() {
    let sink = Sink::start();
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.base())];
    let setup = bare(&endpoint).metrics(|metrics| metrics.active_requests(true).body_sizes(true));
    let belvedere = setup.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    let mut names: Vec<_> = sink.metrics().into_iter().map(|metric| metric.name).collect();
    names.sort();
    let expected =
        ["http.server.active_requests", "http.server.request.duration", "http.server.response.body.size"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn listed_members_of_the_baggage_are_on_spans_and_no_others() {
    let sink = Sink::start();
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.base())];
    let belvedere = setup(&endpoint).baggage_attributes(["tenant"]).start().unwrap();
    let request = Request::get("/").header("baggage", "tenant=blue,secret=CANARY").body(()).unwrap();
    serve(&belvedere, request).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    let span = sink.spans().remove(0);
    let tenant = span.attributes.into_iter().find(|pair| pair.key == "tenant").unwrap();
    assert_eq!(text(tenant.value.unwrap().value), "blue");
    assert!(!sink.bytes().windows(6).any(|window| window == b"CANARY"));
}

#[tokio::test]
async fn metrics_are_collected_by_a_flush_and_by_dropping_the_guard_in_a_current_thread_runtime() {
    let (flushed, dropped) = (Sink::start(), Sink::start());
    let belvedere = wholly(&flushed, &[]);
    serve(&belvedere, Request::new(())).await;
    assert!(belvedere.flush(Duration::from_secs(5)).await);
    assert_eq!(flushed.metrics().len(), 1);

    let belvedere = wholly(&dropped, &[]);
    serve(&belvedere, Request::new(())).await;
    drop(belvedere);
    assert_eq!((dropped.metrics().len(), dropped.spans().len()), (1, 1));
}

#[test]
fn metrics_are_collected_by_a_shutdown_that_blocks() {
    let sink = Sink::start();
    let belvedere = wholly(&sink, &[]);
    let meter = opentelemetry::metrics::MeterProvider::meter(belvedere.meter_provider().unwrap(), "app");
    meter.u64_counter("carts").build().add(1, &[]);
    let report = belvedere.shutdown_blocking(Duration::from_secs(5));
    assert_eq!((report.lost(), sink.metrics().len()), (0, 1), "{report}");
}

#[tokio::test]
async fn a_limit_holds_with_all_signals_towards_a_dead_port() {
    let (_socket, dead) = dead();
    let logs = ("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs");
    let belvedere = bare(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &dead), logs]).start().unwrap();
    fail(&belvedere).await;
    let limit = Duration::from_millis(500);
    let shutdown = tokio::time::timeout(limit * 4, belvedere.shutdown(limit));
    let report = shutdown.await.expect("the shutdown ends within its limit");
    for lane in &report.lanes {
        assert_eq!((lane.accepted, lane.delivered, lane.lost()), (1, 0, 1), "{report}");
    }
    assert_eq!(report.lanes.len(), 3, "{report}");
}

#[tokio::test]
async fn the_layers_of_one_pass_are_set_like_those_that_stand_alone() {
    let sink = Sink::start();
    let belvedere = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())]).unwrap();
    let answer =
        || service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
    let is_health = |request: &http::request::Parts| request.uri.path() == "/healthz";
    let server = belvedere.layer().otel(move |otel| otel.skip(is_health).span_name(|_| Some("served")));
    let client =
        belvedere.client_layer().otel(move |otel| otel.skip(is_health).span_name(|_| Some("called")));
    for path in ["/healthz", "/carts"] {
        let request = || Request::get(path).body(()).unwrap();
        drop(server.layer(answer()).oneshot(request()).await);
        drop(client.layer(answer()).oneshot(request()).await);
    }
    belvedere.shutdown(Duration::from_secs(5)).await;
    let names: Vec<_> = sink.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["served", "called"]);
}

const AMZN: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
