//! The calls of X-Ray's API that services make, signed or not: <https://docs.aws.amazon.com/xray/latest/api/>.
//!
//! The daemon hands them on to X-Ray; this answers them. Nobody's signature is looked at.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::guard::Origin;
use crate::console::receive::refusal::Refusal;
use crate::console::receive::{body, bound, cross, document};
use crate::console::reply::{self, Reply};
use crate::console::sampling::{DEFAULT, Sampling, Tally};
use crate::console::state::State;

/// What is asked for by a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::console) enum Call {
    GetSamplingRules,
    GetSamplingTargets,
    PutTraceSegments,
    /// Taken, so that its sender is content, and not kept.
    PutTelemetryRecords,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct PutTraceSegments {
    trace_segment_documents: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GetSamplingTargets {
    sampling_statistics_documents: Vec<Map<String, Value>>,
}

// ===== impl Call =====

impl Call {
    pub(in crate::console) fn of(path: &str) -> Option<Self> {
        match path {
            "/GetSamplingRules" => Some(Self::GetSamplingRules),
            "/SamplingTargets" => Some(Self::GetSamplingTargets),
            "/TraceSegments" => Some(Self::PutTraceSegments),
            "/TelemetryRecords" => Some(Self::PutTelemetryRecords),
            _ => None,
        }
    }

    fn answer(self, state: &State, body: &[u8]) -> Result<Value, Refusal> {
        match self {
            Self::GetSamplingRules => Ok(rules(&state.sampling())),
            Self::GetSamplingTargets => Ok(targets(&mut state.sampling(), read(body)?)),
            Self::PutTraceSegments => Ok(keep(state, read(body)?)),
            Self::PutTelemetryRecords => Ok(json!({})),
        }
    }
}

/// Answers whatever is asked of one of the paths.
pub(in crate::console) async fn call(state: &Arc<State>, call: Call, request: Request<Incoming>) -> Reply {
    if state.guard.origin(request.headers()) == Origin::Refused {
        return failure(StatusCode::FORBIDDEN, "AccessDeniedException", cross::FOREIGN);
    }
    if request.method() != Method::POST {
        return reply::not_allowed("POST");
    }
    match take(state, call, request).await {
        Ok(answer) => reply::json(StatusCode::OK, answer.to_string()),
        Err(refusal) => {
            state.store().door.refuse(&refusal);
            failure(refusal.status().0, "InvalidRequestException", &refusal.to_string())
        }
    }
}

/// The answer to a path that is none of X-Ray's, or of which nothing is known here.
pub(in crate::console) fn unknown() -> Reply {
    failure(StatusCode::NOT_FOUND, "UnknownOperationException", "The console does not know this call.")
}

async fn take(state: &Arc<State>, call: Call, request: Request<Incoming>) -> Result<Value, Refusal> {
    let (head, incoming) = request.into_parts();
    let _permit = state.receiving.acquire().await.expect("the semaphore is never closed");
    let sent = body::read(&head.headers, incoming).await?;
    let turn = state.reading.clone().acquire_owned().await.expect("the semaphore is never closed");
    let reader = state.clone();
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        call.answer(&reader, &sent.unpack()?)
    });
    let answer = read.await.unwrap_or_else(|error| Err(Refusal::Broken(error.to_string())))?;
    state.announce();
    Ok(answer)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    if !bound::json_fits(body, OBJECTS, ITEMS) {
        return Err(Refusal::TooMany);
    }
    serde_json::from_slice(body).map_err(|error| Refusal::Garbage(format!("not a request of X-Ray: {error}")))
}

fn rules(sampling: &Sampling) -> Value {
    let rule = json!({
        "RuleName": DEFAULT,
        "RuleARN": "arn:aws:xray:us-east-1:000000000000:sampling-rule/Default",
        "ResourceARN": "*",
        "Priority": 10_000,
        "FixedRate": sampling.rule.rate,
        "ReservoirSize": sampling.rule.reservoir,
        "ServiceName": "*",
        "ServiceType": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "Version": 1,
        "Attributes": {},
    });
    let record = json!({ "CreatedAt": 0.0, "ModifiedAt": sampling.since, "SamplingRule": rule });
    json!({ "NextToken": null, "SamplingRuleRecords": [record] })
}

fn targets(sampling: &mut Sampling, told: GetSamplingTargets) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64().floor();
    let (mut targets, mut unprocessed) = (Vec::new(), Vec::new());
    for statistics in told.sampling_statistics_documents {
        match target(sampling, &statistics, now) {
            Some(target) => targets.push(target),
            None => unprocessed.push(json!({
                "RuleName": statistics.get("RuleName"),
                "ErrorCode": "400",
                "Message": "The console has no such rule.",
            })),
        }
    }
    json!({
        "SamplingTargetDocuments": targets,
        "LastRuleModification": sampling.since,
        "UnprocessedStatistics": unprocessed,
    })
}

fn target(sampling: &mut Sampling, statistics: &Map<String, Value>, now: f64) -> Option<Value> {
    let text = |key: &str| statistics.get(key).and_then(Value::as_str);
    let count = |key: &str| statistics.get(key).and_then(Value::as_u64).unwrap_or_default();
    let client = text("ClientID").filter(|client| client.len() <= CLIENT)?;
    text("RuleName").filter(|rule| *rule == DEFAULT)?;
    let told = Tally { requests: count("RequestCount"), sampled: count("SampledCount") };
    Some(json!({
        "RuleName": DEFAULT,
        "FixedRate": sampling.rule.rate,
        "ReservoirQuota": sampling.report(client, told, now),
        "ReservoirQuotaTTL": now + LIFE,
        "Interval": INTERVAL,
    }))
}

fn keep(state: &State, put: PutTraceSegments) -> Value {
    let (mut documents, mut unprocessed) = (Vec::new(), Vec::new());
    for text in put.trace_segment_documents {
        match document::read(text.as_bytes()) {
            Ok(document) => documents.push(document),
            Err(wrong) => unprocessed.push(undone(id(&text), wrong.code())),
        }
    }
    let ids: Vec<_> = documents.iter().map(|(_, document)| document.head.id).collect();
    let mut store = state.store();
    let refused = store.receive_documents(documents);
    unprocessed.extend(refused.iter().map(|place| undone(Some(format!("{:016x}", ids[*place])), FULL)));
    store.door.garbage += unprocessed.len() as u64;
    json!({ "UnprocessedTraceSegments": unprocessed })
}

fn undone(id: Option<String>, code: &str) -> Value {
    json!({ "Id": id, "ErrorCode": code, "Message": format!("Invalid segment. ErrorCode: {code}") })
}

/// The id of a document that was not taken, where it has one.
fn id(document: &str) -> Option<String> {
    let document: Value = serde_json::from_str(document).ok()?;
    document.get("id")?.as_str().filter(|id| id.len() <= CLIENT).map(str::to_owned)
}

/// An error as X-Ray says it: <https://docs.aws.amazon.com/xray/latest/api/CommonErrors.html>.
fn failure(status: StatusCode, code: &'static str, message: &str) -> Reply {
    let mut reply = reply::json(status, json!({ "message": message }).to_string());
    reply.headers_mut().insert("x-amzn-errortype", http::HeaderValue::from_static(code));
    reply
}

/// X-Ray takes 50 documents at once, and 25 reports.
const OBJECTS: usize = 1 << 10;
const ITEMS: usize = 1 << 14;
const CLIENT: usize = 64;
/// When a sampler is to report again, in seconds; a quota outlives one report that is late.
const INTERVAL: u64 = 10;
const LIFE: f64 = 20.0;
const FULL: &str = "TraceTooLarge";
