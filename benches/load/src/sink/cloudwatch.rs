use std::cell::Cell;

use anyhow::Result;
use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value, json};

/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputLogEvent>,
}

#[derive(Deserialize)]
struct InputLogEvent {
    timestamp: u64,
    message: String,
}

/// As CloudWatch Logs: there is no group before it is made, and then no stream before it is.
pub(super) fn answers() -> impl Fn(&Parts) -> Response<Full<Bytes>> {
    let (group, stream) = (Cell::new(false), Cell::new(false));
    move |head| match action(head) {
        "CreateLogGroup" => made(&group),
        "CreateLogStream" if group.get() => made(&stream),
        "PutLogEvents" if stream.get() => Response::new(Full::from("{}")),
        "CreateLogStream" => refused("The specified log group does not exist."),
        _ => refused("The specified log stream does not exist."),
    }
}

pub(super) fn count(post: &Bytes) -> Result<usize> {
    Ok(events(post)?.map_or(0, |put| put.log_events.len()))
}

/// Each event, with where it is.
pub(super) fn records(post: &Bytes) -> Result<Vec<Value>> {
    let Some(put) = events(post)? else { return Ok(Vec::new()) };
    let record = |event: &InputLogEvent| {
        anyhow::Ok(json!({
            "logGroupName": put.log_group_name,
            "logStreamName": put.log_stream_name,
            "timestamp": event.timestamp,
            "message": serde_json::from_str::<Value>(&event.message)?,
        }))
    };
    put.log_events.iter().map(record).collect()
}

/// None where something else was asked for, which has no events.
fn events(post: &Bytes) -> Result<Option<PutLogEvents>> {
    let is_put = post.windows(EVENTS.len()).take(HEAD).any(|window| window == EVENTS);
    Ok(if is_put { Some(serde_json::from_slice(post)?) } else { None })
}

fn action(head: &Parts) -> &str {
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    target.and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}

fn made(what: &Cell<bool>) -> Response<Full<Bytes>> {
    what.set(true);
    Response::new(Full::from("{}"))
}

fn refused(why: &str) -> Response<Full<Bytes>> {
    let body = json!({ "__type": "ResourceNotFoundException", "message": why });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

const EVENTS: &[u8] = b"\"logEvents\"";
const HEAD: usize = 2048;
