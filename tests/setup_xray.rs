//! X-Ray as `from_env` starts it, alone and in one pass with OpenTelemetry: over real sockets. What each variable does is in
//! `variables.rs`.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
mod support;

use std::{convert::Infallible, time::Duration};

use aws::{Endpoint, answer};
use belvedere::{
    Belvedere,
    outbox::Report,
    xray::{self, Segment, Subsegment},
};
use daemon::Daemon;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use support::{
    Script,
    environment::{Pairs, refusal, serve, setup, start},
    honeycomb::Honeycomb,
    sink::Sink,
};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// A daemon that takes segments, and a proxy beside it that answers samplers.
struct Both {
    daemon: Daemon,
    proxy: Endpoint,
}

// ===== impl Both =====

impl Both {
    /// The proxy has one rule, which keeps this share of all requests.
    async fn with_rate(rate: f64) -> Self {
        Self { daemon: Daemon::large().await, proxy: rules(rate).await }
    }

    /// As `AWS_XRAY_DAEMON_ADDRESS` takes it.
    fn address(&self) -> String {
        format!("udp:{} tcp:{}", self.daemon.address, self.proxy.address)
    }
}

/// What answers samplers with one rule.
async fn rules(rate: f64) -> Endpoint {
    let rule = serde_json::json!({
        "RuleName": "Default", "ResourceARN": "*", "Priority": 10000, "FixedRate": rate, "ReservoirSize": 0,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
        "Attributes": {},
    });
    let page = serde_json::json!({ "SamplingRuleRecords": [{ "SamplingRule": rule }] }).to_string();
    Endpoint::start(move |received| match &*received.path {
        "/GetSamplingRules" => answer(200, page.clone()),
        _ => answer(200, "{}"),
    })
    .await
}

/// The segments of all that a daemon has got, after everything was shut down.
async fn segments(daemon: &Daemon, count: usize) -> Vec<Segment> {
    daemon.arrived(count).await.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
}

async fn close(belvedere: Belvedere) -> Report {
    let report = belvedere.shutdown(PATIENCE).await;
    assert_eq!(report.lost(), 0, "{report}");
    report
}

/// Waits until samplers go by the rules that the proxy has.
async fn learned(belvedere: &Belvedere, proxy: &Endpoint) {
    serve(belvedere, Request::new(())).await;
    for _ in 0..1000 {
        if proxy.received().iter().any(|asked| asked.path == "/GetSamplingRules") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn id(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ids_of_span(span: &Span) -> (String, String) {
    (id(&span.trace_id), id(&span.span_id))
}

fn ids_of_segment(segment: &Segment) -> (String, String) {
    (segment.trace_id.to_string(), segment.entity.id.to_string())
}

#[tokio::test]
async fn one_pass_makes_one_span_and_one_segment_with_the_same_ids() {
    let (sink, both) = (Sink::start(), Both::with_rate(1.0).await);
    let belvedere = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
        ("AWS_XRAY_DAEMON_ADDRESS", &both.address()),
        ("OTEL_SERVICE_NAME", "checkout"),
    ])
    .unwrap();
    assert_eq!(belvedere.warnings(), [""; 0]);
    serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    let report = close(belvedere).await;
    assert!(report.lanes.iter().all(|lane| lane.delivered == 1), "the guard ends both: {report}");

    let (spans, segments) = (sink.spans(), segments(&both.daemon, 1).await);
    assert_eq!((spans.len(), segments.len()), (1, 1));
    assert_eq!(ids_of_span(&spans[0]), ids_of_segment(&segments[0]));
    assert_eq!(segments[0].entity.name.as_str(), "checkout");
}

#[tokio::test]
async fn one_pass_of_a_client_makes_one_span_and_one_subsegment_and_the_callee_hears_of_it() {
    let (sink, both) = (Sink::start(), Both::with_rate(1.0).await);
    let belvedere =
        start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())])
            .unwrap();
    let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Script::new().last());
        for name in ["x-amzn-trace-id", "traceparent"] {
            response.headers_mut().insert(name, request.headers()[name].clone());
        }
        Ok::<_, Infallible>(response)
    }));
    let call = move || {
        let client = client.clone();
        async move {
            let request = Request::get("http://pay.example/charges").body(()).unwrap();
            let (parts, body) = client.oneshot(request).await.unwrap().into_parts();
            drop(body.collect().await);
            Ok::<_, Infallible>(Response::from_parts(parts, Script::new().last()))
        }
    };
    let service = belvedere.layer().layer(service_fn(move |_: Request<()>| call()));
    let (heard, body) = service.oneshot(Request::new(())).await.unwrap().into_parts();
    drop(body.collect().await);
    close(belvedere).await;

    let (spans, segments) = (sink.spans(), segments(&both.daemon, 1).await);
    let called = spans.iter().find(|span| span.kind == SpanKind::Client as i32).unwrap();
    let parts: Vec<&Subsegment> = segments[0].subsegments.iter().collect();
    assert_eq!((spans.len(), parts.len()), (2, 1));
    assert_eq!(parts[0].entity.name.as_str(), "pay.example");
    let (trace_id, span_id) = ids_of_span(called);
    assert_eq!((trace_id, &*span_id), (segments[0].trace_id.to_string(), &*parts[0].entity.id.to_string()));
    for name in ["x-amzn-trace-id", "traceparent"] {
        assert!(heard.headers[name].to_str().unwrap().contains(&span_id), "{heard:?}");
    }
}

