use std::time::Duration;

use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider};

use super::{collector::Collector, providers::Providers};
use crate::{
    otel::{OtelClientLayer, OtelLayer, TracerProvider},
    setup::{Belvedere, BelvedereClientLayer, BelvedereLayer},
};

/// The providers and the layers.
#[derive(Debug)]
pub(in crate::setup) struct Running {
    collector: Collector,
    tracers: Option<TracerProvider>,
    loggers: Option<SdkLoggerProvider>,
    layer: OtelLayer,
    client_layer: OtelClientLayer,
}

// ===== impl Running =====

impl Running {
    pub(super) fn new(providers: Providers, (layer, client_layer): (OtelLayer, OtelClientLayer)) -> Self {
        let Providers { tracers, meters, loggers } = providers;
        Self { collector: Collector::new(meters), tracers, loggers, layer, client_layer }
    }

    pub(in crate::setup) fn server(&self) -> Option<OtelLayer> {
        Some(self.layer.clone())
    }

    pub(in crate::setup) fn client(&self) -> Option<OtelClientLayer> {
        Some(self.client_layer.clone())
    }

    /// Whether spans are made. Where none are, the layers still let trace headers through.
    pub(in crate::setup) fn is_on(&self) -> bool {
        self.tracers.is_some()
    }

    /// Puts what was measured into its lane.
    pub(in crate::setup) async fn collect(&self, limit: Duration) {
        self.collector.collect(limit).await;
    }

    pub(in crate::setup) fn collect_blocking(&self, limit: Duration) {
        self.collector.collect_blocking(limit);
    }

    /// To be called when the outbox has shut down.
    pub(in crate::setup) fn end(&mut self) {
        self.collector.end();
    }
}

// ===== impl Belvedere =====

impl Belvedere {
    /// The OpenTelemetry layer alone, to set more on it: `belvedere.otel_layer().skip(..)`.
    pub fn otel_layer(&self) -> OtelLayer {
        self.otel.layer.clone()
    }

    /// The OpenTelemetry client layer alone, to set more on it.
    pub fn otel_client_layer(&self) -> OtelClientLayer {
        self.otel.client_layer.clone()
    }

    /// The tracer provider, for spans made by hand; `None` if `OTEL_SDK_DISABLED` is set.
    pub fn tracer_provider(&self) -> Option<&TracerProvider> {
        self.otel.tracers.as_ref()
    }

    /// The meter provider, for metrics of your own; `None` if no metrics are sent, by `OTEL_METRICS_EXPORTER`.
    pub fn meter_provider(&self) -> Option<&SdkMeterProvider> {
        self.otel.collector.provider()
    }

    /// The logger provider; `None` unless exceptions are sent as logs, by `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`.
    pub fn logger_provider(&self) -> Option<&SdkLoggerProvider> {
        self.otel.loggers.as_ref()
    }
}

// ===== impl BelvedereLayer =====

impl BelvedereLayer {
    /// Sets more on the OpenTelemetry layer in it.
    ///
    /// ```no_run
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = belvedere::from_env()?;
    /// let layer = belvedere.layer().otel(|otel| otel.skip(|request| request.uri.path() == "/healthz"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn otel(self, set: impl FnOnce(OtelLayer) -> OtelLayer) -> Self {
        let (pass, xray, otel, rollbar, cloudwatch) = self.observers;
        Self { observers: (pass, xray, otel.map(set), rollbar, cloudwatch) }
    }
}

// ===== impl BelvedereClientLayer =====

impl BelvedereClientLayer {
    /// Sets more on the OpenTelemetry client layer in it.
    #[must_use]
    pub fn otel(self, set: impl FnOnce(OtelClientLayer) -> OtelClientLayer) -> Self {
        let (pass, xray, otel) = self.observers;
        Self { observers: (pass, xray, otel.map(set)) }
    }
}
