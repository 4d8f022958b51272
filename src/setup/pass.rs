use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, request};
use opentelemetry::Context;

use crate::{
    exchange::{End, Tally},
    observe::{Observation, Observer},
    trace::{Propagator, Scope},
};

/// Lets the headers of a trace through as they are, from a request to the calls that are made while it is served. For a
/// process in which no backend does that.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    names: Arc<[HeaderName]>,
}

/// The client's part of it.
#[derive(Clone, Debug)]
pub(super) struct PassOn;

/// What there is to see of it: nothing.
#[derive(Debug)]
pub(super) struct Passing;

/// The headers of the request that is served.
struct Passed(Vec<(HeaderName, HeaderValue)>);

// ===== impl Pass =====

impl Pass {
    pub(super) fn new(propagators: &[Propagator]) -> Self {
        let names = propagators.iter().flat_map(|propagator| propagator.fields());
        Self { names: names.map(|name| HeaderName::from_static(name)).collect() }
    }

    pub(super) fn on(&self) -> PassOn {
        PassOn
    }

    fn read(&self, headers: &HeaderMap) -> Passed {
        let values = |name: &HeaderName| headers.get_all(name).into_iter().cloned().collect::<Vec<_>>();
        let pairs =
            self.names.iter().flat_map(|name| values(name).into_iter().map(|value| (name.clone(), value)));
        Passed(pairs.collect())
    }
}

impl Observer for Pass {
    type Observation = Passing;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<Passing> {
        scope.insert(self.read(&request.headers));
        Some(Passing)
    }
}

// ===== impl PassOn =====

impl Observer for PassOn {
    type Observation = Passing;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<Passing> {
        let context = Context::current();
        let passed = scope.get().or_else(|| Scope::value::<Passed>(&context));
        let pairs = passed.into_iter().flat_map(|Passed(pairs)| pairs.clone());
        // What a proxy passes on, or a user has set, is there already.
        let missing = pairs.filter(|(name, _)| !request.headers.contains_key(name));
        let missing: HeaderMap = missing.collect();
        request.headers.extend(missing);
        None
    }
}

// ===== impl Passing =====

impl Observation for Passing {
    fn on_end(self, _end: End<'_>, _tally: &Tally) {}
}
