use std::{io, net::SocketAddr, time::Duration};

use axum::{BoxError, Router};
use futures_util::FutureExt as _;
use tokio::{net::TcpListener, sync::watch, time::sleep};

use crate::bind::{Bind, reachable};

/// The signals that end this program: the first asks, the second insists.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    seen: watch::Receiver<usize>,
}

/// Listens, or says what to do about it.
pub(crate) async fn listen(Bind { host, port }: &Bind) -> Result<TcpListener, String> {
    TcpListener::bind((&**host, *port)).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of {host} is taken: stop what listens there, or choose another with PORT, for example \
             PORT={}, or any free one with PORT=0",
            port.checked_add(1).unwrap_or(4567)
        ),
        _ => format!("cannot listen on port {port} of {host}: {error}; HOST and PORT say where to"),
    })
}

/// Where a browser of this machine finds what listens on `address`.
pub(crate) fn url(address: SocketAddr) -> String {
    format!("http://{}/", SocketAddr::new(reachable(address.ip()), address.port()))
}

/// Serves until a signal asks for the end, or insists on it.
pub(crate) async fn serve_until(
    signals: &Signals,
    listener: TcpListener,
    router: Router,
) -> Result<(), BoxError> {
    let asked = signals.clone().asked().shared();
    tokio::select! {
        served = serve(listener, router, asked) => Ok(served?),
        () = signals.clone().insisted() => Ok(()),
    }
}

/// Serves until `stop`, and then for a moment longer what has begun.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Clone + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone());
    tokio::select! {
        served = server => served,
        () = stop.then(|()| sleep(PATIENCE)) => Ok(()),
    }
}

// ===== impl Signals =====

impl Signals {
    pub(crate) fn listen() -> Self {
        let (told, seen) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                signal().await;
                told.send_modify(|signals| *signals += 1);
            }
        });
        Self { seen }
    }

    /// Over with the first one.
    pub(crate) async fn asked(self) {
        self.are(1).await;
    }

    /// Over with the second one.
    pub(crate) async fn insisted(self) {
        self.are(2).await;
    }

    async fn are(mut self, many: usize) {
        let _ = self.seen.wait_for(|signals| *signals >= many).await;
    }
}

/// Ctrl-C, or what a supervisor sends.
async fn signal() {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate() => {}
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending().await
}

const PATIENCE: Duration = Duration::from_secs(2);
