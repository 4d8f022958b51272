use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// The X-Ray daemon: its datagrams.
pub(super) struct Daemon {
    port: u16,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Datagram>>,
}

pub(super) type Datagram = Box<[u8]>;

// ===== impl Daemon =====

impl Daemon {
    /// On a free port, and on a thread of its own.
    pub(super) fn start() -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        // The system gives what `net.core.rmem_max` allows.
        socket.set_recv_buffer_size(ROOM)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let socket = UdpSocket::from(socket);
        socket.set_read_timeout(Some(QUIET))?;
        let (port, is_over) = (socket.local_addr()?.port(), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let is_over = is_over.clone();
            move || receive(&socket, &is_over)
        });
        Ok(Self { port, is_over, thread })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// All that it got.
    pub(super) fn end(self) -> Vec<Datagram> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("receiving does not panic")
    }
}

/// Until it is over, and nothing more comes.
fn receive(socket: &UdpSocket, is_over: &AtomicBool) -> Vec<Datagram> {
    let (mut datagrams, mut buffer) = (Vec::new(), vec![0; LONGEST]);
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => datagrams.push(buffer[..length].into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if is_over.load(Ordering::Relaxed) {
                    return datagrams;
                }
            }
            Err(error) => eprintln!("the daemon cannot receive: {error}"),
        }
    }
}

/// The segment in a datagram, which is after a line that says what it is:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html>.
pub(super) fn record(datagram: &Datagram) -> Result<Value> {
    let text = str::from_utf8(datagram)?;
    let (header, document) = text.split_once('\n').context("a datagram without a header")?;
    let header: Value = serde_json::from_str(header)?;
    ensure!(header["format"] == "json" && header["version"] == 1, "a datagram with the header {header}");
    Ok(serde_json::from_str(document)?)
}

const ROOM: usize = 8 << 20;
const LONGEST: usize = 65_536;
const QUIET: Duration = Duration::from_millis(100);
