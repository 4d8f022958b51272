use std::{fmt, sync::Arc, time::SystemTime};

use http::{Extensions, StatusCode, request};
use opentelemetry::{Context, trace::TraceContextExt as _};
use tokio::time::Instant;

#[cfg(feature = "xray")]
use super::Place;
use super::{
    Identity, OccurrenceId,
    shared::{Begun, Shared, Side},
};
#[cfg(feature = "cloudwatch")]
use super::{SpanId, TraceId};
use crate::exchange::{Annotations, Head};

/// What an exchange shares with everything that runs inside of it: its identity, its annotations, and the
/// OpenTelemetry [`Context`] that carries them.
///
/// An observer gets it to fill when the request arrives. When all observers have been asked, the engine puts it into the
/// request's extensions, where stacked layers join it, and makes its context the current one around the call and every
/// poll of the future and of the body. A clone is the same scope, and costs no more than that of its context.
#[derive(Clone)]
pub struct Scope {
    context: Context,
    pass: Pass,
    /// Whether it is another one than the request has brought along.
    is_changed: bool,
}

/// What the observers of one pass have to do with a scope.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pass {
    /// Nobody has begun an exchange, and none was begun further out.
    Idle,
    /// The latest of its parts is their own.
    Own,
    /// It is that of a pass further out.
    Joined,
}

/// The context of a finished scope, as it lies in the request's extensions.
#[derive(Clone)]
struct Finished(Context);

// ===== impl Scope =====

impl Scope {
    /// The scope of a request that arrives: a layer further out has begun it, or it will be new.
    pub(crate) fn enter(extensions: &Extensions) -> Self {
        Self::of(extensions).unwrap_or_else(|| {
            let context = Context::current();
            Self { context, pass: Pass::Idle, is_changed: false }
        })
    }

    /// Makes this the scope of an exchange that is served here. An observer of a server must call it first.
    ///
    /// A service that is called in its caller's own process gets the caller's scope with the request; it goes on in a
    /// [child](Self::child) of that.
    pub fn serve(&mut self) {
        match self.side() {
            Some(Side::Server) => return,
            Some(Side::Client { .. }) => *self = self.child(),
            None => {}
        }
        self.own().take_side(Side::Server);
    }

    /// Makes this the scope of an exchange that is asked of another service. An observer of a client must call it first.
    ///
    /// A proxy passes requests on with all that is in their extensions, the scope of the exchange that it serves among it:
    /// the call goes on in a [child](Self::child) of that. `true` says so; headers of a trace are then the caller's own.
    pub fn call(&mut self) -> bool {
        let passes_on = match self.side() {
            Some(Side::Client { passes_on }) => return passes_on,
            Some(Side::Server) => {
                *self = self.child();
                true
            }
            None => false,
        };
        self.own().take_side(Side::Client { passes_on });
        passes_on
    }

    /// The scope of another exchange, begun inside of this one, such as each attempt of a retry.
    #[must_use]
    pub fn child(&self) -> Self {
        let current = Context::current();
        // Also where the request is all that has come along, as in a task of its own.
        let inside = Shared::in_context(&current).is_some();
        Self::begin(if inside { &current } else { &self.context })
    }

