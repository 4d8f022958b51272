use std::{borrow::Cow, net::SocketAddr, sync::OnceLock};

use http::{HeaderName, Method, Version, header, request};
use smallvec::SmallVec;

use super::{Forwarded, Host, Route, may_be_grpc, peer};

/// What is known of a request when it arrives: one copy for all that is written of it later, on other threads.
///
/// It is a copy because the parts of a request that hyper gives keep its read buffer, of 8 KiB and more, for as long as one of
/// them is kept. What fits into 296 bytes is not allocated.
#[derive(Debug)]
pub(crate) struct Head {
    method: Method,
    version: Version,
    is_https: bool,
    may_be_grpc: bool,
    is_partial: bool,
    peer: Option<SocketAddr>,
    route: OnceLock<Route>,
    text: SmallVec<[u8; INLINE]>,
    /// Where each part ends; `None` if it is not there.
    ends: [Option<End>; PARTS],
}

/// One more than the end, so that none needs no room.
type End = std::num::NonZeroU32;

/// A part of the text.
#[derive(Clone, Copy, Debug)]
enum Part {
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
        let mut head = Self {
            method: request.method.clone(),
            version: request.version,
            is_https: request.uri.scheme() == Some(&http::uri::Scheme::HTTPS),
            may_be_grpc: may_be_grpc(request),
            is_partial: request.headers.len() != request.headers.keys_len(),
            peer: peer(&request.extensions),
            route: OnceLock::new(),
            text: SmallVec::new(),
            ends: [None; PARTS],
        };
        head.learn_route(request);
        head.push(Part::Path, Some(request.uri.path().as_bytes()));
        head.push(Part::Query, request.uri.query().map(str::as_bytes));
        head.push(Part::Authority, request.uri.authority().map(|authority| authority.as_str().as_bytes()));
        for (part, name) in HEADERS {
            let Some(value) = request.headers.get(name) else { continue };
            if value.is_sensitive() {
                head.is_partial = true;
            } else {
                head.push(part, Some(&value.as_bytes()[..value.len().min(LONGEST)]));
            }
        }
        head
    }

    fn push(&mut self, part: Part, text: Option<&[u8]>) {
        let Some(text) = text else { return };
        self.text.extend_from_slice(text);
        self.ends[part as usize] = u32::try_from(self.text.len() + 1).ok().and_then(End::new);
    }

    fn bytes(&self, part: Part) -> Option<&[u8]> {
        let at = |end: End| end.get() as usize - 1;
        let end = self.ends[part as usize].map(at)?;
        let start = self.ends[..part as usize].iter().rev().find_map(|end| end.map(at)).unwrap_or(0);
        Some(&self.text[start..end])
    }

    /// A part that is text where it is there at all.
    fn text(&self, part: Part) -> Option<&str> {
        std::str::from_utf8(self.bytes(part)?).ok()
    }

    /// A header that has visible ASCII alone.
    fn visible(&self, part: Part) -> Option<&str> {
        let is_visible = |byte: u8| (byte >= b' ') & (byte <= b'~') | (byte == b'\t');
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

    /// Roughly how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.route().map_or(0, |route| route.pattern().len())
    }
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
const INLINE: usize = 296;
