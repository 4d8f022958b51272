//! Against a service without a socket, so that time may stand still.

#[allow(clippy::duplicate_mod, reason = "the unit tests of another backend have it, too")]
#[path = "../../../tests/support/log.rs"]
mod log;

use std::{
    collections::BTreeSet,
    io::Read as _,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::Instant};

use super::{action::Action, body::Body, *};
use crate::{
    aws::ClientError,
    cloudwatch::{LogEvent, StreamName, draft::Draft, event::milliseconds, message::Message},
    outbox::{Lane, Outbox, Report},
    transport::Answer,
};

/// A log group and what is in it. It takes what the real one takes, unless the script says otherwise.
#[derive(Clone)]
struct Logs(Arc<Mutex<State>>);

struct State {
    script: Box<dyn FnMut(Call) -> Option<Answer> + Send>,
    /// The actions, with their requests.
    calls: Vec<(Action, Value)>,
    has_group: bool,
    streams: BTreeSet<String>,
    /// Stream, time, text.
    events: Vec<(String, i64, String)>,
    /// By how many seconds the own clock is behind, and what is known of that.
    wrong: i64,
    skew: i64,
}

struct Call {
    action: Action,
    number: usize,
}

// ===== impl Logs =====

impl Post for Logs {
    async fn post(&self, action: Action, body: Body) -> Result<Answer, ClientError> {
        let mut json = body.bytes.to_vec();
        if body.is_compressed {
            json.clear();
            GzDecoder::new(&*body.bytes).read_to_end(&mut json).unwrap();
        }
        tokio::task::yield_now().await;
        Ok(self.state().take(action, serde_json::from_slice(&json).unwrap()))
    }

    fn now(&self) -> SystemTime {
        at(self.state().skew)
    }

    fn ahead(&self) -> i64 {
        self.state().skew
    }
}

impl Logs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn texts(&self) -> Vec<String> {
        self.state().events.iter().map(|(.., text)| text.clone()).collect()
    }

    fn actions(&self) -> Vec<Action> {
        self.state().calls.iter().map(|(action, _)| *action).collect()
    }
}

// ===== impl State =====

impl State {
    fn take(&mut self, action: Action, body: Value) -> Answer {
        self.skew = self.wrong;
        let number = self.calls.len();
        self.calls.push((action, body.clone()));
        let scripted = (self.script)(Call { action, number });
        scripted.unwrap_or_else(|| match action {
            Action::PutLogEvents => self.put(&body),
            Action::CreateLogGroup if self.has_group => refusal("ResourceAlreadyExistsException"),
            Action::CreateLogGroup => {
                self.has_group = true;
                answer(200, "")
            }
            Action::CreateLogStream if !self.has_group => refusal("ResourceNotFoundException"),
            Action::CreateLogStream if !self.streams.insert(text(&body["logStreamName"])) => {
                refusal("ResourceAlreadyExistsException")
            }
            Action::CreateLogStream | Action::PutRetentionPolicy => answer(200, ""),
        })
    }

    fn put(&mut self, body: &Value) -> Answer {
        let stream = text(&body["logStreamName"]);
        if !self.streams.contains(&stream) {
            return refusal("ResourceNotFoundException");
        }
        let events = body["logEvents"].as_array().unwrap();
        let events: Vec<_> = events
            .iter()
            .map(|event| (event["timestamp"].as_i64().unwrap(), text(&event["message"])))
            .collect();
        let bytes: usize = events.iter().map(|(_, text)| text.len() + 26).sum();
        let is_refused = bytes > 1_048_576
            || events.is_empty()
            || events.len() > 10_000
            || events.iter().any(|(_, text)| text.is_empty() || text.contains("poison"))
            || !events.is_sorted_by_key(|(time, _)| *time)
            || events.last().unwrap().0 - events[0].0 > 86_400_000;
        if is_refused {
            return refusal("InvalidParameterException");
        }
        let now = milliseconds(at(self.wrong));
        let old = events.partition_point(|(time, _)| *time < now - 14 * DAY);
        let new = events.partition_point(|(time, _)| *time <= now + 2 * HOUR);
        let mut info = json!({});
        if old > 0 {
            info["tooOldLogEventEndIndex"] = json!(old);
        }
        if new < events.len() {
            info["tooNewLogEventStartIndex"] = json!(new);
        }
        let taken = events.into_iter().skip(old).take(new.saturating_sub(old));
        self.events.extend(taken.map(|(time, text)| (stream.clone(), time, text)));
        answer(200, &json!({ "rejectedLogEventsInfo": info }).to_string())
    }
}

