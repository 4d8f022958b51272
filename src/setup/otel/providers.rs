use opentelemetry::global;
use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider};

use super::{instrumentation::Instrumentation, layers::Layers};
use crate::{
    otel::{Metrics, OtelClientLayer, OtelLayer, TracerProvider},
    setup::start::Start,
};

/// The SDK's providers; none of what is not sent.
#[derive(Debug, Default)]
pub(super) struct Providers {
    pub(super) tracers: Option<TracerProvider>,
    pub(super) meters: Option<SdkMeterProvider>,
    pub(super) loggers: Option<SdkLoggerProvider>,
}

// ===== impl Providers =====

impl Providers {
    /// Makes them OpenTelemetry's global ones. For logs there is no such thing.
    pub(super) fn publish(&self) {
        self.tracers.iter().cloned().for_each(global::set_tracer_provider);
        self.meters.iter().cloned().for_each(global::set_meter_provider);
    }

    /// The layers that use them.
    pub(super) fn layers(
        &self,
        start: &Start<'_>,
        instrumentation: &Instrumentation,
        metrics: Option<Metrics>,
    ) -> (OtelLayer, OtelClientLayer) {
        let Self { tracers, loggers, .. } = self;
        let (tracers, loggers) = (tracers.as_ref(), loggers.as_ref());
        let layers = Layers { start, instrumentation, tracers, metrics, loggers };
        (layers.server(), layers.client())
    }
}
