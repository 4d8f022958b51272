//! Names and values of the attributes, by the conventions.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::{options::Options, secrets, told::Told};
use crate::exchange::{HeaderNames, Host};

pub(super) const ERROR_TYPE: &str = "error.type";
pub(super) const EXCEPTION_MESSAGE: &str = "exception.message";
pub(super) const EXCEPTION_TYPE: &str = "exception.type";
pub(super) const HTTP_METHOD: &str = "http.request.method";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const RPC_METHOD: &str = "rpc.method";
pub(super) const RPC_METHOD_ORIGINAL: &str = "rpc.method_original";
pub(super) const RPC_SYSTEM: &str = "rpc.system.name";
pub(super) const SCHEME: &str = "url.scheme";
pub(super) const SERVER_ADDRESS: &str = "server.address";
pub(super) const SERVER_PORT: &str = "server.port";
pub(super) const VERSION: &str = "network.protocol.version";
pub(super) const XRAY_TRACE_ID: &str = "aws.xray.trace_id";

/// The code's name is being changed; until the new one is in a release, both are given.
pub(super) const RPC_STATUS: [&str; 2] = ["rpc.response.status_code", "rpc.status_code"];

pub(super) const GRPC: &str = "grpc";
pub(super) const OTHER: &str = "_OTHER";

/// Attributes as they come together.
pub(super) struct Attributes(Vec<KeyValue>);

// ===== impl Attributes =====

impl Attributes {
    /// With room for what a server span usually has.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(16))
    }

    /// Where there are usually none.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn push(&mut self, key: &'static str, value: impl Into<Value>) {
        self.0.push(KeyValue::new(key, value));
    }

    pub(super) fn maybe(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }

    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = KeyValue>) {
        self.0.extend(more);
    }

    pub(super) fn as_slice(&self) -> &[KeyValue] {
        &self.0
    }

    pub(super) fn finish(self) -> Vec<KeyValue> {
        self.0
    }

    /// The target of a request that leaves.
    pub(super) fn full(&mut self, uri: &Uri, scheme: &str, host: Option<Host<'_>>, options: &Options) {
        self.push("url.full", cut(&full(uri, scheme, host, options), TEXT).to_owned());
    }

    /// The headers of an allow-list, as arrays of strings, as far as they may be shown.
    pub(super) fn headers(
        &mut self,
        prefix: &str,
        names: &HeaderNames,
        headers: &HeaderMap,
        options: &Options,
    ) {
        let Options { scrubber, addresses, .. } = options;
        let show = |name: &HeaderName, value: &HeaderValue| {
            let value = scrubber.header(name, value);
            Some(cut(&addresses.header(name, &value)?, TEXT).to_owned())
        };
        self.0.extend(names.shown(headers, show).map(|(name, values)| {
            let values = values.into_iter().map(StringValue::from).collect();
            KeyValue::new(format!("{prefix}{name}"), Value::Array(Array::String(values)))
        }));
    }
}

impl Told for Attributes {
    fn text(&mut self, key: &'static str, value: &str) {
        self.push(key, value.to_owned());
    }

    fn ascii(&mut self, key: &'static str, value: &[u8]) {
        self.push(key, String::from_utf8_lossy(value).into_owned());
    }

    fn known(&mut self, key: &'static str, value: &'static str) {
        self.push(key, value);
    }

    fn number(&mut self, key: &'static str, value: i64) {
        self.push(key, value);
    }
}

/// Scheme, host, path and query, never a user and a password.
fn full(uri: &Uri, scheme: &str, host: Option<Host<'_>>, options: &Options) -> String {
    let mut full = String::with_capacity(64);
    let credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    full.push_str(scheme);
    full.push_str("://");
    full.push_str(if credentials { "REDACTED:REDACTED@" } else { "" });
    if let Some(Host { name, port }) = host {
        full.push_str(&if name.contains(':') {
            Cow::Owned(format!("[{name}]"))
        } else {
            Cow::Borrowed(name)
        });
        full.push_str(&port.map(|port| format!(":{port}")).unwrap_or_default());
    }
    full.push_str(&secrets::path(&options.scrubber, uri.path(), None));
    if let Some(text) = uri.query() {
        full.push('?');
        full.push_str(&secrets::query(&options.scrubber, &options.query, text));
    }
    full
}

/// The first `most` bytes of a text, at the border of a character.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A name that there was room for, or `_OTHER`.
pub(super) fn known_or_other(name: Option<Arc<str>>) -> Value {
    name.map_or_else(|| OTHER.into(), Value::from)
}

/// The port that a scheme stands for.
/// What a stranger may make a method as long as.
pub(super) const METHOD: usize = 256;
pub(super) const HOST: usize = 255;
pub(super) const USER_AGENT: usize = 1024;

/// How long a path, a query or a message may be.
pub(super) const TEXT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(uri: &'static str) -> String {
        let uri = Uri::from_static(uri);
        let headers = HeaderMap::new();
        let host = crate::exchange::host(&uri, &headers, crate::exchange::Hops::NONE);
        full(&uri, uri.scheme_str().unwrap(), host, &Options::default())
    }

    #[test]
    fn a_url_never_shows_credentials_or_query_values() {
        assert_eq!(
            shown("https://user:secret@shop.example:8443/carts?token=abc"),
            "https://REDACTED:REDACTED@shop.example:8443/carts?token=REDACTED"
        );
    }

    #[test]
    fn a_url_keeps_its_address_in_brackets() {
        assert_eq!(shown("http://[::1]:8080/"), "http://[::1]:8080/");
    }

    #[test]
    fn text_is_cut_at_the_border_of_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 9), "aé");
    }
}
