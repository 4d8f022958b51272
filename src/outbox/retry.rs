//! When to try again.

use std::time::Duration;

use tokio::time::Instant;

/// Doubling waits with full jitter, for one batch.
///
/// [Full jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): many processes that lost
/// the same backend do not come back to it in step.
#[derive(Debug)]
pub(super) struct Backoff {
    retry_for: Duration,
    since: Option<Instant>,
    ceiling: Duration,
}

/// How long to wait before the next try.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Wait {
    /// The whole of it.
    pub(super) total: Duration,
    /// What the backend asked for; a shutdown does not cut it short.
    pub(super) at_least: Duration,
}

// ===== impl Backoff =====

impl Backoff {
    pub(super) fn new(retry_for: Duration) -> Self {
        Self { retry_for, since: None, ceiling: FIRST }
    }

    /// The wait after a failure, or `None` if it has been tried for long enough.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Option<Wait> {
        let elapsed = self.since.get_or_insert_with(Instant::now).elapsed();
        let at_least = after.unwrap_or_default().min(LONGEST_AFTER);
        let jittered = self.ceiling.mul_f64(fastrand::f64());
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        let remaining = self.retry_for.saturating_sub(elapsed);
        if remaining.is_zero() || at_least > remaining {
            return None;
        }
        // The last try is at the end of the time, not before it.
        Some(Wait { total: jittered.min(remaining).max(at_least), at_least })
    }

    /// How long it has been since the first failure.
    #[cfg(feature = "spool")]
    pub(super) fn elapsed(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Waits are short again. The time it has been tried for is not forgotten.
    pub(super) fn reset(&mut self) {
        self.ceiling = FIRST;
    }
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// A backend that says "tomorrow" would hold the batch, and its place, until it expires.
const LONGEST_AFTER: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[tokio::test(start_paused = true)]
    async fn the_ceiling_doubles_up_to_thirty_seconds() {
        let longest_of = |attempt: usize| {
            let waits = (0..2000).map(|_| {
                let mut backoff = Backoff::new(DAY);
                (0..=attempt).filter_map(|_| backoff.next(None)).last().expect("a day is long").total
            });
            waits.max().expect("there are some").as_millis()
        };
        for (attempt, ceiling) in [(0, 500), (1, 1000), (2, 2000), (5, 16_000), (6, 30_000), (20, 30_000)] {
            let longest = longest_of(attempt);
            assert!((ceiling * 95 / 100..=ceiling).contains(&longest), "{attempt}: {longest} of {ceiling}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_backend_asks_for_is_a_minimum_up_to_two_minutes() {
        let mut backoff = Backoff::new(DAY);
        let minute = Duration::from_secs(60);
        assert_eq!(backoff.next(Some(minute)), Some(Wait { total: minute, at_least: minute }));
        assert_eq!(backoff.next(Some(DAY)).expect("capped").total, LONGEST_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_beyond_the_time_to_retry_is_refused() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        assert!(backoff.next(Some(Duration::from_secs(9))).is_some());
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(backoff.next(Some(Duration::from_secs(2))), None);
        assert!(backoff.next(Some(Duration::from_secs(1))).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(backoff.next(None), None);
    }

    #[test]
    fn no_time_to_retry_is_no_retry() {
        assert_eq!(Backoff::new(Duration::ZERO).next(None), None);
    }
}
