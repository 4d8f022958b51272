//! What CloudWatch Logs takes, and what it says to the rest: nothing here knows of sockets.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::{Value, json};

/// An event, as it is put.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Event {
    pub(crate) timestamp: i64,
    pub(crate) message: String,
}

/// A call that puts events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutLogEvents {
    pub(crate) log_group_name: String,
    pub(crate) log_stream_name: String,
    pub(crate) log_events: Vec<Event>,
    /// Ignored since 2023.
    #[serde(rename = "sequenceToken")]
    _sequence_token: Option<String>,
    #[serde(rename = "entity")]
    _entity: Option<Value>,
}

/// A call that makes a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateLogGroup {
    pub(crate) log_group_name: String,
    #[serde(default)]
    pub(crate) kms_key_id: Option<String>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) log_group_class: Option<String>,
}

/// A call that makes a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateLogStream {
    pub(crate) log_group_name: String,
    pub(crate) log_stream_name: String,
}

/// A call that says how long a group keeps its events.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutRetentionPolicy {
    pub(crate) log_group_name: String,
    pub(crate) retention_in_days: i64,
}

/// A call that tags a group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    pub(crate) resource_arn: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Why a call is refused as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Which events of a call are taken: those from `begin` to before `end`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Window {
    /// The end of those that are older than 14 days, exclusive.
    pub(crate) too_old: Option<usize>,
    /// The end of those that are older than the group keeps them, exclusive.
    pub(crate) expired: Option<usize>,
    /// The first that is more than two hours ahead, inclusive.
    pub(crate) too_new: Option<usize>,
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

pub(crate) type Ruling<T> = Result<T, Refusal>;

// ===== impl PutLogEvents =====

impl PutLogEvents {
    /// All that can be said without knowing whether there is such a stream.
    pub(crate) fn check(&self) -> Ruling<()> {
        group_name(&self.log_group_name)?;
        stream_name(&self.log_stream_name)?;
        let events = &self.log_events;
        if events.is_empty() {
            return Err(constraint("[]", "logEvents", "Member must have length greater than or equal to 1"));
        }
        if events.len() > MOST_EVENTS {
            let rule = format!("Member must have length less than or equal to {MOST_EVENTS}");
            return Err(constraint("[...]", "logEvents", &rule));
        }
        for (at, event) in (1..).zip(events) {
            event.check(at)?;
        }
        if events.windows(2).any(|pair| pair[1].timestamp < pair[0].timestamp) {
            return Err(parameter(UNSORTED));
        }
        let bytes: usize = events.iter().map(Event::bytes).sum();
        if bytes > MOST_BYTES {
            return Err(parameter(format!("Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}")));
        }
        Ok(())
    }

    /// What is taken of it at this time, by a group that keeps its events for so many days.
    pub(crate) fn window(&self, now: i64, retention: Option<i64>) -> Ruling<Window> {
        let events = &self.log_events;
        let before = |limit: i64| events.partition_point(|event| event.timestamp < limit);
        let until = |end: usize| (end > 0).then_some(end);
        let too_old = until(before(now - OLDEST));
        let expired = retention.and_then(|days| until(before(now - days * DAY)));
        let fresh = events.partition_point(|event| event.timestamp <= now + NEWEST);
        let too_new = (fresh < events.len()).then_some(fresh);
        let begin = too_old.max(expired).unwrap_or(0);
        let end = fresh.max(begin);
        if let [first, .., last] = &events[begin..end]
            && last.timestamp - first.timestamp > DAY
        {
            return Err(parameter(TOO_WIDE));
        }
        Ok(Window { too_old, expired, too_new, begin, end })
    }
}

// ===== impl Event =====

impl Event {
    /// What it counts for in a call.
    pub(crate) fn bytes(&self) -> usize {
        self.message.len() + OVERHEAD
    }

    fn check(&self, at: usize) -> Ruling<()> {
        if self.message.is_empty() {
            let place = format!("logEvents.{at}.member.message");
            return Err(constraint("", &place, "Member must have length greater than or equal to 1"));
        }
        if self.timestamp < 0 {
            let (value, place) = (self.timestamp.to_string(), format!("logEvents.{at}.member.timestamp"));
            return Err(constraint(&value, &place, "Member must have value greater than or equal to 0"));
        }
        let bytes = self.bytes();
        if bytes > MOST_BYTES {
            return Err(parameter(format!(
                "Log event too large: {bytes} bytes exceeds limit of {MOST_BYTES}"
            )));
        }
        Ok(())
    }
}

// ===== impl CreateLogGroup =====

