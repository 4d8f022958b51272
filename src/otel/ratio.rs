use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::threshold::Threshold;

/// A sampler that keeps a share of all traces, and tells which one.
///
/// Whether a trace is kept follows from its id alone, or from the randomness that its `tracestate` carries, in the same
/// way everywhere: a service that keeps half of what another one keeps has whole traces. What is kept says so in
/// `tracestate`, as `ot=th:<threshold>`, by
/// [OpenTelemetry's probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/);
/// so whoever counts spans, here or in other services, knows what each one stands for. [`Weighted`](super::Weighted)
/// writes that onto the span.
///
/// It asks no parent: `ParentBasedSampler::new(Ratio::new(0.1))` does.
///
/// ```
/// use belvedere::otel::{Ids, Ratio, Undecided, Weighted};
/// use opentelemetry_sdk::trace::{ParentBasedSampler, SdkTracerProvider};
///
/// let sampler = ParentBasedSampler::new(Ratio::new(0.1));
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(Ids)
///     .with_sampler(Weighted(Undecided(sampler)))
///     .build();
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    threshold: Threshold,
}

// ===== impl Ratio =====

impl Ratio {
    /// Keeps this share, from 0 to 1, of all traces; what lies beyond is taken for the nearer end, what is no number for 0.
    pub fn new(share: f64) -> Self {
        Self { threshold: Threshold::of_share(share) }
    }
}

impl ShouldSample for Ratio {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let state =
            parent.map(|parent| parent.span().span_context().trace_state().clone()).unwrap_or_default();
        let is_told = || Threshold::read(&state).is_some();
        let (decision, trace_state) = if !self.threshold.keeps(trace_id, &state) {
            (SamplingDecision::Drop, Threshold::erase(&state))
        } else if self.threshold.keeps_all() && !is_told() {
            // Nobody expects to hear that nothing was left out.
            (SamplingDecision::RecordAndSample, state)
        } else {
            (SamplingDecision::RecordAndSample, self.threshold.write(&state))
        };
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}
