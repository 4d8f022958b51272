use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::console::guard::Guard;
use crate::console::sampling::Rule;
use crate::console::state::State;
use crate::console::worker::{Console, Sockets};
use crate::error::Error;

/// What a [`Console`] is to be, before it starts.
#[derive(Clone, Debug)]
#[must_use = "a console starts with `start`"]
pub struct Builder {
    address: Option<SocketAddr>,
    beyond_loopback: bool,
    hosts: Vec<String>,
    memory: usize,
    xray: XRay,
    rule: Rule,
}

/// Where to listen as the X-Ray daemon does.
#[derive(Clone, Copy, Debug)]
enum XRay {
    Default,
    At(SocketAddr),
    Nowhere,
}

// ===== impl Builder =====

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            address: None,
            beyond_loopback: false,
            hosts: Vec::new(),
            memory: MEMORY,
            xray: XRay::Default,
            rule: Rule::default(),
        }
    }

    /// Where to listen for pages and exporters. Default: `127.0.0.1:7676`, or any free port of it where 7676 is taken.
    ///
    /// Port 0 is any free port. An address that is given here and is taken is an error, never another address.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Allows an address that other machines can reach. Default: loopback only.
    ///
    /// The console asks nobody for a password, and shows everything that it was sent to everybody who can connect.
    /// An address literal is then accepted as the `Host` of a request; a name still has to be given to
    /// [`host`](Self::host).
    pub fn beyond_loopback(mut self) -> Self {
        self.beyond_loopback = true;
        self
    }

    /// One more name by which the console may be asked for, without a port. Default: `localhost`, `127.0.0.1`, `[::1]`.
    ///
    /// Pages served from that name may also post telemetry. It does not make the console listen anywhere else.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// How many bytes of telemetry to keep, about. Default: 128 MiB. The oldest trace goes first.
    ///
    /// More keeps older traces, up to 100,000 spans; it does not help with a single trace of more than 10,000 spans,
    /// of which the rest is refused, nor with more than a mebibyte of its segments.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Where to listen as the X-Ray daemon does: a UDP port for segments, and the TCP port of the same number for samplers.
    /// Default: `127.0.0.1:2000`, or any free port of it where one of the two is taken.
    ///
    /// Port 0 is any port that is free for both. An address that is given here and is taken is an error, never another
    /// address. [`beyond_loopback`](Self::beyond_loopback) counts for it as well.
    pub fn xray(mut self, address: SocketAddr) -> Self {
        self.xray = XRay::At(address);
        self
    }

    /// Does not listen as the X-Ray daemon does.
    ///
    /// Its calls are still answered at [`address`](Self::address), which is where `AWS_ENDPOINT_URL_XRAY` may point.
    pub fn no_xray(mut self) -> Self {
        self.xray = XRay::Nowhere;
        self
    }

    /// What the sampling rule `Default` says that samplers are given: how many requests of each second are recorded, by
    /// all services together, and which share of the others, from 0 to 1. Default: 1 and 0.05, as in a fresh account.
    ///
    /// There is no other rule.
    pub fn xray_sampling(mut self, reservoir: u32, rate: f64) -> Self {
        self.rule = Rule { reservoir, rate };
        self
    }

    /// Starts to listen, on a thread of its own. No tokio runtime is needed, and none is touched.
    ///
    /// # Errors
    ///
    /// An address is not a loopback one and was not allowed, or is taken; the thread cannot be had; the rate of
    /// [`xray_sampling`](Self::xray_sampling) is not from 0 to 1.
    pub fn start(self) -> Result<Console, Error> {
        let Self { address, beyond_loopback, hosts, memory, xray, rule } = self;
        if !(0.0..=1.0).contains(&rule.rate) {
            return Err(Error::invalid("rate", &rule.rate.to_string(), "give a share from 0 to 1"));
        }
        let allowed = |name, address: SocketAddr| allow(name, address, beyond_loopback);
        let page = match address {
            Some(address) => allowed("address", address).and_then(bind)?,
            None => listen_by_default()?,
        };
        let daemon = match xray {
            XRay::Default => Some(both_by_default()?),
            XRay::At(address) => Some(allowed("xray", address).and_then(both)?),
            XRay::Nowhere => None,
        };
        let address = local(&page)?;
        let xray = daemon.as_ref().map(|(tcp, _)| local(tcp)).transpose()?;
        let guard = Guard::new(hosts, [Some(address), xray].into_iter().flatten(), beyond_loopback);
        let state = State::new(address, xray, guard, memory, rule);
        Console::spawn(Sockets { page, daemon }, address, state)
    }
}

fn allow(name: &str, address: SocketAddr, beyond_loopback: bool) -> Result<SocketAddr, Error> {
    if beyond_loopback || address.ip().to_canonical().is_loopback() {
        return Ok(address);
    }
    Err(Error::invalid(name, &address.to_string(), ADVICE))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener.local_addr().map_err(|error| Error::io("no address to listen on", error))
}

fn listen_by_default() -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(DEFAULT).and_then(unblocked);
    bound.or_else(|_| {
        bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).inspect(|listener| moved(DEFAULT.1, listener))
    })
}

/// Whoever was pointed at the usual port sends elsewhere.
fn moved(usual: u16, listener: &TcpListener) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(target: "belvedere::console", "port {usual} is taken: the console listens on {address} in its place");
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).and_then(unblocked);
    bound.map_err(|error| Error::io(format!("the console cannot listen on {address}"), error))
}

/// A TCP port and a UDP port of the same number.
type Both = (TcpListener, UdpSocket);

fn both_by_default() -> Result<Both, Error> {
    let any = || both(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    both_at(DAEMON.into()).or_else(|_| any().inspect(|(listener, _)| moved(DAEMON.1, listener)))
}

fn both(address: SocketAddr) -> Result<Both, Error> {
    // A port that the system chose for one protocol may be taken for the other.
    let tries = if address.port() == 0 { TRIES } else { 1 };
    let mut bound = both_at(address);
    for _ in 1..tries {
        bound = bound.or_else(|_| both_at(address));
    }
    bound.map_err(|error| {
        Error::io(format!("the console cannot listen as an X-Ray daemon on {address}"), error)
    })
}

fn both_at(address: SocketAddr) -> io::Result<Both> {
    let listener = TcpListener::bind(address).and_then(unblocked)?;
    let socket = UdpSocket::bind(listener.local_addr()?)?;
    socket.set_nonblocking(true)?;
    Ok((listener, socket))
}

fn unblocked(listener: TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(listener)
}

const DEFAULT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7676);
const DAEMON: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 2000);
const TRIES: usize = 16;
const MEMORY: usize = 128 << 20;
const ADVICE: &str =
    "other machines could read the telemetry there; listen on 127.0.0.1, or call `beyond_loopback()`";
