use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use http::{HeaderName, header};

/// What of a client's address may leave the process.
///
/// ```
/// use belvedere::exchange::AddressPolicy;
///
/// let anonymized = |address: &str| AddressPolicy::Anonymized.apply(address.parse().ok()?);
/// assert_eq!(anonymized("192.0.2.17"), "192.0.2.0".parse().ok());
/// assert_eq!(anonymized("2001:db8:17:1::2"), "2001:db8:17::".parse().ok());
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum AddressPolicy {
    /// All of it: the default.
    #[default]
    Full,
    /// The network that it is from: of IPv4 without the last byte, of IPv6 the first 48 bits.
    Anonymized,
    /// Nothing.
    None,
}

/// An address as it prints: on the stack, and without the detour of a formatter where it is one of IPv4.
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressText {
    text: [u8; LONGEST],
    length: usize,
}

// ===== impl AddressPolicy =====

impl AddressPolicy {
    /// The address as it may be shown.
    pub fn apply(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address.to_canonical()) {
            (Self::None, _) => None,
            (Self::Full, address) => Some(address),
            (Self::Anonymized, IpAddr::V4(address)) => Some(network_4(address).into()),
            (Self::Anonymized, IpAddr::V6(address)) => Some(network_6(address).into()),
        }
    }

    /// The value of a header as it may be shown; headers in which proxies write addresses, such as `X-Forwarded-For`, obey
    /// the policy. What stands in one of these and is no address reads `unknown`, unless all may be shown.
    pub fn header<'a>(self, name: &HeaderName, value: &'a str) -> Option<Cow<'a, str>> {
        let is_standard = *name == header::FORWARDED;
        match self {
            Self::Full => Some(Cow::Borrowed(value)),
            _ if !is_standard && !NAMES.contains(&name.as_str()) => Some(Cow::Borrowed(value)),
            Self::None => None,
            Self::Anonymized if is_standard => Some(forwarded(value).into()),
            Self::Anonymized => Some(joined(value.split(',').map(anonymized), ", ").into()),
        }
    }
}

// ===== impl AddressText =====

#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
impl AddressText {
    pub(crate) fn of(address: IpAddr) -> Self {
        use std::io::Write as _;

        let mut text = Self { text: [0; LONGEST], length: 0 };
        match address {
            IpAddr::V4(address) => text.push_octets(address.octets()),
            IpAddr::V6(address) => {
                let mut rest = &mut text.text[..];
                write!(rest, "{address}").expect("it is as long as the longest");
                text.length = LONGEST - rest.len();
            }
        }
        text
    }

    fn push_octets(&mut self, octets: [u8; 4]) {
        for octet in octets {
            let digits = [octet / 100, octet / 10 % 10, octet % 10];
            let zeros = usize::from(octet < 100) + usize::from(octet < 10);
            for digit in &digits[zeros..] {
                self.push(b'0' + digit);
            }
            self.push(b'.');
        }
        self.length -= 1;
    }

    fn push(&mut self, byte: u8) {
        self.text[self.length] = byte;
        self.length += 1;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    #[cfg(feature = "otel")]
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("addresses are written in ASCII")
    }
}

fn network_4(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = address.octets();
    Ipv4Addr::new(a, b, c, 0)
}

fn network_6(address: Ipv6Addr) -> Ipv6Addr {
    let [a, b, c, ..] = address.segments();
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

/// One entry of a list, without a port.
fn anonymized(entry: &str) -> String {
    match read(entry).and_then(|address| AddressPolicy::Anonymized.apply(address)) {
        Some(address) => address.to_string(),
        None => UNKNOWN.to_owned(),
    }
}

fn read(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))
}

/// <https://www.rfc-editor.org/rfc/rfc7239>: pairs, of which `for` and `by` are addresses.
fn forwarded(value: &str) -> String {
    joined(value.split(',').map(|element| joined(element.split(';').map(pair), ";")), ", ")
}

fn pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if ["host", "proto"].iter().any(|known| known.eq_ignore_ascii_case(name.trim())) => {
            pair.trim().to_owned()
        }
        Some((name, value)) => match anonymized(value) {
            address if address.contains(':') => format!("{}=\"[{address}]\"", name.trim()),
            address => format!("{}={address}", name.trim()),
        },
        None if pair.trim().is_empty() => String::new(),
        None => UNKNOWN.to_owned(),
    }
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}

const UNKNOWN: &str = "unknown";

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
const LONGEST: usize = 45;

/// In lower case, as header names are.
const NAMES: [&str; 22] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded-for",
    "remote-addr",
    "true-client-ip",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-forwarded-for",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-vercel-forwarded-for",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(policy: AddressPolicy, name: &'static str, value: &str) -> Option<String> {
        policy.header(&HeaderName::from_static(name), value).map(Cow::into_owned)
    }

    #[test]
    fn addresses_lose_what_tells_one_client_from_another() {
        for (address, network) in [
            ("192.0.2.17", "192.0.2.0"),
            ("::ffff:192.0.2.17", "192.0.2.0"),
            ("2001:db8:17:1::2", "2001:db8:17::"),
            ("::1", "::"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(AddressPolicy::Anonymized.apply(address), Some(network.parse().unwrap()));
            assert_eq!(AddressPolicy::Full.apply(address), Some(address.to_canonical()));
            assert_eq!(AddressPolicy::None.apply(address), None);
        }
    }

    #[test]
    fn headers_with_addresses_obey() {
        let policy = AddressPolicy::Anonymized;
        for (name, value, anonymized) in [
            (
                "x-forwarded-for",
                "203.0.113.42, 10.0.0.1:81,[2001:db8::1]:81",
                "203.0.113.0, 10.0.0.0, 2001:db8::",
            ),
            ("x-real-ip", "203.0.113.42", "203.0.113.0"),
            ("true-client-ip", "worf", "unknown"),
            ("cf-connecting-ip", "", "unknown"),
            (
                "forwarded",
                "for=203.0.113.42;host=shop.example; proto=https, For=\"[2001:db8:1:2::3]:81\";by=_x",
                "for=203.0.113.0;host=shop.example;proto=https, For=\"[2001:db8:1::]\";by=unknown",
            ),
        ] {
            assert_eq!(shown(policy, name, value).as_deref(), Some(anonymized), "{name}");
            assert_eq!(shown(AddressPolicy::None, name, value), None, "{name}");
            assert_eq!(shown(AddressPolicy::Full, name, value).as_deref(), Some(value), "{name}");
        }
    }

    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
    #[test]
    fn an_address_is_written_as_it_prints() {
        let of_4 = (0..=255).map(|octet| IpAddr::from([octet, 255 - octet, 7, octet / 3]));
        let of_6 =
            [[0; 8], [0xffff; 8], [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x211], [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]];
        for address in of_4.chain(of_6.map(IpAddr::from)) {
            assert_eq!(AddressText::of(address).as_bytes(), address.to_string().as_bytes());
        }
    }

    #[test]
    fn other_headers_are_left_alone() {
        for policy in [AddressPolicy::Full, AddressPolicy::Anonymized, AddressPolicy::None] {
            assert_eq!(shown(policy, "host", "203.0.113.42").as_deref(), Some("203.0.113.42"));
        }
    }
}
