use std::{fmt, sync::Arc, time::SystemTime};

use http::{Extensions, HeaderMap, request};
use opentelemetry::Context;
#[cfg(feature = "cloudwatch")]
use opentelemetry::trace::TraceContextExt as _;
use tokio::time::Instant;

#[cfg(feature = "rollbar")]
use super::OccurrenceId;
#[cfg(feature = "xray")]
use super::Place;
use super::{
    Identity, Known, Propagation,
    known::surrounding,
    mark::Mark,
    shared::{Begun, Shared, Side},
};
#[cfg(feature = "cloudwatch")]
use super::{SpanId, TraceId};
use crate::exchange::{Annotations, Fields, Head};

/// What an exchange shares with everything that runs inside of it: its identity, its annotations, and the
/// OpenTelemetry [`Context`] that carries them.
///
/// An observer gets it to fill when the request arrives. When all observers have been asked, the engine puts it into the
/// request's extensions, where stacked layers join it, and makes its context the current one around the call and every
/// poll of the future and of the body. A clone is the same scope, and costs no more than that of its context.
#[derive(Clone)]
pub struct Scope {
    context: Context,
    /// What the context has of it, at hand; nothing while it has not begun.
    known: Option<Known>,
    /// Which side of the exchange this will be when it begins.
    side: Option<Side>,
    /// Where it will begin.
    surrounding: Option<Box<Identity>>,
    /// Whether the latest part of it is this pass's, or one further out has begun it.
    is_own: bool,
    /// Whether it is another one than the request has brought along.
    is_changed: bool,
}

/// The context of a finished scope, as it lies in the request's extensions.
#[derive(Clone)]
struct Finished(Context);

// ===== impl Scope =====

impl Scope {
    /// The scope of a request that arrives: a layer further out has begun it, or it will be new.
    pub(crate) fn enter(extensions: &Extensions) -> Self {
        Self::of(extensions).unwrap_or_else(|| Self::unbegun(Context::current()))
    }

    fn unbegun(context: Context) -> Self {
        Self { context, known: None, side: None, surrounding: None, is_own: false, is_changed: false }
    }

    /// Makes this the scope of an exchange that is served here. An observer of a server must call it first.
    ///
    /// A service that is called in its caller's own process gets the caller's scope with the request; it goes on in a
    /// [child](Self::child) of that.
    pub fn serve(&mut self) {
        self.take_server_side();
        self.own_or_joined();
    }

    /// The same, where the exchange begins with what comes next: who it is.
    pub(crate) fn take_server_side(&mut self) {
        match self.side() {
            Some(Side::Server) => return,
            Some(Side::Client | Side::Proxy) => *self = self.inside(),
            None => {}
        }
        self.take_side(Side::Server);
    }

    /// Makes this the scope of an exchange that is asked of another service. An observer of a client must call it first.
    ///
    /// A proxy passes requests on with all that is in their extensions, the scope of the exchange that it serves among it:
    /// the call goes on in a [child](Self::child) of that. `true` says so; headers of a trace are then the caller's own.
    pub fn call(&mut self) -> bool {
        let side = match self.side() {
            Some(Side::Client) => return false,
            Some(Side::Proxy) => return true,
            Some(Side::Server) => {
                *self = self.inside();
                Side::Proxy
            }
            None => Side::Client,
        };
        self.take_side(side);
        self.own_or_joined();
        side == Side::Proxy
    }

    /// The scope of another exchange, begun inside of this one, such as each attempt of a retry.
    #[must_use]
    pub fn child(&self) -> Self {
        let mut child = self.inside();
        child.own_or_joined();
        child
    }

    /// The same before it begins.
    fn inside(&self) -> Self {
        let current = Context::current();
        // Also where the request is all that has come along, as in a task of its own.
        let inside = Known::in_context(&current).is_some();
        let mut child = Self::unbegun(if inside { current } else { self.context.clone() });
        child.look_around();
        child
    }

