//! The one HTTPS client.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header::USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, rt::Executor};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioTimer,
};
use opentelemetry::{Context, context::FutureExt};
use tokio::time;

use super::{HttpError, tls::Tls};
use crate::Error;

/// Posts to backends over HTTP/1.1, with TLS or without, and keeps connections. Clones share them.
///
/// See [the module](super) for what it does not do. It needs a tokio runtime with I/O and time; an outbox has one.
#[derive(Clone)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    answer_bytes: usize,
}

/// How to connect. Made by [`HttpClient::builder`].
#[derive(Clone, Debug)]
#[must_use = "call `.build()` to have a client"]
pub struct HttpClientBuilder {
    connect_timeout: Duration,
    idle_timeout: Duration,
    answer_bytes: usize,
    tls: Tls,
}

/// What a backend answered, whatever the status.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, such as `retry-after`.
    pub headers: HeaderMap,
    /// The beginning of its body, as much as [`HttpClientBuilder::answer_bytes`] says; more is not read.
    pub body: Bytes,
}

/// Runs connections without telemetry, also on a runtime that is not the outbox's.
#[derive(Clone, Copy, Debug)]
struct Untraced;

// ===== impl HttpClient =====

impl HttpClient {
    /// How to connect.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(30),
            answer_bytes: ANSWER_BYTES,
            tls: Tls::default(),
        }
    }

    /// Posts `body` to `uri`, and reads the answer. All of it, connecting included, takes `timeout` at most.
    ///
    /// `uri` must have a scheme (`http` or `https`) and a host. `user-agent` is `belvedere/<version>` unless `headers`
    /// has one; `host` and `content-length` are added.
    ///
    /// # Errors
    ///
    /// When no answer was had; see [`HttpError`]. Dropping the future closes the connection.
    pub async fn post(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        self.request(Method::POST, uri, headers, body, timeout).await
    }

    /// Asks for `uri`, and reads the answer: [`post`](Self::post) without a body.
    ///
    /// # Errors
    ///
    /// When no answer was had; see [`HttpError`].
    pub async fn get(&self, uri: &Uri, headers: &HeaderMap, timeout: Duration) -> Result<Answer, HttpError> {
        self.request(Method::GET, uri, headers, Bytes::new(), timeout).await
    }

    /// Sends `body` to `uri` by any method, and reads the answer; all else is as with [`post`](Self::post).
    ///
    /// # Errors
    ///
    /// When no answer was had; see [`HttpError`].
    pub async fn request(
        &self,
        method: Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let request = request(method, uri, headers, body)?;
        time::timeout(timeout, self.exchange(request)).await.map_err(HttpError::timeout)?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, HttpError> {
        let (head, body) = self.client.request(request).await.map_err(HttpError::request)?.into_parts();
        let body = beginning(body, self.answer_bytes).await?;
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

// ===== impl HttpClientBuilder =====

impl HttpClientBuilder {
    /// How long a TCP connection may take, over all addresses of the host. Default 5 s.
    ///
    /// The time for the whole exchange bounds it too, and the TLS handshake alone.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection is kept for the next request. Default 30 s.
    ///
    /// More of it saves handshakes for lanes that send rarely, and risks to meet a connection that the backend, or a
    /// box on the way, has dropped silently.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How much of an answer's body is read. Default 64 KiB: a message to a person, or a partial success.
    ///
    /// More of it is for backends that answer with data. What comes after it is not read, and costs its connection.
    pub fn answer_bytes(mut self, bytes: usize) -> Self {
        self.answer_bytes = bytes;
        self
    }

    /// Trusts one more root certificate, an X.509 certificate in DER. May be called again. Default none.
    ///
    /// For a private authority. Mozilla's roots stay trusted.
    pub fn root(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.tls.root(der.into());
        self
    }

    /// Trusts these root certificates, X.509 in PEM, in place of Mozilla's.
    ///
    /// # Errors
    ///
    /// When there is no certificate among them, or one that cannot be a root.
    pub fn roots(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.tls.roots(pem)?;
        Ok(self)
    }

    /// Shows a certificate to a backend that asks for one: a chain of X.509 certificates and the key of the first, both in
    /// PEM. Default none.
    ///
    /// # Errors
    ///
    /// When a part is not there or is none, or the key is not the certificate's. No error shows the key.
    pub fn identity(mut self, certificates: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.tls.identity(certificates, key)?;
        Ok(self)
    }

    /// Makes the client. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// When a root is not a certificate, or the rustls provider that the process has chosen cannot do TLS.
    pub fn build(self) -> Result<HttpClient, Error> {
        let Self { connect_timeout, idle_timeout, answer_bytes, tls } = self;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls.config()?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(Untraced)
            .pool_idle_timeout(idle_timeout)
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(HttpClient { client, answer_bytes })
    }
}

// ===== impl Untraced =====

impl<F> Executor<F> for Untraced
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(future.with_context(Context::new().with_telemetry_suppressed()));
    }
}

fn request(
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, HttpError> {
    let request = Request::builder().method(method).uri(uri).body(Full::new(body));
    let mut request = request.map_err(HttpError::exchange)?;
    *request.headers_mut() = headers.clone();
    request.headers_mut().entry(USER_AGENT).or_insert(OURS);
    Ok(request)
}

async fn beginning(mut body: Incoming, most: usize) -> Result<Bytes, HttpError> {
    let mut read = BytesMut::new();
    while read.len() < most
        && let Some(frame) = body.frame().await
    {
        let Ok(data) = frame.map_err(HttpError::exchange)?.into_data() else { continue };
        read.extend_from_slice(&data[..data.len().min(most - read.len())]);
    }
    Ok(read.freeze())
}

const OURS: HeaderValue = HeaderValue::from_static(concat!("belvedere/", env!("CARGO_PKG_VERSION")));

/// An answer is read for a message to a person, or a partial success; a page of HTML is neither.
const ANSWER_BYTES: usize = 64 * 1024;
