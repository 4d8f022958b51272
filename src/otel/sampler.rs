use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::threshold::Threshold;
use crate::trace::SpanId;

/// A sampler around another one, for what a caller can say and a parent span cannot.
///
/// `X-Amzn-Trace-Id` may name a trace and leave it open whether it is recorded, and
/// [`TrustIncoming::Ids`](crate::trace::TrustIncoming::Ids) does not let the caller decide it: the inner sampler is then
/// asked as if there were no parent. It may also decide without naming a parent: the inner sampler is then asked as if
/// there were one that decided so.
#[derive(Clone, Debug)]
pub struct Undecided<S>(pub S);

/// A sampler around another one, for those who count spans of which only a share is kept.
///
/// What the inner sampler keeps has the attribute `SampleRate`, N where 1 in N was kept, if its `tracestate` says so: on
/// the spans that [`Ratio`](super::Ratio) kept, and on their children here and in other services. Honeycomb counts
/// each span as that many. A span that already has the attribute keeps it. It is at most a million: callers that are
/// trusted with [all](crate::trace::TrustIncoming::All) may say what a trace stands for.
#[derive(Clone, Debug)]
pub struct Weighted<S>(pub S);

/// A sampler around another one, which is asked for traces that begin here; of others the parent has decided.
///
/// It is `ParentBasedSampler` of the SDK, whose parts cannot be looked at, without the four samplers that may replace the
/// parent's decision.
#[derive(Clone, Debug)]
pub struct ParentBased<S>(pub S);

/// Marks the context of a span whose parent does not say what the caller said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// There is a parent, and nobody has decided.
    Open,
    /// There is no parent, and it is decided.
    Decided(bool),
}

// ===== impl Undecided =====

impl<S: ShouldSample + Clone + 'static> ShouldSample for Undecided<S> {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let ask = |parent| self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        let Some((parent, mark)) = parent.and_then(|parent| Some((parent, *parent.get::<Mark>()?))) else {
            return ask(parent);
        };
        let mut result = ask(Some(&mark.context(trace_id)));
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        result.trace_state =
            handed_on(parent.span().span_context().trace_state(), is_sampled, result.trace_state);
        result
    }
}

/// The caller's state with what the sampler wrote. Of what the caller says about sampling nothing is handed on: it was
/// not asked.
pub(super) fn handed_on(callers: &TraceState, is_sampled: bool, written: TraceState) -> TraceState {
    if *callers == TraceState::NONE {
        return written;
    }
    let mut state = callers.delete(OT).unwrap_or_default();
    if callers.get(OT).is_some() && is_sampled && written.get(OT).is_none() {
        state = Threshold::ALL.write(&state);
    }
    let mut written: Vec<_> = written.into_iter().collect();
    written.reverse();
    for (key, value) in written {
        state = state.insert(key, value).unwrap_or(state);
    }
    state
}

// ===== impl ParentBased =====

impl<S: ShouldSample + Clone + 'static> ShouldSample for ParentBased<S> {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let Some(parent) = parent.filter(|parent| parent.span().span_context().is_valid()) else {
            return self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        };
        let span = parent.span();
        let context = span.span_context();
        let decision =
            if context.is_sampled() { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state: context.trace_state().clone() }
    }
}

// ===== impl Weighted =====

impl<S: ShouldSample + Clone + 'static> ShouldSample for Weighted<S> {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        let is_given = || is_weighed(attributes);
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        let weight = weight(is_sampled, &result.trace_state, trace_id);
        if let Some(weight) = weight.filter(|_| !is_given()) {
            result.attributes.push(KeyValue::new(SAMPLE_RATE, weight));
        }
        result
    }
}

/// Whether somebody has said already what a span stands for.
pub(super) fn is_weighed(attributes: &[KeyValue]) -> bool {
    attributes.iter().any(|pair| pair.key.as_str().eq_ignore_ascii_case(SAMPLE_RATE))
}

/// What a span stands for, if it was sampled and that is more than itself.
pub(super) fn weight(is_sampled: bool, state: &TraceState, trace_id: TraceId) -> Option<i64> {
    let threshold = Threshold::read(state).filter(|_| is_sampled)?;
    // A threshold that the trace does not reach is not what it was sampled by.
    let weight = threshold.keeps(trace_id, state).then(|| threshold.weight().round() as i64);
    weight.filter(|weight| *weight > 1).map(|weight| weight.min(HEAVIEST))
}

// ===== impl Mark =====

impl Mark {
    /// What the inner sampler is to believe.
    fn context(self, trace_id: TraceId) -> Context {
        match self.parent(trace_id) {
            parent if parent.is_valid() => Context::new().with_remote_span_context(parent),
            _ => Context::new(),
        }
    }

    /// The parent in it, which is invalid where there is to be none.
    pub(super) fn parent(self, trace_id: TraceId) -> SpanContext {
        let Self::Decided(sampled) = self else { return SpanContext::NONE };
        let (flags, state) = (TraceFlags::default().with_sampled(sampled), TraceState::default());
        SpanContext::new(trace_id, SpanId::generate().into(), flags, true, state)
    }
}

/// What a span may stand for. A caller may write any rate, and would else decide what all others count for.
const HEAVIEST: i64 = 1_000_000;

const OT: &str = "ot";

/// <https://docs.honeycomb.io/manage-data-volume/sample/>; Honeycomb takes it from the span and does not show it as a field.
pub(super) const SAMPLE_RATE: &str = "SampleRate";
