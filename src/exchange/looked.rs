use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What was found when something was last looked at: most is looked at by each backend, for the same scrubber.
#[derive(Debug, Default)]
pub(super) struct Looked(AtomicU64);

// ===== impl Looked =====

impl Looked {
    /// 0 before the first look.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, found: u64) {
        self.0.store(found, Relaxed);
    }
}

/// Nothing is known of what may be changed.
impl Clone for Looked {
    fn clone(&self) -> Self {
        Self::default()
    }
}
