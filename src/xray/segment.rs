use std::time::SystemTime;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{
    entity::{Entity, Node, Spelled, part},
    ids, lenient,
    link::{Link, Links},
    losses::Losses,
    name::Name,
    origin::Origin,
    service::Service,
    subsegment::Subsegments,
    text::{Text, Texts},
};
use crate::trace::{SpanId, TraceId};

/// What one service did for one request.
///
/// It writes as AWS's [segment documents] and reads what other SDKs write; fields that it does not know are ignored.
/// Written by serde it may be of any size; [`Document::split`](super::Document::split) makes documents that X-Ray takes.
///
/// ```
/// use belvedere::{trace::{SpanId, TraceId}, xray::Segment};
/// use std::time::{Duration, SystemTime};
///
/// let mut segment = Segment::new(TraceId::generate(), SpanId::generate(), "checkout", SystemTime::now());
/// segment.entity.annotations.insert("cart", 7);
/// segment.entity.end(Duration::from_millis(12));
/// println!("{}", serde_json::to_string(&segment)?);
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// [segment documents]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[non_exhaustive]
pub struct Segment {
    /// The trace.
    #[serde(with = "ids::trace")]
    pub trace_id: TraceId,
    /// The subsegment of the service that called this one.
    #[serde(default, with = "ids::optional")]
    pub parent_id: Option<SpanId>,
    /// Its id, name, times, and what it has in common with a subsegment.
    #[serde(flatten)]
    pub entity: Entity,
    /// Who asked; X-Ray indexes it.
    #[serde(default)]
    pub user: Option<Text>,
    /// The program that answered.
    #[serde(default)]
    pub service: Option<Box<Service>>,
    /// The kind of AWS resource that it runs on.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// The AWS resource that it runs on.
    #[serde(default)]
    pub resource_arn: Option<Text>,
    /// Other traces that it has to do with.
    #[serde(default, deserialize_with = "lenient::null")]
    pub links: Links,
    /// What it did meanwhile.
    #[serde(default, deserialize_with = "lenient::null")]
    pub subsegments: Subsegments,
}

// ===== impl Segment =====

impl Segment {
    /// A segment that began at `start` and is in progress.
    pub fn new(trace_id: TraceId, id: SpanId, name: impl Into<Name>, start: SystemTime) -> Self {
        Self {
            trace_id,
            parent_id: None,
            entity: Entity::new(id, name, start),
            user: None,
            service: None,
            origin: None,
            resource_arn: None,
            links: Links::default(),
            subsegments: Subsegments::default(),
        }
    }
}

impl Node for Segment {
    fn entity(&self) -> &Entity {
        &self.entity
    }

    fn entity_mut(&mut self) -> &mut Entity {
        &mut self.entity
    }

    fn alone(&self) -> Self {
        let Self { trace_id, parent_id, entity, user, service, origin, resource_arn, links, subsegments: _ } =
            self;
        Self {
            trace_id: *trace_id,
            parent_id: *parent_id,
            entity: entity.clone(),
            user: user.clone(),
            service: service.clone(),
            origin: origin.clone(),
            resource_arn: resource_arn.clone(),
            links: links.clone(),
            subsegments: Subsegments::default(),
        }
    }

    fn fields<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Self { trace_id, parent_id, entity, user, service, origin, resource_arn, links, subsegments: _ } =
            self;
        map.serialize_entry("trace_id", &Spelled(trace_id.amzn()))?;
        part(map, "parent_id", parent_id.map(Spelled).as_ref())?;
        entity.fields(map)?;
        part(map, "user", user.as_ref())?;
        part(map, "service", service.as_ref())?;
        part(map, "origin", origin.as_ref())?;
        part(map, "resource_arn", resource_arn.as_ref())?;
        part(map, "links", Some(links).filter(|links| !links.is_empty()))
    }

    fn each_own(&self, visit: &mut dyn FnMut(&Text)) {
        self.user.each(visit);
        self.service.each(visit);
        self.resource_arn.each(visit);
    }

    fn each_own_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.user.each_mut(visit);
        self.service.each_mut(visit);
        self.resource_arn.each_mut(visit);
    }

    fn shorten_own(&mut self, most: usize) -> u64 {
        let mut dropped = self.links.shorten(most);
        if most == 0 {
            let other = self.origin.take_if(|origin| matches!(origin, Origin::Other(_))).is_some();
            let parts = [
                other,
                self.user.take().is_some(),
                self.service.take().is_some(),
                self.resource_arn.take().is_some(),
            ];
            dropped += parts.into_iter().map(u64::from).sum::<u64>();
        }
        dropped
    }

    fn losses_own(&self) -> Losses {
        self.links.losses()
    }

    fn size_own(&self) -> usize {
        let origin = self.origin.as_ref().map_or(0, |origin| origin.as_str().len());
        origin + self.links.iter().map(Link::size).sum::<usize>()
    }
}

impl Serialize for Segment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.fields(&mut map)?;
        self.subsegments.field(&mut map)?;
        map.end()
    }
}
