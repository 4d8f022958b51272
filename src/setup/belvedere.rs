use std::time::Duration;

use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower_layer::Layer;

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
    outbox: Outbox,
    provider: Option<SdkTracerProvider>,
    propagation: Propagation,
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
        provider: Option<SdkTracerProvider>,
        propagation: Propagation,
        warnings: Vec<String>,
    ) -> Self {
        for warning in &warnings {
            warn(warning);
        }
        Self { outbox, provider, propagation, warnings }
    }

    /// What goes onto a service with `.layer(..)`.
    pub fn layer(&self) -> BelvedereLayer {
        BelvedereLayer { observers: (self.otel_layer(),) }
    }

    /// What goes onto an outgoing client with `.layer(..)`.
    pub fn client_layer(&self) -> BelvedereClientLayer {
        BelvedereClientLayer { observers: (self.otel_client_layer(),) }
    }

    /// The OpenTelemetry layer alone, to set more on it: `belvedere.otel_layer().skip(..)`.
    pub fn otel_layer(&self) -> OtelLayer {
        let layer = OtelLayer::new().propagation(self.propagation.clone());
        match &self.provider {
            Some(provider) => layer.tracer_provider(provider),
            None => layer.tracer_provider(&NoopTracerProvider::new()),
        }
    }

    /// The OpenTelemetry client layer alone, to set more on it.
    pub fn otel_client_layer(&self) -> OtelClientLayer {
        let layer = OtelClientLayer::new().propagation(self.propagation.clone());
        match &self.provider {
            Some(provider) => layer.tracer_provider(provider),
            None => layer.tracer_provider(&NoopTracerProvider::new()),
        }
    }

    /// The tracer provider, for spans made by hand; `None` if `OTEL_SDK_DISABLED` is set.
    pub fn tracer_provider(&self) -> Option<&SdkTracerProvider> {
        self.provider.as_ref()
    }

    /// The way out of the process.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What was wrong with the environment. Each of these was also logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends what there is now, for at most `limit`; whether all of it is settled.
    pub async fn flush(&self, limit: Duration) -> bool {
        self.outbox.flush(limit).await
    }

    /// Sends what is left, for at most `limit`, and tells what became of everything.
    pub async fn shutdown(self, limit: Duration) -> Report {
        self.outbox.shutdown(limit).await
    }

    /// [`shutdown`](Self::shutdown) for code that does not await.
    pub fn shutdown_blocking(self, limit: Duration) -> Report {
        self.outbox.shutdown_blocking(limit)
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

impl<S> Layer<S> for BelvedereLayer {
    type Service = Observe<S, (OtelLayer,)>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe::new(inner, self.observers.clone())
    }
}

// ===== impl BelvedereClientLayer =====

impl<S> Layer<S> for BelvedereClientLayer {
    type Service = Observe<S, (OtelClientLayer,)>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe::new(inner, self.observers.clone())
    }
}
