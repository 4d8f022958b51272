use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{SpanId, TraceId};

/// Which segment of X-Ray an exchange is, be it recorded or not.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) trace_id: TraceId,
    pub(crate) id: SpanId,
    pub(crate) is_recorded: bool,
    is_over: AtomicBool,
}

// ===== impl Place =====

impl Place {
    pub(crate) fn new(trace_id: TraceId, id: SpanId, is_recorded: bool) -> Self {
        Self { trace_id, id, is_recorded, is_over: AtomicBool::new(false) }
    }

    /// Notes that the exchange is over. Whoever [makes](super::Scope::make) something for it sees that, if whoever ends it
    /// asks for what was [made](super::Scope::made) after this.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Relaxed);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}
