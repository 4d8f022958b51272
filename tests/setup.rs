//! The environment: what each variable does, what a bad value says, and what leaves the process over real sockets.
#![cfg(feature = "otel")]

mod support;

use std::{convert::Infallible, time::Duration};

use belvedere::{Belvedere, Error, Setup};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use support::{
    Script, Server,
    sink::{Sink, text},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn setup(variables: Pairs<'_>) -> Setup {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: std::collections::HashMap<_, _> = variables.iter().map(owned).collect();
    Setup::lookup(move |name| variables.get(name).cloned()).global(false)
}

fn start(variables: Pairs<'_>) -> Result<Belvedere, Error> {
    setup(variables).start()
}

/// The message of an error that must be there.
#[track_caller]
fn refusal(variables: Pairs<'_>) -> String {
    let error = start(variables).map(|_| ()).unwrap_err();
    assert!(error.is_invalid());
    error.to_string()
}

#[track_caller]
fn warnings(variables: Pairs<'_>) -> Vec<String> {
    start(variables).unwrap().warnings().to_vec()
}

/// Serves one request with all the layers.
async fn serve(belvedere: &Belvedere, request: Request<()>) -> Response<()> {
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("hello").last()))
    });
    let (parts, body) = belvedere.layer().layer(service).oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    Response::from_parts(parts, ())
}

/// One span through the whole way: the sink that got it, after everything was shut down.
async fn through(variables: Pairs<'_>) -> Sink {
    let sink = Sink::start();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.base());
    let belvedere = start(&[&[endpoint], variables].concat()).unwrap();
    serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert!(report.lanes.iter().all(|lane| lane.waiting == 0), "{report}");
    sink
}

/// A URL that refuses every connection while its socket is kept: bound, so that nobody else gets the port, but not
/// listening.
fn dead() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = format!("http://{}", socket.local_addr().unwrap());
    (socket, dead)
}

#[tokio::test]
async fn no_environment_at_all_is_no_error_and_no_warning() {
    assert_eq!(warnings(&[]), [""; 0]);
    assert_eq!(warnings(&[("OTEL_SERVICE_NAME", ""), ("OTEL_TRACES_SAMPLER", " ")]), [""; 0]);
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
async fn the_traces_endpoint_is_used_as_it_is_and_comes_first() {
    let sink = Sink::start();
    let belvedere = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/custom", sink.base())),
    ])
    .unwrap();
    serve(&belvedere, Request::new(())).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!(sink.received()[0].path, "/custom");
}

