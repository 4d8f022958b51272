use std::{error::Error, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::{
    records::Records,
    sink::Sink,
    variants::{BURST, Variant},
};

/// A process that serves one variant.
#[derive(Debug)]
pub struct Process {
    variant: &'static Variant,
    sink: Arc<Sink>,
    child: Child,
    orders: ChildStdin,
    answers: mpsc::UnboundedReceiver<u64>,
}

// ===== impl Process =====

impl Process {
    /// Starts it, as the last arguments of `command`.
    pub fn start(
        mut command: Command,
        variant: &'static Variant,
        sink: &Arc<Sink>,
    ) -> Result<Self, BoxError> {
        command.arg("serve").arg(variant.name).envs(sink.sinks.variables());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (said, answers) = mpsc::unbounded_channel();
        tokio::spawn(listen(output.expect("a piped output"), said, sink.clone()));
        Ok(Self { variant, sink: sink.clone(), child, orders: orders.expect("a piped input"), answers })
    }

    /// What was measured of a burst. All its records have arrived.
    pub async fn burst(&mut self) -> Result<u64, BoxError> {
        let before = self.sink.taken();
        self.orders.write_all(b"\n").await?;
        let answer = timeout(PATIENCE, self.answers.recv()).await;
        let measured =
            answer.ok().flatten().ok_or_else(|| format!("{} does not answer", self.variant.name))?;
        self.arrival(before).await?;
        Ok(measured)
    }

    /// Lets it send what it has, and end.
    pub async fn end(self) -> Result<(), BoxError> {
        let Self { variant, sink: _, mut child, orders, answers: _answers } = self;
        drop(orders);
        let status = timeout(PATIENCE, child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", variant.name).into()) }
    }

    async fn arrival(&self, before: Records) -> Result<(), BoxError> {
        let Variant { name, records, .. } = self.variant;
        let expected = *records * BURST as u64;
        let deadline = Instant::now() + PATIENCE;
        while self.sink.taken() - before != expected {
            if Instant::now() > deadline {
                return Err(format!("{name}: {} arrived of {expected}", self.sink.taken() - before).into());
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }
}

pub type BoxError = Box<dyn Error + Send + Sync>;

/// A program beside this one.
pub fn beside(name: &str) -> Result<PathBuf, BoxError> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// Lines of a logger are records; others are answers.
async fn listen(output: ChildStdout, said: mpsc::UnboundedSender<u64>, sink: Arc<Sink>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.starts_with('{') {
            sink.line();
        } else if let Ok(measured) = line.parse() {
            said.send(measured).unwrap_or_default();
        }
    }
}

// Callgrind on a machine that others use may take minutes for a burst.
const PATIENCE: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(2);
