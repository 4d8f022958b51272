//! The calls of CloudWatch Logs that bring log events, signed or not:
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>.
//!
//! Groups and streams need not be made: whatever is named is there. Nobody's signature is looked at.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::guard::Origin;
use crate::console::line::{Line, LogStream, Mention};
use crate::console::receive::refusal::Refusal;
use crate::console::receive::{body, bound, cross, trim};
use crate::console::reply::{self, Reply};
use crate::console::state::State;

/// What is asked for by the header `X-Amz-Target`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Call {
    PutLogEvents,
    /// Looks for what is there; whoever finds nothing makes it.
    DescribeLogGroups,
    DescribeLogStreams,
    /// Makes or changes a group or a stream, of which nothing is kept.
    Manage,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputLogEvent>,
}

#[derive(Deserialize)]
struct InputLogEvent {
    timestamp: i64,
    message: String,
}

/// Why a call is not answered.
#[derive(Debug)]
enum Wrong {
    /// Its body is none.
    Body(Refusal),
    /// It asks for what AWS refuses, in AWS's words.
    Parameter(String),
    Foreign,
    Unknown,
}

/// Which events of a batch CloudWatch leaves out: all before, and all from a place on.
#[derive(Debug, Default, Eq, PartialEq)]
struct Window {
    old: Option<usize>,
    new: Option<usize>,
}

/// Whether a request is a call of AWS that is not told by its path.
pub(in crate::console) fn takes_logs(request: &Request<Incoming>) -> bool {
    request.method() == Method::POST && request.uri().path() == "/" && request.headers().contains_key(TARGET)
}

/// Answers a call.
pub(in crate::console) async fn log(state: &Arc<State>, request: Request<Incoming>) -> Reply {
    match take(state, request).await {
        Ok(answer) => reply::full(StatusCode::OK, CONTENT_TYPE, answer.to_string()),
        Err(wrong) => {
            let words = wrong.words();
            state.store().door.refuse(&words);
            let failure = json!({ "__type": wrong.code(), "message": words });
            reply::full(wrong.status(), CONTENT_TYPE, failure.to_string())
        }
    }
}

async fn take(state: &Arc<State>, request: Request<Incoming>) -> Result<Value, Wrong> {
    let (head, incoming) = request.into_parts();
    if state.guard.origin(&head.headers) == Origin::Refused {
        return Err(Wrong::Foreign);
    }
    let call = head.headers.get(TARGET).and_then(|target| Call::of(target.to_str().ok()?));
    let call = call.ok_or(Wrong::Unknown)?;
    let _permit = state.receiving.acquire().await.expect("the semaphore is never closed");
    let sent = body::read(&head.headers, incoming).await.map_err(Wrong::Body)?;
    let turn = state.reading.clone().acquire_owned().await.expect("the semaphore is never closed");
    let reader = state.clone();
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        call.answer(&reader, &sent.unpack().map_err(Wrong::Body)?)
    });
    let answer = read.await.unwrap_or_else(|error| Err(Wrong::Body(Refusal::Broken(error.to_string()))))?;
    state.announce();
    Ok(answer)
}

// ===== impl Call =====

impl Call {
    fn of(target: &str) -> Option<Self> {
        match target.strip_prefix("Logs_20140328.")? {
            "PutLogEvents" => Some(Self::PutLogEvents),
            "DescribeLogGroups" => Some(Self::DescribeLogGroups),
            "DescribeLogStreams" => Some(Self::DescribeLogStreams),
            "AssociateKmsKey" | "CreateLogGroup" | "CreateLogStream" | "PutRetentionPolicy"
            | "TagLogGroup" | "TagResource" => Some(Self::Manage),
            _ => None,
        }
    }

    fn answer(self, state: &State, bytes: &[u8]) -> Result<Value, Wrong> {
        match self {
            Self::PutLogEvents => keep(state, read(bytes)?),
            Self::DescribeLogGroups => read::<Map<_, _>>(bytes).map(|_| json!({ "logGroups": [] })),
            Self::DescribeLogStreams => read::<Map<_, _>>(bytes).map(|_| json!({ "logStreams": [] })),
            Self::Manage => read::<Map<_, _>>(bytes).map(|_| json!({})),
        }
    }
}

