//! What travels together.

use std::vec;

/// The records of one request, oldest first.
///
/// A destination may look at it, shrink it, and give what is left back in
/// [`SendError::Retry`](super::SendError::Retry). `R` is the record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch<R> {
    records: Vec<R>,
}

// ===== impl Batch =====

impl<R> Batch<R> {
    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing is left in it. An outbox never sends an empty batch.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records, oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, R> {
        self.records.iter()
    }

    /// Keeps the records that `keep` says yes to, for backends that accept a part.
    ///
    /// The records that it drops count as delivered once the rest is given back with
    /// [`SendError::Retry`](super::SendError::Retry).
    pub fn retain(&mut self, keep: impl FnMut(&R) -> bool) {
        self.records.retain(keep);
    }

    /// Keeps the oldest `records`.
    pub fn truncate(&mut self, records: usize) {
        self.records.truncate(records);
    }
}

impl<R> From<Vec<R>> for Batch<R> {
    fn from(records: Vec<R>) -> Self {
        Self { records }
    }
}

impl<R> FromIterator<R> for Batch<R> {
    fn from_iter<I: IntoIterator<Item = R>>(records: I) -> Self {
        Self { records: records.into_iter().collect() }
    }
}

impl<R> IntoIterator for Batch<R> {
    type Item = R;
    type IntoIter = vec::IntoIter<R>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a, R> IntoIterator for &'a Batch<R> {
    type Item = &'a R;
    type IntoIter = std::slice::Iter<'a, R>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
