use std::{
    fmt,
    task::{Context as Task, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{Body, Future, Observer, quiet::quietly, watch::Watch};
use crate::trace::Scope;

/// A service whose every exchange is watched to its true end.
///
/// It is `Clone` if the service is, asks for no more than the service does, boxes nothing, and calls the very service
/// that was made ready.
#[derive(Clone, Debug)]
pub struct Observe<S, O> {
    inner: S,
    observer: O,
}

// ===== impl Observe =====

impl<S, O: Observer> Observe<S, O> {
    /// Watches `inner` for `observer`.
    pub const fn new(inner: S, observer: O) -> Self {
        Self { inner, observer }
    }

    /// The watched service.
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S, O, A, B> Service<Request<A>> for Observe<S, O>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: fmt::Debug + fmt::Display + 'static,
    B: http_body::Body,
    B::Error: fmt::Debug + fmt::Display + 'static,
    O: Observer,
{
    type Response = Response<Body<B, O::Observation>>;
    type Error = S::Error;
    type Future = Future<S::Future, O::Observation>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let mut scope = Scope::enter(&parts.extensions);
        let mut observation = None;
        quietly(|| self.observer.observe_into(&mut parts, &mut scope, &mut observation));
        let mut watch = match observation {
            Some(_) => Watch::new(observation, scope, &mut parts),
            None => Watch::none(),
        };
        // Taken where it is called: what a closure owns is moved with it.
        let mut request = Some(Request::from_parts(parts, body));
        let inner = watch.run(|| self.inner.call(request.take().expect("it is called once")));
        Future::new(inner, watch)
    }
}
