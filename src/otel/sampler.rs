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

/// Marks the context of a span whose parent does not say what the caller said.
#[derive(Clone, Copy)]
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
        result.trace_state = handed_on(parent.span().span_context().trace_state(), &result);
        result
    }
}

/// The caller's state with what the sampler wrote. Of what the caller says about sampling nothing is handed on: it was
/// not asked.
fn handed_on(callers: &TraceState, result: &SamplingResult) -> TraceState {
    let mut state = callers.delete(OT).unwrap_or_default();
    let is_overruled = callers.get(OT).is_some() && result.decision == SamplingDecision::RecordAndSample;
    if is_overruled && result.trace_state.get(OT).is_none() {
        state = Threshold::ALL.write(&state);
    }
    let mut written: Vec<_> = result.trace_state.into_iter().collect();
    written.reverse();
    for (key, value) in written {
        state = state.insert(key, value).unwrap_or(state);
    }
    state
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
        let is_given = || attributes.iter().any(|pair| pair.key.as_str().eq_ignore_ascii_case(SAMPLE_RATE));
        if let Some(weight) = weight(&result, trace_id).filter(|_| !is_given()) {
            result.attributes.push(KeyValue::new(SAMPLE_RATE, weight));
        }
        result
    }
}

/// What a span stands for, if it was sampled and that is more than itself.
fn weight(result: &SamplingResult, trace_id: TraceId) -> Option<i64> {
    let is_sampled = result.decision == SamplingDecision::RecordAndSample;
    let threshold = Threshold::read(&result.trace_state).filter(|_| is_sampled)?;
    // A threshold that the trace does not reach is not what it was sampled by.
    let weight = threshold.keeps(trace_id, &result.trace_state).then(|| threshold.weight().round() as i64);
    weight.filter(|weight| *weight > 1).map(|weight| weight.min(HEAVIEST))
}

// ===== impl Mark =====

impl Mark {
    /// What the inner sampler is to believe.
    fn context(self, trace_id: TraceId) -> Context {
        let Self::Decided(sampled) = self else { return Context::new() };
        let (flags, state) = (TraceFlags::default().with_sampled(sampled), TraceState::default());
        let span = SpanContext::new(trace_id, SpanId::generate().into(), flags, true, state);
        Context::new().with_remote_span_context(span)
    }
}

/// What a span may stand for. A caller may write any rate, and would else decide what all others count for.
const HEAVIEST: i64 = 1_000_000;

const OT: &str = "ot";

/// <https://docs.honeycomb.io/manage-data-volume/sample/>; Honeycomb takes it from the span and does not show it as a field.
const SAMPLE_RATE: &str = "SampleRate";
