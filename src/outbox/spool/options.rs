//! How much a log takes of the disk, and how sure it is.

use std::time::Duration;

/// What bounds a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    /// How many bytes a segment has. 8 MiB unless told; at most a quarter of `bytes`.
    pub(crate) segment: u64,
    /// How many bytes all files of the log take. The oldest segment goes first. 1 GiB unless told.
    pub(crate) bytes: u64,
    /// How old a record may be when it is read. Unless told, as old as it is.
    pub(crate) age: Option<Duration>,
    /// What an accepted record survives.
    pub(crate) sync: Sync,
}

/// When `fdatasync` is called.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Sync {
    /// Never, but for the cursor. The process may die at any time; the machine may not.
    #[default]
    No,
    /// So long after the first write that was not synced, if the caller calls `tick` by then. A power cut costs what was
    /// accepted since.
    Every(Duration),
    /// Before a record counts as accepted.
    Each,
}

// ===== impl Options =====

impl Default for Options {
    fn default() -> Self {
        Self { segment: 8 << 20, bytes: 1 << 30, age: None, sync: Sync::No }
    }
}

impl Options {
    /// How long a segment may be.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment.min(self.bytes / 4).max(1)
    }
}
