//! The way to CloudWatch Logs.

mod action;
mod advice;
mod body;
#[cfg(feature = "spool")]
mod codec;
mod creation;
mod delivery;
mod failure;
mod fate;
mod fit;
mod piece;
mod post;
mod rejected;
mod tab;
mod window;
mod write;

use std::{
    env, panic,
    sync::{Arc, atomic::AtomicBool},
};

use http::uri::Authority;
use opentelemetry::Context;
use tokio::task;

use self::{
    advice::Advice,
    creation::{Creation, Wanted},
    delivery::Delivery,
    fate::Fate,
    piece::{MOST_EVENT_BYTES, MOST_EVENTS, Piece},
    post::Post,
    tab::Tab,
    write::write,
};
use super::{
    Class, GroupName, Retention,
    lane::Entry,
    place::{Place, Sources},
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    Error,
    aws::{Client, Variables},
    outbox::{Batch, Destination, Limits, SendError, Tariff},
    transport::Gzip,
};

/// Sends log events to CloudWatch Logs, by
/// [`PutLogEvents`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
///
/// ```no_run
/// use belvedere::{
///     aws::{Client, Service},
///     cloudwatch::{Api, Retention},
/// };
///
/// let client = Client::lookup(Service::LOGS, |name| std::env::var(name).ok())?;
/// let api = Api::new(client, "/shop/checkout".parse()?)
///     .retention(Retention::days(30)?)
///     .tags([("team", "shop")]);
/// # let _ = api;
/// # Ok::<_, belvedere::Error>(())
/// ```
///
/// Whatever a batch holds becomes requests that CloudWatch takes: one stream each, in the order of time, at most 1,048,576
/// bytes with 26 for each event, 10,000 events, less than 24 hours. Nothing is asked before: where there is no stream or no
/// group, it is made, and the same request is sent again at once.
///
/// # Permissions
///
/// | permission | for what |
/// |---|---|
/// | `logs:PutLogEvents` | always |
/// | `logs:CreateLogStream` | unless streams are made beforehand |
/// | `logs:CreateLogGroup` | unless the group is |
/// | `logs:PutRetentionPolicy` | [`retention`](Self::retention), of a group that is made |
/// | `logs:TagResource` | [`tags`](Self::tags), of a group that is made |
///
/// # What is lost, and when
///
/// | answer | what comes of it |
/// |---|---|
/// | no answer, 408, 429, 5xx, a code of throttling | tried again, after the time that `x-amz-retry-after` or `Retry-After` says |
/// | no credentials, or such as are not taken, or a wrong clock | tried again; other credentials are asked for, and the clock is put right by the answer |
/// | `AccessDeniedException`, or a group or stream that cannot be made | tried again; the log says once which permission is missing |
/// | `InvalidParameterException`, 413, a request that is not understood | sent by halves, until what CloudWatch does not take is found: that event is lost under the code, those beside it are not |
/// | events that it [did not take](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html) | lost as `too old`, `too new` or `expired by retention` |
/// | an answer without a code of AWS's, as a proxy gives | tried again |
/// | anything else | lost under its code |
///
/// What is tried again is held with its flight, of which there are [`Limits::in_flight`]: a stream that is refused by itself
/// holds the others of its lane up, too. Streams that may be refused apart are better lanes apart.
///
/// Before anything is sent, an event without a text is lost as `empty`, and one whose format panics as `panic`. One that is
/// more than 14 days old, less 5 minutes, is lost as `too old`, one from more than 2 hours ahead, less 1 minute, as `too new`:
/// by CloudWatch's clock, so only once it has answered. Where the own clock turns out to be wrong, events that it has put out
/// of that window are sent with the time that they should have.
///
/// An event is tried again for [`Limits::retry_for`], by default for as long as CloudWatch would take it. CloudWatch knows no
/// event again: one whose answer was lost may stand in the stream twice. What was taken of a batch is not sent again.
///
/// # On the disk
///
/// With a spool (feature `spool`) an event lies on the disk as it is sent: its time, its text, cut if it is too large, and the
/// name of its stream, with what the words in it stand for in the process that it is of. So another process, also on
/// another day, sends it into that stream. Where its time is out of CloudWatch's window by then, it is lost as `too old`.
///
/// # Large events
///
/// An event that passes [`event_bytes`](Self::event_bytes) loses its middle. What stands there instead says how much it was:
/// `[... 51380250 of 52428800 bytes cut ...]`. Its beginning stays, and 4 KiB of its end, where a record has its trace. It is
/// no JSON then, which is the price: nothing that is cut is, and in several events neither would be found by the other.
///
/// # Memory
///
/// What waits is counted with what it takes, as [`Limits::queue_bytes`] bounds it, until CloudWatch has it. A request that is
/// under way has the texts of its events and its body besides, about 3 MiB for a full one and 8 MiB at most, whatever a format
/// writes, for each of [`Limits::in_flight`]; a batch that waits to be tried again has neither.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    group: GroupName,
    wanted: Wanted,
    create: bool,
    gzip: bool,
    event_bytes: usize,
    limits: Limits,
    sources: Option<Sources>,
}

