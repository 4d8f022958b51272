//! OTLP over HTTP: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;

use crate::console::attribute;
use crate::console::guard::Origin;
use crate::console::id::TraceId;
use crate::console::receive::refusal::Refusal;
use crate::console::receive::{body, bound, cross, lenient, trim};
use crate::console::reply::{self, Reply};
use crate::console::state::State;
use crate::console::trace::{Source, Span};

/// What is sent to a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::console) enum Signal {
    Traces,
    /// Logs and metrics: taken, so that their exporter is content, and not kept.
    Ignored,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

/// How many spans were taken, and how many were not, and why.
#[derive(Debug, Default)]
struct Taken {
    spans: usize,
    rejected: usize,
    reason: &'static str,
}

// ===== impl Signal =====

impl Signal {
    pub(in crate::console) fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/traces" => Some(Self::Traces),
            "/v1/logs" | "/v1/metrics" => Some(Self::Ignored),
            _ => None,
        }
    }
}

// ===== impl Encoding =====

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(Refusal::ContentType(content_type.to_owned())),
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<ExportTraceServiceRequest, Refusal> {
        if !self.fits(bytes) {
            return Err(Refusal::TooMany);
        }
        match self {
            Self::Protobuf => ExportTraceServiceRequest::decode(bytes).map_err(|error| error.to_string()),
            Self::Json => lenient::decode(bytes),
        }
        .map_err(|error| Refusal::Garbage(format!("not an OTLP request: {error}")))
    }

    fn fits(self, bytes: &[u8]) -> bool {
        match self {
            Self::Protobuf => bound::protobuf_fits(bytes),
            Self::Json => bound::json_fits(bytes, OBJECTS, ITEMS),
        }
    }
}

/// Answers whatever is asked of an OTLP path.
pub(in crate::console) async fn receive(
    state: &Arc<State>,
    signal: Signal,
    request: Request<Incoming>,
) -> Reply {
    let origin = state.guard.origin(request.headers());
    let mut reply = match (&origin, request.method()) {
        (Origin::Refused, _) => reply::text(StatusCode::FORBIDDEN, cross::FOREIGN),
        (_, &Method::OPTIONS) => cross::preflight(request.headers()),
        (_, &Method::POST) => post(state, signal, request).await,
        _ => reply::not_allowed("POST, OPTIONS"),
    };
    cross::allow(&mut reply, origin);
    reply
}

async fn post(state: &Arc<State>, signal: Signal, request: Request<Incoming>) -> Reply {
    let encoding = Encoding::of(request.headers());
    let answer = match &encoding {
        Ok(encoding) => take(state, signal, *encoding, request).await,
        Err(refusal) => Err(refusal.clone()),
    };
    let encoding = encoding.unwrap_or(Encoding::Json);
    match answer {
        Ok(taken) => accepted(encoding, &taken),
        Err(refusal) => {
            state.store().door.refuse(&refusal);
            refusal.reply(encoding)
        }
    }
}

async fn take(
    state: &Arc<State>,
    signal: Signal,
    encoding: Encoding,
    request: Request<Incoming>,
) -> Result<Taken, Refusal> {
    let (head, incoming) = request.into_parts();
    let _permit = state.receiving.acquire().await.expect("the semaphore is never closed");
    let sent = body::read(&head.headers, incoming).await?;
    if signal == Signal::Ignored {
        state.store().door.ignored += 1;
        return Ok(Taken::default());
    }
    // Reading is work: the thread that serves stays free for pages, and one body at a time bounds the memory.
    let turn = state.reading.clone().acquire_owned().await.expect("the semaphore is never closed");
    let reader = state.clone();
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        encoding.decode(&sent.unpack()?).map(|request| keep(&reader, request))
    });
    let taken = read.await.unwrap_or_else(|error| Err(Refusal::Broken(error.to_string())))?;
    state.announce();
    Ok(taken)
}

fn keep(state: &State, request: ExportTraceServiceRequest) -> Taken {
    let mut taken = Taken::default();
    let mut spans = Vec::new();
    for resource_spans in request.resource_spans {
        taken.rejected += unpack(resource_spans, &mut spans);
    }
    if taken.rejected > 0 {
        taken.reason = "a span needs a trace id of 16 bytes and a span id of 8 bytes that are not all zero";
    }
    taken.spans = spans.len();
    let mut store = state.store();
    let full = store.receive(spans);
    if full > 0 {
        taken.reason = "the trace is full: the console keeps 10,000 spans of one, and half of its memory";
    }
    taken.rejected += full;
    taken.spans -= full;
    store.door.empty += u64::from(taken.spans == 0);
    taken
}

/// Adds the spans of a resource to `into`; returns how many have no proper ids.
fn unpack(resource_spans: ResourceSpans, into: &mut Vec<(TraceId, Span)>) -> usize {
    let ResourceSpans { resource, scope_spans, schema_url: resource_schema } = resource_spans;
    let mut resource = resource.unwrap_or_default();
    trim::resource(&mut resource);
    let resource = Arc::new(resource);
    let service =
        attribute::text(&resource.attributes, &["service.name"]).unwrap_or("unknown_service").to_owned();
    let (resource_schema, mut rejected) = (trim::short(resource_schema), 0);
    let known = fingerprint((&resource_schema, resource.encode_to_vec()));
    for scope_spans in scope_spans {
        let mut scope = scope_spans.scope.unwrap_or_default();
        trim::scope(&mut scope);
        let scope_schema = trim::short(scope_spans.schema_url);
        let source = Arc::new(Source {
            fingerprint: fingerprint((known, &scope_schema, scope.encode_to_vec())),
            service: service.clone(),
            resource: resource.clone(),
            resource_schema: resource_schema.clone(),
            scope,
            scope_schema,
        });
        for mut span in scope_spans.spans {
            let proper = span.span_id.len() == 8 && span.span_id != [0; 8];
            match TraceId::from_bytes(&span.trace_id).filter(|_| proper) {
                Some(id) => {
                    trim::span(&mut span);
                    into.push((id, Span::new(source.clone(), span)));
                }
                None => rejected += 1,
            }
        }
    }
    rejected
}

/// Keyed by chance, so that nobody can make two sources that look like one.
fn fingerprint(of: impl Hash) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one(of)
}

fn accepted(encoding: Encoding, taken: &Taken) -> Reply {
    let Taken { rejected, reason, .. } = taken;
    let bytes: Bytes = match (encoding, rejected) {
        (Encoding::Protobuf, 0) => Bytes::new(),
        (Encoding::Json, 0) => Bytes::from_static(b"{}"),
        (Encoding::Protobuf, _) => {
            let rejected_spans = i64::try_from(*rejected).unwrap_or(i64::MAX);
            let partial = ExportTracePartialSuccess { rejected_spans, error_message: (*reason).to_owned() };
            ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec().into()
        }
        (Encoding::Json, _) => {
            let partial =
                serde_json::json!({ "rejectedSpans": rejected.to_string(), "errorMessage": reason });
            serde_json::json!({ "partialSuccess": partial }).to_string().into()
        }
    };
    reply::full(StatusCode::OK, encoding.content_type(), bytes)
}

const OBJECTS: usize = 1 << 19;
const ITEMS: usize = 1 << 22;
