//! What was received, by trace, within a bound.
//!
//! 1. `traces` is ordered by the arrival of a trace's first record, so its first entry is the oldest trace.
//! 2. `arrivals` has one entry for each of `traces`, and so has `changes`, under the trace's current version.
//! 3. After `receive` and its like, the weight and the number of spans are within the bounds.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::console::id::TraceId;
use crate::console::item::Item;
use crate::console::line::{Line, Mention};
use crate::console::lines::Loose;
use crate::console::plain;
use crate::console::segment::Document;
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
    /// Log lines of no trace that is known.
    loose: Loose,
    /// Whether X-Ray has ever got anything.
    has_segments: bool,
    /// What happened at the door, for the page that has nothing else to show.
    pub(super) door: Door,
}

/// Posts that left nothing to show.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub(super) empty: u64,
    pub(super) ignored: u64,
    pub(super) refused: u64,
    /// Datagrams and documents of X-Ray that say nothing, or found no room.
    pub(super) garbage: u64,
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
            loose: Loose::new(limit / 8),
            has_segments: false,
            door: Door::default(),
        }
    }

    /// Adds what came in one post. Returns how many spans found their trace full.
    pub(super) fn receive(&mut self, spans: Vec<(TraceId, Span)>) -> usize {
        let insert = |store: &mut Self, order, span: Span| {
            store.remember(span.service());
            store.change(order, |trace, limit| trace.insert(span, limit))
        };
        self.receive_all(spans, insert).len()
    }

    /// Adds documents of X-Ray. Returns the places of those that found their trace full.
    pub(super) fn receive_documents(&mut self, documents: Vec<(TraceId, Document)>) -> Vec<usize> {
        self.has_segments |= !documents.is_empty();
        let insert = |store: &mut Self, order, document: Document| {
            if document.head.is_segment {
                store.remember(&document.head.name);
            }
            store.change(order, |trace, limit| trace.insert_document(document, limit))
        };
        self.receive_all(documents, insert)
    }

    /// Adds an item of Rollbar. `false` where its trace is full.
    pub(super) fn receive_item(&mut self, item: Item) -> bool {
        let insert = |store: &mut Self, order, item: Item| {
            store.remember(&item.head.sender);
            store.change(order, |trace, limit| trace.insert_item(item, limit))
        };
        self.receive_all(vec![(item.place(), item)], insert).is_empty()
    }

    /// Adds log lines: to the traces that they name, or else to those of no trace.
    pub(super) fn receive_lines(&mut self, lines: Vec<Line>) {
        let mut of_traces = Vec::new();
        for line in lines {
            match line.head.mention {
                Some(Mention::Named(id)) => of_traces.push((id, line)),
                Some(Mention::Digits(id)) if self.trace(id).is_some() => of_traces.push((id, line)),
                _ => {
                    self.version += 1;
                    self.loose.push(line, self.version);
                }
            }
        }
        let insert = |store: &mut Self, order, line: Line| {
            store.remember(&plain::title(&line.head.source.group));
            // The trace tells how many found no room in it, so it has changed all the same.
            store.change(order, |trace, limit| trace.insert_line(line, limit));
            store.traces.contains_key(&order)
        };
        self.receive_all(of_traces, insert);
    }

    /// Log lines of no trace that is known.
    pub(super) fn loose(&self) -> &Loose {
        &self.loose
    }

    /// The trace in which an item is.
    pub(super) fn trace_of_item(&self, id: TraceId) -> Option<TraceId> {
        self.traces.values().find(|trace| trace.items().has(id)).map(Trace::id)
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
        self.traces.is_empty() && self.loose.is_empty()
    }

    pub(super) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    pub(super) fn has_segments(&self) -> bool {
        self.has_segments
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
        let mut trace = Trace::new(id, order);
        for line in self.loose.claim(id, self.version + 1) {
            trace.insert_line(line, self.limit / 2);
        }
        self.next += 1;
        self.weight += trace.weight();
        self.traces.insert(order, trace);
        self.arrivals.insert(id, order);
        order
    }

    /// Returns the places of those that were not taken.
    fn receive_all<T>(
        &mut self,
        records: Vec<(TraceId, T)>,
        insert: impl Fn(&mut Self, u64, T) -> bool,
    ) -> Vec<usize> {
        let (mut refused, mut touched) = (Vec::new(), Vec::new());
        for (place, (id, record)) in records.into_iter().enumerate() {
            let order = self.order(id);
            let is_taken = insert(self, order, record);
            if !is_taken {
                refused.push(place);
            }
            // A new trace may have found lines of its own, even if what made it found no room.
            let is_new = || self.traces.get(&order).is_some_and(|trace| trace.version() == 0);
            if is_taken || is_new() {
                touched.push(order);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        touched.into_iter().for_each(|order| self.touch(order));
        self.shrink();
        refused
    }

    fn remember(&mut self, service: &str) {
        let places = self.palette.len();
        if places < REMEMBERED && !self.palette.contains_key(service) {
            self.palette.insert(service.to_owned(), places);
        }
    }

    fn change(&mut self, order: u64, change: impl FnOnce(&mut Trace, usize) -> bool) -> bool {
        let Some(trace) = self.traces.get_mut(&order) else { return false };
        self.weight -= trace.weight();
        self.spans -= trace.spans().len();
        let changed = change(trace, self.limit / 2);
        self.weight += trace.weight();
        self.spans += trace.spans().len();
        if trace.is_empty() {
            self.forget(order);
        }
        changed
    }

    fn touch(&mut self, order: u64) {
        let Some(trace) = self.traces.get_mut(&order) else { return };
        self.version += 1;
        self.changes.remove(&trace.version());
        self.changes.insert(self.version, order);
        trace.settle(self.version);
    }

    fn shrink(&mut self) {
        while self.weight + self.loose.weight() > self.limit || self.spans > SPANS {
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

// ===== impl Door =====

impl Door {
    pub(super) fn refuse(&mut self, reason: &impl ToString) {
        self.refused += 1;
        self.reason = Some(reason.to_string());
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

    fn document(trace: u128, id: u64, more: &str) -> (TraceId, Document) {
        let id = format!(r#"{{"id":"{id:016x}","name":"shop","start_time":1,"end_time":2,"more":"{more}"}}"#);
        let document = Document::new(serde_json::from_str(&id).expect("an object")).expect("a document");
        (span(trace, 1, "").0, document)
    }

    #[test]
    fn documents_are_bounded_as_spans_are() {
        let mut store = Store::new(100_000);
        for trace in 1..=500 {
            store.receive_documents(vec![document(trace, 1, &"n".repeat(900))]);
            assert!(store.weight() <= 100_000);
        }
        assert!(store.trace(span(1, 1, "").0).is_none());
        assert!(store.trace(span(500, 1, "").0).is_some());
        assert_eq!((store.arrivals.len(), store.changes.len()), (store.len(), store.len()));
        let refused =
            store.receive_documents((1..=500).map(|id| document(500, id, &"n".repeat(900))).collect());
        assert!(refused.len() > 400, "{}", refused.len());
        let mut large = Store::new(100 << 20);
        let refused =
            large.receive_documents((1..=30).map(|id| document(1, id, &"n".repeat(60_000))).collect());
        assert_eq!(refused.first(), Some(&17), "no more than a mebibyte of a trace");
    }

    #[test]
    fn a_document_that_is_sent_twice_is_one_document() {
        let mut store = Store::new(100_000);
        store.receive_documents(vec![document(1, 1, "first, and longer"), document(1, 1, "again")]);
        let weight = store.weight();
        store.receive_documents(vec![document(1, 1, "again")]);
        assert_eq!(store.weight(), weight);
        let count = |store: &Store| store.trace(span(1, 1, "").0).map(|trace| trace.segments().count());
        assert_eq!(count(&store), Some(1));
        store.receive(vec![span(1, 1, "beside it")]);
        assert_eq!((count(&store), store.len()), (Some(1), 1));
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
