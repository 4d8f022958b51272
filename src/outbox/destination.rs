//! Where a lane leads.

use std::{borrow::Cow, fmt, future::Future, time::Duration};

use super::{Batch, Limits, Tariff};

/// One backend's end of a lane: what it takes, and how to hand it over.
///
/// An implementation must not block the thread in [`send`](Self::send), because all lanes of an outbox share one, and
/// it must bound its own time: a request that never ends holds one of [`Limits::in_flight`] until the shutdown.
/// Dropping the future of `send` must be harmless; that is how a shutdown that reached its limit ends it.
pub trait Destination: Send + Sync + 'static {
    /// What this backend makes of an exchange.
    type Record: Send + 'static;

    /// How the lane batches, holds and retries. Asked once, when the lane is opened.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// What its records cost, for a [`Budget`](super::Budget). Asked once, when the lane is opened. Default: nothing.
    fn tariff(&self) -> Option<Tariff<Self::Record>> {
        None
    }

    /// The bytes that a record is counted with, against [`Limits::bytes`] and [`Limits::queue_bytes`].
    ///
    /// It is called on the thread that pushes, possibly in a `Drop`: it must be cheap, and an estimate is enough. It
    /// must say the same each time it is asked about the same record. Should it panic, the record is lost as `panic`.
    fn size(&self, record: &Self::Record) -> usize;

    /// How records are written to the disk, if the outbox has a [`Spool`](super::Spool). Asked once, when the lane is
    /// opened. Default: they are kept in memory.
    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<super::Codec<Self::Record>> {
        None
    }

    /// Sends a batch, once. Retrying is the lane's business.
    ///
    /// `Ok` says that the backend has every record. A panic is caught, and the batch is lost as `panic`.
    ///
    /// # What shares the thread
    ///
    /// Between two awaits it has the outbox's thread to itself, and these wait for it: every other request of every lane,
    /// the connections and timers below them, the workers that cut batches, and the closure of
    /// [`Builder::events`](super::Builder::events). These do not: [`Lane::push`](super::Lane::push), which goes on until
    /// the lane is full, and the limits of a flush and a shutdown.
    ///
    /// Encoding and compressing a batch belong here as long as they take a few milliseconds;
    /// [`Limits::bytes`] and [`Limits::records`] bound them. What takes longer, and what blocks (a file, a terminal, a
    /// lock that is held for long), must go to a thread of the destination's own, to be awaited here. Tokio's
    /// `spawn_blocking` will do where it ends by itself; on [a runtime of the user's](super#on-a-runtime-of-yours) it
    /// holds up that runtime's end.
    fn send(
        &self,
        batch: Batch<Self::Record>,
    ) -> impl Future<Output = Result<(), SendError<Self::Record>>> + Send;
}

/// Why a batch did not, or not wholly, arrive. `R` is the record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SendError<R> {
    /// It is worth trying again: the backend could not be reached, was busy, or said to come back later.
    Retry {
        /// What is still to be sent, out of the batch that was given; what is missing counts as delivered.
        rest: Batch<R>,
        /// How long the backend asks to wait, at least. Two minutes of it are honoured.
        after: Option<Duration>,
        /// Why.
        reason: Reason,
    },
    /// Trying again would give the same answer: a bad key, a document that is not understood.
    Reject {
        /// How many records are lost. Fewer than the batch had means that the others were accepted, as in a partial
        /// success of OTLP; more than that counts as all of them. Zero says that all were accepted, with a warning.
        lost: usize,
        /// Why. Its phrase is what they are counted under.
        reason: Reason,
    },
    /// Some of it is lost for good, and some is worth trying again; what is in neither was accepted.
    Mixed {
        /// How many records are lost, and why. More than there are count as all of them.
        lost: Vec<(usize, Reason)>,
        /// What is still to be sent. It may be empty: then some is lost, each under its own reason, and the rest delivered.
        rest: Batch<R>,
        /// How long the backend asks to wait, at least. Two minutes of it are honoured.
        after: Option<Duration>,
        /// Why the rest was not taken.
        reason: Reason,
    },
}

/// Why something was not delivered: a phrase to count under, and perhaps the backend's own words.
///
/// The phrase is of few kinds, such as `refused`, `timeout`, `http 401`: a lane counts sixteen of them apart and
/// folds the rest into `other`. The detail is free text, goes to events and logs only, and is cut at 512 bytes.
///
/// ```
/// use belvedere::outbox::Reason;
///
/// let reason = Reason::new("http 401").detail("unknown API key");
/// assert_eq!(reason.phrase(), "http 401");
/// assert_eq!(reason.to_string(), "http 401: unknown API key");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reason {
    phrase: Cow<'static, str>,
    detail: Option<Box<str>>,
    is_told: bool,
    is_of_sender: bool,
}

// ===== impl SendError =====

#[cfg(feature = "otel")]
impl<R> SendError<R> {
    /// The same of records of another type.
    pub(crate) fn map<T>(self, of: impl FnMut(R) -> T) -> SendError<T> {
        match self {
            Self::Retry { rest, after, reason } => {
                SendError::Retry { rest: rest.into_iter().map(of).collect(), after, reason }
            }
            Self::Reject { lost, reason } => SendError::Reject { lost, reason },
            Self::Mixed { lost, rest, after, reason } => {
                SendError::Mixed { lost, rest: rest.into_iter().map(of).collect(), after, reason }
            }
        }
    }
}

// ===== impl Reason =====

impl Reason {
    /// A reason without detail.
    pub fn new(phrase: impl Into<Cow<'static, str>>) -> Self {
        Self { phrase: phrase.into(), detail: None, is_told: false, is_of_sender: false }
    }

    /// What the backend said about it. It must hold no secrets: it is logged, in one line, whatever is in it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(LONGEST_DETAIL));
        if detail.contains(char::is_control) {
            detail = detail.replace(char::is_control, " ");
        }
        self.detail = (!detail.is_empty()).then(|| detail.into_boxed_str());
        self
    }

    /// The log has it already, in a line that says what to do about it: that a batch waits because of it is a `debug`.
    #[must_use]
    pub fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// The backend refuses who sends, and not what is sent: a key is not known, or may not do this. With a
    /// [spool](super#the-spool) a batch that is rejected so stays on the disk, until the key is mended or another process
    /// has a better one.
    #[must_use]
    pub fn of_sender(mut self) -> Self {
        self.is_of_sender = true;
        self
    }

    #[cfg(feature = "spool")]
    pub(super) fn is_of_sender(&self) -> bool {
        self.is_of_sender
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// The phrase that losses are counted under.
    pub fn phrase(&self) -> &str {
        &self.phrase
    }

    /// What the backend said, if it said something.
    pub fn words(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub(super) fn count_under(&self) -> Cow<'static, str> {
        self.phrase.clone()
    }
}

impl<P: Into<Cow<'static, str>>> From<P> for Reason {
    fn from(phrase: P) -> Self {
        Self::new(phrase)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phrase, detail, is_told: _, is_of_sender: _ } = self;
        f.write_str(phrase)?;
        detail.iter().try_for_each(|detail| write!(f, ": {detail}"))
    }
}

const LONGEST_DETAIL: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backend_says_stays_on_one_line() {
        let reason = Reason::new("http 400").detail("no\r\n2026-11-21 ERROR forged \u{1b}[31m\u{9b}red");
        assert_eq!(reason.to_string(), "http 400: no  2026-11-21 ERROR forged  [31m red");
    }
}
