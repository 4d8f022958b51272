//! Items for Rollbar: <https://docs.rollbar.com/reference/create-item>.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::console::guard::Origin;
use crate::console::item::Item;
use crate::console::receive::refusal::Refusal;
use crate::console::receive::{body, bound, cross, trim};
use crate::console::reply::{self, Reply};
use crate::console::state::State;

/// Why an item is not kept.
#[derive(Debug)]
enum Wrong {
    /// Its body is none.
    Body(Refusal),
    TooLarge,
    NoToken,
    /// It is JSON, and no item.
    Format(String),
    Full,
}

/// Whether items are posted to this path.
pub(in crate::console) fn takes_items(path: &str) -> bool {
    matches!(path, "/api/1/item/" | "/api/1/item")
}

/// Answers whatever is asked of the path.
pub(in crate::console) async fn item(state: &Arc<State>, request: Request<Incoming>) -> Reply {
    let origin = state.guard.origin(request.headers());
    let mut reply = match (&origin, request.method()) {
        (Origin::Refused, _) => failure(StatusCode::FORBIDDEN, cross::FOREIGN),
        (_, &Method::OPTIONS) => cross::preflight(request.headers()),
        (_, &Method::POST) => post(state, request).await,
        _ => reply::not_allowed("POST, OPTIONS"),
    };
    cross::allow(&mut reply, origin);
    reply
}

async fn post(state: &Arc<State>, request: Request<Incoming>) -> Reply {
    match take(state, request).await {
        Ok(uuid) => {
            let answer = json!({ "err": 0, "result": { "id": null, "uuid": uuid } });
            reply::json(StatusCode::OK, answer.to_string())
        }
        Err(wrong) => {
            let words = wrong.words();
            state.store().door.refuse(&words);
            failure(wrong.status(), &words)
        }
    }
}

async fn take(state: &Arc<State>, request: Request<Incoming>) -> Result<String, Wrong> {
    let (head, incoming) = request.into_parts();
    let _permit = state.receiving.acquire().await.expect("the semaphore is never closed");
    let sent = body::read(&head.headers, incoming).await.map_err(Wrong::Body)?;
    let turn = state.reading.clone().acquire_owned().await.expect("the semaphore is never closed");
    let (reader, has_token) = (state.clone(), has_token(&head.headers));
    let read = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        keep(&reader, &sent.unpack().map_err(Wrong::Body)?, has_token)
    });
    let uuid = read.await.unwrap_or_else(|error| Err(Wrong::Body(Refusal::Broken(error.to_string()))))?;
    state.announce();
    Ok(uuid)
}

