use std::{ops::Deref, time::SystemTime};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{
    entity::{Entity, Node, Spelled, excess, flag, part},
    ids, lenient,
    losses::Losses,
    name::Name,
    sql::Sql,
    text::{Text, Texts},
};
use crate::trace::SpanId;

/// A part of what a service did: a call to another service, a query, a step of its own.
///
/// It is embedded in its segment, or is sent by itself as a [`Document`](super::Document).
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct Subsegment {
    /// Its id, name, times, and what it has in common with a segment.
    #[serde(flatten)]
    pub entity: Entity,
    /// Who was called; none for a step of one's own.
    #[serde(default, deserialize_with = "lenient::option")]
    pub namespace: Option<Namespace>,
    /// The query to a database.
    #[serde(default)]
    pub sql: Option<Box<Sql>>,
    /// Whether the service that was called sends a segment of its own.
    #[serde(default)]
    pub traced: bool,
    /// Subsegments beside this one that were over before it began.
    #[serde(default, with = "ids::list")]
    pub precursor_ids: Vec<SpanId>,
    /// What it consists of.
    #[serde(default, deserialize_with = "lenient::null")]
    pub subsegments: Subsegments,
}

/// Subsegments, in the order in which they began or ended.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Subsegments(Vec<Subsegment>);

/// Who was called.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Namespace {
    /// An AWS service.
    Aws,
    /// Any other service, or a database.
    Remote,
    /// Nobody. AWS's SDK for Python writes it, and X-Ray takes it.
    Local,
}

// ===== impl Subsegment =====

impl Subsegment {
    /// A subsegment that began at `start` and is in progress.
    pub fn new(id: SpanId, name: impl Into<Name>, start: SystemTime) -> Self {
        Self {
            entity: Entity::new(id, name, start),
            namespace: None,
            sql: None,
            traced: false,
            precursor_ids: Vec::new(),
            subsegments: Subsegments::default(),
        }
    }

    /// Whether either place for it says that the service that was called is traced.
    fn is_traced(&self) -> bool {
        let request = self.entity.http.as_ref().and_then(|http| http.request.as_ref());
        self.traced || request.is_some_and(|request| request.traced)
    }
}

impl Node for Subsegment {
    fn entity(&self) -> &Entity {
        &self.entity
    }

    fn entity_mut(&mut self) -> &mut Entity {
        &mut self.entity
    }

    fn alone(&self) -> Self {
        let Self { entity, namespace, sql, traced, precursor_ids, subsegments: _ } = self;
        Self {
            entity: entity.clone(),
            namespace: *namespace,
            sql: sql.clone(),
            traced: *traced,
            precursor_ids: precursor_ids.clone(),
            subsegments: Subsegments::default(),
        }
    }

    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { entity, namespace, sql, traced: _, precursor_ids, subsegments: _ } = self;
        entity.fields(map)?;
        part(map, "namespace", namespace.as_ref())?;
        part(map, "sql", sql.as_ref())?;
        flag(map, "traced", self.is_traced())?;
        if precursor_ids.is_empty() {
            return Ok(());
        }
        map.serialize_entry("precursor_ids", &precursor_ids.iter().copied().map(Spelled).collect::<Vec<_>>())
    }

    fn each_own(&self, visit: &mut dyn FnMut(&Text)) {
        self.sql.each(visit);
    }

    fn each_own_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.sql.each_mut(visit);
    }

    fn shorten_own(&mut self, most: usize) -> u64 {
        let dropped = excess(&mut self.precursor_ids, most);
        let sql = self.sql.take_if(|_| most == 0).is_some();
        dropped + u64::from(sql)
    }

    fn losses_own(&self) -> Losses {
        Losses::default()
    }

    fn size_own(&self) -> usize {
        self.precursor_ids.len() * ID
    }
}

impl Serialize for Subsegment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.fields(&mut map)?;
        self.subsegments.field(&mut map)?;
        map.end()
    }
}

// ===== impl Subsegments =====

impl Subsegments {
    /// Adds one after the others.
    pub fn push(&mut self, subsegment: Subsegment) {
        self.0.push(subsegment);
    }

    /// The subsegment at an index.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Subsegment> {
        self.0.get_mut(index)
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Subsegment> {
        self.0.iter_mut()
    }

    pub(super) fn field<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        part(map, "subsegments", Some(self).filter(|list| !list.is_empty()))
    }
}

impl Deref for Subsegments {
    type Target = [Subsegment];

    fn deref(&self) -> &[Subsegment] {
        &self.0
    }
}

/// Level by level, so that no depth is too much for the stack.
impl Drop for Subsegments {
    fn drop(&mut self) {
        let mut rest = std::mem::take(&mut self.0);
        while let Some(mut next) = rest.pop() {
            rest.append(&mut next.subsegments.0);
        }
    }
}

impl FromIterator<Subsegment> for Subsegments {
    fn from_iter<I: IntoIterator<Item = Subsegment>>(subsegments: I) -> Self {
        Self(subsegments.into_iter().collect())
    }
}

impl Extend<Subsegment> for Subsegments {
    fn extend<I: IntoIterator<Item = Subsegment>>(&mut self, subsegments: I) {
        self.0.extend(subsegments);
    }
}

/// What an id takes in a list.
const ID: usize = 19;
