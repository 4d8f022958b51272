use http::{request, response};
use tower_layer::Layer;

use super::{cloudwatch, otel, pass::Pass, rollbar, xray};
use crate::{
    exchange::{End, Tally},
    observe::{Observation, Observe, Observer},
    trace::Scope,
};

/// All layers for a service, in one pass.
#[derive(Clone, Debug)]
pub struct BelvedereLayer {
    pub(super) observers: Observers,
}

/// An exchange that all layers for a service watch, each in its own way.
#[derive(Debug)]
pub struct ServedExchange {
    observation: <Observers as Observer>::Observation,
}

/// The first is the outermost. X-Ray comes before OpenTelemetry, so that where one of them decides for both, the segment can
/// say by which rule. Rollbar and CloudWatch come last: they join what the others have begun.
type Observers = (
    Option<Pass>,
    Option<xray::Server>,
    Option<otel::Server>,
    Option<rollbar::Server>,
    Option<cloudwatch::Server>,
);

// ===== impl BelvedereLayer =====

impl BelvedereLayer {
    pub(super) fn new(observers: Observers) -> Self {
        Self { observers }
    }
}

impl<S> Layer<S> for BelvedereLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}

impl Observer for BelvedereLayer {
    type Observation = ServedExchange;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServedExchange> {
        let observation = self.observers.observe(request, scope)?;
        Some(ServedExchange { observation })
    }
}

// ===== impl ServedExchange =====

impl Observation for ServedExchange {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.observation.on_response(response);
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        self.observation.on_end(end, tally);
    }
}
