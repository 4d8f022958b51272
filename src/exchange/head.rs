use std::{borrow::Cow, fmt, net::SocketAddr, sync::OnceLock};

use http::{HeaderName, HeaderValue, Method, Version, header, request};

use super::{Fields, Forwarded, Host, Route, looked::Looked, may_be_grpc, peer};

/// What is known of a request when it arrives: one copy for all that is written of it later, on other threads.
///
/// It is a copy because the parts of a request that hyper gives keep its read buffer, of 8 KiB and more, for as long as one of
/// them is kept. What fits into 304 bytes is not allocated.
#[derive(Debug)]
pub(crate) struct Head {
    method: Method,
    version: Version,
    is_https: bool,
    may_be_grpc: bool,
    is_partial: bool,
    /// How many header lines there were.
    lines: u32,
    asks_for_upgrade: bool,
    has_baggage: bool,
    peer: Option<SocketAddr>,
    route: OnceLock<Route>,
    text: Text,
    /// Where each part ends; `None` if it is not there.
    ends: [Option<End>; PARTS],
    pub(super) looked: Looked,
}

/// One more than the end, so that none needs no room.
type End = std::num::NonZeroU32;

/// As many bytes as there are to be.
struct Text {
    len: usize,
    inline: [u8; INLINE],
    /// Where they do not fit in there.
    boxed: Option<Box<[u8]>>,
}

/// A part of the text, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Path,
    Query,
    Authority,
    Host,
    UserAgent,
    ContentType,
    ContentLength,
    Accept,
}

// ===== impl Head =====

impl Head {
    pub(crate) fn of(request: &request::Parts) -> Self {
        let mut head = Self::default();
        head.fill(request, &Fields::of(&request.headers));
        head
    }

    /// Makes this what is known of the request, where it is: it is too large to be moved much.
    pub(crate) fn fill(&mut self, request: &request::Parts, fields: &Fields<'_>) {
        let request::Parts { uri, headers, .. } = request;
        let &Fields { host, user_agent, content_type, content_length, accept, .. } = fields;
        let values = [host, user_agent, content_type, content_length, accept];
        let is_sensitive = values.iter().flatten().any(|value| value.is_sensitive());
        let [host, user_agent, content_type, content_length, accept] = values.map(shown);
        let (path, query) = (Some(uri.path().as_bytes()), uri.query().map(str::as_bytes));
        let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
        // In the order of `Part`.
        let parts = [path, query, authority, host, user_agent, content_type, content_length, accept];
        let len = parts.iter().flatten().map(|part| part.len()).sum();
        self.method = request.method.clone();
        self.version = request.version;
        self.is_https = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        self.may_be_grpc = may_be_grpc(request);
        self.is_partial = is_sensitive || headers.len() != headers.keys_len();
        self.lines = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        (self.asks_for_upgrade, self.has_baggage) = (fields.has_upgrade, fields.has_baggage);
        self.peer = peer(&request.extensions);
        self.text.resize(len);
        self.join(parts);
        self.learn_route(request);
    }

    /// Fills the text, which is as long as all parts.
    fn join(&mut self, parts: [Option<&[u8]>; PARTS]) {
        let (mut room, mut len) = (self.text.bytes_mut(), 0);
        for (end, part) in self.ends.iter_mut().zip(parts) {
            let Some(part) = part else { continue };
            let (own, rest) = room.split_at_mut(part.len());
            own.copy_from_slice(part);
            (room, len) = (rest, len + part.len());
            *end = u32::try_from(len + 1).ok().and_then(End::new);
        }
    }

    pub(super) fn bytes(&self, part: Part) -> Option<&[u8]> {
        let at = |end: End| end.get() as usize - 1;
        let end = self.ends[part as usize].map(at)?;
        let start = self.ends[..part as usize].iter().rev().find_map(|end| end.map(at)).unwrap_or(0);
        self.text.bytes().get(start..end)
    }

    /// A part that is text where it is there at all.
    fn text(&self, part: Part) -> Option<&str> {
        std::str::from_utf8(self.bytes(part)?).ok()
    }

    /// A header that has visible ASCII alone.
    fn visible(&self, part: Part) -> Option<&str> {
        let is_visible = |byte: u8| (b' '..=b'~').contains(&byte) | (byte == b'\t');
        // All bytes are looked at, which is faster than to stop at the first: so the compiler takes many at once.
        let is_text = self.bytes(part)?.iter().fold(true, |all, byte| all & is_visible(*byte));
        if is_text { self.text(part) } else { None }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    #[cfg(feature = "otel")]
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn may_be_grpc(&self) -> bool {
        self.may_be_grpc
    }

    /// The socket's other end, where the server tells it.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(crate) fn path(&self) -> &str {
        self.text(Part::Path).unwrap_or_default()
    }

    pub(crate) fn authority(&self) -> Option<&str> {
        self.text(Part::Authority)
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.text(Part::Query)
    }

