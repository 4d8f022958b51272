use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{entity::excess, ids, json::Json, losses::Losses, text::json_len};
use crate::trace::{SpanId, TraceId};

/// Another trace that this one has to do with: the messages of a batch, the other id of a request with two.
///
/// X-Ray takes [20 of a segment and 100 of a trace].
///
/// [20 of a segment and 100 of a trace]: https://docs.aws.amazon.com/xray/latest/devguide/xray-tracelinking.html
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Link {
    /// The other trace.
    #[serde(with = "ids::trace")]
    pub trace_id: TraceId,
    /// The segment or subsegment in it.
    #[serde(with = "ids::span")]
    pub id: SpanId,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Json>,
}

/// The links of a segment, [20](Self::MOST) at most; further ones are dropped and counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Links {
    list: Vec<Link>,
    #[serde(skip)]
    dropped: u64,
}

// ===== impl Link =====

impl Link {
    /// A link to a segment or subsegment of another trace.
    pub fn new(trace_id: TraceId, id: SpanId) -> Self {
        Self { trace_id, id, attributes: BTreeMap::new() }
    }

    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(key, value)| 4 + json_len(key) + value.len());
        ALONE + attributes.sum::<usize>()
    }
}

// ===== impl Links =====

impl Links {
    /// How many links a segment may have.
    pub const MOST: usize = 20;

    /// Adds a link, if there is room.
    pub fn push(&mut self, link: Link) {
        if self.list.len() < Self::MOST {
            self.list.push(link);
        } else {
            self.dropped += 1;
        }
    }

    /// All links.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What of the links was cut, and how many there was no room for.
    pub fn losses(&self) -> Losses {
        let attributes = self.iter().flat_map(|link| link.attributes.values());
        let shortened = attributes.map(|value| u64::from(value.is_cut())).sum();
        Losses { shortened, dropped: self.dropped, ..Losses::default() }
    }

    pub(super) fn shorten(&mut self, most: usize) -> u64 {
        let attributes = self.list.iter_mut().map(|link| std::mem::take(&mut link.attributes).len());
        let attributes: usize = attributes.sum();
        attributes as u64 + excess(&mut self.list, most)
    }
}

impl Extend<Link> for Links {
    fn extend<I: IntoIterator<Item = Link>>(&mut self, links: I) {
        links.into_iter().for_each(|link| self.push(link));
    }
}

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut links = Self::default();
        links.extend(Vec::deserialize(deserializer)?);
        Ok(links)
    }
}

const ALONE: usize = 100;
