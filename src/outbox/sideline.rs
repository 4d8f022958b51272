//! What runs beside the lanes.

use std::{fmt, sync::Arc};

#[cfg(feature = "xray")]
use super::{OutboxEvent, Reason};
use super::{event::Reporter, shutdown::Core};

/// A place for work that brings something in, such as polling. It does not keep the outbox alive.
#[derive(Clone)]
pub(crate) struct Sideline {
    core: Arc<Core>,
    #[cfg_attr(not(feature = "xray"), allow(dead_code, reason = "that is X-Ray"))]
    reporter: Arc<Reporter>,
}

// ===== impl Sideline =====

impl Sideline {
    pub(super) fn new(core: Arc<Core>, reporter: Reporter) -> Self {
        Self { core, reporter: Arc::new(reporter) }
    }

    /// Runs `work` without telemetry until it ends or a shutdown begins, which drops it and does not wait for it. After
    /// a shutdown nothing runs.
    ///
    /// It shares the thread with the lanes, so it must not block.
    pub(crate) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.core.run(work);
    }

    /// Has `words` said when a shutdown begins, while the lanes still take records. They must not block.
    #[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
    pub(crate) fn at_end(&self, words: impl FnOnce() + Send + 'static) {
        self.core.at_end(Box::new(words));
    }

    /// Tells that it has failed, for the `failures`th time.
    #[cfg(feature = "xray")]
    pub(crate) fn failed(&self, failures: u64, reason: Reason) {
        self.reporter.tell(|lane| OutboxEvent::Failed { lane, failures, reason });
    }
}

impl fmt::Debug for Sideline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sideline").finish_non_exhaustive()
    }
}
