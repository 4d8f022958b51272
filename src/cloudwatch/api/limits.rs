//! Batches of every kind, by the rules of the double and without its socket: none is refused, and nothing goes missing.

#[path = "../../../tests/support/cloudwatch/rules.rs"]
#[allow(dead_code, reason = "most of it is for the double")]
mod rules;

use std::{
    io::Read as _,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode};

use self::rules::{DAY, MOST_BYTES, NEWEST, OLDEST, OVERHEAD, PutLogEvents};
use super::{action::Action, body::Body, *};
use crate::{
    aws::ClientError,
    cloudwatch::{LogEvent, StreamName},
    transport::Answer,
};

/// What stands in for CloudWatch: it has every group and stream.
#[derive(Debug, Default)]
struct Rulebook {
    stored: Mutex<Vec<(String, i64, String)>>,
    calls: Mutex<usize>,
}

// ===== impl Rulebook =====

impl Rulebook {
    /// What it says: of what is out of its time, if that is all there is.
    fn take(&self, body: &Body) -> String {
        let mut json = Vec::new();
        if body.is_compressed {
            GzDecoder::new(&*body.bytes).read_to_end(&mut json).unwrap();
        } else {
            json.extend_from_slice(&body.bytes);
        }
        let put: PutLogEvents = serde_json::from_slice(&json).unwrap();
        put.check().unwrap_or_else(|refusal| panic!("{refusal}"));
        let window = put.window(NOW, None).unwrap_or_else(|refusal| panic!("{refusal}"));
        let rejected = window.rejected();
        assert!(rejected.is_none() || window.begin == window.end, "{rejected:?}");
        let stream = put.log_stream_name;
        let taken = put.log_events.into_iter().take(window.end).skip(window.begin);
        let events = taken.map(|event| (stream.clone(), event.timestamp, event.message));
        self.stored.lock().unwrap().extend(events);
        *self.calls.lock().unwrap() += 1;
        rejected.unwrap_or_default().to_string()
    }

