//! Over real sockets, with a clock that is set forward.

#[allow(clippy::duplicate_mod, reason = "the unit tests of another backend have it, too")]
#[path = "../../../tests/support/log.rs"]
mod log;
#[path = "../../../tests/support/rollbar.rs"]
mod sink;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use serde_json::Value;
use sink::{Answer as Response, Received, Rollbar, accepted, answer, limited, refused};
use tokio::{runtime::Handle, time};

use super::{
    super::item::{Data, Message},
    *,
};
use crate::outbox::{Lane, Outbox, OutboxEvent, Report};

/// A process that sends to a Rollbar.
struct Shop {
    rollbar: Rollbar,
    outbox: Outbox,
    lane: Lane<Box<dyn Draft>>,
    /// What the outbox tells.
    told: Arc<Mutex<Vec<String>>>,
}

/// A message, or a panic where it should be.
#[derive(Clone)]
struct Note {
    number: u32,
    bytes: usize,
    panics: bool,
    finished: Arc<AtomicUsize>,
    at_once: Arc<AtomicUsize>,
}

// ===== impl Shop =====

impl Shop {
    fn open(script: impl Fn(&Received) -> Option<Response> + Send + Sync + 'static) -> Self {
        Self::to(Rollbar::start(script), |api| api)
    }

    fn to(rollbar: Rollbar, set: impl FnOnce(Api) -> Api) -> Self {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let heard = told.clone();
        let hear = move |event: &OutboxEvent| heard.lock().unwrap().push(format!("{event} {event:?}"));
        let outbox = Outbox::builder().runtime(Handle::current()).events(hear).start().unwrap();
        let api = set(Api::new(TOKEN.parse().unwrap()).endpoint(rollbar.url().parse().unwrap()));
        let lane = outbox.lane(api.lane(), api.destination().unwrap());
        Self { rollbar, outbox, lane, told }
    }

    fn push(&self, numbers: impl IntoIterator<Item = u32>) {
        numbers.into_iter().for_each(|number| self.lane.push(Box::new(Note::new(number))));
    }

    /// Sets the clock forward again and again, until nothing waits or so much time is over.
    async fn live(&self, most: Duration) {
        let end = Instant::now() + most;
        while self.outbox.report().lanes[0].waiting > 0 && Instant::now() < end {
            self.settle().await;
            skip(Duration::from_secs(5)).await;
        }
        self.settle().await;
    }

    /// Waits until nothing comes any more.
    async fn settle(&self) {
        let mut before = usize::MAX;
        while before != self.rollbar.received().len() {
            before = self.rollbar.received().len();
            time::sleep(Duration::from_millis(15)).await;
        }
    }

    fn received(&self) -> Vec<Received> {
        self.rollbar.received()
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    #[track_caller]
    fn assert_books(&self, delivered: u64, lost: &[(&str, u64)]) {
        assert_books(&self.outbox.report(), delivered, lost);
    }
}

// ===== impl Note =====

impl Note {
    fn new(number: u32) -> Self {
        Self { number, bytes: 3, panics: false, finished: Arc::default(), at_once: Arc::default() }
    }
}

impl Draft for Note {
    fn size(&self) -> usize {
        1_000 + self.bytes
    }

