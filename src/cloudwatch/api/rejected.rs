//! What CloudWatch took a request without.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::window::{TOO_NEW, TOO_OLD};

/// Which events of a request were not taken, in three ranges of it
/// ([`RejectedLogEventsInfo`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html)):
/// two ends that are exclusive, and a start that is inclusive.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Rejected {
    #[serde(rename = "tooOldLogEventEndIndex", deserialize_with = "index")]
    too_old_end: Option<usize>,
    #[serde(rename = "expiredLogEventEndIndex", deserialize_with = "index")]
    expired_end: Option<usize>,
    #[serde(rename = "tooNewLogEventStartIndex", deserialize_with = "index")]
    too_new_start: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PutLogEventsResult {
    rejected_log_events_info: Option<Rejected>,
}

// ===== impl Rejected =====

impl Rejected {
    /// What an answer says. One that cannot be read says of no event that it was not taken.
    pub(super) fn read(answer: &[u8]) -> Self {
        let result: PutLogEventsResult = serde_json::from_slice(answer).unwrap_or_default();
        result.rejected_log_events_info.unwrap_or_default()
    }

    /// Why the event of this place was not taken, if so.
    pub(super) fn cause(self, place: usize) -> Option<&'static str> {
        let is_before = |end: Option<usize>| end.is_some_and(|end| place < end);
        if is_before(self.too_old_end) {
            Some(TOO_OLD)
        } else if is_before(self.expired_end) {
            Some(EXPIRED)
        } else if self.too_new_start.is_some_and(|start| start <= place) {
            Some(TOO_NEW)
        } else {
            None
        }
    }
}

/// What is no index is none.
fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_u64().and_then(|index| usize::try_from(index).ok()))
}

/// Older than the group keeps. Not `expired`, which is what a lane has tried for too long.
const EXPIRED: &str = "expired by retention";

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(info: &str) -> Vec<Option<&'static str>> {
        let rejected = Rejected::read(format!(r#"{{"rejectedLogEventsInfo":{info}}}"#).as_bytes());
        (0..5).map(|place| rejected.cause(place)).collect()
    }

    const ALL: [Option<&str>; 5] = [None; 5];

    #[test]
    fn ends_are_exclusive_and_the_start_is_not() {
        let info = r#"{"tooOldLogEventEndIndex":1,"expiredLogEventEndIndex":2,"tooNewLogEventStartIndex":4}"#;
        assert_eq!(causes(info), [Some(TOO_OLD), Some(EXPIRED), None, None, Some(TOO_NEW)]);
        assert_eq!(causes(r#"{"tooNewLogEventStartIndex":0}"#), [Some(TOO_NEW); 5]);
        assert_eq!(causes(r#"{"tooOldLogEventEndIndex":0}"#), ALL);
    }

    #[test]
    fn indices_that_make_no_sense_do_no_harm() {
        assert_eq!(
            causes(r#"{"tooOldLogEventEndIndex":99,"tooNewLogEventStartIndex":1}"#),
            [Some(TOO_OLD); 5]
        );
        assert_eq!(causes(r#"{"tooNewLogEventStartIndex":18446744073709551616}"#), ALL);
        for info in [
            "null",
            "{}",
            "[]",
            r#"{"tooOldLogEventEndIndex":-1}"#,
            r#"{"tooOldLogEventEndIndex":null}"#,
            r#"{"tooOldLogEventEndIndex":"3"}"#,
            r#"{"tooNewLogEventStartIndex":1.5}"#,
        ] {
            assert_eq!(causes(info), ALL, "{info}");
        }
        for answer in ["", "<html>", "null", "3"] {
            assert_eq!(Rejected::read(answer.as_bytes()), Rejected::default(), "{answer}");
        }
    }
}
