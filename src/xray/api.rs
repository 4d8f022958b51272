//! The way to the service itself.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    error,
    marker::PhantomData,
    ops::Range,
    sync::Once,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::document::{Parts, tariff};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    aws::{Client, ClientError, ServiceError, code_name, retry_after},
    outbox::{Batch, Destination, Limits, Reason, SendError, Tariff},
    transport::Answer,
};

/// Sends segments to X-Ray itself, by
/// [`PutTraceSegments`](https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html): for those who have no
/// daemon.
///
/// ```no_run
/// use belvedere::{aws::{Client, Service}, xray::Api};
///
/// let client = Client::lookup(Service::XRAY, |name| std::env::var(name).ok())?;
/// let api = Api::new(client);
/// # let _ = api;
/// # Ok::<(), belvedere::Error>(())
/// ```
///
/// A request has at most 50 documents of 64 kB each; what is larger goes in parts. The credentials need the permission
/// `xray:PutTraceSegments`, as in the policy `AWSXRayDaemonWriteAccess`.
///
/// # What is lost, and when
///
/// | answer | what comes of it |
/// |---|---|
/// | no answer, 429, 5xx, a code of throttling | tried again, after the time that `Retry-After` says |
/// | no credentials, or such as are not taken | tried again; other credentials are asked for |
/// | documents that it calls unprocessed | lost under their `ErrorCode`; those that failed for now are tried again |
/// | anything else, such as `AccessDeniedException` | lost under its code; what is refused for its keys stays on [the disk](crate::outbox#the-spool), if there is one |
///
/// A request is tried again for [`Limits::retry_for`] at most. Where unprocessed documents have several codes, they count
/// under the one that most have, and the event names them all.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    limits: Limits,
}

/// The other end of a lane of documents `D`.
#[derive(Debug)]
pub(super) struct ApiDestination<D> {
    client: Client,
    limits: Limits,
    /// That there are no credentials is said once in full.
    advice: Once,
    documents: PhantomData<fn(D)>,
}

/// The parts of a batch's documents, one after the other.
#[derive(Default)]
struct Documents {
    json: Vec<u8>,
    parts: Vec<Part>,
}

/// A part of a document: where it is, and the place of the record in its batch.
struct Part {
    record: usize,
    json: Range<usize>,
}

/// Those of the parts that go with one request.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    json: &'a [u8],
    parts: &'a [Part],
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PutTraceSegmentsResult {
    unprocessed_trace_segments: Vec<UnprocessedTraceSegment>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct UnprocessedTraceSegment {
    id: Option<String>,
    error_code: Option<String>,
    message: Option<String>,
}

/// What X-Ray did not take of a batch.
#[derive(Default)]
struct Unprocessed {
    records: BTreeSet<usize>,
    /// Documents that cannot be told by their ids.
    unknown: usize,
    codes: BTreeMap<String, usize>,
    words: Option<String>,
}

/// Why a request was not taken, and what to do about it.
enum Failure {
    Retry(Option<Duration>, Reason),
    Reject(Reason),
}

// ===== impl Api =====

impl Api {
    /// By a client for [`Service::XRAY`](crate::aws::Service::XRAY).
    pub fn new(client: Client) -> Self {
        Self { client, limits: Limits::default().records(50) }
    }

    /// How the lane batches, holds and retries. Default: 50 records; the rest as [`Limits::default`] says.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What it sends by. Samplers ask by the same one.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The other end of a lane.
    pub(super) fn destination<D: Parts>(self) -> ApiDestination<D> {
        let Self { client, limits } = self;
        ApiDestination { client, limits, advice: Once::new(), documents: PhantomData }
    }
}

// ===== impl ApiDestination =====

impl<D: Parts> Destination for ApiDestination<D> {
    type Record = D;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn tariff(&self) -> Option<Tariff<D>> {
        Some(tariff())
    }

    fn size(&self, document: &D) -> usize {
        document.size()
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<D>> {
        D::codec(MOST_BYTES)
    }

    async fn send(&self, batch: Batch<D>) -> Result<(), SendError<D>> {
        match self.put_all(&Documents::of(&batch)).await {
            Ok(unprocessed) => unprocessed.judge(batch),
            Err(Failure::Reject(reason)) => Err(SendError::Reject { lost: batch.len(), reason }),
            // What of it has arrived is taken once, however often it comes.
            Err(Failure::Retry(after, reason)) => Err(SendError::Retry { rest: batch, after, reason }),
        }
    }
}

impl<D> ApiDestination<D> {
    /// One request, unless records have more parts than one takes.
    async fn put_all(&self, documents: &Documents) -> Result<Unprocessed, Failure> {
        let mut unprocessed = Unprocessed::default();
        for chunk in documents.chunks() {
            let result = self.put(chunk).await?;
            unprocessed.add(result, chunk);
        }
        Ok(unprocessed)
    }

    async fn put(&self, chunk: Chunk<'_>) -> Result<PutTraceSegmentsResult, Failure> {
        let headers =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let answer = self.client.post("/TraceSegments", &headers, chunk.body()).await;
        let answer = answer.map_err(|error| self.no_answer(&error))?;
        match ServiceError::of(&answer) {
            Some(error) => Err(refused(&answer, &error)),
            // An answer that cannot be read says of no document that it was not processed.
            None => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
        }
    }

    fn no_answer(&self, error: &ClientError) -> Failure {
        let causes = chain(error);
        if error.is_credentials() {
            self.advice.call_once(|| {
                tracing::warn!(
                    target: "belvedere::xray",
                    "X-Ray gets no segments as long as there are no AWS credentials; they are kept and tried again: {causes}"
                );
            });
        }
        let is_told = error.is_credentials();
        let reason = Reason::new(error.reason()).detail(causes);
        Failure::Retry(None, if is_told { reason.told() } else { reason })
    }
}

// ===== impl Documents =====

impl Documents {
    fn of<D: Parts>(batch: &Batch<D>) -> Self {
        let mut documents = Self::default();
        for (record, document) in batch.iter().enumerate() {
            let start = documents.json.len();
            if document.write(MOST_BYTES, &mut documents.json) {
                documents.note(record, start);
                continue;
            }
            for part in document.parts(MOST_BYTES) {
                let start = documents.json.len();
                documents.json.extend_from_slice(&part);
                documents.note(record, start);
            }
        }
        documents
    }

    /// Notes that a part of a record stands from `start` on.
    fn note(&mut self, record: usize, start: usize) {
        self.parts.push(Part { record, json: start..self.json.len() });
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        self.parts.chunks(MOST_DOCUMENTS).map(|parts| Chunk { json: &self.json, parts })
    }
}

// ===== impl Chunk =====

impl Chunk<'_> {
    /// `{"TraceSegmentDocuments": [..]}`, each of the documents as a text.
    fn body(self) -> Bytes {
        let bytes: usize = self.parts.iter().map(|part| part.json.len()).sum();
        let mut body = Vec::with_capacity(bytes + bytes / 4 + 64);
        body.extend_from_slice(BEFORE);
        for (place, part) in self.parts.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            let json = String::from_utf8_lossy(&self.json[part.json.clone()]);
            serde_json::to_writer(&mut body, &json).expect("strings can be written as JSON");
        }
        body.extend_from_slice(AFTER);
        body.into()
    }

    /// Which record each id belongs to.
    fn places(self) -> HashMap<String, usize> {
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let id = |part: &Part| serde_json::from_slice::<Id>(&self.json[part.json.clone()]).ok();
        self.parts.iter().filter_map(|part| Some((id(part)?.id, part.record))).collect()
    }
}

