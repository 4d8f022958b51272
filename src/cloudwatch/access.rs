use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use http::StatusCode;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tracing::Level;

use super::{
    Outcome,
    date::{Date, three_digits},
    message::{Message, key},
};
use crate::{
    exchange::{AddressText, Code, Value},
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
    #[serde(skip)]
    pub(super) plain: PlainTexts,
}

/// Which texts of a record JSON has as they are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlainTexts {
    pub(super) host: bool,
    pub(super) path: bool,
    pub(super) user_agent: bool,
    pub(super) annotations: bool,
}

// ===== impl AccessRecord =====

impl AccessRecord<'_> {
    /// As `serde_json` writes it, with nothing in it that would break a line.
    pub(super) fn write(&self, to: &mut Message<'_>) {
        to.syntax(key!("{", "timestamp"));
        to.plain_bytes(Date::of(self.timestamp).as_bytes());
        to.syntax(key!(",", "level"));
        to.plain_string(self.level.as_str());
        to.syntax(key!(",", "outcome"));
        to.plain_string(self.outcome.as_str());
        self.write_request(to);
        self.write_response(to);
        self.write_causes(to);
        if !self.annotations.is_empty() {
            to.syntax(key!(",", "annotations"));
            self.write_annotations(to);
        }
        to.syntax(key!(",", "trace_id"));
        to.plain_bytes(&self.trace_id.digits());
        to.syntax(key!(",", "span_id"));
        to.plain_bytes(&self.span_id.digits());
        to.syntax(key!(",", "xray_trace_id"));
        to.plain_bytes(&self.xray_trace_id.digits());
        to.push_plain("}");
    }

    fn write_request(&self, to: &mut Message<'_>) {
        let Self { client, method, scheme, host, route, path, query, plain, .. } = self;
        if let Some(client) = client {
            to.syntax(key!(",", "client"));
            to.plain_bytes(AddressText::of(*client).as_bytes());
        }
        to.syntax(key!(",", "method"));
        to.string(method);
        to.syntax(key!(",", "scheme"));
        to.plain_string(scheme);
        if let Some(host) = host {
            to.syntax(key!(",", "host"));
            to.text(host, plain.host);
        }
        if let Some(route) = route {
            to.syntax(key!(",", "route"));
            to.string(route);
        }
        to.syntax(key!(",", "path"));
        to.text(path, plain.path);
        if let Some(query) = query {
            to.syntax(key!(",", "query"));
            to.string(query);
        }
    }

    fn write_response(&self, to: &mut Message<'_>) {
        let Self { status, grpc_status, duration, bytes, .. } = self;
        if let Some(status) = status {
            to.syntax(key!(",", "status"));
            to.unsigned(status.as_u16().into());
        }
        if let Some(code) = grpc_status {
            to.syntax(key!(",", "grpc_status"));
            to.plain_string(code.name());
        }
        to.syntax(key!(",", "duration_ms"));
        write_milliseconds(*duration, to);
        to.syntax(key!(",", "bytes"));
        to.unsigned(*bytes);
    }

    fn write_causes(&self, to: &mut Message<'_>) {
        let Self { user_agent, error, rollbar_uuid, sample_rate, plain, .. } = self;
        if let Some(user_agent) = user_agent {
            to.syntax(key!(",", "user_agent"));
            to.text(user_agent, plain.user_agent);
        }
        if let Some(error) = error {
            to.syntax(key!(",", "error"));
            to.string(error);
        }
        if let Some(id) = rollbar_uuid {
            to.syntax(key!(",", "rollbar_uuid"));
            to.display(id);
        }
        if let Some(rate) = sample_rate {
            to.syntax(key!(",", "sample_rate"));
            to.float(*rate);
        }
    }

    fn write_annotations(&self, to: &mut Message<'_>) {
        let mut gap = "{";
        for (key, value) in &self.annotations {
            to.push_plain(gap);
            to.text(key, self.plain.annotations);
            to.push_plain(":");
            match &**value {
                Value::Text(text) => to.text(text, self.plain.annotations),
                Value::Int(int) => to.integer(*int),
                Value::Float(float) => to.float(*float),
                Value::Bool(bool) => to.bool(*bool),
            }
            gap = ",";
        }
        to.push_plain("}");
    }
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

fn duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(milliseconds(*duration))
}

