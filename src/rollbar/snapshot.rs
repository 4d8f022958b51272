use std::{borrow::Cow, net::IpAddr, sync::OnceLock};

use http::{HeaderName, HeaderValue, Method, header, request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Request, body::KeptBody, options::Options};
use crate::{
    exchange::{self, AddressPolicy, Head, HeaderNames, Hops, Host, Route, may_be_grpc},
    scrub::Scrubber,
};

/// What is noted of a request when it arrives, in case that it has to be reported: clones that cost little. What it
/// takes to show it is done on the outbox's thread.
#[derive(Debug)]
pub(super) struct Snapshot {
    method: Method,
    path: Box<str>,
    query: Option<Box<str>>,
    authority: Option<Box<str>>,
    scheme: Cow<'static, str>,
    host: Option<HeaderValue>,
    /// Of a trusted proxy.
    forwarded_host: Option<Box<str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    client: Option<IpAddr>,
    addresses: AddressPolicy,
    route: OnceLock<Route>,
    /// Whether it may be a call of gRPC, whose path names a method.
    may_be_call: bool,
    body: OnceLock<KeptBody>,
}

// ===== impl Snapshot =====

impl Snapshot {
    pub(super) fn take(request: &request::Parts, options: &Options) -> Self {
        let peer = options.peer(request).map(|peer| peer.ip());
        Self::of(request, &options.headers, options.hops, options.addresses, peer)
    }

    /// Of what all backends share, where that is all there is to know.
    pub(super) fn of_head(head: &Head, addresses: AddressPolicy) -> Self {
        let (route, body) = (OnceLock::new(), OnceLock::new());
        if let Some(matched) = head.route() {
            _ = route.set(matched.clone());
        }
        let headers: Vec<_> = head.headers().collect();
        let host = headers.iter().find(|(name, _)| *name == header::HOST);
        Self {
            method: head.method().clone(),
            path: head.path().into(),
            query: head.query().map(Box::from),
            authority: head.authority().map(Box::from),
            scheme: Cow::Borrowed(head.scheme(None)),
            host: host.map(|(_, host)| host.clone()),
            forwarded_host: None,
            client: head.peer().map(|peer| peer.ip()),
            addresses,
            may_be_call: head.may_be_grpc(),
            headers,
            route,
            body,
        }
    }

    fn of(
        request: &request::Parts,
        names: &HeaderNames,
        hops: Hops,
        addresses: AddressPolicy,
        peer: Option<IpAddr>,
    ) -> Self {
        let headers = &request.headers;
        let (route, body) = (OnceLock::new(), OnceLock::new());
        if let Some(matched) = Route::of(request) {
            _ = route.set(matched);
        }
        if let Some(kept) = request.extensions.get::<KeptBody>() {
            _ = body.set(kept.clone());
        }
        Self {
            method: request.method.clone(),
            path: request.uri.path().into(),
            query: request.uri.query().map(Box::from),
            authority: request.uri.authority().map(|authority| authority.as_str().into()),
            scheme: exchange::scheme(request, hops),
            host: headers.get(header::HOST).cloned(),
            forwarded_host: hops.host(headers).map(Box::from),
            headers: names.values(headers).map(|(name, value)| (name.clone(), value.clone())).collect(),
            client: hops.client(headers).map(|(address, _)| address).or(peer),
            addresses,
            route,
            may_be_call: may_be_grpc(request),
            body,
        }
    }

    /// What the request is matched by, such as `/carts/{id}`.
    pub(super) fn route(&self) -> Option<&str> {
        self.route.get().map(Route::pattern)
    }

    /// The method of gRPC that is called, such as `/shop.Greeter/SayHello`, if it can be one.
    pub(super) fn call(&self) -> Option<&str> {
        Some(&*self.path).filter(|path| self.may_be_call && is_call(path))
    }

    pub(super) fn method(&self) -> &Method {
        &self.method
    }

    /// Takes the route that a layer within the router sees. The first counts.
    pub(super) fn learn_route(&self, request: &request::Parts) {
        if let Some(route) = Route::of(request) {
            _ = self.route.set(route);
        }
    }

    /// Takes the body that a layer further in keeps. The first counts.
    #[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only a layer for axum keeps bodies"))]
    pub(super) fn keep(&self, body: KeptBody) {
        _ = self.body.set(body);
    }

    /// About how many bytes it takes.
    pub(super) fn size(&self) -> usize {
        let url = self.path.len() + self.query.as_deref().map_or(0, str::len);
        let headers: usize = self.headers.iter().map(|(_, value)| value.len()).sum();
        // The query is told three times.
        3 * url + headers + self.size_of_body()
    }

    pub(super) fn size_of_body(&self) -> usize {
        self.body.get().map_or(0, KeptBody::size)
    }

    /// The same of what is made of a head, without its body.
    pub(super) fn size_of_head(head: &Head) -> usize {
        let url = head.path().len() + head.query().map_or(0, str::len);
        2 * url + head.size()
    }

    /// The request as it is reported, without secrets.
    pub(super) fn request(&self, scrubber: &Scrubber) -> Request {
        let mut request = Request::default();
        self.describe(&mut request, scrubber);
        if let Some(body) = self.body.get() {
            body.put(&mut request, scrubber);
        }
        request
    }