    /// The scope that a request carries in its extensions, if a layer has watched it.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Finished>().map(|finished| Self::joined(finished.0.clone()))
    }

    /// The scope that this code runs in, if it runs inside of a watched exchange.
    pub fn current() -> Option<Self> {
        let context = Context::current();
        Shared::in_context(&context)?;
        Some(Self::joined(context))
    }

    /// When the request arrived; now, if nobody has begun the exchange.
    pub fn started(&self) -> SystemTime {
        self.begun().map_or_else(SystemTime::now, |begun| begun.started)
    }

    /// The same moment by the clock that durations are measured with.
    pub(crate) fn began(&self) -> Instant {
        self.begun().map_or_else(Instant::now, |begun| begun.began)
    }

    /// Who this exchange is, once an observer has decided it.
    pub fn identity(&self) -> Option<&Identity> {
        self.shared()?.identity()
    }

    /// Where this exchange was begun: the active span, or the exchange that was being served there. Its parent, unless
    /// headers name another one.
    pub fn surrounding(&self) -> Option<&Identity> {
        self.begun()?.surrounding.as_deref()
    }

    /// Decides who this exchange is, unless a layer further out already did.
    pub fn identify(&mut self, decide: impl FnOnce() -> Identity) -> &Identity {
        if self.identity().is_none() {
            self.amend(decide());
        }
        self.identity().expect("it is decided")
    }

    /// Replaces what was decided. Only the observer that decided may do so.
    pub fn amend(&mut self, identity: Identity) {
        if self.identity() == Some(&identity) {
            return;
        }
        if let Err(identity) = self.own().identify(identity) {
            self.join();
            _ = self.own().identify(identity);
        }
    }

    /// The facts that handlers add.
    pub fn annotations(&mut self) -> &Annotations {
        self.own_or_joined().begun().annotations()
    }

    /// The annotations, if anybody has asked for them.
    pub(crate) fn known_annotations(&self) -> Option<&Annotations> {
        self.begun()?.known_annotations()
    }

    /// The annotations, for who fills them later.
    #[cfg(feature = "rollbar")]
    pub(crate) fn shared_annotations(&self) -> Option<Annotations> {
        Some(self.begun()?.annotations().clone())
    }

    /// The annotations of the exchange that this code runs in.
    pub(crate) fn current_annotations() -> Option<Annotations> {
        Context::map_current(|context| Some(Shared::in_context(context)?.begun().annotations().clone()))
    }

    /// The context that will be current inside of the exchange.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Makes another context the one of this exchange, for example one with a span.
    pub fn activate(&mut self, context: Context) {
        let shared = self.shared().map(std::ptr::from_ref);
        let is_kept = Shared::in_context(&context).map(std::ptr::from_ref) == shared;
        let earlier = std::mem::replace(&mut self.context, context);
        self.is_changed = true;
        if !is_kept && shared.is_some() {
            self.context = self.context.with_value(Shared::join(earlier));
            self.pass = Pass::Own;
        }
    }

    /// Leaves a value for stacked layers and for code in scope, in place of any earlier one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.share(Arc::new(value));
    }

    /// Leaves a value as [`insert`](Self::insert) does, where whoever leaves it wants to see it again.
    pub fn share<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        if let Err(value) = self.own().share(value) {
            self.join();
            _ = self.own().share(value);
        }
    }

    /// A value that an observer left.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.shared()?.value()
    }

    /// A value that was left in the scope of a context, without a copy of that scope.
    pub(crate) fn value<T: Send + Sync + 'static>(context: &Context) -> Option<&T> {
        Shared::in_context(context)?.value()
    }

    /// The innermost exchange around code in this context that such a value was left in.
    pub(crate) fn with_value<T: Send + Sync + 'static>(context: &Context) -> Option<Self> {
        let shared = Shared::in_context(context)?;
        if shared.value::<T>().is_some() {
            return Some(Self::joined(context.clone()));
        }
        Self::with_value::<T>(shared.begun().within.as_ref()?)
    }

    /// The value of this type that is made once in an exchange, by whoever needs it first.
    pub(crate) fn make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> Arc<T>) -> Option<Arc<T>> {
        Some(self.begun()?.make(make))
    }

    /// The value of this type, if somebody has needed it.
    pub(crate) fn made<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.begun()?.made()
    }

    /// What is known of the request, as the first observer of the exchange saw it.
    pub(crate) fn head(&mut self, request: &request::Parts) -> &Head {
        self.own_or_joined().begun().head(request)
    }

    /// The same, if any observer has asked for it.
    pub(crate) fn known_head(&self) -> Option<&Head> {
        self.begun()?.known_head()
    }

    /// Notes the status of the response.
    pub(crate) fn answer(&self, status: StatusCode) {
        if let Some(begun) = self.begun() {
            begun.answer(status);
        }
    }

    /// The status of the response, once its head is known.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.begun()?.status()
    }

    /// Notes that what failed in the exchange is told, if anything did: a panic that comes later is told by itself.
    #[cfg(feature = "rollbar")]
    pub(crate) fn settle(&self) {
        if let Some(begun) = self.begun() {
            begun.settle();
        }
    }

    #[cfg(feature = "rollbar")]
    pub(crate) fn is_settled(&self) -> bool {
        self.begun().is_some_and(Begun::is_settled)
    }

    /// Notes that the exchange is over, so that nothing is added to its span.
    #[cfg(feature = "otel")]
    pub(crate) fn end(&self) {
        if let Some(begun) = self.begun() {
            begun.end();
        }
    }

    #[cfg(feature = "otel")]
    pub(crate) fn is_over(&self) -> bool {
        self.begun().is_some_and(Begun::is_over)
    }

    /// Says under which id the exchange is reported.
    #[cfg(feature = "rollbar")]
    pub(crate) fn report_as(&mut self, id: OccurrenceId) {
        self.own_or_joined().begun().report_as(id);
    }

    /// The id under which the exchange is reported, if it comes to that.
    pub(crate) fn report(&self) -> Option<OccurrenceId> {
        self.begun()?.report()
    }

    /// Says which segment the exchange is. The first word counts.
    #[cfg(feature = "xray")]
    pub(crate) fn take_place(&mut self, place: Place) {
        self.own_or_joined().begun().take_place(place);
    }

    /// Which segment the exchange is, if a layer of X-Ray serves it.
    #[cfg(feature = "xray")]
    pub(crate) fn place(&self) -> Option<&Place> {
        self.begun()?.place()
    }

    /// The trace and the span that code in a context runs in: those of the active span, where it was begun inside of the
    /// exchange or outside of any, else those of the exchange.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn ids(context: &Context) -> Option<(TraceId, SpanId)> {
        let exchange = Shared::in_context(context).and_then(Shared::identity);
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

    /// Ends the pass: hands the scope to the request's extensions and gives the context to make current.
    pub(crate) fn finish(mut self, extensions: &mut Extensions) -> Context {
        self.own_or_joined();
        if self.is_changed {
            extensions.insert(Finished(self.context.clone()));
        }
        self.context
    }

    fn begin(context: &Context) -> Self {
        let within = Shared::in_context(context).map(|_| context.clone());
        let shared = Shared::begin(within, surrounding(context));
        Self { context: context.with_value(shared), pass: Pass::Own, is_changed: true }
    }

    fn joined(context: Context) -> Self {
        Self { context, pass: Pass::Joined, is_changed: false }
    }

    /// What is added from now on is seen further in alone.
    fn join(&mut self) {
        self.pass = Pass::Joined;
    }

    fn side(&self) -> Option<Side> {
        self.shared()?.side()
    }

    fn shared(&self) -> Option<&Shared> {
        if self.pass == Pass::Idle { None } else { Shared::in_context(&self.context) }
    }

    fn begun(&self) -> Option<&Begun> {
        self.shared().map(Shared::begun)
    }

    /// What this pass may add to.
    fn own(&mut self) -> &Shared {
        if self.pass == Pass::Joined {
            self.context = self.context.with_value(Shared::join(self.context.clone()));
            (self.pass, self.is_changed) = (Pass::Own, true);
        }
        self.own_or_joined()
    }

    fn own_or_joined(&mut self) -> &Shared {
        if self.pass == Pass::Idle {
            *self = Self::begin(&self.context);
        }
        self.shared().expect("the exchange has begun")
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("identity", &self.identity())
            .field("annotations", &self.known_annotations())
            .field("started", &self.started())
            .field("context", &self.context)
            .finish()
    }
}

/// The active span, with what only the exchange around it knows of the trace.
fn surrounding(context: &Context) -> Option<Identity> {
    let exchange = Shared::in_context(context).and_then(Shared::identity);
    match (Identity::of_span(context.span().span_context()), exchange) {
        (Some(active), Some(exchange)) if active.trace_id() == exchange.trace_id() => {
            Some(exchange.at(&active))
        }
        (Some(active), _) => Some(active),
        (None, exchange) => exchange.cloned(),
    }
}
