//! Spans on their way out: to whom, when, how often, and what is left out. Over real sockets.
#![cfg(feature = "otel")]

#[path = "support/log.rs"]
mod log;
#[path = "support/sampler.rs"]
mod sampler;
mod support;
#[path = "support/traced.rs"]
mod traced;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, routing::get};
use belvedere::{
    otel::{Ids, OtelClientLayer, OtelLayer, Otlp, SpanLane},
    outbox::{Outbox, Report},
    trace::{Propagation, Propagator, TrustIncoming},
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use log::Log;
use opentelemetry::{
    Context,
    baggage::BaggageExt as _,
    trace::{Span as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use sampler::RecordOnly;
use support::{
    Script, Spans,
    environment::{setup, towards},
    sink::{Received, Sink},
};
use tokio::runtime::Handle;
use tower::{Layer, Service, ServiceExt as _, service_fn, util::ServiceFn};
use traced::Traced;

/// One exchange through a layer of a service or a client, to the end of its answer.
async fn serve<L, S, B>(layer: &L, request: Request<()>)
where
    L: Layer<Answers, Service = S>,
    S: Service<Request<()>, Response = Response<B>, Error: std::fmt::Debug>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let answers: Answers = service_fn(|_| ready(Ok(Response::new(Script::new().data("hello").last()))));
    let response = layer.layer(answers).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
}

type Answers = ServiceFn<fn(Request<()>) -> Ready<Result<Response<Script>, Infallible>>>;

/// One span to this sink, and what became of it.
async fn send(sink: &Sink, variables: &[(&str, &str)]) -> Report {
    let belvedere = towards(sink, variables);
    let tracer = belvedere.tracer_provider().unwrap().tracer("test");
    tracer.start("by hand").end();
    belvedere.shutdown(PATIENCE).await
}

// ===== what is tried again =====

#[tokio::test]
async fn a_backend_that_is_busy_or_behind_a_gateway_is_tried_again() {
    for status in [429, 502, 503, 504] {
        let sink = Sink::start();
        sink.answer(status, &[], "");
        let report = send(&sink, &[]).await;
        assert_eq!((report.lanes[0].delivered, sink.received().len()), (1, 2), "{status}: {report}");
    }
}

#[tokio::test]
async fn a_backend_that_refuses_or_is_broken_is_not_tried_again() {
    for status in [301, 400, 404, 408, 500, 501, 505] {
        let sink = Sink::start();
        sink.answer(status, &[], "");
        let report = send(&sink, &[]).await;
        let lost = report.lanes[0].lost.get(&*format!("http {status}"));
        assert_eq!((lost, sink.received().len()), (Some(&1), 1), "{status}: {report}");
    }
}

#[tokio::test]
async fn a_backend_is_given_the_seconds_that_it_asks_for() {
    let sink = Sink::start();
    sink.answer(503, &[("retry-after", "2")], "");
    send(&sink, &[]).await;
    let [first, second] = at(&sink.received());
    // Without the header it is half a second at most.
    let waited = second.duration_since(first).unwrap();
    assert!(waited >= Duration::from_millis(1900), "{waited:?}");
}

#[tokio::test]
async fn a_backend_is_left_alone_until_the_date_that_it_names() {
    let sink = Sink::start();
    // A date has whole seconds, so that this one is two to three seconds away.
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    sink.answer(429, &[("retry-after", &date)], "");
    send(&sink, &[]).await;
    let [_, second] = at(&sink.received());
    let early = httpdate::parse_http_date(&date).unwrap().duration_since(second).unwrap_or_default();
    assert!(early <= Duration::from_millis(100), "{early:?} too early");
}

#[tokio::test]
async fn a_backend_that_says_nothing_is_tried_again_after_the_timeout_that_was_set() {
    for (name, other) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_UNKNOWN"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"),
    ] {
        let sink = Sink::start();
        sink.silence();
        let report = send(&sink, &[(name, "200"), (other, "60000")]).await;
        assert_eq!((report.lanes[0].delivered, sink.received().len()), (1, 2), "{name}: {report}");
        let [first, second] = at(&sink.received());
        let waited = second.duration_since(first).unwrap();
        assert!(waited >= Duration::from_millis(150), "{name}: it was given its time: {waited:?}");
    }
}

#[track_caller]
fn at<const N: usize>(received: &[Received]) -> [SystemTime; N] {
    let times: Vec<_> = received.iter().map(|received| received.at).collect();
    times.try_into().expect("so many requests")
}

// ===== when and what =====

