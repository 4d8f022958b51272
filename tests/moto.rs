//! What is sent to AWS, as a server takes it that others have made, and gives it back.
#![cfg(feature = "full")]

#[path = "support/moto.rs"]
mod moto;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    time::{Duration, SystemTime},
};

use belvedere::{
    aws::{Client, Service},
    cloudwatch::{self, LogEvent, LogLane},
    outbox::Outbox,
    trace::TraceId,
    xray::{self, Sampler, SegmentLane, XRayLayer},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Empty;
use moto::{Moto, ask_logs};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[tokio::test]
async fn log_events_come_back_as_they_were_sent() {
    let Some(moto) = Moto::start().await else { return };
    let client = moto.client(Service::LOGS);
    let outbox = Outbox::builder().start().unwrap();
    let api = cloudwatch::Api::new(client.clone(), GROUP.parse().unwrap());
    let lane = LogLane::new(&outbox, api).stream(STREAM.parse().unwrap());
    let other = lane.clone().stream(OTHER.parse().unwrap());
    let now = SystemTime::now();
    let event = |number: u64| {
        let at = now - Duration::from_secs(3_000 - number);
        let said = ["plain", "{\"status\": 200}", "m\u{fc}lti-b\u{fd}te \u{1f375}", "nul \0 and \u{1b}[31m"];
        LogEvent::new(at, format!("#{number} {}", said[usize::try_from(number).unwrap() % said.len()]))
    };
    let pushed: Vec<_> = (0..3_000).map(event).collect();
    for event in pushed.iter().rev() {
        lane.push(event.clone());
    }
    other.push(event(3_000));

    let report = outbox.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.lanes[0].delivered, report.lost()), (3_001, 0), "{report}");
    let (stored, one) = (events(&client, STREAM).await, events(&client, OTHER).await);
    assert_eq!(stored.len(), 3_000);
    assert!(stored == pushed, "they differ");
    assert_eq!(one, [event(3_000)]);
}

#[tokio::test]
async fn segments_come_back_by_their_trace() {
    let Some(moto) = Moto::start().await else { return };
    let client = moto.client(Service::XRAY);
    let outbox = Outbox::builder().start().unwrap();
    let lane = SegmentLane::api(&outbox, xray::Api::new(client.clone()));
    let layer = XRayLayer::on("tea-house", lane).sample(Sampler::all());
    let service = layer.layer(service_fn(async |_: Request<Empty<&'static [u8]>>| {
        Ok::<_, Infallible>(Response::new(Empty::<&'static [u8]>::new()))
    }));
    let traces: Vec<_> = (0..70).map(|_| TraceId::generate()).collect();
    for trace in &traces {
        let root = format!("Root={};Sampled=1", trace.amzn());
        let request = Request::get("http://tea.example/").header("x-amzn-trace-id", root);
        drop(service.clone().oneshot(request.body(Empty::new()).unwrap()).await.unwrap());
    }
    let report = outbox.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.lanes[0].delivered, report.lost()), (70, 0), "{report}");
    let asked: Vec<_> = traces.iter().take(5).map(|trace| trace.amzn().to_string()).collect();
    let headers =
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = json!({ "TraceIds": asked }).to_string();
    let answer = client.post("/Traces", &headers, body.into()).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let found = answer["Traces"].as_array().unwrap().iter().map(|trace| trace["Id"].as_str().unwrap());
    let found: BTreeSet<_> = found.map(str::to_owned).collect();
    assert_eq!(found, asked.into_iter().collect());
}

/// All events of a stream, page by page, by their times.
async fn events(client: &Client, stream: &str) -> Vec<LogEvent> {
    let mut events = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut body = json!({ "logGroupName": GROUP, "logStreamName": stream, "startFromHead": true });
        if token.is_string() {
            body["nextToken"] = token.clone();
        }
        let page = ask_logs(client, "GetLogEvents", body).await;
        let found = page["events"].as_array().unwrap();
        let event = |event: &Value| LogEvent {
            timestamp: event["timestamp"].as_i64().unwrap(),
            message: event["message"].as_str().unwrap().to_owned(),
        };
        events.extend(found.iter().map(event));
        if found.is_empty() || page["nextForwardToken"] == token {
            break;
        }
        token = page["nextForwardToken"].clone();
    }
    events.sort_by_key(|event| event.timestamp);
    events
}

const GROUP: &str = "/tea/house";
const STREAM: &str = "web-1";
const OTHER: &str = "web-2/2026-11-20";
