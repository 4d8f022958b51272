use std::{env, net::SocketAddr, process::Stdio, time::Duration};

use axum::BoxError;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{self, Command},
    time::timeout,
};

/// The second service, as a process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    address: SocketAddr,
}

// ===== impl Child =====

impl Child {
    /// Starts it and waits until it listens. `otlp` is where its traces go beside what the environment says.
    pub(crate) async fn start(otlp: Option<&str>) -> Result<Self, BoxError> {
        let mut process = Command::new(env::current_exe()?)
            .arg("timeline")
            .args(otlp.into_iter().flat_map(|otlp| ["--otlp", otlp]))
            .env("OTEL_SERVICE_NAME", "timeline")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let address = timeout(PATIENCE, address(&mut process)).await??;
        Ok(Self { process, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets it send what it has.
    pub(crate) async fn stop(mut self) {
        drop(self.process.stdin.take());
        if timeout(PATIENCE, self.process.wait()).await.is_err() {
            tracing::warn!("the timeline service took too long to end and was killed");
        }
    }
}

/// The first line that it prints.
async fn address(process: &mut process::Child) -> Result<SocketAddr, BoxError> {
    let stdout = process.stdout.take().expect("stdout was asked for");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    Ok(line.trim().parse().map_err(|_| "it ended before it listened")?)
}

const PATIENCE: Duration = Duration::from_secs(5);
