use std::{
    collections::VecDeque,
    fmt::{self, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use serde_json::Value;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer;

use super::{Case, Telemetry};
use crate::scrub::{Scrubber, beginning};

/// A layer for `tracing` that shows, with each failure, what the same request had logged before.
///
/// It goes onto a subscriber, beside those that write the log. Of each request the last 50 events are kept, of each event
/// up to 1 KiB, and of events outside of a request none. They are sent with a failure alone, as its `telemetry`,
/// and without secrets. It costs what it takes to write such an event down; and for an event that is not kept, a look at its
/// level, its target and the scope.
///
/// Not kept are events of `belvedere` itself, those below [`level`](Self::level), and those of hyper, h2, rustls, tokio and
/// tower below `WARN`.
///
/// ```
/// use belvedere::rollbar::Breadcrumbs;
/// use tracing_subscriber::prelude::*;
///
/// let subscriber = tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(Breadcrumbs::new());
/// # drop(subscriber);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Breadcrumbs {
    level: Level,
}

/// What a request has logged, the latest of it.
#[derive(Default)]
pub(super) struct Trail(Mutex<Crumbs>);

#[derive(Default)]
struct Crumbs {
    latest: VecDeque<Crumb>,
    dropped: u64,
}

/// One event.
#[derive(Clone)]
struct Crumb {
    at: SystemTime,
    level: Level,
    target: &'static str,
    said: Said,
}

/// What an event says.
#[derive(Clone, Default)]
struct Said {
    message: String,
    fields: Vec<(&'static str, String)>,
    /// The target of an event that came from the crate `log`.
    log_target: Option<String>,
    room: Room,
}

/// How many bytes there still are for an event.
#[derive(Clone)]
struct Room(usize);

/// A text that ends where its room does.
struct Bounded<'a> {
    text: String,
    room: &'a mut Room,
}

// ===== impl Breadcrumbs =====

impl Breadcrumbs {
    /// A layer that keeps events of `INFO` and above.
    pub fn new() -> Self {
        Self { level: Level::INFO }
    }

    /// Keeps events of this level and above. Default: `INFO`. A lower one costs time for each event, and leaves less room for
    /// what matters.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    fn keeps(self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level && !is_noise(metadata.target(), *metadata.level())
    }
}

impl Default for Breadcrumbs {
    fn default() -> Self {
        Self::new()
    }
}

// Whether an event is kept is not told by `enabled`, which would silence it for all other layers.
impl<S: Subscriber> layer::Layer<S> for Breadcrumbs {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        if !self.keeps(event.metadata()) {
            return;
        }
        if let Some(case) = Case::current() {
            case.facts().trail.add(event);
        }
    }
}

/// Whether a target is the crate's own, or of those that talk much about little.
fn is_noise(target: &str, level: Level) -> bool {
    let of =
        |name: &str| target.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    of("belvedere") || level > Level::WARN && NOISE.into_iter().any(of)
}

// ===== impl Trail =====

impl Trail {
    /// Notes an event.
    pub(super) fn add(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        // Before the lock: what writes its fields may log, too.
        let mut said = Said::default();
        event.record(&mut said);
        if said.log_target.as_deref().is_some_and(|target| is_noise(target, *metadata.level())) {
            return;
        }
        let (at, level, target) = (SystemTime::now(), *metadata.level(), metadata.target());
        self.lock().push(Crumb { at, level, target, said });
    }

    /// What had been logged until then, as it is in an item: without secrets, the oldest first.
    pub(super) fn telemetry(&self, until: SystemTime, scrubber: &Scrubber) -> Vec<Telemetry> {
        // A copy, so that nobody who logs on waits for the scrubber.
        let latest = self.lock().latest.clone();
        let earlier = latest.iter().filter(|crumb| crumb.at <= until);
        earlier.map(|crumb| crumb.telemetry(scrubber)).collect()
    }

    /// About how many bytes it takes. Rather too large.
    pub(super) fn size(&self) -> usize {
        self.lock().latest.len() * LONGEST
    }

    /// How many events there was no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Crumbs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trail").field(&self.lock().latest.len()).finish()
    }
}

// ===== impl Crumbs =====

impl Crumbs {
    fn push(&mut self, crumb: Crumb) {
        if self.latest.len() == MOST {
            self.latest.pop_front();
            self.dropped += 1;
        }
        self.latest.push_back(crumb);
    }
}

// ===== impl Crumb =====

impl Crumb {
    fn telemetry(&self, scrubber: &Scrubber) -> Telemetry {
        let Self { at, level, target, said } = self;
        let mut telemetry = Telemetry::log((*level).into(), *at, scrubber.text(&said.message));
        let target = said.log_target.as_deref().unwrap_or(target);
        telemetry.body.insert("target".to_owned(), Value::from(target));
        for (name, value) in &said.fields {
            let value = Value::from(scrubber.value(name, value));
            telemetry.body.entry(*name).or_insert(value);
        }
        telemetry
    }
}

// ===== impl Said =====

