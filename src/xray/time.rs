use std::{
    fmt,
    ops::Range,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, written as seconds since 1970 with microseconds: `1795177910.324512`.
///
/// The [guide] recommends microseconds, which is also about what a JSON number of today can hold. The rounding is exact:
/// what is written is the number closest to the time. Times before 1970 count as 1970.
///
/// [guide]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Time {
    nanoseconds: u64,
}

// ===== impl Time =====

impl Time {
    /// The time so much later.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Self {
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        Self { nanoseconds: self.nanoseconds.saturating_add(elapsed) }
    }

    /// Seconds since 1970, as they are written.
    pub fn seconds(self) -> f64 {
        self.microseconds() as f64 / MICROSECONDS
    }

    /// Writes it as JSON, at the end of `into`.
    pub(super) fn write(self, into: &mut Vec<u8>) {
        let microseconds = self.microseconds();
        if !AS_DECIMALS.contains(&microseconds) {
            return serde_json::to_writer(into, &self).expect("a vector takes all bytes");
        }
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(microseconds).as_bytes();
        let (whole, part) = digits.split_at(digits.len() - 6);
        let zeros = part[1..].iter().rev().take_while(|digit| **digit == b'0').count();
        into.extend_from_slice(whole);
        into.push(b'.');
        into.extend_from_slice(&part[..6 - zeros]);
    }

    fn microseconds(self) -> u64 {
        (self.nanoseconds / 1_000) + u64::from(self.nanoseconds % 1_000 >= 500)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Self::default().after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.nanoseconds)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.seconds(), f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

/// Numbers that no time has (negative, endless) become the nearest that one has.
impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        // Apart, since their product with the whole has no bits left to be rounded by.
        let microseconds = (seconds.fract() * MICROSECONDS).round() as u64;
        let whole = (seconds as u64).saturating_mul(1_000_000);
        Ok(Self { nanoseconds: whole.saturating_add(microseconds).saturating_mul(1_000) })
    }
}

const MICROSECONDS: f64 = 1e6;

/// The microseconds whose seconds a 64-bit float shows as a decimal of up to six places: from 1 s, to where two of them are
/// the same float.
const AS_DECIMALS: Range<u64> = 1_000_000..4_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(nanoseconds: u64) -> String {
        serde_json::to_string(&Time { nanoseconds }).unwrap()
    }

    #[test]
    fn times_are_rounded_to_the_nearest_microsecond() {
        assert_eq!(json(1_795_177_910_324_511_800), "1795177910.324512");
        assert_eq!(json(1_795_177_910_324_511_499), "1795177910.324511");
        assert_eq!(json(1_795_177_910_999_999_500), "1795177911.0");
        assert_eq!(json(0), "0.0");
    }

    #[test]
    fn a_time_before_1970_is_1970_and_an_endless_one_ends() {
        assert_eq!(Time::from(UNIX_EPOCH - Duration::from_secs(1)), Time::default());
        assert_eq!(Time::from(UNIX_EPOCH).after(Duration::MAX).nanoseconds, u64::MAX);
        for strange in ["-1.5", "1e300", "0"] {
            serde_json::from_str::<Time>(strange).unwrap();
        }
    }

    proptest! {
        #[test]
        fn a_time_is_written_by_hand_as_serde_writes_it(
            nanoseconds in prop_oneof![any::<u64>(), 0..5_000_000_000_u64, Just(1_000_000_000), Just(999_999_500)],
        ) {
            let mut written = Vec::new();
            Time { nanoseconds }.write(&mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), json(nanoseconds));
        }

        #[test]
        fn a_written_time_has_six_decimals_at_most_and_reads_back(microseconds in 0..4_000_000_000_000_000_u64) {
            let json = json(microseconds * 1_000);
            let (whole, part) = json.split_once('.').unwrap();
            let digits = format!("{whole}{part:0<6}");
            prop_assert_eq!(digits.parse::<u64>().unwrap(), microseconds, "{}", json);
            prop_assert_eq!(serde_json::from_str::<Time>(&json).unwrap().nanoseconds, microseconds * 1_000);
        }
    }
}
