//! The server: connections, and how many of them, how slow and how large.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::console::route::{Door, route};
use crate::console::stall::Stall;
use crate::console::state::State;

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, state: Arc<State>, door: Door) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = free.clone().acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, state.clone(), door, permit))),
            // Out of file descriptors, mostly: they come back.
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
}

async fn connection(stream: TcpStream, state: Arc<State>, door: Door, _permit: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(route(state, door, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_SIZE)
        .half_close(false)
        .serve_connection(TokioIo::new(Stall::new(stream)), service);
    // A client that leaves or talks nonsense is none of our business.
    let _ = served.await;
}

const CONNECTIONS: usize = 256;
const HEAD_SIZE: usize = 64 << 10;
/// Also how long a connection may idle between two requests.
const HEAD_TIME: Duration = Duration::from_secs(60);
const BREATH: Duration = Duration::from_millis(100);
