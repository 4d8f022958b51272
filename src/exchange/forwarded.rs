use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// How many proxies in front of the service are trusted to say who the client is, and in which headers they say it. None,
/// unless told.
///
/// Each proxy appends what it saw to a list, so that with `n` trusted proxies the client is the `n`th entry from the
/// right; everything left of it is the client's own claim and is never read. The headers of the other family are not
/// looked at: a proxy that does not write them passes on whatever a client wrote. The proxies must write all headers of
/// their family, or drop those that they do not write.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hops {
    count: usize,
    standard: bool,
}

/// What trusted proxies say of a request.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    pub(crate) client: Option<IpAddr>,
    pub(crate) host: Option<Box<str>>,
    pub(crate) is_https: Option<bool>,
}

// ===== impl Hops =====

impl Hops {
    /// Nobody is trusted.
    pub const NONE: Self = Self { count: 0, standard: false };

    /// Proxies that write `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`, as most do.
    pub const fn x_forwarded(count: usize) -> Self {
        Self { count, standard: false }
    }

    /// Proxies that write `Forwarded`, [RFC 7239](https://www.rfc-editor.org/rfc/rfc7239).
    pub const fn forwarded(count: usize) -> Self {
        Self { count, standard: true }
    }

    /// The client's address, and its port if the proxy wrote one.
    pub fn client(self, headers: &HeaderMap) -> Option<(IpAddr, Option<u16>)> {
        address(self.read(headers, "for", &X_FORWARDED_FOR)?)
    }

    /// The host that the client asked for, perhaps with a port.
    pub fn host(self, headers: &HeaderMap) -> Option<&str> {
        self.read(headers, "host", &X_FORWARDED_HOST)
    }

    /// The scheme that the client used.
    pub fn scheme(self, headers: &HeaderMap) -> Option<&str> {
        self.read(headers, "proto", &X_FORWARDED_PROTO)
    }

    fn read<'a>(self, headers: &'a HeaderMap, pair: &str, name: &HeaderName) -> Option<&'a str> {
        if self.standard { self.pair(headers, pair) } else { self.entry(headers, name) }
    }

    /// One parameter of the `Forwarded` element that counts.
    fn pair<'a>(self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        let element = self.entry(headers, &http::header::FORWARDED)?;
        rsplit(element, ';').rev().find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
        })
    }

    /// The entry that counts in a list that every proxy appends to, across repeated headers.
    fn entry<'a>(self, headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
        let last = self.count.checked_sub(1)?;
        let lines = || headers.get_all(name).iter().rev().filter_map(|line| line.to_str().ok());
        let entries = || lines().flat_map(|line| rsplit(line, ',')).map(str::trim);
        // A shorter list than the proxies should have made: the first of them is as far as one can see.
        entries().nth(last).or_else(|| entries().next_back()).filter(|entry| !entry.is_empty())
    }
}

// ===== impl Forwarded =====

impl Forwarded {
    /// Nothing where nobody is trusted.
    pub(crate) fn read(hops: Hops, headers: &HeaderMap) -> Option<Box<Self>> {
        if hops.count == 0 {
            return None;
        }
        Some(Box::new(Self {
            client: hops.client(headers).map(|(address, _)| address),
            host: hops.host(headers).map(Box::from),
            is_https: hops.scheme(headers).map(|scheme| scheme.eq_ignore_ascii_case("https")),
        }))
    }
}

impl From<usize> for Hops {
    fn from(count: usize) -> Self {
        Self::x_forwarded(count)
    }
}

