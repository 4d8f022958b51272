use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::{
    otel::{OtelLayer, Otlp, SpanLane, TracerProvider, TracerProviderBuilder},
    outbox::{Batch, Destination, Outbox, SendError},
};
use opentelemetry_sdk::trace::SpanData;

use super::sink::Sink;

/// A provider of our own, whose spans stay in memory, and arrive by OTLP as well.
pub struct Provided {
    pub provider: TracerProvider,
    pub outbox: Outbox,
    pub sink: Sink,
    spans: Arc<Mutex<Vec<SpanData>>>,
}

/// A destination that keeps what it gets.
struct Memory(Arc<Mutex<Vec<SpanData>>>);

// ===== impl Provided =====

impl Provided {
    pub fn new() -> Self {
        Self::built(|builder| builder)
    }

    pub fn built(set: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder) -> Self {
        let (outbox, sink, spans) = (Outbox::builder().start().unwrap(), Sink::start(), Arc::default());
        let memory = SpanLane::new(&outbox, "memory", Memory(Arc::clone(&spans)));
        let otlp = Otlp::new(format!("{}/v1/traces", sink.base()).parse().unwrap()).age(Duration::ZERO);
        let otlp = SpanLane::otlp(&outbox, otlp).unwrap();
        let provider = set(TracerProvider::builder()).processor(memory).processor(otlp).build();
        Self { provider, outbox, sink, spans }
    }

    /// A server's layer whose spans are our own.
    pub fn layer(&self) -> OtelLayer {
        OtelLayer::new().tracer_provider(&self.provider)
    }

    /// One whose spans are the SDK's, and come to the same places.
    pub fn sdk_layer(&self) -> OtelLayer {
        OtelLayer::new().tracer_provider(self.provider.sdk())
    }

    /// All spans since the last time, in the order in which they ended.
    pub fn take(&self) -> Vec<SpanData> {
        assert!(self.outbox.flush_blocking(Duration::from_secs(10)), "{}", self.outbox.report());
        mem::take(&mut self.spans.lock().unwrap())
    }

    /// The one span since the last time.
    #[track_caller]
    pub fn only(&self) -> SpanData {
        let mut spans = self.take();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

impl Destination for Memory {
    type Record = SpanData;

    fn size(&self, _: &SpanData) -> usize {
        1
    }

    async fn send(&self, batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}
