use std::{fmt, sync::Arc, time::SystemTime};

use http::{StatusCode, response};
use opentelemetry::{Context, trace::TraceContextExt as _};
use tokio::time::Instant;

#[cfg(feature = "xray")]
use super::Place;
use super::{
    Identity, OccurrenceId, amzn,
    shared::{Beginning, Shared},
};
use crate::exchange::{Annotations, Head};

/// What is known of an exchange, for who tells of it later: its [`Scope`](super::Scope) without the context, so that what
/// waits in a queue keeps neither that nor its span.
///
/// A clone is the same one: it grows as the scope does.
#[derive(Clone)]
pub(crate) struct Known(Arc<Shared>);

// ===== impl Known =====

impl Known {
    /// That of an exchange that begins now.
    pub(super) fn begin(fill: impl FnOnce(Beginning<'_>)) -> Self {
        // Made where it is to stay, which `Arc::new` does not.
        let mut shared = Arc::<Shared>::default();
        Arc::get_mut(&mut shared).and_then(Shared::beginning).map(fill);
        Self(shared)
    }

    /// That of a pass further in, which adds to what the others know.
    pub(super) fn join(&self, identity: Option<Identity>) -> Self {
        Self(Arc::new(Shared::join(self.clone(), identity)))
    }

    pub(super) fn in_context(context: &Context) -> Option<&Self> {
        context.get()
    }

    /// The innermost exchange around code in this context that a value of this type was left in.
    pub(crate) fn with_value<T: Send + Sync + 'static>(context: &Context) -> Option<&Self> {
        let mut known = Self::in_context(context)?;
        while known.value::<T>().is_none() {
            known = known.0.begun().within.as_ref()?;
        }
        Some(known)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }

    /// When the request arrived.
    pub(crate) fn started(&self) -> SystemTime {
        self.0.begun().started
    }

    /// The same moment by the clock that durations are measured with.
    pub(crate) fn began(&self) -> Instant {
        self.0.begun().began
    }

    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.0.identity()
    }

    /// A value that an observer left.
    pub(crate) fn value<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.value()
    }

    /// The value of this type that is made once in an exchange, by whoever needs it first.
    pub(crate) fn make<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        self.0.begun().make(make)
    }

    /// The value of this type, if somebody has needed it.
    pub(crate) fn made<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.begun().made()
    }

    /// What is known of the request, if any observer has asked for it.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.0.begun().known_head()
    }

    /// The annotations, if anybody has asked for them.
    pub(crate) fn annotations(&self) -> Option<&Annotations> {
        self.0.begun().known_annotations()
    }

    /// The annotations, for who fills them later.
    pub(crate) fn shared_annotations(&self) -> &Annotations {
        self.0.begun().annotations()
    }

    /// Tells a caller that sent `X-Amzn-Trace-Id` about its trace, in place of what the response says of it, unless a layer
    /// further in has done so: it knew more.
    pub(crate) fn answer_amzn(&self, response: &mut response::Parts) {
        let Some(identity) = self.identity().filter(|identity| identity.amzn().is_some()) else { return };
        // Whoever made another response of that layer's has left its header behind.
        let is_answered = !self.0.begun().answers_amzn() && identity.is_amzn_answer(&response.headers);
        if !is_answered && let Some(answer) = identity.amzn_answer() {
            // A map that is full refuses; telemetry does without, rather than panic.
            let _ = response.headers.try_insert(amzn::NAME.clone(), answer);
        }
    }

    /// Notes the status of the response.
    pub(crate) fn answer(&self, status: StatusCode) {
        self.0.begun().answer(status);
    }

    /// The status of the response, once its head is known.
    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.0.begun().status()
    }

    /// Notes that what failed in the exchange is told, if anything did: a panic that comes later is told by itself.
    #[cfg(feature = "rollbar")]
    pub(crate) fn settle(&self) {
        self.0.begun().settle();
    }

    #[cfg(feature = "rollbar")]
    pub(crate) fn is_settled(&self) -> bool {
        self.0.begun().is_settled()
    }

    /// Notes that the exchange is over, so that nothing is added to its span.
    #[cfg(feature = "otel")]
    pub(crate) fn end(&self) {
        self.0.begun().end();
    }

    #[cfg(feature = "otel")]
    pub(crate) fn is_over(&self) -> bool {
        self.0.begun().is_over()
    }

    /// The id under which the exchange is reported, if it comes to that.
    pub(crate) fn report(&self) -> Option<OccurrenceId> {
        self.0.begun().report()
    }

    /// Which segment the exchange is, if a layer of X-Ray serves it.
    #[cfg(feature = "xray")]
    pub(crate) fn place(&self) -> Option<&Place> {
        self.0.begun().place()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("identity", &self.identity())
            .field("annotations", &self.annotations())
            .field("started", &self.started())
            .finish()
    }
}

/// The active span, with what only the exchange around it knows of the trace.
pub(super) fn surrounding(context: &Context) -> Option<Identity> {
    let exchange = Known::in_context(context).and_then(Known::identity);
    match (Identity::of_span(context.span().span_context()), exchange) {
        (Some(active), Some(exchange)) if active.trace_id() == exchange.trace_id() => {
            Some(exchange.at(&active))
        }
        (Some(active), _) => Some(active),
        (None, exchange) => exchange.cloned(),
    }
}
