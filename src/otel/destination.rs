use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::Otlp;
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    outbox::{Batch, Destination, Limits, Reason, SendError, Tariff},
    transport::{Answer, Gzip, HttpClient},
};

/// What OTLP carries: spans, metrics or logs.
pub(super) trait Signal: Send + Sync + 'static {
    type Record: Send + Sync + 'static;

    /// About how many bytes a record takes, in memory and before compression on the wire.
    fn size(record: &Self::Record) -> usize;

    /// What records cost. Default: nothing.
    fn tariff() -> Option<Tariff<Self::Record>> {
        None
    }

    /// The request's message.
    fn encode(&self, batch: &Batch<Self::Record>) -> Bytes;

    /// How records are written to the disk. Default: they stay in memory.
    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<Self::Record>> {
        None
    }

    /// Waits until it is known what a request says besides its records.
    #[cfg(feature = "spool")]
    fn ready(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What the answer's message says of records that were not taken.
    fn partial(answer: Bytes) -> Option<Partial>;
}

/// What a backend did not take of a request that it took.
pub(super) struct Partial {
    pub(super) rejected: i64,
    pub(super) message: String,
}

/// The other end of a lane.
#[derive(Debug)]
pub(super) struct Endpoint<S> {
    otlp: Otlp,
    http: HttpClient,
    gzip: Gzip,
    signal: S,
}

// ===== impl Endpoint =====

impl<S: Signal> Endpoint<S> {
    pub(super) fn new(otlp: Otlp, http: HttpClient, signal: S) -> Self {
        Self { otlp, http, gzip: Gzip::default(), signal }
    }

    fn encode(&self, batch: &Batch<S::Record>) -> Bytes {
        let plain = self.signal.encode(batch);
        if self.otlp.gzip { self.gzip.compress(&plain) } else { plain }
    }
}

impl<S: Signal> Destination for Endpoint<S> {
    type Record = S::Record;

    fn limits(&self) -> Limits {
        self.otlp.limits
    }

    fn tariff(&self) -> Option<Tariff<S::Record>> {
        S::tariff()
    }

    fn size(&self, record: &S::Record) -> usize {
        S::size(record)
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<S::Record>> {
        self.signal.codec()
    }

    async fn send(&self, batch: Batch<S::Record>) -> Result<(), SendError<S::Record>> {
        #[cfg(feature = "spool")]
        self.signal.ready().await;
        let Otlp { uri, headers, timeout, .. } = &self.otlp;
        let body = self.encode(&batch);
        match self.http.post(uri, headers, body, *timeout).await {
            Ok(answer) => judge::<S>(&answer, batch),
            Err(error) => {
                let reason = Reason::new(error.reason()).detail(error.to_string());
                Err(SendError::Retry { rest: batch, after: None, reason })
            }
        }
    }
}

/// What an answer means for a batch.
fn judge<S: Signal>(answer: &Answer, batch: Batch<S::Record>) -> Result<(), SendError<S::Record>> {
    if answer.status.is_success() {
        return accepted::<S>(answer, batch.len());
    }
    let reason = Reason::new(format!("http {}", answer.status.as_u16())).detail(words(answer));
    if RETRYABLE.contains(&answer.status) {
        return Err(SendError::Retry { rest: batch, after: retry_after(&answer.headers), reason });
    }
    let is_of_sender = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    let reason = if is_of_sender { reason.of_sender() } else { reason };
    Err(SendError::Reject { lost: batch.len(), reason })
}

/// A success may be a partial one, or a warning.
fn accepted<S: Signal>(answer: &Answer, sent: usize) -> Result<(), SendError<S::Record>> {
    let Some(Partial { rejected, message }) = S::partial(answer.body.clone()) else { return Ok(()) };
    if rejected <= 0 && message.is_empty() {
        return Ok(());
    }
    let lost = usize::try_from(rejected).unwrap_or(0).min(sent);
    Err(SendError::Reject { lost, reason: Reason::new("partial success").detail(message) })
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

const WORDS: usize = 256;
const RETRYABLE: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
