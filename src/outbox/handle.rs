//! The outbox, as its users hold it.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
use super::Sideline;
#[cfg(feature = "cloudwatch")]
use super::Unit;
use super::{Builder, Destination, Lane, Report, shutdown::Core};

/// The one way out of the process: a handle, cheap to clone.
///
/// Dropping the last one drains the lanes for a bounded time; see [the module](super#shutdown).
#[derive(Clone)]
#[must_use = "dropping the last handle shuts the outbox down"]
pub struct Outbox {
    owner: Arc<Owner>,
}

/// A handle that does not keep the outbox alive, for what lies at the other end of a lane.
#[derive(Clone)]
pub struct WeakOutbox {
    owner: Weak<Owner>,
}

/// What all handles share, and nothing else does: it is dropped with the last of them.
struct Owner {
    core: Arc<Core>,
    drop_limit: Duration,
}

// ===== impl Outbox =====

impl Outbox {
    /// What it runs on, and whom it tells.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(core: Arc<Core>, drop_limit: Duration) -> Self {
        Self { owner: Arc::new(Owner { core, drop_limit }) }
    }

    /// Opens a lane to `destination`. The name is what reports, events and logs call it; it need not be unique.
    ///
    /// It stays open until the shutdown, however many of its [`Lane`]s are left. A lane that is opened after the
    /// shutdown is closed from the start.
    pub fn lane<D: Destination>(&self, name: impl Into<Arc<str>>, destination: D) -> Lane<D::Record> {
        self.owner.core.lane(name.into(), destination)
    }

    /// A place for work beside the lanes. The name is what events and logs call it.
    #[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
    pub(crate) fn sideline(&self, name: &'static str) -> Sideline {
        self.owner.core.sideline(name.into())
    }

    /// How much of a unit may be used, if a budget bounds that.
    #[cfg(feature = "cloudwatch")]
    pub(crate) fn allowed(&self, unit: &Unit) -> Option<u64> {
        self.owner.core.allowed(unit)
    }

    /// A handle that does not keep the outbox alive.
    pub fn downgrade(&self) -> WeakOutbox {
        WeakOutbox { owner: Arc::downgrade(&self.owner) }
    }

    /// What became of everything so far.
    pub fn report(&self) -> Report {
        self.owner.core.report()
    }

    /// Sends what was pushed before this call, without waiting for company, and waits for it at most `limit`.
    ///
    /// `true` says that nothing of it is queued, on the disk or in flight any more. It may still have been lost: the
    /// [`report`](Self::report) knows. Works on any executor.
    pub async fn flush(&self, limit: Duration) -> bool {
        self.owner.core.flush(limit).await
    }

    /// [`flush`](Self::flush) for threads that may block.
    ///
    /// Inside a current-thread runtime it works as well, because the lanes run on a thread of their own; on
    /// [a runtime of yours](super#on-a-runtime-of-yours) that is different. Called from a destination or from the
    /// events it does not wait.
    pub fn flush_blocking(&self, limit: Duration) -> bool {
        self.owner.core.flush_blocking(limit)
    }

    /// Takes no more records, sends what is there, and gives up what is left after `limit`.
    ///
    /// The second one returns the report of the first. Of several at once, the shortest limit ends them all. If the
    /// future is dropped on its way the shutdown goes on by itself. Works on any executor.
    pub async fn shutdown(&self, limit: Duration) -> Report {
        self.owner.core.shutdown(limit).await
    }

    /// [`shutdown`](Self::shutdown) for threads that may block, with the exceptions of
    /// [`flush_blocking`](Self::flush_blocking): where it cannot wait, it gives up what is left at once.
    pub fn shutdown_blocking(&self, limit: Duration) -> Report {
        self.owner.core.shutdown_blocking(limit)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("report", &self.report()).finish_non_exhaustive()
    }
}

// ===== impl WeakOutbox =====

impl WeakOutbox {
    /// The outbox, while somebody else still holds it.
    pub fn upgrade(&self) -> Option<Outbox> {
        self.owner.upgrade().map(|owner| Outbox { owner })
    }
}

impl fmt::Debug for WeakOutbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakOutbox").finish_non_exhaustive()
    }
}

// ===== impl Owner =====

impl Drop for Owner {
    fn drop(&mut self) {
        self.core.shutdown_dropped(self.drop_limit);
    }
}