#[tokio::test]
async fn handlers_add_to_the_segment() {
    let both = Both::with_rate(1.0).await;
    let belvedere =
        start(&[("OTEL_TRACES_EXPORTER", "none"), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())]).unwrap();
    let service = belvedere.layer().layer(service_fn(|_: Request<()>| async {
        xray::capture("load-items", async { xray::annotate("items", 3) }).await;
        Ok::<_, Infallible>(Response::new(Script::new().last()))
    }));
    drop(service.oneshot(Request::new(())).await.unwrap().into_body().collect().await);
    close(belvedere).await;
    let segments = segments(&both.daemon, 1).await;
    let names: Vec<_> = segments[0].subsegments.iter().map(|part| part.entity.name.as_str()).collect();
    assert_eq!(names, ["load-items"]);
}

#[tokio::test]
async fn a_further_daemon_takes_the_default_one_s_place_and_stands_beside_a_named_one() {
    let (named, console) = (Both::with_rate(1.0).await, Both::with_rate(1.0).await);
    let further = || console.address().parse().unwrap();
    let none = ("OTEL_TRACES_EXPORTER", "none");

    let alone = setup(&[none]).xray_daemon(further());
    assert!(!alone.names_daemon());
    let belvedere = alone.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    let report = close(belvedere).await;
    assert_eq!((report.lanes.len(), segments(&console.daemon, 1).await.len()), (1, 1), "{report}");

    let beside = setup(&[none, ("AWS_XRAY_DAEMON_ADDRESS", &named.address())]).xray_daemon(further());
    assert!(beside.names_daemon());
    let belvedere = beside.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    close(belvedere).await;
    let (first, second) = (segments(&named.daemon, 1).await, segments(&console.daemon, 2).await);
    assert_eq!((first.len(), second.len()), (1, 2));
    assert_eq!(first[0], second[1]);

    let instead = setup(&[none, ("BELVEDERE_XRAY_EXPORTER", "none")]).xray_daemon(further());
    let belvedere = instead.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    close(belvedere).await;
    assert_eq!(segments(&console.daemon, 3).await.len(), 3);
}

#[tokio::test]
async fn who_knows_the_daemon_may_send_faster_than_the_smallest_one_takes() {
    let both = Both::with_rate(1.0).await;
    let setup = setup(&[("OTEL_TRACES_EXPORTER", "none"), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())]);
    let belvedere = setup.xray_pace(200, 2_000).start().unwrap();
    for _ in 0..200 {
        let sampled = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        serve(&belvedere, Request::get("/").header("x-amzn-trace-id", sampled).body(()).unwrap()).await;
    }
    // At the default pace they take 4.4 s.
    assert!(belvedere.flush(Duration::from_secs(3)).await);
    assert_eq!(close(belvedere).await.lost(), 0);
    assert_eq!(segments(&both.daemon, 200).await.len(), 200);
}

#[tokio::test]
async fn the_account_s_rules_are_had_from_the_daemon_s_proxy() {
    let both = Both::with_rate(0.0).await;
    let belvedere =
        start(&[("OTEL_TRACES_EXPORTER", "none"), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())]).unwrap();
    learned(&belvedere, &both.proxy).await;
    for _ in 0..20 {
        serve(&belvedere, Request::new(())).await;
    }
    close(belvedere).await;
    assert_eq!(segments(&both.daemon, 1).await.len(), 1, "the first, by the fallback");
}

