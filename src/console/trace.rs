//! One trace: the spans, the segments, the items and the log lines that arrived for it, in whatever order.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span::SpanKind};

use crate::console::attribute;
use crate::console::id::TraceId;
use crate::console::item::Item;
use crate::console::items::Items;
use crate::console::line::Line;
use crate::console::lines::Lines;
use crate::console::row::Row;
use crate::console::segment::Document;
use crate::console::segments::Segments;

#[derive(Debug)]
pub(super) struct Trace {
    id: TraceId,
    order: u64,
    version: u64,
    spans: Vec<Span>,
    /// Each source once, however many batches brought it.
    sources: Vec<Arc<Source>>,
    /// Where each source is, by its fingerprint.
    origins: HashMap<u64, usize>,
    places: HashMap<Vec<u8>, usize>,
    segments: Segments,
    items: Items,
    lines: Lines,
    weight: usize,
    row: Row,
}

/// A span and who sent it.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) source: Arc<Source>,
    pub(super) data: otlp::Span,
    weight: usize,
}

/// What all spans of one scope of one resource have in common.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The same for sources that say the same.
    pub(super) fingerprint: u64,
    pub(super) service: String,
    pub(super) resource: Arc<Resource>,
    pub(super) resource_schema: String,
    pub(super) scope: InstrumentationScope,
    pub(super) scope_schema: String,
}

// ===== impl Trace =====

impl Trace {
    pub(super) fn new(id: TraceId, order: u64) -> Self {
        let weight = size_of::<Self>() + ROW;
        Self {
            id,
            order,
            version: 0,
            spans: Vec::new(),
            sources: Vec::new(),
            origins: HashMap::new(),
            places: HashMap::new(),
            segments: Segments::default(),
            items: Items::default(),
            lines: Lines::default(),
            weight,
            row: Row::default(),
        }
    }

    /// Adds a span, in place of an earlier one of the same id. `false` where the trace is full.
    pub(super) fn insert(&mut self, mut span: Span, limit: usize) -> bool {
        let place = self.places.get(&span.data.span_id).copied();
        let source = self.origins.get(&span.source.fingerprint).map(|&origin| self.sources[origin].clone());
        let freed = place.map_or(0, |place| self.spans[place].weight);
        let added = span.weight + source.as_ref().map_or_else(|| span.source.weight(), |_| 0);
        if self.weight - freed + added > limit || (place.is_none() && self.spans.len() >= SPANS) {
            return false;
        }
        self.weight = self.weight - freed + added;
        match source {
            Some(source) => span.source = source,
            None => {
                self.origins.insert(span.source.fingerprint, self.sources.len());
                self.sources.push(span.source.clone());
            }
        }
        match place {
            Some(place) => self.spans[place] = span,
            None => {
                self.places.insert(span.data.span_id.clone(), self.spans.len());
                self.spans.push(span);
            }
        }
        true
    }

    /// Adds a document of X-Ray, in place of an earlier one of the same id. `false` where the trace is full.
    pub(super) fn insert_document(&mut self, document: Document, limit: usize) -> bool {
        if self.segments.is_stale(&document) {
            return true;
        }
        let weight = self.segments.room_for(&document).and_then(|more| self.weight.checked_add_signed(more));
        let Some(weight) = weight.filter(|weight| *weight <= limit) else { return false };
        self.weight = weight;
        self.segments.insert(document);
        true
    }

    /// Adds an item of Rollbar, unless it is there already. `false` where the trace is full.
    pub(super) fn insert_item(&mut self, item: Item, limit: usize) -> bool {
        if self.items.has(item.head.id) {
            return true;
        }
        let weight = self.weight + item.weight();
        if weight > limit || !self.items.has_room_for(&item) {
            return false;
        }
        self.weight = weight;
        self.items.insert(item);
        true
    }

    /// Adds a log line. `false` where the trace is full, which it remembers.
    pub(super) fn insert_line(&mut self, line: Line, limit: usize) -> bool {
        let weight = self.weight + line.weight();
        if weight > limit || !self.lines.has_room_for(&line) {
            self.lines.leave_out();
            return false;
        }
        self.weight = weight;
        self.lines.insert(line);
        true
    }

