use std::convert::Infallible;

use http::{Request, Response};
use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::{SdkTracer, Span};
use tower::service_fn;

use super::{Variant, provider};
use crate::{
    exchange::{Body, handle},
    records::Records,
    running::Running,
};

pub const VARIANT: Variant = Variant {
    name: "raw",
    title: "raw span of {opentelemetry_sdk} with 12 attributes, no layer",
    records: Records::SPAN,
    notes: "a root span around the handler, with values that are constants: no header is read, nothing is made current, nothing is \
            watched.",
    start: |sinks| {
        let provider = provider::otlp(sinks);
        let tracer = provider.tracer("shop");
        let service = service_fn(move |request: Request<Body>| traced(span(&tracer), request));
        provider::sending(Running::new(service), provider)
    },
};

async fn traced(mut span: Span, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let response = handle(request).await;
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.end();
    response
}

fn span(tracer: &SdkTracer) -> Span {
    let attributes = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/carts/{id}"),
        KeyValue::new("url.path", "/carts/17"),
        KeyValue::new("url.query", "page=2"),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("server.address", "shop.example"),
        KeyValue::new("server.port", 80),
        KeyValue::new("client.address", "192.0.2.1"),
        KeyValue::new("network.protocol.version", "1.1"),
        KeyValue::new("network.peer.address", "192.0.2.1"),
        KeyValue::new("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0)"),
    ];
    tracer
        .span_builder("GET /carts/{id}")
        .with_kind(SpanKind::Server)
        .with_attributes(attributes)
        .start(tracer)
}
