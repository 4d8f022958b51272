//! What events cost, which is known once they are written.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use super::piece::OVERHEAD;
use crate::{
    cloudwatch::lane::Entry,
    outbox::{Tariff, Unit},
};

/// By how many bytes the events that were sent are longer than it was thought when they were paid for. Later ones pay for it,
/// or are cheaper.
#[derive(Clone, Debug, Default)]
pub(super) struct Tab {
    open: Arc<AtomicI64>,
}

// ===== impl Tab =====

impl Tab {
    /// What entries cost, and how they are told what they stand for.
    pub(super) fn tariff(&self) -> Tariff<Entry> {
        let tab = self.clone();
        Tariff::new(Unit::LOG_BYTES, move |entry: &Entry| {
            entry.draft.worth().plus(tab.settle(estimate(entry)))
        })
        .requests(Unit::LOG_REQUESTS)
        .weigh(|entry, weight| entry.weight = entry.weight.saturating_mul(weight))
    }

    /// These entries were taken, with so many bytes of text.
    pub(super) fn add(&self, entries: &[Entry], bytes: usize) {
        let estimated: u64 = entries.iter().map(estimate).sum();
        let bytes = (bytes + entries.len() * OVERHEAD) as u64;
        self.open.fetch_add(bytes.cast_signed().wrapping_sub(estimated.cast_signed()), Relaxed);
    }

    /// What something costs that is thought to cost so much: it pays what is open, or has it paid from what is left over.
    fn settle(&self, estimated: u64) -> u64 {
        let due = estimated.cast_signed().saturating_add(self.open.swap(0, Relaxed));
        self.open.fetch_add(due.min(0), Relaxed);
        due.max(0).cast_unsigned()
    }
}

fn estimate(entry: &Entry) -> u64 {
    (entry.draft.size() + OVERHEAD) as u64
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::cloudwatch::LogEvent;

    #[test]
    fn what_was_paid_is_in_the_end_what_was_sent() {
        let entry = |length| Entry {
            draft: Arc::new(LogEvent::new(SystemTime::UNIX_EPOCH, "x".repeat(length))).into(),
            stream: Arc::default(),
            weight: 1,
        };
        let (tab, mut paid, mut sent) = (Tab::default(), 0, 0);
        for length in (0..2_000).chain((0..2_000).rev()) {
            // The text has turned out to be a third of what was thought, or half as much again.
            let entry = entry(length);
            let written = if length % 7 == 0 { length * 3 / 2 } else { length / 3 };
            paid += tab.settle(estimate(&entry));
            sent += (written + OVERHEAD) as u64;
            tab.add(&[entry], written);
        }
        assert!(paid.abs_diff(sent) < 4_000, "{paid} for {sent}");
    }
}
