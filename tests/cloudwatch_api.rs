//! The way to CloudWatch Logs, over real sockets.
#![cfg(feature = "cloudwatch")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/log.rs"]
mod log;

use std::{
    io::Read as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws::{Endpoint, Received, answer, refusal};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{Api, LogEvent, LogLane, Retention},
    outbox::{Limits, Outbox, Report},
};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    runtime::Handle,
};

/// None at first.
#[derive(Clone, Debug, Default)]
struct Later(Arc<Mutex<Option<Credentials>>>);

impl ProvideCredentials for Later {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let now = self.0.lock().unwrap().clone();
        future::ProvideCredentials::ready(now.ok_or_else(|| CredentialsError::not_loaded("not yet")))
    }
}

fn credentials() -> Credentials {
    Credentials::new("AKID", "s3cret", Some("t0ken".to_owned()), None, "test")
}

fn to(endpoint: &Endpoint, credentials: impl ProvideCredentials + 'static) -> Api {
    let client = Client::builder(Service::LOGS, "eu-west-1".parse().unwrap(), credentials);
    let client = client.endpoint(endpoint.url().parse().unwrap()).timeout(Duration::from_secs(2));
    Api::new(client.build().unwrap(), "/shop/checkout".parse().unwrap())
}

fn open(api: Api, stream: &str) -> (Outbox, LogLane) {
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = LogLane::new(&outbox, api).stream(stream.parse().unwrap());
    (outbox, lane)
}

fn push(lane: &LogLane, text: impl Into<String>) {
    lane.push(LogEvent::new(SystemTime::now(), text));
}

fn body(received: &Received) -> Value {
    let mut json = Vec::new();
    match received.headers.get("content-encoding") {
        Some(encoding) => {
            assert_eq!(encoding, "gzip");
            GzDecoder::new(&*received.body).read_to_end(&mut json).unwrap();
        }
        None => json.extend_from_slice(&received.body),
    }
    serde_json::from_slice(&json).unwrap()
}

