//! Metrics and logs on their way out, and what a lane of spans cuts. Over real sockets.
#![cfg(feature = "otel")]

mod support;

use std::{convert::Infallible, time::Duration};

use belvedere::{
    otel::{LogLane, MetricLane, Metrics, OtelClientLayer, OtelLayer, Otlp, SpanLane},
    outbox::{Limits, Outbox, Report},
};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use opentelemetry::{
    Array, KeyValue, StringValue, Value,
    trace::{Event, Link, Span as _, SpanContext, Tracer as _, TracerProvider as _},
};
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse},
        metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse},
    },
    metrics::v1::{AggregationTemporality, metric::Data},
};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::{PeriodicReader, SdkMeterProvider, Temporality},
    trace::SdkTracerProvider,
};
use prost::Message as _;
use support::{
    Script, Spans,
    sink::{Sink, text},
};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

/// An outbox, and metrics that leave through it when they are told to.
struct Measured {
    outbox: Outbox,
    provider: SdkMeterProvider,
    layer: OtelLayer,
}

// ===== impl Measured =====

impl Measured {
    fn start(sink: &Sink, configure: impl FnOnce(MetricLane) -> MetricLane) -> Self {
        let outbox = Outbox::builder().start().unwrap();
        let lane = configure(MetricLane::otlp(&outbox, otlp(sink, "metrics")).unwrap());
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name("shop").build())
            .with_periodic_exporter(lane)
            .build();
        let layer = OtelLayer::new().metrics(Metrics::new(&provider));
        Self { outbox, provider, layer }
    }

    async fn collect(&self) {
        let provider = self.provider.clone();
        tokio::task::spawn_blocking(move || provider.force_flush()).await.unwrap().unwrap();
    }

    async fn end(self) -> Report {
        let provider = self.provider;
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
        self.outbox.shutdown(PATIENCE).await
    }
}

fn otlp(sink: &Sink, signal: &str) -> Otlp {
    Otlp::new(format!("{}/v1/{signal}", sink.base()).parse().unwrap()).age(Duration::from_millis(10))
}

/// One exchange with a service that answers with a body.
async fn serve(layer: &OtelLayer) {
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("hello").last()))
    });
    let response = layer.layer(service).oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap();
}

/// One exchange with a service that fails.
async fn fail(layer: &OtelLayer) {
    let service = service_fn(|_: Request<()>| async { Err::<Response<Script>, _>("the disk is gone") });
    layer.layer(service).oneshot(Request::get("/").body(()).unwrap()).await.unwrap_err();
}

// ===== metrics =====

