//! Who may ask, and what another origin may do.

use std::net::{IpAddr, SocketAddr};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Uri, uri::Authority};

/// The names by which the console may be asked for.
#[derive(Debug)]
pub(super) struct Guard {
    names: Vec<String>,
    any_address: bool,
}

/// Where a request that writes comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// Not from a page of another origin.
    Same,
    /// From a page that may post; browsers want to be told so.
    Allowed(HeaderValue),
    Refused,
}

// ===== impl Guard =====

impl Guard {
    pub(super) fn new(
        hosts: Vec<String>,
        addresses: impl IntoIterator<Item = SocketAddr>,
        beyond_loopback: bool,
    ) -> Self {
        let own = [LOCALHOST.to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        let listened_on = addresses.into_iter().map(|address| literal(address.ip()));
        let given = hosts.iter().map(|host| normal(host));
        let names = own.into_iter().chain(listened_on).chain(given).collect();
        Self { names, any_address: beyond_loopback }
    }

    /// Whether the request is meant for this console, and not for a name that was rebound to its address.
    pub(super) fn expects(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (host, second) = (hosts.next(), hosts.next());
        if second.is_some() {
            return false;
        }
        match (uri.authority(), host.map(HeaderValue::to_str)) {
            (Some(authority), _) => self.knows(authority),
            (None, Some(Ok(host))) => host.parse().is_ok_and(|authority| self.knows(&authority)),
            (None, _) => false,
        }
    }

    /// Where a request that writes comes from. Whoever sends no `Origin` is not a browser.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Origin {
        let Some(origin) = headers.get(header::ORIGIN) else {
            let cross = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
            return if cross { Origin::Refused } else { Origin::Same };
        };
        if self.trusts(origin) { Origin::Allowed(origin.clone()) } else { Origin::Refused }
    }

    fn trusts(&self, origin: &HeaderValue) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()) else {
            return false;
        };
        origin.authority().is_some_and(|authority| self.knows(authority))
    }

    fn knows(&self, authority: &Authority) -> bool {
        let host = normal(authority.host());
        if authority.as_str().contains('@') {
            return false;
        }
        self.names.contains(&host) || (self.any_address && is_address(&host))
    }
}

fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

const LOCALHOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(beyond_loopback: bool) -> Guard {
        Guard::new(
            vec!["My-Laptop.local".to_owned()],
            ["127.0.0.1:7676".parse().expect("an address")],
            beyond_loopback,
        )
    }

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static(value))])
    }

    #[test]
    fn a_name_that_was_rebound_is_not_expected() {
        let expects = |host| guard(false).expects(&Uri::from_static("/"), &headers("host", host));
        for host in
            ["localhost", "localhost:1", "127.0.0.1:7676", "[::1]:7676", "LOCALHOST.", "my-laptop.local:7676"]
        {
            assert!(expects(host), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "localhost@evil.example", "192.168.1.2", "", "a b"]
        {
            assert!(!expects(host), "{host}");
        }
        assert!(!guard(false).expects(&Uri::from_static("/"), &HeaderMap::new()));
    }

    #[test]
    fn an_address_literal_cannot_be_rebound() {
        assert!(guard(true).expects(&Uri::from_static("/"), &headers("host", "192.168.1.2:7676")));
        assert!(!guard(true).expects(&Uri::from_static("/"), &headers("host", "evil.example:7676")));
    }

    #[test]
    fn pages_of_this_machine_may_post_and_others_may_not() {
        let origin = |value| guard(false).origin(&headers("origin", value));
        assert_eq!(
            origin("http://localhost:3000"),
            Origin::Allowed(HeaderValue::from_static("http://localhost:3000"))
        );
        assert_eq!(origin("https://evil.example"), Origin::Refused);
        assert_eq!(origin("null"), Origin::Refused);
        assert_eq!(guard(false).origin(&headers("sec-fetch-site", "cross-site")), Origin::Refused);
        assert_eq!(guard(false).origin(&HeaderMap::new()), Origin::Same);
    }
}