    fn describe(&self, request: &mut Request, scrubber: &Scrubber) {
        let query = self.query.as_deref().filter(|query| !query.is_empty());
        let client = self.client.and_then(|client| self.addresses.apply(client));
        request.url = Some(self.url(scrubber));
        let method = self.method.as_str();
        request.method = Some(method[..method.len().min(LONGEST_METHOD)].to_owned());
        request.headers = self.headers(scrubber);
        request.params = self.params(scrubber);
        request.get = query.map(|query| lists(pairs(scrubber, query))).unwrap_or_default();
        request.query_string = query.map(|query| cut(&scrubber.query(query)).to_owned());
        request.user_ip = client.map(|client| client.to_string());
    }

    fn url(&self, scrubber: &Scrubber) -> String {
        let path = self.path(scrubber);
        let query = self
            .query
            .as_deref()
            .map(|query| format!("?{}", cut(&scrubber.query(query))))
            .unwrap_or_default();
        match self.host() {
            Some(host) => {
                let host = host.to_string();
                format!("{}://{}{path}{query}", self.scheme, &host[..host.floor_char_boundary(LONGEST_HOST)])
            }
            None => format!("{path}{query}"),
        }
    }

    /// The path, in which a value that the route calls a secret is none to show.
    fn path(&self, scrubber: &Scrubber) -> String {
        let path = &self.path;
        let hidden = self.route.get().and_then(|route| route.redact(path, |name| scrubber.is_secret(name)));
        cut(&scrubber.url(hidden.as_deref().unwrap_or(path))).to_owned()
    }

    fn host(&self) -> Option<Host<'_>> {
        let authority = || self.authority.as_deref();
        let header = || self.host.as_ref().filter(|host| !host.is_sensitive())?.to_str().ok();
        Host::read(self.forwarded_host.as_deref().or_else(authority).or_else(header)?)
    }

    fn params(&self, scrubber: &Scrubber) -> Map<String, Value> {
        let Some(route) = self.route.get() else { return Map::new() };
        let shown = |(name, value): (&str, &str)| {
            let value = percent_decode_str(value).decode_utf8_lossy();
            (name.to_owned(), Value::from(cut(&scrubber.value(name, &value))))
        };
        route.params(&self.path).map(shown).collect()
    }

    fn headers(&self, scrubber: &Scrubber) -> Map<String, Value> {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            let value = scrubber.header(name, value);
            let Some(value) = self.addresses.header(name, cut(&value)) else { continue };
            let Some(value) = without_user(name, value) else { continue };
            let entry = headers.entry(canonical(name)).or_insert_with(|| Value::from(""));
            *entry = match entry.as_str() {
                Some("") | None => Value::from(value),
                Some(earlier) => Value::from(format!("{earlier}, {value}")),
            };
        }
        headers
    }
}

/// The first parameters of a query, without secrets.
fn pairs<'a>(scrubber: &'a Scrubber, query: &'a str) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let short = |text: Cow<'a, str>| if text.len() > LONGEST { cut(&text).to_owned().into() } else { text };
    scrubber.query_pairs(query).take(PARAMETERS).map(move |(name, value)| (short(name), short(value)))
}

/// A host is shown without the user that a client may have written before it.
fn without_user<'a>(name: &HeaderName, value: Cow<'a, str>) -> Option<Cow<'a, str>> {
    if *name != header::HOST || !value.contains('@') {
        return Some(value);
    }
    Host::read(&value).map(|host| Cow::Owned(host.to_string()))
}

/// `/package.Service/Method`: names of protobuf, which hold nothing that has to be scrubbed.
pub(super) fn is_call(path: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
    };
    let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    path.len() <= LONGEST_CALL && names.is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// Pairs as an object; a name that is there several times has a list.
pub(super) fn lists<'a>(pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        match object.get_mut(&*name) {
            None => drop(object.insert(name.into_owned(), Value::from(value))),
            Some(Value::Array(values)) => values.push(Value::from(value)),
            Some(one) => *one = Value::Array(vec![one.take(), Value::from(value)]),
        }
    }
    object
}

/// A name as HTTP/1.1 writes it: `User-Agent`.
fn canonical(name: &HeaderName) -> String {
    let capital = |part: &str| part[..1.min(part.len())].to_ascii_uppercase() + &part[1.min(part.len())..];
    name.as_str().split('-').map(capital).collect::<Vec<_>>().join("-")
}

fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(LONGEST)]
}

/// How many parameters of a query are told one by one.
const PARAMETERS: usize = 256;

/// The length of a header's value, a path or a query, in bytes.
const LONGEST: usize = 4096;

/// A name has 253 at most, <https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4>.
const LONGEST_HOST: usize = 260;

/// What a stranger may make a method as long as.
const LONGEST_METHOD: usize = 32;

/// The length of a method of gRPC, with its service.
const LONGEST_CALL: usize = 200;

#[cfg(test)]
mod tests {
    use http::Request as HttpRequest;
    use serde_json::json;

    use super::*;

