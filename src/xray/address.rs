//! Where the daemon listens.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use crate::Error;

/// Where the X-Ray daemon listens: a UDP port for segments, a TCP port for what samplers ask.
///
/// It is read from `AWS_XRAY_DAEMON_ADDRESS` in both of its
/// [forms](https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-python-configuration.html):
///
/// ```
/// use belvedere::xray::DaemonAddress;
///
/// let both: DaemonAddress = "xray-daemon:2000".parse()?;
/// assert_eq!(both.tcp(), both.udp());
///
/// let apart: DaemonAddress = "tcp:127.0.0.1:2000 udp:[::1]:3000".parse()?;
/// assert_eq!(apart.to_string(), "tcp:127.0.0.1:2000 udp:[::1]:3000");
/// # Ok::<(), belvedere::Error>(())
/// ```
///
/// The two parts of the second form come in either order, with any white space around them; an address of IPv6 stands in
/// brackets. A name is looked up when it is used, not here. The default is `127.0.0.1:2000`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DaemonAddress {
    tcp: Endpoint,
    udp: Endpoint,
}

/// A host and a port.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Endpoint {
    /// Without brackets.
    host: Box<str>,
    port: u16,
}

// ===== impl DaemonAddress =====

impl DaemonAddress {
    /// Reads `AWS_XRAY_DAEMON_ADDRESS`, by way of `lookup`. Empty is not set, and `None`.
    ///
    /// # Errors
    ///
    /// When it is set to what is no address; the message names the variable.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        match lookup(VARIABLE) {
            Some(text) if !text.trim().is_empty() => parse(VARIABLE, &text).map(Some),
            _ => Ok(None),
        }
    }

    /// Where it listens to requests of samplers: `host:port`, as in a URL.
    pub fn tcp(&self) -> String {
        self.tcp.to_string()
    }

    /// Where it listens to segments: `host:port`, as in a URL.
    pub fn udp(&self) -> String {
        self.udp.to_string()
    }

    /// The host, without brackets, and the port of [`udp`](Self::udp).
    pub(super) fn udp_parts(&self) -> (&str, u16) {
        (&self.udp.host, self.udp.port)
    }
}

impl Default for DaemonAddress {
    fn default() -> Self {
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: 2000 };
        Self { tcp: endpoint.clone(), udp: endpoint }
    }
}

impl FromStr for DaemonAddress {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse("the address of the X-Ray daemon", text)
    }
}

impl fmt::Display for DaemonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tcp, udp } = self;
        if tcp == udp { tcp.fmt(f) } else { write!(f, "tcp:{tcp} udp:{udp}") }
    }
}

// ===== impl Endpoint =====

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Why a text is no address, as advice.
type Wrong = &'static str;

fn parse(name: &str, text: &str) -> Result<DaemonAddress, Error> {
    address(text).map_err(|wrong| Error::invalid(name, text, format_args!("{wrong}; {FORMS}")))
}

fn address(text: &str) -> Result<DaemonAddress, Wrong> {
    let words: Vec<_> = text.split_whitespace().collect();
    match *words {
        [] => Err("it is empty"),
        [word] => one(word),
        [one, other] => two(part(one)?, part(other)?),
        _ => Err("it has more than two parts"),
    }
}

/// One address for both.
fn one(word: &str) -> Result<DaemonAddress, Wrong> {
    // A daemon may be called `tcp`: only what has two more colons is a part of the longer form.
    match endpoint(word) {
        Ok(endpoint) => Ok(DaemonAddress { tcp: endpoint.clone(), udp: endpoint }),
        Err(wrong) => Err(match part(word) {
            Ok((Protocol::Tcp, _)) => "the udp part is missing",
            Ok((Protocol::Udp, _)) => "the tcp part is missing",
            Err(_) => wrong,
        }),
    }
}

/// One address for each, in either order.
fn two(one: (Protocol, Endpoint), other: (Protocol, Endpoint)) -> Result<DaemonAddress, Wrong> {
    match (one, other) {
        ((Protocol::Tcp, tcp), (Protocol::Udp, udp)) | ((Protocol::Udp, udp), (Protocol::Tcp, tcp)) => {
            Ok(DaemonAddress { tcp, udp })
        }
        ((Protocol::Tcp, _), _) => Err("it has two tcp parts, and none for udp"),
        ((Protocol::Udp, _), _) => Err("it has two udp parts, and none for tcp"),
    }
}

#[derive(Clone, Copy)]
enum Protocol {
    Tcp,
    Udp,
}

/// `tcp:host:port` or `udp:host:port`.
fn part(word: &str) -> Result<(Protocol, Endpoint), Wrong> {
    let (protocol, rest) = word.split_once(':').ok_or(NO_PROTOCOL)?;
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(NO_PROTOCOL),
    };
    Ok((protocol, endpoint(rest)?))
}

fn endpoint(text: &str) -> Result<Endpoint, Wrong> {
    let split = text.rsplit_once(':').filter(|_| !text.ends_with(']'));
    let (host, port) = split.ok_or("the port is missing")?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => {
            address.parse::<Ipv6Addr>().map_err(|_| "what is in brackets is no address of IPv6")?;
            address
        }
        None => name(host)?,
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port > 0 && is_number);
    Ok(Endpoint { host: host.into(), port: port.ok_or("the port is not a number from 1 to 65535")? })
}

fn name(host: &str) -> Result<&str, Wrong> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.contains("//") {
        return Err("it is a URL");
    }
    if host.contains(':') {
        return Err("an address of IPv6 must stand in brackets");
    }
    let is_in_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.bytes().all(is_in_names) { Ok(host) } else { Err("the host is neither a name nor an address") }
}

const VARIABLE: &str = "AWS_XRAY_DAEMON_ADDRESS";
const NO_PROTOCOL: Wrong = "each of two parts must begin with tcp: or udp:";
const FORMS: &str = "write it as host:port, or as tcp:host:port udp:host:port";
