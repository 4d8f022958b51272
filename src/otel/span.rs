use std::{
    any::Any,
    fmt,
    sync::{Arc, LazyLock, OnceLock},
};

use opentelemetry::{
    Context, InstrumentationScope, global,
    trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::SpanLimits;

use super::{Ids, TracerProvider as Own, baggage, quick::Quick, sampler::Mark};
use crate::trace::{Identity, Scope, SpanId, Tracestate};

/// Where spans come from: a provider that was given, or the global one as it is when the first span is wanted.
#[derive(Clone, Default)]
pub(super) struct Spans {
    tracer: Arc<OnceLock<Arc<dyn Starts>>>,
    quick: Option<Arc<Quick>>,
}

/// A tracer of any type.
trait Starts: Send + Sync {
    /// A context with a new span in it: the rest of `base`, the span a child of `parent`.
    fn start(&self, builder: SpanBuilder, parent: &Context, base: &Context) -> Context;
}

// ===== impl Spans =====

impl Spans {
    pub(super) fn given<P>(provider: &P) -> Self
    where
        P: TracerProvider + 'static,
        P::Tracer: Tracer<Span: Send + Sync + 'static> + Send + Sync + 'static,
    {
        let own = (provider as &dyn Any).downcast_ref::<Own>();
        let tracer: Arc<dyn Starts> = Arc::new(provider.tracer_with_scope(instrumentation()));
        Self { tracer: Arc::new(OnceLock::from(tracer)), quick: own.and_then(Own::quick).cloned() }
    }

    /// What makes the span of a server in this context, if the SDK need not.
    pub(super) fn quick(&self, context: &Context) -> Option<&Arc<Quick>> {
        self.quick.as_ref().filter(|quick| quick.is_on(context))
    }

    /// What the spans of such an exchange may have.
    pub(super) fn limits(&self) -> SpanLimits {
        self.quick.as_ref().map(|quick| quick.limits).unwrap_or_default()
    }

    /// Starts the span of an exchange and makes it the scope's.
    ///
    /// The span gets the identity's ids; where a provider does not take them, the identity follows the span, unless a
    /// layer further out has already told it to others.
    pub(super) fn start(
        &self,
        builder: SpanBuilder,
        scope: &mut Scope,
        base: &Context,
        identity: &Identity,
        decided: bool,
    ) {
        let parent = parent(base, identity);
        let context = Ids::hand_over(identity, || self.tracer().start(builder, &parent, base));
        let made = identity.as_span(context.span().span_context());
        let foreign = made.trace_id() != identity.trace_id();
        if foreign {
            warn_of_foreign_ids();
        }
        scope.activate(context);
        if !foreign || !decided {
            scope.amend(made);
        }
    }

    fn tracer(&self) -> &dyn Starts {
        &**self.tracer.get_or_init(|| Arc::new(global::tracer_with_scope(instrumentation())))
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("resolved", &self.tracer.get().is_some()).finish()
    }
}

impl<T: Tracer<Span: Send + Sync + 'static> + Send + Sync> Starts for T {
    fn start(&self, builder: SpanBuilder, parent: &Context, base: &Context) -> Context {
        base.with_span(self.build_with_context(builder, parent))
    }
}

/// The context to start a span in: its active span is the one that the identity names as parent.
fn parent(base: &Context, identity: &Identity) -> Context {
    let Some(parent_id) = identity.parent_id() else {
        // A trace of its own must not become a child of whatever is active here.
        let root = if base.has_active_span() { baggage::alone(base) } else { base.clone() };
        return identity.sampled().map(|sampled| root.with_value(Mark::Decided(sampled))).unwrap_or(root);
    };
    if !identity.is_remote() && base.span().span_context().trace_id() == identity.trace_id().into() {
        return base.clone();
    }
    let parent = base.with_remote_span_context(remote(identity, parent_id));
    if identity.sampled().is_none() { parent.with_value(Mark::Open) } else { parent }
}

/// The parent as the SDK knows it. An open decision reads as yes, for samplers that are not wrapped in `Undecided`.
#[inline]
pub(super) fn remote(identity: &Identity, parent_id: SpanId) -> SpanContext {
    let flags = identity.flags().sampled(identity.sampled() != Some(false));
    let state = identity.state().and_then(Tracestate::to_otel).unwrap_or_default();
    let (trace_id, is_remote) = (identity.trace_id().into(), identity.is_remote());
    SpanContext::new(trace_id, parent_id.into(), TraceFlags::from(flags), is_remote, state)
}

pub(super) fn instrumentation() -> InstrumentationScope {
    static SCOPE: LazyLock<InstrumentationScope> = LazyLock::new(|| {
        InstrumentationScope::builder("belvedere")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA)
            .build()
    });
    SCOPE.clone()
}

#[cold]
fn warn_of_foreign_ids() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            target: "belvedere::otel",
            "the tracer provider makes trace ids of its own: give it `belvedere::otel::Ids` as its id generator, \
             else a trace may have other ids in other backends"
        );
    });
}

/// A builder with what is known of every span.
pub(super) fn builder(
    name: impl Into<std::borrow::Cow<'static, str>>,
    kind: SpanKind,
    scope: &Scope,
) -> SpanBuilder {
    SpanBuilder::from_name(name).with_kind(kind).with_start_time(scope.started())
}

/// Which conventions the names of attributes are of.
pub(super) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";
