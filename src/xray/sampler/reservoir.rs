use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::time::Instant;

/// So many in each second, counted from its making. It is asked on all threads at once, and has no lock: who finds it empty
/// only reads.
#[derive(Debug)]
pub(super) struct Reservoir {
    most: u64,
    since: Instant,
    /// The current second, and in the lower half how many were taken in it.
    state: AtomicU64,
}

// ===== impl Reservoir =====

impl Reservoir {
    /// More than 2³² - 1 in a second are none.
    pub(super) fn new(most: u64) -> Self {
        Self { most: most.min(TAKEN), since: Instant::now(), state: AtomicU64::new(0) }
    }

    /// Takes one, if there is one left in this second.
    pub(super) fn take(&self) -> bool {
        self.most > 0 && self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let second = now.saturating_duration_since(self.since).as_secs();
        let take = |state: u64| {
            // Another thread may have read the clock later.
            let state = if second > state >> HALF { second << HALF } else { state };
            (state & TAKEN < self.most).then_some(state + 1)
        };
        self.state.fetch_update(Relaxed, Relaxed, take).is_ok()
    }
}

const HALF: u32 = 32;
const TAKEN: u64 = (1 << HALF) - 1;

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    fn taken(reservoir: &Reservoir, millis: impl IntoIterator<Item = u64>) -> usize {
        let at = |millis| reservoir.since + Duration::from_millis(millis);
        millis.into_iter().filter(|millis| reservoir.take_at(at(*millis))).count()
    }

    #[test]
    fn each_second_has_its_own_and_what_is_not_taken_in_one_is_gone() {
        for (most, expected) in [(0, 0), (1, 2), (10, 20)] {
            assert_eq!(taken(&Reservoir::new(most), (0..150).map(|at| 10 * at)), expected, "{most}");
        }
        assert_eq!(taken(&Reservoir::new(3), [60_000; 100]), 3);
    }

    #[test]
    fn a_clock_that_another_thread_read_earlier_takes_nothing_twice() {
        assert_eq!(taken(&Reservoir::new(1), [5_000, 0, 5_000]), 1);
    }

    #[test]
    fn a_reservoir_without_end_has_one_more_in_any_second() {
        assert_eq!(taken(&Reservoir::new(u64::MAX), (0..100).map(|at| 100 * at)), 100);
    }

    #[test]
    fn many_threads_take_as_many_as_there_are() {
        let reservoir = Reservoir::new(1_000);
        let now = reservoir.since;
        let some = || (0..500).filter(|_| reservoir.take_at(now)).count();
        let taken: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(some)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1_000);
    }
}
