use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use http::response;
use pin_project_lite::pin_project;
use reqwest::{Body, Client, Error, Request, RequestBuilder, Response, ResponseBuilderExt as _, Url};
use tower_layer::Layer;
use tower_service::Service;

/// A reqwest client with layers on it, for requests and responses of reqwest's own types.
///
/// Requests are built by the client that it was made from, and sent by this one. Clones share everything.
#[derive(Clone)]
pub struct ReqwestClient {
    service: Arc<dyn Sends>,
}

/// A reqwest client as a service of `http` requests, to put layers on.
///
/// Of what can be set on a request of reqwest's, `timeout` and `version` come along. The response has the extensions
/// that it has in reqwest; a `reqwest::Response` that is made of it knows its `url` and its `remote_addr`.
#[derive(Clone, Debug)]
pub struct Reqwest {
    client: Client,
}

pin_project! {
    /// The response of a [`Reqwest`], on its way.
    pub struct ReqwestFuture {
        #[pin]
        sent: Sent,
    }
}

pin_project! {
    #[project = SentProjection]
    enum Sent {
        Sending { #[pin] pending: <Client as Service<Request>>::Future },
        Refused { error: Option<Error> },
    }
}

/// A service of any type. It is boxed, so that a client can be kept without naming its layers.
trait Sends: Send + Sync {
    fn send(&self, request: http::Request<Body>) -> Sending;
}

type Sending = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

// ===== impl ReqwestClient =====

impl ReqwestClient {
    /// Puts a layer on a client.
    ///
    /// The layer must leave errors as they are. With one that does not, put it on [`Reqwest`] by hand.
    pub fn new<L, B>(client: Client, layer: &L) -> Self
    where
        L: Layer<Reqwest>,
        L::Service: Service<http::Request<Body>, Response = http::Response<B>, Error = Error>
            + Clone
            + Send
            + Sync
            + 'static,
        <L::Service as Service<http::Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes, Error = Error> + Send + Sync + 'static,
    {
        Self { service: Arc::new(layer.layer(Reqwest::new(client))) }
    }

    /// Builds a request and sends it, in place of [`RequestBuilder::send`], which knows of no layer.
    ///
    /// # Errors
    ///
    /// Those of reqwest.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        self.execute(request.build()?).await
    }

    /// Sends a request, in place of [`Client::execute`].
    ///
    /// # Errors
    ///
    /// Those of reqwest.
    pub async fn execute(&self, request: Request) -> Result<Response, Error> {
        self.service.send(request.try_into()?).await
    }
}

impl fmt::Debug for ReqwestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestClient").finish_non_exhaustive()
    }
}

impl<S, B> Sends for S
where
    S: Service<http::Request<Body>, Response = http::Response<B>, Error = Error>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error = Error> + Send + Sync + 'static,
{
    fn send(&self, request: http::Request<Body>) -> Sending {
        let mut service = self.clone();
        Box::pin(async move {
            poll_fn(|task| service.poll_ready(task)).await?;
            let response = service.call(request).await?;
            Ok(response.map(Body::wrap).into())
        })
    }
}

// ===== impl Reqwest =====

impl Reqwest {
    /// Makes a service of a client.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Service<http::Request<Body>> for Reqwest {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = ReqwestFuture;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), Error>> {
        self.client.poll_ready(task)
    }

    fn call(&mut self, request: http::Request<Body>) -> ReqwestFuture {
        let sent = match Request::try_from(request) {
            Ok(request) => Sent::Sending { pending: self.client.call(request) },
            Err(error) => Sent::Refused { error: Some(error) },
        };
        ReqwestFuture { sent }
    }
}

// ===== impl ReqwestFuture =====

impl Future for ReqwestFuture {
    type Output = Result<http::Response<Body>, Error>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        match self.project().sent.project() {
            SentProjection::Sending { pending } => Poll::Ready(ready!(pending.poll(task)).map(to_http)),
            SentProjection::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after completion")))
            }
        }
    }
}

impl fmt::Debug for ReqwestFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFuture").finish_non_exhaustive()
    }
}

fn to_http(response: Response) -> http::Response<Body> {
    let url = response.url().clone();
    let (mut parts, body) = http::Response::from(response).into_parts();
    keep(url, &mut parts);
    http::Response::from_parts(parts, body)
}

/// The type by which reqwest finds the URL of a response is private, but for its builder.
fn keep(url: Url, parts: &mut response::Parts) {
    let mut builder = response::Builder::new().url(url);
    if let Some(extensions) = builder.extensions_mut() {
        parts.extensions.extend(std::mem::take(extensions));
    }
}
