use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    panic::Location,
    time::SystemTime,
};

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Case, Level, Panic, Place, Reporter, Stack,
    causes::{self, Caused},
    class,
    occurrence::{Occurrence, What},
    panic::PanicHook,
    reporter::Settings,
};
use crate::{
    exchange::{Blame, Blamed, Code, Failure, HandlerError},
    scrub::beginning,
    trace::OccurrenceId,
};

/// Something to be reported, made by hand.
///
/// ```
/// use belvedere::rollbar::{Level, Report};
///
/// # fn pay() -> std::io::Result<()> { Ok(()) }
/// if let Err(error) = pay() {
///     let uuid = Report::error(&error).level(Level::Critical).custom("cart", 17).title("no payment").send();
///     eprintln!("reported as {uuid}");
/// }
/// ```
///
/// It is sent with all that is known of the exchange that it is made in, and outside of any by the
/// [`Reporter`] that was installed; where there is none, it goes nowhere.
#[derive(Debug)]
#[must_use = "it is sent with `.send()`"]
pub struct Report {
    what: What,
    level: Level,
    custom: Map<String, Value>,
    title: Option<String>,
    fingerprint: Option<String>,
    stack: Option<Stack>,
    place: Option<Place>,
    at: SystemTime,
    /// Whether the stack of whoever sends it says where it happened.
    by_hand: bool,
}

// ===== impl Report =====

impl Report {
    /// An error with all that caused it: an error, one in a box, one of anyhow's or eyre's, or a text. Its level is `error`.
    ///
    /// The marker `M` is always inferred.
    #[track_caller]
    pub fn error<M>(error: &(impl Blame<M> + ?Sized)) -> Self {
        let chain = causes::of(error.blamed());
        Self {
            place: Some(Location::caller().into()),
            by_hand: true,
            ..Self::new(What::Error(chain), Level::Error)
        }
    }

    /// A message, of which the first 16 KiB are sent.
    ///
    /// Where [too many](super::ItemLane::limited) come from one place, they are left out, whatever they say. A
    /// [fingerprint](Self::fingerprint) tells apart those that come from one place and are of different kinds.
    #[track_caller]
    pub fn message(level: Level, text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(beginning(&text, LONGEST).len());
        text.shrink_to_fit();
        Self { place: Some(Location::caller().into()), ..Self::new(What::Message(text), level) }
    }