/// What is written otherwise than a [`LogEvent`].
struct Panicking(SystemTime);

impl Draft for Panicking {
    fn at(&self) -> SystemTime {
        self.0
    }

    fn size(&self) -> usize {
        100
    }

    fn write(&self, message: &mut Message<'_>) {
        message.push("half a ");
        panic!("the format's own");
    }
}

/// Writes far more than it was made of, and counts.
struct Wide(Arc<AtomicUsize>);

impl Draft for Wide {
    fn at(&self) -> SystemTime {
        at(0)
    }

    fn size(&self) -> usize {
        100
    }

    fn write(&self, message: &mut Message<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        message.push(&"x".repeat(1 << 19));
    }
}

fn api() -> Api {
    let credentials = aws_credential_types::Credentials::new("AKID", "s3cret", None, None, "test");
    let client = Client::builder(crate::aws::Service::LOGS, "eu-west-1".parse().unwrap(), credentials);
    Api::new(client.build().unwrap(), "/shop/checkout".parse().unwrap())
}

fn open(
    api: Api,
    script: impl FnMut(Call) -> Option<Answer> + Send + 'static,
) -> (Logs, Outbox, Lane<Entry>) {
    let logs = Logs(Arc::new(Mutex::new(State {
        script: Box::new(script),
        calls: Vec::new(),
        has_group: true,
        streams: ["s".to_owned()].into(),
        events: Vec::new(),
        wrong: 0,
        skew: 0,
    })));
    let ApiDestination {
        post: _,
        group,
        create,
        compress,
        gzip,
        event_bytes,
        limits,
        place,
        creation,
        advice,
        tab,
    } = api.destination();
    let destination = ApiDestination {
        tab,
        post: logs.clone(),
        group,
        create,
        compress,
        gzip,
        event_bytes,
        limits,
        place,
        creation,
        advice,
    };
    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let lane = outbox.lane("logs", destination);
    (logs, outbox, lane)
}

fn push(lane: &Lane<Entry>, at: SystemTime, text: impl Into<String>) {
    share(lane, Arc::new(LogEvent::new(at, text)), "s");
}

fn share(lane: &Lane<Entry>, draft: Arc<dyn Draft>, stream: &str) {
    let (draft, stream) =
        (crate::cloudwatch::lane::Source::Shared(draft), Arc::new(stream.parse::<StreamName>().unwrap()));
    lane.push(Entry { draft, stream, weight: 1 });
}

#[track_caller]
fn assert_books(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    let lane = &report.lanes[0];
    let books: Vec<_> = lane.lost.iter().map(|(reason, events)| (&**reason, *events)).collect();
    assert_eq!((lane.delivered, &*books, lane.waiting), (delivered, lost, 0), "{lane}");
}

