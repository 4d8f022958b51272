use opentelemetry_instrumentation_tower::http::server::{Layer, LayerBuilder};
use tower::{Layer as _, service_fn};

use super::{Variant, provider};
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "opentelemetry-instrumentation-tower",
    title: "{opentelemetry-instrumentation-tower}, spans only",
    records: Records::SPAN,
    notes: "the span ends with the head: no end, failure or drop of the body, no trailers. A dropped future and a panic leave no \
            mark. No address of the client or the server, no `error.type`.",
    start: |sinks| {
        let provider = provider::otlp(sinks);
        provider::sending(Running::new(layer().layer(service_fn(handle))), provider)
    },
};

pub fn layer() -> Layer {
    LayerBuilder::builder().with_metrics(false).build().expect("a layer")
}
