//! A destination that is itself instrumented, as code that a backend's library brings along may be.

use belvedere::outbox::{Batch, Destination, SendError};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData};
use tokio::task::yield_now;
use tracing::{Dispatch, dispatcher::with_default, info_span};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _};

/// It opens a span of OpenTelemetry and one of `tracing` each time it does something.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    tracer: SdkTracer,
    dispatch: Dispatch,
    spawns: bool,
}

// ===== impl Traced =====

impl Traced {
    /// Its spans go to `provider`.
    pub(crate) fn new(provider: &SdkTracerProvider) -> Self {
        let tracer = provider.tracer("destination");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer.clone());
        let subscriber = tracing_subscriber::registry().with(LevelFilter::TRACE).with(layer);
        Self { tracer, dispatch: Dispatch::new(subscriber), spawns: false }
    }

    /// It also does something in a task of its own, as an HTTP client does.
    pub(crate) fn spawning(self) -> Self {
        Self { spawns: true, ..self }
    }

    pub(crate) fn work(&self) {
        self.tracer.start("by opentelemetry").end();
        with_default(&self.dispatch, || info_span!("by tracing").in_scope(|| ()));
    }
}

impl Destination for Traced {
    type Record = SpanData;

    fn size(&self, _span: &SpanData) -> usize {
        1
    }

    async fn send(&self, _batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        self.work();
        yield_now().await;
        self.work();
        if self.spawns {
            let task = self.clone();
            tokio::spawn(async move { task.work() }).await.expect("the work does not panic");
        }
        Ok(())
    }
}
