use std::time::SystemTime;

use tokio::time::Instant;

/// The time of day that does not jump: what it was when the process began to look, and what has passed since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: SystemTime,
    since: Instant,
}

// ===== impl Clock =====

impl Clock {
    pub(crate) fn new() -> Self {
        Self::at(SystemTime::now())
    }

    /// One by which it is this time.
    pub(super) fn at(began: SystemTime) -> Self {
        Self { began, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.began.checked_add(self.since.elapsed()).unwrap_or(self.began)
    }
}