    fn json(&self, most: usize) -> Bytes {
        assert!(!self.panics, "no stack to be found");
        assert_eq!(self.at_once.fetch_add(1, SeqCst), 0, "one at a time");
        std::thread::yield_now();
        self.at_once.fetch_sub(1, SeqCst);
        self.finished.fetch_add(1, SeqCst);
        let mut data = Data::new("production", Message::new("tea"));
        data.uuid = Some(format!("uuid-{}", self.number).into());
        data.custom.insert("blob", vec!["x".repeat(200); self.bytes / 200]);
        fit::fit(&mut data.into(), most).into()
    }
}

#[tokio::test]
async fn an_item_is_a_post_of_plain_json_with_the_token_in_a_header_alone() {
    let shop = Shop::open(|_| Some(accepted()));
    shop.push([1, 2]);
    assert!(shop.outbox.flush(LONG).await);
    let received = shop.received();
    assert_eq!(received.len(), 2);
    let one = &received[0];
    assert_eq!((one.method.as_str(), one.path.as_str()), ("POST", "/api/1/item/"));
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.header("x-rollbar-access-token"), TOKEN);
    assert!(!one.headers.contains_key("content-encoding"));
    let body: Value = serde_json::from_slice(&one.body).unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["data"]);
    assert!(!body.to_string().contains(TOKEN));
    assert_eq!([received[0].uuid(), received[1].uuid()], ["uuid-1", "uuid-2"]);
    shop.assert_books(2, &[]);
}

#[tokio::test]
async fn what_is_refused_for_good_is_posted_once_and_lost_with_the_servers_words() {
    let all = [
        (400, "http 400"),
        (404, "http 404"),
        (413, "http 413"),
        (422, "http 422"),
        (302, "http 302"),
        (409, "http 409"),
    ];
    for (status, reason) in all {
        let shop = Shop::open(move |_| Some(refused(status, "data.request: an object is required")));
        shop.push(1..=3);
        shop.live(HOUR).await;
        assert_eq!(shop.received().len(), 3, "{status}");
        shop.assert_books(0, &[(reason, 3)]);
        let told = shop.told();
        assert!(told.contains("rejected: ") && told.contains("an object is required"), "{told}");
    }
}

#[tokio::test]
async fn a_refusal_without_sense_is_told_in_few_readable_words() {
    let shop =
        Shop::open(|_| Some(answer(400, [&b"<html>\0\xff\n"[..], "é".repeat(5_000).as_bytes()].concat())));
    shop.push([1]);
    shop.live(HOUR).await;
    let told = shop.told();
    assert!(told.contains("<html>é") && told.len() < 3_000, "{told}");
}

#[tokio::test]
async fn too_large_is_sent_once_more_with_its_uuid_and_then_lost() {
    let refuse = |_: &Received| Some(refused(413, "exceeded the maximum size of 128KB"));
    // The clock runs ahead of a busy machine, and no answer in time would be another request.
    let shop = Shop::to(Rollbar::start(refuse), |api| api.timeout(2 * HOUR));
    shop.lane.push(Box::new(Note { bytes: 400_000, ..Note::new(1) }));
    shop.lane.push(Box::new(Note { bytes: 600_000, ..Note::new(2) }));
    shop.live(HOUR).await;
    let received = shop.received();
    let uuids: Vec<_> = received.iter().map(Received::uuid).collect();
    assert_eq!(uuids, ["uuid-1", "uuid-1", "uuid-2", "uuid-2"]);
    let bytes: Vec<_> = received.iter().map(|one| one.body.len()).collect();
    assert!(
        bytes[0] > 400_000 && bytes[1] <= 128 * 1024 && bytes[2] <= 512 * 1024 && bytes[3] <= 128 * 1024,
        "{bytes:?}"
    );
    assert_ne!(received[1].data()["notifier"]["diagnostic"]["truncation"], Value::Null);
    shop.assert_books(0, &[("http 413", 2)]);
}

