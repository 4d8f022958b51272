use std::cell::Cell;

use opentelemetry::trace;
use opentelemetry_sdk::trace::IdGenerator;

use crate::trace::{Identity, SpanId, TraceId};

thread_local! {
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// The id generator that lets a span have the id that its exchange already has.
///
/// The SDK asks its generator for the id of every root span and takes none from anywhere else, so a provider without
/// this one gives traces ids of its own; a layer that finds that out says so once and goes on. Other spans get random
/// ids; new trace ids begin with the time, so that X-Ray takes them.
///
/// ```
/// use belvedere::otel::Ids;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder().with_id_generator(Ids).build();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids;

// ===== impl Ids =====

impl Ids {
    /// Runs `start`, which starts one span, with the ids of `identity` at hand.
    pub(super) fn hand_over<T>(identity: &Identity, start: impl FnOnce() -> T) -> T {
        struct Reset;
        impl Drop for Reset {
            // Also when a sampler or a processor of the user's panics: the next span on this thread is another one.
            fn drop(&mut self) {
                NEXT.set(None);
            }
        }
        let _reset = Reset;
        NEXT.set(Some((identity.trace_id(), identity.span_id())));
        start()
    }
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> trace::TraceId {
        let next = NEXT.take().map(|(trace_id, _)| trace_id);
        next.unwrap_or_else(TraceId::generate).into()
    }

    /// The SDK asks for the span's id first, and for a trace's only if there is no parent.
    fn new_span_id(&self) -> trace::SpanId {
        let next = NEXT.get().map(|(_, span_id)| span_id);
        next.unwrap_or_else(SpanId::generate).into()
    }
}
