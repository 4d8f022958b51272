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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Empty;
    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::observe::Observe;

    /// What a callee hears when a request with these headers is served, and `call` is made meanwhile.
    async fn heard(headers: &[(&'static str, &'static str)], call: Request<()>) -> HeaderMap {
        let pass = Pass::new(&[Propagator::TraceContext, Propagator::XRay]);
        let client = Observe::new(
            service_fn(|call: Request<()>| async move {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.headers_mut() = call.headers().clone();
                Ok::<_, Infallible>(response)
            }),
            pass.on(),
        );
        let server =
            Observe::new(service_fn(move |_: Request<()>| client.clone().oneshot(call.clone())), pass);
        let mut request = Request::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        server.oneshot(request).await.unwrap().into_parts().0.headers
    }

    #[tokio::test]
    async fn a_callee_hears_what_the_caller_wrote_letter_by_letter() {
        let trace = [
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("x-amzn-trace-id", "Self=x; Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=y"),
        ];
        let others = [("baggage", "tenant=blue"), ("authorization", "canary")];
        let heard = heard(&[&trace[..], &others].concat(), Request::new(())).await;
        assert_eq!(heard.len(), trace.len(), "{heard:?}");
        for (name, value) in trace {
            assert!(heard.get_all(name).iter().any(|heard| heard == value), "{name}: {heard:?}");
        }
    }

    #[tokio::test]
    async fn what_is_on_the_call_stays_and_where_nothing_came_nothing_goes() {
        let call = Request::builder().header("traceparent", "own").body(()).unwrap();
        assert_eq!(heard(&[("traceparent", "theirs")], call).await["traceparent"], "own");
        assert!(heard(&[], Request::new(())).await.is_empty());
    }
}
