use std::time::Duration;

use tokio::time::Instant;

/// What was taken in the current second. Seconds are counted from its making.
#[derive(Debug)]
pub(super) struct Window {
    since: Instant,
    taken: u64,
    has_borrowed: bool,
}

// ===== impl Window =====

impl Window {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), taken: 0, has_borrowed: false }
    }

    /// Takes one, if less than `most` were taken in this second.
    pub(super) fn take(&mut self, most: u64, now: Instant) -> bool {
        self.turn(now);
        let may = self.taken < most;
        self.taken += u64::from(may);
        may
    }

    /// Borrows the one of this second.
    pub(super) fn borrow(&mut self, now: Instant) -> bool {
        self.turn(now);
        !std::mem::replace(&mut self.has_borrowed, true)
    }

    fn turn(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            *self = Self { since: self.since + Duration::from_secs(seconds), taken: 0, has_borrowed: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own() {
        let mut window = Window::new();
        let start = window.since;
        for (most, half_seconds, expected) in [(1, 3, 2), (10, 3, 20), (0, 9, 0)] {
            window = Window { since: start, taken: 0, has_borrowed: false };
            let moments = (0..half_seconds * 50).map(|at| start + Duration::from_millis(10 * at));
            assert_eq!(moments.filter(|now| window.take(most, *now)).count(), expected, "{most}");
        }
    }

    #[test]
    fn what_is_not_taken_in_a_second_is_gone() {
        let mut window = Window::new();
        let later = window.since + Duration::from_secs(60);
        assert_eq!((0..100).filter(|_| window.take(3, later)).count(), 3);
    }

    #[test]
    fn one_is_borrowed_a_second() {
        let mut window = Window::new();
        let at = |millis| window.since + Duration::from_millis(millis);
        let moments = [0, 1, 999, 1000, 1001, 2999, 3000].map(at);
        assert_eq!(moments.map(|now| window.borrow(now)), [true, false, false, true, false, true, true]);
    }

    #[test]
    fn a_clock_that_another_thread_read_earlier_takes_nothing_twice() {
        let mut window = Window::new();
        let (earlier, later) = (window.since, window.since + Duration::from_secs(5));
        assert!(window.take(1, later) && !window.take(1, earlier) && !window.take(1, later));
    }
}
