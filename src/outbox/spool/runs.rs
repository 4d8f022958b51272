use std::collections::VecDeque;

/// The numbers of the records of a log, the oldest first. That of a record may be told too low, and never too high: who
/// waits for all below a number is not told too early.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: VecDeque<Run>,
    records: u64,
}

/// Records whose numbers follow each other, or are higher than that.
#[derive(Debug)]
struct Run {
    first: u64,
    records: u64,
}

// ===== impl Runs =====

impl Runs {
    /// Records that are newer than all others.
    pub(super) fn add(&mut self, first: u64, records: u64) {
        self.records += records;
        let is_full = self.runs.len() >= MOST;
        match self.runs.back_mut().filter(|last| is_full || last.first + last.records == first) {
            Some(last) => last.records += records,
            None => self.runs.push_back(Run { first, records }),
        }
    }

    /// Records that are older than all others.
    pub(super) fn put_back(&mut self, first: u64, records: u64) {
        self.records += records;
        self.runs.push_front(Run { first, records });
    }

    /// All but the newest so many are gone.
    pub(super) fn leave(&mut self, records: u64) {
        while self.records > records
            && let Some(oldest) = self.runs.front_mut()
        {
            let gone = oldest.records.min(self.records - records);
            oldest.first += gone;
            oldest.records -= gone;
            self.records -= gone;
            if oldest.records == 0 {
                self.runs.pop_front();
            }
        }
    }

    /// The number of the oldest.
    pub(super) fn first(&self) -> Option<u64> {
        self.runs.front().map(|run| run.first)
    }
}

const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_too_high() {
        let mut runs = Runs::default();
        runs.add(51, 5);
        runs.add(56, 10);
        runs.add(66, 1);
        runs.add(87, 1);
        let mut numbers: Vec<_> = (51..=66).chain([87]).collect();
        for left in (0..17).rev() {
            assert_eq!(runs.first(), Some(numbers.remove(0)));
            runs.leave(left);
        }
        assert_eq!(runs.first(), None);
    }

    #[test]
    fn what_comes_back_is_the_oldest() {
        let mut runs = Runs::default();
        runs.add(10, 5);
        runs.leave(2);
        runs.put_back(10, 3);
        assert_eq!(runs.first(), Some(10));
        runs.leave(2);
        assert_eq!(runs.first(), Some(13));
    }

    #[test]
    fn gaps_without_end_take_no_more_room() {
        let mut runs = Runs::default();
        (0..1_000_000).for_each(|number| runs.add(number * 2, 1));
        assert!(runs.runs.len() <= MOST);
        runs.leave(1);
        assert!(runs.first().is_some_and(|first| first <= 1_999_998));
    }
}
