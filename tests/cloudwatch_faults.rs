//! Log events on their way to a service that fails in every way it can: what arrives, what is lost, what the books say.
#![cfg(feature = "cloudwatch")]

#[path = "support/cloudwatch.rs"]
mod cloudwatch;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use belvedere::{
    cloudwatch::{Api, CloudWatchLayer, Format, LogEvent, LogLane, Retention},
    outbox::{LaneReport, Limits, Outbox},
};
use cloudwatch::{Call, Called, CloudWatch, Fault, Oracle, Refusal, Stored, Verdict, by_chance};
use http::{Request, Response};
use http_body_util::Empty;
use serde_json::{Value, json};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// A lane to the double, both on the paused time of the test.
struct House {
    cloudwatch: CloudWatch,
    outbox: Outbox,
    lane: LogLane,
    oracle: Oracle,
}

/// What was left of it.
struct End {
    report: LaneReport,
    verdict: Verdict,
    calls: Vec<Called>,
    stored: Vec<Stored>,
    unanswered: usize,
}

/// Credentials that come, go and change.
#[derive(Clone, Debug, Default)]
struct Pocket(Arc<Mutex<Option<Credentials>>>);

// ===== impl House =====

impl House {
    fn open() -> Self {
        Self::of(CloudWatch::here(), |api| api)
    }

    /// With the group and the stream, so that every call is one that puts.
    fn furnished() -> Self {
        Self::of(CloudWatch::here().with(GROUP, &[STREAM]), |api| api)
    }

    /// With many small batches.
    fn busy() -> Self {
        let limits = many().records(50);
        Self::of(CloudWatch::here().with(GROUP, &[STREAM]), move |api| api.limits(limits))
    }

    fn of(cloudwatch: CloudWatch, options: impl FnOnce(Api) -> Api) -> Self {
        let api = options(Api::new(cloudwatch.client(), GROUP.parse().unwrap()).limits(many()));
        Self::by(cloudwatch, api)
    }

    fn by(cloudwatch: CloudWatch, api: Api) -> Self {
        let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
        let lane = LogLane::new(&outbox, api).stream(STREAM.parse().unwrap());
        Self { cloudwatch, outbox, lane, oracle: Oracle::default() }
    }

    /// Pushes events of now.
    fn push(&mut self, count: usize) {
        (0..count).for_each(|_| self.push_at(now(), "a line of the log"));
    }

    fn push_at(&mut self, timestamp: i64, said: &str) {
        let message = self.oracle.message(timestamp, said);
        self.lane.push(LogEvent { timestamp, message });
    }

    /// Pushes so many, and waits until nothing of it is on its way.
    async fn send(&mut self, count: usize) {
        self.push(count);
        assert!(self.outbox.flush(LONG).await, "{:?}", self.outbox.report());
    }

    /// The identity of the books holds, and what they call delivered is stored.
    async fn close(self) -> End {
        let report = self.outbox.shutdown(LONG).await.lanes.remove(0);
        let stored = self.cloudwatch.stored();
        let verdict = self.oracle.judge(&stored);
        assert_eq!(report.accepted, self.oracle.pushed() as u64);
        assert_eq!(report.accepted, report.delivered + report.lost() + report.waiting, "{report}");
        assert_eq!(report.waiting, 0, "{report}");
        assert_eq!(report.delivered, (stored.len() - verdict.doubles()) as u64, "{report}");
        verdict.assert_true();
        let (calls, unanswered) = (self.cloudwatch.calls(), self.cloudwatch.unanswered());
        End { report, verdict, calls, stored, unanswered }
    }
}

// ===== impl End =====

impl End {
    fn assert_exact(&self) -> &Self {
        self.verdict.assert_exact();
        assert_eq!(self.report.lost(), 0, "{}", self.report);
        self
    }

