//! Over real sockets.

#[path = "../../../tests/support/aws.rs"]
mod endpoint;
#[path = "../../../tests/support/log.rs"]
mod log;

use std::sync::{Arc, Mutex};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use endpoint::{Answer as Response, Endpoint, Received, answer, refusal};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::*;
use crate::{
    aws::Service,
    outbox::{Lane, Outbox, OutboxEvent, Report},
};

/// A document that is its parts, whatever it is asked for.
#[derive(Clone, Debug)]
struct Document(Vec<Vec<u8>>);

impl Parts for Document {
    fn size(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn parts(&self, most: usize) -> Vec<Vec<u8>> {
        assert_eq!(most, 64_000);
        self.0.clone()
    }
}

#[tokio::test]
async fn segments_are_put_as_strings_of_one_signed_request() {
    let (endpoint, outbox, lane) = open(|_| answer(200, r#"{"UnprocessedTraceSegments":[]}"#)).await;
    for id in ["1", "2", "ü\"\\"] {
        lane.push(segment(id));
    }
    assert!(outbox.flush(LONG).await);
    let received = endpoint.received();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].method.as_str(), &*received[0].path), ("POST", "/TraceSegments"));
    assert_eq!(received[0].header("content-type"), "application/json");
    assert!(received[0].header("authorization").contains("/eu-west-1/xray/aws4_request"));
    assert_eq!(documents(&received[0]), [segment("1"), segment("2"), segment("ü\"\\")].map(text));
    assert_books(&outbox.shutdown(LONG).await, 3, &[]);
}

#[tokio::test]
async fn no_request_has_more_than_fifty_documents() {
    let (endpoint, outbox, lane) = open(|_| answer(200, "{}")).await;
    (0..120).for_each(|number| lane.push(segment(&number.to_string())));
    let parts = (0..60).map(|number| text(segment(&format!("part{number}"))).into_bytes());
    lane.push(Document(parts.collect()));
    assert!(outbox.flush(LONG).await);
    let received = endpoint.received();
    let counts: Vec<_> = received.iter().map(|one| documents(one).len()).collect();
    assert!(counts.iter().all(|count| (1..=50).contains(count)), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 180, "{counts:?}");
    assert_books(&outbox.shutdown(LONG).await, 121, &[]);
}

#[tokio::test]
async fn unprocessed_segments_are_lost_under_their_code() {
    let (_, outbox, lane) = open(|_| {
        let gone = json!({"Id": "2", "ErrorCode": "InvalidTraceId", "Message": "Invalid segment. ErrorCode: InvalidTraceId"});
        answer(200, json!({"UnprocessedTraceSegments": [gone]}).to_string())
    })
    .await;
    for id in ["1", "2", "3"] {
        lane.push(segment(id));
    }
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 2, &[("InvalidTraceId", 1)]);
}

#[tokio::test]
async fn several_codes_count_under_the_most_frequent_and_are_all_told() {
    let unprocessed = |id: &str, code: &str| json!({"Id": id, "ErrorCode": code, "Message": "why"});
    let body = json!({"UnprocessedTraceSegments": [
        unprocessed("1", "MissingParentId"), unprocessed("2", "InvalidTraceId"), unprocessed("3", "InvalidTraceId"),
    ]});
    let (events, outbox, lane) = listen(move |_| answer(200, body.to_string())).await;
    (1..=4).for_each(|number| lane.push(segment(&number.to_string())));
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 1, &[("InvalidTraceId", 3)]);
    let told = events.lock().unwrap().join("\n");
    assert!(told.contains("2 InvalidTraceId, 1 MissingParentId: why"), "{told}");
}

#[tokio::test]
async fn an_unprocessed_document_without_an_id_is_counted_too() {
    let unprocessed = json!({"UnprocessedTraceSegments": [{"ErrorCode": "ParseError"}, {"Id": "9"}]});
    let (_, outbox, lane) = open(move |_| answer(200, unprocessed.to_string())).await;
    (1..=5).for_each(|number| lane.push(segment(&number.to_string())));
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 3, &[("ParseError", 2)]);
}

#[tokio::test]
async fn a_code_that_is_none_is_not_counted_under() {
    for code in ["Invalid\n2026-11-21 ERROR forged", "\u{1b}[2J", "", &"x".repeat(10_000)] {
        let unprocessed = json!({"UnprocessedTraceSegments": [{"Id": "1", "ErrorCode": code}]});
        let (_, outbox, lane) = open(move |_| answer(200, unprocessed.to_string())).await;
        lane.push(segment("1"));
        assert!(outbox.flush(LONG).await);
        let report = outbox.shutdown(LONG).await;
        let phrase = report.lanes[0].lost.keys().next().unwrap();
        assert!(phrase == "unprocessed" || *phrase == "x".repeat(64), "{phrase}");
    }
}

#[tokio::test]
async fn two_lost_parts_of_a_document_are_one_lost_document() {
    let unprocessed = |id: &str| json!({"Id": id, "ErrorCode": "InvalidId"});
    let body = json!({"UnprocessedTraceSegments": [unprocessed("1"), unprocessed("2")]});
    let (_, outbox, lane) = open(move |_| answer(200, body.to_string())).await;
    lane.push(Document(vec![text(segment("1")).into(), text(segment("2")).into()]));
    lane.push(segment("3"));
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 1, &[("InvalidId", 1)]);
}