/// The other end of a lane. `P` is what posts.
#[derive(Debug)]
pub(super) struct ApiDestination<P = Client> {
    post: P,
    group: GroupName,
    create: bool,
    /// Until it turns out that nothing compressed can be read there.
    compress: AtomicBool,
    gzip: Arc<Gzip>,
    event_bytes: usize,
    limits: Limits,
    place: Arc<Place>,
    creation: Creation,
    advice: Advice,
    tab: Tab,
}

// ===== impl Api =====

impl Api {
    /// Into a log group, by a client for [`Service::LOGS`](crate::aws::Service::LOGS).
    pub fn new(client: Client, group: GroupName) -> Self {
        Self {
            client,
            group,
            wanted: Wanted::default(),
            create: true,
            gzip: true,
            event_bytes: MOST_EVENT_BYTES,
            limits: limits(),
            sources: None,
        }
    }

    /// Reads by way of `lookup` where what [`StreamName`](super::StreamName)s stand for is to be asked:
    /// `ECS_CONTAINER_METADATA_URI_V4`, `AWS_EC2_METADATA_SERVICE_ENDPOINT`, `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`,
    /// `AWS_EC2_METADATA_DISABLED`, and `HOSTNAME` where the system says none. Default: the process's environment.
    ///
    /// # Errors
    ///
    /// When one has a value that cannot be used; the message names it.
    pub fn lookup(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        self.sources = Some(Sources::new(Variables(&lookup))?);
        Ok(self)
    }

    /// How long the group keeps its events, if it is made. Default: for ever, which is CloudWatch's. A group that is there
    /// stays as it is.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.wanted.retention = Some(retention);
        self
    }

    /// What the group is tagged with, if it is made. Default: nothing. CloudWatch takes 50 tags.
    #[must_use]
    pub fn tags<K: Into<String>, V: Into<String>>(mut self, tags: impl IntoIterator<Item = (K, V)>) -> Self {
        self.wanted.tags = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// What the group can do, if it is made. Default: [`Class::Standard`].
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.wanted.class = Some(class);
        self
    }

    /// What the group is encrypted with, if it is made: the ARN of a symmetric key. Default: a key of CloudWatch's own.
    #[must_use]
    pub fn kms_key(mut self, arn: impl Into<String>) -> Self {
        self.wanted.kms_key = Some(arn.into().into());
        self
    }

    /// Whether streams and the group are made where there are none. Default: they are. Otherwise events are kept until
    /// somebody makes them, and the log says so once.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// How large a text may be, from 1 KiB to the 1,048,550 bytes that CloudWatch takes, which is the default. Less of it
    /// bounds what one event costs.
    #[must_use]
    pub fn event_bytes(mut self, bytes: usize) -> Self {
        self.event_bytes = bytes.clamp(fit::LEAST, MOST_EVENT_BYTES);
        self
    }

    /// Whether requests are compressed, where that makes them smaller. Default: they are, as those of AWS's own agent. It
    /// saves four fifths of the bytes of JSON, takes some 5 ms for 1 MB, and changes nothing about the limits or the price.
    /// Where it turns out that what is compressed cannot be read, it goes as it is.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }

    /// How the lane batches, holds and retries. Default: 10,000 records, 1 MiB and 1 s for a request, 4 at once; 64 MiB in
    /// all, whatever the number of records; retried for 14 days, less 5 minutes.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Which group it sends to.
    pub fn group(&self) -> &GroupName {
        &self.group
    }

    pub(super) fn lane(&self) -> String {
        let host = self.client.endpoint().authority().map_or("", Authority::as_str);
        format!("cloudwatch {host} {}", self.group)
    }

    pub(super) fn destination(self) -> ApiDestination {
        let Self { client, group, wanted, create, gzip, event_bytes, limits, sources } = self;
        ApiDestination {
            post: client,
            create,
            compress: gzip.into(),
            gzip: Arc::default(),
            event_bytes,
            limits,
            place: Arc::new(Place::new(sources.or_else(surroundings))),
            creation: Creation::new(group.clone(), wanted),
            advice: Advice::new(group.clone()),
            tab: Tab::default(),
            group,
        }
    }
}