    /// How grave it is.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Adds a fact of any shape to `custom`.
    pub fn custom(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.custom.insert(key.into(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// What the item is called. Default: what Rollbar makes of it.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// What it is grouped by. Default: as Rollbar groups.
    pub fn fingerprint(mut self, fingerprint: impl Into<String>) -> Self {
        self.fingerprint = Some(fingerprint.into());
        self
    }

    /// What was running when it happened: a [`Backtrace`](std::backtrace::Backtrace), or, of an error of anyhow or eyre,
    /// what [`Stack::shown`] makes of its own. Default: what is running when it is sent.
    pub fn stack(mut self, stack: impl Into<Stack>) -> Self {
        self.stack = Some(stack.into());
        self
    }

    /// Sends it, and gives the id by which Rollbar finds it: `https://rollbar.com/occurrence/uuid/?uuid=..`.
    ///
    /// An error that is sent in an exchange is the exchange's report: no other is sent should it fail. A message is not.
    pub fn send(self) -> OccurrenceId {
        let Some(case) = Case::current() else { return self.send_alone() };
        let report = if matches!(self.what, What::Message(_)) { None } else { case.report() };
        let uuid = report.unwrap_or_else(|| case.occurrence());
        self.send_in(&case, uuid)
    }

    pub(super) fn of_panic(panic: Panic) -> Self {
        let Panic { stack, place, message, .. } = panic;
        Self { stack: Some(stack), place, ..Self::of_panic_message(&message) }
    }

    /// A panic that no hook has seen.
    pub(super) fn of_panic_message(message: &str) -> Self {
        Self::new(What::Error(vec![Caused::new(PANIC, message)]), Level::Critical)
    }

    pub(super) fn of_failure(failure: Failure<'_>) -> Self {
        let chain = match failure.as_error() {
            Some(error) => causes::of(Blamed::Error { error, type_name: Some(failure.type_name()) }),
            None => vec![Caused::new(class::named(failure.type_name()), &failure.message())],
        };
        Self::new(What::Error(chain), Level::Error)
    }

    pub(super) fn of_handler_error(error: &HandlerError) -> Self {
        let what = What::Left(error.clone());
        let stack = error.shown_backtrace().map(Stack::shown);
        Self { place: Some(error.place().into()), stack, ..Self::new(what, Level::Error) }
    }

    pub(super) fn of_status(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("a failure");
        let class = format!("HTTP {}", status.as_u16());
        Self::new(What::Error(vec![Caused::new(class, reason)]), Level::Error)
    }

    /// A code without any error, and what was told with it.
    pub(super) fn of_code(code: Code, said: Option<&str>) -> Self {
        let class = format!("gRPC {}", code.name());
        let message = said.filter(|said| !said.is_empty()).unwrap_or("the call failed");
        Self::new(What::Error(vec![Caused::new(class, message)]), Level::Error)
    }

    pub(super) fn send_in(self, case: &Case, uuid: OccurrenceId) -> OccurrenceId {
        self.send_by(&case.facts().reporter, Some(case), uuid)
    }

    pub(super) fn send_alone(self) -> OccurrenceId {
        let uuid = OccurrenceId::generate();
        match Reporter::global() {
            Some(reporter) => self.send_by(&reporter, None, uuid),
            None => uuid,
        }
    }

    fn send_by(self, reporter: &Reporter, case: Option<&Case>, uuid: OccurrenceId) -> OccurrenceId {
        let Settings { lane, scrubber, .. } = reporter.settings();
        if !lane.admits(self.kind(case), || self.what.title(scrubber)) {
            return uuid;
        }
        let stack = self.stack.or_else(|| self.by_hand.then(Stack::capture));
        let Self { what, level, custom, title, fingerprint, place, at, .. } = self;
        let (reporter, exchange) = (reporter.clone(), case.map(Case::exchange));
        let occurrence = Occurrence {
            reporter,
            exchange,
            uuid,
            at,
            what,
            level,
            custom,
            title,
            fingerprint,
            stack,
            place,
        };
        occurrence.push();
        uuid
    }

    /// What it is counted as, where there are too many: the class of what happened, and where. Nothing that a client may
    /// have written, who could make as many kinds as there are items in a minute.
    fn kind(&self, case: Option<&Case>) -> u64 {
        let place = self.place.as_ref().map(|place| (place.file(), place.line()));
        let route = case.and_then(Case::route);
        HASHER.hash_one((self.what.class(), self.level, place, route, &self.fingerprint))
    }

    fn new(what: What, level: Level) -> Self {
        Self {
            what,
            level,
            custom: Map::new(),
            title: None,
            fingerprint: None,
            stack: None,
            place: None,
            at: SystemTime::now(),
            by_hand: false,
        }
    }
}

/// Reports an error with all that caused it: [`Report::error`], sent.
///
/// ```
/// use belvedere::rollbar;
///
/// # fn pay() -> std::io::Result<()> { Ok(()) }
/// if let Err(error) = pay() {
///     rollbar::report_error(&error);
/// }
/// ```
#[track_caller]
pub fn report_error<M>(error: &(impl Blame<M> + ?Sized)) -> OccurrenceId {
    Report::error(error).send()
}

/// Reports a message: [`Report::message`], sent.
#[track_caller]
pub fn report_message(level: Level, text: impl Into<String>) -> OccurrenceId {
    Report::message(level, text).send()
}

/// Has panics noted from now on, for their exchanges or for the [`Reporter`] that was installed.
pub(super) fn watch_panics() {
    PanicHook::install(panicked);
}

/// A panic of this thread. It must neither wait nor panic.
fn panicked(panic: Panic) {
    let (case, is_fatal) = (Case::of_thread(), panic.is_fatal);
    let reporter = case.as_ref().map(|case| case.facts().reporter.clone()).or_else(Reporter::global);
    match case {
        None => drop(Report::of_panic(panic).send_alone()),
        Some(case) => {
            let unnoted = if is_fatal { Some(panic) } else { case.panicked(panic) };
            if let Some(panic) = unnoted {
                let uuid = case.report().unwrap_or_else(|| case.occurrence());
                Report::of_panic(panic).send_in(&case, uuid);
            }
        }
    }
    if let Some(reporter) = reporter.filter(|_| is_fatal) {
        reporter.settings().lane.flush();
    }
}

const PANIC: &str = "panic";

/// How many bytes of a message are sent.
const LONGEST: usize = 16 * 1024;

/// Always the same, so that a kind is the same in all threads.
const HASHER: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::new();
