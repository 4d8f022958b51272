use std::task::{Context as Task, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::exchange::Resends;

/// A layer that goes outside of a retry, so that the [client's layer](super::OtelClientLayer) inside of it can number
/// the attempts: `http.request.resend_count`.
///
/// ```
/// use belvedere::otel::{OtelClientLayer, ResendCountLayer};
/// use tower::{ServiceBuilder, retry::RetryLayer};
/// # #[derive(Clone)]
/// # struct Twice;
/// # impl<Q: Clone, A, E> tower::retry::Policy<Q, A, E> for Twice {
/// #     type Future = std::future::Ready<()>;
/// #     fn retry(&mut self, _: &mut Q, _: &mut Result<A, E>) -> Option<Self::Future> { None }
/// #     fn clone_request(&mut self, request: &Q) -> Option<Q> { Some(request.clone()) }
/// # }
/// # use tower::{Service, ServiceExt, BoxError};
/// # type Body = http_body_util::Empty<bytes::Bytes>;
/// # type Client = hyper_util::client::legacy::Client<hyper_util::client::legacy::connect::HttpConnector, Body>;
/// # fn stack(client: Client, policy: Twice) -> impl Service<http::Request<Body>> {
/// ServiceBuilder::new()
///     .layer(ResendCountLayer)
///     .layer(RetryLayer::new(policy))
///     .layer(OtelClientLayer::new())
///     .service(client)
/// # }
/// ```
///
/// See [`Resends`] for what the count lives in, and for loops of your own. A request that has one keeps it. A second
/// `OtelClientLayer` outside of the retry, for a span around all attempts, counts without this layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResendCountLayer;

/// A service that counts how often each request given to it is sent further in.
#[derive(Clone, Copy, Debug)]
pub struct ResendCount<S> {
    inner: S,
}

// ===== impl ResendCountLayer =====

impl<S> Layer<S> for ResendCountLayer {
    type Service = ResendCount<S>;

    fn layer(&self, inner: S) -> ResendCount<S> {
        ResendCount { inner }
    }
}

// ===== impl ResendCount =====

impl<S, B> Service<Request<B>> for ResendCount<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.extensions_mut().get_or_insert_default::<Resends>();
        self.inner.call(request)
    }
}
