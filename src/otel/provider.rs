use std::{any::Any, sync::Arc, time::Duration};

use opentelemetry::{InstrumentationScope, trace};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{self as sdk, SdkTracer, SdkTracerProvider, ShouldSample, SpanLimits, SpanProcessor},
};

use super::{
    Ids, ParentBased, Ratio, Undecided, Weighted,
    quick::{Quick, Sink},
    rule::Rule,
};

/// A tracer provider whose spans of servers cost little.
///
/// It is the SDK's, with [`Ids`]: spans that are made by hand or by a client layer are the SDK's own, and so are samplers,
/// processors and limits. Only the span of an [`OtelLayer`](super::OtelLayer) that has this provider is of another type:
/// it notes what it is told, and is made into a span on the outbox's thread. Handlers see no difference; it is the active
/// span, has children and links, takes attributes, events, a status and a name.
///
/// # When it is the SDK's span after all
///
/// - With a processor that is no [`SpanLane`](super::SpanLane) and no [`Links`](super::Links): it asks for the SDK's span
///   when one starts.
/// - With a sampler that may look at more than the parent and the trace's id. These do not: [`Ratio`], the SDK's
///   `Sampler::AlwaysOn` and `AlwaysOff`, [`ParentBased`] around one of these, and [`Undecided`], [`Weighted`] or
///   `Weighted(Undecided(..))` around that.
///
/// What is recorded is the same then, at about twice the cost on the request's thread.
///
/// ```no_run
/// use belvedere::{otel::{OtelLayer, Otlp, SpanLane, TracerProvider}, outbox::Outbox};
///
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = Outbox::builder().start()?;
/// let otlp = Otlp::new("http://localhost:4318/v1/traces".parse()?);
/// let provider = TracerProvider::builder().processor(SpanLane::otlp(&outbox, otlp)?).build();
/// let layer = OtelLayer::new().tracer_provider(&provider);
/// opentelemetry::global::set_tracer_provider(provider);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TracerProvider {
    sdk: SdkTracerProvider,
    quick: Option<Arc<Quick>>,
}

/// Makes a [`TracerProvider`].
#[derive(Debug)]
#[must_use]
pub struct TracerProviderBuilder {
    sdk: sdk::TracerProviderBuilder,
    rule: Option<Rule>,
    limits: SpanLimits,
    /// None once there is a processor that wants the SDK's spans.
    sinks: Option<Vec<Sink>>,
}

// ===== impl TracerProvider =====

impl TracerProvider {
    /// With the sampler of `OTEL_TRACES_SAMPLER=parentbased_always_on`, the SDK's default limits, its default resource, and no
    /// processor.
    pub fn builder() -> TracerProviderBuilder {
        let sdk = SdkTracerProvider::builder().with_id_generator(Ids);
        let builder =
            TracerProviderBuilder { sdk, rule: None, limits: SpanLimits::default(), sinks: Some(Vec::new()) };
        builder.sampler(Weighted(Undecided(ParentBased(Ratio::new(1.0))))).limits(SpanLimits::default())
    }

    /// The SDK's own provider in it. A layer that is given this one makes spans of the SDK.
    pub fn sdk(&self) -> &SdkTracerProvider {
        &self.sdk
    }

    /// Waits until all processors have passed on what they have; a lane for at most five seconds.
    ///
    /// # Errors
    ///
    /// When a processor says so.
    pub fn force_flush(&self) -> OTelSdkResult {
        self.sdk.force_flush()
    }

    /// The same, and the end: what is started afterwards is not recorded.
    ///
    /// # Errors
    ///
    /// When a processor says so, or it has shut down before.
    pub fn shutdown(&self) -> OTelSdkResult {
        self.sdk.shutdown()
    }

    /// [`shutdown`](Self::shutdown) with a limit for each processor.
    ///
    /// # Errors
    ///
    /// When a processor says so, or it has shut down before.
    pub fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.sdk.shutdown_with_timeout(timeout)
    }

    pub(super) fn quick(&self) -> Option<&Arc<Quick>> {
        self.quick.as_ref()
    }
}

impl trace::TracerProvider for TracerProvider {
    type Tracer = SdkTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> SdkTracer {
        self.sdk.tracer_with_scope(scope)
    }
}

// ===== impl TracerProviderBuilder =====

impl TracerProviderBuilder {
    /// What decides which spans are recorded. Default: the parent; traces that begin here all are.
    pub fn sampler(self, sampler: impl Into<Box<dyn ShouldSample>> + 'static) -> Self {
        let rule = Rule::of(&sampler as &dyn Any);
        Self { rule, sdk: self.sdk.with_sampler(sampler), ..self }
    }

    /// What the spans' service is. Default: the SDK's, which reads `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
    pub fn resource(self, resource: Resource) -> Self {
        Self { sdk: self.sdk.with_resource(resource), ..self }
    }

    /// How much a span may hold. Default: 128 of each.
    pub fn limits(self, limits: SpanLimits) -> Self {
        Self { sdk: self.sdk.with_span_limits(limits), limits, ..self }
    }

    /// What spans are given to as they end, such as a [`SpanLane`](super::SpanLane). There may be several.
    pub fn processor(self, processor: impl SpanProcessor + 'static) -> Self {
        let sink = Sink::of(&processor as &dyn Any);
        let sinks = self.sinks.zip(sink).map(|(mut sinks, sink)| {
            sinks.push(sink);
            sinks
        });
        Self { sdk: self.sdk.with_span_processor(processor), sinks, ..self }
    }

    /// The provider.
    pub fn build(self) -> TracerProvider {
        let Self { sdk, rule, limits, sinks } = self;
        TracerProvider { sdk: sdk.build(), quick: Quick::new(rule, limits, sinks.unwrap_or_default()) }
    }
}
