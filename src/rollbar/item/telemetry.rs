use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    Level, Text,
    extra::{Extra, extra},
    lenient,
};

/// Something that had happened before: a breadcrumb.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Telemetry {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// How bad it was.
    #[serde(default = "info")]
    pub level: Level,
    /// What it was.
    #[serde(rename = "type")]
    pub kind: TelemetryType,
    /// Where it was.
    #[serde(default, deserialize_with = "lenient::default")]
    pub source: Source,
    /// When it was, in milliseconds since 1970.
    #[serde(default, deserialize_with = "lenient::seconds", skip_serializing_if = "Option::is_none")]
    pub timestamp_ms: Option<u64>,
    /// What it said: a `message`, or a `method`, a `url` and a `status_code`.
    #[serde(default, deserialize_with = "lenient::object")]
    pub body: Map<String, Value>,
}

/// What a breadcrumb is about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TelemetryType {
    /// `log`: a line of a log.
    Log,
    /// `network`: a request to somewhere else.
    Network,
    /// `dom`: somebody used a page.
    Dom,
    /// `navigation`: somebody went from page to page.
    Navigation,
    /// `error`: an error.
    Error,
    /// `manual`: what the program itself told.
    Manual,
    /// Any other, as it is written.
    Other(Text<255>),
}

/// Where something happened.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// At the user's.
    Client,
    /// On a server.
    #[default]
    Server,
}

// ===== impl Telemetry =====

impl Telemetry {
    /// Something that happened on this server.
    pub fn new(kind: TelemetryType, level: Level, at: SystemTime, body: Map<String, Value>) -> Self {
        let since = at.duration_since(UNIX_EPOCH).ok();
        let timestamp_ms = since.and_then(|since| u64::try_from(since.as_millis()).ok());
        Self { extra: Extra::default(), level, kind, source: Source::Server, timestamp_ms, body }
    }

    /// A line of this server's log.
    pub fn log(level: Level, at: SystemTime, message: impl Into<String>) -> Self {
        let body = Map::from_iter([("message".to_owned(), Value::String(message.into()))]);
        Self::new(TelemetryType::Log, level, at, body)
    }
}

extra!(Telemetry: "level", "type", "source", "timestamp_ms", "body");

// ===== impl TelemetryType =====

impl TelemetryType {
    /// The word that Rollbar knows it by.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Log => "log",
            Self::Network => "network",
            Self::Dom => "dom",
            Self::Navigation => "navigation",
            Self::Error => "error",
            Self::Manual => "manual",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for TelemetryType {
    fn from(word: String) -> Self {
        let known = KNOWN.iter().find(|kind| kind.as_str() == word);
        known.cloned().unwrap_or_else(|| Self::Other(word.into()))
    }
}

impl Serialize for TelemetryType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TelemetryType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

fn info() -> Level {
    Level::Info
}

const KNOWN: [TelemetryType; 6] = [
    TelemetryType::Log,
    TelemetryType::Network,
    TelemetryType::Dom,
    TelemetryType::Navigation,
    TelemetryType::Error,
    TelemetryType::Manual,
];