#[tokio::test]
async fn too_large_by_a_limit_of_the_servers_own_is_delivered_smaller() {
    let shop = Shop::open(|one| match one.body.len() {
        0..=131_072 => Some(accepted()),
        _ => Some(answer(413, "")),
    });
    shop.lane.push(Box::new(Note { bytes: 400_000, ..Note::new(1) }));
    shop.live(HOUR).await;
    assert_eq!(shop.received().len(), 2);
    shop.assert_books(1, &[]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_shown_to_rollbar_once() {
    for (status, reason) in [(401, "http 401"), (403, "http 403")] {
        let log = log::Log::default();
        let _logging = tracing::subscriber::set_default(log.subscriber());
        let refuse = move |_: &Received| Some(refused(status, &format!("invalid access token {TOKEN}")));
        // The clock runs ahead of a busy machine, and no answer in time would be another request.
        let shop = Shop::to(Rollbar::start(refuse), |api| api.timeout(2 * HOUR));
        shop.push(1..=20);
        shop.live(HOUR).await;
        shop.push(21..=40);
        shop.live(HOUR).await;
        assert_eq!(shop.received().len(), 1);
        shop.assert_books(0, &[(reason, 40)]);
        let lines = log.lines();
        let own: Vec<_> = lines.iter().filter(|line| line.contains("belvedere::rollbar")).collect();
        assert_eq!(own.len(), 1, "{lines:#?}");
        assert!(
            own[0].contains("ERROR") && own[0].contains("post_server_item") && own[0].contains(reason),
            "{own:?}"
        );
        assert!(!lines.join("\n").contains(TOKEN) && !shop.told().contains(TOKEN), "{lines:#?}");
    }
}

#[tokio::test]
async fn a_limit_stops_the_lane_for_as_long_as_rollbar_says_and_a_minute_at_most() {
    for (told, seconds) in [(Some(17), 17), (None, 60), (Some(3_600), 60)] {
        let shop = Shop::open(move |one| match one.number {
            0 => Some(told.map_or_else(|| refused(429, "too many"), limited)),
            _ => Some(accepted()),
        });
        shop.push(1..=8);
        shop.rollbar.arrived(1).await;
        shop.settle().await;
        skip(Duration::from_secs(seconds - 2)).await;
        shop.settle().await;
        assert_eq!(shop.received().len(), 1, "{told:?}");
        skip(Duration::from_secs(2)).await;
        shop.rollbar.arrived(9).await;
        shop.live(HOUR).await;
        shop.assert_books(8, &[]);
    }
}

#[tokio::test]
async fn a_limit_that_never_ends_sees_one_request_a_pause() {
    for seconds in [60, 0] {
        let shop = Shop::open(move |_| Some(limited(seconds)));
        shop.push(1..=10);
        let start = Instant::now();
        shop.live(HOUR).await;
        let (took, requests) = (start.elapsed().as_secs() as usize, shop.received().len());
        assert!(requests <= took / (seconds.max(1) as usize) + 1, "{requests} requests in {took} s");
        assert!(requests > 3, "{requests} requests in {took} s");
        shop.assert_books(0, &[("expired", 10)]);
    }
}

#[tokio::test]
async fn what_rollbar_has_no_time_for_is_sent_again_as_it_was_and_finished_once() {
    for status in [500, 502, 503, 408] {
        let shop = Shop::open(move |one| match one.number {
            0 | 1 => Some(answer(status, "")),
            _ => Some(accepted()),
        });
        let note = Note::new(7);
        shop.lane.push(Box::new(note.clone()));
        shop.live(HOUR).await;
        let received = shop.received();
        assert_eq!(received.len(), 3);
        assert!(received.iter().all(|one| one.body == received[0].body));
        assert_eq!(note.finished.load(SeqCst), 1);
        shop.assert_books(1, &[]);
    }
}

#[tokio::test]
async fn a_rollbar_that_is_broken_or_silent_sees_few_requests_and_the_books_say_why() {
    for is_silent in [false, true] {
        let shop = Shop::open(move |_| (!is_silent).then(|| answer(500, "")));
        shop.push(1..=6);
        shop.live(HOUR).await;
        let received = shop.received();
        let of = |uuid: &str| received.iter().filter(|one| one.uuid() == uuid).count();
        let most = (1..=6).map(|number| of(&format!("uuid-{number}"))).max().unwrap();
        assert!((2..=60).contains(&most), "{most}");
        shop.assert_books(0, &[("expired", 6)]);
        assert!(shop.told().contains(if is_silent { "timeout" } else { "http 500" }));
    }
}

#[tokio::test]
async fn a_storm_at_a_dead_rollbar_does_not_grow() {
    let shop = Shop::open(|_| None);
    shop.push(1..=5_000);
    shop.settle().await;
    let lane = &shop.outbox.report().lanes[0];
    assert_eq!((lane.waiting, lane.lost()), (1_024, 5_000 - 1_024), "{lane}");
    assert!(shop.received().len() <= 1);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let shop = Shop::open(|one| match one.number {
        0 => {
            let mut answer = answer(503, "");
            answer.headers_mut().insert("retry-after", 100.into());
            Some(answer)
        }
        _ => Some(accepted()),
    });
    shop.push([1]);
    shop.rollbar.arrived(1).await;
    shop.settle().await;
    skip(Duration::from_secs(95)).await;
    shop.settle().await;
    assert_eq!(shop.received().len(), 1);
    skip(Duration::from_secs(6)).await;
    shop.rollbar.arrived(2).await;
}

#[tokio::test]
async fn an_item_that_cannot_be_finished_is_lost_alone() {
    let shop = Shop::open(|_| Some(accepted()));
    shop.lane.push(Box::new(Note { panics: true, ..Note::new(1) }));
    shop.push([2]);
    shop.live(HOUR).await;
    shop.assert_books(1, &[("panic", 1)]);
    assert!(shop.told().contains("no stack to be found"));
}

#[tokio::test]
async fn items_are_finished_one_at_a_time() {
    let shop = Shop::open(|_| Some(accepted()));
    let note = Note::new(1);
    (0..50).for_each(|number| shop.lane.push(Box::new(Note { number, ..note.clone() })));
    shop.live(HOUR).await;
    assert_eq!(note.finished.load(SeqCst), 50);
    shop.assert_books(50, &[]);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_the_end_of_a_pause_beyond_its_limit() {
    let shop = Shop::open(|_| Some(limited(60)));
    shop.push(1..=3);
    shop.rollbar.arrived(1).await;
    let report = shop.outbox.shutdown(Duration::from_millis(200)).await;
    assert_books(&report, 0, &[("shutdown", 3)]);
    assert_eq!(shop.received().len(), 1);
}

#[test]
fn it_shows_its_place_and_no_secret() {
    let uri = Uri::from_static("https://user:canary@collector:4318/api/1/item/?token=canary");
    let api = Api::new("canary".parse().unwrap()).endpoint(uri);
    assert_eq!(api.lane(), "rollbar collector:4318");
    let shown = format!("{api:?} {:?}", api.clone().destination().unwrap());
    assert!(shown.contains("collector:4318/api/1/item/") && !shown.contains("canary"), "{shown}");
}

#[test]
fn an_endpoint_is_a_whole_url() {
    for uri in ["/api/1/item/", "api.rollbar.com"] {
        let error = Api::new("t".parse().unwrap()).endpoint(uri.parse().unwrap()).destination().unwrap_err();
        assert!(
            error.is_invalid() && error.to_string().contains("https://api.rollbar.com/api/1/item/"),
            "{error}"
        );
    }
}

#[test]
fn an_item_has_at_least_what_it_is_known_by_and_at_most_what_rollbar_takes() {
    let api = Api::new("t".parse().unwrap());
    assert_eq!((api.bytes, api.clone().item_bytes(0).bytes), (512 * 1024, 24 * 1024));
    assert_eq!(api.item_bytes(usize::MAX).bytes, 1024 * 1024);
}

/// Sets the clock forward.
async fn skip(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[track_caller]
fn assert_books(report: &Report, delivered: u64, lost: &[(&str, u64)]) {
    let lane = &report.lanes[0];
    assert_eq!((lane.delivered, lane.waiting), (delivered, 0), "{report}");
    let counted: Vec<_> = lane.lost.iter().map(|(reason, records)| (&**reason, *records)).collect();
    assert_eq!(counted, lost, "{report}");
}

const TOKEN: &str = "c4n4ry0123456789";
const LONG: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3_600);
