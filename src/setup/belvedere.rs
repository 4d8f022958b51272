use std::time::Duration;

use opentelemetry_sdk::{logs::SdkLoggerProvider, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::time::Instant;
use tower_layer::Layer;

use super::{collector::Collector, providers::Providers};
use crate::{
    observe::Observe,
    otel::{OtelClientLayer, OtelLayer},
    outbox::{Outbox, Report},
};

/// The layers of this process, and the guard of what they send.
///
/// Dropping it sends what is left for a bounded time; [`shutdown`](Self::shutdown) does so for as long as you say and
/// tells what became of it.
#[derive(Debug)]
#[must_use = "dropping this ends the sending"]
pub struct Belvedere {
    // The order is that in which they end: what collects after what sends.
    outbox: Outbox,
    collector: Collector,
    tracers: Option<SdkTracerProvider>,
    loggers: Option<SdkLoggerProvider>,
    layer: OtelLayer,
    client_layer: OtelClientLayer,
    warnings: Vec<String>,
}

/// All layers for a service, in one pass.
#[derive(Clone, Debug)]
pub struct BelvedereLayer {
    observers: (OtelLayer,),
}

/// All layers for a client, in one pass.
#[derive(Clone, Debug)]
pub struct BelvedereClientLayer {
    observers: (OtelClientLayer,),
}

// ===== impl Belvedere =====

impl Belvedere {
    pub(super) fn new(
        outbox: Outbox,
        (layer, client_layer): (OtelLayer, OtelClientLayer),
        providers: Providers,
        warnings: Vec<String>,
    ) -> Self {
        warnings.iter().for_each(|warning| warn(warning));
        let Providers { tracers, meters, loggers } = providers;
        Self { outbox, collector: Collector::new(meters), tracers, loggers, layer, client_layer, warnings }
    }

    /// What goes onto a service with `.layer(..)`.
    pub fn layer(&self) -> BelvedereLayer {
        BelvedereLayer { observers: (self.layer.clone(),) }
    }

    /// What goes onto an outgoing client with `.layer(..)`.
    pub fn client_layer(&self) -> BelvedereClientLayer {
        BelvedereClientLayer { observers: (self.client_layer.clone(),) }
    }

    /// The OpenTelemetry layer alone, to set more on it: `belvedere.otel_layer().skip(..)`.
    pub fn otel_layer(&self) -> OtelLayer {
        self.layer.clone()
    }

    /// The OpenTelemetry client layer alone, to set more on it.
    pub fn otel_client_layer(&self) -> OtelClientLayer {
        self.client_layer.clone()
    }

    /// The tracer provider, for spans made by hand; `None` if `OTEL_SDK_DISABLED` is set.
    pub fn tracer_provider(&self) -> Option<&SdkTracerProvider> {
        self.tracers.as_ref()
    }

    /// The meter provider, for metrics of your own; `None` if no metrics are sent, by `OTEL_METRICS_EXPORTER`.
    pub fn meter_provider(&self) -> Option<&SdkMeterProvider> {
        self.collector.provider()
    }

    /// The logger provider; `None` unless exceptions are sent as logs, by `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`.
    pub fn logger_provider(&self) -> Option<&SdkLoggerProvider> {
        self.loggers.as_ref()
    }

    /// The way out of the process.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What was wrong with the environment. Each of these was also logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends what there is now, for at most `limit`; whether all of it is settled. Metrics are collected first.
    pub async fn flush(&self, limit: Duration) -> bool {
        let start = Instant::now();
        self.collector.collect(limit).await;
        self.outbox.flush(limit.saturating_sub(start.elapsed())).await
    }

    /// Sends what is left, for at most `limit`, and tells what became of everything. Metrics are collected first.
    pub async fn shutdown(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.collector.collect(limit).await;
        let report = self.outbox.shutdown(limit.saturating_sub(start.elapsed())).await;
        self.collector.end();
        report
    }

    /// [`shutdown`](Self::shutdown) for code that does not await.
    pub fn shutdown_blocking(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.collector.collect_blocking(limit);
        let report = self.outbox.shutdown_blocking(limit.saturating_sub(start.elapsed()));
        self.collector.end();
        report
    }
}

impl Drop for Belvedere {
    fn drop(&mut self) {
        self.collector.collect_blocking(COLLECT);
    }
}

/// Also seen by those who have not installed a subscriber yet, or never will.
fn warn(warning: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: "belvedere::setup", "{warning}");
    } else {
        eprintln!("belvedere: {warning}");
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
        let (otel,) = self.observers;
        Self { observers: (set(otel),) }
    }
}

impl<S> Layer<S> for BelvedereLayer {
    type Service = Observe<S, (OtelLayer,)>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe::new(inner, self.observers.clone())
    }
}

// ===== impl BelvedereClientLayer =====

impl BelvedereClientLayer {
    /// Sets more on the OpenTelemetry client layer in it.
    #[must_use]
    pub fn otel(self, set: impl FnOnce(OtelClientLayer) -> OtelClientLayer) -> Self {
        let (otel,) = self.observers;
        Self { observers: (set(otel),) }
    }
}

impl<S> Layer<S> for BelvedereClientLayer {
    type Service = Observe<S, (OtelClientLayer,)>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe::new(inner, self.observers.clone())
    }
}

/// How long dropping the guard waits for metrics; a collection takes a thousandth of that.
const COLLECT: Duration = Duration::from_secs(1);
