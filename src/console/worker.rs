use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::console::builder::Builder;
use crate::console::server;
use crate::console::state::State;
use crate::error::Error;

/// The console, while it runs. Dropping it stops it, and waits for that no longer than two seconds.
#[derive(Debug)]
pub struct Console {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    stopped: Receiver<()>,
}

// ===== impl Console =====

impl Console {
    /// A console on `127.0.0.1:7676` that keeps 128 MiB, unless the builder is told otherwise.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The address of the first page, for a browser: `http://127.0.0.1:7676/`.
    pub fn url(&self) -> String {
        format!("{}/", self.otlp_endpoint())
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is to be: `http://127.0.0.1:7676`, to which exporters add `/v1/traces`.
    pub fn otlp_endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// The address that is listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn spawn(listener: TcpListener, address: SocketAddr, state: State) -> Result<Self, Error> {
        let (stop, stopping) = oneshot::channel();
        let (sender, stopped) = mpsc::channel();
        let (ready, started) = mpsc::channel();
        let run = move || run(listener, state, stopping, &ready, sender);
        let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(run);
        spawned.map_err(|error| Error::io("no thread for the console", error))?;
        started
            .recv()
            .unwrap_or_else(|gone| Err(Error::io("the thread of the console ended at once", gone)))?;
        Ok(Self { address, stop: Some(stop), stopped })
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.stopped.recv_timeout(PATIENCE);
    }
}

fn run(
    listener: TcpListener,
    state: State,
    stopping: oneshot::Receiver<()>,
    ready: &Sender<Result<(), Error>>,
    stopped: Sender<()>,
) {
    let (runtime, listener) = match prepare(listener) {
        Ok(prepared) => prepared,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    runtime.spawn(server::serve(listener, Arc::new(state)));
    let _ = runtime.block_on(stopping);
    // What was served until now is dropped where it stands.
    drop(runtime);
    drop(stopped);
}

fn prepare(listener: TcpListener) -> Result<(Runtime, tokio::net::TcpListener), Error> {
    let built = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = built.map_err(|error| Error::io("no runtime for the console", error))?;
    let entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener);
    let listener = listener.map_err(|error| Error::io("the console cannot wait for connections", error))?;
    drop(entered);
    Ok((runtime, listener))
}

/// Where a client of this machine finds what listens on `address`.
pub(super) fn endpoint(address: SocketAddr) -> String {
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(reachable, address.port()))
}

const THREAD: &str = "belvedere-console";
const PATIENCE: Duration = Duration::from_secs(2);