#[tokio::test]
async fn what_failed_for_now_is_sent_again_and_what_failed_for_good_is_still_counted() {
    let (endpoint, outbox, lane) = open(|one| {
        let unprocessed = |id: &str, code: &str| json!({"Id": id, "ErrorCode": code});
        let mut all = vec![unprocessed("2", "InvalidTraceId")];
        if one.number == 0 {
            all.push(unprocessed("3", "ThrottledException"));
        }
        answer(200, json!({"UnprocessedTraceSegments": all}).to_string())
    })
    .await;
    (1..=4).for_each(|number| lane.push(segment(&number.to_string())));
    assert!(outbox.flush(LONG).await);
    let received = endpoint.received();
    assert_eq!(documents(&received[1]), [segment("2"), segment("3")].map(text));
    assert_eq!(received.len(), 2);
    assert_books(&outbox.shutdown(LONG).await, 3, &[("InvalidTraceId", 1)]);
}

#[tokio::test]
async fn what_x_ray_has_no_time_for_is_sent_again() {
    let all: [fn() -> Response; 6] = [
        || refusal(429, "ThrottledException"),
        || refusal(400, "ThrottlingException"),
        || answer(500, ""),
        || answer(503, "<html>"),
        || refusal(403, "ExpiredTokenException"),
        || refusal(403, "InvalidSignatureException"),
    ];
    for refused in all {
        let (endpoint, outbox, lane) = open(move |one| match one.number {
            0 => refused(),
            _ => answer(200, "{}"),
        })
        .await;
        lane.push(segment("1"));
        assert!(outbox.flush(LONG).await);
        assert_eq!(endpoint.received().len(), 2);
        assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    }
}

#[tokio::test]
async fn what_x_ray_will_never_take_is_lost_under_its_code() {
    for (status, code) in [(403, "AccessDeniedException"), (400, "InvalidRequestException")] {
        let (endpoint, outbox, lane) = open(move |_| refusal(status, code)).await;
        lane.push(segment("1"));
        lane.push(segment("2"));
        assert!(outbox.flush(LONG).await);
        assert_eq!(endpoint.received().len(), 1);
        assert_books(&outbox.shutdown(LONG).await, 0, &[(code, 2)]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_credentials_segments_are_kept_for_a_while_and_it_is_said_once_in_full() {
    let log = log::Log::default();
    let _logging = tracing::subscriber::set_default(log.subscriber());
    let client = Client::builder(Service::XRAY, "eu-west-1".parse().unwrap(), Nobody).build().unwrap();
    let api = Api::new(client).limits(Limits::default().retry_for(Duration::from_secs(60)));
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = outbox.lane("xray", api.destination());
    lane.push(segment("1"));
    assert!(!outbox.flush(Duration::from_secs(30)).await);
    assert_eq!(outbox.report().lanes[0].waiting, 1, "{}", outbox.report());
    assert!(outbox.flush(LONG * 10).await);
    assert_books(&outbox.shutdown(LONG).await, 0, &[("expired", 1)]);

    let lines = log.lines();
    let advice: Vec<_> = lines.iter().filter(|line| line.contains("belvedere::xray")).collect();
    assert_eq!(advice.len(), 1, "{lines:#?}");
    assert!(advice[0].contains("no AWS credentials") && advice[0].contains("nobody has some"), "{advice:?}");
}

#[tokio::test]
async fn no_event_shows_what_was_signed_or_what_it_was_signed_with() {
    for code in ["InvalidSignatureException", "SignatureDoesNotMatch"] {
        let (events, outbox, lane) = listen(move |one| match one.number {
            0 => refusal(403, code),
            _ => answer(200, "{}"),
        })
        .await;
        lane.push(segment("1"));
        assert!(outbox.flush(LONG).await);
        let told = events.lock().unwrap().join("\n");
        assert!(told.contains(code) && !told.contains("s3cret"), "{told}");
    }
}

#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("nobody has some")))
    }
}

async fn open(
    script: impl Fn(&Received) -> Response + Send + Sync + 'static,
) -> (Endpoint, Outbox, Lane<Document>) {
    let endpoint = Endpoint::start(script).await;
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = outbox.lane("xray", to(&endpoint).destination());
    (endpoint, outbox, lane)
}

/// With all that the outbox tells.
async fn listen(
    script: impl Fn(&Received) -> Response + Send + Sync + 'static,
) -> (Arc<Mutex<Vec<String>>>, Outbox, Lane<Document>) {
    let (endpoint, events) = (Endpoint::start(script).await, Arc::<Mutex<Vec<String>>>::default());
    let heard = events.clone();
    let hear = move |event: &OutboxEvent| heard.lock().unwrap().push(format!("{event} {event:?}"));
    let outbox = Outbox::builder().runtime(Handle::current()).events(hear).start().unwrap();
    let lane = outbox.lane("xray", to(&endpoint).destination());
    (events, outbox, lane)
}

fn to(endpoint: &Endpoint) -> Api {
    let credentials = Credentials::new("AKID", "s3cret", Some("t0ken".to_owned()), None, "test");
    let client = Client::builder(Service::XRAY, "eu-west-1".parse().unwrap(), credentials);
    Api::new(client.endpoint(endpoint.url().parse().unwrap()).build().unwrap())
}

fn segment(id: &str) -> Document {
    let subsegment = json!({"id": "another"});
    let document = json!({"subsegments": [subsegment], "name": "checkout", "id": id, "start_time": 1.5});
    Document(vec![document.to_string().into_bytes()])
}

fn text(document: Document) -> String {
    String::from_utf8(document.0.concat()).unwrap()
}

fn documents(received: &Received) -> Vec<String> {
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    let documents = body["TraceSegmentDocuments"].as_array().unwrap();
    documents.iter().map(|document| document.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_books(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    let lane = &report.lanes[0];
    assert_eq!((lane.delivered, lane.waiting), (delivered, 0), "{report}");
    let counted: Vec<_> = lane.lost.iter().map(|(reason, records)| (&**reason, *records)).collect();
    assert_eq!(counted, lost, "{report}");
}

const LONG: Duration = Duration::from_secs(20);