// ===== impl ApiDestination =====

impl<P: Post> Destination for ApiDestination<P> {
    type Record = Entry;

    fn limits(&self) -> Limits {
        self.limits
    }

    fn tariff(&self) -> Option<Tariff<Entry>> {
        Some(self.tab.tariff())
    }

    fn size(&self, entry: &Entry) -> usize {
        entry.size()
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<Entry>> {
        Some(codec::codec(self.place.clone(), self.event_bytes))
    }

    async fn send(&self, batch: Batch<Entry>) -> Result<(), SendError<Entry>> {
        let entries: Arc<[Entry]> = Entry::in_order(batch).into();
        self.place.learn(&entries).await;
        let shutdown = || Err(SendError::Reject { lost: entries.len(), reason: "shutdown".into() });
        let Some((fate, bytes)) = self.deliver(&entries).await else { return shutdown() };
        let judged = fate.judge(&entries);
        if judged.is_ok() {
            self.tab.add(&entries, bytes);
        }
        judged
    }
}

impl<P: Post> ApiDestination<P> {
    /// Writes and sends, until all is sent or something fails for now, and gives the bytes of all texts. `None`: the runtime
    /// ends.
    async fn deliver(&self, entries: &Arc<[Entry]>) -> Option<(Fate, usize)> {
        let (mut fate, mut next, mut bytes) = (Fate::default(), 0, 0);
        while next < entries.len() && !fate.is_halted() {
            let (place, drafts, most) = (self.place.clone(), entries.clone(), self.event_bytes);
            let written = off_thread(move || write(&drafts, next, &place, most)).await?;
            next = written.next;
            bytes += written.pieces.iter().map(Piece::bytes).sum::<usize>();
            fate.absorb(written.fate);
            fate = Delivery::new(self, fate).run(written.pieces).await?;
        }
        fate.keep_entries(next..entries.len());
        Some((fate, bytes))
    }
}

fn limits() -> Limits {
    let (records, bytes) = (MOST_EVENTS, 64 << 20);
    // So many that the bytes come first.
    Limits::default().records(records).queue_records(1 << 20).queue_bytes(bytes).retry_for(window::LONGEST)
}

/// What the process's environment says.
fn surroundings() -> Option<Sources> {
    let sources = Sources::new(Variables(&|name| env::var(name).ok()));
    let warn = |error| tracing::warn!(target: "belvedere::cloudwatch", "what the process runs on is not asked: {error}");
    sources.map_err(warn).ok()
}

/// Runs what may take long. It ends by itself, also if nobody waits for it any more. `None`: the runtime ends.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let untraced = move || {
        let _untraced = Context::enter_telemetry_suppressed_scope();
        work()
    };
    match task::spawn_blocking(untraced).await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod limits;
#[cfg(test)]
mod tests;
