use http::{request, response};

use super::quiet::quietly;
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

    /// The same, put where it is to stay: what several observers make of an exchange is too large to be handed around.
    #[doc(hidden)]
    fn observe_into(
        &self,
        request: &mut request::Parts,
        scope: &mut Scope,
        place: &mut Option<Self::Observation>,
    ) {
        // Not assigned as it comes: that would copy all of its room also where nothing is watched.
        if let Some(observation) = self.observe(request, scope) {
            *place = Some(observation);
        }
    }
}

/// One exchange being watched by one observer.
pub trait Observation: Send + 'static {
    /// The response's head is known; headers may still be added. Not called if there is no response.
    fn on_response(&mut self, _response: &mut response::Parts) {}

    /// The exchange is over. Called exactly once, possibly while dropping or unwinding: it must not block.
    fn on_end(self, end: End<'_>, tally: &Tally);

    /// The same, from where it has stayed.
    #[doc(hidden)]
    fn end_at(place: &mut Option<Self>, end: End<'_>, tally: &Tally)
    where
        Self: Sized,
    {
        if let Some(observation) = place.take() {
            observation.on_end(end, tally);
        }
    }
}

// ===== impl Observer for Option =====

impl<O: Observer> Observer for Option<O> {
    type Observation = O::Observation;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<O::Observation> {
        self.as_ref()?.observe(request, scope)
    }

    fn observe_into(
        &self,
        request: &mut request::Parts,
        scope: &mut Scope,
        place: &mut Option<O::Observation>,
    ) {
        if let Some(observer) = self {
            observer.observe_into(request, scope, place);
        }
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
                let mut place = None;
                self.observe_into(request, scope, &mut place);
                place
            }

            fn observe_into(
                &self,
                request: &mut request::Parts,
                scope: &mut Scope,
                place: &mut Option<Self::Observation>,
            ) {
                let each = place.insert(($(Each::<$observer::Observation>(None),)+));
                let mut begun = 0;
                in_turn(|| {
                    $(if begun <= $index {
                        begun = $index + 1;
                        self.$index.observe_into(request, scope, &mut each.$index.0);
                    })+
                });
                if !(false $(|| each.$index.0.is_some())+) {
                    *place = None;
                }
            }
        }

        impl<$($observer: Observation),+> Observation for ($(Each<$observer>,)+) {
            /// Innermost first, as nested layers see it.
            fn on_response(&mut self, response: &mut response::Parts) {
                let mut left = usize::MAX;
                in_turn(|| tuples!(@reverse left, self, on_response(response), [$($index)+]));
            }

            fn on_end(self, end: End<'_>, tally: &Tally) {
                Self::end_at(&mut Some(self), end, tally);
            }

            /// Innermost first, as nested layers end.
            fn end_at(place: &mut Option<Self>, end: End<'_>, tally: &Tally) {
                let Some(each) = place else { return };
                let mut left = usize::MAX;
                in_turn(|| tuples!(@reverse left, each, end(end, tally), [$($index)+]));
            }
        }
    )+};
    (@reverse $left:ident, $self:ident, $method:ident $arguments:tt, [$first:tt $($rest:tt)*]) => {{
        tuples!(@reverse $left, $self, $method $arguments, [$($rest)*]);
        if $left > $first {
            $left = $first;
            $self.$first.$method $arguments;
        }
    }};
    (@reverse $left:ident, $self:ident, $method:ident $arguments:tt, []) => {};
}

/// Asks several observers, each of which notes that it is its turn: after a panic it goes on with the next.
fn in_turn(mut all: impl FnMut()) {
    while quietly(&mut all).is_none() {}
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
    fn on_response(&mut self, response: &mut response::Parts) {
        if let Some(observation) = &mut self.0 {
            observation.on_response(response);
        }
    }

    fn end(&mut self, end: End<'_>, tally: &Tally) {
        O::end_at(&mut self.0, end, tally);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::{Extensions, Request, Response};

    use super::*;

    /// When an observer is asked.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Phase {
        Request,
        Response,
        End,
    }

    /// Panics in one phase, and notes each time that it is asked.
    #[derive(Clone, Debug)]
    struct Clumsy {
        name: usize,
        panics: Option<Phase>,
        asked: Arc<Mutex<Vec<(Phase, usize)>>>,
    }

    impl Clumsy {
        fn ask(&self, phase: Phase) {
            self.asked.lock().unwrap().push((phase, self.name));
            assert_ne!(self.panics, Some(phase), "an observer's own");
        }
    }

    impl Observer for Clumsy {
        type Observation = Self;

        fn observe(&self, _: &mut request::Parts, _: &mut Scope) -> Option<Self> {
            self.ask(Phase::Request);
            Some(self.clone())
        }
    }

    impl Observation for Clumsy {
        fn on_response(&mut self, _: &mut response::Parts) {
            self.ask(Phase::Response);
        }

        fn on_end(self, _: End<'_>, _: &Tally) {
            self.ask(Phase::End);
        }
    }

    /// Who is asked when, in an exchange of four observers of which these panic then: the middle two are a pass of their own.
    fn asked(clumsy: u8, then: Phase) -> Vec<(Phase, usize)> {
        let asked = Arc::default();
        let [first, second, third, last] = std::array::from_fn(|name| {
            let panics = (clumsy >> name & 1 == 1).then_some(then);
            Clumsy { name, panics, asked: Arc::clone(&asked) }
        });
        let (mut request, ()) = Request::new(()).into_parts();
        let (mut response, ()) = Response::new(()).into_parts();
        let (mut scope, mut place) = (Scope::enter(&Extensions::new()), None);
        let tally = Tally::new(scope.started());
        (first, (second, third), last).observe_into(&mut request, &mut scope, &mut place);
        if let Some(each) = &mut place {
            each.on_response(&mut response);
        }
        Observation::end_at(&mut place, End::Canceled, &tally);
        drop(place);
        Arc::into_inner(asked).unwrap().into_inner().unwrap()
    }

    #[test]
    fn whoever_panics_when_each_is_asked_once_and_in_its_turn() {
        for then in [Phase::Request, Phase::Response, Phase::End] {
            for clumsy in 0..1 << 4 {
                let is_left = |name: &usize| then != Phase::Request || clumsy >> name & 1 == 0;
                let inward = (0..4).map(|name| (Phase::Request, name));
                let outward = |phase| (0..4).rev().filter(is_left).map(move |name| (phase, name));
                let all = inward.chain(outward(Phase::Response)).chain(outward(Phase::End));
                assert_eq!(asked(clumsy, then), all.collect::<Vec<_>>(), "{clumsy:04b} in {then:?}");
            }
        }
    }
}
