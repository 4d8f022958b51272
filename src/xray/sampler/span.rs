use std::sync::Arc;

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{Link, SpanKind, TraceContextExt as _, TraceId},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::{Request, Sampler};

/// A [`Sampler`] for the OpenTelemetry SDK, so that traces are kept by X-Ray's rules whichever backend they go to.
///
/// It decides about spans that begin a trace; all others are kept where their parent is, as by the SDK's
/// `ParentBasedSampler`. What rules ask for is taken from the attributes that a span begins with: `http.request.method`,
/// `url.path`, `server.address`. The name of the service is given here, because a sampler does not see the resource.
///
/// ```
/// use belvedere::{
///     otel::{Ids, Undecided},
///     xray::{Sampler, sampler::SpanSampler},
/// };
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let sampler = SpanSampler::new(Sampler::reservoir(1, 0.05), "backend-flask");
/// let provider =
///     SdkTracerProvider::builder().with_id_generator(Ids).with_sampler(Undecided(sampler)).build();
/// ```
#[derive(Clone, Debug)]
pub struct SpanSampler {
    sampler: Sampler,
    service: Arc<str>,
    service_type: Option<Arc<str>>,
}

// ===== impl SpanSampler =====

impl SpanSampler {
    /// Asks `sampler` for the traces that `service` begins.
    pub fn new(sampler: Sampler, service: impl Into<Arc<str>>) -> Self {
        Self { sampler, service: service.into(), service_type: None }
    }

    /// What the service runs on, as X-Ray names it: `AWS::ECS::Container`. Default unknown, which matches every rule.
    #[must_use]
    pub fn service_type(self, service_type: impl Into<Arc<str>>) -> Self {
        Self { service_type: Some(service_type.into()), ..self }
    }

    fn sample(&self, attributes: &[KeyValue]) -> bool {
        let Self { sampler, service, service_type } = self;
        let request = Request {
            service: Some(service),
            service_type: service_type.as_deref(),
            host: text(attributes, "server.address"),
            method: text(attributes, "http.request.method"),
            path: text(attributes, "url.path"),
        };
        sampler.sample(&request).sampled
    }
}

impl ShouldSample for SpanSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _trace_id: TraceId,
        _name: &str,
        _kind: &SpanKind,
        attributes: &[KeyValue],
        _links: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|parent| parent.span().span_context().clone()).filter(|span| span.is_valid());
        let sampled = parent.as_ref().map_or_else(|| self.sample(attributes), |span| span.is_sampled());
        let decision = if sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
        let trace_state = parent.map(|span| span.trace_state().clone()).unwrap_or_default();
        SamplingResult { decision, attributes: Vec::new(), trace_state }
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.key.as_str() == key).and_then(|attribute| {
        match &attribute.value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        }
    })
}
