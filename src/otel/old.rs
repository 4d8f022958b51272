//! The names that HTTP attributes had before version 1.21 of the conventions, by their
//! [migration guide](https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/).

use std::borrow::Cow;

use opentelemetry::{KeyValue, Value};

use super::{
    attributes::{TEXT, cut},
    outcome::Side,
};

/// The same facts under their old names.
pub(super) fn names(side: Side, attributes: &[KeyValue]) -> Vec<KeyValue> {
    let mut old: Vec<KeyValue> = Vec::with_capacity(attributes.len() + COMPOSED);
    for &(new, of_server, of_client) in &TABLE {
        let name = if side == Side::Server { of_server } else { of_client };
        let value = find(attributes, new).filter(|_| old.iter().all(|pair| pair.key.as_str() != name));
        if let Some(value) = value.filter(|_| !name.is_empty()) {
            old.push(KeyValue::new(name, spelled(name, value)));
        }
    }
    if let Some(target) = target(attributes) {
        old.extend(url(attributes, &target).map(|url| KeyValue::new("http.url", url)));
        old.push(KeyValue::new("http.target", target));
    }
    old
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value)
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<Cow<'a, str>> {
    find(attributes, key).map(Value::as_str)
}

/// A value as it was written under the old name.
fn spelled(name: &str, value: &Value) -> Value {
    match value {
        Value::String(version) if name == "http.flavor" && !version.as_str().contains('.') => {
            Value::from(format!("{version}.0"))
        }
        _ => value.clone(),
    }
}

/// Path and query of a request that arrived, as much of them as may be shown.
fn target(attributes: &[KeyValue]) -> Option<String> {
    let path = text(attributes, "url.path")?;
    let query = text(attributes, "url.query").map(|query| format!("?{query}")).unwrap_or_default();
    Some(cut(&format!("{path}{query}"), TEXT).to_owned())
}

fn url(attributes: &[KeyValue], target: &str) -> Option<String> {
    let (scheme, host) = (text(attributes, "url.scheme")?, text(attributes, "server.address")?);
    let host = if host.contains(':') { Cow::Owned(format!("[{host}]")) } else { host };
    let port = text(attributes, "server.port").map(|port| format!(":{port}")).unwrap_or_default();
    Some(cut(&format!("{scheme}://{host}{port}{target}"), TEXT).to_owned())
}

/// The new name, and the old ones of a server and of a client. Of two new names with one old name, the first that is
/// there counts.
const TABLE: [(&str, &str, &str); 13] = [
    ("http.request.method_original", "http.method", "http.method"),
    ("http.request.method", "http.method", "http.method"),
    ("http.response.status_code", "http.status_code", "http.status_code"),
    ("url.full", "", "http.url"),
    ("url.scheme", "http.scheme", ""),
    ("network.protocol.version", "http.flavor", "http.flavor"),
    ("user_agent.original", "http.user_agent", "http.user_agent"),
    ("client.address", "http.client_ip", ""),
    ("server.address", "net.host.name", "net.peer.name"),
    ("server.port", "net.host.port", "net.peer.port"),
    ("network.peer.address", "net.sock.peer.addr", "net.sock.peer.addr"),
    ("network.peer.port", "net.sock.peer.port", "net.sock.peer.port"),
    ("http.request.resend_count", "", "http.resend_count"),
];

/// `http.url` and `http.target` of a server.
const COMPOSED: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn old(side: Side, pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let pairs: Vec<_> = pairs.iter().map(|&(key, value)| KeyValue::new(key, value)).collect();
        names(side, &pairs).iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect()
    }

    #[test]
    fn the_method_is_the_one_that_was_written() {
        let pairs = [("http.request.method", "_OTHER"), ("http.request.method_original", "BREW")];
        assert_eq!(old(Side::Server, &pairs), ["http.method=BREW"]);
    }

    #[test]
    fn a_version_is_spelled_as_it_was() {
        for (new, expected) in [("1.0", "1.0"), ("1.1", "1.1"), ("2", "2.0"), ("3", "3.0")] {
            let old = old(Side::Client, &[("network.protocol.version", new)]);
            assert_eq!(old, [format!("http.flavor={expected}")]);
        }
    }

    #[test]
    fn a_url_has_its_address_in_brackets_and_is_there_only_with_a_host() {
        let pairs = [("url.scheme", "http"), ("server.address", "::1"), ("url.path", "/x")];
        assert!(old(Side::Server, &pairs).contains(&"http.url=http://[::1]/x".to_owned()));
        assert_eq!(old(Side::Server, &pairs[2..]), ["http.target=/x"]);
    }
}
