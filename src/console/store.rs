//! What was received, by trace, within a bound.
//!
//! 1. `traces` is ordered by the arrival of a trace's first record, so its first entry is the oldest trace.
//! 2. `arrivals` has one entry for each of `traces`, and so has `changes`, under the trace's current version.
//! 3. After `receive`, the weight and the number of spans are within the bounds.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::console::id::TraceId;
use crate::console::trace::{Span, Trace};

#[derive(Debug)]
pub(super) struct Store {
    traces: BTreeMap<u64, Trace>,
    arrivals: HashMap<TraceId, u64>,
    changes: BTreeMap<u64, u64>,
    next: u64,
    version: u64,
    weight: usize,
    spans: usize,
    limit: usize,
    palette: HashMap<String, usize>,
    /// What happened at the door, for the page that has nothing else to show.
    pub(super) door: Door,
}

/// Posts that left nothing to show.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub(super) empty: u64,
    pub(super) ignored: u64,
    pub(super) refused: u64,
    pub(super) reason: Option<String>,
}

// ===== impl Store =====

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            traces: BTreeMap::new(),
            arrivals: HashMap::new(),
            changes: BTreeMap::new(),
            next: 0,
            version: 0,
            weight: 0,
            spans: 0,
            limit,
            palette: HashMap::new(),
            door: Door::default(),
        }
    }

    /// Adds what came in one post. Returns how many spans found their trace full.
    pub(super) fn receive(&mut self, spans: Vec<(TraceId, Span)>) -> usize {
        let mut refused = 0;
        let mut touched = Vec::new();
        for (id, span) in spans {
            let order = self.order(id);
            if self.insert(order, span) { touched.push(order) } else { refused += 1 }
        }
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().for_each(|order| self.touch(order));
        self.shrink();
        refused
    }

    pub(super) fn trace(&self, id: TraceId) -> Option<&Trace> {
        self.traces.get(self.arrivals.get(&id)?)
    }

    /// The traces that arrived before the given one, newest first.
    pub(super) fn newest(&self, before: Option<u64>) -> impl Iterator<Item = &Trace> {
        self.traces.range(..before.unwrap_or(u64::MAX)).rev().map(|(_, trace)| trace)
    }

    /// The traces that changed after a version, the latest change first.
    pub(super) fn changed_since(&self, version: u64) -> impl Iterator<Item = &Trace> {
        let after = (Bound::Excluded(version), Bound::Unbounded);
        self.changes.range(after).rev().filter_map(|(_, order)| self.traces.get(order))
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The number of the colour of a service: first come, first served, so that it is the same on every page.
    pub(super) fn color(&self, service: &str) -> usize {
        self.palette.get(service).map_or_else(|| service.len(), |place| *place) % COLORS
    }

    fn order(&mut self, id: TraceId) -> u64 {
        if let Some(order) = self.arrivals.get(&id) {
            return *order;
        }
        let order = self.next;
        let trace = Trace::new(id, order);
        self.next += 1;
        self.weight += trace.weight();
        self.traces.insert(order, trace);
        self.arrivals.insert(id, order);
        order
    }

    fn insert(&mut self, order: u64, span: Span) -> bool {
        let places = self.palette.len();
        if places < REMEMBERED && !self.palette.contains_key(span.service()) {
            self.palette.insert(span.service().to_owned(), places);
        }
        let Some(trace) = self.traces.get_mut(&order) else { return false };
        self.weight -= trace.weight();
        self.spans -= trace.spans().len();
        let inserted = trace.insert(span, self.limit / 2);
        self.weight += trace.weight();
        self.spans += trace.spans().len();
        if trace.spans().is_empty() {
            self.forget(order);
        }
        inserted
    }

    fn touch(&mut self, order: u64) {
        let Some(trace) = self.traces.get_mut(&order) else { return };
        self.version += 1;
        self.changes.remove(&trace.version());
        self.changes.insert(self.version, order);
        trace.settle(self.version);
    }

    fn shrink(&mut self) {
        while self.weight > self.limit || self.spans > SPANS {
            let Some(order) = self.traces.keys().next().copied() else { return };
            self.forget(order);
        }
    }

    fn forget(&mut self, order: u64) {
        let Some(trace) = self.traces.remove(&order) else { return };
        self.arrivals.remove(&trace.id());
        self.changes.remove(&trace.version());
        self.weight -= trace.weight();
        self.spans -= trace.spans().len();
    }
}

const SPANS: usize = 100_000;
const COLORS: usize = 8;
const REMEMBERED: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::trace::Source;

    fn span(trace: u128, span: u64, name: &str) -> (TraceId, Span) {
        let id = TraceId::from_bytes(&trace.to_be_bytes()).expect("an id");
        let data = opentelemetry_proto::tonic::trace::v1::Span {
            span_id: span.to_be_bytes().to_vec(),
            name: name.to_owned(),
            ..Default::default()
        };
        (id, Span::new(Arc::new(Source::default()), data))
    }

    #[test]
    fn the_oldest_trace_goes_and_the_bound_is_kept() {
        let mut store = Store::new(100_000);
        for trace in 1..=500 {
            store.receive(vec![span(trace, 1, &"n".repeat(900))]);
            assert!(store.weight() <= 100_000);
        }
        assert!(store.trace(span(1, 1, "").0).is_none());
        assert!(store.trace(span(500, 1, "").0).is_some());
        assert_eq!(store.arrivals.len(), store.len());
        assert_eq!(store.changes.len(), store.len());
    }

    #[test]
    fn one_trace_cannot_take_everything() {
        let mut store = Store::new(100_000);
        store.receive(vec![span(1, 1, "small")]);
        let refused = store.receive((1..=500).map(|id| span(2, id, &"n".repeat(900))).collect());
        assert!(refused > 400, "{refused}");
        assert_eq!(store.len(), 2);
    }

    #[test]
    fn a_span_that_is_sent_twice_is_one_span() {
        let mut store = Store::new(100_000);
        store.receive(vec![span(1, 1, "first"), span(1, 1, "again")]);
        let weight = store.weight();
        store.receive(vec![span(1, 1, "again")]);
        assert_eq!(store.weight(), weight);
        assert_eq!(store.trace(span(1, 1, "").0).map(|trace| trace.spans().len()), Some(1));
    }

    #[test]
    fn changes_are_told_latest_first_and_once_each() {
        let mut store = Store::new(100_000);
        store.receive(vec![span(1, 1, "a")]);
        store.receive(vec![span(2, 1, "b")]);
        store.receive(vec![span(1, 2, "late")]);
        let ids = |version| store.changed_since(version).map(|trace| trace.order()).collect::<Vec<_>>();
        assert_eq!(ids(0), [0, 1]);
        assert_eq!(ids(2), [0]);
        assert!(ids(3).is_empty());
    }
}
