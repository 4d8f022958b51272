use std::{borrow::Cow, ops::Range};

use super::{
    REDACTED, Scrubber, bytes,
    copy::Copy,
    query::{LAYERS, pairs},
    scrubber::Rules,
    text::scan_path,
};

// ===== impl Scrubber =====

impl Scrubber {
    /// Whether this is the name of a host, in small letters, that is shown as it is wherever it stands, with a port or
    /// without: whatever follows it, no secret begins in it.
    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
    pub(crate) fn leaves_host(&self, name: &[u8]) -> bool {
        !self.rules().cards && is_plain_host(name)
    }

    /// A URL, whole or from its path on: without a user and a password, with its query and its fragment scrubbed.
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        scrub(self.rules(), url, LAYERS)
    }
}

pub(super) fn scrub<'a>(rules: &Rules, url: &'a str, layers: usize) -> Cow<'a, str> {
    let is_path = url.starts_with('/') && !url.starts_with("//");
    if is_path && !bytes::any(url, ends_path) {
        return scan_path(rules, url, layers);
    }
    let mut copy = Copy::of(url);
    let host = authority(url);
    let has_host = host > 0;
    let start = has_host.then(|| credentials(&url[host..])).flatten().map_or(host, |end| {
        let range = host..host + end;
        let has_password = url[range.clone()].contains(':');
        copy.replace(range, if has_password { BOTH } else { REDACTED });
        host + end
    });
    let rest = &url[start..];
    let path = start..start + bytes::position(rest, ends_path).unwrap_or(rest.len());
    let fragment = url[path.end..].find('#').map_or(url.len(), |at| path.end + at);
    put(&mut copy, path.clone(), |path| scan_path(rules, path, layers), url);
    for part in [path.end..fragment, fragment..url.len()] {
        // Without its `?` or `#`.
        let part = (part.start + 1).min(part.end)..part.end;
        put(&mut copy, part, |part| pairs(rules, part, Rules::hide_query, layers), url);
    }
    copy.finish()
}

fn put<'a>(copy: &mut Copy<'a>, range: Range<usize>, scrub: impl Fn(&'a str) -> Cow<'a, str>, url: &'a str) {
    if !range.is_empty()
        && let Cow::Owned(scrubbed) = scrub(&url[range.clone()])
    {
        copy.replace(range, &scrubbed);
    }
}

/// Where a URL has its host, with the user and the password before it.
fn authority(url: &str) -> usize {
    let scheme = url.bytes().take_while(|byte| is_of_scheme(*byte)).count();
    if url[scheme..].starts_with("//") { scheme + 2 } else { 0 }
}

/// Where the user and the password end that it begins with, without the `@`.
fn credentials(rest: &str) -> Option<usize> {
    let ends = |byte: u8| matches!(byte, b'/' | b'?' | b'#' | b'\\');
    let authority = &rest[..rest.bytes().position(ends).unwrap_or(rest.len())];
    let at = match authority.bytes().rposition(|byte| byte == b'@') {
        Some(at) => at,
        // A password with a slash or a question mark in it ends the host too early.
        None if !is_host(authority) => rest.rfind('@')?,
        None => return None,
    };
    (at > 0).then_some(at)
}

#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
fn is_plain_host(name: &[u8]) -> bool {
    let is_other =
        |byte: u8| !(byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'.') | (byte == b'-'));
    let begins = |at: usize| name[at..].starts_with(b"--") || super::token::begins(&name[..=at]);
    let hyphens = || (0..name.len()).filter(|at| name[*at] == b'-');
    !bytes::any(name, is_other) && !hyphens().any(begins)
}

fn ends_path(byte: u8) -> bool {
    (byte == b'?') | (byte == b'#')
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':')
}

/// Whether it can be a host and a port, and not a user and the beginning of a password.
fn is_host(authority: &str) -> bool {
    let port = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, port)) => port.strip_prefix(':'),
        None => authority.split_once(':').map(|(_, port)| port),
    };
    port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

const BOTH: &str = "REDACTED:REDACTED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_secrets() {
        let scrubber = Scrubber::default();
        for (url, shown) in [
            ("", ""),
            ("/", "/"),
            ("https://shop.example:81/a/b?x=1#top", "https://shop.example:81/a/b?x=1#top"),
            ("https://me:canary@shop.example/a", "https://REDACTED:REDACTED@shop.example/a"),
            ("https://canary@shop.example", "https://REDACTED@shop.example"),
            ("https://me:can/ary@shop.example/a", "https://REDACTED:REDACTED@shop.example/a"),
            ("https://me:can?ary@shop.example/a", "https://REDACTED:REDACTED@shop.example/a"),
            ("https://me:c@nary@shop.example/a", "https://REDACTED:REDACTED@shop.example/a"),
            ("//me:canary@shop.example/a", "//REDACTED:REDACTED@shop.example/a"),
            ("jdbc:mysql://me:canary@db/shop", "jdbc:mysql://REDACTED:REDACTED@db/shop"),
            ("redis://:canary@cache:6379/0", "redis://REDACTED:REDACTED@cache:6379/0"),
            ("http://[::1]:80/@me", "http://[::1]:80/@me"),
            ("/a?token=canary&x=1#access_token=canary", "/a?token=REDACTED&x=1#access_token=REDACTED"),
            ("/a;jsessionid=canary?x=1", "/a;jsessionid=REDACTED?x=1"),
            ("/a//b?x=//y@z", "/a//b?x=//y@z"),
            ("?", "?"),
            ("#?token=canary", "#?token=REDACTED"),
        ] {
            assert_eq!(scrubber.url(url), shown, "{url}");
        }
    }

    #[test]
    fn a_url_without_secrets_is_not_copied() {
        let scrubber = Scrubber::default();
        let info = allocation_counter::measure(|| {
            assert!(matches!(scrubber.url("https://shop.example/carts/7?page=2#top"), Cow::Borrowed(_)));
        });
        assert_eq!(info.count_total, 0);
    }
}
