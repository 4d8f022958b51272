use std::borrow::Cow;

use super::{Head, SharedPairs, Value, head::Part, pairs::Pair};
use crate::scrub::{Constant, Scrubber, bytes, is_plain};

/// What of a request's head everybody who writes of it may write as it is: printable ASCII in which JSON escapes nothing, and
/// in which a scrubber finds nothing. What is missing here may still be there, and has to be looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain<'a> {
    /// It begins with one slash, it ends before a `?` or a `#`, and its route calls none of it a secret.
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) user_agent: Option<&'a [u8]>,
    /// As the request has it; a trusted proxy may know better.
    pub(crate) host: Option<PlainHost<'a>>,
}

/// A host of small letters, digits, dots and hyphens that stands in a URL as it is, and gives nothing away there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PlainHost<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) port: Option<u16>,
}

/// What was found.
///
/// ```text
///  bits 63..32              31..16   15..8                   4..0
///       scrubber's number   port     length of host's name   what is plain
/// ```
#[derive(Clone, Copy, Debug, Default)]
struct Found(u64);

// ===== impl Head =====

impl Head {
    /// What of it may be written as it is by whoever has this scrubber.
    pub(crate) fn plain(&self, scrubber: &Scrubber) -> Plain<'_> {
        let found = self.found(scrubber);
        Plain {
            path: if found.has(PATH) { self.bytes(Part::Path) } else { None },
            user_agent: if found.has(USER_AGENT) { self.bytes(Part::UserAgent) } else { None },
            host: if found.has(HOST) { self.plain_host(found) } else { None },
        }
    }

    fn plain_host(&self, found: Found) -> Option<PlainHost<'_>> {
        let name = &self.host_bytes()?[..found.name_length()];
        Some(PlainHost { name, port: found.has(PORT).then(|| found.port()) })
    }

    fn host_bytes(&self) -> Option<&[u8]> {
        self.bytes(Part::Authority).or_else(|| self.bytes(Part::Host))
    }

    fn found(&self, scrubber: &Scrubber) -> Found {
        let (known, number) = (Found(self.looked.get()), scrubber.number());
        // A route that is learned later may have secrets.
        if number > 0 && known.number() == number && known.has(ROUTE) == self.route().is_some() {
            return known;
        }
        let found = self.look(scrubber);
        self.looked.set(found.0);
        found
    }

    #[inline(never)]
    fn look(&self, scrubber: &Scrubber) -> Found {
        let (route, is_shown) = (self.route(), |name: &str| !scrubber.is_secret(name));
        let has_open_path = route.is_none_or(|route| route.names().all(is_shown));
        let path = self.bytes(Part::Path).filter(|_| has_open_path);
        let path = path.is_some_and(|path| is_path(path) && scrubber.leaves_path(path));
        let user_agent = self.bytes(Part::UserAgent);
        let user_agent = user_agent.is_some_and(|agent| scrubber.leaves_familiar(agent));
        let host = self.host_bytes().map_or_else(Found::default, |host| Found::host(host, scrubber));
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        let own = flag(path, PATH) | flag(user_agent, USER_AGENT) | flag(route.is_some(), ROUTE);
        Found(u64::from(scrubber.number()) << 32 | host.0 | own)
    }
}

// ===== impl SharedPairs =====

impl SharedPairs {
    /// Whether all of them may be written as they are by whoever has this scrubber: keys and texts are printable ASCII in which
    /// JSON escapes nothing, none of them is long or secret, and all numbers are finite.
    pub(crate) fn are_plain(&self, scrubber: &Scrubber) -> bool {
        let Some(pairs) = self.added() else { return true };
        let (known, number) = (Found(pairs.looked.get()), scrubber.number());
        if number > 0 && known.number() == number {
            return known.has(PAIRS);
        }
        let are_plain = self.iter().all(|pair| is_plain_pair(pair, scrubber));
        let found = if are_plain { PAIRS } else { 0 };
        pairs.looked.set(u64::from(number) << 32 | found);
        are_plain
    }
}

fn is_plain_pair((key, value): &Pair, scrubber: &Scrubber) -> bool {
    let is_plain_key = match key {
        Cow::Borrowed(key) => scrubber.constant(key) == Constant { is_secret: false, is_plain: true },
        Cow::Owned(key) => is_plain(key.as_bytes()) && !scrubber.is_secret(key),
    };
    is_plain_key && is_plain_value(value, scrubber)
}

