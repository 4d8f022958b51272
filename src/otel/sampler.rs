use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SamplingResult, ShouldSample};

use crate::trace::SpanId;

/// A sampler around another one, for what a caller can say and a parent span cannot.
///
/// `X-Amzn-Trace-Id` may name a trace and leave it open whether it is recorded, and
/// [`TrustIncoming::Ids`](crate::trace::TrustIncoming::Ids) does not let the caller decide it: the inner sampler is then
/// asked as if there were no parent. It may also decide without naming a parent: the inner sampler is then asked as if
/// there were one that decided so.
#[derive(Clone, Debug)]
pub struct Undecided<S>(pub S);

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
        if result.trace_state.header().is_empty() {
            result.trace_state = parent.span().span_context().trace_state().clone();
        }
        result
    }
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
