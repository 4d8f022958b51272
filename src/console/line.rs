//! A log event of CloudWatch as it came, and what it says in short.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_InputLogEvent.html>

use std::mem::size_of;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::console::id::TraceId;
use crate::console::item::Level;
use crate::console::segment::clip;
use crate::trace;

/// A log event: its message as it was sent, but for credentials in it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) head: LineHead,
    text: Box<str>,
}

/// What a log event says in short.
#[derive(Clone, Debug)]
pub(super) struct LineHead {
    pub(super) source: Arc<LogStream>,
    /// Nanoseconds since 1970.
    pub(super) at: u64,
    pub(super) mention: Option<Mention>,
    pub(super) level: Option<Level>,
    /// What an access record says.
    pub(super) access: Option<Access>,
    /// The message of an object, or else the text.
    pub(super) message: String,
}

/// Where a line is written to.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct LogStream {
    pub(super) group: String,
    pub(super) stream: String,
}

/// A trace's id in a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mention {
    /// It is called so, or spelled as X-Ray does.
    Named(TraceId),
    /// So many digits, which may be something else.
    Digits(TraceId),
}

/// A request, as a line tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Access {
    pub(super) method: String,
    pub(super) path: String,
    /// The status, or else how it ended.
    pub(super) status: Option<String>,
    /// Nanoseconds.
    pub(super) duration: Option<u64>,
    pub(super) error: Option<String>,
}

// ===== impl Line =====

impl Line {
    /// `object` is the message as JSON, where it is an object.
    pub(super) fn new(
        source: Arc<LogStream>,
        at: u64,
        mention: Option<Mention>,
        object: Option<&Map<String, Value>>,
        text: String,
    ) -> Self {
        let empty = Map::new();
        let fields = object.unwrap_or(&empty);
        let message = first(fields, MESSAGES).or_else(|| first(nested(fields)?, MESSAGES));
        let head = LineHead {
            source,
            at,
            mention,
            level: level(fields).or_else(|| object.is_none().then(|| told(&text)).flatten()),
            access: Access::of(fields),
            message: clip(message.unwrap_or(&text), LINE),
        };
        Self { head, text: text.into_boxed_str() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The message, where it is an object of JSON.
    pub(super) fn object(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(&self.text).ok()
    }

    /// Whether it has the text in it; `text` is in lower case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        let LogStream { group, stream } = &*self.head.source;
        [&*self.text, group, stream].iter().any(|part| part.to_lowercase().contains(text))
    }

    /// How many bytes it takes, about.
    pub(super) fn weight(&self) -> usize {
        let access = |access: &Access| {
            let Access { method, path, status, duration: _, error } = access;
            let rest = [status, error].into_iter().flatten().map(String::len).sum::<usize>();
            method.len() + path.len() + rest
        };
        let LineHead { access: record, message, .. } = &self.head;
        size_of::<Self>() + self.text.len() + message.len() + record.as_ref().map_or(0, access)
    }
}

// ===== impl Mention =====

impl Mention {
    /// The trace that a message names: the one of an object, by its member, or else the one that is in the text.
    pub(super) fn of(object: Option<&Map<String, Value>>, text: &str) -> Option<Self> {
        let member = |key: &&str| TraceId::from_any_spelling(object?.get(*key)?.as_str()?);
        if let Some(id) = ["trace_id", "xray_trace_id"].iter().find_map(member) {
            return Some(Self::Named(id));
        }
        let found: trace::TraceId = text.parse().ok()?;
        let id = TraceId::from_bytes(&found.to_u128().to_be_bytes())?;
        let is_named = NAMES.iter().any(|name| text.contains(name)) || text.contains(&id.xray());
        Some(if is_named { Self::Named(id) } else { Self::Digits(id) })
    }

    pub(super) fn id(self) -> TraceId {
        match self {
            Self::Named(id) | Self::Digits(id) => id,
        }
    }
}

// ===== impl Access =====

impl Access {
    fn of(fields: &Map<String, Value>) -> Option<Self> {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (method, path) = (text("method")?, text("path")?);
        let status = match fields.get("status") {
            Some(Value::Number(status)) => Some(status.to_string()),
            Some(Value::String(status)) => Some(clip(status, WORD)),
            _ => None,
        };
        let ended = || text("outcome").filter(|outcome| *outcome != "complete").map(|end| clip(end, WORD));
        let duration = fields.get("duration_ms").and_then(Value::as_f64).filter(|millis| *millis >= 0.0);
        Some(Self {
            method: clip(method, WORD),
            path: clip(path, LINE),
            status: status.or_else(ended),
            duration: duration.map(|millis| (millis * 1e6).round() as u64),
            error: text("error").map(|error| clip(error, LINE)),
        })
    }
}

/// What the level is called differs from library to library; those of bunyan and pino are numbers.
fn level(fields: &Map<String, Value>) -> Option<Level> {
    let told = ["level", "severity", "levelname", "log.level"].iter().find_map(|key| fields.get(*key))?;
    match told {
        Value::String(word) => word_of(word),
        Value::Number(number) => Some(match number.as_u64()? {
            ..30 => Level::Debug,
            30..40 => Level::Info,
            40..50 => Level::Warning,
            50..60 => Level::Error,
            60.. => Level::Critical,
        }),
        _ => None,
    }
}

fn word_of(word: &str) -> Option<Level> {
    match &*word.to_ascii_lowercase() {
        "trace" | "debug" => Some(Level::Debug),
        "info" | "notice" => Some(Level::Info),
        "warn" | "warning" => Some(Level::Warning),
        "error" | "err" => Some(Level::Error),
        "fatal" | "critical" | "alert" | "emergency" | "panic" => Some(Level::Critical),
        _ => None,
    }
}

/// The level of a line of text, in capitals near its beginning.
fn told(text: &str) -> Option<Level> {
    let words = text
        .split_whitespace()
        .take(WORDS)
        .map(|word| word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric()));
    words
        .filter(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase()))
        .find_map(word_of)
}