    /// None is lost, and what came twice had not been confirmed.
    fn assert_whole(&self) -> &Self {
        self.verdict.assert_whole();
        assert_eq!(self.report.lost(), 0, "{}", self.report);
        assert!(self.verdict.doubles() <= self.unanswered);
        let in_doubt = |number: &usize| {
            let puts =
                self.stored.iter().filter(|one| cloudwatch::oracle::number(&one.message) == Some(*number));
            puts.filter(|one| self.calls[one.call].status.is_some()).count() == 1
        };
        let doubled: Vec<_> = self.verdict.doubled.keys().take(100).collect();
        assert!(doubled.into_iter().all(in_doubt), "what was confirmed came again");
        self
    }

    /// These are lost, and none else.
    fn assert_lost(&self, lost: &[(&str, u64)]) -> &Self {
        let told: Vec<_> = self.report.lost.iter().map(|(reason, count)| (&**reason, *count)).collect();
        assert_eq!(told, lost, "{}", self.report);
        assert_eq!(self.verdict.lost.len() as u64, lost.iter().map(|(_, count)| count).sum::<u64>());
        assert_eq!(self.verdict.doubles(), 0);
        self
    }

    fn skewed(&self) -> usize {
        let codes = self.calls.iter().filter_map(|call| call.refusal.as_ref());
        codes.filter(|(code, _)| code == "RequestTimeTooSkewed").count()
    }

    fn count(&self, target: &str) -> usize {
        self.calls.iter().filter(|call| call.target == target).count()
    }
}

// ===== impl Pocket =====

impl Pocket {
    fn put(&self, credentials: Credentials) {
        *self.0.lock().unwrap() = Some(credentials);
    }
}

impl ProvideCredentials for Pocket {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let credentials = self.0.lock().unwrap().clone();
        future::ProvideCredentials::ready(
            credentials.ok_or_else(|| CredentialsError::not_loaded("the pocket is empty")),
        )
    }
}

// ===== a service that is well =====

