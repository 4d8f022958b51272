//! What CloudWatch Logs takes: the double's own rules, and that nothing which is sent ever breaks one of them.
#![cfg(feature = "cloudwatch")]

#[path = "support/cloudwatch.rs"]
mod cloudwatch;

use std::time::{Duration, SystemTime};

use belvedere::{
    aws::{Client, ClientError},
    cloudwatch::{Api, LogEvent, LogLane, StreamName},
    outbox::{Limits, Outbox, Report},
};
use cloudwatch::{
    CloudWatch, Fault, Oracle, Stored,
    rules::{DAY, HOUR, MOST_BYTES, MOST_EVENTS, NEWEST, OLDEST, OVERHEAD},
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

// ===== the double =====

#[tokio::test]
async fn the_double_refuses_a_batch_in_the_words_of_the_service() {
    let (cloudwatch, now) = (furnished(), now());
    let client = cloudwatch.client();
    let many =
        |count: usize| -> Value { (0..count).map(|_| json!({"timestamp": now, "message": "a"})).collect() };
    let at = |timestamp: i64| json!({ "timestamp": timestamp, "message": "a" });
    let long = |bytes: usize| json!({ "timestamp": now, "message": "a".repeat(bytes) });
    for (events, code, words) in [
        (
            json!([]),
            PARAMETER,
            "Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater",
        ),
        (many(MOST_EVENTS + 1), PARAMETER, "Member must have length less than or equal to 10000"),
        (json!([{ "timestamp": now, "message": "" }]), PARAMETER, "'logEvents.1.member.message'"),
        (json!([at(-1)]), PARAMETER, "Member must have value greater than or equal to 0"),
        (
            json!([long(MOST_BYTES - OVERHEAD + 1)]),
            PARAMETER,
            "Log event too large: 1048577 bytes exceeds limit of 1048576",
        ),
        (
            json!([long(524_262), long(524_263)]),
            PARAMETER,
            "Upload too large: 1048577 bytes exceeds limit of 1048576",
        ),
        (json!([at(now), at(now - 1)]), PARAMETER, "must be in chronological order."),
        (json!([at(now - DAY - 1), at(now)]), PARAMETER, "cannot span more than 24 hours."),
        (json!([{ "timestamp": "now", "message": "a" }]), "SerializationException", "invalid type"),
        (
            json!([{ "timestamp": now, "message": "a", "level": 3 }]),
            "SerializationException",
            "unknown field",
        ),
    ] {
        let body = json!({ "logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events });
        let (status, said) = ask(&client, "PutLogEvents", &body).await;
        assert_eq!((status, said["__type"].as_str()), (400, Some(code)), "{words}: {said}");
        assert!(said["message"].as_str().unwrap().contains(words), "{words}: {said}");
    }
    assert!(cloudwatch.stored().is_empty());
    for events in [
        many(MOST_EVENTS),
        json!([long(MOST_BYTES - OVERHEAD)]),
        json!([long(524_262), long(524_262)]),
        json!([at(now - DAY), at(now)]),
    ] {
        let body = json!({ "logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events });
        assert_eq!(ask(&client, "PutLogEvents", &body).await, (200, json!({})));
    }
    assert_eq!(cloudwatch.stored_count(), MOST_EVENTS + 1 + 2 + 2);
}

#[tokio::test]
async fn the_double_rejects_single_events_by_their_time() {
    let (cloudwatch, now) = (furnished(), now());
    let client = cloudwatch.client();
    let put = async |times: &[i64]| {
        let events: Vec<_> = times.iter().map(|time| json!({ "timestamp": time, "message": "a" })).collect();
        let body = json!({ "logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events });
        let before = cloudwatch.stored_count();
        let (status, said) = ask(&client, "PutLogEvents", &body).await;
        assert_eq!(status, 200, "{said}");
        (said["rejectedLogEventsInfo"].clone(), cloudwatch.stored_count() - before)
    };
    let (old, new) = (now - OLDEST - HOUR, now + NEWEST + HOUR);
    assert_eq!(put(&[now - 5, now]).await, (Value::Null, 2));
    assert_eq!(put(&[old, old, now, now]).await, (json!({ "tooOldLogEventEndIndex": 2 }), 2));
    assert_eq!(put(&[now, new, new + 1]).await, (json!({ "tooNewLogEventStartIndex": 1 }), 1));
    let both = json!({ "tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2 });
    assert_eq!(put(&[old, now, new]).await, (both, 1));
    assert_eq!(put(&[old, old]).await, (json!({ "tooOldLogEventEndIndex": 2 }), 0));
    assert_eq!(put(&[new]).await, (json!({ "tooNewLogEventStartIndex": 0 }), 0));

    let week = json!({ "logGroupName": GROUP, "retentionInDays": 7 });
    assert_eq!(ask(&client, "PutRetentionPolicy", &week).await.0, 200);
    let expired = now - 8 * DAY;
    assert_eq!(put(&[expired, expired, now]).await, (json!({ "expiredLogEventEndIndex": 2 }), 1));
    let both = json!({ "tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 3 });
    assert_eq!(put(&[old, expired, expired, now]).await, (both, 1));
}

#[tokio::test]
async fn the_double_makes_what_has_a_name_and_nothing_twice() {
    let cloudwatch = CloudWatch::start();
    let client = cloudwatch.client();
    let name = |length: usize| "a".repeat(length);
    for (target, body, code) in [
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "a" }), NOT_FOUND),
        ("PutRetentionPolicy", json!({ "logGroupName": GROUP, "retentionInDays": 1 }), NOT_FOUND),
        ("PutLogEvents", one(1), NOT_FOUND),
        (
            "CreateLogGroup",
            json!({ "logGroupName": GROUP, "logGroupClass": "INFREQUENT_ACCESS", "tags": { "a": "b" } }),
            "",
        ),
        ("CreateLogGroup", json!({ "logGroupName": GROUP }), EXISTS),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "a" }), ""),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "a" }), EXISTS),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": name(512) }), ""),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": name(513) }), PARAMETER),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "" }), PARAMETER),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "a:b" }), PARAMETER),
        ("CreateLogStream", json!({ "logGroupName": GROUP, "logStreamName": "a*b" }), PARAMETER),
        ("CreateLogGroup", json!({ "logGroupName": name(512) }), ""),
        ("CreateLogGroup", json!({ "logGroupName": name(513) }), PARAMETER),
        ("CreateLogGroup", json!({ "logGroupName": "a b" }), PARAMETER),
        ("CreateLogGroup", json!({ "logGroupName": "aws/a" }), PARAMETER),
        ("CreateLogGroup", json!({ "logGroupName": "b", "logGroupClass": "CHEAP" }), PARAMETER),
        ("CreateLogGroup", json!({ "logGroupName": "b", "kmsKeyId": "a key" }), PARAMETER),
        ("PutRetentionPolicy", json!({ "logGroupName": GROUP, "retentionInDays": 8 }), PARAMETER),
        ("PutRetentionPolicy", json!({ "logGroupName": GROUP, "retentionInDays": 3653 }), ""),
        ("DescribeLogStreams", json!({ "logGroupName": GROUP }), "UnknownOperationException"),
    ] {
        let (status, said) = ask(&client, target, &body).await;
        let expected = if code.is_empty() { 200 } else { 400 };
        assert_eq!(
            (status, said["__type"].as_str().unwrap_or_default()),
            (expected, code),
            "{target} {said}"
        );
    }
    let group = cloudwatch.group(GROUP).unwrap();
    assert_eq!((group.retention, group.streams.len()), (Some(3653), 2));
    assert_eq!((group.class.as_deref(), &*group.tags["a"]), (Some("INFREQUENT_ACCESS"), "b"));
}

