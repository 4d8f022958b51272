use std::{borrow::Cow, time::SystemTime};

use opentelemetry::{
    KeyValue,
    trace::{Span, SpanContext, Status},
};
use opentelemetry_sdk::trace::SpanLimits;

use super::written::{Writing, Written};
use crate::trace::Known;

/// The span of a server's exchange, as code inside of it sees it.
///
/// What it is told waits beside the exchange, in a place that is made with the first of it. The layer's own facts come to it
/// when the exchange is over, so here is nothing to be exported.
#[derive(Debug)]
pub(super) struct ExchangeSpan {
    context: SpanContext,
    known: Known,
    limits: SpanLimits,
}

// ===== impl ExchangeSpan =====

impl ExchangeSpan {
    pub(super) fn new(context: SpanContext, known: Known, limits: SpanLimits) -> Self {
        Self { context, known, limits }
    }

    fn write(&self, write: impl FnOnce(&mut Written)) {
        if !self.known.is_over() {
            Writing::of(&self.known, self.limits).edit(write);
        }
    }
}

impl Span for ExchangeSpan {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        self.write(|written| written.event(name.into(), timestamp, attributes));
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        !self.known.is_over() && Writing::known(&self.known).is_none_or(|writing| !writing.is_over())
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.write(|written| written.attribute(attribute));
    }

    fn set_status(&mut self, status: Status) {
        self.write(|written| written.status(status));
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.write(|written| written.name = Some(new_name.into()));
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.write(|written| written.link(span_context, attributes));
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.write(|written| written.ended = Some(timestamp));
    }
}