#[tokio::test]
async fn a_collection_arrives_with_its_resource_and_its_scope() {
    let sink = Sink::start();
    let measured = Measured::start(&sink, |lane| lane);
    serve(&measured.layer).await;
    let report = measured.end().await;
    assert_eq!((report.lanes[0].delivered, report.lost()), (1, 0), "{report}");
    assert_eq!(*report.lanes[0].name, *format!("otlp metrics {}", sink.base().trim_start_matches("http://")));
    assert_eq!(sink.received()[0].path, "/v1/metrics");
    assert_eq!(sink.received()[0].headers["content-encoding"], "gzip");
    let bytes = sink.bytes();
    for text in ["shop", "belvedere", "http.server.request.duration"] {
        assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
}

#[tokio::test]
async fn nothing_is_sent_while_there_is_nothing_to_tell() {
    let sink = Sink::start();
    let measured = Measured::start(&sink, |lane| lane);
    measured.collect().await;
    let report = measured.end().await;
    assert_eq!((report.lanes[0].accepted, sink.received().len()), (0, 0), "{report}");
}

#[tokio::test]
async fn collections_count_from_the_start_unless_told_otherwise() {
    for (configure, temporality, counts) in [
        ((|lane| lane) as fn(MetricLane) -> MetricLane, AggregationTemporality::Cumulative, [1, 2]),
        (|lane| lane.temporality(Temporality::Delta), AggregationTemporality::Delta, [1, 1]),
    ] {
        let sink = Sink::start();
        let measured = Measured::start(&sink, configure);
        serve(&measured.layer).await;
        measured.collect().await;
        serve(&measured.layer).await;
        measured.collect().await;
        measured.end().await;
        let histograms = sink.metrics().into_iter().map(|metric| match metric.data.unwrap() {
            Data::Histogram(histogram) => histogram,
            other => panic!("{other:?}"),
        });
        let (mut found, mut kinds) = (Vec::new(), Vec::new());
        for histogram in histograms.take(2) {
            kinds.push(histogram.aggregation_temporality());
            found.push(histogram.data_points[0].count);
        }
        assert_eq!((found, kinds), (counts.to_vec(), vec![temporality; 2]));
    }
}

#[tokio::test]
async fn collections_wait_out_an_outage_and_arrive_each() {
    let sink = Sink::start();
    sink.answer(503, &[], "").answer(503, &[], "");
    let measured = Measured::start(&sink, |lane| lane.temporality(Temporality::Delta));
    for _ in 0..3 {
        serve(&measured.layer).await;
        measured.collect().await;
    }
    let report = measured.end().await;
    assert_eq!((report.lanes[0].delivered, report.lost()), (3, 0), "{report}");
    // The sink keeps what it refuses, too: each exchange is in what it took, and in what it had refused.
    let sent: u64 = sink.metrics().iter().map(count).sum();
    assert!(sent > 3, "what was refused was sent again: {sent}");
    assert!(sink.received().len() > 2, "{:?}", sink.received());
}

#[tokio::test]
async fn collections_of_a_long_outage_stay_bounded_and_what_is_lost_is_counted() {
    let (sink, outbox) = (Sink::start(), Outbox::builder().start().unwrap());
    for _ in 0..100 {
        sink.answer(503, &[("retry-after", "60")], "");
    }
    let limits = Limits::default().queue_records(2).age(Duration::from_millis(1));
    let lane = MetricLane::otlp(&outbox, otlp(&sink, "metrics").limits(limits)).unwrap();
    let reader = PeriodicReader::builder(lane).with_interval(Duration::from_millis(5)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    serve(&OtelLayer::new().metrics(Metrics::new(&provider))).await;
    let lost = || outbox.report().lanes[0].lost.get("overflow").copied().unwrap_or_default();
    while lost() < 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(outbox.report().lanes[0].waiting, 2);
    outbox.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn a_collection_does_not_overtake_one_that_is_tried_again() {
    let sink = Sink::start();
    sink.answer(503, &[("retry-after", "1")], "");
    let measured = Measured::start(&sink, |lane| lane);
    for _ in 0..2 {
        serve(&measured.layer).await;
        measured.collect().await;
        assert!(!measured.outbox.flush(Duration::from_millis(200)).await);
    }
    assert_eq!(measured.end().await.lost(), 0);
    let counts: Vec<_> = sink.metrics().iter().map(count).collect();
    assert!(counts.is_sorted(), "what was refused, and then everything: {counts:?}");
}

fn count(metric: &opentelemetry_proto::tonic::metrics::v1::Metric) -> u64 {
    match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => histogram.data_points.iter().map(|point| point.count).sum(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn points_that_a_backend_does_not_take_are_told() {
    let partial =
        ExportMetricsPartialSuccess { rejected_data_points: 7, error_message: "too old".to_owned() };
    let answer = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let sink = Sink::start();
    sink.answer(200, &[], answer);
    let measured = Measured::start(&sink, |lane| lane);
    serve(&measured.layer).await;
    let report = measured.end().await;
    assert_eq!(report.lanes[0].lost.get("partial success"), Some(&1), "{report}");
}

// ===== logs =====

/// A layer whose exceptions are log records, sent to a sink.
fn logged(sink: &Sink) -> (Outbox, SdkLoggerProvider) {
    let outbox = Outbox::builder().start().unwrap();
    let lane = LogLane::otlp(&outbox, otlp(sink, "logs")).unwrap();
    let resource = Resource::builder_empty().with_service_name("shop").build();
    (outbox, SdkLoggerProvider::builder().with_resource(resource).with_log_processor(lane).build())
}

#[tokio::test]
async fn an_exception_is_a_log_record_of_its_span() {
    let (sink, spans) = (Sink::start(), Spans::new());
    let (outbox, provider) = logged(&sink);
    fail(&spans.layer().logger_provider(&provider).exception_events(false)).await;
    let report = outbox.shutdown(PATIENCE).await;
    assert_eq!(*report.lanes[0].name, *format!("otlp logs {}", sink.base().trim_start_matches("http://")));

    let (record, span) = (sink.logs().remove(0), spans.only());
    assert_eq!(sink.received()[0].path, "/v1/logs");
    assert_eq!(record.event_name, "http.server.request.exception");
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"));
    assert_eq!(record.trace_id, span.span_context.trace_id().to_bytes());
    assert_eq!(record.span_id, span.span_context.span_id().to_bytes());
    assert_eq!(record.flags, 1);
    let ended = span.end_time.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert_eq!(u128::from(record.time_unix_nano), ended);
    let attributes: Vec<_> =
        record.attributes.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value))).collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(attributes, [pair("exception.type", "&str"), pair("exception.message", "the disk is gone")]);
    assert!(span.events.is_empty(), "{:?}", span.events);
    assert!(sink.bytes().windows(4).any(|window| window == b"shop"), "the resource");
}

#[tokio::test]
async fn an_exception_may_be_told_twice_or_only_on_the_span() {
    for (logs, events) in [(true, true), (false, true), (false, false)] {
        let (sink, spans) = (Sink::start(), Spans::new());
        let (outbox, provider) = logged(&sink);
        let layer = spans.layer().exception_events(events);
        fail(&if logs { layer.logger_provider(&provider) } else { layer }).await;
        outbox.shutdown(PATIENCE).await;
        assert_eq!((sink.logs().len(), spans.only().events.len()), (usize::from(logs), usize::from(events)));
    }
}

#[tokio::test]
async fn each_kind_of_exchange_names_its_exceptions() {
    let (sink, spans) = (Sink::start(), Spans::new());
    let (outbox, provider) = logged(&sink);
    let service = || service_fn(|_: Request<()>| async { Err::<Response<Script>, _>("gone") });
    let grpc = || {
        let request = Request::post("http://shop/a.B/C").version(http::Version::HTTP_2);
        request.header("content-type", "application/grpc").body(()).unwrap()
    };
    let http = || Request::get("http://shop/").body(()).unwrap();
    let server = spans.layer().logger_provider(&provider).layer(service());
    let client = spans.client_layer().logger_provider(&provider).layer(service());
    server.clone().oneshot(http()).await.unwrap_err();
    server.oneshot(grpc()).await.unwrap_err();
    client.clone().oneshot(http()).await.unwrap_err();
    client.oneshot(grpc()).await.unwrap_err();
    outbox.shutdown(PATIENCE).await;
    let mut names: Vec<_> =
        sink.logs().into_iter().map(|record| (record.event_name, record.severity_text)).collect();
    names.sort();
    let pair = |name: &str, severity: &str| (name.to_owned(), severity.to_owned());
    assert_eq!(
        names,
        [
            pair("http.client.request.exception", "WARN"),
            pair("http.server.request.exception", "ERROR"),
            pair("rpc.client.call.exception", "WARN"),
            pair("rpc.server.call.exception", "ERROR"),
        ]
    );
}

#[tokio::test]
async fn a_panic_is_a_log_record_too() {
    let (sink, spans) = (Sink::start(), Spans::new());
    let (outbox, provider) = logged(&sink);
    let service = service_fn(|_: Request<()>| async { panic!("the till is on fire") });
    let service = service.map_result(|result: Result<Response<Script>, Infallible>| result);
    let mut service = spans.layer().logger_provider(&provider).layer(service);
    let call = service.call(Request::get("/").body(()).unwrap());
    tokio::spawn(call).await.unwrap_err();
    outbox.shutdown(PATIENCE).await;
    let told = sink.logs().remove(0).attributes.into_iter().map(|pair| text(pair.value.unwrap().value));
    assert_eq!(told.collect::<Vec<_>>(), ["panic", "the till is on fire"]);
}

#[tokio::test]
async fn records_that_a_backend_does_not_take_are_counted() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 1, error_message: "no".to_owned() };
    let answer = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let (sink, spans) = (Sink::start(), Spans::new());
    sink.answer(200, &[], answer);
    let (outbox, provider) = logged(&sink);
    let layer = spans.layer().logger_provider(&provider);
    fail(&layer).await;
    fail(&layer).await;
    let report = outbox.shutdown(PATIENCE).await;
    assert_eq!(report.lanes[0].lost.get("partial success"), Some(&1), "{report}");
    assert_eq!(report.lanes[0].accepted, 2);
}