fn is_plain_value(value: &Value, scrubber: &Scrubber) -> bool {
    match value {
        Value::Text(text) => {
            let text = text.as_bytes();
            text.len() <= LONGEST && is_plain(text) && scrubber.leaves_ascii(text)
        }
        Value::Float(float) => float.is_finite(),
        Value::Int(_) | Value::Bool(_) => true,
    }
}

// ===== impl Found =====

impl Found {
    /// A host, if it is plain.
    fn host(host: &[u8], scrubber: &Scrubber) -> Self {
        let colon = host.iter().position(|byte| *byte == b':');
        let (name, port) = colon.map_or((host, None), |at| (&host[..at], Some(&host[at + 1..])));
        let Ok(length @ 1..) = u8::try_from(name.len()) else { return Self::default() };
        let found = HOST | u64::from(length) << 8;
        match port.map(self::port) {
            _ if !scrubber.leaves_host(name) => Self::default(),
            None => Self(found),
            Some(Some(port)) => Self(found | PORT | u64::from(port) << 16),
            Some(None) => Self::default(),
        }
    }

    fn has(self, flag: u64) -> bool {
        self.0 & flag > 0
    }

    fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn port(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn name_length(self) -> usize {
        usize::from((self.0 >> 8) as u8)
    }
}

fn is_path(path: &[u8]) -> bool {
    let is_one = path.starts_with(b"/") && !path.starts_with(b"//");
    is_one && is_plain(path) && !bytes::any(path, |byte| (byte == b'?') | (byte == b'#'))
}

/// Digits alone: a number that is read may have a sign.
fn port(digits: &[u8]) -> Option<u16> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

const PATH: u64 = 1;
const USER_AGENT: u64 = 2;
const HOST: u64 = 4;
const PORT: u64 = 8;
/// A route was known.
const ROUTE: u64 = 16;

/// Of pairs: all of them.
const PAIRS: u64 = 1;

/// As long as any backend shows a text of an annotation.
const LONGEST: usize = 1_000;

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::Host;

    fn head(path: &str, host: &str, agent: &str) -> Option<Head> {
        let request = Request::get(path);
        let request = request.header("host", HeaderValue::from_bytes(host.as_bytes()).ok()?);
        let request = request.header("user-agent", HeaderValue::from_bytes(agent.as_bytes()).ok()?);
        Some(Head::of(&request.body(()).ok()?.into_parts().0))
    }

    const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

    #[test]
    fn a_usual_head_is_plain() {
        let head = head("/carts/17?page=2", "my-shop.example:8443", AGENT).unwrap();
        let scrubber = Scrubber::default();
        for _ in 0..2 {
            let Plain { path, user_agent, host } = head.plain(&scrubber);
            assert_eq!((path, user_agent), (Some(&b"/carts/17"[..]), Some(AGENT.as_bytes())));
            assert_eq!(host, Some(PlainHost { name: b"my-shop.example", port: Some(8443) }));
        }
    }

    #[test]
    fn what_is_not_plain_is_missing() {
        for (path, host, agent) in [
            ("//me:canary@shop", "shop:port", "a \"quote\""),
            ("/AKIAIOSFODNN7EXAMPLE", "", "Bearer canary"),
            ("*", "me@shop", "caf\u{e9}"),
            ("/a;token=canary", "[::1]:80", "back\\slash"),
            ("/a;token=canary", "xoxb-1.example", "a\ttab"),
            ("/a;token=canary", "shop:+80", "token=canary"),
        ] {
            let head = head(path, host, agent).unwrap();
            let Plain { path, user_agent, host } = head.plain(&Scrubber::default());
            assert_eq!((path, user_agent, host), (None, None, None), "{head:?}");
        }
    }

    #[test]
    fn what_one_scrubber_leaves_another_may_not() {
        let head = head("/a;iban=canary", "shop", "iban=canary").unwrap();
        let (usual, mut other) = (Scrubber::default(), Scrubber::default());
        assert!(head.plain(&usual).path.is_some() && head.plain(&other).user_agent.is_some());
        other = other.fields(["iban"]);
        for _ in 0..2 {
            assert!(head.plain(&other).path.is_none() && head.plain(&other).user_agent.is_none());
            assert!(head.plain(&usual).path.is_some() && head.plain(&other.clone()).user_agent.is_none());
        }
    }

