use std::time::Duration;

use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tokio::time::Instant;
use tower_layer::Layer;

use super::collector::Collector;
use crate::{
    observe::Observe,
    otel::{OtelClientLayer, OtelLayer},
    outbox::{Outbox, Report},
    trace::Propagation,
};

/// The layers of this process, and the guard of what they send.
///
/// Dropping it sends what is left for a bounded time; [`shutdown`](Self::shutdown) does so for as long as you say and
/// tells what became of it.
#[derive(Debug)]
#[must_use = "dropping this ends the sending"]
pub struct Belvedere {
    parts: Parts,
    layer: OtelLayer,
    client_layer: OtelClientLayer,
    warnings: Vec<String>,
}

/// What was started. The order is that in which it ends: the collector after the outbox.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) outbox: Outbox,
    pub(super) tracers: Option<SdkTracerProvider>,
    pub(super) collector: Collector,
    pub(super) propagation: Propagation,
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
    pub(super) fn new(parts: Parts, warnings: Vec<String>) -> Self {
        warnings.iter().for_each(|warning| warn(warning));
        let (layer, client_layer) = (parts.layer(), parts.client_layer());
        Self { parts, layer, client_layer, warnings }
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
        self.parts.tracers.as_ref()
    }

    /// The meter provider, for metrics of your own; `None` if no metrics are sent, by `OTEL_METRICS_EXPORTER`.
    pub fn meter_provider(&self) -> Option<&SdkMeterProvider> {
        self.parts.collector.provider()
    }

    /// The way out of the process.
    pub fn outbox(&self) -> &Outbox {
        &self.parts.outbox
    }

    /// What was wrong with the environment. Each of these was also logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends what there is now, for at most `limit`; whether all of it is settled. Metrics are collected first.
    pub async fn flush(&self, limit: Duration) -> bool {
        let start = Instant::now();
        self.parts.collector.collect(limit).await;
        self.parts.outbox.flush(limit.saturating_sub(start.elapsed())).await
    }

    /// Sends what is left, for at most `limit`, and tells what became of everything. Metrics are collected first.
    pub async fn shutdown(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.parts.collector.collect(limit).await;
        let report = self.parts.outbox.shutdown(limit.saturating_sub(start.elapsed())).await;
        self.parts.collector.end();
        report
    }

    /// [`shutdown`](Self::shutdown) for code that does not await.
    pub fn shutdown_blocking(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.parts.collector.collect_blocking(limit);
        let report = self.parts.outbox.shutdown_blocking(limit.saturating_sub(start.elapsed()));
        self.parts.collector.end();
        report
    }
}

impl Drop for Belvedere {
    fn drop(&mut self) {
        self.parts.collector.collect_blocking(COLLECT);
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

// ===== impl Parts =====

impl Parts {
    fn layer(&self) -> OtelLayer {
        let layer = OtelLayer::new().propagation(self.propagation.clone());
        match &self.tracers {
            Some(tracers) => layer.tracer_provider(tracers),
            None => layer.tracer_provider(&NoopTracerProvider::new()),
        }
    }

    fn client_layer(&self) -> OtelClientLayer {
        let layer = OtelClientLayer::new().propagation(self.propagation.clone());
        match &self.tracers {
            Some(tracers) => layer.tracer_provider(tracers),
            None => layer.tracer_provider(&NoopTracerProvider::new()),
        }
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
