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
    notes: "a root span around the handler, with its attributes copied from the request: no trace is continued, nothing is made \
            current, nothing is watched.",
    start: |sinks| {
        let provider = provider::otlp(sinks);
        let tracer = provider.tracer("shop");
        let service = service_fn(move |request: Request<Body>| traced(span(&tracer, &request), request));
        provider::sending(Running::new(service), provider)
    },
};

async fn traced(mut span: Span, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let response = handle(request).await;
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.end();
    response
}

fn span(tracer: &SdkTracer, request: &Request<Body>) -> Span {
    let (uri, header) = (request.uri(), |name| text(request, name));
    let attributes = vec![
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("http.route", "/carts/{id}"),
        KeyValue::new("url.path", uri.path().to_owned()),
        KeyValue::new("url.query", uri.query().unwrap_or_default().to_owned()),
        KeyValue::new("url.scheme", "http"),
        KeyValue::new("server.address", header("host")),
        KeyValue::new("server.port", 80),
        KeyValue::new("client.address", header("x-forwarded-for")),
        KeyValue::new("network.protocol.version", "1.1"),
        KeyValue::new("network.peer.address", "192.0.2.1"),
        KeyValue::new("user_agent.original", header("user-agent")),
    ];
    tracer
        .span_builder("GET /carts/{id}")
        .with_kind(SpanKind::Server)
        .with_attributes(attributes)
        .start(tracer)
}

fn text(request: &Request<Body>, name: &'static str) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
