use std::sync::Arc;

use opentelemetry::{KeyValue, trace::SpanContext};

use super::{
    observe::Over,
    quick::Quick,
    recorded::{Arrived, Noted, Recorded, Stage},
    written::Writing,
};

/// A span of our own, on its way: nothing is made of it before all is over.
#[derive(Debug)]
pub(super) struct Quickly {
    quick: Arc<Quick>,
    arrived: Arrived,
    /// What options make of the response.
    pub(super) response: Vec<KeyValue>,
    /// Whether it was ended by hand before there was a response.
    is_short: bool,
}

// ===== impl Quickly =====

impl Quickly {
    pub(super) fn new(quick: Arc<Quick>, arrived: Arrived) -> Self {
        Self { quick, arrived, response: Vec::new(), is_short: false }
    }

    pub(super) fn context(&self) -> &SpanContext {
        &self.arrived.span
    }

    /// There is a response: what the span was told until now comes before that.
    pub(super) fn answered(&mut self) {
        if let Some(writing) = Writing::known(&self.arrived.known) {
            self.is_short = writing.is_over();
            writing.edit(|written| written.early = Some(written.attributes.len()));
        }
    }

    /// A new name of our own replaces what the span was called until now.
    pub(super) fn demote(&self) {
        let is_named = self.arrived.given.as_ref().is_some_and(|given| given.name.is_some());
        if let Some(writing) = Writing::known(&self.arrived.known).filter(|_| !is_named) {
            writing.edit(|written| written.name = None);
        }
    }

    #[inline]
    pub(super) fn end(self, over: Over<'_>, noted: Option<Arc<Noted>>) {
        let Self { quick, arrived, response, is_short } = self;
        let Over { kind, status, outcome, error, report, tally } = over;
        arrived.known.end();
        let written = Writing::known(&arrived.known).and_then(|writing| writing.take());
        // What was told first after the response has no mark.
        let written = written.map(|written| written.marked(status.is_some()));
        let stage = match written.as_ref().and_then(|written| written.ended) {
            None => Stage::All,
            Some(_) if is_short || status.is_none() => Stage::Request,
            Some(_) => Stage::Response,
        };
        quick.push(Recorded {
            arrived,
            kind,
            stage,
            status,
            duration: tally.duration,
            outcome,
            error,
            report,
            response: if response.is_empty() { None } else { Some(response.into()) },
            noted,
            written: written.map(Arc::new),
            value_length: None,
        });
    }
}