#[tokio::test]
async fn compression_none_sends_plain_bytes() {
    let sink = through(&[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")]).await;
    assert!(!sink.received()[0].headers.contains_key("content-encoding"));
    let sink = through(&[
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
    ])
    .await;
    assert_eq!(sink.received()[0].headers["content-encoding"], "gzip");
}

#[tokio::test]
async fn headers_are_decoded_and_those_for_traces_replace_the_general_ones() {
    let sink = through(&[("OTEL_EXPORTER_OTLP_HEADERS", "x-one=a%20b, x-two = c")]).await;
    assert_eq!(sink.received()[0].headers["x-one"], "a b");
    assert_eq!(sink.received()[0].headers["x-two"], "c");
    let sink = through(&[
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-one=a"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-two=b"),
    ])
    .await;
    assert!(!sink.received()[0].headers.contains_key("x-one"));
    assert_eq!(sink.received()[0].headers["x-two"], "b");
}

#[tokio::test]
async fn the_resource_is_the_name_the_attributes_and_who_we_are() {
    let sink = through(&[
        ("OTEL_SERVICE_NAME", "checkout"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=a%2Cb"),
    ])
    .await;
    let resource: std::collections::HashMap<_, _> = sink.resource().into_iter().collect();
    assert_eq!(resource["service.name"], "checkout");
    assert_eq!(resource["deployment.environment.name"], "a,b");
    assert_eq!(resource["telemetry.sdk.language"], "rust");
    assert_eq!(resource["telemetry.distro.name"], "belvedere");
    for (variables, expected) in [
        (&[][..], "by code"),
        (&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=by%20attribute")][..], "by attribute"),
        (&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=,deployment.environment.name=a")][..], "by code"),
    ] {
        let sink = Sink::start();
        let belvedere = setup(variables).service_name("by code").otlp(sink.base()).start().unwrap();
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(Duration::from_secs(5)).await;
        assert!(sink.resource().contains(&("service.name".to_owned(), expected.to_owned())));
    }
    let unnamed = through(&[]).await.resource();
    let name = unnamed.into_iter().find(|(key, _)| key == "service.name").unwrap().1;
    assert!(name.starts_with("unknown_service:"), "{name}");
}

#[tokio::test]
async fn a_sampler_decides_which_spans_leave() {
    for (sampler, argument, expected) in [
        ("always_on", "", 1),
        ("ALWAYS_ON", "", 1),
        ("always_off", "", 0),
        ("traceidratio", "0", 0),
        ("traceidratio", "1.0", 1),
        ("parentbased_always_off", "", 0),
        ("parentbased_traceidratio", "0.0", 0),
    ] {
        let sink = through(&[("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)]).await;
        assert_eq!(sink.spans().len(), expected, "{sampler} {argument}");
    }
}

#[tokio::test]
async fn a_ratio_is_the_share_of_ids_that_leave() {
    let traceparent = "00-4bf92f3577b34da68000000000000000-00f067aa0ba902b7-00";
    for (ratio, expected) in [("0.25", 0), ("0.75", 1), ("", 1)] {
        let sink = Sink::start();
        let belvedere = start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ])
        .unwrap();
        let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
        serve(&belvedere, request).await;
        belvedere.shutdown(Duration::from_secs(5)).await;
        assert_eq!(sink.spans().len(), expected, "{ratio}");
    }
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
async fn an_sdk_that_is_disabled_makes_no_spans_and_lets_trace_headers_through() {
    let sink = through(&[("OTEL_SDK_DISABLED", "TRUE")]).await;
    assert!(sink.received().is_empty());

    let belvedere = start(&[("OTEL_SDK_DISABLED", "true")]).unwrap();
    let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
        let traceparent = request.headers()["traceparent"].to_str().unwrap().to_owned();
        Ok::<_, Infallible>(Response::builder().header("passed-on", traceparent).body(Script::new()).unwrap())
    }));
    let service =
        belvedere.layer().layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["passed-on"], traceparent);
}

#[tokio::test]
async fn no_exporter_sends_nothing() {
    assert!(through(&[("OTEL_TRACES_EXPORTER", "none")]).await.received().is_empty());
}

#[tokio::test]
async fn otlp_and_console_do_both() {
    let sink = through(&[("OTEL_TRACES_EXPORTER", "otlp,console")]).await;
    assert_eq!(sink.spans().len(), 1);
}

#[tokio::test]
async fn propagators_decide_what_is_read() {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (propagators, expected) in [
        ("", Some("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("xray", Some("5759e988bd862e3fe1be46a994272793")),
        ("xray, TraceContext", Some("5759e988bd862e3fe1be46a994272793")),
        ("none", None),
    ] {
        let sink = Sink::start();
        let belvedere =
            start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()), ("OTEL_PROPAGATORS", propagators)])
                .unwrap();
        let request = Request::get("/").header("traceparent", traceparent).header("x-amzn-trace-id", AMZN);
        serve(&belvedere, request.body(()).unwrap()).await;
        belvedere.shutdown(Duration::from_secs(5)).await;
        let id: String = sink.spans()[0].trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let named = ["4bf92f3577b34da6a3ce929d0e0e4736", "5759e988bd862e3fe1be46a994272793"];
        let read = named.into_iter().find(|named| id == *named);
        assert_eq!(read, expected, "{propagators}: {id}");
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
fn a_honeycomb_key_alone_is_enough() {
    assert!(setup(&[("HONEYCOMB_API_KEY", "hcaik_x")]).names_endpoint());
    drop(start(&[("HONEYCOMB_API_KEY", "hcaik_x")]).unwrap());
}

#[tokio::test]
async fn a_honeycomb_key_goes_to_honeycomb_and_to_nobody_else() {
    let sink = through(&[("HONEYCOMB_API_KEY", "hcaik_canary")]).await;
    let bytes = sink.bytes();
    assert!(!bytes.windows(12).any(|window| window == b"hcaik_canary"));
}

#[test]
fn a_bad_endpoint_is_an_error_that_names_it() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
    ] {
        let message = refusal(&[(name, value)]);
        assert!(message.contains(name) && message.contains(value), "{message}");
        assert!(message.contains("http://localhost:4318"), "it says what to do: {message}");
    }
}

#[test]
fn an_endpoint_never_holds_credentials_and_an_error_never_shows_them() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://canary@collector/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector?token=canary"),
    ] {
        let message = refusal(&[(name, value)]);
        assert!(message.contains(name) && !message.contains("canary"), "{message}");
    }
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
async fn a_list_without_a_word_that_is_understood_is_the_default_one() {
    for value in ["jaeger", ",", "zipkin, prometheus"] {
        let sink = Sink::start();
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.base()), ("OTEL_TRACES_EXPORTER", value)];
        let belvedere = start(&variables).unwrap();
        assert!(belvedere.warnings()[0].contains("using otlp"), "{:?}", belvedere.warnings());
        serve(&belvedere, Request::new(())).await;
        belvedere.shutdown(Duration::from_secs(5)).await;
        assert_eq!(sink.spans().len(), 1, "{value}");
    }
    assert!(warnings(&[("OTEL_PROPAGATORS", "b3")])[0].contains("using tracecontext,baggage"));
}

