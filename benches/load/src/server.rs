//! The server: axum on two threads, with one of the variants around its service.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use axum::{Router, serve::ListenerExt as _};
use tokio::{net::TcpListener, runtime, sync::oneshot, time::Instant};

use crate::{
    account::{Account, cpu_micros},
    backend::Each,
    process::{tell, terminated},
    service::{self, Seen},
    stack::Stack,
    variant::Variant,
};

/// Serves until it is told to end, sends what is left, and tells what became of everything.
pub(crate) fn serve(variant: Variant, ports: &Each<u16>) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    // Outside of the runtime: the peers' exporter blocks.
    let Stack { layer, close } = variant.stack(ports)?;
    let seen = Seen::default();
    let ended = runtime.block_on(listen(layer(service::router(seen.clone()))))?;
    let exchanges = seen.count();
    let lanes = close(exchanges)?;
    let drain_millis = u64::try_from(ended.elapsed().as_millis())?;
    tell(&Account { exchanges, cpu_micros: cpu_micros()?, drain_millis, lanes })
}

/// Tells its port, and serves until it is told to end: when that was. Layers go with the service, and may wait for what they
/// send.
async fn listen(app: Router) -> Result<Instant> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    tell(&listener.local_addr()?.port())?;
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let (end, told) = oneshot::channel();
    let terminated = async {
        terminated().await;
        _ = end.send(Instant::now());
    };
    axum::serve(listener, app).with_graceful_shutdown(terminated).await?;
    Ok(told.await?)
}

const THREADS: usize = 2;