fn texts(received: &Received) -> Vec<String> {
    let body = body(received);
    let events = body["logEvents"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn stream(received: &Received) -> String {
    body(received)["logStreamName"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_books(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    let lane = &report.lanes[0];
    let books: Vec<_> = lane.lost.iter().map(|(reason, events)| (&**reason, *events)).collect();
    assert_eq!((lane.delivered, &*books, lane.waiting), (delivered, lost, 0), "{lane}");
}

#[tokio::test]
async fn events_are_put_by_one_signed_request() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let (outbox, lane) = open(to(&endpoint, credentials()), "web-1");
    assert_eq!(lane.to_string(), format!("cloudwatch {} /shop/checkout", endpoint.address));
    ["a", "\0\u{1b}\"\u{1f980}"].iter().for_each(|text| push(&lane, *text));
    assert_books(&outbox.shutdown(LONG).await, 2, &[]);
    let received = endpoint.received();
    assert_eq!((received.len(), received[0].method.as_str(), &*received[0].path), (1, "POST", "/"));
    assert_eq!(received[0].header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(received[0].header("x-amz-target"), "Logs_20140328.PutLogEvents");
    assert!(received[0].header("authorization").contains("/eu-west-1/logs/aws4_request"));
    let Value::Object(body) = body(&received[0]) else { panic!("{received:?}") };
    assert_eq!(body.keys().collect::<Vec<_>>(), ["logEvents", "logGroupName", "logStreamName"]);
    assert_eq!((&body["logGroupName"], &body["logStreamName"]), (&json!("/shop/checkout"), &json!("web-1")));
    assert_eq!(texts(&received[0]), ["a", "\0\u{1b}\"\u{1f980}"]);
}

#[tokio::test]
async fn what_gets_smaller_is_compressed_before_it_is_signed_unless_told_otherwise() {
    for (gzip, encoding) in [(true, Some("gzip")), (false, None)] {
        let endpoint = Endpoint::start(|_| answer(200, "")).await;
        let (outbox, lane) = open(to(&endpoint, credentials()).gzip(gzip), "web-1");
        (0..1000).for_each(|number| push(&lane, format!("line {number} of many")));
        assert_books(&outbox.shutdown(LONG).await, 1000, &[]);
        let received = endpoint.received();
        let said = received[0].headers.get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(said, encoding);
        assert_eq!(received[0].header("authorization").contains("content-encoding;"), gzip);
        assert_eq!(received[0].body.len() < 20_000, gzip, "{}", received[0].body.len());
        assert_eq!(received.iter().map(|one| texts(one).len()).sum::<usize>(), 1000);
    }
}

#[tokio::test]
async fn missing_credentials_are_waited_for_and_missed_once() {
    let (log, later) = (log::Log::default(), Later::default());
    let _logged = tracing::subscriber::set_default(log.subscriber());
    let endpoint = Endpoint::start(|_| answer(200, "")).await;
    let limits = Limits::default().records(1).age(Duration::ZERO);
    let (outbox, lane) = open(to(&endpoint, later.clone()).limits(limits), "web-1");
    ["a", "b"].iter().for_each(|text| push(&lane, *text));
    assert!(!outbox.flush(Duration::from_millis(300)).await);
    *later.0.lock().unwrap() = Some(credentials());
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 2, &[]);
    let said: Vec<_> = log.lines().into_iter().filter(|line| line.contains("no AWS credentials")).collect();
    assert!(said.len() == 1 && said[0].contains("not yet"), "{said:?}");
}

#[tokio::test]
async fn a_wrong_clock_is_put_right_by_the_first_answer() {
    // A service that lives three hours ahead, and takes nothing that was not signed then.
    let endpoint = Endpoint::start(|received: &Received| {
        let ahead = SystemTime::now() + Duration::from_secs(3 * 60 * 60);
        let mut answer = match received.number {
            0 => refusal(400, "InvalidSignatureException"),
            _ => answer(200, ""),
        };
        answer.headers_mut().insert("date", httpdate::fmt_http_date(ahead).parse().unwrap());
        answer
    })
    .await;
    let (outbox, lane) = open(to(&endpoint, credentials()), "web-1");
    push(&lane, "a");
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    assert_eq!(endpoint.received().len(), 2);
}

#[tokio::test]
async fn only_a_permission_that_is_missing_is_asked_for() {
    for (code, is_missing) in [
        ("AccessDeniedException", true),
        ("LimitExceededException", false),
        ("InvalidParameterException", false),
    ] {
        let log = log::Log::default();
        let _logged = tracing::subscriber::set_default(log.subscriber());
        let endpoint = Endpoint::start(move |received: &Received| {
            let is_group = received.header("x-amz-target").ends_with("CreateLogGroup");
            refusal(400, if is_group { code } else { "ResourceNotFoundException" })
        })
        .await;
        let (outbox, lane) = open(to(&endpoint, credentials()), "web-1");
        push(&lane, "a");
        assert!(!outbox.flush(Duration::from_millis(300)).await);
        let said = log.lines().into_iter().find(|line| line.contains("refuses CreateLogGroup")).unwrap();
        assert_eq!(said.contains("logs:CreateLogGroup"), is_missing, "{said}");
        assert!(said.contains(code), "{said}");
    }
}

#[tokio::test]
async fn a_retention_that_is_refused_is_said_to_be_none() {
    let log = log::Log::default();
    let _logged = tracing::subscriber::set_default(log.subscriber());
    let endpoint = Endpoint::start(|received: &Received| match received.number {
        0 | 1 => refusal(400, "ResourceNotFoundException"),
        3 => refusal(400, "AccessDeniedException"),
        _ => answer(200, ""),
    })
    .await;
    let (outbox, lane) = open(to(&endpoint, credentials()).retention(Retention::days(7).unwrap()), "web-1");
    push(&lane, "a");
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    let said = log.lines().into_iter().find(|line| line.contains("refuses PutRetentionPolicy")).unwrap();
    assert!(said.contains("logs:PutRetentionPolicy") && said.contains("for ever"), "{said}");
    assert!(!said.contains("tried again"), "{said}");
}

#[tokio::test]
async fn a_new_group_has_its_retention() {
    let endpoint = Endpoint::start(|received: &Received| match received.number {
        0 | 1 => refusal(400, "ResourceNotFoundException"),
        _ => answer(200, ""),
    })
    .await;
    let api = to(&endpoint, credentials()).retention(Retention::days(7).unwrap());
    let (outbox, lane) = open(api, "web-1");
    push(&lane, "a");
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    let received = endpoint.received();
    let targets: Vec<_> = received.iter().map(|one| one.header("x-amz-target")).collect();
    let expected = [
        "PutLogEvents",
        "CreateLogStream",
        "CreateLogGroup",
        "PutRetentionPolicy",
        "CreateLogStream",
        "PutLogEvents",
    ];
    assert_eq!(targets, expected.map(|action| format!("Logs_20140328.{action}")));
    assert_eq!(body(&received[3]), json!({"logGroupName": "/shop/checkout", "retentionInDays": 7}));
}

#[tokio::test]
async fn a_stream_is_named_by_where_the_process_runs() {
    let metadata = Endpoint::start(|received: &Received| match &*received.path {
        "/v4/abc/task" => {
            answer(200, r#"{"TaskARN":"arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c"}"#)
        }
        "/latest/api/token" => answer(200, "t0ken"),
        "/latest/dynamic/instance-identity/document" => answer(200, r#"{"instanceId":"i-0123456789abcdef0"}"#),
        path => panic!("{path}"),
    })
    .await;
    let url = metadata.url();
    let endpoint = Endpoint::start(|_| answer(200, "")).await;
    let api = to(&endpoint, credentials()).lookup(|name| match name {
        "ECS_CONTAINER_METADATA_URI_V4" => Some(format!("{url}/v4/abc")),
        "AWS_EC2_METADATA_SERVICE_ENDPOINT" => Some(url.clone()),
        _ => None,
    });
    let limits = Limits::default().records(1).age(Duration::ZERO);
    let (outbox, lane) = open(api.unwrap().limits(limits), "{ecs_task}/{instance_id}/{pid}");
    assert!(metadata.received().is_empty(), "nothing is asked before it is needed");
    (0..10).for_each(|number| push(&lane, number.to_string()));
    assert_books(&outbox.shutdown(LONG).await, 10, &[]);
    assert_eq!(metadata.received().len(), 3, "each is asked once");
    let expected = format!("158d1c8083dd49d6b527399fd6414f5c/i-0123456789abcdef0/{}", std::process::id());
    assert!(endpoint.received().iter().all(|one| stream(one) == expected));
}

#[tokio::test]
async fn what_cannot_be_found_out_is_unknown_and_holds_nothing_up() {
    let log = log::Log::default();
    let _logged = tracing::subscriber::set_default(log.subscriber());
    let endpoint = Endpoint::start(|_| answer(200, "")).await;
    let api = to(&endpoint, credentials());
    let api = api.lookup(|name| (name == "AWS_EC2_METADATA_DISABLED").then(|| "true".to_owned())).unwrap();
    let (outbox, lane) = open(api, "{instance_id}-{ecs_task}");
    push(&lane, "a");
    assert!(outbox.flush(LONG).await);
    push(&lane, "b");
    assert_books(&outbox.shutdown(LONG).await, 2, &[]);
    assert_eq!(stream(&endpoint.received()[0]), "unknown-unknown");
    let said: Vec<_> = log.lines().into_iter().filter(|line| line.contains("cannot be found out")).collect();
    assert!(said.len() == 2 && said[0].contains("{instance_id}"), "{said:?}");
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_is_named() {
    let endpoint = Endpoint::start(|_| answer(200, "")).await;
    let set = |name: &str| (name == "ECS_CONTAINER_METADATA_URI_V4").then(|| "no url".to_owned());
    let refused = to(&endpoint, credentials()).lookup(set).unwrap_err();
    assert!(
        refused.is_invalid() && refused.to_string().contains("ECS_CONTAINER_METADATA_URI_V4"),
        "{refused}"
    );
}

#[tokio::test]
async fn no_answer_at_all_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        for number in 0..3 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            if number == 2 {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
            }
        }
    });
    let client = Client::builder(Service::LOGS, "eu-west-1".parse().unwrap(), credentials());
    let client = client.endpoint(url.parse().unwrap()).build().unwrap();
    let (outbox, lane) = open(Api::new(client, "/shop/checkout".parse().unwrap()), "web-1");
    push(&lane, "a");
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    serving.await.unwrap();
}

const LONG: Duration = Duration::from_secs(60);
