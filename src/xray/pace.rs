//! How fast datagrams may follow each other.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Says when the next datagram may go, so that no more than a receiver can hold are ever on their way to it.
///
/// Two bounds slide along with time: at most `burst` datagrams in any `rest`, and at most `room` bytes of a socket's
/// receive buffer in any [`READ_WITHIN`].
#[derive(Debug)]
pub(super) struct Pace {
    burst: usize,
    rest: Duration,
    room: usize,
    /// When each of the last datagrams went, and what room it took.
    sent: VecDeque<(Instant, usize)>,
    /// What room they take together.
    taken: usize,
}

// ===== impl Pace =====

impl Pace {
    /// At most `burst` at once, and `per_second` in the long run; see [`Daemon::pace`](super::Daemon::pace).
    pub(super) fn new(burst: usize, per_second: usize, receive_buffer: usize) -> Self {
        let burst = burst.clamp(1, MOST_AT_ONCE);
        let rest = Duration::from_secs_f64(burst as f64 / per_second.max(1) as f64);
        let room = receive_buffer / 8 * 5;
        Self { burst, rest, room, sent: VecDeque::new(), taken: 0 }
    }

    /// When a datagram of `bytes` may go, if it may not go now.
    pub(super) fn due(&mut self, bytes: usize) -> Option<Instant> {
        if self.sent.len() < self.burst.min(MANY) && self.taken + footprint(bytes) <= self.room {
            return None;
        }
        let now = Instant::now();
        self.forget(now);
        let due = self.due_by_count().max(self.due_by_bytes(bytes))?;
        (due > now).then_some(due)
    }

    /// A datagram of `bytes` has gone.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent.push_back((Instant::now(), footprint(bytes)));
        self.taken += footprint(bytes);
    }

    /// Forgets what was sent so long ago that it counts no more.
    fn forget(&mut self, now: Instant) {
        let kept = self.rest.max(READ_WITHIN);
        while let Some((_, footprint)) = self.sent.pop_front_if(|(at, _)| now.duration_since(*at) >= kept) {
            self.taken -= footprint;
        }
    }

    fn due_by_count(&self) -> Option<Instant> {
        let place = self.sent.len().checked_sub(self.burst)?;
        Some(self.sent[place].0 + self.rest)
    }

    /// Once so many of those that went have been read that the others leave room for it; it has room alone in any case.
    fn due_by_bytes(&self, bytes: usize) -> Option<Instant> {
        let mut taken = footprint(bytes);
        if taken + self.taken <= self.room {
            return None;
        }
        let crowding = self.sent.iter().rev().find(|(_, footprint)| {
            taken += footprint;
            taken > self.room
        });
        crowding.map(|(at, _)| *at + READ_WITHIN)
    }
}

/// What a datagram may take of a receive buffer. Linux counts the memory that it was given and not its length: whole
/// powers of two, and its own notes beside them.
fn footprint(bytes: usize) -> usize {
    (bytes + NOTES).next_power_of_two()
}

/// Longer than a receiver that is scheduled at all takes to read what is there.
const READ_WITHIN: Duration = Duration::from_millis(50);
const NOTES: usize = 1024;

/// From so many on that are remembered, those are forgotten that count no more.
const MANY: usize = 1_024;

/// Each is remembered, and no socket holds as many.
const MOST_AT_ONCE: usize = 65_536;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::{advance, sleep_until};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_next_after_its_rest() {
        let mut pace = Pace::new(3, 2, usize::MAX / 8);
        assert_eq!(times(&mut pace, &[1; 7]).await, [0, 0, 0, 1500, 1500, 1500, 3000]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_slowly_never_waits() {
        let mut pace = Pace::new(40, 36, 212_992);
        for _ in 0..200 {
            assert_eq!(pace.due(700), None);
            pace.sent(700);
            advance(Duration::from_millis(28)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_ones_wait_until_the_receiver_had_time_to_read() {
        let mut pace = Pace::new(1000, 1000, 212_992);
        assert_eq!(times(&mut pace, &[65_507; 3]).await, [0, 50, 100]);
        let mut pace = Pace::new(1000, 1000, 212_992);
        assert_eq!(times(&mut pace, &[30_000; 6]).await, [0, 0, 0, 0, 50, 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_larger_than_all_room_goes_alone() {
        let mut pace = Pace::new(1000, 1000, 1000);
        assert_eq!(times(&mut pace, &[65_507, 1]).await, [0, 50]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_pace_is_too_strange() {
        for (burst, per_second) in [(0, 0), (usize::MAX, 0), (0, usize::MAX), (usize::MAX, usize::MAX)] {
            let mut pace = Pace::new(burst, per_second, usize::MAX);
            assert_eq!(times(&mut pace, &[1]).await, [0]);
        }
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_a_burst_or_than_there_is_room(
            burst in 1_usize..20,
            per_second in 1_usize..200,
            sizes in proptest::collection::vec(1_usize..65_507, 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let mut pace = Pace::new(burst, per_second, 212_992);
            let (rest, room) = (pace.rest, pace.room);
            let times = runtime.unwrap().block_on(times(&mut pace, &sizes));
            for (place, start) in times.iter().enumerate() {
                let within = |window: Duration| {
                    let end = *start + window.as_millis();
                    times[place..].iter().zip(&sizes[place..]).take_while(move |(at, _)| **at < end)
                };
                prop_assert!(within(rest).count() <= burst);
                let together = within(READ_WITHIN).map(|(_, bytes)| footprint(*bytes)).sum::<usize>();
                prop_assert!(together <= room || within(READ_WITHIN).count() == 1);
            }
        }
    }

    /// When each goes, in milliseconds after the first.
    async fn times(pace: &mut Pace, sizes: &[usize]) -> Vec<u128> {
        let start = Instant::now();
        let mut times = Vec::new();
        for bytes in sizes {
            if let Some(due) = pace.due(*bytes) {
                sleep_until(due).await;
            }
            pace.sent(*bytes);
            times.push(start.elapsed().as_millis());
        }
        times
    }
}