#[tokio::test]
async fn where_both_have_one_decision_spans_are_kept_where_segments_are_and_the_rule_is_told() {
    for (rate, expected) in [(0.0, 0), (1.0, 3)] {
        for word in ["xray", "ParentBased_XRay"] {
            let (sink, both) = (Sink::start(), Both::with_rate(rate).await);
            let belvedere = start(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
                ("OTEL_TRACES_SAMPLER", word),
                ("AWS_XRAY_DAEMON_ADDRESS", &both.address()),
            ])
            .unwrap();
            assert_eq!(belvedere.warnings(), [""; 0]);
            learned(&belvedere, &both.proxy).await;
            for _ in 0..3 {
                serve(&belvedere, Request::new(())).await;
            }
            close(belvedere).await;
            let (spans, segments) = (sink.spans(), segments(&both.daemon, 1 + expected).await);
            let ids =
                |kept: Vec<(String, String)>| kept.into_iter().collect::<std::collections::BTreeSet<_>>();
            assert_eq!(
                ids(spans.iter().map(ids_of_span).collect()),
                ids(segments.iter().map(ids_of_segment).collect()),
            );
            assert_eq!(spans.len(), 1 + expected, "{word} {rate}");
            for segment in &segments[1..] {
                let rule = &segment.entity.aws.as_ref().unwrap().xray.as_ref().unwrap().sampling_rule_name;
                assert_eq!(rule.as_ref().map(xray::Text::as_str), Some("Default"));
            }
        }
    }
}

#[tokio::test]
async fn spans_are_sampled_by_rules_also_where_there_are_no_segments() {
    let (sink, both) = (Sink::start(), Both::with_rate(0.0).await);
    let belvedere = setup(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("AWS_XRAY_SDK_ENABLED", "false"),
        ("AWS_XRAY_DAEMON_ADDRESS", &both.address()),
    ]);
    let belvedere = belvedere.start().unwrap();
    assert!(belvedere.xray_layer().is_none());
    learned(&belvedere, &both.proxy).await;
    serve(&belvedere, Request::new(())).await;
    close(belvedere).await;
    assert_eq!((sink.spans().len(), both.daemon.documents().len()), (1, 0), "the first, by the fallback");
}

#[tokio::test]
async fn without_spans_there_are_segments_with_ids_of_their_own_and_both_headers_go_on() {
    let both = Both::with_rate(1.0).await;
    let belvedere =
        start(&[("OTEL_SDK_DISABLED", "true"), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())]).unwrap();
    let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Script::new().last());
        *response.headers_mut() = request.headers().clone();
        Ok::<_, Infallible>(response)
    }));
    let service =
        belvedere.layer().layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
    let request = Request::get("/").header("traceparent", TRACEPARENT).body(()).unwrap();
    let (heard, body) = service.oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    close(belvedere).await;
    let segment = segments(&both.daemon, 1).await.remove(0);
    let (trace_id, id) = ids_of_segment(&segment);
    assert_eq!(trace_id, TRACE);
    assert_eq!(segment.parent_id.unwrap().to_string(), PARENT);
    assert_ne!(id, PARENT);
    for name in ["x-amzn-trace-id", "traceparent"] {
        let header = heard.headers[name].to_str().unwrap();
        assert!(!header.contains(PARENT) && header.contains(&TRACE[8..]), "{name}: {header}");
    }
}

#[tokio::test]
async fn where_it_is_off_the_header_goes_on_and_nothing_is_decided() {
    for otel in ["true", "false"] {
        let belvedere = start(&[
            ("OTEL_SDK_DISABLED", otel),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("AWS_XRAY_SDK_ENABLED", "no"),
        ])
        .unwrap();
        assert!(belvedere.xray_layer().is_none() && belvedere.xray_client_layer().is_none());
        let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
            let passed_on = request.headers()["x-amzn-trace-id"].clone();
            Ok::<_, Infallible>(
                Response::builder().header("passed-on", passed_on).body(Script::new()).unwrap(),
            )
        }));
        let service = belvedere
            .layer()
            .layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
        let request = Request::get("/").header("x-amzn-trace-id", format!("{AMZN};Sampled=0"));
        let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let passed_on = response.headers()["passed-on"].to_str().unwrap();
        assert!(passed_on.contains("Root=1-5759e988-bd862e3fe1be46a994272793"), "{passed_on}");
        assert!(passed_on.contains("Sampled=0"), "{passed_on}");
        assert!(belvedere.outbox().report().lanes.iter().all(|lane| !lane.name.starts_with("xray")));
    }
}

#[tokio::test]
async fn x_ray_itself_gets_segments_and_is_asked_for_rules_where_there_is_no_daemon() {
    let api = rules(1.0).await;
    let belvedere = start(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("AWS_XRAY_TRACING_NAME", "checkout"),
        ("BELVEDERE_XRAY_EXPORTER", "api"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_XRAY", &api.url()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
    ])
    .unwrap();
    learned(&belvedere, &api).await;
    close(belvedere).await;
    let received = api.received();
    let of = |path: &str| received.iter().find(|received| received.path == path).unwrap();
    assert_eq!((of("/GetSamplingRules").key(), of("/TraceSegments").key()), ("AKIDEXAMPLE", "AKIDEXAMPLE"));
    let body = String::from_utf8(of("/TraceSegments").body.to_vec()).unwrap();
    assert!(body.contains("checkout") && !body.contains("canary"), "{body}");
}

