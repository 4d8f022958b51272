use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http::{Extensions, Request};
use http_body::{Body as _, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::{Case, body::KeptBody};
use crate::trace::Scope;

/// A layer that shows the bodies of failing requests, where that is wanted: for axum, beside a
/// [`RollbarLayer`](super::RollbarLayer), in either order.
///
/// It keeps a copy of what the handler reads, as the handler reads it, and reads nothing by itself: what nobody reads is not
/// there, and neither the handler nor the client can tell. Bodies that are JSON or a form are kept, by their
/// `Content-Type`; no others, and none with a `Content-Encoding`. JSON is shown without its secrets and written anew;
/// where it is not all there, or not valid, it is left out, and `body_note` says why.
///
/// It costs a copy of up to [`limit`](Self::limit) bytes for each such request, also for those that do not fail.
///
/// ```
/// use axum::{Router, routing::post};
/// use belvedere::rollbar::RequestBodyLayer;
///
/// let app: Router = Router::new()
///     .route("/carts", post(|body: String| async { body }))
///     .layer(RequestBodyLayer::new().limit(2_000));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestBodyLayer {
    limit: usize,
}

/// The service that [`RequestBodyLayer`] makes.
#[derive(Clone, Copy, Debug)]
pub struct KeepRequestBody<S> {
    inner: S,
    limit: usize,
}

/// A body of which a copy is kept.
struct Tee {
    inner: Body,
    kept: KeptBody,
}

// ===== impl RequestBodyLayer =====

impl RequestBodyLayer {
    /// A layer that keeps up to 10,000 bytes of a body.
    pub fn new() -> Self {
        Self { limit: LIMIT }
    }

    /// How many bytes of a body are kept. Default: 10,000. JSON that is longer is left out; of a form the rest is.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl Default for RequestBodyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RequestBodyLayer {
    type Service = KeepRequestBody<S>;

    fn layer(&self, inner: S) -> KeepRequestBody<S> {
        KeepRequestBody { inner, limit: self.limit }
    }
}

// ===== impl KeepRequestBody =====

impl<S: Service<Request<Body>>> Service<Request<Body>> for KeepRequestBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.inner.call(keep(request, self.limit))
    }
}

/// The same request, with a body of which a copy is kept if it is one to keep.
fn keep(mut request: Request<Body>, limit: usize) -> Request<Body> {
    if request.body().is_end_stream() || request.extensions().get::<KeptBody>().is_some() {
        return request;
    }
    let Some(kept) = KeptBody::of(request.headers(), limit) else { return request };
    leave(request.extensions_mut(), kept.clone());
    request.map(|inner| Body::new(Tee { inner, kept }))
}

/// Leaves it where the layer that reports finds it: further out by the scope, further in by the request itself.
fn leave(extensions: &mut Extensions, kept: KeptBody) {
    if let Some(case) = Scope::of(extensions).and_then(|scope| Case::within(scope.context())) {
        case.snapshot().keep(kept.clone());
    }
    extensions.insert(kept);
}

// ===== impl Tee =====

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(task);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.kept.add(bytes);
                }
                // A reader that knows the length may not ask again.
                if self.inner.is_end_stream() {
                    self.kept.end();
                }
            }
            Poll::Ready(None) => self.kept.end(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        // axum puts an error into one of its own once more: what it was before has to go in.
        polled.map_err(axum::Error::into_inner)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

const LIMIT: usize = 10_000;
