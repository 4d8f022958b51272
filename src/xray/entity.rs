use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{
    annotations::Annotations,
    aws::Aws,
    cause::{self, Cause},
    http::Http,
    ids, lenient,
    losses::Losses,
    metadata::Metadata,
    name::Name,
    status::Status,
    text::{Text, Texts, json_len},
    time::Time,
};
use crate::trace::SpanId;

/// What a segment and a subsegment have in common.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct Entity {
    /// The id, which no other has in the same trace.
    #[serde(with = "ids::span")]
    pub id: SpanId,
    /// The name: of the service, or of what it did.
    pub name: Name,
    /// When it began.
    pub start_time: Time,
    /// When it was over; while there is none it is in progress, and is written so.
    #[serde(default)]
    pub end_time: Option<Time>,
    /// What went wrong.
    #[serde(flatten)]
    pub status: Status,
    /// Why it went wrong.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// What was asked and answered.
    #[serde(default)]
    pub http: Option<Http>,
    /// What AWS has to do with it.
    #[serde(default)]
    pub aws: Option<Box<Aws>>,
    /// Facts that X-Ray indexes.
    #[serde(default, deserialize_with = "lenient::null")]
    pub annotations: Annotations,
    /// Facts that it shows.
    #[serde(default, deserialize_with = "lenient::null")]
    pub metadata: Metadata,
}

/// A segment or a subsegment, of which one wants to know the same.
pub(super) trait Node: Sized {
    fn entity(&self) -> &Entity;
    fn entity_mut(&mut self) -> &mut Entity;

    /// A copy of it without its subsegments.
    fn alone(&self) -> Self;

    /// Writes all of it but its subsegments.
    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    /// What only its kind has.
    fn each_own(&self, visit: &mut dyn FnMut(&Text));
    fn each_own_mut(&mut self, visit: &mut dyn FnMut(&mut Text));

    /// Cuts the lists that only its kind has, and tells how much was dropped.
    fn shorten_own(&mut self, most: usize) -> u64;

    /// What its own lists lost.
    fn losses_own(&self) -> Losses;

    /// About how many bytes its own lists take.
    fn size_own(&self) -> usize;

    fn losses(&self) -> Losses {
        let mut losses = self.entity().losses() + self.losses_own();
        self.each_own(&mut |text| losses.shortened += u64::from(text.is_cut()));
        losses
    }

    fn size(&self) -> usize {
        let mut size = size_of::<Self>() + self.entity().size() + self.size_own();
        self.each_own(&mut |text| size += FIELD + json_len(text));
        size
    }
}

/// Writes a node without its subsegments.
pub(super) struct Alone<'a, N>(pub(super) &'a N);

// ===== impl Entity =====

impl Entity {
    /// One that began at `start` and is in progress.
    pub fn new(id: SpanId, name: impl Into<Name>, start: SystemTime) -> Self {
        Self {
            id,
            name: name.into(),
            start_time: start.into(),
            end_time: None,
            status: Status::OK,
            cause: None,
            http: None,
            aws: None,
            annotations: Annotations::default(),
            metadata: Metadata::default(),
        }
    }

    /// Ends it, so long after it began.
    pub fn end(&mut self, elapsed: Duration) {
        self.end_time = Some(self.start_time.after(elapsed));
    }

    /// How long it took, if it is over.
    pub(super) fn took(&self) -> Duration {
        let end = self.end_time.map(SystemTime::from);
        end.and_then(|end| end.duration_since(self.start_time.into()).ok()).unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_in_progress(&self) -> bool {
        self.end_time.is_none()
    }

    /// Makes it a fault, with the reason.
    pub fn fault(&mut self, cause: Cause) {
        self.status |= Status::FAULT;
        self.cause = Some(cause);
    }

    /// Adds a reason to those that are there.
    pub(super) fn add_cause(&mut self, cause: Cause) {
        match (&mut self.cause, cause) {
            (Some(Cause::Exceptions(ours)), Cause::Exceptions(more)) => {
                ours.exceptions.extend(more.exceptions);
                ours.exceptions.truncate(cause::MOST);
            }
            (Some(Cause::Exceptions(_)), Cause::Id(_)) => {}
            (ours, cause) => *ours = Some(cause),
        }
    }

    pub(super) fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { id, name, start_time, end_time, status, cause, http, aws, annotations, metadata } = self;
        map.serialize_entry("id", &Spelled(*id))?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("start_time", start_time)?;
        match end_time {
            Some(end) => map.serialize_entry("end_time", end)?,
            None => map.serialize_entry("in_progress", &true)?,
        }
        flag(map, "error", status.error)?;
        flag(map, "throttle", status.throttle)?;
        flag(map, "fault", status.fault)?;
        part(map, "cause", cause.as_ref())?;
        part(map, "http", http.as_ref())?;
        part(map, "aws", aws.as_ref())?;
        part(map, "annotations", Some(annotations).filter(|annotations| !annotations.is_empty()))?;
        part(map, "metadata", Some(metadata).filter(|metadata| !metadata.is_empty()))
    }

