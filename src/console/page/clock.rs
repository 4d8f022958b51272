//! Times, as a person and as a machine read them.

use maud::{Markup, html};

/// An instant; the script puts it into the reader's time zone.
pub(super) fn instant(nanos: u64) -> Markup {
    html! { time datetime=(iso(nanos)) { (of_day(nanos)) } }
}

/// Four digits at most, and the unit that fits.
pub(super) fn duration(nanos: u64) -> String {
    let (value, unit) = parts(nanos);
    format!("{value}\u{202f}{unit}")
}

/// The same for round figures, which need no fraction.
pub(super) fn round(nanos: u64) -> String {
    let (value, unit) = parts(nanos);
    let value = if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { &value };
    format!("{value}\u{202f}{unit}")
}

/// The same as number and unit.
pub(super) fn parts(nanos: u64) -> (String, &'static str) {
    let whole = nanos as f64;
    match nanos {
        ..1_000 => (nanos.to_string(), "ns"),
        1_000..1_000_000 => (short(whole / 1e3), "µs"),
        1_000_000..1_000_000_000 => (short(whole / 1e6), "ms"),
        1_000_000_000..120_000_000_000 => (short(whole / 1e9), "s"),
        120_000_000_000..7_200_000_000_000 => (short(whole / 60e9), "min"),
        _ => (short(whole / 3600e9), "h"),
    }
}

fn short(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        9.995..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// `13:00:04.112`, in UTC.
fn of_day(nanos: u64) -> String {
    let millis = nanos / 1_000_000;
    let (seconds, minutes, hours) = (millis / 1_000, millis / 60_000, millis / 3_600_000);
    format!("{:02}:{:02}:{:02}.{:03}", hours % 24, minutes % 60, seconds % 60, millis % 1_000)
}

/// `2026-11-20T13:00:04.112Z`.
fn iso(nanos: u64) -> String {
    let (year, month, day) = date(nanos / 86_400_000_000_000);
    format!("{year:04}-{month:02}-{day:02}T{}Z", of_day(nanos))
}

/// Days since 1970 as a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_dates() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(951_782_399_999_000_000), "2000-02-28T23:59:59.999Z");
        assert_eq!(iso(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso(1_795_179_604_112_000_000), "2026-11-20T13:00:04.112Z");
    }

    #[test]
    fn durations_are_short() {
        let shown =
            [0, 999, 1_500, 412_345, 12_400_000, 999_900_000, 2_010_000_000, 200_000_000_000].map(duration);
        let shown = shown.map(|shown| shown.replace('\u{202f}', " "));
        assert_eq!(
            shown,
            ["0 ns", "999 ns", "1.50 µs", "412 µs", "12.4 ms", "1000 ms", "2.01 s", "3.33 min"]
        );
    }
}
