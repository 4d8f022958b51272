use opentelemetry::trace::TracerProvider as _;
use tower::{Layer as _, service_fn};
use tower_otel::trace::HttpLayer;
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Registry, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{Variant, provider};
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "tower-otel",
    title: "{tower-otel}",
    records: Records::SPAN,
    notes: "the span ends with the head: no end of the body, no trailers (failures and drops of it with `.trace_body()`, which \
            is not the default). A panic is taken for a cancel. It copies every header into the span, cookies included.",
    start: |sinks| {
        let provider = provider::otlp(sinks);
        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
        Registry::default().with(spans).with(LevelFilter::INFO).init();
        let layer = HttpLayer::server(Level::INFO);
        provider::sending(Running::new(layer.layer(service_fn(handle))), provider)
    },
};