// ===== spans =====

#[tokio::test]
async fn texts_that_are_too_long_are_cut_everywhere_on_a_span_and_numbers_stay() {
    let (sink, outbox) = (Sink::start(), Outbox::builder().start().unwrap());
    let lane = SpanLane::otlp(&outbox, otlp(&sink, "traces")).unwrap().value_length(3);
    let provider = SdkTracerProvider::builder().with_span_processor(lane).build();
    let long = || KeyValue::new("long", "äöüäöü");
    let array = Value::Array(Array::String(vec![StringValue::from("a"), StringValue::from("abcdef")]));
    let other = SpanContext::new(1_u128.into(), 1_u64.into(), Default::default(), true, Default::default());
    let mut span = provider
        .tracer("test")
        .span_builder("a name that is long")
        .with_attributes([long(), KeyValue::new("array", array), KeyValue::new("number", 123_456)])
        .with_events(vec![Event::new("an event", std::time::UNIX_EPOCH, vec![long()], 0)])
        .with_links(vec![Link::new(other, vec![long()], 0)])
        .start(&provider.tracer("test"));
    span.end();
    outbox.shutdown(PATIENCE).await;

    let span = sink.spans().remove(0);
    let texts = |pairs: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>| {
        pairs.into_iter().map(|pair| text(pair.value.unwrap().value)).collect::<Vec<_>>()
    };
    assert_eq!(span.name, "a name that is long");
    assert_eq!(texts(span.attributes), ["äöü", r#"["a", "abc"]"#, "123456"]);
    assert_eq!(texts(span.events[0].attributes.clone()), ["äöü"]);
    assert_eq!(texts(span.links[0].attributes.clone()), ["äöü"]);
}

/// A client's layer takes the same setters.
fn _client(provider: &SdkLoggerProvider) -> OtelClientLayer {
    OtelClientLayer::new().logger_provider(provider).exception_events(false)
}

const PATIENCE: Duration = Duration::from_secs(10);