// ===== impl Unprocessed =====

impl Unprocessed {
    fn add(&mut self, result: PutTraceSegmentsResult, chunk: Chunk<'_>) {
        if result.unprocessed_trace_segments.is_empty() {
            return;
        }
        let places = chunk.places();
        for UnprocessedTraceSegment { id, error_code, message } in result.unprocessed_trace_segments {
            match id.and_then(|id| places.get(&id).copied()) {
                Some(record) => drop(self.records.insert(record)),
                None => self.unknown += 1,
            }
            let code = error_code.and_then(|code| code_name(&code));
            *self.codes.entry(code.unwrap_or_else(|| UNPROCESSED.to_owned())).or_default() += 1;
            self.words = self.words.take().or(message);
        }
    }

    fn judge<D>(self, mut batch: Batch<D>) -> Result<(), SendError<D>> {
        let lost = self.records.len() + self.unknown;
        if lost == 0 {
            return Ok(());
        }
        let reason = self.reason();
        if self.unknown == 0 && self.codes.keys().any(|code| is_for_now(code)) {
            // Those that failed for good come along, and fail once more: what is not in the rest counts as delivered.
            let mut place = 0..;
            batch.retain(|_| place.next().is_some_and(|place| self.records.contains(&place)));
            return Err(SendError::Retry { rest: batch, after: None, reason });
        }
        Err(SendError::Reject { lost, reason })
    }

    /// The most frequent code, and all of them with X-Ray's first words.
    fn reason(&self) -> Reason {
        let most = self.codes.iter().rev().max_by_key(|(_, documents)| **documents);
        let phrase = most.map_or(UNPROCESSED, |(code, _)| code).to_owned();
        let all: Vec<_> = self.codes.iter().map(|(code, documents)| format!("{documents} {code}")).collect();
        Reason::new(phrase).detail(format!(
            "{}: {}",
            all.join(", "),
            self.words.as_deref().unwrap_or_default()
        ))
    }
}

fn refused(answer: &Answer, error: &ServiceError) -> Failure {
    let reason = Reason::new(error.code().to_owned()).detail(error.message());
    let is_busy = answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error();
    if is_busy || error.is_throttling() || error.is_about_keys() || error.is_about_time() {
        return Failure::Retry(retry_after(&answer.headers), reason);
    }
    let is_of_sender = error.code().contains("AccessDenied")
        || matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    Failure::Reject(if is_of_sender { reason.of_sender() } else { reason })
}

fn is_for_now(code: &str) -> bool {
    ["Throttl", "Internal", "Unavailable", "Timeout"].iter().any(|word| code.contains(word))
}

/// What an error and those beneath it say.
fn chain(error: &dyn error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

const BEFORE: &[u8] = br#"{"TraceSegmentDocuments":["#;
const AFTER: &[u8] = b"]}";

/// <https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html>
const MOST_DOCUMENTS: usize = 50;

/// 64 kB, the smaller way to read it (<https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>).
const MOST_BYTES: usize = 64_000;

const UNPROCESSED: &str = "unprocessed";

#[cfg(test)]
mod tests;
