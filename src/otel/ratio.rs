use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState},
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
/// It asks no parent: [`ParentBased(Ratio::new(0.1))`](super::ParentBased) does.
///
/// ```
/// use belvedere::otel::{Ids, ParentBased, Ratio, Undecided, Weighted};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let sampler = ParentBased(Ratio::new(0.1));
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

    /// Whether a trace is kept, and what its state says then.
    pub(super) fn decide(self, trace_id: TraceId, state: TraceState) -> (bool, TraceState) {
        if !self.threshold.keeps(trace_id, &state) {
            return (false, Threshold::erase(&state));
        }
        // Nobody expects to hear that nothing was left out.
        let is_silent = self.threshold.keeps_all() && Threshold::read(&state).is_none();
        (true, if is_silent { state } else { self.threshold.write(&state) })
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
        let (is_kept, trace_state) = self.decide(trace_id, state);
        let decision = if is_kept { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}
