//! An item of Rollbar as it came, and what it says in short.
//!
//! <https://docs.rollbar.com/reference/create-item>

use std::mem::size_of;

use serde_json::{Map, Value};

use crate::console::id::TraceId;
use crate::console::segment::{clip, nanos};

/// An occurrence, as the text that it is: the `data` of what was posted, without the token.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) head: ItemHead,
    text: Box<str>,
}

/// What an item says in short.
#[derive(Clone, Debug)]
pub(super) struct ItemHead {
    /// Its uuid, or one by chance.
    pub(super) id: TraceId,
    /// The trace that it names.
    pub(super) trace: Option<TraceId>,
    pub(super) level: Level,
    /// Nanoseconds since 1970.
    pub(super) at: u64,
    /// The class of what failed; none of a message.
    pub(super) class: Option<String>,
    pub(super) message: String,
    pub(super) method: Option<String>,
    /// The path of the request's URL, without the query.
    pub(super) path: Option<String>,
    pub(super) status: Option<u64>,
    /// Who sent it: a host, or else a language.
    pub(super) sender: String,
}

/// How bad it is, as Rollbar has it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

// ===== impl Item =====

impl Item {
    pub(super) fn new(data: Map<String, Value>, received: u64) -> Self {
        let head = ItemHead::of(&data, received);
        Self { head, text: Value::Object(data).to_string().into_boxed_str() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn data(&self) -> Map<String, Value> {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Where it is shown: with its trace, or by itself under its own id.
    pub(super) fn place(&self) -> TraceId {
        self.head.trace.unwrap_or(self.head.id)
    }

    /// Whether it has the text in it; `text` is in lower case.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.text.to_lowercase().contains(text)
    }

    /// How many bytes it takes, about.
    pub(super) fn weight(&self) -> usize {
        let ItemHead { class, message, method, path, sender, .. } = &self.head;
        let words = [class, method, path].into_iter().flatten().map(String::len).sum::<usize>();
        size_of::<Self>() + self.text.len() + words + message.len() + sender.len()
    }
}

// ===== impl ItemHead =====

impl ItemHead {
    fn of(data: &Map<String, Value>, received: u64) -> Self {
        let at = |path: &[&str]| {
            let (first, rest) = path.split_first()?;
            rest.iter().try_fold(data.get(*first)?, |value, key| value.get(key))
        };
        let text = |path: &[&str]| at(path).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (class, message) = told(data);
        let uuid = text(&["uuid"]).and_then(TraceId::from_any_spelling);
        let time = data.get("timestamp").map(nanos).filter(|at| *at > 0);
        let sender =
            text(&["server", "host"]).or_else(|| text(&["language"])).or_else(|| text(&["platform"]));
        Self {
            id: uuid.unwrap_or_else(TraceId::random),
            trace: trace(data),
            level: Level::of(text(&["level"])),
            at: time.unwrap_or(received),
            class: class.map(|class| clip(class, LINE)),
            message: clip(message, LINE),
            method: text(&["request", "method"]).map(|method| clip(method, WORD)),
            path: text(&["request", "url"]).and_then(path).map(|path| clip(path, LINE)),
            status: at(&["custom", "status"]).and_then(Value::as_u64),
            sender: clip(sender.unwrap_or("(no host)"), LINE),
        }
    }

    /// Class and message in one line.
    pub(super) fn title(&self) -> String {
        match &self.class {
            Some(class) if self.message.is_empty() => class.clone(),
            Some(class) => format!("{class}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

// ===== impl Level =====

impl Level {
    fn of(word: Option<&str>) -> Self {
        match word {
            Some("debug") => Self::Debug,
            Some("info") => Self::Info,
            Some("warning") => Self::Warning,
            Some("critical") => Self::Critical,
            _ => Self::Error,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// The traces of a chain, the one that was reported first; of a message, none.
pub(super) fn chain(data: &Map<String, Value>) -> &[Value] {
    let Some(body) = data.get("body") else { return &[] };
    match (body.get("trace_chain"), body.get("trace")) {
        (Some(Value::Array(chain)), _) => chain,
        (_, Some(trace)) => std::slice::from_ref(trace),
        _ => &[],
    }
}

/// The class and the message.
fn told(data: &Map<String, Value>) -> (Option<&str>, &str) {
    fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
        value.get(key)?.as_str()
    }
    if let Some(exception) = chain(data).first().and_then(|trace| trace.get("exception")) {
        let message = text(exception, "message").or_else(|| text(exception, "description"));
        return (Some(text(exception, "class").unwrap_or("(no class)")), message.unwrap_or_default());
    }
    let body = data.get("body").unwrap_or(&Value::Null);
    let message = body.get("message").and_then(|message| text(message, "body"));
    let report = || body.get("crash_report").and_then(|report| text(report, "raw"));
    (None, message.or_else(report).unwrap_or("(no message)"))
}

/// The trace, as the item names it, or else the header that its request came with.
fn trace(data: &Map<String, Value>) -> Option<TraceId> {
    let read = |value: &Value| value.as_str().and_then(TraceId::from_any_spelling);
    let custom = |key: &str| data.get("custom")?.get(key).and_then(read);
    let attributes = || {
        let attributes = data.get("attributes")?.as_array()?;
        let named =
            attributes.iter().find(|attribute| attribute.get("key").is_some_and(|key| key == "trace_id"));
        named?.get("value").and_then(read)
    };
    let header = |name: &str| {
        let headers = data.get("request")?.get("headers")?.as_object()?;
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| read(value))
    };
    custom("trace_id")
        .or_else(|| custom("xray_trace_id"))
        .or_else(attributes)
        .or_else(|| header("traceparent"))
        .or_else(|| header("x-amzn-trace-id"))
}

fn path(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = &rest[rest.find('/')?..];
    path.split(['?', '#']).next()
}

const LINE: usize = 256;
const WORD: usize = 32;
