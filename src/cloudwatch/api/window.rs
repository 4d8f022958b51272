//! Which times CloudWatch takes.

use std::time::{Duration, SystemTime};

use crate::cloudwatch::event::milliseconds;

/// From 14 days ago to 2 hours from now, by the service's clock, less what a request may take
/// ([`PutLogEvents`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html)).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    oldest: i64,
    newest: i64,
    /// By how much the own clock is behind.
    ahead: i64,
}

// ===== impl Window =====

impl Window {
    /// By the service's time, which is so many seconds ahead of the own one.
    pub(super) fn new(now: SystemTime, ahead: i64) -> Self {
        let now = milliseconds(now);
        let (oldest, newest) = (now.saturating_sub(OLDEST), now.saturating_add(NEWEST));
        Self { oldest, newest, ahead: ahead.saturating_mul(1000) }
    }

    /// The time that an event may be sent with. It is its own, unless that is out of the window and was read off a clock
    /// that is wrong by what is known.
    pub(super) fn admit(self, time: i64) -> Result<i64, &'static str> {
        let is_in = |time: &i64| (self.oldest..=self.newest).contains(time);
        let shifted = time.saturating_add(self.ahead);
        let admitted = [time, shifted].into_iter().find(is_in);
        admitted.ok_or_else(|| self.cause(time))
    }

    /// On which side of it a time is that is out of it.
    pub(super) fn cause(self, time: i64) -> &'static str {
        if time < self.newest { TOO_OLD } else { TOO_NEW }
    }
}

pub(super) const TOO_OLD: &str = "too old";
pub(super) const TOO_NEW: &str = "too new";

/// How old an event may be when it is sent.
pub(super) const LONGEST: Duration = Duration::from_secs((14 * 24 * 60 - 5) * 60);

const OLDEST: i64 = (14 * 24 * 60 - 5) * 60 * 1000;
const NEWEST: i64 = (2 * 60 - 1) * 60 * 1000;

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const HOUR: i64 = 60 * 60 * 1000;
    const DAY: i64 = 24 * HOUR;

    fn admit(time: i64, ahead: i64) -> Result<i64, &'static str> {
        Window::new(UNIX_EPOCH + Duration::from_millis(NOW.unsigned_abs()), ahead).admit(time)
    }

    #[test]
    fn what_is_too_old_or_too_new_is_told_apart() {
        for time in [NOW, NOW - OLDEST, NOW + NEWEST] {
            assert_eq!(admit(time, 0), Ok(time));
        }
        for (time, cause) in [
            (NOW - OLDEST - 1, TOO_OLD),
            (NOW + NEWEST + 1, TOO_NEW),
            (i64::MIN, TOO_OLD),
            (i64::MAX, TOO_NEW),
            (0, TOO_OLD),
        ] {
            assert_eq!(admit(time, 0), Err(cause), "{time}");
        }
    }

    #[test]
    fn what_a_wrong_clock_has_stamped_is_put_right() {
        // Three hours fast, 15 days fast, 15 days slow.
        for (own, ahead) in
            [(NOW + 3 * HOUR, -3 * HOUR), (NOW + 15 * DAY, -15 * DAY), (NOW - 15 * DAY, 15 * DAY)]
        {
            assert_eq!(admit(own, ahead / 1000), Ok(NOW));
            assert_eq!(admit(NOW, ahead / 1000), Ok(NOW), "what was stamped before the jump");
        }
        assert_eq!(admit(NOW - 40 * DAY, i64::MAX), Err(TOO_OLD));
    }
}