    fn parts(uri: &str, headers: &[(&'static str, &'static str)]) -> request::Parts {
        let mut request = HttpRequest::get(uri).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request.into_parts().0
    }

    fn taken(request: &request::Parts, names: &[&str], addresses: AddressPolicy) -> Snapshot {
        let names = HeaderNames::new(names.iter().copied()).unwrap();
        Snapshot::of(request, &names, Hops::from(1), addresses, "192.0.2.17".parse().ok())
    }

    fn shown(request: &request::Parts, names: &[&str], addresses: AddressPolicy) -> Value {
        serde_json::to_value(taken(request, names, addresses).request(&Scrubber::default())).unwrap()
    }

    #[test]
    fn a_request_is_shown_without_secrets_and_with_all_values_of_its_query() {
        let request = parts(
            "/carts/7?x=1&x=2&token=canary&q=a%20b&next=%2F%3Fpin%3Dcanary",
            &[
                ("host", "shop.example:8080"),
                ("user-agent", "curl/8"),
                ("x-api-key", "canary"),
                ("cookie", "a=canary"),
            ],
        );
        let names = ["host", "user-agent", "x-api-key", "cookie", "absent"];
        let query = "x=1&x=2&token=REDACTED&q=a%20b&next=REDACTED";
        assert_eq!(
            shown(&request, &names, AddressPolicy::Full),
            json!({
                "url": format!("http://shop.example:8080/carts/7?{query}"),
                "method": "GET",
                "headers": {
                    "Host": "shop.example:8080",
                    "User-Agent": "curl/8",
                    "X-Api-Key": "REDACTED",
                    "Cookie": "a=REDACTED",
                },
                "GET": {"x": ["1", "2"], "token": "REDACTED", "q": "a b", "next": "REDACTED"},
                "query_string": query,
                "user_ip": "192.0.2.17",
            })
        );
    }

    #[test]
    fn addresses_obey_wherever_they_are() {
        let request =
            parts("/", &[("x-forwarded-for", "6.6.6.6, 203.0.113.42"), ("x-real-ip", "203.0.113.42")]);
        let names = ["x-forwarded-for", "x-real-ip"];
        let of = |addresses| shown(&request, &names, addresses);
        let full = of(AddressPolicy::Full);
        assert_eq!(
            (&full["user_ip"], &full["headers"]["X-Real-Ip"]),
            (&json!("203.0.113.42"), &json!("203.0.113.42"))
        );
        let anonymized = of(AddressPolicy::Anonymized);
        assert_eq!(anonymized["user_ip"], "203.0.113.0");
        assert_eq!(
            anonymized["headers"],
            json!({"X-Forwarded-For": "6.6.6.0, 203.0.113.0", "X-Real-Ip": "203.0.113.0"})
        );
        let none = of(AddressPolicy::None);
        assert!(none.get("user_ip").is_none() && none.get("headers").is_none());
    }

    #[test]
    fn a_trusted_proxy_says_what_was_asked_for_and_a_user_in_it_is_not_shown() {
        let headers = [
            ("host", "10.0.0.1"),
            ("x-forwarded-host", "me:canary@shop.example"),
            ("x-forwarded-proto", "https"),
        ];
        let shown = shown(&parts("/", &headers), &[], AddressPolicy::Full);
        assert_eq!(shown["url"], "https://shop.example/");
    }

    #[test]
    fn a_header_that_is_there_twice_has_both_values_and_a_long_one_is_cut() {
        let long: &'static str = "\u{e9}".repeat(3_000).leak();
        let mut request = parts("/", &[("accept", "a/b"), ("accept", "c/d")]);
        request.headers.insert("x-long", HeaderValue::from_bytes(long.as_bytes()).unwrap());
        let shown = shown(&request, &["accept", "x-long"], AddressPolicy::Full);
        assert_eq!(shown["headers"]["Accept"], "a/b, c/d");
        assert_eq!(shown["headers"]["X-Long"].as_str().map(str::len), Some(LONGEST));
    }

    #[test]
    fn a_path_is_a_call_of_grpc_if_it_is_made_of_names() {
        for path in ["/shop.Greeter/SayHello", "/Greeter/say_hello2"] {
            assert!(is_call(path), "{path}");
        }
        let long = format!("/{}/a", "a".repeat(LONGEST_CALL));
        for path in ["/", "/a", "/a/", "//a", "/a/b/c", "/a%20/b", "/me@shop.example/b", &long] {
            assert!(!is_call(path), "{path}");
        }
    }

    #[test]
    fn a_body_that_a_layer_further_out_keeps_is_shown() {
        let mut request = parts("/", &[("content-type", "application/json")]);
        let kept = KeptBody::of(&request.headers, 100).unwrap();
        request.extensions.insert(kept.clone());
        let snapshot = taken(&request, &[], AddressPolicy::Full);
        let before = snapshot.size();
        kept.add(b"{\"pin\": 1701}");
        kept.end();
        assert_eq!(snapshot.size() - before, 13);
        assert_eq!(snapshot.request(&Scrubber::default()).body, Some(json!("{\"pin\":\"REDACTED\"}")));
    }
}