#[tokio::test(start_paused = true)]
async fn what_is_pushed_arrives_once_and_group_and_stream_are_made_for_it() {
    let mut house = House::open();
    house.push(3_000);
    let end = house.close().await;
    end.assert_exact();
    assert_eq!((end.count("CreateLogGroup"), end.count("CreateLogStream")), (1, 2));
    assert!(end.stored.iter().all(|one| (&*one.group, &*one.stream) == (GROUP, STREAM)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_gets_everything_once() {
    let mut house = House::busy();
    house.cloudwatch.faults(|_| Some(Fault::Slow(Duration::from_secs(5))));
    house.push(2_000);
    house.close().await.assert_exact();
}

// ===== a service that fails =====

#[tokio::test(start_paused = true)]
async fn where_what_is_compressed_is_not_understood_it_goes_as_it_is() {
    for (status, code) in [
        (400, "MalformedHttpRequestException"),
        (400, "SerializationException"),
        (415, "UnsupportedMediaTypeException"),
    ] {
        let mut house = House::furnished();
        let refusal = Refusal::new(status, code, "the content encoding");
        house.cloudwatch.faults(move |call| call.is_compressed.then(|| Fault::Refuse(refusal.clone())));
        house.send(1_000).await;
        house.send(1_000).await;
        let end = house.close().await;
        end.assert_exact();
        // Of all that follow none is compressed.
        assert_eq!(end.calls.iter().map(|call| call.is_fault).collect::<Vec<_>>(), [true, false, false]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_in_any_encoding_turns_none_off() {
    let mut house = House::furnished();
    let refusal = Refusal::new(400, "SerializationException", "a line");
    let is_bad = |call: &Call<'_>| call.events.iter().any(|event| event.message.contains("bad"));
    house.cloudwatch.faults(move |call| is_bad(call).then(|| Fault::Refuse(refusal.clone())));
    house.push_at(now(), "a bad line");
    house.push(1_000);
    assert!(house.outbox.flush(LONG).await);
    house.cloudwatch.mend();
    house.send(1_000).await;
    let end = house.close().await;
    end.assert_lost(&[("SerializationException", 1)]);
    let last = end.calls.last().unwrap();
    assert!(last.wire_bytes < last.bytes);
}

#[tokio::test(start_paused = true)]
async fn what_is_aborted_on_its_way_is_sent_again() {
    let mut house = House::furnished();
    let refusal = Refusal::new(400, "RequestAbortedException", "");
    house.cloudwatch.faults(move |call| (call.number < 3).then(|| Fault::Refuse(refusal.clone())));
    house.push(1_000);
    house.close().await.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn a_group_has_its_retention_also_if_nobody_said_that_it_was_made() {
    for fault in [Fault::StoreAndReset, Fault::Reset] {
        let (cloudwatch, days) = (CloudWatch::here(), Retention::days(30).unwrap());
        let mut house = House::of(cloudwatch, |api| api.retention(days));
        let is_first = AtomicBool::new(true);
        house.cloudwatch.faults(move |call| {
            let is_hit = call.target == "CreateLogGroup" && is_first.swap(false, Ordering::Relaxed);
            is_hit.then(|| fault.clone())
        });
        house.send(10).await;
        assert_eq!(house.cloudwatch.group(GROUP).unwrap().retention, Some(30));
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn five_minutes_of_throttling_lose_and_double_nothing() {
    let mut house = House::busy();
    let start = Instant::now();
    house.cloudwatch.faults(move |call| {
        let is_throttled = start.elapsed() < Duration::from_secs(300) || call.number % 10 == 0;
        is_throttled.then(Fault::throttling)
    });
    for _ in 0..100 {
        house.push(60);
        sleep(Duration::from_secs(3)).await;
    }
    let tried = house.cloudwatch.calls().len();
    house.close().await.assert_exact();
    // Each batch in flight waits 15 s on average between two tries, once the waits have grown.
    assert!((10..300).contains(&tried), "{tried} calls in five minutes");
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for() {
    for fault in [
        Fault::throttling(),
        Fault::too_many(),
        Fault::internal(),
        Fault::unavailable(),
        Fault::expired(),
        Fault::denied(),
        Fault::Reset,
        Fault::Hang,
    ] {
        let mut house = House::busy();
        let told = format!("{fault:?}");
        house.cloudwatch.faults(move |call| (call.number < 6).then(|| fault.clone()));
        house.push(500);
        let end = house.close().await;
        println!("{told}: {} calls", end.calls.len());
        end.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_of_all_calls_may_fail() {
    for seed in 0..4 {
        let mut house = House::busy();
        house.cloudwatch.faults(by_chance(seed, 0.3, |chance| match chance.u8(0..3) {
            0 => Fault::internal(),
            1 => Fault::unavailable(),
            _ => Fault::Reset,
        }));
        house.push(3_000);
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_was_never_confirmed_comes_twice() {
    for seed in 0..4 {
        let mut house = House::busy();
        house.cloudwatch.faults(by_chance(seed, 0.2, |chance| {
            if chance.u8(0..4) == 0 { Fault::StoreAndHang } else { Fault::StoreAndReset }
        }));
        house.push(3_000);
        let end = house.close().await;
        end.assert_whole();
        assert_eq!(end.verdict.doubles(), end.unanswered);
        assert!(end.unanswered > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_at_once_loses_nothing() {
    for seed in 0..4 {
        let mut house = House::busy();
        house.cloudwatch.faults(by_chance(seed, 0.4, |chance| match chance.u8(0..9) {
            0 => Fault::throttling(),
            1 => Fault::too_many(),
            2 => Fault::internal(),
            3 => Fault::Reset,
            4 => Fault::StoreAndReset,
            5 => Fault::Hang,
            6 => Fault::VanishedStream,
            7 => Fault::VanishedGroup,
            _ => Fault::Slow(Duration::from_secs(3)),
        }));
        house.push(3_000);
        house.close().await.assert_whole();
    }
}

// ===== what is gone =====

#[tokio::test(start_paused = true)]
async fn a_stream_that_vanishes_costs_nothing() {
    let mut house = House::furnished();
    house.send(1_000).await;
    house.cloudwatch.delete_stream(GROUP, STREAM);
    house.push(1_000);
    let end = house.close().await;
    end.assert_exact();
    assert_eq!((end.count("CreateLogGroup"), end.count("CreateLogStream")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_vanishes_costs_nothing() {
    let mut house = House::furnished();
    house.send(1_000).await;
    house.cloudwatch.delete_group(GROUP);
    house.push(1_000);
    let end = house.close().await;
    end.assert_exact();
    assert_eq!((end.count("CreateLogGroup"), end.count("CreateLogStream")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_books_balance_at_every_moment_also_for_another_thread() {
    let mut house = House::of(CloudWatch::here(), |api| api.limits(many().records(300)));
    house.cloudwatch.poison("poison");
    house.cloudwatch.faults(by_chance(6, 0.3, |chance| match chance.u8(0..5) {
        0 => Fault::throttling(),
        1 => Fault::Reset,
        2 => Fault::VanishedStream,
        3 => Fault::VanishedGroup,
        _ => Fault::Refuse(Refusal::new(400, "OperationAbortedException", "")),
    }));
    let (outbox, is_over) = (house.outbox.clone(), Arc::<AtomicBool>::default());
    let stop = is_over.clone();
    let watching = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let report = outbox.report().lanes.remove(0);
            assert_eq!(report.accepted, report.delivered + report.lost() + report.waiting, "{report}");
            std::thread::yield_now();
        }
    });
    let lanes = ["web-1", "web-2", "{date}"].map(|name| house.lane.clone().stream(name.parse().unwrap()));
    for number in 0..1_000_u16 {
        let (at, said) = match number % 100 {
            0 => (now(), "poison"),
            1 => (now() - 15 * DAY, "of long ago"),
            2..20 => (now() - i64::from(number) % 10 * DAY, "of some day"),
            _ => (now(), "of now"),
        };
        let message = house.oracle.message(at, said);
        lanes[usize::from(number) % lanes.len()].push(LogEvent { timestamp: at, message });
    }
    assert!(house.outbox.flush(LONG).await, "{:?}", house.outbox.report());
    is_over.store(true, Ordering::Relaxed);
    watching.join().unwrap();
    house.close().await.assert_lost(&[("InvalidParameterException", 10), ("too old", 10)]);
}

// ===== keys and permissions =====

#[tokio::test(start_paused = true)]
async fn credentials_that_are_missing_at_first_are_waited_for() {
    let (cloudwatch, pocket) = (CloudWatch::here(), Pocket::default());
    let client = cloudwatch.client_with(pocket.clone()).build().unwrap();
    let api = Api::new(client, GROUP.parse().unwrap()).limits(many());
    let mut house = House::by(cloudwatch, api);
    for _ in 0..20 {
        house.push(100);
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(house.cloudwatch.calls().len(), 0);
    pocket.put(house.cloudwatch.keys());
    house.close().await.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_changed_are_asked_for_anew() {
    let (cloudwatch, pocket) = (CloudWatch::here().with(GROUP, &[STREAM]), Pocket::default());
    pocket.put(cloudwatch.keys());
    let client = cloudwatch.client_with(pocket.clone()).build().unwrap();
    let api = Api::new(client, GROUP.parse().unwrap()).limits(many());
    let mut house = House::by(cloudwatch, api);
    house.send(500).await;
    let others = Credentials::new("AKIDOTHER", "other", Some("t0ken".to_owned()), None, "test");
    house.cloudwatch.change_keys(others.clone());
    house.push(500);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(house.cloudwatch.stored_count(), 500);
    pocket.put(others);
    house.close().await.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn half_an_hour_without_a_permission_loses_nothing() {
    let mut house = House::furnished();
    house.cloudwatch.faults(|_| Some(Fault::denied()));
    for _ in 0..60 {
        house.push(50);
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(house.cloudwatch.stored_count(), 0);
    house.cloudwatch.mend();
    sleep(Duration::from_secs(60)).await;
    assert!(house.cloudwatch.stored_count() > 0, "a minute later it goes on");
    house.close().await.assert_exact();
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_to_make_a_group_the_data_is_kept_until_there_is_one() {
    let mut house = House::open();
    house.cloudwatch.faults(|call| (!call.puts()).then(Fault::denied));
    house.push(500);
    sleep(Duration::from_secs(600)).await;
    house.cloudwatch.mend();
    house.close().await.assert_exact();
}

// ===== clocks =====

#[tokio::test(start_paused = true)]
async fn the_service_may_have_another_time() {
    for ahead in [3 * HOUR, -HOUR, 13 * DAY] {
        let mut house = House::furnished();
        house.cloudwatch.ahead(ahead);
        house.push(1_000);
        let end = house.close().await;
        end.assert_exact();
        assert!(end.skewed() <= 4, "each call in flight may learn it once, not {}", end.skewed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_jump_of_the_clock_has_misdated_costs_only_itself() {
    let mut house = House::furnished();
    let now = now();
    for number in 0..1_000 {
        match number % 10 {
            3 => house.push_at(now - 3 * HOUR, "three hours back"),
            5 => house.push_at(now + 15 * DAY, "15 days ahead"),
            7 => house.push_at(now - 15 * DAY, "15 days back"),
            _ => house.push_at(now, "as it should be"),
        }
    }
    let end = house.close().await;
    end.assert_lost(&[("too new", 100), ("too old", 100)]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_far_off_is_put_right_and_costs_nothing() {
    // Three hours fast, 15 days slow, 15 days fast.
    for ahead in [-3 * HOUR, 15 * DAY, -15 * DAY] {
        let mut house = House::furnished();
        house.cloudwatch.ahead(ahead);
        house.send(500).await;
        house.cloudwatch.ahead(0);
        // Of those the first request still goes by what was true before.
        house.send(500).await;
        house.push(500);
        let end = house.close().await;
        end.verdict.assert_whole();
        assert_eq!((end.report.lost(), end.verdict.doubles()), (0, 0), "{}", end.report);
        let moved = &end.verdict.moved;
        assert!((0..500).all(|number| moved.contains_key(&number)), "{} were put right", moved.len());
        assert_eq!(moved.range(1_000..).next(), None);
        assert!(moved.values().all(|by| by.abs_diff(ahead) <= 2_000), "{:?}", moved.first_key_value());
        assert!(end.skewed() <= 8, "{} calls", end.skewed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_group_does_not_keep_is_counted() {
    let mut house = House::furnished();
    let client = house.cloudwatch.client();
    let three = json!({ "logGroupName": GROUP, "retentionInDays": 3 });
    assert_eq!(ask(&client, "PutRetentionPolicy", &three).await.0, 200);
    for number in 0..1_000 {
        let age = if number % 4 == 0 { 5 * DAY } else { 2 * DAY };
        house.push_at(now() - age, "of long ago");
    }
    house.close().await.assert_lost(&[("expired by retention", 250)]);
}

// ===== what is refused =====

#[tokio::test(start_paused = true)]
async fn one_poison_event_among_ten_thousand_costs_one_event() {
    for place in [0, 4_711, 9_999] {
        let mut house = House::furnished();
        house.cloudwatch.poison("hemlock");
        for number in 0..10_000 {
            house.push_at(now(), if number == place { "hemlock" } else { "tea" });
        }
        let end = house.close().await;
        end.assert_lost(&[("InvalidParameterException", 1)]);
        assert_eq!(end.verdict.lost.first(), Some(&place));
        println!("{} calls for 10,000 events with one poison", end.calls.len());
        // Two halves at each of 14 levels, and the whole.
        assert!(end.calls.len() <= 1 + 2 * 14, "{} calls", end.calls.len());
    }
}

#[tokio::test(start_paused = true)]
async fn several_poison_events_cost_themselves() {
    let mut house = House::furnished();
    house.cloudwatch.poison("hemlock");
    house.cloudwatch.faults(by_chance(7, 0.2, |_| Fault::throttling()));
    for number in 0..4_000 {
        house.push_at(now(), if number % 1_000 == 17 { "hemlock" } else { "tea" });
    }
    let end = house.close().await;
    end.assert_lost(&[("InvalidParameterException", 4)]);
    assert!(end.verdict.lost.iter().all(|number| number % 1_000 == 17));
}

#[tokio::test(start_paused = true)]
async fn nonsense_about_what_was_rejected_is_survived() {
    for lie in [
        json!(null),
        json!("none"),
        json!({ "tooOldLogEventEndIndex": 1_000_000_000 }),
        json!({ "tooOldLogEventEndIndex": -7, "expiredLogEventEndIndex": i64::MIN }),
        json!({ "tooNewLogEventStartIndex": i64::MAX }),
        json!({ "tooNewLogEventStartIndex": "3" }),
        json!({ "tooOldLogEventEndIndex": 90, "tooNewLogEventStartIndex": 10 }),
        json!({ "tooOldLogEventEndIndex": 1.5, "expiredLogEventEndIndex": [] }),
    ] {
        let mut house = House::furnished();
        let told: Value = lie.clone();
        house.cloudwatch.faults(move |call| call.puts().then(|| Fault::Lie(lie.clone())));
        house.push(100);
        // What it stored is not what it says: only the identity is left.
        let report = house.outbox.shutdown(LONG).await.lanes.remove(0);
        assert_eq!(report.accepted, 100, "{told}: {report}");
        assert_eq!(report.accepted, report.delivered + report.lost(), "{told}: {report}");
        assert!(house.oracle.judge(&house.cloudwatch.stored()).doubled.is_empty(), "{told}: sent again");
    }
}

// ===== what is ours =====

#[tokio::test(start_paused = true)]
async fn a_format_that_panics_costs_its_own_line() {
    let house = House::furnished();
    let format = Format::of(|record| {
        assert!(!record.path.ends_with("/13"), "not this one");
        format!("#0 {}", record.path)
    });
    let layer = CloudWatchLayer::on(house.lane.clone()).format(format);
    let service = layer.layer(service_fn(async |_: Request<Empty<&'static [u8]>>| {
        Ok::<_, std::convert::Infallible>(Response::new(Empty::<&'static [u8]>::new()))
    }));
    for number in 0..100 {
        let request = Request::get(format!("http://tea.example/{number}")).body(Empty::new()).unwrap();
        drop(service.clone().oneshot(request).await.unwrap());
    }
    drop((service, layer));
    let report = house.outbox.shutdown(LONG).await.lanes.remove(0);
    let lost: BTreeMap<_, _> = report.lost.iter().map(|(reason, count)| (&**reason, *count)).collect();
    assert_eq!((report.delivered, lost), (99, BTreeMap::from([("panic", 1)])), "{report}");
    let messages = house.cloudwatch.messages();
    assert!(messages.len() == 99 && !messages.contains(&"#0 /13".to_owned()), "{messages:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_a_shutdown_is_counted() {
    let mut house = House::busy();
    house.cloudwatch.faults(|call| (call.number >= 10).then(Fault::throttling));
    house.push(2_000);
    let report = house.outbox.shutdown(Duration::from_secs(5)).await.lanes.remove(0);
    assert_eq!(report.accepted, report.delivered + report.lost["shutdown"], "{report}");
    assert_eq!(report.delivered, house.cloudwatch.stored_count() as u64, "{report}");
    assert_eq!(report.delivered, 500);
}

// ===== helpers =====

/// A call by hand: the status, and what is said.
async fn ask(client: &belvedere::aws::Client, target: &str, body: &Value) -> (u16, Value) {
    let headers = http::HeaderMap::from_iter([
        (http::header::CONTENT_TYPE, "application/x-amz-json-1.1".parse().unwrap()),
        ("x-amz-target".parse().unwrap(), format!("Logs_20140328.{target}").parse().unwrap()),
    ]);
    let answer = client.post("/", &headers, body.to_string().into()).await.unwrap();
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// Room for all that is pushed here, and time for all that goes wrong.
fn many() -> Limits {
    Limits::default().records(10_000).queue_records(100_000).retry_for(Duration::from_secs(24 * 60 * 60))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

const GROUP: &str = "/tea/house";
const STREAM: &str = "web-1";
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// In milliseconds.
const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;
