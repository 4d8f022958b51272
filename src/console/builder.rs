use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::console::guard::Guard;
use crate::console::state::State;
use crate::console::worker::Console;
use crate::error::Error;

/// What a [`Console`] is to be, before it starts.
#[derive(Clone, Debug)]
#[must_use = "a console starts with `start`"]
pub struct Builder {
    address: Option<SocketAddr>,
    beyond_loopback: bool,
    hosts: Vec<String>,
    memory: usize,
}

// ===== impl Builder =====

impl Builder {
    pub(super) fn new() -> Self {
        Self { address: None, beyond_loopback: false, hosts: Vec::new(), memory: MEMORY }
    }

    /// Where to listen. Default: `127.0.0.1:7676`, or any free port of it where 7676 is taken.
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
    /// of which the rest is refused.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Starts to listen, on a thread of its own. No tokio runtime is needed, and none is touched.
    ///
    /// # Errors
    ///
    /// The address is not a loopback one and was not allowed, is taken, or the thread cannot be had.
    pub fn start(self) -> Result<Console, Error> {
        let Self { address, beyond_loopback, hosts, memory } = self;
        let listener = listen(address, beyond_loopback)?;
        let address = listener.local_addr().map_err(|error| Error::io("no address to listen on", error))?;
        let guard = Guard::new(hosts, address, beyond_loopback);
        Console::spawn(listener, address, State::new(address, guard, memory))
    }
}

fn listen(address: Option<SocketAddr>, beyond_loopback: bool) -> Result<TcpListener, Error> {
    let Some(address) = address else { return listen_by_default() };
    if !beyond_loopback && !address.ip().to_canonical().is_loopback() {
        return Err(Error::invalid("address", &address.to_string(), ADVICE));
    }
    bind(address)
}

fn listen_by_default() -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(DEFAULT).and_then(unblocked);
    bound.or_else(|_| bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
}

fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind(address).and_then(unblocked);
    bound.map_err(|error| Error::io(format!("the console cannot listen on {address}"), error))
}

fn unblocked(listener: TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    Ok(listener)
}

const DEFAULT: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 7676);
const MEMORY: usize = 128 << 20;
const ADVICE: &str =
    "other machines could read the telemetry there; listen on 127.0.0.1, or call `beyond_loopback()`";
