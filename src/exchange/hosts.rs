use std::net::IpAddr;

use super::{Host, request::default_port};
use crate::Error;

/// The hosts that get no trace headers. Empty unless filled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<Pattern>);

/// One or many hosts, at any port or at one.
#[derive(Clone, Debug)]
struct Pattern {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Name {
    /// In lower case.
    Exact(String),
    /// All that end so, in lower case, with the dot in front.
    Under(String),
    Address(IpAddr),
}

// ===== impl Hosts =====

impl Hosts {
    pub(crate) fn new<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let parse = |pattern: S| {
            let pattern = pattern.as_ref();
            Pattern::parse(pattern.trim()).ok_or_else(|| Error::invalid("an excluded host", pattern, ADVICE))
        };
        patterns.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host is one of them; it is asked for by `scheme`.
    pub(crate) fn have(&self, scheme: &str, host: Host<'_>) -> bool {
        self.0.iter().any(|pattern| pattern.fits(scheme, host))
    }
}

// ===== impl Pattern =====

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':') {
            // Only an address has colons of its own; with a port, it is in brackets.
            _ if text.parse::<IpAddr>().is_ok() || text.ends_with(']') => (text, None),
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        Some(Self { name: Name::parse(name)?, port })
    }

    fn fits(&self, scheme: &str, host: Host<'_>) -> bool {
        let port = || host.port.unwrap_or_else(|| default_port(scheme));
        self.name.fits(host.name) && self.port.is_none_or(|wanted| wanted == port())
    }
}

// ===== impl Name =====

impl Name {
    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = address(text) {
            return Some(Self::Address(address));
        }
        let (name, is_under) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let name = rooted(name).to_ascii_lowercase();
        if !is_name(&name) {
            return None;
        }
        Some(if is_under { Self::Under(format!(".{name}")) } else { Self::Exact(name) })
    }

    fn fits(&self, host: &str) -> bool {
        let host = rooted(host);
        match self {
            Self::Exact(name) => name.eq_ignore_ascii_case(host),
            Self::Under(end) => ends_with(host.as_bytes(), end.as_bytes()),
            Self::Address(address) => self::address(host).as_ref() == Some(address),
        }
    }
}

/// An address in any of its spellings, with or without the brackets of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address: IpAddr = bare.unwrap_or(text).parse().ok()?;
    (bare.is_none() || address.is_ipv6()).then(|| address.to_canonical())
}

/// Without the dot that stands for the root of all names.
fn rooted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn ends_with(host: &[u8], end: &[u8]) -> bool {
    let (host, end) = (host.len().checked_sub(end.len()).map(|at| host.split_at(at)), end);
    host.is_some_and(|(before, after)| !before.is_empty() && after.eq_ignore_ascii_case(end))
}

const ADVICE: &str = "give a host such as api.example, *.example for all hosts under it, or an address, each with or \
                      without a port";

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri};

    use super::*;
    use crate::exchange::{self, Hops};

    fn excluded(patterns: &[&str], uri: &str) -> bool {
        let (uri, headers): (Uri, _) = (uri.parse().unwrap(), HeaderMap::new());
        let host = exchange::host(&uri, &headers, Hops::NONE);
        let hosts = Hosts::new(patterns).unwrap();
        host.is_some_and(|host| hosts.have(uri.scheme_str().unwrap(), host))
    }

    #[test]
    fn a_name_is_itself_in_any_case_and_at_any_port() {
        for uri in ["http://api.example/", "https://API.Example:8443/x", "http://u:p@api.example./"] {
            assert!(excluded(&["Api.example"], uri), "{uri}");
        }
        for uri in ["http://example/", "http://v1.api.example/", "http://api.example.evil/", "/api.example"] {
            assert!(!excluded(&["api.example"], uri), "{uri}");
        }
        assert!(!excluded(&["api.example"], "http://api.example@evil.example/"));
        assert!(!excluded(&[], "http://api.example/"));
    }

    #[test]
    fn a_star_is_every_host_under_a_name_but_not_that_name() {
        for uri in ["http://a.example.com/", "http://a.b.EXAMPLE.com/"] {
            assert!(excluded(&["*.example.com"], uri), "{uri}");
        }
        for uri in ["http://example.com/", "http://badexample.com/", "http://a.example.com.evil/"] {
            assert!(!excluded(&["*.example.com"], uri), "{uri}");
        }
    }

    #[test]
    fn a_port_that_is_written_has_to_be_the_one() {
        assert!(excluded(&["api.example:443"], "https://api.example/"));
        assert!(excluded(&["*.example:81"], "http://api.example:81/"));
        assert!(!excluded(&["api.example:443"], "http://api.example/"));
        assert!(!excluded(&["api.example:443"], "https://api.example:8443/"));
    }

    #[test]
    fn an_address_is_the_same_in_all_its_spellings() {
        for pattern in ["::1", "[::1]", "[0:0:0:0:0:0:0:1]", "[::1]:81"] {
            assert!(excluded(&[pattern], "http://[::1]:81/"), "{pattern}");
        }
        assert!(!excluded(&["[::1]:81"], "http://[::1]/"));
        assert!(!excluded(&["::1"], "http://[::2]/"));
        assert!(excluded(&["10.0.0.1", "10.0.0.2:81"], "http://10.0.0.2:81/"));
        assert!(excluded(&["10.0.0.1"], "http://[::ffff:10.0.0.1]/"));
    }

    #[test]
    fn what_is_no_host_is_refused_with_what_it_was() {
        for pattern in [
            "",
            "*",
            "*.",
            ".",
            "api..example",
            "*api.example",
            "a.*.example",
            "https://api.example",
            "api.example/path",
            "api.example:",
            "api.example:http",
            "api.example:70000",
            "[10.0.0.1]",
            "[::1",
            "[::1]x",
            "b\u{fc}cher.example",
            "user@api.example",
        ] {
            let error = Hosts::new([pattern]).unwrap_err();
            assert!(error.is_invalid() && error.to_string().contains(&format!("{pattern:?}")), "{error}");
        }
    }
}