/// Splits at `separator`, but not within a quoted string; the last part comes first.
///
/// It is read from the end, which the proxy has written: a quote that a client opened and did not close would else go on
/// over all that was appended to it.
fn rsplit(text: &str, separator: char) -> std::vec::IntoIter<&str> {
    let (mut parts, mut end, mut quoted) = (Vec::new(), text.len(), false);
    for (at, char) in text.char_indices().rev() {
        quoted ^= char == '"' && !(quoted && is_escaped(text, at));
        if char == separator && !quoted {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts.into_iter()
}

/// Whether there is an odd number of backslashes before this place.
fn is_escaped(text: &str, at: usize) -> bool {
    text[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip(), Some(address.port())));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(|address| (address, None))
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::FORWARDED};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn client(hops: usize, lines: &[(&'static str, &'static str)]) -> Option<String> {
        told(Hops::from(hops).client(&headers(lines)))
    }

    fn told(client: Option<(IpAddr, Option<u16>)>) -> Option<String> {
        client.map(|(address, port)| match port {
            Some(port) => format!("{address} {port}"),
            None => address.to_string(),
        })
    }

    #[test]
    fn without_trusted_hops_nothing_is_believed() {
        assert_eq!(client(0, &[("x-forwarded-for", "192.0.2.1")]), None);
        assert_eq!(Hops::NONE.host(&headers(&[("x-forwarded-host", "evil.example")])), None);
    }

    #[test]
    fn one_hop_believes_the_last_entry_and_not_what_the_client_wrote_before_it() {
        assert_eq!(client(1, &[("x-forwarded-for", "6.6.6.6, 192.0.2.1")]).as_deref(), Some("192.0.2.1"));
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client(1, &lines).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn two_hops_skip_the_inner_proxy() {
        let lines = [("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.1")];
        assert_eq!(client(2, &lines).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_list_shorter_than_the_hops_gives_its_first_entry() {
        assert_eq!(client(3, &[("x-forwarded-for", "192.0.2.1")]).as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn the_standard_header_is_read_with_ports_and_ipv6() {
        let lines =
            headers(&[("forwarded", r#"for="[2001:db8::1]:4711";proto=https;host="shop.example:8443""#)]);
        let hops = Hops::forwarded(1);
        assert_eq!(told(hops.client(&lines)).as_deref(), Some("2001:db8::1 4711"));
        assert_eq!(hops.scheme(&lines), Some("https"));
        assert_eq!(hops.host(&lines), Some("shop.example:8443"));
    }

    #[test]
    fn the_family_that_the_proxies_do_not_write_is_the_clients_own_claim() {
        let lines = headers(&[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "192.0.2.1")]);
        assert_eq!(told(Hops::x_forwarded(1).client(&lines)).as_deref(), Some("192.0.2.1"));
        assert_eq!(told(Hops::forwarded(1).client(&lines)).as_deref(), Some("6.6.6.6"));
        let lines = headers(&[("forwarded", "for=6.6.6.6")]);
        assert_eq!(Hops::x_forwarded(1).client(&lines), None);
    }

    #[test]
    fn a_quote_that_a_client_opens_hides_nothing_that_a_proxy_appends() {
        for claim in ["\"", "6.6.6.6, \"", "\"\\", "a\\\"b\""] {
            let line = HeaderValue::from_str(&format!("{claim}, 192.0.2.1")).unwrap();
            let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, line)]);
            let client = Hops::x_forwarded(1).client(&headers);
            assert_eq!(told(client).as_deref(), Some("192.0.2.1"), "{claim}");
        }
        for claim in ["for=6.6.6.6;a=\"", "for=6.6.6.6;a=\"\\", "for=6.6.6.6;a=\"\\\"", "for=\"6.6.6.6"] {
            let line = format!("{claim}, for=\"[2001:db8::1]:4711\";host=\"a,b\\\"c\"");
            let headers = HeaderMap::from_iter([(FORWARDED, HeaderValue::from_str(&line).unwrap())]);
            assert_eq!(
                told(Hops::forwarded(1).client(&headers)).as_deref(),
                Some("2001:db8::1 4711"),
                "{claim}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        for value in ["unknown", "_hidden", "", "<script>", "999.1.1.1", "[::1"] {
            assert_eq!(client(1, &[("x-forwarded-for", value)]), None, "{value}");
        }
    }
}
