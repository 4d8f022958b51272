//! What each backend reads, and how it says what it says.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Response, request};
use http_body_util::Full;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::any_value::Value as Any,
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};
use time::{PrimitiveDateTime, format_description::FormatItem, macros::format_description};

use super::{
    fault::Lie,
    rules::{Event, PutLogEvents},
};

/// The four backends.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Otlp,
    XRay,
    Rollbar,
    CloudWatch,
}

/// What a call asks for.
pub(super) enum Asked {
    /// To store the records of these paths, of which the largest has so many bytes.
    Store { paths: Vec<String>, largest: usize },
    /// Something beside that, which is granted.
    Other,
}

pub(crate) type Answer = Response<Full<Bytes>>;

// ===== impl Kind =====

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Otlp, Self::XRay, Self::Rollbar, Self::CloudWatch];

    /// Those of AWS, whose requests are signed.
    pub(crate) const AWS: [Self; 2] = [Self::XRay, Self::CloudWatch];

    /// To whom a request is addressed.
    pub(super) fn of(head: &request::Parts) -> Option<Self> {
        match head.uri.path() {
            "/v1/traces" => Some(Self::Otlp),
            "/TraceSegments" => Some(Self::XRay),
            "/api/1/item/" => Some(Self::Rollbar),
            "/" if text(&head.headers, "x-amz-target").starts_with("Logs_20140328.") => {
                Some(Self::CloudWatch)
            }
            _ => None,
        }
    }

    /// What is asked for, or why the request is refused. It is as strict as the vendor's documentation.
    pub(super) fn read(
        self,
        head: &request::Parts,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Asked, Box<Answer>> {
        match self {
            Self::Otlp => otlp(head, body),
            Self::XRay => self.signed(head, now).and_then(|()| x_ray(body)),
            Self::Rollbar => rollbar(head, body),
            Self::CloudWatch => self.signed(head, now).and_then(|()| cloudwatch(head, body, now)),
        }
    }

    pub(super) fn accepted(self) -> Answer {
        match self {
            Self::Otlp => answer(200, PROTOBUF, ExportTraceServiceResponse::default().encode_to_vec()),
            Self::XRay => answer(200, JSON, r#"{"UnprocessedTraceSegments":[]}"#),
            Self::Rollbar => answer(200, JSON, r#"{"err":0,"result":{"uuid":"6b004e00","id":null}}"#),
            Self::CloudWatch => answer(200, AMZ_JSON, "{}"),
        }
    }

    /// Of those whose ids these are, none is stored.
    pub(super) fn in_part(self, refused: usize) -> Answer {
        let many = i64::try_from(refused).unwrap();
        match self {
            Self::Otlp => partial_success(many, "too much of it"),
            Self::XRay => {
                let one = json!({ "ErrorCode": "InvalidTraceId", "Message": "Invalid segment." });
                answer(200, JSON, json!({ "UnprocessedTraceSegments": vec![one; refused] }).to_string())
            }
            Self::Rollbar => self.refused(422),
            Self::CloudWatch => {
                let info = json!({ "tooOldLogEventEndIndex": many });
                answer(200, AMZ_JSON, json!({ "rejectedLogEventsInfo": info }).to_string())
            }
        }
    }

    pub(super) fn lie(self, lie: Lie) -> Answer {
        let (content_type, right) = match self {
            Self::Otlp => (PROTOBUF, &b"\xff\xff\xff\xff\x01"[..]),
            Self::XRay | Self::Rollbar => (JSON, &b"{\"UnprocessedTraceSegments\":7,"[..]),
            Self::CloudWatch => (AMZ_JSON, &b"[{\"rejectedLogEventsInfo\":"[..]),
        };
        let extreme = |number: i64| match self {
            Self::Otlp => partial_success(number, "what a day"),
            Self::XRay => answer(200, JSON, json!({ "UnprocessedTraceSegments": number }).to_string()),
            Self::Rollbar => answer(200, JSON, json!({ "err": number, "result": number }).to_string()),
            Self::CloudWatch => {
                let info = json!({ "tooOldLogEventEndIndex": number });
                answer(200, AMZ_JSON, json!({ "rejectedLogEventsInfo": info }).to_string())
            }
        };
        match lie {
            Lie::Empty => answer(200, content_type, ""),
            Lie::Page => answer(200, "text/html", "<html>Welcome to the hotel! Please sign in.</html>"),
            Lie::Noise => answer(200, content_type, right),
            Lie::TooMany => extreme(1_000_000),
            Lie::Negative => extreme(-7),
        }
    }

    pub(super) fn throttled(self) -> Answer {
        match self {
            Self::Otlp => with(answer(429, "text/plain", "slow down"), "retry-after", "1"),
            Self::XRay => failure(429, "ThrottledException", "Rate exceeded"),
            Self::Rollbar => with(self.refused(429), "x-rate-limit-remaining-seconds", "1"),
            Self::CloudWatch => failure(400, "ThrottlingException", "Rate exceeded"),
        }
    }

    pub(super) fn expired(self) -> Answer {
        match self {
            Self::Otlp | Self::Rollbar => self.refused(401),
            Self::XRay => failure(403, "ExpiredTokenException", "The security token is expired"),
            Self::CloudWatch => failure(400, "ExpiredTokenException", "The security token is expired"),
        }
    }

    pub(super) fn denied(self) -> Answer {
        match self {
            Self::Otlp | Self::Rollbar => self.refused(403),
            Self::XRay => failure(403, "AccessDeniedException", "is not authorized to perform"),
            Self::CloudWatch => failure(400, "AccessDeniedException", "is not authorized to perform"),
        }
    }

    pub(super) fn refused(self, status: u16) -> Answer {
        match self {
            Self::Otlp => answer(status, "text/plain", "no"),
            Self::Rollbar => answer(status, JSON, json!({ "err": 1, "message": "no" }).to_string()),
            Self::XRay | Self::CloudWatch => failure(status, "InternalFailure", "no"),
        }
    }

    fn signed(self, head: &request::Parts, now: SystemTime) -> Result<(), Box<Answer>> {
        let service = if self == Self::XRay { "xray" } else { "logs" };
        if !text(&head.headers, "authorization").contains(&format!("/{service}/aws4_request")) {
            return Err(failure(403, "MissingAuthenticationTokenException", "no signature for it").into());
        }
        let signed_at = PrimitiveDateTime::parse(text(&head.headers, "x-amz-date"), AMZ_DATE);
        let signed_at = SystemTime::from(signed_at.expect("the date of the signature").assume_utc());
        let apart = now.duration_since(signed_at).unwrap_or_else(|error| error.duration());
        if apart > Duration::from_secs(300) {
            let words = "The difference between the request time and the current time is too large.";
            return Err(failure(403, "RequestTimeTooSkewed", words).into());
        }
        Ok(())
    }
}

fn otlp(head: &request::Parts, body: &[u8]) -> Result<Asked, Box<Answer>> {
    if text(&head.headers, "content-type") != PROTOBUF {
        return Err(answer(415, "text/plain", "no protobuf").into());
    }
    let request = ExportTraceServiceRequest::decode(body)
        .map_err(|_| Box::new(answer(400, "text/plain", "damaged")))?;
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let spans: Vec<_> = scopes.flat_map(|scope| scope.spans).collect();
    let largest = spans.iter().map(Message::encoded_len).max().unwrap_or_default();
    Ok(Asked::Store { paths: spans.iter().map(url_path).collect(), largest })
}

fn url_path(span: &Span) -> String {
    let pair = span.attributes.iter().find(|pair| pair.key == "url.path");
    match pair.and_then(|pair| pair.value.clone()?.value) {
        Some(Any::StringValue(path)) => path,
        other => format!("{other:?}"),
    }
}

/// <https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>
fn x_ray(body: &[u8]) -> Result<Asked, Box<Answer>> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let documents = body["TraceSegmentDocuments"].as_array();
    let documents: Vec<_> = documents.into_iter().flatten().filter_map(Value::as_str).collect();
    if documents.is_empty() || documents.len() > 50 || documents.iter().any(|one| one.len() > 65_536) {
        return Err(failure(400, "InvalidRequestException", "1 to 50 documents of 64 kB").into());
    }
    let largest = documents.iter().map(|one| one.len()).max().unwrap_or_default();
    let documents = documents.into_iter().map(|one| serde_json::from_str(one).unwrap_or_default());
    // Parts of a segment are subsegments, which have a type.
    let segments = documents.filter(|document: &Value| document["type"].is_null());
    let paths = segments.map(|segment| path_of(&segment["http"]["request"]["url"])).collect();
    Ok(Asked::Store { paths, largest })
}

/// <https://docs.rollbar.com/reference/create-item>
fn rollbar(head: &request::Parts, body: &[u8]) -> Result<Asked, Box<Answer>> {
    if text(&head.headers, "x-rollbar-access-token") != TOKEN {
        return Err(Kind::Rollbar.refused(401).into());
    }
    if body.len() > 1024 * 1024 {
        return Err(Kind::Rollbar.refused(413).into());
    }
    let item: Value = serde_json::from_slice(body).map_err(|_| Box::new(Kind::Rollbar.refused(400)))?;
    Ok(Asked::Store { paths: vec![path_of(&item["data"]["request"]["url"])], largest: body.len() })
}

fn cloudwatch(head: &request::Parts, body: &[u8], now: SystemTime) -> Result<Asked, Box<Answer>> {
    if text(&head.headers, "x-amz-target") != "Logs_20140328.PutLogEvents" {
        return Ok(Asked::Other);
    }
    let refused = |status, code: &str, words: &str| Box::new(failure(status, code, words));
    let put: PutLogEvents = serde_json::from_slice(body)
        .map_err(|error| refused(400, "SerializationException", &error.to_string()))?;
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let window = put.check().and_then(|()| put.window(i64::try_from(now).unwrap(), None));
    let window = window.map_err(|refusal| refused(refusal.status, &refusal.code, &refusal.message))?;
    let taken: Vec<_> = put.log_events.into_iter().take(window.end).skip(window.begin).collect();
    let largest = taken.iter().map(Event::bytes).max().unwrap_or_default();
    Ok(Asked::Store { paths: taken.into_iter().map(|event| event.message).collect(), largest })
}

fn path_of(url: &Value) -> String {
    let url = url.as_str().unwrap_or_default();
    url.strip_prefix(ORIGIN).unwrap_or(url).to_owned()
}

fn partial_success(rejected_spans: i64, error_message: &str) -> Answer {
    let error_message = error_message.to_owned();
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
    answer(200, PROTOBUF, ExportTraceServiceResponse { partial_success }.encode_to_vec())
}

/// As AWS's services say it.
fn failure(status: u16, code: &str, message: &str) -> Answer {
    answer(status, AMZ_JSON, json!({ "__type": code, "message": message }).to_string())
}

fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let answer = Response::builder().status(status).header("content-type", content_type);
    answer.body(Full::new(body.into())).unwrap()
}

fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers_mut().insert(name, value.parse().unwrap());
    answer
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Where the exchanges are served.
pub(crate) const ORIGIN: &str = "http://shop.example";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
const AMZ_JSON: &str = "application/x-amz-json-1.1";
const AMZ_DATE: &[FormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
