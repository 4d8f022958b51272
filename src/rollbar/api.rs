//! The way to Rollbar.

use std::{
    fmt, panic,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    task,
    time::{Instant, sleep_until},
};

use super::{
    Token,
    draft::Draft,
    fit,
    written::{Written, smaller},
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    Error,
    outbox::{Batch, Destination, Limits, Reason, SendError, Tariff, Unit},
    transport::{Answer, HttpClient, HttpClientBuilder},
};

/// Where items go: [Rollbar](https://docs.rollbar.com/reference/create-item), or what stands in for it.
///
/// ```
/// use belvedere::rollbar::{Api, Token};
///
/// let token: Token = "0123456789abcdef0123456789abcdef".parse()?;
/// let api = Api::new(token);
/// # let _ = api;
/// # Ok::<(), belvedere::Error>(())
/// ```
///
/// An item is one request, and there is one request at a time. It is not compressed, because Rollbar does not say that it
/// reads such; the token is in a header alone.
///
/// # What is lost, and when
///
/// | answer | what comes of it |
/// |---|---|
/// | no answer, 408, 5xx | tried again, after the time that `Retry-After` says |
/// | 429 | tried again; until the limit is [reset](https://docs.rollbar.com/docs/rate-limits), a minute at most, nothing is sent |
/// | 413 | cut to 128 KiB and sent once more; then, or if it was no larger, lost as `http 413` |
/// | 401, 403 | lost as `http 401` or `http 403`, as is every later item, which is not sent; with [a spool](crate::outbox#the-spool) they wait there for a process with a better token; the log says so once |
/// | anything else, such as 400 and 422 | lost as `http 400`, and the event has Rollbar's words |
///
/// An item is tried again for [`Limits::retry_for`] at most. It keeps its uuid, by which Rollbar knows what it has.
///
/// # On the disk
///
/// With a spool (feature `spool`) an item lies on the disk as the JSON that is sent, with its stack resolved and its secrets
/// removed, and without the token. Whichever process sends it, its uuid is the same.
#[derive(Clone)]
pub struct Api {
    token: Token,
    uri: Uri,
    timeout: Duration,
    bytes: usize,
    limits: Limits,
    http: HttpClientBuilder,
}

/// The other end of a lane.
#[derive(Debug)]
pub(super) struct ApiDestination {
    api: Api,
    headers: HeaderMap,
    http: HttpClient,
    /// One item at a time is finished and sent. It holds until when Rollbar wants none.
    gate: Mutex<Option<Instant>>,
    /// The status by which Rollbar has refused the token, or 0.
    refused: AtomicU16,
}

/// What is to become of an item.
enum Verdict {
    Delivered,
    /// Try it again.
    Retry(Option<Duration>, Reason),
    /// Try it again, and nothing else before.
    Later(Duration, Reason),
    TooLarge(Reason),
    /// The token is not taken.
    Refused(StatusCode, Reason),
    Reject(Reason),
}

/// <https://docs.rollbar.com/reference/getting-started-1>
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

// ===== impl Api =====

impl Api {
    /// Rollbar itself.
    pub fn new(token: Token) -> Self {
        // What waits to be tried again does not hold up the others: several may be in flight, one of them at the gate.
        let limits =
            Limits::default().records(1).age(Duration::ZERO).queue_records(1024).queue_bytes(32 << 20);
        Self {
            token,
            uri: Uri::from_static(ENDPOINT),
            timeout: Duration::from_secs(10),
            bytes: BYTES,
            limits,
            http: HttpClient::builder(),
        }
    }

    /// The whole URL that items are posted to. Default: `https://api.rollbar.com/api/1/item/`.
    #[must_use]
    pub fn endpoint(mut self, uri: Uri) -> Self {
        self.uri = uri;
        self
    }

