use std::{fmt, ops::Deref, sync::Arc};

use super::{Api, LogEvent, Stdout, StreamName, draft::Draft, message::Message, noted::Noted};
use crate::outbox::{Batch, Lane, Outbox, Sideline, Unit};

/// A lane of log events: their way to CloudWatch Logs, to the standard output, or to both. Clones share it.
///
/// The layers of several services in one process may share one, as may the application's own events.
///
/// ```no_run
/// use belvedere::{
///     aws::{Client, Service},
///     cloudwatch::{Api, CloudWatchLayer, LogLane},
///     outbox::Outbox,
/// };
///
/// let outbox = Outbox::builder().start()?;
/// let client = Client::lookup(Service::LOGS, |name| std::env::var(name).ok())?;
/// let lane = LogLane::new(&outbox, Api::new(client, "/shop/checkout".parse()?)).stream("web-1".parse()?);
/// let layer = CloudWatchLayer::on(lane);
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogLane {
    lanes: Arc<[Lane<Entry>]>,
    stream: Arc<StreamName>,
    /// For what sends by it at times of its own.
    sideline: Sideline,
    most_metrics: Option<u64>,
}

/// An event and the stream that it is for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) draft: Source,
    pub(super) stream: Arc<StreamName>,
    /// How many events it stands for.
    pub(super) weight: u32,
}

/// What an event is made of.
#[derive(Clone)]
pub(super) enum Source {
    Exchange(Noted),
    Shared(Arc<dyn Draft>),
}

// ===== impl LogLane =====

impl LogLane {
    /// To CloudWatch Logs; named after its host and the group: `cloudwatch logs.eu-west-1.amazonaws.com /shop/checkout`.
    pub fn new(outbox: &Outbox, api: Api) -> Self {
        Self::of(outbox, outbox.lane(api.lane(), api.destination()))
    }

    /// To the standard output, an event a line: for containers whose agent collects what they print.
    pub fn stdout(outbox: &Outbox) -> Self {
        Self::of(outbox, outbox.lane("stdout", Stdout::new()))
    }

    pub(super) fn of(outbox: &Outbox, lane: Lane<Entry>) -> Self {
        let (sideline, most_metrics) = (outbox.sideline(SIDELINE), outbox.allowed(&Unit::METRICS));
        Self { lanes: Arc::new([lane]), stream: Arc::default(), sideline, most_metrics }
    }

    /// To both: each has every event, and loses none because of the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let lanes = self.lanes.iter().chain(&*other.lanes).cloned().collect();
        Self { lanes, ..self }
    }

    /// Into another stream, by the same lane. Default: `{hostname}/{pid}`.
    #[must_use]
    pub fn stream(self, stream: StreamName) -> Self {
        Self { stream: Arc::new(stream), ..self }
    }

    /// Sends an event of one's own.
    pub fn push(&self, event: LogEvent) {
        self.share(Arc::new(event));
    }

    /// How many custom metrics there may be, if that is bounded.
    pub(super) fn most_metrics(&self) -> Option<u64> {
        self.most_metrics
    }

    pub(super) fn sideline(&self) -> &Sideline {
        &self.sideline
    }

    pub(super) fn share(&self, draft: Arc<dyn Draft>) {
        self.send(Source::Shared(draft));
    }

    #[inline(always)]
    pub(super) fn note(&self, noted: Noted) {
        self.send(Source::Exchange(noted));
    }

    #[inline(always)]
    fn send(&self, draft: Source) {
        let Some((last, others)) = self.lanes.split_last() else { return };
        let entry = Entry { draft, stream: self.stream.clone(), weight: 1 };
        others.iter().for_each(|lane| lane.push(entry.clone()));
        last.push(entry);
    }
}

/// The names of its lanes.
impl fmt::Display for LogLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.lanes.iter().map(Lane::name).collect();
        f.pad(&names.join(", "))
    }
}

// ===== impl Source =====

impl Deref for Source {
    type Target = dyn Draft;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Exchange(noted) => noted,
            Self::Shared(draft) => &**draft,
        }
    }
}

impl<D: Draft> From<Arc<D>> for Source {
    fn from(draft: Arc<D>) -> Self {
        Self::Shared(draft)
    }
}

// ===== impl Entry =====

impl Entry {
    /// Those of one batch by when they happened: threads leave theirs one after the other.
    pub(super) fn in_order(batch: Batch<Self>) -> Vec<Self> {
        let mut entries: Vec<_> = batch.into_iter().collect();
        entries.sort_by_key(|entry| entry.draft.at());
        entries
    }

    /// What it counts for in the books: the event, and what carries it.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.draft.size()
    }

    /// Adds what there is to read.
    pub(super) fn write(&self, message: &mut Message<'_>) {
        match self.weight {
            1 => self.draft.write(message),
            weight => self.draft.write_weighed(message, weight),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("stream", &self.stream).finish_non_exhaustive()
    }
}

const SIDELINE: &str = "cloudwatch metrics";
