use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// What wrk asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Script {
    /// One request again and again.
    Plain,
    /// All kinds in turn.
    Mixed,
}

/// What wrk tells of a run. Times are microseconds.
#[derive(Debug, Deserialize)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) micros: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    /// How many responses had a status from 400 on.
    pub(crate) statuses: u64,
    /// How many connections, reads and writes failed, or took too long.
    pub(crate) broken: u64,
}

// ===== impl Script =====

impl Script {
    /// Runs wrk: as many requests as 64 connections take.
    ///
    /// # Errors
    ///
    /// When it cannot be run, or anything broke.
    pub(crate) fn run(self, port: u16, length: Duration) -> Result<Tally> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrk");
        let mut command = Command::new("wrk");
        command.args(["-t1", "-c64", "-s", self.file()]).arg(format!("-d{}s", length.as_secs()));
        let output = command.arg(format!("http://127.0.0.1:{port}")).current_dir(folder).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk ended with {}: {text}", output.status);
        let line = text.lines().last().context("wrk told nothing")?;
        let tally: Tally = serde_json::from_str(line).with_context(|| format!("wrk told: {text}"))?;
        ensure!(tally.broken == 0, "requests broke: {tally:?}");
        Ok(tally)
    }

    fn file(self) -> &'static str {
        match self {
            Self::Plain => "plain.lua",
            Self::Mixed => "mixed.lua",
        }
    }
}

// ===== impl Tally =====

impl Tally {
    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.micros as f64 * 1e6
    }
}
