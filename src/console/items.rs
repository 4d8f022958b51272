//! The items of a trace, in the order in which they came.

use crate::console::id::TraceId;
use crate::console::item::{Item, Level};

#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
    /// How many bytes their texts have.
    bytes: usize,
}

// ===== impl Items =====

impl Items {
    pub(super) fn has(&self, id: TraceId) -> bool {
        self.iter().any(|item| item.head.id == id)
    }

    pub(super) fn has_room_for(&self, item: &Item) -> bool {
        self.items.len() < ITEMS && self.bytes + item.text().len() <= BYTES
    }

    pub(super) fn insert(&mut self, item: Item) {
        self.bytes += item.text().len();
        self.items.push(item);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.items.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The worst of their levels.
    pub(super) fn worst(&self) -> Option<Level> {
        self.iter().map(|item| item.head.level).max()
    }
}

const ITEMS: usize = 100;
const BYTES: usize = 4 << 20;
