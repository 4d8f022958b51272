use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tracing::Level;

use super::{Outcome, date::Date};
use crate::{
    exchange::{Code, Value},
    trace::{Amzn, OccurrenceId, SpanId, TraceId},
};

/// What the log says of an exchange, without secrets.
///
/// As JSON it is one object: the names of the fields are those of its members, except that `duration_ms` has milliseconds,
/// and what there is not is left out.
///
/// ```json
/// {
///   "timestamp": "2026-11-20T12:26:03.25Z", "level": "INFO", "outcome": "complete",
///   "client": "192.0.2.17", "method": "GET", "scheme": "https", "host": "shop.example",
///   "route": "/carts/{id}", "path": "/carts/7", "status": 200, "duration_ms": 12.345, "bytes": 512,
///   "user_agent": "curl/8.7.1", "annotations": { "cart": 7 },
///   "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7",
///   "xray_trace_id": "1-4bf92f35-77b34da6a3ce929d0e0e4736"
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AccessRecord<'a> {
    /// When the exchange was over.
    #[serde(serialize_with = "timestamp")]
    pub timestamp: SystemTime,
    /// How bad it was.
    #[serde(serialize_with = "level")]
    pub level: Level,
    /// How it ended.
    pub outcome: Outcome,
    /// The client's address, as far as the policy lets it be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// `GET`; any other word that a client may make up is cut at 32 bytes.
    pub method: Cow<'a, str>,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host that was asked for, with its port if one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Cow<'a, str>>,
    /// What the router has matched: `/carts/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Cow<'a, str>>,
    /// The path that was asked for.
    pub path: Cow<'a, str>,
    /// The query, without the question mark, where it is [to be shown](super::CloudWatchLayer::query).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Cow<'a, str>>,
    /// The status; none where there was no response.
    #[serde(serialize_with = "status", skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusCode>,
    /// The status of a call of gRPC, as `OK`.
    #[serde(serialize_with = "code", skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<Code>,
    /// How long it took, its body included.
    #[serde(rename = "duration_ms", serialize_with = "duration")]
    pub duration: Duration,
    /// How many bytes of the response's body were handed to the server.
    pub bytes: u64,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Cow<'a, str>>,
    /// What went wrong: what the service's error, the handler's, the body's or the panic says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
    /// Under which id Rollbar has the failure, where its layer watches, too.
    #[serde(serialize_with = "occurrence", skip_serializing_if = "Option::is_none")]
    pub rollbar_uuid: Option<OccurrenceId>,
    /// How many exchanges it stands for, where [not all](super::CloudWatchLayer::sample) are logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<f64>,
    /// What handlers have added.
    #[serde(serialize_with = "annotations", skip_serializing_if = "<[_]>::is_empty")]
    pub annotations: Vec<(Cow<'a, str>, Cow<'a, Value>)>,
    /// The trace, as OpenTelemetry writes it.
    #[serde(serialize_with = "text")]
    pub trace_id: TraceId,
    /// The exchange's span, which is its segment's id, too.
    #[serde(serialize_with = "text")]
    pub span_id: SpanId,
    /// The trace, as X-Ray writes it: by it alone X-Ray's console finds lines.
    #[serde(serialize_with = "text")]
    pub xray_trace_id: Amzn,
}

/// The line that the course's Flask app logs after each request, in UTC:
/// `[2026-Nov-20 12:26] 127.0.0.1 GET http /api/activities/home? 200 OK`.
///
/// What there is not is `-`.
impl fmt::Display for AccessRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timestamp, client, method, scheme, path, query, status, .. } = self;
        write!(f, "[{}] ", Date::of(*timestamp).minute())?;
        match client {
            Some(client) => write!(f, "{client}")?,
            None => f.write_str("-")?,
        }
        write!(f, " {method} {scheme} {path}?{} ", query.as_deref().unwrap_or_default())?;
        match status {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("-"),
        }
    }
}

fn timestamp<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Date::of(*time).timestamp())
}

fn level<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

fn status<S: Serializer>(status: &Option<StatusCode>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(|status| status.as_u16()).serialize(serializer)
}

fn code<S: Serializer>(code: &Option<Code>, serializer: S) -> Result<S::Ok, S::Error> {
    code.map(Code::name).serialize(serializer)
}

/// To the microsecond.
fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let microseconds = u32::try_from(duration.as_micros()).map_or(duration.as_secs_f64() * 1e6, f64::from);
    serializer.serialize_f64(microseconds / 1e3)
}

fn occurrence<S: Serializer>(id: &Option<OccurrenceId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}

fn text<S: Serializer>(text: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(text)
}

fn annotations<S: Serializer>(
    pairs: &[(Cow<'_, str>, Cow<'_, Value>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        match &**value {
            Value::Text(text) => map.serialize_entry(key, text)?,
            Value::Int(int) => map.serialize_entry(key, int)?,
            Value::Float(float) => map.serialize_entry(key, float)?,
            Value::Bool(bool) => map.serialize_entry(key, bool)?,
        }
    }
    map.end()
}