#[tokio::test]
async fn the_double_knows_who_signs_for_what_and_when() {
    let cloudwatch = furnished();
    let body = json!({ "logGroupName": GROUP, "retentionInDays": 1 });
    let code = async |client: &Client| ask(client, "PutRetentionPolicy", &body).await.1["__type"].clone();
    let with =
        |id: &str, secret: &str| aws_credential_types::Credentials::new(id, secret, None, None, "test");
    let client = |keys| cloudwatch.client_with(keys).build().unwrap();
    assert_eq!(code(&cloudwatch.client()).await, Value::Null);
    assert_eq!(code(&client(with("AKIDOTHER", "wJalrXUtnFEMI"))).await, "UnrecognizedClientException");
    assert_eq!(code(&client(with("AKIDEXAMPLE", "another"))).await, "InvalidSignatureException");
    let xray =
        Client::builder(belvedere::aws::Service::XRAY, "eu-west-1".parse().unwrap(), cloudwatch.keys());
    let xray = xray.endpoint(cloudwatch.url().parse().unwrap()).build().unwrap();
    assert_eq!(code(&xray).await, "InvalidSignatureException");
    // The client learns the double's time by the first answer.
    cloudwatch.ahead(DAY);
    assert_eq!(code(&cloudwatch.client()).await, Value::Null);
    let refused = cloudwatch.calls().into_iter().rev().nth(1).unwrap().refusal.unwrap();
    assert_eq!(refused.0, "RequestTimeTooSkewed");
}

