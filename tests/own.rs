//! What a user brings along: a tracer provider, an exporter over gRPC, spans of the `tracing` crate. Each is an example, run
//! as a process of its own.
#![cfg(feature = "full")]

mod support;

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use support::{
    collector::Collector,
    example::Example,
    sink::{Sink, text},
};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Asks for a cart, as a caller that is part of a trace.
async fn ask(address: SocketAddr) {
    let request = Request::get(format!("http://{address}/carts/17")).header("traceparent", TRACEPARENT);
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[track_caller]
fn assert_served(span: &Span) {
    assert_eq!((span.name.as_str(), span.kind()), ("GET /carts/{id}", SpanKind::Server));
    assert_eq!(span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(attribute(span, "http.response.status_code").as_deref(), Some("200"));
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    Some(text(pair.value.clone()?.value))
}

#[tokio::test]
async fn a_provider_of_the_users_own_keeps_its_resource_and_its_processors() {
    let sink = Sink::start();
    let endpoint = format!("{}/v1/traces", sink.base());
    let mut example = Example::start("provider", &[("PORT", "0"), ("ENDPOINT", &endpoint)]);
    ask(example.address()).await;
    let spans = sink.arrived(1).await;
    assert_served(&spans[0]);
    assert_eq!(attribute(&spans[0], "cloud.region").as_deref(), Some("eu-west-1"));
    assert!(sink.resource().contains(&("service.name".to_owned(), "shop".to_owned())));
    let report = tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
    assert!(report.contains("1 delivered"), "{report}");
}

#[tokio::test]
async fn an_exporter_of_the_users_own_sends_over_grpc() {
    let collector = Collector::start().await;
    let mut example =
        Example::start("exporter", &[("PORT", "0"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.base())]);
    ask(example.address()).await;
    // What it has left, it sends when it is told to end.
    tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
    assert_served(&collector.arrived(1).await[0]);
}

#[tokio::test]
async fn spans_of_tracing_are_children_of_the_requests_span() {
    let sink = Sink::start();
    let variables = [
        ("PORT", "0"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*sink.base()),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ];
    let mut example = Example::start("tracing", &variables);
    ask(example.address()).await;
    let spans = sink.arrived(3).await;
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let (request, cart, items) = (named("GET /carts/{id}"), named("cart"), named("items"));
    assert_served(request);
    assert_eq!(cart.parent_span_id, request.span_id);
    assert_eq!(items.parent_span_id, cart.span_id);
    assert_eq!(items.events[0].name, "looking into the cart");
    tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
}