fn keep(state: &State, bytes: &[u8], has_token: bool) -> Result<String, Wrong> {
    let data = read(bytes, has_token)?;
    let uuid = data.get("uuid").and_then(Value::as_str).filter(|uuid| uuid.len() <= UUID).map(str::to_owned);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let item = Item::new(data, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let uuid = uuid.unwrap_or_else(|| item.head.id.to_string());
    if state.store().receive_item(item) { Ok(uuid) } else { Err(Wrong::Full) }
}

/// The data of an item. Its token is not in it, and what it says in credentials is hidden.
fn read(bytes: &[u8], has_token: bool) -> Result<Map<String, Value>, Wrong> {
    if bytes.len() > BYTES {
        return Err(Wrong::TooLarge);
    }
    if !bound::json_fits(bytes, OBJECTS, ITEMS) {
        return Err(Wrong::Body(Refusal::TooMany));
    }
    let garbage = |error: serde_json::Error| Wrong::Body(Refusal::Garbage(format!("not JSON: {error}")));
    let mut posted: Value = serde_json::from_slice(bytes).map_err(garbage)?;
    let token =
        posted.get("access_token").and_then(Value::as_str).is_some_and(|token| !token.trim().is_empty());
    if !has_token && !token {
        return Err(Wrong::NoToken);
    }
    let mut data = posted.get_mut("data").map(Value::take).unwrap_or_default();
    trim::item(&mut data);
    let Value::Object(data) = data else { return Err(unlike("data", &data, "object")) };
    check(&data)?;
    Ok(data)
}

/// As far as Rollbar looks: the body says something, and what is to be an object is one.
fn check(data: &Map<String, Value>) -> Result<(), Wrong> {
    let body = object(data.get("body"), "data.body")?;
    let said = |kind: &&'static str| Some((*kind, body.get(*kind).filter(|said| !said.is_null())?));
    let kinds = ["trace", "trace_chain", "message", "crash_report"];
    let Some((kind, said)) = kinds.iter().find_map(said) else {
        let words = "data.body needs one of trace, trace_chain, message and crash_report";
        return Err(Wrong::Format(words.to_owned()));
    };
    match (kind, said) {
        ("trace_chain", Value::Array(chain)) if !chain.is_empty() => chain.iter().try_for_each(trace)?,
        ("trace_chain", other) => return Err(unlike("data.body.trace_chain", other, "list of traces")),
        ("trace", said) => trace(said)?,
        ("message", said) => text(object(Some(said), "data.body.message")?, "data.body.message", "body")?,
        (_, said) => text(object(Some(said), "data.body.crash_report")?, "data.body.crash_report", "raw")?,
    }
    for key in OBJECT {
        let value = data.get(key).unwrap_or(&Value::Null);
        // PHP writes an empty object as a list.
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty && !value.is_object() {
            return Err(unlike(&format!("data.{key}"), value, "object"));
        }
    }
    Ok(())
}

fn trace(trace: &Value) -> Result<(), Wrong> {
    let trace = object(Some(trace), "a trace")?;
    match trace.get("frames") {
        Some(Value::Array(frames)) => {
            frames.iter().try_for_each(|frame| object(Some(frame), "a frame").map(drop))?
        }
        other => return Err(unlike("a trace's frames", other.unwrap_or(&Value::Null), "list")),
    }
    text(object(trace.get("exception"), "a trace's exception")?, "an exception", "class")
}

fn object<'a>(value: Option<&'a Value>, what: &str) -> Result<&'a Map<String, Value>, Wrong> {
    let value = value.unwrap_or(&Value::Null);
    value.as_object().ok_or_else(|| unlike(what, value, "object"))
}

fn text(fields: &Map<String, Value>, what: &str, key: &str) -> Result<(), Wrong> {
    match fields.get(key) {
        Some(Value::String(_)) => Ok(()),
        other => Err(unlike(&format!("{what}.{key}"), other.unwrap_or(&Value::Null), "string")),
    }
}

/// In Rollbar's words.
fn unlike(what: &str, found: &Value, wanted: &str) -> Wrong {
    let found = match found {
        Value::Null => "no",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    Wrong::Format(format!("Invalid format. {what} {found} value found, but a {wanted} is required."))
}

fn has_token(headers: &HeaderMap) -> bool {
    headers.get("x-rollbar-access-token").is_some_and(|token| !token.as_bytes().trim_ascii().is_empty())
}

fn failure(status: StatusCode, message: &str) -> Reply {
    reply::json(status, json!({ "err": 1, "message": message }).to_string())
}

// ===== impl Wrong =====

impl Wrong {
    fn status(&self) -> StatusCode {
        match self {
            Self::Body(refusal) => refusal.status().0,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Format(_) | Self::Full => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Body(refusal) => refusal.to_string(),
            Self::TooLarge => "the item is larger than 1 MiB".to_owned(),
            Self::NoToken => {
                "access token required: give one in X-Rollbar-Access-Token; any will do here".to_owned()
            }
            Self::Format(words) => words.clone(),
            Self::Full => "the trace is full: the console keeps 100 items of one".to_owned(),
        }
    }
}

/// Rollbar takes 1024 KiB.
const BYTES: usize = 1 << 20;
const OBJECTS: usize = 1 << 14;
const ITEMS: usize = 1 << 17;
const UUID: usize = 64;
const OBJECT: [&str; 7] = ["client", "custom", "notifier", "person", "request", "server", "body"];