#[tokio::test]
async fn somebody_who_watches_sees_a_span_at_once() {
    let sink = Sink::start();
    let belvedere = setup(&[]).otlp(sink.base()).start().unwrap();
    belvedere.tracer_provider().unwrap().tracer("test").start("by hand").end();
    let ended = UNIX_EPOCH + Duration::from_nanos(sink.arrived(1).await[0].end_time_unix_nano);
    let took = sink.received()[0].at.duration_since(ended).unwrap();
    assert!(took < Duration::from_millis(800), "{took:?}");
}

#[tokio::test]
async fn a_span_that_was_recorded_but_not_sampled_stays_here() {
    let sink = Sink::start();
    let outbox = Outbox::builder().start().unwrap();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Ids)
        .with_sampler(RecordOnly("for processors alone"))
        .with_span_processor(SpanLane::otlp(&outbox, otlp(&sink)).unwrap())
        .build();
    for name in ["for processors alone", "for all"] {
        let mut span = provider.tracer("test").start(name);
        assert!(span.is_recording(), "{name}");
        span.end();
    }
    outbox.shutdown(PATIENCE).await;
    let names: Vec<_> = sink.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["for all"]);
}

#[tokio::test]
async fn spans_say_which_library_made_them_and_by_which_conventions() {
    let sink = Sink::start();
    let belvedere = towards(&sink, &[]);
    serve(&belvedere.layer(), Request::new(())).await;
    serve(&belvedere.client_layer(), Request::get("http://api.example/").body(()).unwrap()).await;
    belvedere.shutdown(PATIENCE).await;
    let scopes = sink.scopes();
    assert_eq!(scopes.iter().flat_map(|scope| &scope.spans).count(), 2);
    for made in scopes {
        let scope = made.scope.unwrap();
        assert_eq!((&*scope.name, &*scope.version), ("belvedere", env!("CARGO_PKG_VERSION")));
        assert_eq!(made.schema_url, "https://opentelemetry.io/schemas/1.44.0");
    }
}

#[tokio::test]
async fn the_trace_state_of_a_caller_that_does_not_decide_is_kept_in_the_span() {
    let sink = Sink::start();
    let belvedere = towards(&sink, &[]);
    let request = Request::get("/")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
        .header("tracestate", "vendor=a,other=1");
    serve(&belvedere.otel_layer().trust(TrustIncoming::Ids), request.body(()).unwrap()).await;
    belvedere.shutdown(PATIENCE).await;
    assert_eq!(sink.spans()[0].trace_state, "vendor=a,other=1");
}

// ===== telemetry about telemetry =====

#[tokio::test]
async fn what_a_destination_does_is_not_recorded_on_the_outboxs_thread_nor_on_a_runtime_of_the_users() {
    let spans = Spans::new();
    let traced = Traced::new(&spans.provider);
    traced.work();
    assert_eq!(spans.all().len(), 2, "elsewhere it is: {:#?}", spans.all());
    for (builder, destination) in [
        (Outbox::builder(), traced.clone().spawning()),
        (Outbox::builder().runtime(Handle::current()), traced),
    ] {
        let outbox = builder.start().unwrap();
        let sent = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_span_processor(SpanLane::new(&outbox, "traced", destination))
            .build();
        sent.tracer("test").start("by hand").end();
        let report = outbox.shutdown(PATIENCE).await;
        assert_eq!(report.lanes[0].delivered, 1, "{report}");
        assert_eq!(spans.all().len(), 2, "{:#?}", spans.all());
    }
}

#[tokio::test]
async fn a_provider_that_makes_ids_of_its_own_is_warned_about_once() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    serve(&OtelLayer::new().tracer_provider(&Spans::new().provider), Request::new(())).await;
    assert_eq!(log.lines(), [""; 0], "`Ids` are as they should be");
    let foreign = SdkTracerProvider::builder().build();
    for layer in [OtelLayer::new(), OtelLayer::new()] {
        let layer = layer.tracer_provider(&foreign);
        serve(&layer, Request::new(())).await;
        serve(&layer, Request::new(())).await;
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("belvedere::otel::Ids"), "{lines:?}");
}

// ===== baggage =====

#[tokio::test]
async fn baggage_passes_through_from_callers_who_are_trusted_with_all_and_from_no_others() {
    let whole = Propagation::default();
    let without = Propagation::new([Propagator::TraceContext]);
    for (propagation, expected) in [
        (whole.clone(), "region=eu,tenant=north"),
        (whole.clone().trust(TrustIncoming::Ids), ""),
        (whole.trust(TrustIncoming::None), ""),
        (without, ""),
    ] {
        let (seen, sent) = passed_on(&propagation, &["tenant=north,region=eu"]).await;
        assert_eq!((&*seen, &*sent), (expected, expected), "{propagation:?}");
    }
}

