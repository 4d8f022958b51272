use std::{cell::Cell, time::SystemTime};

use super::event::milliseconds;

/// A moment by the calendar, in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    text: [u8; LONGEST],
    length: usize,
}

// ===== impl Date =====

impl Date {
    /// Of a time between 1970 and 9999; of the nearest of these.
    pub(super) fn of(time: SystemTime) -> Self {
        let since = milliseconds(time).clamp(0, LAST).unsigned_abs();
        let mut text = second(since / 1_000);
        let fraction = since % 1_000;
        text[20..23].copy_from_slice(&three_digits(fraction as u16));
        // No zeros at the end of a fraction.
        let length = match fraction {
            0 => 20,
            _ if fraction.is_multiple_of(100) => 22,
            _ if fraction.is_multiple_of(10) => 23,
            _ => LONGEST,
        };
        text[length - 1] = b'Z';
        Self { text, length }
    }

    /// By [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), to the millisecond: `2026-11-20T12:26:03.25Z`.
    pub(super) fn timestamp(&self) -> &str {
        str::from_utf8(self.as_bytes()).expect("it is ASCII")
    }

    /// The [timestamp](Self::timestamp), which is ASCII.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    /// `2026-11-20`.
    pub(super) fn day(&self) -> &str {
        &self.timestamp()[..10]
    }

    /// As the course's line has it: `2026-Nov-20 12:26`.
    pub(super) fn minute(&self) -> String {
        let text = self.timestamp();
        let month = text[5..7].parse::<usize>().unwrap_or(1);
        format!("{}-{}-{} {}", &text[..4], MONTHS[month - 1], &text[8..10], &text[11..16])
    }
}

/// The timestamp of a second, with room for its fraction. Most that are asked for one after the other are of one second.
fn second(seconds: u64) -> [u8; LONGEST] {
    // A thread that ends has no last one any more.
    let (known, text) = LAST_SECOND.try_with(Cell::get).unwrap_or((u64::MAX, [0; LONGEST]));
    if known == seconds {
        return text;
    }
    let text = spell(seconds);
    _ = LAST_SECOND.try_with(|last| last.set((seconds, text)));
    text
}

#[inline(never)]
fn spell(seconds: u64) -> [u8; LONGEST] {
    let (days, of_day) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], of_day / 3_600);
    digits(&mut text[14..16], of_day / 60 % 60);
    digits(&mut text[17..19], of_day % 60);
    text
}

/// The digits of a number below 1,000.
pub(super) fn three_digits(number: u16) -> [u8; 3] {
    [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

/// The year, the month and the day of the month that are so many days after 1970-01-01
/// ([the algorithm](https://howardhinnant.github.io/date_algorithms.html#civil_from_days)).
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin with March here, and count from the year 0.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Fills `text` with the last digits of a number.
fn digits(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

const LONGEST: usize = 24;

thread_local! {
    /// The second that was asked for last, and its timestamp.
    static LAST_SECOND: Cell<(u64, [u8; LONGEST])> = const { Cell::new((u64::MAX, [0; LONGEST])) };
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// The last moment that has four digits for its year.
const LAST: i64 = 253_402_300_799_999;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_smithy_types::{DateTime, date_time::Format};
    use proptest::prelude::*;

    use super::*;

    fn library(milliseconds: i64) -> String {
        DateTime::from_millis(milliseconds).fmt(Format::DateTime).unwrap()
    }

    proptest! {
        #[test]
        fn a_moment_is_spelled_as_a_library_does_it(milliseconds in 0..=LAST, round in 0..4_u32) {
            let milliseconds = milliseconds - milliseconds % 10_i64.pow(round);
            let time = UNIX_EPOCH + Duration::from_millis(milliseconds.unsigned_abs());
            let date = Date::of(time);
            prop_assert_eq!(date.timestamp(), library(milliseconds));
        }
    }

    #[test]
    fn each_day_has_its_name() {
        for day in 0..200_000 {
            let time = UNIX_EPOCH + Duration::from_secs(day * DAY);
            assert_eq!(Date::of(time).timestamp(), library((day * DAY * 1_000).cast_signed()));
        }
    }

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
