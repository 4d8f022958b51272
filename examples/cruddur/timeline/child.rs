use std::{env, net::SocketAddr, process::Stdio, time::Duration};

use axum::{BoxError, http::uri::Authority};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, stdout},
    process::{self, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use super::NAME;
use crate::telemetry::Also;

/// The second service, as a process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    address: SocketAddr,
    stdin: Option<ChildStdin>,
    life: JoinHandle<()>,
}

// ===== impl Child =====

impl Child {
    /// Starts it and waits until it listens.
    pub(crate) async fn start(also: &Also) -> Result<Self, BoxError> {
        let mut process = Command::new(env::current_exe()?)
            .args(["timeline", "--child"])
            .args(also.args())
            .env("OTEL_SERVICE_NAME", NAME)
            .envs(tracing_name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().expect("stdout was asked for"));
        let address = timeout(PATIENCE, address(&mut output)).await??;
        Ok(Self { address, stdin, life: tokio::spawn(live(process, output)) })
    }

    pub(crate) fn authority(&self) -> Authority {
        self.address.to_string().parse().expect("an address is an authority")
    }

    /// Lets it send what it has; once `insisted` is over, it gives that up at once.
    pub(crate) async fn stop(mut self, insisted: impl Future<Output = ()>) {
        if let Some(stdin) = &mut self.stdin {
            drop(stdin.write_all(b"stop\n").await);
        }
        let in_time = tokio::select! {
            ended = timeout(PATIENCE, &mut self.life) => ended.is_ok(),
            () = insisted => self.give_up().await,
        };
        if !in_time {
            eprintln!("cruddur: the timeline service took too long to end and was killed");
        }
    }

    async fn give_up(&mut self) -> bool {
        drop(self.stdin.take());
        timeout(HASTE, &mut self.life).await.is_ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.life.abort();
    }
}

/// What names the backend must not name it. Where nothing does, a name would turn X-Ray on.
fn tracing_name() -> Option<(&'static str, &'static str)> {
    env::var_os(TRACING_NAME).filter(|name| !name.is_empty()).map(|_| (TRACING_NAME, NAME))
}

/// The first line that it prints.
async fn address(output: &mut BufReader<ChildStdout>) -> Result<SocketAddr, BoxError> {
    let mut line = String::new();
    output.read_line(&mut line).await?;
    Ok(line.trim().parse().map_err(|_| "it ended before it listened")?)
}

/// Waits for its end, so that it is no zombie, and says so if it did not end well.
async fn live(mut process: process::Child, output: BufReader<ChildStdout>) {
    let (ended, ()) = tokio::join!(process.wait(), pass_on(output));
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => eprintln!("cruddur: the timeline service ended ({status}), so we sort by ourselves"),
        Err(error) => eprintln!("cruddur: the timeline service is out of sight: {error}"),
    }
}

/// What it prints is ours to print: its spans, with `OTEL_TRACES_EXPORTER=console`. A span is written at once.
async fn pass_on(output: BufReader<ChildStdout>) {
    let (mut lines, mut whole) = (output.lines(), String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        whole.push_str(&line);
        whole.push('\n');
        if !line.starts_with(['{', ' ']) {
            write(&whole).await;
            whole.clear();
        }
    }
    write(&whole).await;
}

/// It must read on even if nobody reads from us, or the other process would wait.
async fn write(text: &str) {
    let mut stdout = stdout();
    drop(stdout.write_all(text.as_bytes()).await);
    drop(stdout.flush().await);
}

const TRACING_NAME: &str = "AWS_XRAY_TRACING_NAME";
const PATIENCE: Duration = Duration::from_secs(5);
const HASTE: Duration = Duration::from_secs(1);