    /// The scope that a request carries in its extensions, if a layer has watched it.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        extensions.get::<Finished>().and_then(|finished| Self::joined(&finished.0))
    }

    /// The scope that this code runs in, if it runs inside of a watched exchange.
    pub fn current() -> Option<Self> {
        Context::map_current(Self::joined)
    }

    /// When the request arrived; now, if nobody has begun the exchange.
    pub fn started(&self) -> SystemTime {
        self.known.as_ref().map_or_else(SystemTime::now, Known::started)
    }

    /// The same moment by the clock that durations are measured with.
    pub(crate) fn began(&self) -> Instant {
        self.known.as_ref().map_or_else(Instant::now, Known::began)
    }

    /// Who this exchange is, once an observer has decided it.
    pub fn identity(&self) -> Option<&Identity> {
        self.shared()?.identity()
    }

    /// Where this exchange was begun: the active span, or the exchange that was being served there. Its parent, unless
    /// headers name another one.
    pub fn surrounding(&self) -> Option<&Identity> {
        self.begun().map_or(&self.surrounding, |begun| &begun.surrounding).as_deref()
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
        self.decide(identity, None);
    }

    /// Decides who the exchange of this request is, by its headers.
    pub(crate) fn arrive_by(&mut self, propagation: &Propagation, request: &request::Parts) {
        let fields = Fields::of(&request.headers);
        let identity = propagation.identify_by(&fields, &request.headers, self.surrounding());
        self.arrive(identity, request, Some(&fields));
    }

    /// Decides who the exchange of this request is, or amends that: where a layer further out has read its headers, there are
    /// no `fields`.
    pub(crate) fn arrive(
        &mut self,
        identity: Identity,
        request: &request::Parts,
        fields: Option<&Fields<'_>>,
    ) {
        if self.identity() != Some(&identity) {
            self.decide(identity, fields.map(|fields| (request, fields)));
        }
    }

    fn decide(&mut self, identity: Identity, request: Option<(&request::Parts, &Fields<'_>)>) {
        match &self.known {
            None => self.begin(Some(identity), request),
            Some(known) if self.is_own => {
                if let Err(identity) = known.shared().identify(identity) {
                    self.join_anew(Some(identity));
                }
            }
            Some(_) => self.join_anew(Some(identity)),
        }
    }

    /// The facts that handlers add.
    pub fn annotations(&mut self) -> &Annotations {
        self.own_or_joined().begun().annotations()
    }

    /// The annotations of the exchange that this code runs in.
    pub(crate) fn current_annotations() -> Option<Annotations> {
        Context::map_current(|context| Some(Known::in_context(context)?.shared_annotations().clone()))
    }

    /// The context that will be current inside of the exchange.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Makes another context the one of this exchange, for example one with a span.
    pub fn activate(&mut self, context: Context) {
        let its = Known::in_context(&context);
        let is_kept = self.known.as_ref().is_none_or(|own| its.is_some_and(|its| own.is(its)));
        self.context = context;
        self.is_changed = true;
        if !is_kept {
            self.join_anew(None);
        }
    }

    /// Leaves a value for stacked layers and for code in scope, in place of any earlier one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.share(Arc::new(value));
    }

    /// Leaves a value as [`insert`](Self::insert) does, where whoever leaves it wants to see it again.
    pub fn share<T: Send + Sync + 'static>(&mut self, value: Arc<T>) {
        if let Err(value) = self.own().share(value) {
            self.join_anew(None);
            _ = self.own().share(value);
        }
    }

    /// Notes something for layers further in.
    pub(crate) fn mark(&mut self, mark: Mark) {
        self.own().mark(mark);
    }

    /// All that was noted.
    pub(crate) fn marks(&self) -> Mark {
        self.shared().map_or(Mark::NONE, Shared::marks)
    }

    /// A value that an observer left.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.shared()?.value()
    }

    /// A value that was left in the scope of a context.
    pub(crate) fn value<T: Send + Sync + 'static>(context: &Context) -> Option<&T> {
        Known::in_context(context)?.value()
    }

    /// What is known of the exchange, for who tells of it later.
    pub(crate) fn keep(&mut self) -> Known {
        self.own_or_joined();
        self.known.clone().expect(BEGUN)
    }

    /// What is known of the exchange, once it has begun.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.known.as_ref()
    }

    /// What is known of the request, as the first observer of the exchange saw it.
    pub(crate) fn head(&mut self, request: &request::Parts) -> &Head {
        if self.known.is_none() {
            self.begin(None, Some((request, &Fields::of(&request.headers))));
        }
        self.own_or_joined().begun().head(request)
    }

    /// The same, where this very pass has read it, and of headers that are as many: what stands between two layers may have
    /// changed the request since, and so may another observer.
    pub(crate) fn fresh_head(&self, headers: &HeaderMap) -> Option<&Head> {
        let shared = self.shared().filter(|shared| self.is_own && !shared.is_joined())?;
        shared.begun().known_head().filter(|head| head.lines() == headers.len())
    }

    /// Says under which id the exchange is reported.
    #[cfg(feature = "rollbar")]
    pub(crate) fn report_as(&mut self, id: OccurrenceId) {
        self.own_or_joined().begun().report_as(id);
    }

    /// Says which segment the exchange is. The first word counts.
    #[cfg(feature = "xray")]
    pub(crate) fn take_place(&mut self, place: Place) {
        self.own_or_joined().begun().take_place(place);
    }

    /// The trace and the span that code in a context runs in: those of the active span, where it was begun inside of the
    /// exchange or outside of any, else those of the exchange.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn ids(context: &Context) -> Option<(TraceId, SpanId)> {
        let exchange = Known::in_context(context).and_then(Known::identity);
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

    /// Begins it, which the first does who has something to leave.
    fn begin(&mut self, identity: Option<Identity>, request: Option<(&request::Parts, &Fields<'_>)>) {
        if self.side.is_none() {
            self.look_around();
        }
        let known = Known::begin(|mut exchange| {
            exchange.side(self.side);
            *exchange.surrounding = self.surrounding.take();
            *exchange.within = Known::in_context(&self.context).cloned();
            *exchange.identity = identity;
            request.into_iter().for_each(|(request, fields)| exchange.head(request, fields));
        });
        self.go_on_as(known);
    }

    fn joined(context: &Context) -> Option<Self> {
        let known = Some(Known::in_context(context)?.clone());
        Some(Self { known, ..Self::unbegun(context.clone()) })
    }

    /// Goes on as a pass of its own: what is added from now on is seen further in alone.
    fn join_anew(&mut self, identity: Option<Identity>) {
        if let Some(known) = self.known.as_ref().map(|known| known.join(identity)) {
            self.go_on_as(known);
        }
    }

    fn go_on_as(&mut self, known: Known) {
        self.context = self.context.with_value(known.clone());
        self.known = Some(known);
        (self.is_own, self.is_changed) = (true, true);
    }

    fn side(&self) -> Option<Side> {
        self.shared().map_or(self.side, Shared::side)
    }

    fn take_side(&mut self, side: Side) {
        if self.known.is_some() {
            self.own().take_side(side);
            return;
        }
        self.side = Some(side);
        self.look_around();
    }

    fn look_around(&mut self) {
        if self.surrounding.is_none() {
            self.surrounding = surrounding(&self.context).map(Box::new);
        }
    }

    fn shared(&self) -> Option<&Shared> {
        self.known.as_ref().map(Known::shared)
    }

    fn begun(&self) -> Option<&Begun> {
        self.shared().map(Shared::begun)
    }

    /// What this pass may add to.
    fn own(&mut self) -> &Shared {
        if !self.is_own {
            self.join_anew(None);
        }
        self.own_or_joined()
    }

    fn own_or_joined(&mut self) -> &Shared {
        if self.known.is_none() {
            self.begin(None, None);
        }
        self.shared().expect(BEGUN)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("known", &self.known).field("context", &self.context).finish()
    }
}

const BEGUN: &str = "the exchange has begun";
