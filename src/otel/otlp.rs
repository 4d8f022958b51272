use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::destination::{Endpoint, Signal};
use crate::{
    Error,
    outbox::Limits,
    transport::{HttpClient, HttpClientBuilder},
};

/// An OTLP endpoint for spans, metrics or logs: protobuf over HTTP.
///
/// Batches of at most 512 records go out, or whatever came within a second. What the
/// [specification](https://opentelemetry.io/docs/specs/otlp/#otlphttp) calls retryable is tried again (429, 502, 503,
/// 504, no answer, no connection), after the time that `Retry-After` says; anything else is lost at once, and counted.
#[derive(Clone)]
pub struct Otlp {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) limits: Limits,
    http: HttpClientBuilder,
}

// ===== impl Otlp =====

impl Otlp {
    /// An endpoint by its whole URL, `/v1/traces` included.
    pub fn new(uri: Uri) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, PROTOBUF)]);
        let limits = Limits::default().records(512).bytes(4 << 20).age(Duration::from_secs(1));
        let (timeout, http) = (Duration::from_secs(10), HttpClient::builder());
        Self { uri, headers, timeout, gzip: true, limits, http }
    }

    /// Sends a further header, for example the key of a backend. It is marked as sensitive.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// How long one request may take. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether requests are compressed. Default: yes; it takes about a tenth of the bytes for some CPU time, off the
    /// service's threads.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// How long a record may wait for company. Default: 1 s; less makes more requests, for somebody who is watching.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.limits = self.limits.age(age);
        self
    }

    /// How the lane batches, holds and retries.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Trusts these root certificates, in PEM, and no others: for a backend with an authority of its own. Default:
    /// Mozilla's.
    ///
    /// # Errors
    ///
    /// When there is no certificate among them, or one that is none.
    pub fn roots(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.http = self.http.roots(pem)?;
        Ok(self)
    }

    /// Shows this certificate to a backend that asks for one: a chain of certificates and the key of the first, in PEM.
    /// Default: none.
    ///
    /// # Errors
    ///
    /// When a part is not there or is none, or the key is not the certificate's. No error shows the key.
    pub fn identity(mut self, certificates: &[u8], key: &[u8]) -> Result<Self, Error> {
        self.http = self.http.identity(certificates, key)?;
        Ok(self)
    }

    /// Where records go.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The same without what may be a secret: a query, or a user and a password.
    pub(crate) fn place(&self) -> String {
        let (scheme, path) = (self.uri.scheme_str().unwrap_or_default(), self.uri.path());
        format!("{scheme}://{}{path}", self.host())
    }

    /// What connects to it, to ask something else there.
    pub(crate) fn client(&self) -> Result<HttpClient, Error> {
        self.http.clone().build()
    }

    /// What each request says of itself.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The other end of a lane of this signal.
    pub(super) fn destination<S: Signal>(mut self, signal: S) -> Result<Endpoint<S>, Error> {
        if self.uri.host().is_none() {
            let advice = "give a whole URL, such as http://localhost:4318/v1/traces";
            return Err(Error::invalid("endpoint", &self.place(), advice));
        }
        if self.gzip {
            self.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let http = self.client()?;
        Ok(Endpoint::new(self, http, signal))
    }

    /// What a lane is called: `otlp localhost:4318`, `otlp metrics localhost:4318`.
    pub(super) fn lane(&self, signal: &str) -> String {
        format!("otlp {signal}{}", self.host())
    }

    /// Host and port.
    fn host(&self) -> &str {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri: _, headers, timeout, gzip, limits, http } = self;
        f.debug_struct("Otlp")
            .field("uri", &self.place())
            .field("headers", headers)
            .field("timeout", timeout)
            .field("gzip", gzip)
            .field("limits", limits)
            .field("http", http)
            .finish()
    }
}

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_its_place_and_no_secret() {
        let uri = Uri::from_static("https://user:canary@collector:4318/v1/traces?token=canary");
        let otlp = Otlp::new(uri).header(header::AUTHORIZATION, HeaderValue::from_static("canary"));
        assert_eq!(otlp.lane("metrics "), "otlp metrics collector:4318");
        assert_eq!(otlp.place(), "https://collector:4318/v1/traces");
        let shown = format!("{otlp:?}");
        assert!(shown.contains("collector:4318/v1/traces") && !shown.contains("canary"), "{shown}");
    }
}