    #[test]
    fn annotations_are_plain_until_one_is_added_that_is_not() {
        let scrubber = Scrubber::default();
        let mut pairs = SharedPairs::default();
        for (key, value, are_plain) in [
            ("cart", Value::from(17), true),
            ("cart.owner", Value::from("worf"), true),
            ("note", Value::from("token=canary"), false),
            ("note", Value::from("a \"quote\""), false),
            ("note", Value::from("x".repeat(1_001)), false),
            ("note", Value::from("x"), true),
            ("rate", Value::from(f64::NAN), false),
            ("rate", Value::from(0.5), true),
            ("iban", Value::from(17), true),
        ] {
            pairs.to_mut().put(key.into(), value, true);
            for _ in 0..2 {
                assert_eq!(pairs.are_plain(&scrubber), are_plain, "{key}");
                assert!(!pairs.are_plain(&Scrubber::default().fields(["cart"])));
            }
        }
        assert!(!pairs.are_plain(&scrubber.fields(["iban"])));
        pairs.to_mut().put("pin".into(), true.into(), true);
        assert!(
            !pairs.are_plain(&Scrubber::default()) && SharedPairs::default().are_plain(&Scrubber::default())
        );
    }

    #[cfg(feature = "axum")]
    #[tokio::test]
    async fn a_route_that_is_learned_later_hides_what_it_calls_a_secret() {
        use axum::{Router, extract, routing::get};
        use tower::ServiceExt as _;

        let request = Request::get("/carts/canary").body(axum::body::Body::empty()).unwrap();
        let (parts, body) = request.into_parts();
        let head = std::sync::Arc::new(Head::of(&parts));
        assert!(head.plain(&Scrubber::default()).path.is_some());
        let known = head.clone();
        let learn = async move |request: extract::Request| known.learn_route(&request.into_parts().0);
        let router = Router::new().route("/carts/{token}", get(learn));
        router.oneshot(Request::from_parts(parts, body)).await.unwrap();
        assert!(head.route().is_some() && head.plain(&Scrubber::default()).path.is_none());
    }

    proptest! {
        #[test]
        fn what_is_plain_is_what_the_scrubber_shows(
            path in "/(token=|AKIAIOSFODNN7EXAMPLE|%3D|%22|:|;|--|~|é|eyJ|sk_|b|/|@|4111111111111111|[a-zA-Z0-9._ -]{1,9}){0,6}",
            host in "([a-z0-9.-]{0,12}|[a-zA-Z0-9.:@_-]{0,12}|xox|b|-|ghp|glpat-|4111111111111111){0,3}(:[0-9+]{0,6})?",
            agent in "(token=|Bearer |AKIAIOSFODNN7EXAMPLE|\"|\\\\|\\{|//|:|b|[ -~]{1,9}|é){0,6}",
            cards: bool,
        ) {
            let scrubber = if cards { Scrubber::default().card_numbers() } else { Scrubber::default() };
            let Some(head) = head(&path, &host, &agent) else { return Ok(()) };
            let Plain { path, user_agent, host } = head.plain(&scrubber);
            if let Some(path) = path {
                let path = str::from_utf8(path).unwrap();
                prop_assert_eq!(path, head.path());
                prop_assert_eq!(&*scrubber.url(path), path);
                prop_assert_eq!(serde_json::to_string(path).unwrap(), format!("\"{path}\""));
            }
            if let Some(agent) = user_agent {
                let agent = str::from_utf8(agent).unwrap();
                prop_assert_eq!(Some(agent), head.user_agent());
                prop_assert_eq!(agent, &*head.any_user_agent().unwrap());
                prop_assert_eq!(&*scrubber.text(agent), agent);
                prop_assert_eq!(serde_json::to_string(agent).unwrap(), format!("\"{agent}\""));
            }
            if let Some(PlainHost { name, port }) = host {
                let name = str::from_utf8(name).unwrap();
                prop_assert_eq!(Some(Host { name, port }), head.host(None));
                if let Some(path) = path {
                    let url = format!("https://{}{}", Host { name, port }, str::from_utf8(path).unwrap());
                    prop_assert_eq!(&*scrubber.url(&url), &url);
                }
            }
        }
    }
}
