use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::net;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::console::builder::Builder;
use crate::console::receive;
use crate::console::route::Door;
use crate::console::server;
use crate::console::state::State;
use crate::error::Error;

/// The console, while it runs. Dropping it stops it, and waits for that no longer than two seconds.
#[derive(Debug)]
pub struct Console {
    address: SocketAddr,
    xray: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Receiver<()>,
}

/// What is listened on.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) page: TcpListener,
    pub(super) daemon: Option<(TcpListener, UdpSocket)>,
}

/// The same, for a runtime.
struct Served {
    page: net::TcpListener,
    daemon: Option<(net::TcpListener, net::UdpSocket)>,
}

// ===== impl Console =====

impl Console {
    /// A console on `127.0.0.1:7676` that is an X-Ray daemon on `127.0.0.1:2000` and keeps 128 MiB, unless the builder is
    /// told otherwise.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The address of the first page, for a browser: `http://127.0.0.1:7676/`.
    pub fn url(&self) -> String {
        format!("{}/", self.otlp_endpoint())
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be: `http://127.0.0.1:7676`, to which exporters add `/v1/traces`.
    pub fn otlp_endpoint(&self) -> String {
        format!("http://{}", reachable(self.address))
    }

    /// What `AWS_XRAY_DAEMON_ADDRESS` is to be: `127.0.0.1:2000`, for segments by UDP and for samplers by TCP. `None` after
    /// [`Builder::no_xray`].
    pub fn xray_daemon(&self) -> Option<&str> {
        self.xray.as_deref()
    }

    /// What `ROLLBAR_ENDPOINT` is to be, the URL of items in full: `http://127.0.0.1:7676/api/1/item/`. Any token will do.
    pub fn rollbar_endpoint(&self) -> String {
        format!("{}/api/1/item/", self.otlp_endpoint())
    }

    /// What `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS` is to be: `http://127.0.0.1:7676`. Any region, group, stream and credentials
    /// will do.
    pub fn cloudwatch_endpoint(&self) -> String {
        self.otlp_endpoint()
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn spawn(sockets: Sockets, address: SocketAddr, state: State) -> Result<Self, Error> {
        let xray = state.daemon.clone();
        let (stop, stopping) = oneshot::channel();
        let (sender, stopped) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        let run = move || run(sockets, state, stopping, &ready, sender);
        let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(run);
        spawned.map_err(|error| Error::io("no thread for the console", error))?;
        started
            .recv()
            .unwrap_or_else(|gone| Err(Error::io("the thread of the console ended at once", gone)))?;
        Ok(Self { address, xray, stop: Some(stop), stopped })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.stopped.recv_timeout(PATIENCE);
    }
}

// ===== impl Sockets =====

impl Sockets {
    fn served(self) -> io::Result<Served> {
        let Self { page, daemon } = self;
        let both = |(tcp, udp)| Ok((net::TcpListener::from_std(tcp)?, net::UdpSocket::from_std(udp)?));
        let daemon = daemon.map(both).transpose();
        daemon.and_then(|daemon| Ok(Served { page: net::TcpListener::from_std(page)?, daemon }))
    }
}

fn run(
    sockets: Sockets,
    state: State,
    stopping: oneshot::Receiver<()>,
    ready: &Sender<Result<(), Error>>,
    stopped: Sender<()>,
) {
    let (runtime, Served { page, daemon }) = match prepare(sockets) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    let state = Arc::new(state);
    runtime.spawn(server::serve(page, state.clone(), Door::Page));
    if let Some((listener, socket)) = daemon {
        runtime.spawn(server::serve(listener, state.clone(), Door::Daemon));
        runtime.spawn(receive::listen(socket, state));
    }
    let _ = runtime.block_on(stopping);
    // What was served until now is dropped where it stands.
    drop(runtime);
    drop(stopped);
}

fn prepare(sockets: Sockets) -> Result<(Runtime, Served), Error> {
    let built = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = built.map_err(|error| Error::io("no runtime for the console", error))?;
    let entered = runtime.enter();
    let served =
        sockets.served().map_err(|error| Error::io("the console cannot wait for connections", error))?;
    drop(entered);
    Ok((runtime, served))
}

/// Where a client of this machine finds what listens on `address`.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

const THREAD: &str = "belvedere-console";
const PATIENCE: Duration = Duration::from_secs(2);
