//! What the outbox says about itself.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Reason;

/// Something happened to records on their way out. For dashboards of your own; the logs have it too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OutboxEvent {
    /// The backend took records.
    #[non_exhaustive]
    Sent {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many it took.
        records: usize,
        /// How often they had been sent, this time included.
        attempts: u32,
    },
    /// A batch will be tried again.
    #[non_exhaustive]
    Retrying {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many records are left of the batch.
        records: usize,
        /// How often it has been sent.
        attempts: u32,
        /// How long it waits before the next try.
        wait: Duration,
        /// Why it did not arrive.
        reason: Reason,
    },
    /// The backend refused records for good, and they are lost; or it took all of them and warns.
    #[non_exhaustive]
    Rejected {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many are lost. Zero is a warning; that the records were sent is told after it.
        records: usize,
        /// Why.
        reason: Reason,
    },
    /// The lane was full, and the oldest records made room. They are lost. Told at most once a second.
    #[non_exhaustive]
    Overflowed {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many were lost since the lane last said so.
        records: usize,
    },
    /// The [budget](super::Budget) does not reach for all records, and some were left out. Told at most once in ten seconds.
    #[non_exhaustive]
    Thinned {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many were left out since the lane last said so.
        records: usize,
        /// Of how many one was kept in that time, all together. Zero: of any.
        one_in: u64,
        /// Which budget it is, with what was kept of what, and until when, as the detail.
        reason: Reason,
    },
    /// A batch was retried for too long. It is lost.
    #[non_exhaustive]
    Expired {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many records it had.
        records: usize,
        /// Why the last try failed.
        reason: Reason,
    },
    /// The destination panicked with a batch. It is lost.
    #[non_exhaustive]
    Panicked {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many records it had.
        records: usize,
        /// The panic's message, as the detail.
        reason: Reason,
    },
    /// The shutdown reached its limit. What was still waiting or in flight is lost.
    #[non_exhaustive]
    Abandoned {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many were left.
        records: usize,
    },
    /// Records are on the disk now: they survive the end of the process.
    #[non_exhaustive]
    Spooled {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many.
        records: usize,
    },
    /// What others had left on the disk for this lane will be sent by it.
    #[non_exhaustive]
    Adopted {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many records it was.
        records: u64,
    },
    /// The disk does not take records. They are kept in memory, and the disk is tried again.
    #[non_exhaustive]
    SpoolFailed {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many records it did not take. Zero says that it took them, and could not be synced in time.
        records: usize,
        /// Why.
        reason: Reason,
    },
    /// Records that were on the disk are lost.
    #[non_exhaustive]
    SpoolLost {
        /// The name of the lane.
        lane: Arc<str>,
        /// How many.
        records: u64,
        /// Why: see [what is lost, and when](super#what-is-lost-and-when).
        reason: Reason,
    },
    /// What runs beside the lanes, such as the polling of sampling rules, has failed. It goes on, and no record is lost.
    #[non_exhaustive]
    Failed {
        /// What failed, named as a lane is.
        lane: Arc<str>,
        /// How often it has failed, this time included.
        failures: u64,
        /// Why.
        reason: Reason,
    },
}

/// The user's closure.
pub(super) type Events = Arc<dyn Fn(&OutboxEvent) + Send + Sync>;

/// Tells the user's closure and the log. It is never called under a lock.
pub(super) struct Reporter {
    lane: Arc<str>,
    events: Option<Events>,
    silence: Mutex<Silence>,
}

/// When the lane last warned, and how many warnings it has kept to itself since.
#[derive(Default)]
struct Silence {
    since: Option<Instant>,
    folded: u64,
}

// ===== impl OutboxEvent =====

impl OutboxEvent {
    /// The name of the lane that it is about.
    pub fn lane(&self) -> &str {
        match self {
            Self::Sent { lane, .. }
            | Self::Retrying { lane, .. }
            | Self::Rejected { lane, .. }
            | Self::Overflowed { lane, .. }
            | Self::Thinned { lane, .. }
            | Self::Expired { lane, .. }
            | Self::Panicked { lane, .. }
            | Self::Abandoned { lane, .. }
            | Self::Spooled { lane, .. }
            | Self::Adopted { lane, .. }
            | Self::SpoolFailed { lane, .. }
            | Self::SpoolLost { lane, .. }
            | Self::Failed { lane, .. } => lane,
        }
    }
}

