use std::{env, time::Duration};

use axum::BoxError;
use tokio::{net::TcpStream, time::timeout};

use crate::{backend, bind::Bind};

/// Tells whether what was started with the same variables takes connections. It is no request, so it makes no trace.
pub(crate) async fn run() -> Result<(), BoxError> {
    let bind = Bind::read(|name| env::var(name).ok(), backend::PORT)?;
    let host = bind.local_host();
    timeout(PATIENCE, TcpStream::connect((&*host, bind.port))).await??;
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(2);
