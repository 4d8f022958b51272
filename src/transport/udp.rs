//! Datagrams to a host by its name.

use std::{
    error, fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{UdpSocket, lookup_host},
    time::{Instant, timeout},
};

/// Sends datagrams to one host and port.
///
/// The host is looked up when the first datagram is sent, every 30 s after that, and whenever none of its addresses takes
/// anything: a daemon that was started anew elsewhere is found again. While a lookup fails, the address that worked is
/// kept. It needs a tokio runtime with I/O and time; an outbox has one.
///
/// Nobody acknowledges a datagram. That nobody listens is heard of where the host says so (ICMP, port unreachable):
/// from one's own machine at once, from another one a little later, which is what [`settle`](Self::settle) waits for.
#[derive(Debug)]
pub struct UdpClient {
    host: Box<str>,
    port: u16,
    addresses: Vec<SocketAddr>,
    /// Which of the addresses is in use.
    place: usize,
    socket: Option<UdpSocket>,
    due: Option<Instant>,
}

/// Why a datagram could not be sent.
#[derive(Debug)]
pub struct UdpError {
    kind: Kind,
    source: io::Error,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Resolve,
    TooLong,
    Send,
}

// ===== impl UdpClient =====

impl UdpClient {
    /// To `port` of `host`, which is a name or an address; one of IPv6 stands without brackets. Nothing is looked up or
    /// opened yet.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into().into_boxed_str();
        Self { host, port, addresses: Vec::new(), place: 0, socket: None, due: None }
    }

    /// Sends one datagram, to the first address that does not refuse it at once.
    ///
    /// # Errors
    ///
    /// When the host has no address, when the system does not send a datagram of that length
    /// ([`is_too_long`](UdpError::is_too_long)), or when every address refused this datagram or an earlier one. After such a
    /// refusal it is unknown how many of those that were sent before have arrived.
    pub async fn send(&mut self, datagram: &[u8]) -> Result<(), UdpError> {
        self.resolve().await?;
        loop {
            let Err(error) = self.send_here(datagram).await else { return Ok(()) };
            if error.is_too_long() || !self.turn() {
                return Err(error);
            }
        }
    }

    /// Waits, for `grace` at most, for word that what was sent last was refused.
    ///
    /// # Errors
    ///
    /// When it was.
    pub async fn settle(&mut self, grace: Duration) -> Result<(), UdpError> {
        let Some(socket) = &self.socket else { return Ok(()) };
        match timeout(grace, socket.recv(&mut [0])).await {
            Ok(Err(error)) => {
                self.turn();
                Err(UdpError::send(error))
            }
            _ => Ok(()),
        }
    }

    /// Looks the host up if it is time to.
    async fn resolve(&mut self) -> Result<(), UdpError> {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            return Ok(());
        }
        match addresses(&self.host, self.port).await {
            Ok(addresses) => self.move_to(addresses),
            Err(_) if self.socket.is_some() => {}
            Err(error) => return Err(error),
        }
        self.due = Some(now + LOOKUP_PERIOD);
        Ok(())
    }

    /// Stays where it is if the host still has that address.
    fn move_to(&mut self, addresses: Vec<SocketAddr>) {
        let current = self.socket.as_ref().and_then(|_| self.addresses.get(self.place));
        let place = current.and_then(|current| addresses.iter().position(|address| address == current));
        if place.is_none() {
            self.socket = None;
        }
        (self.addresses, self.place) = (addresses, place.unwrap_or(0));
    }

    /// Turns to the next address. `false`: that was the last one, and the host will be looked up anew.
    fn turn(&mut self) -> bool {
        self.socket = None;
        self.place += 1;
        let has_more = self.place < self.addresses.len();
        if !has_more {
            self.due = None;
        }
        has_more
    }

    async fn send_here(&mut self, datagram: &[u8]) -> Result<(), UdpError> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(connect(self.addresses[self.place]).await.map_err(UdpError::send)?),
        };
        socket.send(datagram).await.map_err(UdpError::send)?;
        match socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(UdpError::send(error)),
            Ok(None) => Ok(()),
        }
    }
}

// ===== impl UdpError =====

impl UdpError {
    fn resolve(source: io::Error) -> Self {
        Self { kind: Kind::Resolve, source }
    }

    fn send(source: io::Error) -> Self {
        let is_too_long = source.raw_os_error() == Some(EMSGSIZE);
        Self { kind: if is_too_long { Kind::TooLong } else { Kind::Send }, source }
    }

    /// The host has no address, or none was told in time.
    pub fn is_resolve(&self) -> bool {
        self.kind == Kind::Resolve
    }

    /// The system does not send a datagram of that length; a shorter one may well go.
    ///
    /// IPv4 has room for 65,507 bytes. macOS sends 9,216 unless it is told otherwise (`net.inet.udp.maxdgram`).
    pub fn is_too_long(&self) -> bool {
        self.kind == Kind::TooLong
    }

    /// A phrase to count under: `dns`, `too large`, `refused`, `unreachable` or `not sent`.
    pub fn reason(&self) -> &'static str {
        match (self.kind, self.source.kind()) {
            (Kind::Resolve, _) => "dns",
            (Kind::TooLong, _) => "too large",
            (Kind::Send, io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset) => "refused",
            (Kind::Send, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "unreachable",
            (Kind::Send, _) => "not sent",
        }
    }
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Resolve => "the host was not found",
            Kind::TooLong => "the datagram is too long",
            Kind::Send => "the datagram was not sent",
        })
    }
}