fn refusal(code: &str) -> Answer {
    answer(400, &format!(r#"{{"__type":"{code}","message":"words"}}"#))
}

fn answer(status: u16, body: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap();
    Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
}

/// So many seconds from now.
fn at(seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn events_arrive_in_the_order_of_their_time_whatever_they_hold() {
    let (logs, outbox, lane) = open(api(), |_| None);
    let texts = ["\0", "\u{1b}[31m\r\n", r#"{"lone":"\ud800"}"#, "\u{1f980}\u{2028}", " ", "\u{7f}\"\\"];
    for (number, text) in texts.iter().enumerate() {
        push(&lane, at(-(number as i64)), *text);
    }
    let now = at(-60);
    (0..100).for_each(|number| push(&lane, now, number.to_string()));
    assert!(outbox.flush(LONG).await);
    let expected =
        (0..100).map(|number| number.to_string()).chain(texts.iter().rev().map(ToString::to_string));
    assert_eq!(logs.texts(), expected.collect::<Vec<_>>());
    assert_eq!(logs.actions(), [Action::PutLogEvents]);
    assert_books(&outbox.shutdown(LONG).await, 106, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_group_is_made_as_it_is_wanted_and_the_same_request_sent_again() {
    let wanted = api()
        .retention(Retention::days(30).unwrap())
        .tags([("team", "shop")])
        .class(Class::InfrequentAccess)
        .kms_key("arn:aws:kms:eu-west-1:1:key/2");
    let (logs, outbox, lane) = open(wanted, |_| None);
    (logs.state().has_group, logs.state().streams) = (false, BTreeSet::new());
    push(&lane, at(0), "a");
    assert!(outbox.flush(LONG).await);
    let calls = logs.state().calls.clone();
    let (put, stream) = (&calls[0], json!({"logGroupName": "/shop/checkout", "logStreamName": "s"}));
    let group = json!({
        "logGroupName": "/shop/checkout", "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/2",
        "logGroupClass": "INFREQUENT_ACCESS", "tags": {"team": "shop"},
    });
    let policy = json!({"logGroupName": "/shop/checkout", "retentionInDays": 30});
    let expected = [
        put.clone(),
        (Action::CreateLogStream, stream.clone()),
        (Action::CreateLogGroup, group),
        (Action::PutRetentionPolicy, policy),
        (Action::CreateLogStream, stream),
        put.clone(),
    ];
    assert_eq!(calls, expected);
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_vanished_stream_costs_no_event_and_no_pause() {
    let (logs, outbox, lane) = open(api().limits(Limits::default().records(10)), |_| None);
    let start = Instant::now();
    for number in 0..100 {
        push(&lane, at(0), number.to_string());
        if number % 40 == 20 {
            logs.state().streams.clear();
            logs.state().has_group = number != 60;
        }
    }
    assert!(outbox.flush(LONG).await);
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    let mut numbers: Vec<i32> = logs.texts().iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert_books(&outbox.shutdown(LONG).await, 100, &[]);
}

#[tokio::test(start_paused = true)]
async fn what_others_make_at_the_same_time_is_fine() {
    let (logs, outbox, lane) =
        open(api().retention(Retention::days(1).unwrap()), |call| match (call.action, call.number) {
            (Action::PutLogEvents, 0) | (Action::CreateLogStream, 1) => {
                Some(refusal("ResourceNotFoundException"))
            }
            (Action::CreateLogGroup, _) => Some(refusal("OperationAbortedException")),
            _ => None,
        });
    push(&lane, at(0), "a");
    assert!(outbox.flush(LONG).await);
    use Action::*;
    // Whoever made the group has set its retention.
    assert_eq!(
        logs.actions(),
        [PutLogEvents, CreateLogStream, CreateLogGroup, CreateLogStream, PutLogEvents]
    );
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_may_not_be_made_keeps_the_events_and_says_so_once() {
    for code in ["AccessDeniedException", "LimitExceededException", "InvalidParameterException"] {
        let log = log::Log::default();
        let _logged = tracing::subscriber::set_default(log.subscriber());
        let start = Instant::now();
        let (logs, outbox, lane) = open(api(), move |call| {
            let is_refused = call.action == Action::CreateLogGroup && start.elapsed() < HALF_AN_HOUR;
            is_refused.then(|| refusal(code))
        });
        (logs.state().has_group, logs.state().streams) = (false, BTreeSet::new());
        push(&lane, at(0), "a");
        assert!(outbox.flush(LONG).await);
        assert!(start.elapsed() < HALF_AN_HOUR + MINUTE, "{:?}", start.elapsed());
        assert_eq!(logs.texts(), ["a"]);
        assert_books(&outbox.shutdown(LONG).await, 1, &[]);
        let said = log
            .lines()
            .into_iter()
            .filter(|line| line.contains("refuses CreateLogGroup"))
            .collect::<Vec<_>>();
        assert!(said.len() == 1 && said[0].contains(code) && said[0].contains("/shop/checkout"), "{said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_where_nothing_is_to_be_made() {
    let log = log::Log::default();
    let _logged = tracing::subscriber::set_default(log.subscriber());
    let (logs, outbox, lane) = open(api().create(false), |call| {
        assert_eq!(call.action, Action::PutLogEvents);
        (call.number < 5).then(|| refusal("ResourceNotFoundException"))
    });
    push(&lane, at(0), "a");
    assert!(outbox.flush(LONG).await);
    assert_eq!(logs.actions().len(), 6);
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    assert_eq!(log.lines().iter().filter(|line| line.contains("none is made")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retention_that_fails_holds_no_event_up_and_is_tried_again_if_it_may_help() {
    for (code, calls) in [("ThrottlingException", 2), ("AccessDeniedException", 1)] {
        let mut failed = false;
        let (logs, outbox, lane) = open(api().retention(Retention::days(1).unwrap()), move |call| {
            let is_first = call.action == Action::PutRetentionPolicy && !std::mem::replace(&mut failed, true);
            is_first.then(|| refusal(code))
        });
        (logs.state().has_group, logs.state().streams) = (false, BTreeSet::new());
        for text in ["a", "b", "c"] {
            push(&lane, at(0), text);
            assert!(outbox.flush(LONG).await);
        }
        let puts = logs.actions().iter().filter(|action| **action == Action::PutRetentionPolicy).count();
        assert_eq!(puts, calls, "{code}");
        assert_books(&outbox.shutdown(LONG).await, 3, &[]);
    }
}

#[tokio::test(start_paused = true)]
async fn five_minutes_of_throttling_lose_nothing_and_double_nothing() {
    let start = Instant::now();
    let (logs, outbox, lane) =
        open(api(), move |_| (start.elapsed() < 5 * MINUTE).then(|| refusal("ThrottlingException")));
    for number in 0..3000 {
        push(&lane, at(0), number.to_string());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(outbox.flush(LONG).await);
    assert!(start.elapsed() < 6 * MINUTE, "{:?}", start.elapsed());
    let mut numbers: Vec<i32> = logs.texts().iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
    // Four batches, each with waits that double up to 30 s.
    assert!(logs.actions().len() < 200, "{}", logs.actions().len());
    assert_books(&outbox.shutdown(LONG).await, 3000, &[]);
}

#[tokio::test(start_paused = true)]
async fn what_a_format_blows_up_is_not_held_all_at_once() {
    let written = Arc::new(AtomicUsize::new(0));
    let seen = written.clone();
    let (logs, outbox, lane) = open(api(), move |call| {
        // One event a request: whatever else was written is held.
        let held = seen.load(Ordering::Relaxed) - call.number;
        assert!(held <= 8, "{held}");
        None
    });
    (0..50).for_each(|_| share(&lane, Arc::new(Wide(written.clone())), "s"));
    assert!(outbox.flush(LONG).await);
    assert_eq!((logs.texts().len(), written.load(Ordering::Relaxed)), (50, 50));
    assert_books(&outbox.shutdown(LONG).await, 50, &[]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_yet_when_a_request_fails_is_sent_later() {
    let (logs, outbox, lane) =
        open(api(), |call| [3, 17].contains(&call.number).then(|| refusal("ThrottlingException")));
    (0..50).for_each(|_| share(&lane, Arc::new(Wide(Arc::default())), "s"));
    assert!(outbox.flush(LONG).await);
    assert_eq!((logs.texts().len(), logs.actions().len()), (50, 52));
    assert_books(&outbox.shutdown(LONG).await, 50, &[]);
}

#[tokio::test(start_paused = true)]
async fn what_will_be_better_is_waited_for() {
    for (status, code) in [
        (400, "AccessDeniedException"),
        (403, "AccessDenied"),
        (403, "nobody knows"),
        (400, "ExpiredTokenException"),
        (400, "UnrecognizedClientException"),
        (400, "InvalidSignatureException"),
        (400, "RequestLimitExceeded"),
        (429, "TooManyRequestsException"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailableException"),
        (502, "<html>"),
        (404, "no such page"),
        (307, "somewhere else"),
        (407, "who are you?"),
        (408, "RequestTimeout"),
        (400, "OperationAbortedException"),
    ] {
        let start = Instant::now();
        let (logs, outbox, lane) = open(api(), move |_| {
            let said = format!(r#"{{"__type":"{code}"}}"#);
            (start.elapsed() < HALF_AN_HOUR).then(|| answer(status, &said))
        });
        push(&lane, at(0), "a");
        assert!(outbox.flush(LONG).await);
        assert!(
            (HALF_AN_HOUR..HALF_AN_HOUR + MINUTE).contains(&start.elapsed()),
            "{code} {:?}",
            start.elapsed()
        );
        assert_eq!(logs.texts(), ["a"]);
        assert_books(&outbox.shutdown(LONG).await, 1, &[]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_asked_for_is_kept() {
    let start = Instant::now();
    let (_, outbox, lane) = open(api(), |call| {
        let mut throttled = refusal("ThrottlingException");
        throttled.headers.insert("x-amz-retry-after", "90000".parse().unwrap());
        (call.number == 0).then_some(throttled)
    });
    push(&lane, at(0), "a");
    assert!(outbox.flush(LONG).await);
    assert!((90..95).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_books(&outbox.shutdown(LONG).await, 1, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_among_ten_thousand_costs_itself_alone() {
    for poison in [0, 4_999, 5_000, 7_777, 9_999] {
        let limits = limits().bytes(usize::MAX);
        let (logs, outbox, lane) = open(api().limits(limits), |_| None);
        let now = at(-60);
        for number in 0..10_000 {
            let text = if number == poison { "poison".to_owned() } else { number.to_string() };
            push(&lane, now, text);
        }
        assert!(outbox.flush(LONG).await);
        let calls = logs.actions().len();
        assert!(calls <= 1 + 2 * 14, "{calls}");
        let mut numbers: Vec<i32> = logs.texts().iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "each half goes before the next");
        numbers.dedup();
        assert_eq!(numbers.len(), 9_999);
        assert_books(&outbox.shutdown(LONG).await, 9_999, &[("InvalidParameterException", 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_poison_is_lost_with_pauses_and_without_neighbours() {
    let (logs, outbox, lane) = open(api(), |_| None);
    let now = at(0);
    for number in 0..1000 {
        push(&lane, now, if number % 100 == 50 { number.to_string() } else { "poison".to_owned() });
    }
    assert!(outbox.flush(LONG).await);
    assert_eq!(logs.texts().len(), 10);
    assert!(logs.actions().len() < 2100, "{}", logs.actions().len());
    assert_books(&outbox.shutdown(LONG).await, 10, &[("InvalidParameterException", 990)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_lost_under_its_code() {
    let codes = ["UnknownOperationException", "DataAlreadyAcceptedException"];
    for code in codes {
        let (_, outbox, lane) = open(api(), move |_| Some(refusal(code)));
        push(&lane, at(0), "a");
        assert!(outbox.flush(LONG).await);
        assert_books(&outbox.shutdown(LONG).await, 0, &[(code, 1)]);
    }
    let (_, outbox, lane) = open(api(), |_| Some(answer(413, "")));
    ["a", "b"].iter().for_each(|text| push(&lane, at(0), *text));
    assert!(outbox.flush(LONG).await);
    assert_books(&outbox.shutdown(LONG).await, 0, &[("http 413", 2)]);
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_of_several_requests_what_was_taken_is_not_sent_again() {
    // The second request fails twice, the third only then.
    let (logs, outbox, lane) =
        open(api(), |call| matches!(call.number, 1 | 2 | 4).then(|| refusal("ThrottlingException")));
    for (day, texts) in [(3, ["a", "b"]), (2, ["c", "d"]), (0, ["e", "f"])] {
        texts.iter().for_each(|text| push(&lane, at(-day * 86_400), *text));
    }
    push(&lane, at(-20 * 86_400), "too old");
    push(&lane, at(0), "");
    assert!(outbox.flush(LONG).await);
    assert_eq!(logs.texts(), ["a", "b", "c", "d", "e", "f"]);
    assert_books(&outbox.shutdown(LONG).await, 6, &[("empty", 1), ("too old", 1)]);
}

#[tokio::test(start_paused = true)]
async fn events_out_of_the_window_are_counted_by_their_cause() {
    let (logs, outbox, lane) = open(api(), |_| None);
    for (seconds, text) in
        [(-15 * 86_400, "old"), (-13 * 86_400, "a"), (7_000, "b"), (8_000, "new"), (86_400, "new")]
    {
        push(&lane, at(seconds), text);
    }
    push(&lane, UNIX_EPOCH, "old");
    assert!(outbox.flush(LONG).await);
    assert_eq!(logs.texts(), ["a", "b"]);
    assert_books(&outbox.shutdown(LONG).await, 2, &[("too new", 2), ("too old", 2)]);
}

#[tokio::test(start_paused = true)]
async fn where_all_is_out_of_the_window_cloudwatch_judges() {
    let (logs, outbox, lane) = open(api(), |_| None);
    for seconds in [-15 * 86_400, -16 * 86_400, 9_000] {
        push(&lane, at(seconds), "x");
    }
    assert!(outbox.flush(LONG).await);
    assert_eq!(logs.texts().len(), 0);
    assert_books(&outbox.shutdown(LONG).await, 0, &[("too new", 1), ("too old", 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_or_jumps_loses_nothing() {
    // Three hours and 15 days fast, 15 days slow: stamped by the wrong clock, and by a right one before the jump.
    for ahead in [-3 * 3600, -15 * 86_400, 15 * 86_400] {
        for stamped in [vec![0], vec![ahead], vec![0, ahead]] {
            let (logs, outbox, lane) = open(api(), |_| None);
            logs.state().wrong = ahead;
            stamped.iter().for_each(|seconds| push(&lane, at(*seconds), seconds.to_string()));
            assert!(outbox.flush(LONG).await);
            let report = outbox.shutdown(LONG).await;
            assert_books(&report, stamped.len() as u64, &[]);
            assert_eq!(logs.texts().len(), stamped.len(), "{ahead} {stamped:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_costs_itself_alone() {
    let (logs, outbox, lane) = open(api().event_bytes(2000), |_| None);
    push(&lane, at(0), "a");
    share(&lane, Arc::new(Panicking(at(0))), "s");
    push(&lane, at(0), "");
    push(&lane, at(0), "\u{fc}".repeat(5_000_000));
    push(&lane, at(0), "b");
    assert!(outbox.flush(LONG).await);
    let (mut texts, whole) = (logs.texts(), ["a", "b"]);
    texts.sort_by_key(String::len);
    texts[..2].sort_unstable();
    assert_eq!((texts.len(), &texts[..2]), (3, &whole.map(str::to_owned)[..]));
    assert!(texts[2].len() <= 2000 && texts[2].contains(" of 10000000 bytes cut ...]"), "{}", texts[2]);
    assert_books(&outbox.shutdown(LONG).await, 3, &[("empty", 1), ("panic", 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_largest_event_passes_as_it_is_and_a_byte_more_is_cut() {
    let (logs, outbox, lane) = open(api(), |_| None);
    for size in [1_048_549, 1_048_550, 1_048_551, 1_048_576, 50_000_000] {
        push(&lane, at(0), "x".repeat(size));
    }
    assert!(outbox.flush(LONG).await);
    let mut texts = logs.texts();
    texts.sort_by_key(String::len);
    let cut: Vec<_> = texts.iter().filter(|text| text.contains("bytes cut")).collect();
    assert_eq!((texts.len(), cut.len()), (5, 3));
    assert!(cut.iter().all(|text| (1_048_540..=1_048_550).contains(&text.len())));
    assert_books(&outbox.shutdown(LONG).await, 5, &[]);
}

#[tokio::test(start_paused = true)]
async fn each_stream_has_requests_of_its_own_and_each_day_its_stream() {
    let (logs, outbox, lane) = open(api(), |_| None);
    for (day, stream) in [(1, "a/{date}"), (2, "a/{date}"), (1, "b"), (2, "b"), (1, "a/{date}")] {
        let at = at(-day * 86_400);
        share(&lane, Arc::new(LogEvent::new(at, "x")), stream);
    }
    assert!(outbox.flush(LONG).await);
    let day = |day: i64| super::super::date::Date::of(at(-day * 86_400)).day().to_owned();
    let mut streams: Vec<_> = logs.state().events.iter().map(|(stream, ..)| stream.clone()).collect();
    streams.sort_unstable();
    let dated = |days: i64| format!("a/{}", day(days));
    assert_eq!(streams, [dated(2), dated(1), dated(1), "b".to_owned(), "b".to_owned()]);
    assert_books(&outbox.shutdown(LONG).await, 5, &[]);
}

const LONG: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;
