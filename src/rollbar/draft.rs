use std::sync::Arc;

use bytes::Bytes;

use crate::outbox::Price;

/// An item on its way out: what was noted where it happened, to be written on a thread that may block.
pub(super) trait Draft: Send + Sync + 'static {
    /// About how many bytes it takes, in memory and as JSON. Cheap, and rather too large.
    fn size(&self) -> usize;

    /// What it costs, and what it is worth.
    fn price(&self) -> Price {
        Price::units(1).important()
    }

    /// The item as JSON, in at most so many bytes: with its stack resolved, and without secrets. It may take long; what it
    /// gave is kept for the next attempt.
    fn json(&self, most: usize) -> Bytes;
}

/// One that goes to several.
impl<D: Draft> Draft for Arc<D> {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn price(&self) -> Price {
        (**self).price()
    }

    fn json(&self, most: usize) -> Bytes {
        (**self).json(most)
    }
}