impl CreateLogGroup {
    pub(crate) fn check(&self) -> Ruling<()> {
        group_name(&self.log_group_name)?;
        if self.log_group_name.to_ascii_lowercase().starts_with("aws/") {
            return Err(parameter("Log groups starting with AWS/ are reserved for AWS."));
        }
        if let Some(class) = &self.log_group_class
            && !CLASSES.contains(&&**class)
        {
            let rule = format!("Member must satisfy enum value set: [{}]", CLASSES.join(", "));
            return Err(constraint(class, "logGroupClass", &rule));
        }
        if let Some(key) = &self.kms_key_id
            && !(key.starts_with("arn:aws") && key.contains(":kms:") && key.contains(":key/"))
        {
            return Err(parameter("The specified KMS key ARN is invalid."));
        }
        tags(&self.tags)
    }
}

// ===== impl CreateLogStream =====

impl CreateLogStream {
    pub(crate) fn check(&self) -> Ruling<()> {
        group_name(&self.log_group_name)?;
        stream_name(&self.log_stream_name)
    }
}

// ===== impl PutRetentionPolicy =====

impl PutRetentionPolicy {
    pub(crate) fn check(&self) -> Ruling<()> {
        group_name(&self.log_group_name)?;
        if RETENTIONS.contains(&self.retention_in_days) {
            return Ok(());
        }
        Err(parameter(format!("Invalid retention value. Valid values are: {RETENTIONS:?}")))
    }
}

// ===== impl TagResource =====

impl TagResource {
    pub(crate) fn check(&self) -> Ruling<()> {
        if !self.resource_arn.starts_with("arn:aws") || !self.resource_arn.contains(":log-group:") {
            return Err(parameter("The resource ARN is invalid."));
        }
        tags(&self.tags)
    }
}

// ===== impl Window =====

impl Window {
    /// What the answer says of events that are not taken.
    pub(crate) fn rejected(&self) -> Option<Value> {
        let mut rejected = serde_json::Map::new();
        for (name, index) in [
            ("tooOldLogEventEndIndex", self.too_old),
            ("expiredLogEventEndIndex", self.expired),
            ("tooNewLogEventStartIndex", self.too_new),
        ] {
            if let Some(index) = index {
                rejected.insert(name.into(), index.into());
            }
        }
        (!rejected.is_empty()).then(|| json!({ "rejectedLogEventsInfo": rejected }))
    }
}

// ===== impl Refusal =====

impl Refusal {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    pub(crate) fn body(&self) -> String {
        json!({ "__type": self.code, "message": self.message }).to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

/// A client's fault.
pub(crate) fn refused(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(400, code, message)
}

pub(crate) fn parameter(message: impl Into<String>) -> Refusal {
    refused("InvalidParameterException", message)
}

fn constraint(value: &str, place: &str, rule: &str) -> Refusal {
    let said = format!("Value '{value}' at '{place}' failed to satisfy constraint: {rule}");
    parameter(format!("1 validation error detected: {said}"))
}

fn group_name(name: &str) -> Ruling<()> {
    length(name, "logGroupName")?;
    let is_taken = |letter: char| letter.is_ascii_alphanumeric() || "_-/.#".contains(letter);
    if !name.chars().all(is_taken) {
        let rule = "Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+";
        return Err(constraint(name, "logGroupName", rule));
    }
    Ok(())
}

fn stream_name(name: &str) -> Ruling<()> {
    length(name, "logStreamName")?;
    if name.contains([':', '*']) {
        let rule = "Member must satisfy regular expression pattern: [^:*]*";
        return Err(constraint(name, "logStreamName", rule));
    }
    Ok(())
}

fn length(name: &str, place: &str) -> Ruling<()> {
    match name.chars().count() {
        0 => Err(constraint(name, place, "Member must have length greater than or equal to 1")),
        1..=512 => Ok(()),
        _ => Err(constraint(name, place, "Member must have length less than or equal to 512")),
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Ruling<()> {
    if tags.len() > 50 {
        return Err(constraint("{...}", "tags", "Member must have length less than or equal to 50"));
    }
    let fits = |(key, value): (&String, &String)| {
        (1..=128).contains(&key.chars().count()) && value.chars().count() <= 256 && !key.starts_with("aws:")
    };
    if tags.iter().all(fits) { Ok(()) } else { Err(parameter("A tag is invalid.")) }
}

pub(crate) const MOST_BYTES: usize = 1_048_576;
pub(crate) const MOST_EVENTS: usize = 10_000;
pub(crate) const OVERHEAD: usize = 26;

/// In milliseconds, as all that follow.
pub(crate) const DAY: i64 = 24 * HOUR;
pub(crate) const HOUR: i64 = 60 * 60 * 1_000;
pub(crate) const OLDEST: i64 = 14 * DAY;
pub(crate) const NEWEST: i64 = 2 * HOUR;

pub(crate) const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
const UNSORTED: &str = "Log events in a single PutLogEvents request must be in chronological order.";
const TOO_WIDE: &str =
    "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