    /// `http` or `https`: as trusted proxies say, else as the request does.
    pub(crate) fn scheme(&self, forwarded: Option<&Forwarded>) -> &'static str {
        match forwarded.and_then(|forwarded| forwarded.is_https).unwrap_or(self.is_https) {
            true => "https",
            false => "http",
        }
    }

    /// The host: as trusted proxies say, else as the request does.
    pub(crate) fn host<'a>(&'a self, forwarded: Option<&'a Forwarded>) -> Option<Host<'a>> {
        let told = forwarded.and_then(|forwarded| forwarded.host.as_deref());
        let asked = || self.text(Part::Authority).or_else(|| self.visible(Part::Host));
        Host::read(told.or_else(asked)?)
    }

    /// The user agent, unless it is sensitive or has other characters than those of visible ASCII.
    pub(crate) fn user_agent(&self) -> Option<&str> {
        self.visible(Part::UserAgent)
    }

    /// The user agent, unless it is sensitive.
    pub(crate) fn any_user_agent(&self) -> Option<Cow<'_, str>> {
        let agent = self.bytes(Part::UserAgent)?;
        // Looked at many bytes at once, where the lossy way goes one by one.
        Some(std::str::from_utf8(agent).map_or_else(|_| String::from_utf8_lossy(agent), Cow::Borrowed))
    }

    /// The value of one of the headers that it keeps.
    #[cfg(feature = "rollbar")]
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, http::HeaderValue)> {
        let value = |part| http::HeaderValue::from_bytes(self.bytes(part)?).ok();
        HEADERS.into_iter().filter_map(move |(part, name)| Some((name, value(part)?)))
    }

    pub(crate) fn route(&self) -> Option<&Route> {
        self.route.get()
    }

    /// Takes the route from a layer that stands behind the router, where this one stands before it.
    pub(crate) fn learn_route(&self, request: &request::Parts) {
        if self.route.get().is_none()
            && let Some(route) = Route::of(request)
        {
            _ = self.route.set(route);
        }
    }

    /// Whether it lacks a header that it would keep: a sensitive one, or a second one of the same name.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// How many lines of headers there were.
    pub(crate) fn lines(&self) -> usize {
        self.lines as usize
    }

    /// Whether it has a header `Upgrade`.
    pub(crate) fn asks_for_upgrade(&self) -> bool {
        self.asks_for_upgrade
    }

    /// Whether it has a header `baggage`.
    #[cfg(feature = "otel")]
    pub(crate) fn has_baggage(&self) -> bool {
        self.has_baggage
    }

    /// Roughly how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        self.text.len + self.route().map_or(0, |route| route.pattern().len())
    }
}

impl Default for Head {
    /// What is known of no request.
    #[inline]
    fn default() -> Self {
        Self {
            method: Method::GET,
            version: Version::HTTP_11,
            is_https: false,
            may_be_grpc: false,
            is_partial: false,
            lines: 0,
            asks_for_upgrade: false,
            has_baggage: false,
            peer: None,
            route: OnceLock::new(),
            text: Text { len: 0, inline: [0; INLINE], boxed: None },
            ends: [None; PARTS],
            looked: Looked::default(),
        }
    }
}

// ===== impl Text =====

impl Text {
    fn resize(&mut self, len: usize) {
        self.len = len;
        self.boxed = (len > INLINE).then(|| vec![0; len].into());
    }

    fn bytes(&self) -> &[u8] {
        self.boxed.as_deref().unwrap_or(&self.inline)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.boxed.as_deref_mut().unwrap_or(&mut self.inline)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.bytes()[..self.len]), f)
    }
}

fn shown(value: Option<&HeaderValue>) -> Option<&[u8]> {
    let value = value.filter(|value| !value.is_sensitive())?;
    Some(&value.as_bytes()[..value.len().min(LONGEST)])
}

/// In the order of [`Part`].
const HEADERS: [(Part, HeaderName); 5] = [
    (Part::Host, header::HOST),
    (Part::UserAgent, header::USER_AGENT),
    (Part::ContentType, header::CONTENT_TYPE),
    (Part::ContentLength, header::CONTENT_LENGTH),
    (Part::Accept, header::ACCEPT),
];
const PARTS: usize = 8;

/// More of a header than any backend shows.
const LONGEST: usize = 8192;

/// As much as leaves what an exchange shares within the largest size that allocators have at hand, 1000 bytes; and as much as
/// browsers write.
const INLINE: usize = 304;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(request: http::request::Builder) -> Head {
        Head::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn each_part_is_what_the_request_says() {
        for agent in ["", "curl/8", &"a".repeat(250), &"a".repeat(400), &"b".repeat(9000)] {
            let request = Request::post("https://shop.example:81/carts?page=2")
                .header("x-first", "1")
                .header("accept", "*/*")
                .header("user-agent", agent)
                .header("host", "other.example")
                .header("content-length", "7");
            let head = head(request);
            assert_eq!(head.path(), "/carts");
            assert_eq!(head.query(), Some("page=2"));
            assert_eq!(head.authority(), Some("shop.example:81"));
            assert_eq!(head.bytes(Part::Host), Some(&b"other.example"[..]));
            assert_eq!(head.user_agent(), Some(&agent[..agent.len().min(LONGEST)]));
            assert_eq!(head.bytes(Part::ContentType), None);
            assert_eq!(head.bytes(Part::ContentLength), Some(&b"7"[..]));
            assert_eq!(head.bytes(Part::Accept), Some(&b"*/*"[..]));
            assert_eq!(head.scheme(None), "https");
            assert!(!head.is_partial());
        }
    }

    #[test]
    fn of_a_header_that_comes_twice_the_first_is_kept() {
        let head = head(Request::get("/").header("accept", "text/html").header("accept", "*/*"));
        assert_eq!(head.bytes(Part::Accept), Some(&b"text/html"[..]));
        assert!(head.is_partial());
    }

    #[test]
    fn a_sensitive_header_is_not_kept_nor_is_another_in_its_place() {
        let mut secret = HeaderValue::from_static("curl/8 hunter2");
        secret.set_sensitive(true);
        let head = head(Request::get("/").header("user-agent", secret).header("user-agent", "curl/8"));
        assert_eq!(head.any_user_agent(), None);
        assert!(head.is_partial());
    }

    #[test]
    fn a_usual_head_is_not_allocated() {
        let request = Request::get("/carts/17?page=2").header("host", "shop.example").header("accept", "*/*");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let info = allocation_counter::measure(|| drop(Head::of(&request)));
        assert_eq!(info.count_total, 0);
    }
}
