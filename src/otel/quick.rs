use std::{
    any::Any,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags},
};
use opentelemetry_sdk::trace::SpanLimits;

use super::{
    Links, SpanLane,
    recorded::Recorded,
    rule::{Rule, Verdict},
    sampler::Mark,
    span::remote,
    span_record::SpanRecord,
};
use crate::{outbox::Lane, trace::Identity};

/// What makes the spans of servers without the SDK's own: where nothing asks for one of these.
#[derive(Debug)]
pub(super) struct Quick {
    rule: Rule,
    pub(super) limits: SpanLimits,
    sinks: Box<[Sink]>,
}

/// A lane that spans go into when they are over.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) lane: Lane<SpanRecord>,
    pub(super) value_length: Option<usize>,
    /// Whether it wants only those that have no parent.
    pub(super) roots_only: bool,
    /// Whether the provider has shut down.
    pub(super) is_shut: Arc<AtomicBool>,
}

/// Who a span is.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) span: SpanContext,
    /// Invalid where there is none.
    pub(super) parent_id: SpanId,
    pub(super) parent_is_remote: bool,
    pub(super) weight: Option<i64>,
}

// ===== impl Quick =====

impl Quick {
    /// Nothing where the spans of the SDK are needed: for another sampler, or where they would go nowhere.
    pub(super) fn new(rule: Option<Rule>, limits: SpanLimits, sinks: Vec<Sink>) -> Option<Arc<Self>> {
        let rule = rule.filter(|_| !sinks.is_empty())?;
        Some(Arc::new(Self { rule, limits, sinks: sinks.into() }))
    }

    /// Whether a span may be made in this context.
    pub(super) fn is_on(&self, context: &Context) -> bool {
        !context.is_telemetry_suppressed() && !self.sinks.iter().any(|sink| sink.is_shut.load(Relaxed))
    }

    /// The ids of a span as the SDK gives them, and whether it is sampled.
    #[inline]
    pub(super) fn start(&self, identity: &Identity, base: &Context) -> Start {
        let (parent, mark) = parent(identity, base);
        let trace_id = if parent.is_valid() { parent.trace_id() } else { identity.trace_id().into() };
        let Verdict { is_sampled, state, weight } = self.rule.judge(&parent, mark, trace_id);
        let flags = if is_sampled { parent.trace_flags().with_sampled(true) } else { TraceFlags::default() };
        let span = SpanContext::new(trace_id, identity.span_id().into(), flags, false, state);
        let (has_parent, parent_is_remote) = (parent.is_valid(), parent.is_remote());
        let parent_id = if has_parent { parent.span_id() } else { SpanId::INVALID };
        Start { span, parent_id, parent_is_remote: has_parent && parent_is_remote, weight }
    }

    /// Leaves an exchange that is over to all lanes.
    #[inline(always)]
    pub(super) fn push(&self, recorded: Recorded) {
        let Some((last, others)) = self.sinks.split_last() else { return };
        others.iter().for_each(|sink| sink.push(recorded.clone()));
        last.push(recorded);
    }
}

// ===== impl Sink =====

impl Sink {
    /// The lane of a processor that wants nothing else.
    pub(super) fn of(processor: &dyn Any) -> Option<Self> {
        if let Some(lane) = processor.downcast_ref::<SpanLane>() {
            return Some(lane.sink());
        }
        processor.downcast_ref::<Links>().map(Links::sink)
    }

    #[inline(always)]
    fn push(&self, mut recorded: Recorded) {
        if self.roots_only && recorded.has_parent() {
            return;
        }
        if let Some(characters) = self.value_length {
            recorded.arrived.rest().value_length = Some(characters);
        }
        self.lane.push(SpanRecord::Exchange(recorded));
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sink").field(&self.lane.name()).finish()
    }
}

/// The parent that an identity names, as [`Spans`](super::span::Spans) has it in a context.
#[inline]
fn parent(identity: &Identity, base: &Context) -> (SpanContext, Option<Mark>) {
    let Some(parent_id) = identity.parent_id() else {
        return (SpanContext::NONE, identity.sampled().map(Mark::Decided));
    };
    if !identity.is_remote() {
        let span = base.span();
        let active = span.span_context();
        if active.trace_id() == identity.trace_id().into() {
            return (active.clone(), None);
        }
    }
    (remote(identity, parent_id), identity.sampled().is_none().then_some(Mark::Open))
}