    /// How long one request may take. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How large an item may be, from 24 KiB to 1 MiB, as JSON. Default: 512 KiB, as with the vendor's own libraries.
    ///
    /// What is larger is cut step by step, and says so in `notifier.diagnostic.truncation`. More of it keeps more of a large
    /// item; Rollbar takes 1 MiB and may take less.
    #[must_use]
    pub fn item_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes.clamp(fit::LEAST, MOST_BYTES);
        self
    }

    /// How the lane holds and retries. Default: 1024 items and 32 MiB; the rest as [`Limits::default`] says. A request has
    /// one item whatever is set.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits.records(1).age(Duration::ZERO);
        self
    }

    /// Trusts these root certificates, in PEM, and no others: for a stand-in with an authority of its own. Default:
    /// Mozilla's.
    ///
    /// # Errors
    ///
    /// When there is no certificate among them, or one that is none.
    pub fn roots(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.http = self.http.roots(pem)?;
        Ok(self)
    }

    /// What a lane is called: `rollbar api.rollbar.com`.
    pub(super) fn lane(&self) -> String {
        format!("rollbar {}", self.host())
    }

    /// The other end of a lane.
    pub(super) fn destination(self) -> Result<ApiDestination, Error> {
        if self.uri.host().is_none() || self.uri.scheme().is_none() {
            let advice = format!("give a whole URL, such as {ENDPOINT}");
            return Err(Error::invalid("endpoint", &self.place(), advice));
        }
        let http = self.http.clone().build()?;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, JSON), (TOKEN, self.token.header())]);
        Ok(ApiDestination { api: self, headers, http, gate: Mutex::default(), refused: AtomicU16::new(0) })
    }

    /// Where it goes, without what may be a secret: a query, or a user and a password.
    fn place(&self) -> String {
        let (scheme, path) = (self.uri.scheme_str().unwrap_or_default(), self.uri.path());
        format!("{scheme}://{}{path}", self.host())
    }

    /// Host and port.
    fn host(&self) -> &str {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        authority.rsplit_once('@').map_or(authority, |(_, host)| host)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, uri: _, timeout, bytes, limits, http } = self;
        f.debug_struct("Api")
            .field("token", token)
            .field("endpoint", &self.place())
            .field("timeout", timeout)
            .field("item_bytes", bytes)
            .field("limits", limits)
            .field("http", http)
            .finish()
    }
}

// ===== impl ApiDestination =====

impl Destination for ApiDestination {
    type Record = Box<dyn Draft>;

    fn limits(&self) -> Limits {
        self.api.limits
    }

    fn tariff(&self) -> Option<Tariff<Box<dyn Draft>>> {
        Some(Tariff::<Box<dyn Draft>>::new(Unit::ITEMS, |draft| draft.price()))
    }

    fn size(&self, draft: &Box<dyn Draft>) -> usize {
        draft.size()
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<Box<dyn Draft>>> {
        Some(super::written::codec(self.api.bytes))
    }

    async fn send(&self, batch: Batch<Box<dyn Draft>>) -> Result<(), SendError<Box<dyn Draft>>> {
        // A request has one item: see `Api::limits`.
        let Some(draft) = batch.into_iter().next() else { return Ok(()) };
        let mut closed_until = self.gate.lock().await;
        if let Some(reason) = self.refusal() {
            return Err(SendError::Reject { lost: 1, reason });
        }
        if let Some(until) = *closed_until {
            sleep_until(until).await;
            *closed_until = None;
        }
        let size = draft.size();
        let Some((json, verdict)) = self.deliver(draft).await else {
            return Err(SendError::Reject { lost: 1, reason: "shutdown".into() });
        };
        match verdict {
            Verdict::Delivered => Ok(()),
            Verdict::TooLarge(reason) | Verdict::Reject(reason) => Err(SendError::Reject { lost: 1, reason }),
            Verdict::Refused(status, reason) => {
                self.close(status, &reason);
                Err(SendError::Reject { lost: 1, reason })
            }
            Verdict::Later(pause, reason) => {
                *closed_until = Some(Instant::now() + pause);
                Err(retry(json, size, Some(pause), reason))
            }
            Verdict::Retry(after, reason) => Err(retry(json, size, after, reason)),
        }
    }
}

impl ApiDestination {
    /// Sends an item, and what is left of it if it is too large for Rollbar. None if the runtime ends.
    async fn deliver(&self, draft: Box<dyn Draft>) -> Option<(Bytes, Verdict)> {
        let most = self.api.bytes;
        let json = off_thread(move || draft.json(most)).await?;
        let verdict = self.post(json.clone()).await;
        if !matches!(verdict, Verdict::TooLarge(_)) || json.len() <= SMALL_BYTES {
            return Some((json, verdict));
        }
        let json = off_thread(move || smaller(json, SMALL_BYTES)).await?;
        let verdict = self.post(json.clone()).await;
        Some((json, verdict))
    }