#[tokio::test]
async fn the_double_fails_as_it_is_told() {
    let cloudwatch = furnished();
    let client =
        cloudwatch.client_with(cloudwatch.keys()).timeout(Duration::from_millis(300)).build().unwrap();
    let put = async |fault: Fault| {
        let before = cloudwatch.stored_count();
        cloudwatch.faults(move |_| Some(fault.clone()));
        let answer = post(&client, "PutLogEvents", &one(now())).await;
        let said = answer.map(|(status, said)| (status, said.to_string()));
        (said.ok(), cloudwatch.stored_count() - before)
    };
    let code = |code: &str, words: &str, status| {
        Some((status, json!({ "__type": code, "message": words }).to_string()))
    };
    let throttling = code("ThrottlingException", "Rate exceeded", 400);
    assert_eq!(put(Fault::throttling()).await, (throttling, 0));
    assert_eq!(put(Fault::too_many()).await.0.unwrap().0, 429);
    assert_eq!(put(Fault::internal()).await.0.unwrap().0, 500);
    assert_eq!(put(Fault::unavailable()).await.0.unwrap().0, 503);
    assert_eq!(put(Fault::Reset).await, (None, 0));
    assert_eq!(put(Fault::StoreAndReset).await, (None, 1));
    assert_eq!(put(Fault::Hang).await, (None, 0));
    assert_eq!(put(Fault::StoreAndHang).await, (None, 1));
    assert_eq!(cloudwatch.unanswered(), 2);
    assert_eq!(put(Fault::Slow(Duration::from_millis(20))).await, (Some((200, "{}".to_owned())), 1));
    assert_eq!(put(Fault::Slow(Duration::from_secs(2))).await, (None, 1));
    let lie = json!({ "tooOldLogEventEndIndex": 7 });
    let told = json!({ "rejectedLogEventsInfo": lie }).to_string();
    assert_eq!(put(Fault::Lie(lie)).await, (Some((200, told)), 1));
    let gone = |what| code(NOT_FOUND, &format!("The specified log {what} does not exist."), 400);
    assert_eq!(put(Fault::VanishedStream).await, (gone("stream"), 0));
    assert_eq!(put(Fault::VanishedGroup).await, (gone("group"), 0));
}