#[tokio::test]
async fn the_layers_of_one_pass_are_set_like_those_that_stand_alone() {
    let both = Both::with_rate(1.0).await;
    let belvedere =
        start(&[("OTEL_TRACES_EXPORTER", "none"), ("AWS_XRAY_DAEMON_ADDRESS", &both.address())]).unwrap();
    let is_health = |request: &http::request::Parts| request.uri.path() == "/healthz";
    let layer = belvedere.layer().xray(move |xray| xray.skip(is_health));
    let client = belvedere.client_layer().xray(|xray| xray.name(|_| "pay"));
    for path in ["/healthz", "/carts"] {
        let client = client.layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(Script::new().last()))
        }));
        let service = layer.layer(service_fn(move |request: Request<()>| client.clone().oneshot(request)));
        let request = Request::get(path).body(()).unwrap();
        drop(service.oneshot(request).await.unwrap().into_body().collect().await);
    }
    close(belvedere).await;
    let segments = segments(&both.daemon, 1).await;
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].subsegments.iter().next().unwrap().entity.name.as_str(), "pay");
}

#[test]
fn what_is_refused_is_refused_before_anybody_is_asked() {
    for (name, value) in [
        ("AWS_XRAY_SDK_ENABLED", "perhaps"),
        ("AWS_XRAY_DAEMON_ADDRESS", "nowhere"),
        ("AWS_XRAY_CONTEXT_MISSING", "PANIC"),
        ("BELVEDERE_XRAY_EXPORTER", "pigeon"),
        ("BELVEDERE_XRAY_SAMPLING_RULES", "/nowhere.json"),
    ] {
        let double = Honeycomb::knowing();
        let message = refusal(&[
            ("HONEYCOMB_API_KEY", "hcaik_x"),
            ("HONEYCOMB_API_ENDPOINT", &double.base()),
            ("BELVEDERE_CHECK", "true"),
            ("AWS_XRAY_TRACING_NAME", "checkout"),
            (name, value),
        ]);
        assert!(message.contains(name) && message.contains(value), "{message}");
        assert!(double.asked().is_empty(), "{name}");
    }
}

#[test]
fn code_turns_it_on_and_off_as_far_as_the_environment_says_nothing() {
    let on = |variables: Pairs<'_>, said: Option<bool>| {
        let setup = setup(variables);
        let setup = said.into_iter().fold(setup, |setup, on| setup.xray(on));
        setup.start().unwrap().xray_layer().is_some()
    };
    let (named, enabled, disabled) =
        (("AWS_XRAY_TRACING_NAME", "a"), ("AWS_XRAY_SDK_ENABLED", "1"), ("AWS_XRAY_SDK_ENABLED", "0"));
    for (variables, said, expected) in [
        (&[][..], None, false),
        (&[], Some(true), true),
        (&[named], None, true),
        (&[named], Some(false), false),
        (&[enabled], Some(false), true),
        (&[disabled], Some(true), false),
        (&[disabled, named], None, false),
    ] {
        assert_eq!(on(variables, said), expected, "{variables:?} {said:?}");
    }
}

const PATIENCE: Duration = Duration::from_secs(5);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const AMZN: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";

#[tokio::test]
async fn a_client_that_code_gives_sends_segments_and_asks_for_rules_unless_the_environment_says_otherwise() {
    use belvedere::aws::{Client, CredentialsChain, Region, Service};

    let endpoint = rules(1.0).await;
    let keys = |name: &str| Some(if name == "AWS_ACCESS_KEY_ID" { "AKID" } else { "canary" }.to_owned());
    let credentials = CredentialsChain::lookup(keys).unwrap();
    let uri = format!("http://{}", endpoint.address).parse().unwrap();
    let client = Client::builder(Service::XRAY, "eu-west-1".parse::<Region>().unwrap(), credentials);
    let client = client.endpoint(uri).build().unwrap();
    let way = |variables: Pairs<'_>| {
        let variables = [&[("OTEL_TRACES_EXPORTER", "none")], variables].concat();
        setup(&variables).xray_api(client.clone()).start().unwrap()
    };
    let ways = |belvedere: &Belvedere| belvedere.outbox().report().lanes[0].name.to_string();

    let belvedere = way(&[]);
    assert_eq!(ways(&belvedere), format!("xray {}", endpoint.address));
    serve(&belvedere, Request::new(())).await;
    learned(&belvedere, &endpoint).await;
    serve(&belvedere, Request::new(())).await;
    belvedere.shutdown(Duration::from_secs(5)).await;
    assert!(endpoint.received().iter().any(|received| received.path == "/TraceSegments"));

    assert_eq!(ways(&way(&[("BELVEDERE_XRAY_EXPORTER", "daemon")])), "xray 127.0.0.1:2000");
    assert!(way(&[("AWS_XRAY_SDK_ENABLED", "false")]).outbox().report().lanes.is_empty());
}
