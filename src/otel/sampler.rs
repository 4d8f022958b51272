use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::trace::{SamplingResult, ShouldSample};

/// A sampler that lets the inner one decide where a caller named a trace but did not decide whether it is recorded.
///
/// `X-Amzn-Trace-Id` may leave the decision open, and [`TrustIncoming::Ids`](crate::trace::TrustIncoming::Ids) does not
/// let the caller make it. A parent-based sampler would read both as *not recorded*; this asks it as if there were no
/// parent.
#[derive(Clone, Debug)]
pub struct Undecided<S>(pub S);

/// Marks the context of a parent that has not decided.
pub(super) struct Mark;

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
        let Some(undecided) = parent.filter(|parent| parent.get::<Mark>().is_some()) else {
            return self.0.should_sample(parent, trace_id, name, kind, attributes, links);
        };
        let root = Context::new();
        let mut result = self.0.should_sample(Some(&root), trace_id, name, kind, attributes, links);
        if result.trace_state.header().is_empty() {
            result.trace_state = undecided.span().span_context().trace_state().clone();
        }
        result
    }
}
