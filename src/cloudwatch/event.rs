use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A log event, as CloudWatch has it: a time and a text,
/// [`InputLogEvent`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_InputLogEvent.html).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LogEvent {
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
    /// What there is to read. CloudWatch takes it for JSON if it is.
    pub message: String,
}

// ===== impl LogEvent =====

impl LogEvent {
    /// An event of this time.
    pub fn new(at: SystemTime, message: impl Into<String>) -> Self {
        Self { timestamp: milliseconds(at), message: message.into() }
    }

    /// When it happened.
    pub fn at(&self) -> SystemTime {
        let since = Duration::from_millis(self.timestamp.unsigned_abs());
        let at =
            if self.timestamp < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
        at.unwrap_or(UNIX_EPOCH)
    }
}

/// Times before 1970 count as 1970.
pub(super) fn milliseconds(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