fn first<'a>(fields: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| fields.get(*key)?.as_str())
}

/// `tracing_subscriber` has the message among the fields.
fn nested(fields: &Map<String, Value>) -> Option<&Map<String, Value>> {
    fields.get("fields")?.as_object()
}

const MESSAGES: &[&str] = &["message", "msg", "@message", "event", "log", "text"];
const NAMES: [&str; 7] = ["trace_id", "traceId", "traceID", "TraceId", "trace-id", "Trace-Id", "traceparent"];
const LINE: usize = 512;
const WORD: usize = 32;
const WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6b003f3afb249ace0123456789abcdef";
    const XRAY: &str = "1-6b003f3a-fb249ace0123456789abcdef";

    fn line(message: &str) -> Line {
        let object: Option<Map<String, Value>> = serde_json::from_str(message).ok();
        let source = LogStream { group: "cruddur".to_owned(), stream: "web/1".to_owned() };
        let mention = Mention::of(object.as_ref(), message);
        Line::new(Arc::new(source), 0, mention, object.as_ref(), message.to_owned())
    }

    #[test]
    fn the_trace_is_found_wherever_it_is_written() {
        let id = TraceId::from_hex(ID).unwrap();
        for (message, mention) in [
            (json!({ "trace_id": ID }).to_string(), Some(Mention::Named(id))),
            (json!({ "xray_trace_id": XRAY }).to_string(), Some(Mention::Named(id))),
            (json!({ "span": { "traceId": ID } }).to_string(), Some(Mention::Named(id))),
            (format!("GET /carts 200 {XRAY}"), Some(Mention::Named(id))),
            (format!("otel trace_id={ID} hello"), Some(Mention::Named(id))),
            (format!("the digest is {ID}"), Some(Mention::Digits(id))),
            (json!({ "etag": ID }).to_string(), Some(Mention::Digits(id))),
            (format!("from {ID} to 00112233445566778899aabbccddeeff"), None),
            ("Hello Cloudwatch! from  /api/activities/home".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(line(&message).head.mention, mention, "{message}");
        }
    }

    #[test]
    fn levels_are_read_as_libraries_write_them() {
        for (message, level) in [
            (r#"{"level":"INFO"}"#, Some(Level::Info)),
            (r#"{"level":"warn"}"#, Some(Level::Warning)),
            (r#"{"severity":"CRITICAL"}"#, Some(Level::Critical)),
            (r#"{"level":50}"#, Some(Level::Error)),
            (r#"{"level":10}"#, Some(Level::Debug)),
            (r#"{"level":{}}"#, None),
            (r#"{"message":"ERROR"}"#, None),
            ("2026-11-20T12:26:03Z  WARN shop: low", Some(Level::Warning)),
            ("[ERROR] no", Some(Level::Error)),
            ("error handling is on", None),
            ("a b c d ERROR", None),
        ] {
            assert_eq!(line(message).head.level, level, "{message}");
        }
    }

    #[test]
    fn an_access_record_is_a_request() {
        let record = json!({ "method": "GET", "path": "/carts/7", "status": 200, "duration_ms": 12.345, "outcome": "complete" });
        let access = line(&record.to_string()).head.access.unwrap();
        assert_eq!(
            (&*access.method, &*access.path, access.status.as_deref()),
            ("GET", "/carts/7", Some("200"))
        );
        assert_eq!(access.duration, Some(12_345_000));
        let canceled = json!({ "method": "GET", "path": "/", "outcome": "canceled", "duration_ms": -1 });
        let access = line(&canceled.to_string()).head.access.unwrap();
        assert_eq!((access.status.as_deref(), access.duration), (Some("canceled"), None));
        assert!(line(r#"{"method":7,"path":"/"}"#).head.access.is_none());
    }

    #[test]
    fn the_message_is_what_the_object_calls_so() {
        for (message, said) in [
            (r#"{"message":"a","msg":"b"}"#, "a"),
            (r#"{"fields":{"message":"a"}}"#, "a"),
            (r#"{"other":1}"#, r#"{"other":1}"#),
            ("plain", "plain"),
        ] {
            assert_eq!(line(message).head.message, said);
        }
    }
}