    /// Cuts what is a list, and tells how much was dropped.
    pub(super) fn shorten_lists(&mut self, most: usize) -> u64 {
        let exceptions = self.cause.as_mut().and_then(Cause::exceptions_mut);
        let exceptions = exceptions.map_or(0, |exceptions| cause::shorten(exceptions, most));
        let paths = match &mut self.cause {
            Some(Cause::Exceptions(cause)) => excess(&mut cause.paths, most),
            _ => 0,
        };
        let aws = self.aws.as_mut().map_or(0, |aws| {
            excess(&mut aws.cloudwatch_logs, most)
                + excess(&mut aws.table_names, most)
                + excess(&mut aws.resource_names, most)
                + u64::from(aws.consumed_capacity.take().is_some())
        });
        exceptions + paths + aws
    }

    /// Drops all that it can do without, and tells how much that was.
    pub(super) fn strip(&mut self) -> u64 {
        let parts = [self.cause.take().is_some(), self.http.take().is_some(), self.aws.take().is_some()];
        let annotations = std::mem::take(&mut self.annotations).len();
        let metadata = std::mem::take(&mut self.metadata).iter().count();
        self.name.shorten(SHORT_NAME);
        parts.into_iter().map(u64::from).sum::<u64>() + (annotations + metadata) as u64
    }

    fn losses(&self) -> Losses {
        let mut losses = self.annotations.losses() + self.metadata.losses();
        self.each(&mut |text| losses.shortened += u64::from(text.is_cut()));
        losses
    }

    fn size(&self) -> usize {
        let exceptions = self.cause.as_ref().map_or(&[][..], Cause::exceptions);
        let frames: usize = exceptions.iter().map(|exception| exception.stack.len()).sum();
        let capacity = self.aws.as_ref().and_then(|aws| aws.consumed_capacity.as_ref());
        let mut texts = 0;
        self.each(&mut |text| texts += FIELD + json_len(text));
        self.name.len()
            + texts
            + exceptions.len() * EXCEPTION
            + frames * FIELD
            + capacity.map_or(0, |capacity| capacity.len())
            + self.annotations.size()
            + self.metadata.size()
            + self.metadata.overhead()
    }
}

impl Texts for Entity {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        self.http.each(visit);
        self.aws.each(visit);
        self.cause.each(visit);
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.http.each_mut(visit);
        self.aws.each_mut(visit);
        self.cause.each_mut(visit);
    }
}

// ===== impl Alone =====

impl<N: Node> Serialize for Alone<'_, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.0.fields(&mut map)?;
        map.end()
    }
}

/// An id as X-Ray writes it.
pub(super) struct Spelled<T>(pub(super) T);

impl<T: std::fmt::Display> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Writes a part, if there is one.
pub(super) fn part<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    part: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    part.map_or(Ok(()), |part| map.serialize_entry(name, part))
}

/// Writes a flag, if it is up.
pub(super) fn flag<M: SerializeMap>(map: &mut M, name: &'static str, flag: bool) -> Result<(), M::Error> {
    part(map, name, Some(&flag).filter(|flag| **flag))
}

/// Keeps the first of a list, and tells how many it dropped.
pub(super) fn excess<T>(list: &mut Vec<T>, most: usize) -> u64 {
    let dropped = list.len().saturating_sub(most);
    list.truncate(most);
    dropped as u64
}

/// What a text takes besides itself: its name and punctuation.
const FIELD: usize = 24;

/// What an exception takes besides its texts.
const EXCEPTION: usize = 128;

/// How many characters of a name are left when there is room for nothing.
const SHORT_NAME: usize = 64;
