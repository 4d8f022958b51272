use std::sync::Arc;

use super::Item;

/// An item on its way out: what was noted where it happened, to be finished on a thread that may block.
pub(super) trait Draft: Send + Sync + 'static {
    /// About how many bytes it takes, in memory and as JSON. Cheap, and rather too large.
    fn size(&self) -> usize;

    /// The item: with its stack resolved, and without secrets. It may take long, and is called once for each attempt.
    fn finish(&self) -> Item;
}

/// One that goes to several.
impl<D: Draft> Draft for Arc<D> {
    fn size(&self) -> usize {
        (**self).size()
    }

    fn finish(&self) -> Item {
        (**self).finish()
    }
}