#[tokio::test]
async fn baggage_in_several_lines_is_one() {
    let (seen, sent) = passed_on(&Propagation::default(), &["tenant=north", "region=eu", "a=1"]).await;
    assert_eq!((&*seen, &*sent), ("a=1,region=eu,tenant=north", "a=1,region=eu,tenant=north"));
}

#[tokio::test]
async fn a_stranger_can_neither_end_the_baggage_nor_put_an_entry_into_it_by_a_property() {
    for line in ["a=1;x%0Ay,b=2", "a=1;p%2Ctenant=evil,b=2", "a=1,b=2,canary,%FF=3"] {
        let (seen, sent) = passed_on(&Propagation::default(), &[line]).await;
        assert_eq!((&*seen, &*sent), ("a=1,b=2", "a=1,b=2"), "{line}");
    }
    let (seen, sent) = passed_on(&Propagation::default(), &["a=YQ==;p=x"]).await;
    assert_eq!((&*seen, &*sent), ("a=YQ==", "a=YQ%3D%3D;p=x"));
}

/// The baggage that a handler sees, and that a call which it makes arrives with.
async fn passed_on(propagation: &Propagation, lines: &[&str]) -> (String, String) {
    let (spans, callee) = (Spans::new(), Sink::start());
    let calls = OtelClientLayer::new().tracer_provider(&spans.provider).propagation(Propagation::default());
    let layer = OtelLayer::new().tracer_provider(&spans.provider).propagation(propagation.clone());
    let call = calls.layer(client());
    let uri = callee.base();
    let handler = async move || {
        call.oneshot(Request::get(uri).body(Empty::new()).unwrap()).await.unwrap();
        let baggage = Context::current();
        sorted(baggage.baggage().iter().map(|(key, (value, _))| format!("{key}={value}")))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut request = Request::get(format!("http://{}/", listener.local_addr().unwrap()));
    for line in lines {
        request = request.header("baggage", *line);
    }
    tokio::spawn(async { axum::serve(listener, Router::new().route("/", get(handler)).layer(layer)).await });
    let response = client().request(request.body(Empty::new()).unwrap()).await.unwrap();
    let seen = response.into_body().collect().await.unwrap().to_bytes();
    let sent =
        callee.received()[0].headers.get("baggage").map_or("", |sent| sent.to_str().unwrap()).to_owned();
    (String::from_utf8(seen.to_vec()).unwrap(), sorted(sent.split(',').map(str::to_owned)))
}

fn client() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn sorted(pairs: impl Iterator<Item = String>) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs.join(",")
}

// ===== the console exporter =====

#[cfg(feature = "full")]
mod console {
    use serde_json::Value;

    use super::*;
    use crate::support::{client::raw1, example::Example};

    #[tokio::test]
    async fn the_console_exporter_prints_a_span_and_sends_none() {
        let sink = Sink::start();
        let printed = printed(&sink, "console").await;
        assert_eq!(printed["name"], "POST /test");
        assert_eq!(printed["kind"], "SERVER");
        assert_eq!(printed["attributes"]["http.request.method"], "POST");
        assert!(sink.received().is_empty());
    }

    #[tokio::test]
    async fn otlp_and_console_print_and_send_the_same_span() {
        let sink = Sink::start();
        let printed = printed(&sink, "otlp,console").await;
        let sent = sink.arrived(1).await;
        let id: String = sent[0].span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((printed["span_id"].as_str(), sent.len()), (Some(&*id), 1));
    }

    /// What a process with this exporter prints about one request.
    async fn printed(sink: &Sink, exporter: &str) -> Value {
        let mut example = Example::start(
            "conformance",
            &[
                ("PORT", "0"),
                ("OTEL_TRACES_EXPORTER", exporter),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base()),
            ],
        );
        let line = example.line_with("listening on ");
        let (_, address) = line.split_once("http://").unwrap();
        raw1(address.trim_end_matches("/test").parse().unwrap(), "POST", "/test").await;
        end(&mut example);
        let mut json = example.line_with("{");
        while !json.ends_with("\n}") {
            json = format!("{json}\n{}", example.line_with(""));
        }
        serde_json::from_str(&json).unwrap()
    }

    /// Has the process send what is left and end, so that its output ends too, whatever is missing from it.
    fn end(example: &mut Example) {
        let child = example.child();
        let id = child.id().to_string();
        let status = std::process::Command::new("kill").args(["-s", "INT", &id]).status().unwrap();
        assert!(status.success() && child.wait().unwrap().success());
    }
}

fn otlp(sink: &Sink) -> Otlp {
    Otlp::new(format!("{}/v1/traces", sink.base()).parse().unwrap())
}

/// Longer than anything here takes, and shorter than the default timeout of ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
