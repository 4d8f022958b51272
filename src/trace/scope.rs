use std::{any::Any, fmt, sync::Arc, time::SystemTime};

use http::Extensions;
use opentelemetry::{Context, trace::TraceContextExt as _};
use tokio::time::Instant;

use super::Identity;
#[cfg(feature = "cloudwatch")]
use super::{SpanId, TraceId};
use crate::exchange::Annotations;

/// What an exchange shares with everything that runs inside of it: its identity, its annotations, and the
/// OpenTelemetry [`Context`] that carries them.
///
/// An observer gets it to fill when the request arrives. When all observers have been asked, the engine puts it into the
/// request's extensions, where stacked layers join it, and makes its context the current one around the call and every
/// poll of the future and of the body.
#[derive(Clone)]
pub struct Scope {
    context: Context,
    shared: Shared,
}

/// What outlives the building of a scope. The context of the finished one carries it.
#[derive(Clone)]
struct Shared {
    started: SystemTime,
    began: Instant,
    surrounding: Option<Identity>,
    identity: Option<Identity>,
    annotations: Option<Annotations>,
    side: Option<Side>,
    values: Vec<Arc<dyn Any + Send + Sync>>,
}

/// Which side of an exchange this process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Server,
    Client { passes_on: bool },
}

/// The context of a finished scope, as it lies in the request's extensions.
#[derive(Clone)]
struct Finished(Context);

// ===== impl Scope =====

impl Scope {
    /// The scope of a request that arrives: a layer further out has begun it, or it is new.
    pub(crate) fn enter(extensions: &Extensions) -> Self {
        Self::of(extensions).unwrap_or_else(|| Self::begin(Context::current()))
    }

    /// Makes this the scope of an exchange that is served here. An observer of a server must call it first.
    ///
    /// A service that is called in its caller's own process gets the caller's scope with the request; it goes on in a
    /// [child](Self::child) of that.
    pub fn serve(&mut self) {
        if matches!(self.shared.side, Some(Side::Client { .. })) {
            *self = self.child();
        }
        self.shared.side = Some(Side::Server);
    }

    /// Makes this the scope of an exchange that is asked of another service. An observer of a client must call it first.
    ///
    /// A proxy passes requests on with all that is in their extensions, the scope of the exchange that it serves among it:
    /// the call goes on in a [child](Self::child) of that. `true` says so; headers of a trace are then the caller's own.
    pub fn call(&mut self) -> bool {
        let passes_on = match self.shared.side {
            Some(Side::Client { passes_on }) => passes_on,
            Some(Side::Server) => {
                *self = self.child();
                true
            }
            None => false,
        };
        self.shared.side = Some(Side::Client { passes_on });
        passes_on
    }

    /// The scope of another exchange, begun inside of this one, such as each attempt of a retry.
    #[must_use]
    pub fn child(&self) -> Self {
        let current = Context::current();
        // Also where the request is all that has come along, as in a task of its own.
        let inside = current.get::<Shared>().is_some();
        Self::begin(if inside { current } else { self.context.clone() })
    }

