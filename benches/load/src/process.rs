//! A process of this program: it tells in a line of JSON that it is ready, and in another, when it is to end, what it did.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _, stdout},
    marker::PhantomData,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::signal::unix::{SignalKind, signal};

/// A child, which tells `R` when it ends.
#[derive(Debug)]
pub(crate) struct Process<R> {
    child: Child,
    told: BufReader<ChildStdout>,
    report: PhantomData<fn() -> R>,
}

// ===== impl Process =====

impl<R: DeserializeOwned> Process<R> {
    /// Starts this program with these arguments, and waits until it is ready: what it told.
    pub(crate) fn start<T: DeserializeOwned>(arguments: &[&str]) -> Result<(Self, T)> {
        let mut command = Command::new(env::current_exe()?);
        let mut child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let told = BufReader::new(child.stdout.take().context("it is piped")?);
        let mut process = Self { child, told, report: PhantomData };
        let ready = process.line()?;
        Ok((process, ready))
    }

    /// Ends it: what it did.
    pub(crate) fn end(mut self) -> Result<R> {
        kill(Pid::from_raw(self.child.id().try_into()?), Signal::SIGTERM)?;
        let report = self.line()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(report)
    }

    fn line<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("it told: {line:?}"))
    }
}

impl<R> Drop for Process<R> {
    fn drop(&mut self) {
        // It has ended already, unless something has gone wrong.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Tells the parent.
pub(crate) fn tell(what: &impl Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stdout().write_all(&line)?;
    Ok(stdout().flush()?)
}

/// Waits until this process is to end.
pub(crate) async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => _ = signal.recv().await,
        Err(error) => eprintln!("it cannot be told to end: {error}"),
    }
}
