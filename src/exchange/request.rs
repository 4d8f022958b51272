use std::{borrow::Cow, fmt, net::SocketAddr};

use http::{Extensions, HeaderMap, Method, Uri, Version, header, request};

use super::Hops;

/// The socket address of whoever sent the request.
///
/// A hyper service puts it into the request's extensions by hand, since only the accept loop knows it. axum's
/// `ConnectInfo` is found without it (feature `axum`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer(pub SocketAddr);

/// A host and its port, as a client wrote them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Host<'a> {
    /// A name or an address, without the brackets of IPv6.
    pub name: &'a str,
    /// The port, if one was written.
    pub port: Option<u16>,
}

/// The protocol's version as `1.1`, `2`.
pub fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_09 => Some("0.9"),
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_2 => Some("2"),
        Version::HTTP_3 => Some("3"),
        _ => None,
    }
}

/// Whether the request is a gRPC call: a `POST` over HTTP/2 with gRPC's content type. Anybody can send one of these; it
/// is a call for sure when the [answer](is_grpc) is one.
pub fn may_be_grpc(request: &request::Parts) -> bool {
    request.method == Method::POST && request.version >= Version::HTTP_2 && is_grpc(&request.headers)
}

/// Whether these headers are those of gRPC, by their content type.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    match value.as_bytes().strip_prefix(b"application/grpc") {
        Some([]) => true,
        Some([next, ..]) => matches!(next, b'+' | b';'),
        None => false,
    }
}

/// The scheme that the client used: from a trusted proxy, else from the request's target, else `http`.
pub fn scheme(request: &request::Parts, hops: Hops) -> Cow<'static, str> {
    let forwarded = hops.scheme(&request.headers);
    match forwarded.or_else(|| request.uri.scheme_str()) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => Cow::Borrowed("https"),
        _ => Cow::Borrowed("http"),
    }
}

/// The host that the client asked for: from a trusted proxy, else `:authority`, else `Host`.
pub fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap, hops: Hops) -> Option<Host<'a>> {
    let written = hops
        .host(headers)
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
        .or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    Host::read(written)
}

/// The scheme and the host that a client's request goes to: its own, or those of `origin`.
#[cfg(any(feature = "otel", feature = "xray"))]
pub(crate) fn target<'a>(
    request: &'a request::Parts,
    origin: Option<&'a Uri>,
) -> (&'a str, Option<Host<'a>>) {
    let scheme = request.uri.scheme_str().or_else(|| origin?.scheme_str());
    let host = host(&request.uri, &request.headers, Hops::NONE);
    let host = host.or_else(|| Host::read(origin?.authority()?.as_str()));
    (scheme.unwrap_or("http"), host)
}

#[cfg(any(feature = "otel", feature = "xray"))]
pub(crate) fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// The socket address of whoever sent the request, if the server told it.
pub fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    if let Some(Peer(address)) = extensions.get() {
        return Some(*address);
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = extensions.get() {
        return Some(*address);
    }
    None
}

// ===== impl Host =====

impl<'a> Host<'a> {
    /// Reads `name`, `name:port`, `[::1]:port`, with or without a user before an `@`, which is left out.
    pub fn read(text: &'a str) -> Option<Self> {
        let user = text.bytes().rposition(|byte| byte == b'@');
        let text = user.map_or(text, |at| &text[at + 1..]);
        if let Some(rest) = text.strip_prefix('[') {
            let (name, port) = rest.split_once(']')?;
            return Some(Host { name, port: port.strip_prefix(':').and_then(|port| port.parse().ok()) });
        }
        let colon = text.bytes().position(|byte| byte == b':');
        let (name, port) = colon.map_or((text, None), |at| (&text[..at], text[at + 1..].parse().ok()));
        (!name.is_empty()).then_some(Host { name, port })
    }

    /// Adds what it prints as, without the detour of a formatter.
    #[cfg(any(feature = "cloudwatch", feature = "xray"))]
    pub(crate) fn push_to(self, text: &mut String) {
        let Self { name, port } = self;
        let is_bracketed = name.bytes().any(|byte| byte == b':');
        let parts = if is_bracketed { ["[", name, "]"] } else { ["", name, ""] };
        parts.iter().for_each(|part| text.push_str(part));
        if let Some(port) = port {
            text.push(':');
            text.push_str(itoa::Buffer::new().format(port));
        }
    }
}

/// As it stands in a URL.
impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') {
            write!(f, "[{name}]")?
        } else {
            f.write_str(name)?
        }
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_with_ports_brackets_and_without_users() {
        let read = |text| Host::read(text).map(|host| (host.name, host.port));
        #[cfg(any(feature = "cloudwatch", feature = "xray"))]
        for text in ["shop.example", "shop.example:81", "[::1]:81", "[::1]"] {
            let (host, mut pushed) = (Host::read(text).unwrap(), String::new());
            host.push_to(&mut pushed);
            assert_eq!((&*pushed, &*host.to_string()), (text, text));
        }
        assert_eq!(read("shop.example"), Some(("shop.example", None)));
        assert_eq!(read("shop.example:81"), Some(("shop.example", Some(81))));
        assert_eq!(read("[::1]:81"), Some(("::1", Some(81))));
        assert_eq!(read("user:secret@shop.example"), Some(("shop.example", None)));
        assert_eq!(read("shop.example:x"), Some(("shop.example", None)));
        assert_eq!(read(""), None);
    }

    #[test]
    fn grpc_is_told_by_its_content_type_and_grpc_web_is_not_grpc() {
        let headers = |value: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
        for value in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
            assert!(is_grpc(&headers(value)), "{value}");
        }
        for value in ["application/grpc-web", "application/json", ""] {
            assert!(!is_grpc(&headers(value)), "{value}");
        }
    }
}