#[test]
fn an_sdk_that_is_disabled_starts_whatever_the_rest_says() {
    drop(start(&[("OTEL_SDK_DISABLED", "true"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap());
}

#[test]
fn a_key_that_is_not_sent_is_told() {
    let variables = [("HONEYCOMB_API_KEY", "hcaik_x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    assert!(warnings(&variables)[0].contains("HONEYCOMB_API_KEY"));
}

#[test]
fn a_protocol_that_is_not_spoken_is_an_error_that_names_it() {
    for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
        for value in ["grpc", "http/json", "carrier pigeon"] {
            let message = refusal(&[(name, value)]);
            assert!(message.contains(name) && message.contains(value), "{message}");
        }
        drop(start(&[(name, "http/protobuf")]).unwrap());
    }
}

#[test]
fn a_bad_value_is_one_warning_that_names_it_and_what_is_used_instead() {
    for (name, value, used) in [
        ("OTEL_SDK_DISABLED", "yes", "false"),
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin", "the rest"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_always_on"),
        ("OTEL_PROPAGATORS", "tracecontext,jaeger", "the rest"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "0", "10000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "gzip"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "the rest"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "no-pair", "the rest"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=c", "the rest"),
        ("HONEYCOMB_API_KEY", "two\nlines", "no key"),
    ] {
        let warnings = warnings(&[(name, value)]);
        assert_eq!(warnings.len(), 1, "{name}={value}: {warnings:?}");
        assert!(warnings[0].contains(name) && warnings[0].contains(used), "{warnings:?}");
    }
    let ratio = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "1.5")];
    assert!(warnings(&ratio)[0].contains("OTEL_TRACES_SAMPLER_ARG"));
}

#[test]
fn a_warning_never_shows_what_may_be_a_secret() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary"),
        ("HONEYCOMB_API_KEY", "canary\u{7f}"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=canary\u{1}"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization: Basic canary=="),
    ] {
        let warnings = warnings(&[(name, value)]);
        assert!(!warnings.is_empty() && !warnings.concat().contains("canary"), "{warnings:?}");
    }
}

#[tokio::test]
async fn nothing_leaves_the_process_that_was_not_asked_for() {
    let sink = Sink::start();
    let belvedere = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
        ("OTEL_PROPAGATORS", "tracecontext,baggage,xray"),
    ])
    .unwrap();
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

const AMZN: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
