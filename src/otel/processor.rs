use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanProcessor},
};

use super::Otlp;
use crate::{
    Error,
    outbox::{Destination, Lane, Outbox, WeakOutbox},
};

/// The SDK's span processor that puts ended spans into a lane of the outbox.
///
/// Ending a span never blocks: the lane is bounded, and what does not fit is counted. The SDK's own flush and shutdown
/// flush the outbox, and block meanwhile for at most five seconds or as long as they are told.
///
/// ```no_run
/// use belvedere::{otel::{Ids, Otlp, SpanLane}, outbox::Outbox};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = Outbox::builder().start()?;
/// let otlp = Otlp::new("http://localhost:4318/v1/traces".parse()?);
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(Ids)
///     .with_span_processor(SpanLane::otlp(&outbox, otlp)?)
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SpanLane {
    lane: Lane<SpanData>,
    outbox: WeakOutbox,
    resource: SharedResource,
}

/// What the provider says of the service; known once the provider is built.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedResource(Arc<OnceLock<Mutex<Resource>>>);

// ===== impl SpanLane =====

impl SpanLane {
    /// A lane to an OTLP endpoint, named after it: `otlp localhost:4318`.
    ///
    /// # Errors
    ///
    /// When the endpoint is no whole URL, or the transport cannot be built.
    pub fn otlp(outbox: &Outbox, otlp: Otlp) -> Result<Self, Error> {
        let resource = SharedResource::default();
        let name = format!("otlp {}", otlp.uri().authority().map_or("", |authority| authority.as_str()));
        let lane = outbox.lane(name, otlp.destination(resource.clone())?);
        Ok(Self { lane, outbox: outbox.downgrade(), resource })
    }

    /// A lane to a destination of the user's own.
    pub fn new(
        outbox: &Outbox,
        name: &'static str,
        destination: impl Destination<Record = SpanData>,
    ) -> Self {
        let (lane, resource) = (outbox.lane(name, destination), SharedResource::default());
        Self { lane, outbox: outbox.downgrade(), resource }
    }

    fn flush(&self, limit: Duration) -> OTelSdkResult {
        let done = self.outbox.upgrade().is_none_or(|outbox| outbox.flush_blocking(limit));
        if done { Ok(()) } else { Err(OTelSdkError::Timeout(limit)) }
    }
}

impl SpanProcessor for SpanLane {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        // A span may be recorded for its processors alone; what is sent is what was sampled.
        if span.span_context.is_sampled() {
            self.lane.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.flush(FLUSH)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.flush(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource.set(resource);
    }
}

// ===== impl SharedResource =====

impl SharedResource {
    fn set(&self, resource: &Resource) {
        let cell = self.0.get_or_init(|| Mutex::new(resource.clone()));
        *cell.lock().unwrap_or_else(PoisonError::into_inner) = resource.clone();
    }

    pub(super) fn get(&self) -> Option<Resource> {
        self.0.get().map(|cell| cell.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

const FLUSH: Duration = Duration::from_secs(5);