impl Said {
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        if name == LOG_TARGET {
            self.log_target = Some(self.write(value));
        } else if name == MESSAGE {
            self.message = self.write(value);
        } else if self.fields.len() < FIELDS && !name.starts_with(LOG) && self.room.takes(name.len()) {
            let value = self.write(value);
            self.fields.push((name, value));
        }
    }

    fn write(&mut self, value: fmt::Arguments<'_>) -> String {
        let mut bounded = Bounded { text: String::new(), room: &mut self.room };
        let is_all = bounded.write_fmt(value).is_ok();
        let text = bounded.text;
        if is_all { text } else { beginning(&format!("{text} "), text.len()).to_owned() }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, format_args!("{value}"));
    }
}

// ===== impl Room =====

impl Room {
    fn takes(&mut self, bytes: usize) -> bool {
        let room = self.0.checked_sub(bytes);
        self.0 = room.unwrap_or(self.0);
        room.is_some()
    }
}

impl Default for Room {
    fn default() -> Self {
        Self(LONGEST)
    }
}

impl fmt::Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let beginning = &text[..text.floor_char_boundary(self.room.0)];
        self.text.push_str(beginning);
        let is_all = self.room.takes(beginning.len()) && beginning.len() == text.len();
        if is_all { Ok(()) } else { Err(fmt::Error) }
    }
}

/// How many events of a request are kept.
const MOST: usize = 50;

/// How many bytes an event takes, the names of its fields among them.
const LONGEST: usize = 1024;

/// How many fields an event has.
const FIELDS: usize = 32;

/// Crates that log of every connection and every frame.
const NOISE: [&str; 9] =
    ["hyper", "hyper_util", "hyper_rustls", "h2", "rustls", "tokio", "tokio_util", "tonic", "tower"];

const MESSAGE: &str = "message";

/// What the crate `tracing-log` adds to an event.
const LOG: &str = "log.";
const LOG_TARGET: &str = "log.target";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use tracing_subscriber::prelude::*;

    use super::*;

    /// Notes all events in one trail, whatever exchange they are of.
    struct All(Arc<Trail>);

    impl<S: Subscriber> layer::Layer<S> for All {
        fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
            self.0.add(event);
        }
    }

    fn shown(log: impl FnOnce()) -> Vec<Value> {
        shown_of(log).0
    }

    /// What is shown, and how many events are not.
    fn shown_of(log: impl FnOnce()) -> (Vec<Value>, u64) {
        let trail = Arc::new(Trail::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(All(trail.clone())), log);
        let telemetry = trail.telemetry(SystemTime::now(), &Scrubber::default());
        (telemetry.iter().map(|one| serde_json::to_value(one).unwrap()).collect(), trail.dropped())
    }

    #[test]
    fn an_event_is_a_line_of_the_servers_log_without_secrets() {
        let error = std::io::Error::other("no token=canary");
        let mut shown = shown(|| {
            tracing::warn!(
                target: "shop",
                error = &error as &(dyn std::error::Error + 'static),
                items = 3,
                api_key = "canary",
                user = ?Some("worf"),
                "paid with https://me:canary@bank.example/"
            );
        });
        let mut shown = shown.remove(0);
        assert!(shown["timestamp_ms"].take().as_u64() > Some(1_500_000_000_000));
        let body = json!({
            "message": "paid with https://REDACTED:REDACTED@bank.example/",
            "target": "shop",
            "error": "no token=REDACTED",
            "items": "3",
            "api_key": "REDACTED",
            "user": "Some(\"worf\")",
        });
        let expected = json!({
            "level": "warning", "type": "log", "source": "server", "timestamp_ms": null, "body": body,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_latest_events_are_kept_and_the_others_counted() {
        let (shown, dropped) = shown_of(|| (0..MOST + 7).for_each(|index| tracing::info!("{index}")));
        assert_eq!((shown.len(), dropped), (MOST, 7));
        assert_eq!(
            (&shown[0]["body"]["message"], &shown[MOST - 1]["body"]["message"]),
            (&json!("7"), &json!("56"))
        );
    }

    #[test]
    fn an_event_takes_a_kibibyte_at_most() {
        let shown = shown(|| {
            tracing::info!(a = "\u{e9}".repeat(700), b = 1, "{}", "x".repeat(5_000));
            tracing::info!("{}", "\u{e9}".repeat(5_000));
        });
        let length = |value: &Value| value.as_str().map_or(0, str::len);
        let body = &shown[0]["body"];
        assert!(length(&body["message"]) + length(&body["a"]) + length(&body["b"]) <= LONGEST);
        assert_eq!(length(&shown[1]["body"]["message"]), LONGEST);
    }

    #[test]
    fn the_crates_own_events_are_noise_and_so_is_what_transports_say_in_good_times() {
        for (target, level) in [
            ("belvedere", Level::ERROR),
            ("belvedere::outbox", Level::ERROR),
            ("hyper::proto", Level::INFO),
            ("h2", Level::DEBUG),
        ] {
            assert!(is_noise(target, level), "{target}");
        }
        for (target, level) in [
            ("belvedere_shop", Level::INFO),
            ("hyper::proto", Level::WARN),
            ("tokio_postgres", Level::INFO),
            ("shop", Level::DEBUG),
        ] {
            assert!(!is_noise(target, level), "{target}");
        }
    }
}