impl error::Error for UdpError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>, UdpError> {
    let lookup = timeout(LOOKUP_LIMIT, lookup_host((host, port))).await;
    let lookup = lookup.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let addresses: Vec<_> = lookup.map_err(UdpError::resolve)?.collect();
    if addresses.is_empty() {
        return Err(UdpError::resolve(io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

/// Connected, because only then the system tells of a refusal.
async fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let own: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(address).await?;
    Ok(socket)
}

const LOOKUP_PERIOD: Duration = Duration::from_secs(30);
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// What the system says of a datagram that is too long; the standard library has no name for it.
const EMSGSIZE: i32 = match () {
    () if cfg!(windows) => 10040,
    () if cfg!(any(target_os = "linux", target_os = "android")) => 90,
    () => 40,
};

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_datagram_arrives_over_both_families() {
        for own in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(daemon) = UdpSocket::bind(own).await else { continue };
            let address = daemon.local_addr().unwrap();
            let mut client = UdpClient::new(address.ip().to_string(), address.port());
            client.send(b"hello").await.unwrap();
            client.settle(GRACE).await.unwrap();
            let mut read = [0; 16];
            let length = daemon.recv(&mut read).await.unwrap();
            assert_eq!(&read[..length], b"hello", "{own}");
        }
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_for_the_next() {
        let (dead, daemon) = (bound().await, bound().await);
        let (first, second) = (dead.local_addr().unwrap(), daemon.local_addr().unwrap());
        drop(dead);
        let mut client = UdpClient::new("localhost", 9);
        client.move_to(vec![first, second]);
        client.due = Some(Instant::now() + LOOKUP_PERIOD);
        client.send(b"hello").await.unwrap();
        let mut read = [0; 16];
        assert_eq!(daemon.recv(&mut read).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_refusal_is_told_and_the_host_looked_up_anew() {
        let dead = bound().await;
        let address = dead.local_addr().unwrap();
        drop(dead);
        let mut client = UdpClient::new(address.ip().to_string(), address.port());
        let error = match client.send(b"hello").await {
            Ok(()) => client.settle(GRACE).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.reason(), "refused");
        assert!(client.due.is_none() && client.socket.is_none());

        let daemon = UdpSocket::bind(address).await.unwrap();
        client.send(b"again").await.unwrap();
        let mut read = [0; 16];
        assert_eq!(daemon.recv(&mut read).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_refusal_that_comes_late_is_waited_for() {
        let daemon = bound().await;
        let address = daemon.local_addr().unwrap();
        let mut client = UdpClient::new(address.ip().to_string(), address.port());
        client.send(b"hello").await.unwrap();
        drop(daemon);
        // Not by the client, which would hear of it at once.
        client.socket.as_ref().unwrap().send(b"again").await.unwrap();
        assert_eq!(client.settle(GRACE).await.unwrap_err().reason(), "refused");
        assert!(client.socket.is_none());
    }

    #[tokio::test]
    async fn a_datagram_that_is_too_long_is_told_apart_and_costs_no_socket() {
        let daemon = bound().await;
        let address = daemon.local_addr().unwrap();
        let mut client = UdpClient::new(address.ip().to_string(), address.port());
        let error = client.send(&vec![0; 65_508]).await.unwrap_err();
        assert!(error.is_too_long() && !error.is_resolve(), "{error:?}");
        assert_eq!(error.reason(), "too large");
        assert!(client.socket.is_some());
        client.send(b"short").await.unwrap();
    }

    #[tokio::test]
    async fn a_host_without_an_address_is_told() {
        let error = UdpClient::new("no-such-host.invalid", 2000).send(b"hello").await.unwrap_err();
        assert!(error.is_resolve(), "{error:?}");
        assert_eq!(error.reason(), "dns");
    }

    #[tokio::test]
    async fn a_socket_survives_a_lookup_that_names_its_address_again() {
        let (one, other) = (bound().await, bound().await);
        let (one, other) = (one.local_addr().unwrap(), other.local_addr().unwrap());
        let mut client = UdpClient::new("localhost", 9);
        client.move_to(vec![one]);
        client.due = Some(Instant::now() + LOOKUP_PERIOD);
        client.send(b"hello").await.unwrap();

        client.move_to(vec![other, one]);
        assert!(client.socket.is_some() && client.place == 1);
        client.move_to(vec![other]);
        assert!(client.socket.is_none() && client.place == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_is_looked_up_again_after_half_a_minute() {
        let daemon = bound().await;
        let address = daemon.local_addr().unwrap();
        let mut client = UdpClient::new(address.ip().to_string(), address.port());
        let start = Instant::now();
        for (seconds, due) in [(0, 30), (29, 30), (1, 60), (45, 105)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            client.send(b"hello").await.unwrap();
            assert_eq!((client.due.unwrap() - start).as_secs(), due, "{seconds}");
        }
    }

    #[tokio::test]
    async fn an_address_that_works_is_kept_while_the_host_is_not_found() {
        let daemon = bound().await;
        let mut client = UdpClient::new("no-such-host.invalid", 2000);
        client.move_to(vec![daemon.local_addr().unwrap()]);
        client.due = Some(Instant::now() + LOOKUP_PERIOD);
        client.send(b"hello").await.unwrap();
        client.due = None;
        client.send(b"again").await.unwrap();
        assert!(client.due.is_some(), "it is not looked up for each datagram");
    }

    async fn bound() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }
}
