use http::{request, response};

use crate::{
    exchange::{End, Tally},
    trace::Scope,
};

/// What a backend wants from every exchange.
///
/// `observe` must not block. It runs on the thread that serves the request, as do the methods of the
/// [`Observation`]. An observer that panics is left out for this exchange, nothing more.
pub trait Observer: Clone + Send + Sync + 'static {
    /// One exchange, being watched.
    type Observation: Observation;

    /// Called when the request arrives. `None` leaves this exchange unwatched. What handlers are to find goes into
    /// `scope`.
    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<Self::Observation>;
}

/// One exchange being watched by one observer.
pub trait Observation: Send + 'static {
    /// The response's head is known; headers may still be added. Not called if there is no response.
    fn on_response(&mut self, _response: &mut response::Parts) {}

    /// The exchange is over. Called exactly once, possibly while dropping or unwinding: it must not block.
    fn on_end(self, end: End<'_>, tally: &Tally);
}

// ===== impl Observer for Option =====

impl<O: Observer> Observer for Option<O> {
    type Observation = O::Observation;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<O::Observation> {
        self.as_ref()?.observe(request, scope)
    }
}

// ===== impl Observer for tuples =====

macro_rules! tuples {
    ($(($($observer:ident . $index:tt),+))+) => {$(
        impl<$($observer: Observer),+> Observer for ($($observer,)+) {
            type Observation = ($(Each<$observer::Observation>,)+);

            fn observe(
                &self,
                request: &mut request::Parts,
                scope: &mut Scope,
            ) -> Option<Self::Observation> {
                let each = ($(Each::of(&self.$index, request, scope),)+);
                (false $(|| each.$index.0.is_some())+).then_some(each)
            }
        }

        impl<$($observer: Observation),+> Observation for ($(Each<$observer>,)+) {
            /// Innermost first, as nested layers see it.
            fn on_response(&mut self, response: &mut response::Parts) {
                tuples!(@reverse self, on_response(response), [$($index)+]);
            }

            /// Innermost first, as nested layers end.
            fn on_end(self, end: End<'_>, tally: &Tally) {
                tuples!(@reverse self, on_end(end, tally), [$($index)+]);
            }
        }
    )+};
    (@reverse $self:ident, $method:ident $arguments:tt, [$first:tt $($rest:tt)*]) => {
        tuples!(@reverse $self, $method $arguments, [$($rest)*]);
        $self.$first.$method $arguments;
    };
    (@reverse $self:ident, $method:ident $arguments:tt, []) => {};
}

tuples! {
    (A.0)
    (A.0, B.1)
    (A.0, B.1, C.2)
    (A.0, B.1, C.2, D.3)
    (A.0, B.1, C.2, D.3, E.4)
    (A.0, B.1, C.2, D.3, E.4, F.5)
}

/// One observer's part of a tuple: there or not, and kept from the others when it panics.
#[derive(Debug)]
pub struct Each<O>(Option<O>);

// ===== impl Each =====

impl<O: Observation> Each<O> {
    fn of<P: Observer<Observation = O>>(
        observer: &P,
        request: &mut request::Parts,
        scope: &mut Scope,
    ) -> Self {
        Self(super::quiet::quietly(|| observer.observe(request, scope)).flatten())
    }
}

impl<O: Observation> Observation for Each<O> {
    fn on_response(&mut self, response: &mut response::Parts) {
        if let Some(observation) = &mut self.0 {
            super::quiet::quietly(|| observation.on_response(response));
        }
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        if let Some(observation) = self.0 {
            super::quiet::quietly(|| observation.on_end(end, tally));
        }
    }
}
