use std::sync::Arc;

use opentelemetry::{KeyValue, trace::SpanContext};

use super::{
    observe::Over,
    options::Options,
    quick::Quick,
    recorded::{Arrived, Noted, Recorded, Stage},
    written::Writing,
};
use crate::trace::Known;

/// A span of our own, on its way: nothing is made of it before all is over.
#[derive(Debug)]
pub(super) struct Quickly {
    quick: Arc<Quick>,
    arrived: Arrived,
    /// Whether it was ended by hand before there was a response.
    is_short: bool,
}

// ===== impl Quickly =====

impl Quickly {
    pub(super) fn new(quick: Arc<Quick>, arrived: Arrived) -> Self {
        Self { quick, arrived, is_short: false }
    }

    pub(super) fn context(&self) -> SpanContext {
        self.arrived.span()
    }

    /// There is a response: what the span was told until now comes before that.
    pub(super) fn answered(&mut self, known: &Known) {
        if let Some(writing) = Writing::known(known) {
            self.is_short = writing.is_over();
            writing.edit(|written| written.early = Some(written.attributes.len()));
        }
    }

    /// What options make of the response.
    pub(super) fn add(&mut self, attributes: Vec<KeyValue>) {
        if !attributes.is_empty() {
            self.arrived.rest().response = Some(attributes.into());
        }
    }

    /// A new name of our own replaces what the span was called until now.
    pub(super) fn demote(&self, known: &Known) {
        let is_named = self.arrived.given.as_ref().is_some_and(|given| given.name.is_some());
        if let Some(writing) = Writing::known(known).filter(|_| !is_named) {
            writing.edit(|written| written.name = None);
        }
    }

    #[inline(always)]
    pub(super) fn end(self, over: Over<'_>, options: Arc<Options>, known: Known) {
        let Self { quick, mut arrived, is_short } = self;
        known.end();
        let written = Writing::known(&known).and_then(|writing| writing.take());
        let stage = match written.as_ref().and_then(|written| written.ended) {
            None => Stage::All,
            Some(_) if is_short || over.status.is_none() => Stage::Request,
            Some(_) => Stage::Response,
        };
        if let Some(written) = written {
            // What was told first after the response has no mark.
            arrived.rest().written = Some(Arc::new(written.marked(over.status.is_some())));
        }
        if let Some(noted) = Noted::of(&known) {
            arrived.rest().noted = Some(noted);
        }
        if !over.outcome.is_good() || over.error.is_some() {
            let (rest, report) = (arrived.rest(), over.report(&known));
            (rest.outcome, rest.error, rest.report) = (over.outcome, over.error, report);
        }
        let Over { kind, status, tally, .. } = over;
        let mut recorded = Recorded::new(options, known, arrived, tally.duration);
        (recorded.kind, recorded.stage, recorded.status) = (kind, stage, status);
        quick.push(recorded);
    }
}