    async fn post(&self, body: Bytes) -> Verdict {
        let Api { uri, timeout, token, .. } = &self.api;
        match self.http.post(uri, &self.headers, body, *timeout).await {
            Ok(answer) => Verdict::of(&answer, token),
            Err(error) => {
                Verdict::Retry(None, Reason::new(error.reason()).detail(token.redact(&error.to_string())))
            }
        }
    }

    /// Sends nothing any more.
    fn close(&self, status: StatusCode, reason: &Reason) {
        self.refused.store(status.as_u16(), Ordering::Relaxed);
        tracing::error!(
            target: "belvedere::rollbar",
            "Rollbar does not take the access token, and gets no items until a restart ({reason}); \
             ROLLBAR_ACCESS_TOKEN must be a project's token with the scope post_server_item"
        );
    }

    /// Why no item is taken any more, if that is so.
    fn refusal(&self) -> Option<Reason> {
        match self.refused.load(Ordering::Relaxed) {
            0 => None,
            status => Some(Reason::new(format!("http {status}")).of_sender()),
        }
    }
}

// ===== impl Verdict =====

impl Verdict {
    fn of(answer: &Answer, token: &Token) -> Self {
        let status = answer.status;
        if status.is_success() {
            return Self::Delivered;
        }
        let reason = Reason::new(format!("http {}", status.as_u16())).detail(token.redact(&words(answer)));
        match status {
            StatusCode::TOO_MANY_REQUESTS => Self::Later(pause(&answer.headers), reason),
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(reason),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Refused(status, reason.of_sender()),
            StatusCode::REQUEST_TIMEOUT => Self::Retry(None, reason),
            _ if status.is_server_error() => Self::Retry(retry_after(&answer.headers), reason),
            _ => Self::Reject(reason),
        }
    }
}

/// With what has been written, so that it is not written again.
fn retry(json: Bytes, size: usize, after: Option<Duration>, reason: Reason) -> SendError<Box<dyn Draft>> {
    let again: Box<dyn Draft> = Box::new(Written { json, size });
    SendError::Retry { rest: vec![again].into(), after, reason }
}

/// Runs what may take long. It ends by itself, also if nobody waits for it any more.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// How long Rollbar wants no items.
fn pause(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(REMAINING_SECONDS).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let told = seconds.map(Duration::from_secs).or_else(|| retry_after(headers));
    // Who says "at once" and means it would not have refused.
    told.unwrap_or(LONGEST_PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What Rollbar said: its message, or the readable part of what is there.
fn words(answer: &Answer) -> String {
    let message = serde_json::from_slice(&answer.body).map(|Refusal { message }| message);
    let text = message.unwrap_or_else(|_| String::from_utf8_lossy(&answer.body).into_owned());
    let readable = |char: &char| !char.is_control() && *char != char::REPLACEMENT_CHARACTER;
    text.chars().filter(readable).take(WORDS).collect()
}

const ENDPOINT: &str = "https://api.rollbar.com/api/1/item/";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TOKEN: HeaderName = HeaderName::from_static("x-rollbar-access-token");

/// <https://docs.rollbar.com/docs/rate-limits>
const REMAINING_SECONDS: HeaderName = HeaderName::from_static("x-rate-limit-remaining-seconds");
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the vendor's libraries for Ruby and JavaScript send at most.
const BYTES: usize = 512 * 1024;

/// <https://docs.rollbar.com/reference/create-item>
const MOST_BYTES: usize = 1024 * 1024;

/// What the words of a 413 say.
const SMALL_BYTES: usize = 128 * 1024;

const WORDS: usize = 256;

#[cfg(test)]
mod tests;
