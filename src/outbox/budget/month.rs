use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A month of the calendar, in UTC: that of the vendors' bills. Counted from the year 0 on.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Month(pub(super) u32);

// ===== impl Month =====

impl Month {
    /// The one that a time is in. Times before 1970 count as 1970, as do those that are too far off for a calendar.
    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let days =
            u32::try_from(since.as_secs() / DAY.as_secs()).ok().and_then(|days| days.checked_add(SHIFT));
        let days = days.unwrap_or(SHIFT);
        // https://howardhinnant.github.io/date_algorithms.html#civil_from_days: years that begin in March, so that the day
        // that not every year has comes last.
        let (era, of_era) = (days / ERA, days % ERA);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        Self((era * 400 + year) * 12 + (5 * of_year + 2) / 153 + 2)
    }
}

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The days of 400 years.
const ERA: u32 = 146_097;

/// The days from March of the year 0 to 1970.
const SHIFT: u32 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_of_their_first_day() {
        let (mut day, mut expected) = (UNIX_EPOCH, 1970 * 12);
        for year in 1970..2120 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for days in [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
                assert_eq!(Month::of(day), Month(expected));
                day += days * DAY;
                assert_eq!(Month::of(day - Duration::from_secs(1)), Month(expected));
                expected += 1;
            }
        }
    }

    #[test]
    fn times_that_no_calendar_has_are_some_month() {
        let far = UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * DAY.as_secs());
        for time in [UNIX_EPOCH - DAY, UNIX_EPOCH, far] {
            assert_eq!(Month::of(time), Month(1970 * 12));
        }
    }
}
