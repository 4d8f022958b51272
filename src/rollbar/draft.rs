use std::sync::Arc;

use super::Item;
use crate::outbox::Price;

/// An item on its way out: what was noted where it happened, to be finished on a thread that may block.
pub(super) trait Draft: Send + Sync + 'static {
    /// About how many bytes it takes, in memory and as JSON. Cheap, and rather too large.
    fn size(&self) -> usize;

    /// What it costs, and what it is worth.
    fn price(&self) -> Price {
        Price::units(1).important()
    }

    /// The item: with its stack resolved, and without secrets. It may take long, and is called once for each attempt.
    fn finish(&self) -> Item;
}

/// One that goes to several.
impl<D: Draft> Draft for Arc<D> {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn price(&self) -> Price {
        (**self).price()
    }

    fn finish(&self) -> Item {
        (**self).finish()
    }
}
