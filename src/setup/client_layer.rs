use http::{request, response};
use tower_layer::Layer;

use super::{otel, pass::PassOn, xray};
use crate::{
    exchange::{End, Tally},
    observe::{Observation, Observe, Observer},
    trace::Scope,
};

/// All layers for a client, in one pass.
#[derive(Clone, Debug)]
pub struct BelvedereClientLayer {
    pub(super) observers: Observers,
}

/// An exchange that all layers for a client watch, each in its own way.
#[derive(Debug)]
pub struct CalledExchange {
    observation: <Observers as Observer>::Observation,
}

/// The first is the outermost; in the order of those for a service.
type Observers = (Option<PassOn>, Option<xray::Client>, Option<otel::Client>);

// ===== impl BelvedereClientLayer =====

impl BelvedereClientLayer {
    pub(super) fn new(observers: Observers) -> Self {
        Self { observers }
    }
}

impl<S> Layer<S> for BelvedereClientLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}

impl Observer for BelvedereClientLayer {
    type Observation = CalledExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<CalledExchange> {
        let observation = self.observers.observe(request, scope)?;
        Some(CalledExchange { observation })
    }
}

// ===== impl CalledExchange =====

impl Observation for CalledExchange {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.observation.on_response(response);
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        self.observation.on_end(end, tally);
    }
}
