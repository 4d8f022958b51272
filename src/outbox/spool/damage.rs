//! What the disk did not keep.

/// Records that were accepted and cannot be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Damage {
    /// How many they are, at least: those whose numbers are missing before one that is there.
    pub(crate) records: u64,
    /// How many bytes were skipped.
    pub(crate) bytes: u64,
}
