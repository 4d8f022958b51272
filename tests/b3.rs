//! B3 through the layers: what a Zipkin caller sends, and what it is sent.
#![cfg(feature = "otel")]

mod support;

use std::{
    convert::Infallible,
    future::ready,
    sync::{Arc, Mutex},
};

use belvedere::{
    otel::{OtelClientLayer, OtelLayer},
    trace::{Propagation, Propagator, TrustIncoming},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::{Sampler, SpanData};
use support::{Script, Server, Spans};
use tower::{Layer as _, ServiceExt as _, service_fn};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const OTHER: &str = "5759e988bd862e3fe1be46a994272793";

/// A service that calls another one, with both of its layers.
struct Service {
    spans: Spans,
    server: OtelLayer,
    client: OtelClientLayer,
}

// ===== impl Service =====

impl Service {
    fn new(propagators: impl IntoIterator<Item = Propagator>) -> Self {
        Self::of(Spans::new(), Propagation::new(propagators))
    }

    fn of(spans: Spans, propagation: Propagation) -> Self {
        let server = OtelLayer::new().tracer_provider(&spans.provider).propagation(propagation.clone());
        let client = OtelClientLayer::new().tracer_provider(&spans.provider).propagation(propagation);
        Self { spans, server, client }
    }

    /// The headers of B3 that a request with these headers makes it send on, sorted.
    async fn serve(&self, headers: &[(&str, &str)]) -> Vec<String> {
        let seen = Arc::new(Mutex::new(HeaderMap::new()));
        let (client, into) = (self.client.clone(), seen.clone());
        let service = self.server.layer(service_fn(move |_: Request<()>| {
            let into = into.clone();
            let call = client.layer(service_fn(move |request: Request<()>| {
                *into.lock().unwrap() = request.headers().clone();
                ready(Ok::<_, Infallible>(Response::new(Script::new().last())))
            }));
            // A proxy: what came is on the request that leaves.
            let request = Request::get("http://api.example/").header("x-b3-parentspanid", SPAN);
            async move {
                call.oneshot(request.body(()).unwrap()).await.unwrap();
                Ok::<_, Infallible>(Response::new(Script::new().last()))
            }
        }));
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        service.oneshot(request.body(()).unwrap()).await.unwrap();
        let sent = seen.lock().unwrap();
        let mut lines: Vec<_> = sent
            .iter()
            .filter(|(name, _)| name.as_str().contains("b3"))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    /// The span of the one request that was served.
    fn span(&self) -> SpanData {
        let mut spans = self.spans.all();
        spans.retain(|span| span.span_kind == SpanKind::Server);
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

/// `{trace}-{span}` of a line of the single header, and what follows.
fn parts(line: &str) -> (&str, &str, &str) {
    let ids = line.strip_prefix("b3: ").unwrap();
    (&ids[..32], &ids[33..49], &ids[49..])
}

fn b3() -> Propagation {
    Propagation::new([Propagator::B3])
}

fn parent_based(root: Sampler) -> Spans {
    Spans::sampled(Sampler::ParentBased(Box::new(root)))
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_the_parent_in_either_form_and_the_single_form_is_sent_on() {
    let single = format!("{TRACE}-{SPAN}-1-5759e988bd862e3f");
    let multi = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")];
    for headers in [&[("b3", single.as_str())][..], &multi] {
        let service = Service::new([Propagator::B3]);
        let sent = service.serve(headers).await;
        let span = service.span();
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.parent_span_id.to_string(), SPAN);
        assert!(span.parent_span_is_remote);

        assert_eq!(sent.len(), 1, "{sent:?}");
        let (trace, parent, rest) = parts(&sent[0]);
        assert_eq!((trace, rest), (TRACE, "-1"));
        let client = service.spans.all().remove(0);
        assert_eq!(
            (client.span_kind, parent),
            (SpanKind::Client, &*client.span_context.span_id().to_string())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_five_headers_are_sent_where_they_are_asked_for() {
    let service = Service::new([Propagator::B3Multi]);
    let sent = service.serve(&[("b3", &format!("{TRACE}-{SPAN}-1"))]).await;
    let client = service.spans.all().remove(0).span_context.span_id();
    let expected =
        ["x-b3-sampled: 1".to_owned(), format!("x-b3-spanid: {client}"), format!("x-b3-traceid: {TRACE}")];
    assert_eq!(sent, expected);

    for order in [[Propagator::B3, Propagator::B3Multi], [Propagator::B3Multi, Propagator::B3]] {
        let sent = Service::new(order).serve(&[("b3", &format!("{TRACE}-{SPAN}-1"))]).await;
        assert_eq!(sent.len(), 4, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trace_id_of_64_bits_is_gone_on_with() {
    let service = Service::new([Propagator::B3]);
    let sent = service.serve(&[("b3", &format!("{}-{SPAN}-1", &TRACE[16..]))]).await;
    let padded = format!("{:0>32}", &TRACE[16..]);
    assert_eq!(service.span().span_context.trace_id().to_string(), padded);
    assert_eq!(parts(&sent[0]).0, padded);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_not_recorded_is_not_recorded_here_nor_further_on() {
    let service = Service::new([Propagator::B3]);
    let sent = service.serve(&[("b3", &format!("{TRACE}-{SPAN}-0"))]).await;
    assert!(service.spans.all().is_empty());
    let (trace, _, rest) = parts(&sent[0]);
    assert_eq!((trace, rest), (TRACE, "-0"));
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_is_left_open_is_made_here_in_the_callers_trace() {
    for (sampler, state, count) in [(Sampler::AlwaysOn, "-1", 2), (Sampler::AlwaysOff, "-0", 0)] {
        let service = Service::of(parent_based(sampler), b3());
        let sent = service.serve(&[("b3", &format!("{TRACE}-{SPAN}"))]).await;
        let (trace, _, rest) = parts(&sent[0]);
        assert_eq!((trace, rest), (TRACE, state));
        assert_eq!(service.spans.all().len(), count);
        if count > 0 {
            assert_eq!(service.span().parent_span_id.to_string(), SPAN);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_nobody_makes_stays_open() {
    // Without a provider there is no span and no decision.
    let server = OtelLayer::new().propagation(b3());
    let client = OtelClientLayer::new().propagation(b3());
    let service = Service { spans: Spans::new(), server, client };
    let sent = service.serve(&[("b3", &format!("{TRACE}-{SPAN}"))]).await;
    let (trace, _, rest) = parts(&sent[0]);
    assert_eq!((trace, rest), (TRACE, ""));

    let client = OtelClientLayer::new().propagation(Propagation::new([Propagator::B3Multi]));
    let sent = Service { client, ..service }.serve(&[("b3", &format!("{TRACE}-{SPAN}"))]).await;
    assert!(!sent.iter().any(|line| line.contains("sampled")), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn debug_is_recorded_and_sent_on_as_debug() {
    for headers in [
        &[("b3", &*format!("{TRACE}-{SPAN}-d"))][..],
        &[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-flags", "1")],
        &[("b3", "d")],
    ] {
        let service = Service::of(parent_based(Sampler::AlwaysOff), b3());
        let sent = service.serve(headers).await;
        assert_eq!(parts(&sent[0]).2, "-d", "{headers:?}");
        assert_eq!(service.spans.all().len(), 2, "{headers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_alone_begins_a_trace_and_counts() {
    for (decision, sampler, count) in [("1", Sampler::AlwaysOff, 2), ("0", Sampler::AlwaysOn, 0)] {
        let service = Service::of(parent_based(sampler), b3());
        let sent = service.serve(&[("b3", decision)]).await;
        assert_eq!(service.spans.all().len(), count, "{decision}");
        assert_eq!(parts(&sent[0]).2, format!("-{decision}"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_propagator_decides_and_the_other_trace_is_a_link() {
    let traceparent = format!("00-{OTHER}-53995c3f42cd8ad8-01");
    let headers = [("traceparent", &*traceparent), ("b3", &*format!("{TRACE}-{SPAN}-1"))];
    for (order, first, second) in [
        ([Propagator::TraceContext, Propagator::B3], OTHER, TRACE),
        ([Propagator::B3, Propagator::TraceContext], TRACE, OTHER),
    ] {
        let service = Service::new(order);
        service.serve(&headers).await;
        let span = service.span();
        assert_eq!(span.span_context.trace_id().to_string(), first);
        assert_eq!(span.links[0].span_context.trace_id().to_string(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn of_three_traces_the_second_is_the_link() {
    let third = "Root=1-67891234-12456789abcdef0123456789;Parent=53995c3f42cd8ad8;Sampled=1";
    let headers = [
        ("x-amzn-trace-id", third),
        ("traceparent", &*format!("00-{OTHER}-53995c3f42cd8ad8-01")),
        ("b3", &*format!("{TRACE}-{SPAN}-1")),
    ];
    let service = Service::new([Propagator::B3, Propagator::TraceContext, Propagator::XRay]);
    service.serve(&headers).await;
    assert_eq!(service.span().links[0].span_context.trace_id().to_string(), OTHER);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_decides_what_he_is_trusted_with() {
    let debug = format!("{TRACE}-{SPAN}-d");
    let ids = Service::of(parent_based(Sampler::AlwaysOff), b3().trust(TrustIncoming::Ids));
    let sent = ids.serve(&[("b3", &debug)]).await;
    assert!(ids.spans.all().is_empty());
    let (trace, _, rest) = parts(&sent[0]);
    assert_eq!((trace, rest), (TRACE, "-0"));

    let none = Service::of(Spans::new(), b3().trust(TrustIncoming::None));
    let sent = none.serve(&[("b3", &debug)]).await;
    let (trace, _, rest) = parts(&sent[0]);
    assert_eq!((trace == TRACE, rest), (false, "-1"));
    assert_eq!(none.span().links[0].span_context.trace_id().to_string(), TRACE);

    for trust in [TrustIncoming::Ids, TrustIncoming::None] {
        let service = Service::of(parent_based(Sampler::AlwaysOff), b3().trust(trust));
        service.serve(&[("b3", "d")]).await;
        assert!(service.spans.all().is_empty(), "{trust:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn b3_is_neither_read_nor_written_unless_it_is_asked_for() {
    let service = Service::new([Propagator::TraceContext]);
    let sent = service.serve(&[("b3", &format!("{TRACE}-{SPAN}-1"))]).await;
    assert_ne!(service.span().span_context.trace_id().to_string(), TRACE);
    // What a proxy passes on is not ours.
    assert_eq!(sent, [format!("x-b3-parentspanid: {SPAN}")]);
}

#[tokio::test]
async fn over_sockets_a_trace_goes_through_two_services() {
    let spans = Spans::new();
    let server = OtelLayer::new().tracer_provider(&spans.provider);
    let answer =
        service_fn(|_: Request<Incoming>| ready(Ok::<_, Infallible>(Response::new(Script::new().last()))));
    let multi = server.clone().propagation(Propagation::new([Propagator::B3Multi]));
    let callee = Server::hyper1(multi.layer(answer)).await;

    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let client =
        OtelClientLayer::new().tracer_provider(&spans.provider).propagation(b3()).layer(http.clone());
    let uri = format!("http://{}/", callee.address);
    let proxy = server.propagation(b3()).layer(service_fn(move |_: Request<Incoming>| {
        let request = Request::get(&uri).body(Empty::new()).unwrap();
        client.clone().oneshot(request)
    }));
    let caller = Server::hyper1(proxy).await;

    let request =
        Request::get(format!("http://{}/", caller.address)).header("b3", format!("{TRACE}-{SPAN}-d"));
    let response = http.request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(support::client::read(response).await);

    let mut all = spans.all();
    while all.len() < 3 {
        tokio::task::yield_now().await;
        all = spans.all();
    }
    assert!(all.iter().all(|span| span.span_context.trace_id().to_string() == TRACE), "{all:#?}");
    let find = |kind: SpanKind, parent: &str| {
        let is = |span: &&SpanData| span.span_kind == kind && span.parent_span_id.to_string() == parent;
        all.iter().find(is).map(|span| span.span_context.span_id().to_string()).expect("the chain holds")
    };
    let first = find(SpanKind::Server, SPAN);
    let call = find(SpanKind::Client, &first);
    find(SpanKind::Server, &call);
}