#[tokio::test]
async fn the_oracle_knows_what_was_lost_doubled_altered_and_made_up() {
    let mut oracle = Oracle::default();
    let messages: Vec<_> = (0..5).map(|_| oracle.message(1_000, "tea")).collect();
    let stored = |timestamp: i64, message: &str| Stored {
        group: GROUP.to_owned(),
        stream: STREAM.to_owned(),
        timestamp,
        message: message.to_owned(),
        call: 0,
    };
    let [first, second, third, ..] = &messages[..] else { unreachable!() };
    let all = [
        stored(1_000, first),
        stored(1_000, second),
        stored(1_000, second),
        stored(1_001, third),
        stored(1_000, "#3 te"),
        stored(1_000, "#5 tea"),
        stored(1_000, "tea"),
    ];
    let verdict = oracle.judge(&all);
    assert_eq!(verdict.lost.into_iter().collect::<Vec<_>>(), [4]);
    assert_eq!(verdict.doubled.into_iter().collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(verdict.moved.into_iter().collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!(verdict.altered, [all[4].clone()]);
    assert_eq!(verdict.unknown, all[5..]);
}

// ===== what is sent =====

#[tokio::test]
async fn batches_at_the_edge_of_the_bytes_are_taken() {
    let now = now();
    let event = |bytes: usize| LogEvent { timestamp: now, message: "x".repeat(bytes - OVERHEAD) };
    let half = MOST_BYTES / 2;
    for sizes in [
        vec![MOST_BYTES],
        vec![half, half],
        vec![half, half + 1],
        vec![half, half - 1],
        vec![half, half - 27, 27],
        vec![half, half - 26, 27],
        vec![MOST_BYTES - 27, 27],
        vec![MOST_BYTES - 26, 27],
        vec![MOST_BYTES, 27],
        vec![MOST_BYTES / 4 + 1; 4],
        vec![MOST_BYTES / 16; 33],
    ] {
        let events: Vec<_> = sizes.iter().map(|bytes| event(*bytes)).collect();
        arrive(&events, |limits| limits).await;
    }
}

#[tokio::test]
async fn batches_at_the_edge_of_the_count_are_taken() {
    let now = now();
    for count in [1, MOST_EVENTS - 1, MOST_EVENTS, MOST_EVENTS + 1, 2 * MOST_EVENTS + 1] {
        let event = |number: usize| LogEvent { timestamp: now, message: format!("{number}") };
        arrive(&(0..count).map(event).collect::<Vec<_>>(), |limits| limits.records(50_000)).await;
    }
}

#[tokio::test]
async fn batches_at_the_edge_of_a_day_are_taken() {
    let now = now();
    let event = |timestamp: i64| LogEvent { timestamp, message: format!("at {timestamp}") };
    for times in [
        vec![now - DAY, now],
        vec![now - DAY - 1, now],
        vec![now - DAY + 1, now],
        vec![now, now - DAY - 1],
        vec![now - 13 * DAY, now + HOUR],
        vec![now, now - 1, now - 2, now - 13 * DAY, now - DAY, now - 12 * DAY, now - 11 * DAY],
        (0..13).flat_map(|day| [now - day * DAY, now - day * DAY - 1]).collect(),
        (0..2_000).map(|number| now - number * 500_000).collect(),
    ] {
        arrive(&times.into_iter().map(event).collect::<Vec<_>>(), |limits| limits).await;
    }
}

#[tokio::test]
async fn whatever_a_string_holds_arrives_as_it_is() {
    let now = now();
    let texts = [
        "\0",
        "a\0b",
        "\u{1}\u{1f}\u{7f}\u{85}",
        "\r\n\t",
        "\"\\/",
        "m\u{fc}\u{1f375}",
        "\u{feff}",
        "\u{fffd}",
        " ",
        "\u{2028}",
    ];
    let events: Vec<_> =
        texts.iter().map(|text| LogEvent { timestamp: now, message: (*text).to_owned() }).collect();
    arrive(&events, |limits| limits).await;
    // What is longer on the wire than it counts for, up to the edge.
    let escaped = LogEvent { timestamp: now, message: "\u{1}".repeat(MOST_BYTES - OVERHEAD) };
    let wide = LogEvent { timestamp: now, message: "\u{1f375}".repeat((MOST_BYTES - OVERHEAD) / 4) };
    arrive(&[escaped, wide], |limits| limits.queue_bytes(64 << 20)).await;
}

#[tokio::test]
async fn what_is_empty_or_too_long_costs_no_neighbour_and_no_refusal() {
    let (cloudwatch, now) = (furnished(), now());
    let (outbox, lane) = lane(&cloudwatch, |limits| limits.queue_bytes(256 << 20));
    let sizes = [
        0,
        1,
        MOST_BYTES - OVERHEAD,
        MOST_BYTES - OVERHEAD + 1,
        MOST_BYTES,
        MOST_BYTES + 1,
        3 * MOST_BYTES,
        0,
    ];
    for (number, bytes) in sizes.into_iter().enumerate() {
        lane.push(LogEvent { timestamp: now, message: format!("before {number}") });
        // Of two bytes each, so that a cut may fall into one.
        let long = "\u{fc}".repeat(bytes / 2) + &"x".repeat(bytes % 2);
        lane.push(LogEvent { timestamp: now, message: long });
    }
    let report = close(outbox).await;
    let stored = cloudwatch.messages();
    assert_eq!(cloudwatch.refusals(), [], "{report}");
    for number in 0..sizes.len() {
        assert!(stored.contains(&format!("before {number}")), "{number} {report}");
    }
    let long: usize = stored.iter().map(|message| message.matches('\u{fc}').count()).sum();
    assert!(long >= 2 * (MOST_BYTES - 100) / 2, "{long}");
}

#[tokio::test]
async fn random_batches_are_never_refused() {
    let mut chance = fastrand::Rng::with_seed(1_795_177_563);
    let cloudwatch = furnished();
    let (mut pushed, mut rounds) = (0, 0);
    for _ in 0..20 {
        let records = chance.usize(1..400);
        let (outbox, lane) = lane(&cloudwatch, |limits| limits.records(records));
        let lanes = [lane.clone(), lane.clone().stream("web-2".parse::<StreamName>().unwrap())];
        for _ in 0..chance.usize(1..2_000) {
            let (at, message) = random(&mut chance);
            pushed += usize::from(!message.is_empty());
            lanes[chance.usize(0..2)].push(LogEvent { timestamp: at, message });
        }
        let report = close(outbox).await;
        rounds += 1;
        assert_eq!(cloudwatch.refusals(), [], "round {rounds}: {report}");
    }
    println!("{pushed} events in {} calls", cloudwatch.calls_of("PutLogEvents").len());
    assert_eq!(cloudwatch.stored_count(), pushed);
}

/// An event of the last days.
fn random(chance: &mut fastrand::Rng) -> (i64, String) {
    let at = now() - chance.i64(0..5) * DAY - chance.i64(0..HOUR);
    let length = match chance.u8(0..100) {
        0 => 0,
        1 => chance.usize(0..20_000),
        _ => chance.usize(1..80),
    };
    (at, (0..length).map(|_| LETTERS[chance.usize(0..LETTERS.len())]).collect())
}

// ===== helpers =====

/// Every event is stored, once, as it is, and no call is refused.
#[track_caller]
fn arrive<'a>(
    events: &'a [LogEvent],
    limits: impl Fn(Limits) -> Limits + 'a,
) -> impl Future<Output = ()> + 'a {
    let place = std::panic::Location::caller();
    async move {
        let cloudwatch = furnished();
        let (outbox, lane) = lane(&cloudwatch, limits);
        events.iter().for_each(|event| lane.push(event.clone()));
        let report = close(outbox).await;
        assert_eq!(cloudwatch.refusals(), [], "{place} {report}");
        assert_eq!(report.lost(), 0, "{place} {report}");
        let mut stored: Vec<_> = cloudwatch.stored().into_iter().map(pair).collect();
        let mut pushed: Vec<_> = events.iter().map(|one| (one.timestamp, one.message.clone())).collect();
        stored.sort();
        pushed.sort();
        assert_eq!(stored.len(), pushed.len(), "{place}");
        assert!(stored == pushed, "{place}: they differ");
    }
}

