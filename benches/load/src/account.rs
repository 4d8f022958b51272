use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::backend::{Backend, Each};

/// What a server says of itself when it ends.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Account {
    /// How many requests its handlers have seen.
    pub(crate) exchanges: u64,
    /// What the process took of the processors, in user and in kernel, until all was sent.
    pub(crate) cpu_micros: u64,
    /// How long it took to send what was still there when the last connection was closed.
    pub(crate) drain_millis: u64,
    pub(crate) lanes: Vec<Lane>,
}

/// What became of the records for a backend.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Lane {
    pub(crate) backend: Backend,
    /// How many there were.
    pub(crate) accepted: u64,
    /// How many of those were lost, as the server knows.
    pub(crate) lost: u64,
}

/// What the sinks say of themselves when they end.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Received {
    /// How many records each backend got.
    pub(crate) records: Each<u64>,
    /// What the process took of the processors, until all was received; reading it does not count.
    pub(crate) cpu_micros: u64,
}

/// The time that this process had of the processors, in microseconds.
pub(crate) fn cpu_micros() -> Result<u64> {
    micros(UsageWho::RUSAGE_SELF)
}

/// The time that those had which it has started and waited for, in microseconds.
pub(crate) fn children_cpu_micros() -> Result<u64> {
    micros(UsageWho::RUSAGE_CHILDREN)
}

fn micros(of: UsageWho) -> Result<u64> {
    let usage = getrusage(of)?;
    let micros =
        [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(u64::try_from(micros.iter().sum::<i64>())?)
}