    fn stored(&self) -> Vec<(String, i64, String)> {
        std::mem::take(&mut self.stored.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Post for Rulebook {
    async fn post(&self, action: Action, body: Body) -> Result<Answer, ClientError> {
        assert_eq!(action, Action::PutLogEvents);
        let said = self.take(&body);
        Ok(Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: said.into() })
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(NOW.unsigned_abs())
    }

    fn ahead(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn fifty_thousand_batches_are_never_refused() {
    let calls = send(1, 50_000, |chance| match chance.u16(0..2_000) {
        0 => crowded(chance),
        _ => small(chance),
    });
    assert!(calls.await > 50_000);
}

#[tokio::test]
async fn fifty_thousand_others_are_never_refused() {
    let calls = send(2, 50_000, |chance| match chance.u16(0..2_000) {
        0 => heavy(chance),
        _ => small(chance),
    });
    assert!(calls.await > 50_000);
}

/// Sends batches, and compares what arrived with what was there.
async fn send(seed: u64, batches: usize, make: impl Fn(&mut fastrand::Rng) -> Vec<LogEvent>) -> usize {
    let mut chance = fastrand::Rng::with_seed(seed);
    let names = ["web-1", "web-2"];
    let streams = names.map(|name| Arc::new(name.parse::<StreamName>().unwrap()));
    let mut destination = destination();
    for batch in 0..batches {
        let events: Vec<_> = make(&mut chance).into_iter().map(|event| (chance.usize(0..2), event)).collect();
        destination.compress = AtomicBool::new(events.len() < 5_000 && chance.u8(0..4) == 0);
        let entry = |(stream, event): &(usize, LogEvent)| Entry {
            draft: Arc::new(event.clone()).into(),
            stream: streams[*stream].clone(),
            weight: 1,
        };
        let lost = match destination.send(events.iter().map(entry).collect()).await {
            Ok(()) => 0,
            Err(SendError::Mixed { lost, rest, .. }) if rest.is_empty() => {
                let ours = ["empty", "too old", "too new"];
                assert!(lost.iter().all(|(_, reason)| ours.contains(&reason.phrase())), "{lost:?}");
                lost.iter().map(|(lost, _)| lost).sum()
            }
            other => panic!("batch {batch} of seed {seed}: {other:?}"),
        };
        let mut stored = destination.post.stored();
        let fits = |event: &LogEvent| {
            let is_in_time = (NOW - OLDEST + MARGIN..=NOW + NEWEST - MARGIN).contains(&event.timestamp);
            is_in_time && !event.message.is_empty()
        };
        let mut pushed: Vec<_> = events.iter().filter(|(_, event)| fits(event)).collect();
        assert_eq!(stored.len() + lost, events.len(), "batch {batch} of seed {seed}");
        stored.sort_unstable();
        pushed.sort_unstable_by_key(|(stream, event)| (*stream, event.timestamp, &event.message));
        let arrived =
            stored.iter().map(|(stream, timestamp, message)| (&**stream, *timestamp, shown(message)));
        let expected =
            pushed.iter().map(|(stream, event)| (names[*stream], event.timestamp, shown(&event.message)));
        assert!(arrived.eq(expected), "batch {batch} of seed {seed}: what arrived differs");
    }
    *destination.post.calls.lock().unwrap()
}

/// What has to be the same: all of a text that is not cut.
fn shown(message: &str) -> &str {
    if message.len() > MOST_EVENT_BYTES || message.contains(" bytes cut ...]") { "long" } else { message }
}

/// A few events, somewhere around the edges of time.
fn small(chance: &mut fastrand::Rng) -> Vec<LogEvent> {
    let base = NOW - chance.i64(0..13) * DAY;
    let reach = chance.choice([1, 1_000, DAY, 3 * DAY]).unwrap();
    let count = chance.usize(1..8);
    let mut event = || {
        let timestamp = match chance.u8(0..16) {
            0 => base - DAY,
            1 => base - DAY - 1,
            2 => base - DAY + 1,
            3 => chance.choice([0, -1, i64::MAX, i64::MIN, NOW - 15 * DAY, NOW + 3 * NEWEST]).unwrap(),
            4..8 => base,
            _ => base - chance.i64(0..reach),
        };
        let length = chance.usize(0..24);
        let message = (0..length).map(|_| LETTERS[chance.usize(0..LETTERS.len())]).collect();
        LogEvent { timestamp: inside(timestamp), message }
    };
    (0..count).map(|_| event()).collect()
}

/// Around ten thousand events of a stream or two.
fn crowded(chance: &mut fastrand::Rng) -> Vec<LogEvent> {
    let count = chance.choice([9_999, 10_000, 10_001, 20_001]).unwrap();
    let reach = chance.choice([1, DAY]).unwrap();
    let event = |_| LogEvent { timestamp: NOW - chance.i64(0..reach), message: "x".to_owned() };
    (0..count).map(event).collect()
}

/// Around a megabyte.
fn heavy(chance: &mut fastrand::Rng) -> Vec<LogEvent> {
    let parts = chance.usize(1..6);
    let letter = chance.choice(["x", "\u{fc}", "\u{4e2d}", "\u{1f375}"]).unwrap();
    let mut event = |_| {
        let bytes = (MOST_BYTES / parts - OVERHEAD).saturating_add_signed(chance.isize(-2..=2));
        let message = letter.repeat(bytes / letter.len()) + &"y".repeat(bytes % letter.len());
        LogEvent { timestamp: NOW - chance.i64(0..3), message }
    };
    (0..=parts).map(&mut event).collect()
}

/// What lies within the margin of the window may go either way.
fn inside(timestamp: i64) -> i64 {
    let edges = [NOW - OLDEST, NOW + NEWEST];
    if edges.iter().any(|edge| timestamp.abs_diff(*edge) <= MARGIN.unsigned_abs()) { NOW } else { timestamp }
}

fn destination() -> ApiDestination<Rulebook> {
    let group: GroupName = "/tea/house".parse().unwrap();
    ApiDestination {
        tab: Tab::default(),
        post: Rulebook::default(),
        create: true,
        compress: AtomicBool::new(true),
        gzip: Arc::default(),
        event_bytes: MOST_EVENT_BYTES,
        limits: limits(),
        place: Arc::new(Place::new(None)),
        creation: Creation::new(group.clone(), Wanted::default()),
        advice: Advice::new(group.clone()),
        group,
    }
}

/// In milliseconds, as all times here.
const NOW: i64 = 1_795_177_563_250;

/// How much earlier the destination gives up than CloudWatch does.
const MARGIN: i64 = 5 * 60 * 1_000;

const LETTERS: [char; 8] = ['a', ' ', '"', '\0', '\n', '\u{fc}', '\u{4e2d}', '\u{1f375}'];