/// As the number that [`milliseconds`] gives, which has three decimals at most.
fn write_milliseconds(duration: Duration, to: &mut Message<'_>) {
    let Ok(microseconds) = u32::try_from(duration.as_micros()) else {
        return to.float(milliseconds(duration));
    };
    to.unsigned((microseconds / 1_000).into());
    let part = (microseconds % 1_000) as u16;
    let digits = three_digits(part);
    let zeros = usize::from(part.is_multiple_of(10)) + usize::from(part.is_multiple_of(100));
    to.push_plain(".");
    to.push_bytes(&digits[..digits.len() - zeros]);
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    let microseconds = u32::try_from(duration.as_micros()).map_or(duration.as_secs_f64() * 1e6, f64::from);
    microseconds / 1e3
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

#[cfg(test)]
mod tests {
    use std::{net::Ipv6Addr, time::UNIX_EPOCH};

    use proptest::{collection, option, prelude::*};

    use super::*;
    use crate::cloudwatch::line::line;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            STRANGE.prop_map(Value::from),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            Just(Value::Float(f64::NAN)),
            any::<bool>().prop_map(Value::Bool),
        ]
    }

    fn grpc(code: u8) -> Option<Code> {
        Code::read(&[("grpc-status".parse().unwrap(), u16::from(code).into())].into_iter().collect())
    }

    prop_compose! {
        fn text()(text in prop_oneof![STRANGE.boxed(), any::<String>().boxed()]) -> Cow<'static, str> {
            text.into()
        }
    }

    prop_compose! {
        fn request()(
            client in option::of(any::<[u16; 8]>()), method in text(), host in option::of(text()),
            route in option::of(text()), path in text(), query in option::of(text()),
        ) -> AccessRecord<'static> {
            let client = client.map(|segments| match segments {
                [0..0x8000, a, b, ..] => IpAddr::from((u32::from(a) << 16 | u32::from(b)).to_be_bytes()),
                _ => Ipv6Addr::from(segments).into(),
            });
            AccessRecord { client, method, host, route, path, query, ..plain() }
        }
    }

    prop_compose! {
        fn record()(
            request in request(), millis in any::<u64>(), micros in any::<u64>(), nanos in 0..2_000_000_000_u64,
            is_long: bool, status in option::of(100..1_000_u16), code in option::of(0..17_u8), bytes: u64,
            user_agent in option::of(text()), error in option::of(text()), is_reported: bool,
            sample_rate in option::of(any::<f64>()), annotations in collection::vec((text(), value()), 0..5),
            trace_id in 1..u128::MAX, span_id in 1..u64::MAX,
        ) -> AccessRecord<'static> {
            let trace_id = TraceId::new(trace_id).unwrap();
            AccessRecord {
                timestamp: UNIX_EPOCH + Duration::from_millis(millis >> 16),
                duration: if is_long { Duration::from_micros(micros) } else { Duration::from_nanos(nanos) },
                level: [Level::ERROR, Level::WARN, Level::INFO][millis as usize % 3],
                outcome: [Outcome::Complete, Outcome::Failed, Outcome::Canceled][micros as usize % 3],
                status: status.map(|status| StatusCode::from_u16(status).unwrap()),
                grpc_status: code.and_then(grpc),
                bytes, user_agent, error, sample_rate, trace_id,
                rollbar_uuid: is_reported.then(|| OccurrenceId::of(trace_id, SpanId::new(span_id).unwrap(), 0)),
                annotations: annotations.into_iter().map(|(key, value)| (key, Cow::Owned(value))).collect(),
                span_id: SpanId::new(span_id).unwrap(),
                xray_trace_id: trace_id.amzn(),
                ..request
            }
        }
    }

    fn plain() -> AccessRecord<'static> {
        let trace_id = TraceId::new(1).unwrap();
        AccessRecord {
            timestamp: UNIX_EPOCH,
            level: Level::INFO,
            outcome: Outcome::Complete,
            client: None,
            method: "GET".into(),
            scheme: "https",
            host: None,
            route: None,
            path: "/".into(),
            query: None,
            status: None,
            grpc_status: None,
            duration: Duration::ZERO,
            bytes: 0,
            user_agent: None,
            error: None,
            rollbar_uuid: None,
            sample_rate: None,
            annotations: Vec::new(),
            trace_id,
            span_id: SpanId::new(1).unwrap(),
            xray_trace_id: trace_id.amzn(),
            plain: PlainTexts::default(),
        }
    }

    proptest! {
        #[test]
        fn what_is_written_by_hand_is_what_serde_writes(record in record()) {
            let json = serde_json::to_string(&record).unwrap();
            let (mut written, mut nested) = (Vec::new(), b"\"".to_vec());
            record.write(&mut Message::plain(&mut written));
            record.write(&mut Message::nested(&mut nested));
            let (written, nested) = (String::from_utf8(written).unwrap(), String::from_utf8(nested).unwrap());
            prop_assert_eq!(&*line(&json), &written);
            prop_assert_eq!(serde_json::to_string(&written).unwrap(), nested + "\"");
        }
    }

    /// Letters that are escaped, that begin like them, and that are not.
    const STRANGE: &str = "[\\x00-\\x20\"\\\\/a-e\\x7f-\\u{a9}\\u{2020}-\\u{2070}\u{fc}\u{1f980}]*";
}
