use std::time::SystemTime;

use aws_smithy_types::{DateTime, date_time::Format};

use super::event::milliseconds;

/// A moment by the calendar, in UTC.
#[derive(Clone, Debug)]
pub(super) struct Date(String);

// ===== impl Date =====

impl Date {
    pub(super) fn of(time: SystemTime) -> Self {
        let time = DateTime::from_millis(milliseconds(time).min(LAST));
        Self(time.fmt(Format::DateTime).expect("it is between 1970 and 9999"))
    }

    /// By [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), to the millisecond: `2026-11-20T12:26:03.25Z`.
    pub(super) fn timestamp(&self) -> &str {
        &self.0
    }

    /// `2026-11-20`.
    pub(super) fn day(&self) -> &str {
        &self.0[..10]
    }

    /// As the course's line has it: `2026-Nov-20 12:26`.
    pub(super) fn minute(&self) -> String {
        let month = self.0[5..7].parse::<usize>().unwrap_or(1);
        format!("{}-{}-{} {}", &self.0[..4], MONTHS[month - 1], &self.0[8..10], &self.0[11..16])
    }
}

/// The last moment that has four digits for its year.
const LAST: i64 = 253_402_300_799_999;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_moment_has_its_spellings() {
        let date = Date::of(UNIX_EPOCH + Duration::from_millis(1_795_177_563_250));
        assert_eq!(date.timestamp(), "2026-11-20T12:26:03.25Z");
        assert_eq!((date.day(), &*date.minute()), ("2026-11-20", "2026-Nov-20 12:26"));
    }

    #[test]
    fn no_moment_is_too_far_away() {
        assert_eq!(Date::of(UNIX_EPOCH - Duration::from_secs(1)).day(), "1970-01-01");
        assert_eq!(Date::of(UNIX_EPOCH + Duration::from_secs(1 << 60)).minute(), "9999-Dec-31 23:59");
    }
}
