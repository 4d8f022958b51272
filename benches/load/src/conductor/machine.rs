use std::{fs, thread::available_parallelism};

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};
use tokio::time::Instant;

use crate::account::{children_cpu_micros, cpu_micros};

/// What the machine's processors do, from a moment on.
#[derive(Debug)]
pub(super) struct Machine {
    since: Instant,
    busy_micros: u64,
    own_micros: u64,
}

// ===== impl Machine =====

impl Machine {
    pub(super) fn watch() -> Result<Self> {
        Ok(Self { since: Instant::now(), busy_micros: busy_micros()?, own_micros: own_micros()? })
    }

    /// The share of the processors that others than this process and its children took, from 0 to 1. The children must have
    /// ended.
    pub(super) fn others(&self) -> Result<f64> {
        let busy = busy_micros()?.saturating_sub(self.busy_micros);
        let own = own_micros()? - self.own_micros;
        let all = self.since.elapsed().as_micros() as f64 * available_parallelism()?.get() as f64;
        Ok(busy.saturating_sub(own) as f64 / all)
    }
}

fn own_micros() -> Result<u64> {
    Ok(cpu_micros()? + children_cpu_micros()?)
}

/// How long the processors have been busy, since the machine was started:
/// <https://docs.kernel.org/filesystems/proc.html#miscellaneous-kernel-statistics-in-proc-stat>.
fn busy_micros() -> Result<u64> {
    let statistics = fs::read_to_string("/proc/stat")?;
    let line = statistics.lines().next().context("/proc/stat is empty")?;
    let numbers = line.split_whitespace().skip(1).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = numbers[..] else {
        anyhow::bail!("/proc/stat has other columns: {line}")
    };
    let ticks = sysconf(SysconfVar::CLK_TCK)?.context("the system has no clock")?;
    Ok((user + nice + system + irq + softirq + steal) * 1_000_000 / u64::try_from(ticks)?)
}
