//! A share of all traces: which ones are kept, what each stands for, and who may say so.
#![cfg(feature = "otel")]

mod support;

use std::convert::Infallible;

use belvedere::{
    otel::{Ids, OtelClientLayer, OtelLayer, Ratio, Undecided, Weighted},
    trace::TrustIncoming,
};
use http::{HeaderMap, Request, Response};
use opentelemetry::{KeyValue, trace::SpanKind};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, ParentBasedSampler, Sampler, SdkTracerProvider, ShouldSample, SpanData,
};
use support::{Script, spans::attribute};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// A service whose spans stay in memory.
struct Service {
    provider: SdkTracerProvider,
    spans: InMemorySpanExporter,
    trust: TrustIncoming,
}

impl Service {
    fn new(sampler: impl ShouldSample + Clone + 'static) -> Self {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_sampler(Weighted(Undecided(sampler)))
            .with_simple_exporter(spans.clone())
            .build();
        Self { provider, spans, trust: TrustIncoming::All }
    }

    fn trusting(self, trust: TrustIncoming) -> Self {
        Self { trust, ..self }
    }

    /// Serves a request, makes one on its part, and gives the headers of that one.
    async fn serve(&self, headers: &[(&'static str, &str)]) -> HeaderMap {
        let (tell, told) = std::sync::mpsc::channel();
        let client = OtelClientLayer::new().tracer_provider(&self.provider);
        let client = client.layer(service_fn(move |request: Request<()>| {
            tell.send(request.into_parts().0.headers).unwrap();
            async { Ok::<_, Infallible>(Response::new(Script::new().last())) }
        }));
        let server = OtelLayer::new().tracer_provider(&self.provider).trust(self.trust);
        let server = server.layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
        let mut request = Request::get("http://shop.example/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        drop(server.oneshot(request.body(()).unwrap()).await);
        told.recv().unwrap()
    }

    /// What each span says that it stands for: the server's, then the client's. None if there is no span.
    fn rates(&self) -> Vec<Option<String>> {
        let mut spans = self.spans.get_finished_spans().unwrap();
        spans.sort_by_key(|span| span.span_kind != SpanKind::Server);
        spans.iter().map(rate).collect()
    }
}

fn rate(span: &SpanData) -> Option<String> {
    attribute(span, "SampleRate")
}

fn parent_based(share: f64) -> ParentBasedSampler {
    ParentBasedSampler::new(Ratio::new(share))
}

fn rates<const N: usize>(rates: [Option<&str>; N]) -> Vec<Option<String>> {
    rates.into_iter().map(|rate| rate.map(str::to_owned)).collect()
}

fn state(headers: &HeaderMap) -> &str {
    headers.get("tracestate").map_or("", |state| state.to_str().unwrap())
}

#[tokio::test]
async fn a_trace_that_begins_here_carries_its_rate_on_all_its_spans_and_on_to_others() {
    let service = Service::new(parent_based(0.25));
    let sent = loop {
        let sent = service.serve(&[]).await;
        if sent["traceparent"].to_str().unwrap().ends_with("01") || service.rates().len() > 1 {
            break sent;
        }
        assert_eq!(state(&sent), "", "what is not kept tells no rate");
    };
    assert_eq!(state(&sent), "ot=th:c");
    assert_eq!(service.rates(), rates([Some("4"), Some("4")]));

    let other = Service::new(parent_based(0.5));
    let traceparent = sent["traceparent"].to_str().unwrap().to_owned();
    let sent = other.serve(&[("traceparent", &traceparent), ("tracestate", "ot=th:c")]).await;
    assert_eq!(other.rates(), rates([Some("4"), Some("4")]));
    assert_eq!(state(&sent), "ot=th:c");
}

#[tokio::test]
async fn a_trace_of_which_nothing_is_left_out_carries_no_rate() {
    let service = Service::new(parent_based(1.0));
    assert_eq!(state(&service.serve(&[]).await), "");
    assert_eq!(service.rates(), rates([None, None]));
}

#[tokio::test]
async fn what_others_wrote_into_tracestate_stays() {
    let service = Service::new(Ratio::new(0.5));
    let state_before = "vendor=a,ot=rv:ffffffffffffff;x:y;th:c,z=1";
    let sent = service.serve(&[("traceparent", LOW), ("tracestate", state_before)]).await;
    assert_eq!(state(&sent), "ot=th:8;rv:ffffffffffffff;x:y,vendor=a,z=1");
    assert_eq!(service.rates(), rates([Some("2"), Some("2")]));
}

#[tokio::test]
async fn what_level_2_allows_and_the_api_does_not_stays_as_well() {
    let service = Service::new(Ratio::new(0.5));
    let before = "a@b@c=1,vendor=a";
    let sent = service.serve(&[("traceparent", HIGH), ("tracestate", before)]).await;
    assert_eq!(state(&sent), "ot=th:8,a@b@c=1,vendor=a");
}

#[tokio::test]
async fn the_same_traces_are_kept_by_everybody_who_keeps_as_many() {
    for (traceparent, share, expected) in [(LOW, 0.999, 0), (LOW, 1.0, 2), (HIGH, 0.001, 2), (HIGH, 0.0, 0)] {
        let service = Service::new(Ratio::new(share));
        service.serve(&[("traceparent", traceparent)]).await;
        assert_eq!(service.rates().len(), expected, "{traceparent} {share}");
    }
}

#[tokio::test]
async fn a_share_of_new_traces_is_kept() {
    let service = Service::new(parent_based(0.5));
    for _ in 0..2_000 {
        service.serve(&[]).await;
    }
    let kept = service.rates().len() / 2;
    assert!((850..1150).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_rate_that_the_trace_was_not_sampled_by_is_not_believed() {
    for state in ["ot=th:c", "ot=th:ffffffffffffff", "ot=th:nonsense", "ot=th:c;rv:00000000000000"] {
        let service = Service::new(parent_based(1.0));
        service.serve(&[("traceparent", LOW), ("tracestate", state)]).await;
        assert_eq!(service.rates(), rates([None, None]), "{state}");
    }
}

#[tokio::test]
async fn a_caller_cannot_make_one_request_stand_for_all_others() {
    let service = Service::new(parent_based(1.0));
    let highest = "00-0123456789abcdefa3ffffffffffffff-00f067aa0ba902b7-01";
    service.serve(&[("traceparent", highest), ("tracestate", "ot=th:ffffffffffffff")]).await;
    assert_eq!(service.rates(), rates([Some("1000000"), Some("1000000")]));
}

#[tokio::test]
async fn what_is_not_kept_here_tells_no_rate_downstream() {
    let service = Service::new(Ratio::new(0.5));
    let sent = service.serve(&[("traceparent", LOW), ("tracestate", "ot=th:0;x:y,vendor=a")]).await;
    assert_eq!((state(&sent), service.rates()), ("ot=x:y,vendor=a", rates([])));
}

#[tokio::test]
async fn a_sampler_that_asks_no_parent_tells_its_own_rate() {
    let service = Service::new(Ratio::new(1.0));
    let sent = service.serve(&[("traceparent", HIGH), ("tracestate", "ot=th:c")]).await;
    assert_eq!(state(&sent), "ot=th:0");
    assert_eq!(service.rates(), rates([None, None]));
}

#[tokio::test]
async fn a_caller_who_may_not_decide_does_not_decide_the_rate_either() {
    for (share, expected, told) in [(1.0, None, "ot=th:0,vendor=a"), (0.5, Some("2"), "ot=th:8,vendor=a")] {
        let service = Service::new(parent_based(share)).trusting(TrustIncoming::Ids);
        let sent =
            service.serve(&[("traceparent", HIGH), ("tracestate", "ot=th:fff;rv:ffffffffffffff,vendor=a")]);
        assert_eq!(state(&sent.await), told);
        assert_eq!(service.rates(), rates([expected, expected]));
    }
    let service = Service::new(parent_based(0.5)).trusting(TrustIncoming::Ids);
    service.serve(&[("traceparent", LOW), ("tracestate", "ot=rv:ffffffffffffff")]).await;
    assert_eq!(service.rates(), rates([]), "nor whether it is kept");
}

#[tokio::test]
async fn a_rate_that_the_code_has_set_stays() {
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    let service = Service::new(Ratio::new(0.999_999));
    let tracer = service.provider.tracer("app");
    let builder = tracer.span_builder("by hand").with_attributes([KeyValue::new("sampleRate", 7)]);
    builder.start(&tracer).end();
    assert_eq!(service.rates(), rates([None]));
}

#[tokio::test]
async fn a_sampler_that_keeps_nothing_tells_nothing() {
    let service = Service::new(ParentBasedSampler::new(Sampler::AlwaysOff));
    let sent = service.serve(&[]).await;
    assert_eq!((state(&sent), service.rates()), ("", rates([])));
}

/// Traces of the least and of the most randomness, sampled by their caller.
const LOW: &str = "00-4bf92f3577b34da6a300000000000000-00f067aa0ba902b7-01";
const HIGH: &str = "00-4bf92f3577b34da6a3ffffffffffffff-00f067aa0ba902b7-01";