    /// The scope that a request carries in its extensions, if a layer has watched it.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        Self::finished(extensions.get::<Finished>()?.0.clone())
    }

    /// The scope that this code runs in, if it runs inside of a watched exchange.
    pub fn current() -> Option<Self> {
        Self::finished(Context::current())
    }

    /// When the request arrived.
    pub fn started(&self) -> SystemTime {
        self.shared.started
    }

    /// The same moment by the clock that durations are measured with.
    pub(crate) fn began(&self) -> Instant {
        self.shared.began
    }

    /// Who this exchange is, once an observer has decided it.
    pub fn identity(&self) -> Option<&Identity> {
        self.shared.identity.as_ref()
    }

    /// Where this exchange was begun: the active span, or the exchange that was being served there. Its parent, unless
    /// headers name another one.
    pub fn surrounding(&self) -> Option<&Identity> {
        self.shared.surrounding.as_ref()
    }

    /// Decides who this exchange is, unless a layer further out already did.
    pub fn identify(&mut self, decide: impl FnOnce() -> Identity) -> &Identity {
        self.shared.identity.get_or_insert_with(decide)
    }

    /// Replaces what was decided. Only the observer that decided may do so.
    pub fn amend(&mut self, identity: Identity) {
        self.shared.identity = Some(identity);
    }

    /// The facts that handlers add.
    pub fn annotations(&mut self) -> &Annotations {
        self.shared.annotations.get_or_insert_default()
    }

    /// The annotations of the exchange that this code runs in, without a copy of its whole scope.
    pub(crate) fn current_annotations() -> Option<Annotations> {
        Context::map_current(|context| context.get::<Shared>()?.annotations.clone())
    }

    /// The context that will be current inside of the exchange.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Makes another context the one of this exchange, for example one with a span.
    pub fn activate(&mut self, context: Context) {
        self.context = context;
    }

    /// Leaves a value for stacked layers and for code in scope, in place of any earlier one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.share(Arc::new(value));
    }

    /// Leaves a value as [`insert`](Self::insert) does, where whoever leaves it wants to see it again.
    pub fn share<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        self.shared.values.retain(|earlier| !earlier.is::<T>());
        self.shared.values.push(value);
    }

    /// A value that an observer left.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.shared.value()
    }

    /// A value that was left in the scope of a context, without a copy of that scope.
    pub(crate) fn value<T: Send + Sync + 'static>(context: &Context) -> Option<&T> {
        context.get::<Shared>()?.value()
    }

    /// The trace and the span that code in a context runs in: those of the active span, where it was begun inside of the
    /// exchange or outside of any, else those of the exchange.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn ids(context: &Context) -> Option<(TraceId, SpanId)> {
        let exchange = context.get::<Shared>().and_then(|shared| shared.identity.as_ref());
        let span = context.span();
        let active = span.span_context();
        let active = TraceId::from_otel(active.trace_id()).zip(SpanId::from_otel(active.span_id()));
        match (active, exchange) {
            // The exchange has no span in OpenTelemetry: what is active was so before it.
            (Some((_, span_id)), Some(exchange)) if exchange.parent_id() == Some(span_id) => {
                Some((exchange.trace_id(), exchange.span_id()))
            }
            (Some(active), _) => Some(active),
            (None, exchange) => exchange.map(|exchange| (exchange.trace_id(), exchange.span_id())),
        }
    }

    /// Ends the building: hands the scope to the request's extensions and gives the context to make current.
    pub(crate) fn finish(mut self, extensions: &mut Extensions) -> Context {
        self.annotations();
        let context = self.context.with_value(self.shared);
        extensions.insert(Finished(context.clone()));
        context
    }

    fn begin(context: Context) -> Self {
        let shared = Shared::begin(&context);
        Self { context, shared }
    }

    fn finished(context: Context) -> Option<Self> {
        let shared = context.get::<Shared>()?.clone();
        Some(Self { context, shared })
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { context, shared } = self;
        f.debug_struct("Scope")
            .field("identity", &shared.identity)
            .field("annotations", &shared.annotations)
            .field("started", &shared.started)
            .field("context", context)
            .finish()
    }
}

// ===== impl Shared =====

impl Shared {
    fn begin(context: &Context) -> Self {
        let (identity, annotations, surrounding) = (None, None, surrounding(context));
        let (started, began) = (SystemTime::now(), Instant::now());
        Self { started, began, surrounding, identity, annotations, side: None, values: Vec::new() }
    }

    fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.iter().find_map(|value| value.downcast_ref())
    }
}

/// The active span, with what only the exchange around it knows of the trace.
fn surrounding(context: &Context) -> Option<Identity> {
    let exchange = context.get::<Shared>().and_then(|shared| shared.identity.as_ref());
    match (Identity::of_span(context.span().span_context()), exchange) {
        (Some(active), Some(exchange)) if active.trace_id() == exchange.trace_id() => {
            Some(exchange.at(&active))
        }
        (Some(active), _) => Some(active),
        (None, exchange) => exchange.cloned(),
    }
}
