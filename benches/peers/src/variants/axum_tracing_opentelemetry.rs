use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use opentelemetry::trace::TracerProvider as _;
use tower::{Layer as _, service_fn};
use tracing::Level;
use tracing_subscriber::{
    Layer as _, Registry, filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{Variant, provider};
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "axum-tracing-opentelemetry",
    title: "{axum-tracing-opentelemetry}",
    records: Records::SPAN,
    notes: "the span ends with the head: no end, failure or drop of the body, no trailers. A dropped future and a panic leave no \
            mark. No address of the client unless asked for, no `error.type`; a query goes out as it is.",
    start: |sinks| {
        let provider = provider::otlp(sinks);
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
        let own = Targets::new().with_target("otel::tracing", Level::TRACE);
        Registry::default().with(spans.with_filter(own)).init();
        provider::sending(Running::new(OtelAxumLayer::default().layer(service_fn(handle))), provider)
    },
};