fn pair(Stored { timestamp, message, .. }: Stored) -> (i64, String) {
    (timestamp, message)
}

fn lane(cloudwatch: &CloudWatch, limits: impl Fn(Limits) -> Limits) -> (Outbox, LogLane) {
    let outbox = Outbox::builder().start().unwrap();
    let roomy = Limits::default().records(MOST_EVENTS).queue_records(100_000).queue_bytes(64 << 20);
    let api = Api::new(cloudwatch.client(), GROUP.parse().unwrap()).limits(limits(roomy));
    let lane = LogLane::new(&outbox, api).stream(STREAM.parse().unwrap());
    (outbox, lane)
}

async fn close(outbox: Outbox) -> Report {
    let report = outbox.shutdown(Duration::from_secs(120)).await;
    for lane in &report.lanes {
        assert_eq!(lane.accepted, lane.delivered + lane.lost() + lane.waiting, "{lane}");
        assert!(lane.lost.keys().all(|reason| reason == "empty"), "{lane}");
    }
    report
}

fn furnished() -> CloudWatch {
    CloudWatch::start().with(GROUP, &[STREAM])
}

/// A call by hand: the status, and what is said.
async fn ask(client: &Client, target: &str, body: &Value) -> (u16, Value) {
    post(client, target, body).await.unwrap()
}

async fn post(client: &Client, target: &str, body: &Value) -> Result<(u16, Value), ClientError> {
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1")),
        ("x-amz-target".parse().unwrap(), format!("Logs_20140328.{target}").parse().unwrap()),
    ]);
    let answer = client.post("/", &headers, body.to_string().into()).await?;
    Ok((answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default()))
}

/// A call that puts one event.
fn one(timestamp: i64) -> Value {
    let events = [json!({ "timestamp": timestamp, "message": "a" })];
    json!({ "logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

const GROUP: &str = "/tea/house";
const STREAM: &str = "web-1";
const PARAMETER: &str = "InvalidParameterException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const EXISTS: &str = "ResourceAlreadyExistsException";
const LETTERS: [char; 8] = ['a', ' ', '"', '\0', '\n', '\u{fc}', '\u{4e2d}', '\u{1f375}'];
