//! The books of one lane.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::LaneReport;

/// Counts what came and what became of it.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    accepted: u64,
    delivered: u64,
    // These two are counted by `push`, so they are not looked up.
    overflowed: u64,
    closed: u64,
    lost: BTreeMap<Cow<'static, str>, u64>,
}

pub(super) const OVERFLOW: &str = "overflow";
pub(super) const CLOSED: &str = "closed";
pub(super) const SHUTDOWN: &str = "shutdown";
pub(super) const EXPIRED: &str = "expired";
pub(super) const PANIC: &str = "panic";
pub(super) const BUDGET: &str = "budget";

// ===== impl Ledger =====

impl Ledger {
    pub(super) fn accept(&mut self, records: usize) {
        self.accepted += records as u64;
    }

    /// Records that another outbox had accepted.
    #[cfg(feature = "spool")]
    pub(super) fn adopt(&mut self, records: u64) {
        self.accepted += records;
    }

    pub(super) fn deliver(&mut self, records: usize) {
        self.delivered += records as u64;
    }

    pub(super) fn overflow(&mut self, records: usize) {
        self.overflowed += records as u64;
    }

    pub(super) fn turn_away(&mut self) {
        self.accepted += 1;
        self.closed += 1;
    }

    pub(super) fn lose(&mut self, records: usize, reason: Cow<'static, str>) {
        if records == 0 {
            return;
        }
        let reason = if self.has_room_for(&reason) { reason } else { Cow::Borrowed(OTHER) };
        *self.lost.entry(reason).or_default() += records as u64;
    }

    pub(super) fn report(&self, name: Arc<str>, waiting: usize, spooled: u64) -> LaneReport {
        let Self { accepted, delivered, overflowed, closed, ref lost } = *self;
        let mut lost = lost.clone();
        for (reason, records) in [(OVERFLOW, overflowed), (CLOSED, closed)] {
            if records > 0 {
                *lost.entry(Cow::Borrowed(reason)).or_default() += records;
            }
        }
        LaneReport { name, accepted, delivered, lost, waiting: waiting as u64, spooled }
    }

    fn has_room_for(&self, reason: &str) -> bool {
        let theirs = self.lost.keys().filter(|known| !OURS.contains(&known.as_ref())).count();
        theirs < MOST_REASONS || OURS.contains(&reason) || self.lost.contains_key(reason)
    }
}

const OTHER: &str = "other";
const OURS: [&str; 7] = [OVERFLOW, CLOSED, SHUTDOWN, EXPIRED, PANIC, BUDGET, OTHER];

/// A backend that puts a request id into its reasons must not grow the books without end.
const MOST_REASONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_beyond_the_bound_are_folded_and_still_counted() {
        let mut ledger = Ledger::default();
        for number in 0..100 {
            ledger.accept(1);
            ledger.lose(1, format!("http {number}").into());
        }
        ledger.accept(1);
        ledger.lose(1, EXPIRED.into());

        let report = ledger.report("spans".into(), 0, 0);
        assert_eq!(report.lost["other"], 84);
        assert_eq!(report.lost["expired"], 1);
        assert_eq!(report.lost(), 101);
        assert_eq!(report.lost.len(), MOST_REASONS + 2);
    }

    #[test]
    fn a_backend_may_use_a_word_of_ours() {
        let mut ledger = Ledger::default();
        ledger.accept(1);
        ledger.overflow(1);
        ledger.accept(1);
        ledger.lose(1, OVERFLOW.into());
        assert_eq!(ledger.report("spans".into(), 0, 0).lost["overflow"], 2);
    }
}
