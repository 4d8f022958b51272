use std::{
    io::{self, Write},
    time::Duration,
};

use opentelemetry::{Context, trace::SpanId};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use super::{Print, SpanLane, quick::Sink};
use crate::outbox::Outbox;

/// A span processor that prints a link to each trace that begins in this process, as its first span ends: for the person
/// at the terminal, while developing.
///
/// The printing is done as by [`Print`], through a lane of its own named `links`: it never holds a request up.
#[derive(Debug)]
pub struct Links {
    lane: SpanLane,
}

// ===== impl Links =====

impl Links {
    /// Prints to the standard output, one line for each trace: what `url` makes of its first span.
    pub fn stdout(outbox: &Outbox, url: impl Fn(&SpanData) -> String + Send + 'static) -> Self {
        Self::new(outbox, io::stdout(), url)
    }

    /// Prints to `out`.
    pub fn new(
        outbox: &Outbox,
        out: impl Write + Send + 'static,
        url: impl Fn(&SpanData) -> String + Send + 'static,
    ) -> Self {
        let print = Print::written(out, move |span| Ok(url(span).into_bytes()));
        Self { lane: SpanLane::new(outbox, "links", print) }
    }

    /// The lane, for spans of our own.
    pub(super) fn sink(&self) -> Sink {
        Sink { roots_only: true, ..self.lane.sink() }
    }
}

impl SpanProcessor for Links {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.parent_span_id == SpanId::INVALID {
            self.lane.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.lane.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.lane.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.lane.set_resource(resource);
    }
}