    /// Computes the row again, under a new version.
    pub(super) fn settle(&mut self, version: u64) {
        self.version = version;
        self.row = Row::of(self);
    }

    pub(super) fn id(&self) -> TraceId {
        self.id
    }

    pub(super) fn order(&self) -> u64 {
        self.order
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(super) fn items(&self) -> &Items {
        &self.items
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Whether it is known how long it took.
    pub(super) fn is_timed(&self) -> bool {
        !self.spans.is_empty() || !self.segments.is_empty() || self.row.duration > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.segments.is_empty() && self.items.is_empty() && self.lines.is_empty()
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().map(|source| &**source)
    }

    pub(super) fn row(&self) -> &Row {
        &self.row
    }

    /// The span without a parent; else one that took the request in; else the earliest.
    pub(super) fn root(&self) -> Option<&Span> {
        let rank = |span: &&Span| {
            let taken_in = [SpanKind::Server as i32, SpanKind::Consumer as i32].contains(&span.data.kind);
            let top = self.parent(span).is_none();
            (!span.data.parent_span_id.is_empty(), !top, !taken_in, span.data.start_time_unix_nano)
        };
        self.spans.iter().min_by_key(rank)
    }

    /// Whether any of its texts has this in it; `text` is in lower case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        let source = |source: &Arc<Source>| attribute::mentions(&source.resource.attributes, text);
        self.row.mentions(text)
            || self.spans.iter().any(|span| span.mentions(text))
            || self.sources.iter().any(source)
            || self.segments.documents().iter().any(|document| document.mentions(text))
            || self.items.iter().any(|item| item.mentions(text))
            || self.lines.iter().any(|line| line.mentions(text))
    }

    /// Where the span's parent is, if it has arrived.
    pub(super) fn parent(&self, span: &Span) -> Option<usize> {
        self.places.get(&span.data.parent_span_id).copied()
    }
}

// ===== impl Span =====

impl Span {
    pub(super) fn new(source: Arc<Source>, data: otlp::Span) -> Self {
        let weight = size_of::<Self>() + INDEX + weigh(&data);
        Self { source, data, weight }
    }

    pub(super) fn service(&self) -> &str {
        &self.source.service
    }

    pub(super) fn duration(&self) -> u64 {
        self.data.end_time_unix_nano.saturating_sub(self.data.start_time_unix_nano)
    }

    fn mentions(&self, text: &str) -> bool {
        self.data.name.to_lowercase().contains(text) || attribute::mentions(&self.data.attributes, text)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.data.status.as_ref().is_some_and(|status| status.code == otlp::status::StatusCode::Error as i32)
    }
}

// ===== impl Source =====

impl Source {
    fn weight(&self) -> usize {
        let Self { fingerprint: _, service, resource, resource_schema, scope, scope_schema } = self;
        let texts = service.len()
            + resource_schema.len()
            + scope.name.len()
            + scope.version.len()
            + scope_schema.len();
        size_of::<Self>()
            + texts
            + attribute::weight(&resource.attributes)
            + attribute::weight(&scope.attributes)
    }
}

fn weigh(span: &otlp::Span) -> usize {
    let event = |event: &otlp::span::Event| {
        size_of::<otlp::span::Event>() + event.name.len() + attribute::weight(&event.attributes)
    };
    let link = |link: &otlp::span::Link| {
        size_of::<otlp::span::Link>() + IDS + link.trace_state.len() + attribute::weight(&link.attributes)
    };
    let texts = span.name.len()
        + span.trace_state.len()
        + span.status.as_ref().map_or(0, |status| status.message.len());
    let events: usize = span.events.iter().map(event).sum();
    let links: usize = span.links.iter().map(link).sum();
    IDS + texts + attribute::weight(&span.attributes) + events + links
}

const SPANS: usize = 10_000;
/// What the indices need for an entry, about.
const INDEX: usize = 128;
const ROW: usize = 512;
const IDS: usize = 96;
