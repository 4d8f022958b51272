//! What some threads have pushed and the queue does not have yet.

/// A part of the inbox. It lives behind a mutex of its own, and holds no more than its [`Share`]. `R` is the record.
///
/// Like the queue, it calls, clones and drops no record (invariant Q4).
#[derive(Debug)]
pub(super) struct Shard<R> {
    pub(super) records: Vec<(R, usize)>,
    pub(super) bytes: usize,
    share: Share,
}

/// What one shard may hold: whoever makes it as much as this takes it to the queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Share {
    records: usize,
    bytes: usize,
}

/// What a push to a shard asks of its caller, once the lock is free.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// Nothing.
    Among,
    /// It is the first one: a worker that sleeps must look.
    First,
    /// The shard has its share: it is to be taken to the queue.
    Last,
}

// ===== impl Shard =====

impl<R> Shard<R> {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), bytes: 0, share: Share::NONE }
    }

    /// Whether it may hold anything.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.share != Share::NONE
    }

    /// Takes a record with its size. It must be open.
    #[inline]
    pub(super) fn push(&mut self, record: (R, usize)) -> Left {
        if self.records.capacity() == 0 {
            // All that it will need: growing would copy what is there, for one pusher or another.
            self.records.reserve_exact(self.share.records);
        }
        self.bytes = self.bytes.saturating_add(record.1);
        self.records.push(record);
        match self.records.len() {
            records if records >= self.share.records || self.bytes >= self.share.bytes => Left::Last,
            1 => Left::First,
            _ => Left::Among,
        }
    }

    /// What it may hold from now on. It must be empty.
    pub(super) fn grant(&mut self, share: Share) {
        self.share = share;
    }
}

// ===== impl Share =====

impl Share {
    /// Of nothing.
    pub(super) const NONE: Self = Self { records: 0, bytes: 0 };

    /// Of so much, rounded down to powers of two: what is granted anew is told to every shard, so it should seldom
    /// change. A share of one record is none: its push would go on to the queue anyway.
    pub(super) fn of(records: usize, bytes: usize, shards: usize) -> Self {
        match (power(records / shards), power(bytes / shards)) {
            (0 | 1, _) | (_, 0) => Self::NONE,
            (records, bytes) => Self { records, bytes },
        }
    }

    /// Whether it is no more than `other`.
    pub(super) fn is_within(self, other: Self) -> bool {
        self.records <= other.records && self.bytes <= other.bytes
    }
}

/// The largest power of two that is not larger.
fn power(number: usize) -> usize {
    number.checked_ilog2().map_or(0, |power| 1 << power)
}