// ===== impl PutLogEvents =====

impl PutLogEvents {
    /// As far as CloudWatch looks, and in its words.
    fn check(&self) -> Result<(), String> {
        let Self { log_group_name, log_stream_name, log_events } = self;
        for (key, name) in [("logGroupName", log_group_name), ("logStreamName", log_stream_name)] {
            if name.is_empty() || name.chars().count() > NAME {
                return Err(constraint(key, name, "length between 1 and 512"));
            }
        }
        if log_events.is_empty() {
            return Err(constraint("logEvents", "[]", "length greater than or equal to 1"));
        }
        if log_events.len() > EVENTS {
            return Err(constraint("logEvents", "[..]", "length less than or equal to 10000"));
        }
        if log_events.iter().any(|event| event.message.is_empty()) {
            return Err(constraint("logEvents.member.message", "", "length greater than or equal to 1"));
        }
        let bytes: usize = log_events.iter().map(|event| event.message.len() + OVERHEAD).sum();
        if bytes > BYTES {
            return Err(format!("Upload too large: {bytes} bytes exceeds limit of {BYTES}"));
        }
        if !log_events.is_sorted_by_key(|event| event.timestamp) {
            return Err(
                "Log events in a single PutLogEvents request must be in chronological order.".to_owned()
            );
        }
        Ok(())
    }

    /// Those that are neither too old nor too new.
    fn window(&self, now: i64) -> Window {
        let place = |time: i64| self.log_events.partition_point(|event| event.timestamp < time);
        let (old, new) = (place(now.saturating_sub(OLDEST)), place(now.saturating_add(NEWEST + 1)));
        Window { old: (old > 0).then_some(old), new: (new < self.log_events.len()).then_some(new) }
    }
}

// ===== impl Window =====

impl Window {
    fn answer(&self) -> Value {
        let mut rejected = Map::new();
        for (key, place) in [("tooOldLogEventEndIndex", self.old), ("tooNewLogEventStartIndex", self.new)] {
            rejected.extend(place.map(|place| (key.to_owned(), json!(place))));
        }
        if rejected.is_empty() { json!({}) } else { json!({ "rejectedLogEventsInfo": rejected }) }
    }
}

// ===== impl Wrong =====