impl OutboxEvent {
    /// Whether it is no news for who reads the log.
    fn is_quiet(&self) -> bool {
        match self {
            Self::Sent { .. } | Self::Spooled { .. } | Self::Adopted { .. } => true,
            Self::Retrying { reason, .. } => reason.is_told(),
            _ => false,
        }
    }
}

impl fmt::Display for OutboxEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { records, .. } => write!(f, "sent {records} records"),
            Self::Retrying { records, wait, reason, .. } => {
                write!(f, "trying {records} records again in {} ms: {reason}", wait.as_millis())
            }
            Self::Rejected { records: 0, reason, .. } => write!(f, "the backend warns: {reason}"),
            Self::Rejected { records, reason, .. } => write!(f, "lost {records} records, rejected: {reason}"),
            Self::Overflowed { records, .. } => write!(f, "lost {records} records, the lane was full"),
            Self::Thinned { records, reason, .. } => write!(f, "left out {records} records, {reason}"),
            Self::Expired { records, reason, .. } => {
                write!(f, "lost {records} records, retried for too long: {reason}")
            }
            Self::Panicked { records, reason, .. } => {
                write!(f, "lost {records} records, the destination panicked: {reason}")
            }
            Self::Abandoned { records, .. } => {
                write!(f, "lost {records} records, the shutdown did not wait longer")
            }
            Self::Spooled { records, .. } => write!(f, "{records} records are on the disk"),
            Self::Adopted { records, .. } => write!(f, "found {records} records on the disk, left by others"),
            Self::SpoolFailed { records: 0, reason, .. } => {
                write!(f, "what is on the disk would not survive a power cut: {reason}")
            }
            Self::SpoolFailed { records, reason, .. } => {
                write!(f, "the disk did not take {records} records, they stay in memory: {reason}")
            }
            Self::SpoolLost { records, reason, .. } => {
                write!(f, "lost {records} records that were on the disk: {reason}")
            }
            Self::Failed { failures, reason, .. } => write!(f, "failed, {failures} times by now: {reason}"),
        }
    }
}

// ===== impl Reporter =====

impl Reporter {
    pub(super) fn new(lane: Arc<str>, events: Option<Events>) -> Self {
        Self { lane, events, silence: Mutex::default() }
    }

    /// Makes an event of the lane's name and tells it. What the user's closure or subscriber does with it, a panic
    /// included, stays there.
    pub(super) fn tell(&self, event: impl FnOnce(Arc<str>) -> OutboxEvent) {
        let event = event(self.lane.clone());
        // Apart, so that a closure that panics does not cost the log line.
        let _ = catch_unwind(AssertUnwindSafe(|| self.log(&event)));
        if let Some(events) = &self.events {
            let _ = catch_unwind(AssertUnwindSafe(|| events(&event)));
        }
    }

    fn log(&self, event: &OutboxEvent) {
        let lane = &*self.lane;
        if event.is_quiet() {
            tracing::debug!(target: TARGET, lane, "{event}");
        } else if let Some(folded) = self.break_silence(event) {
            tracing::warn!(target: TARGET, lane, folded, "{event}");
        }
    }

    /// Whether a warning is due, and how many were folded into it.
    fn break_silence(&self, event: &OutboxEvent) -> Option<u64> {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_last_word = matches!(event, OutboxEvent::Abandoned { .. });
        if !is_last_word && silence.since.is_some_and(|since| now.duration_since(since) < SILENCE) {
            silence.folded += 1;
            return None;
        }
        let Silence { folded, .. } =
            std::mem::replace(&mut *silence, Silence { since: Some(now), folded: 0 });
        Some(folded)
    }
}

const TARGET: &str = "belvedere::outbox";

/// A dead backend fails many times a second; a person needs to read it once.
const SILENCE: Duration = Duration::from_secs(10);
