use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use opentelemetry_proto::{
    tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    transform::{
        common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;

use super::{processor::SharedResource, size::size};
use crate::{
    Error,
    outbox::{Batch, Destination, Limits, Reason, SendError},
    transport::{Answer, HttpClient},
};

/// An OTLP endpoint for spans: protobuf over HTTP.
///
/// Batches of at most 512 spans go out, or whatever came within a second. What the
/// [specification](https://opentelemetry.io/docs/specs/otlp/#otlphttp) calls retryable is tried again (429, 502, 503,
/// 504, no answer, no connection), after the time that `Retry-After` says; anything else is lost at once, and counted.
#[derive(Clone, Debug)]
pub struct Otlp {
    uri: Uri,
    headers: HeaderMap,
    timeout: Duration,
    gzip: bool,
    limits: Limits,
}

/// The other end of a lane of spans.
#[derive(Debug)]
struct Endpoint {
    otlp: Otlp,
    http: HttpClient,
    resource: SharedResource,
}

// ===== impl Otlp =====

impl Otlp {
    /// An endpoint by its whole URL, `/v1/traces` included.
    pub fn new(uri: Uri) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, PROTOBUF)]);
        let limits = Limits::default().records(512).bytes(4 << 20).age(Duration::from_secs(1));
        Self { uri, headers, timeout: Duration::from_secs(10), gzip: true, limits }
    }

    /// Sends a further header, for example the key of a backend. It is marked as sensitive.
    #[must_use]
    pub fn header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// How long one request may take. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether requests are compressed. Default: yes; it takes about a tenth of the bytes for some CPU time, off the
    /// service's threads.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// How long a span may wait for company. Default: 1 s; less makes more requests, for somebody who is watching.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.limits = self.limits.age(age);
        self
    }

    /// How the lane batches, holds and retries.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where spans go.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// What a test cannot ask a backend that is not there.
    #[cfg(test)]
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(super) fn destination(
        mut self,
        resource: SharedResource,
    ) -> Result<impl Destination<Record = SpanData>, Error> {
        if self.uri.host().is_none() {
            let advice = "give a whole URL, such as http://localhost:4318/v1/traces";
            return Err(Error::invalid("endpoint", &self.uri.to_string(), advice));
        }
        if self.gzip {
            self.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(Endpoint { otlp: self, http: HttpClient::builder().build()?, resource })
    }
}

// ===== impl Endpoint =====

impl Destination for Endpoint {
    type Record = SpanData;

    fn limits(&self) -> Limits {
        self.otlp.limits
    }

    fn size(&self, span: &SpanData) -> usize {
        size(span)
    }

    async fn send(&self, batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        let Otlp { uri, headers, timeout, .. } = &self.otlp;
        let body = self.encode(&batch);
        match self.http.post(uri, headers, body, *timeout).await {
            Ok(answer) => judge(&answer, batch),
            Err(error) => {
                let reason = Reason::new(error.reason()).detail(error.to_string());
                Err(SendError::Retry { rest: batch, after: None, reason })
            }
        }
    }
}

impl Endpoint {
    fn encode(&self, batch: &Batch<SpanData>) -> Bytes {
        let resource = self.resource.get().map(|resource| ResourceAttributesWithSchema::from(&resource));
        let spans = batch.iter().cloned().map(unique).collect();
        let resource_spans = group_spans_by_resource_and_scope(spans, &resource.unwrap_or_default());
        let plain = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        if self.otlp.gzip { gzip(&plain) } else { plain.into() }
    }
}

/// OTLP wants each key once; the SDK keeps all. The last value counts.
fn unique(mut span: SpanData) -> SpanData {
    let mut index = 0;
    while index < span.attributes.len() {
        let (pair, later) = span.attributes[index..].split_first().expect("the index is within");
        if later.iter().any(|other| other.key == pair.key) {
            span.attributes.remove(index);
        } else {
            index += 1;
        }
    }
    span
}

/// What an answer means for a batch.
fn judge(answer: &Answer, batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
    if answer.status.is_success() {
        return accepted(answer);
    }
    let reason = Reason::new(format!("http {}", answer.status.as_u16())).detail(words(answer));
    if RETRYABLE.contains(&answer.status) {
        return Err(SendError::Retry { rest: batch, after: retry_after(&answer.headers), reason });
    }
    Err(SendError::Reject { lost: batch.len(), reason })
}

/// A success may be a partial one, or a warning.
fn accepted(answer: &Answer) -> Result<(), SendError<SpanData>> {
    let response = ExportTraceServiceResponse::decode(answer.body.clone()).unwrap_or_default();
    let told =
        |partial: &ExportTracePartialSuccess| partial.rejected_spans > 0 || !partial.error_message.is_empty();
    let Some(partial) = response.partial_success.filter(told) else {
        return Ok(());
    };
    let lost = usize::try_from(partial.rejected_spans).unwrap_or(0);
    Err(SendError::Reject { lost, reason: Reason::new("partial success").detail(partial.error_message) })
}

/// What the backend said: the readable part of its body.
fn words(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    text.chars()
        .filter(|char| !char.is_control() && *char != char::REPLACEMENT_CHARACTER)
        .take(WORDS)
        .collect()
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes").into()
}

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const WORDS: usize = 256;
const RETRYABLE: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