impl Wrong {
    fn status(&self) -> StatusCode {
        match self {
            Self::Body(refusal) => refusal.status().0,
            Self::Parameter(_) | Self::Unknown => StatusCode::BAD_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Body(Refusal::Broken(_) | Refusal::Garbage(_)) => "SerializationException",
            Self::Body(_) | Self::Parameter(_) => "InvalidParameterException",
            Self::Foreign => "AccessDeniedException",
            Self::Unknown => "UnknownOperationException",
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Body(refusal) => refusal.to_string(),
            Self::Parameter(words) => words.clone(),
            Self::Foreign => cross::FOREIGN.to_owned(),
            Self::Unknown => "The console does not know this call.".to_owned(),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Wrong> {
    if !bound::json_fits(bytes, OBJECTS, ITEMS) {
        return Err(Wrong::Body(Refusal::TooMany));
    }
    let garbage = |error| Refusal::Garbage(format!("not a request of CloudWatch Logs: {error}"));
    serde_json::from_slice(bytes).map_err(|error| Wrong::Body(garbage(error)))
}

fn keep(state: &State, put: PutLogEvents) -> Result<Value, Wrong> {
    put.check().map_err(Wrong::Parameter)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let window = put.window(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let PutLogEvents { log_group_name: group, log_stream_name: stream, log_events } = put;
    let count = log_events.len();
    let (start, end) = (window.old.unwrap_or_default(), window.new.unwrap_or(count));
    let valid = &log_events[start..end];
    if let [first, .., last] = valid
        && last.timestamp.saturating_sub(first.timestamp) > DAY
    {
        let words =
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
        return Err(Wrong::Parameter(words.to_owned()));
    }
    let source = Arc::new(LogStream { group, stream });
    let lines = log_events.into_iter().take(end).skip(start).map(|event| line(&source, event));
    let lines = lines.collect();
    state.store().receive_lines(lines);
    Ok(window.answer())
}

/// A message is kept as it was sent, unless it has credentials in it, or more than a person reads.
fn line(source: &Arc<LogStream>, event: InputLogEvent) -> Line {
    let InputLogEvent { timestamp, message } = event;
    let at = u64::try_from(timestamp).unwrap_or_default().saturating_mul(1_000_000);
    let is_small = message.starts_with('{') && bound::json_fits(message.as_bytes(), MEMBERS, ENTRIES);
    let mut value: Value =
        is_small.then(|| serde_json::from_str(&message).ok()).flatten().unwrap_or_default();
    let mention = Mention::of(value.as_object(), &message);
    let Value::Object(_) = value else {
        return Line::new(source.clone(), at, mention, None, trim::text(message));
    };
    let sent = value.clone();
    trim::item(&mut value);
    let text = if value == sent { message } else { value.to_string() };
    Line::new(source.clone(), at, mention, value.as_object(), text)
}

fn constraint(key: &str, value: &str, wanted: &str) -> String {
    let value = if value.len() > NAME { "…" } else { value };
    format!(
        "1 validation error detected: Value '{value}' at '{key}' failed to satisfy constraint: Member must have {wanted}"
    )
}

const TARGET: &str = "x-amz-target";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const NAME: usize = 512;
const EVENTS: usize = 10_000;
const BYTES: usize = 1 << 20;
/// What CloudWatch counts for an event beside its message.
const OVERHEAD: usize = 26;
const DAY: i64 = 24 * 60 * 60 * 1000;
const OLDEST: i64 = 14 * DAY;
const NEWEST: i64 = 2 * 60 * 60 * 1000;
/// What a request of so many events has, and some more.
const OBJECTS: usize = 1 << 14;
const ITEMS: usize = 1 << 16;
/// What a message may have to be read as JSON.
const MEMBERS: usize = 1 << 10;
const ENTRIES: usize = 1 << 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn put(timestamps: &[i64]) -> PutLogEvents {
        let event = |timestamp: &i64| InputLogEvent { timestamp: *timestamp, message: "hello".to_owned() };
        PutLogEvents {
            log_group_name: "cruddur".to_owned(),
            log_stream_name: "web/1".to_owned(),
            log_events: timestamps.iter().map(event).collect(),
        }
    }

    #[test]
    fn the_end_of_what_is_too_old_is_outside_and_the_start_of_what_is_too_new_is_inside() {
        let now = 100 * DAY;
        let (old, new) = (now - OLDEST, now + NEWEST);
        for (timestamps, window) in [
            (vec![old, now, new], Window { old: None, new: None }),
            (vec![old - 1, now, new + 1], Window { old: Some(1), new: Some(2) }),
            (vec![0, 1, 2], Window { old: Some(3), new: None }),
            (vec![new + 1], Window { old: None, new: Some(0) }),
            (vec![i64::MIN, i64::MAX], Window { old: Some(1), new: Some(1) }),
        ] {
            assert_eq!(put(&timestamps).window(now), window, "{timestamps:?}");
        }
    }

    #[test]
    fn a_message_without_credentials_is_kept_as_it_was_sent() {
        let source = Arc::new(LogStream { group: String::new(), stream: String::new() });
        let kept = |message: &str| line(&source, InputLogEvent { timestamp: 1, message: message.to_owned() });
        for message in [r#"{ "b":1,  "a" : 2 }"#, "{ no JSON", "plain", r#"["a list"]"#, "7"] {
            assert_eq!(kept(message).text(), message);
        }
        let hidden = kept(r#"{"headers":{"Authorization":"hunter2"},"a":1}"#);
        assert!(!hidden.text().contains("hunter2") && hidden.text().contains(r#""a":1"#));
        assert!(kept(&"é".repeat(1 << 18)).text().len() < 1 << 14);
    }
}
