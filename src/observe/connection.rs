use std::fmt;

use http::Extensions;
use opentelemetry::Context;

use super::{Connected, upgrade::Upgrade, watch::within};
use crate::{exchange::End, trace::Scope};

/// The connection that a request asks to become: a handler that takes it keeps its exchange open until the connection
/// is over.
///
/// Without it, the exchange of an upgrade ends with the handshake. A handler takes it before it answers: as an extractor
/// (feature `axum`), or with [`of`](Self::of) from the request's extensions.
///
/// ```
/// use axum::{
///     extract::ws::{WebSocket, WebSocketUpgrade},
///     response::Response,
/// };
/// use belvedere::observe::Connection;
///
/// async fn feed(upgrade: WebSocketUpgrade, connection: Connection) -> Response {
///     upgrade.on_upgrade(move |socket| connection.run(serve(socket)))
/// }
///
/// async fn serve(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         if socket.send(message).await.is_err() {
///             break;
///         }
///     }
/// }
/// # #[cfg(feature = "axum")]
/// # let _ = axum::Router::<()>::new().route("/feed", axum::routing::any(feed));
/// ```
///
/// With hyper alone:
///
/// ```
/// use belvedere::observe::Connection;
/// use http::{Request, Response, StatusCode, header};
/// use http_body_util::Empty;
/// use hyper::{body::{Bytes, Incoming}, upgrade::Upgraded};
///
/// async fn echo(mut request: Request<Incoming>) -> http::Result<Response<Empty<Bytes>>> {
///     let connection = Connection::of(request.extensions()).unwrap_or_default();
///     let upgrade = hyper::upgrade::on(&mut request);
///     tokio::spawn(connection.run(async move {
///         if let Ok(upgraded) = upgrade.await {
///             serve(upgraded).await;
///         }
///     }));
///     let head = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
///     head.header(header::CONNECTION, "upgrade").header(header::UPGRADE, "echo").body(Empty::new())
/// }
///
/// async fn serve(upgraded: Upgraded) {
///     // ...
/// #   drop(upgraded);
/// }
/// ```
///
/// # When the exchange ends
///
/// | the handler has taken it, and | the exchange ends |
/// |---|---|
/// | the answer is a 101, or a 2xx to `CONNECT` | with the connection: see [`run`](Self::run) |
/// | it is dropped, `run` was never called | then, [complete](End::Complete) |
/// | it is over before the response's head is there | with the handshake |
/// | the answer is another one | as always |
///
/// An exchange that is held open does not see who closes the socket; only the handler does.
#[must_use = "dropped, it ends the exchange with the handshake"]
pub struct Connection {
    upgrade: Option<Upgrade>,
    context: Context,
}

// ===== impl Connection =====

impl Connection {
    /// Takes the connection that the request with these extensions asks to become.
    ///
    /// `None` if no layer watches the request, if it asks for no upgrade (no `CONNECT`, no `Upgrade` header), or if
    /// somebody else has the connection: there is one, and it goes back when it is dropped before the answer. The
    /// [default](Self::default) stands in for it.
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let scope = Scope::of(extensions)?;
        let upgrade = scope.get::<Upgrade>()?.clone();
        upgrade.take().then(|| Self { upgrade: Some(upgrade), context: scope.context().clone() })
    }

    /// Runs the connection in the exchange's scope, so that its spans and annotations belong to the exchange, which
    /// ends with the future: [complete](End::Complete) when it is done, whatever its output,
    /// [panicked](End::Panicked) when it unwinds, which it goes on doing, [canceled](End::Canceled) when it is dropped
    /// before.
    pub fn run<F: Future>(self, future: F) -> Connected<F> {
        Connected::new(self, future)
    }

    /// Runs a poll or a drop in scope, and ends the exchange if it unwinds.
    pub(super) fn within<T>(&mut self, inner: impl FnOnce() -> T) -> T {
        within(self.context.clone(), inner, |end| self.end(end))
    }

    pub(super) fn end(&mut self, end: End<'_>) {
        if let Some(upgrade) = self.upgrade.take() {
            upgrade.end(end);
        }
    }
}

impl Default for Connection {
    /// A connection that holds no exchange open. What it runs, it runs in the scope that it was made in.
    fn default() -> Self {
        Self { upgrade: None, context: Context::current() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end(End::Complete { trailers: None });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { upgrade, context } = self;
        f.debug_struct("Connection").field("taken", &upgrade.is_some()).field("context", context).finish()
    }
}

#[cfg(feature = "axum")]
impl<S: Sync> axum::extract::FromRequestParts<S> for Connection {
    type Rejection = std::convert::Infallible;

    /// The [default](Self::default) where there is none to take.
    async fn from_request_parts(
        parts: &mut http::request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions).unwrap_or_default())
    }
}
