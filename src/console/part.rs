//! The segments of a trace taken apart, and put together as a tree.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::console::segment::{self, Document, Head};
use crate::console::tree::{self, Member, Node};

/// A segment or a subsegment, without the subsegments in it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) head: Head,
    pub(super) fields: Map<String, Value>,
    /// Where what it came in is; none for what came by itself.
    within: Option<usize>,
}

/// All of them, however they came.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: Vec<Part>,
    places: HashMap<u64, usize>,
}

// ===== impl Parts =====

impl Parts {
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut parts = Self::default();
        for document in documents {
            parts.add(document.fields());
        }
        parts
    }

    pub(super) fn get(&self, place: usize) -> &Part {
        &self.parts[place]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Parents before children, as they stand below each other.
    pub(super) fn tree(&self) -> Vec<Node> {
        let member = |part: &Part| {
            let start = part.head.start;
            Member { start, end: part.head.end.unwrap_or(start), parent: self.parent(part) }
        };
        tree::arrange(&self.parts.iter().map(member).collect::<Vec<_>>())
    }

    /// From when to when all of them went, in nanoseconds since 1970.
    pub(super) fn range(&self) -> Option<(u64, u64)> {
        let heads = || self.parts.iter().map(|part| &part.head).filter(|head| head.start > 0);
        let start = heads().map(|head| head.start).min()?;
        let end = heads().map(|head| head.end.unwrap_or_default().max(head.start)).max()?;
        Some((start, end))
    }

    /// Where the parent is, if it has arrived.
    pub(super) fn parent(&self, part: &Part) -> Option<usize> {
        part.within.or_else(|| self.places.get(&part.head.parent?).copied())
    }

    /// The exception of an id, and whose it is: one that was passed on is recorded where it came from.
    pub(super) fn exception(&self, id: u64) -> Option<(&Part, &Value)> {
        self.parts.iter().find_map(|part| {
            let mut exceptions = part.exceptions();
            exceptions.find(|exception| key(exception, "id") == Some(id)).map(|exception| (part, exception))
        })
    }

    /// Adds a document and what is in it.
    fn add(&mut self, document: Map<String, Value>) {
        let mut ahead = vec![(document, None)];
        while let Some((mut fields, within)) = ahead.pop() {
            let subsegments = fields.remove("subsegments");
            let place = self.place(Part { head: Head::of(&fields), fields, within });
            if let Some(Value::Array(subsegments)) = subsegments {
                let inner = subsegments.into_iter().filter_map(|inner| match inner {
                    Value::Object(fields) => Some((fields, Some(place))),
                    _ => None,
                });
                ahead.extend(inner);
            }
        }
    }

    /// A subsegment may have come within its segment while it was in progress, and again by itself.
    fn place(&mut self, mut part: Part) -> usize {
        let next = self.parts.len();
        if part.head.id == 0 {
            self.parts.push(part);
            return next;
        }
        let place = *self.places.entry(part.head.id).or_insert(next);
        match self.parts.get_mut(place) {
            Some(known) if known.head.end.is_none() && part.head.end.is_some() => {
                part.within = part.within.or(known.within);
                *known = part;
            }
            Some(known) => known.within = known.within.or(part.within),
            None => self.parts.push(part),
        }
        place
    }
}

// ===== impl Part =====

impl Part {
    /// Whether it is neither within a document nor says that it is a subsegment.
    pub(super) fn is_segment(&self) -> bool {
        self.within.is_none() && self.head.is_segment
    }

    pub(super) fn exceptions(&self) -> impl Iterator<Item = &Value> {
        let exceptions = self.fields.get("cause").and_then(|cause| cause.get("exceptions"));
        exceptions.and_then(Value::as_array).into_iter().flatten()
    }

    /// The exception that was recorded elsewhere.
    pub(super) fn passed_on(&self) -> Option<u64> {
        self.fields.get("cause").and_then(segment::id)
    }

    /// Its exceptions with what caused each right after it.
    pub(super) fn chain(&self) -> Vec<&Value> {
        let all: Vec<_> = self.exceptions().collect();
        let (mut chain, mut seen) = (Vec::with_capacity(all.len()), vec![false; all.len()]);
        let places: HashMap<_, _> =
            all.iter().enumerate().filter_map(|(at, one)| Some((key(one, "id")?, at))).collect();
        for first in 0..all.len() {
            let mut next = Some(first);
            while let Some(at) = next.filter(|at| !std::mem::replace(&mut seen[*at], true)) {
                chain.push(all[at]);
                next = key(all[at], "cause").and_then(|cause| places.get(&cause).copied());
            }
        }
        chain
    }
}

fn key(exception: &Value, name: &str) -> Option<u64> {
    exception.get(name).and_then(segment::id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(documents: &[Value]) -> Parts {
        let document = |value: &Value| Document::new(value.as_object()?.clone());
        Parts::of(&documents.iter().filter_map(document).collect::<Vec<_>>())
    }

    fn shape(parts: &Parts) -> Vec<(&str, usize)> {
        parts.tree().into_iter().map(|node| (parts.get(node.place).head.name.as_str(), node.depth)).collect()
    }

    fn segment(id: &str) -> Value {
        json!({ "id": id, "name": "shop", "start_time": 1.0, "end_time": 9.0, "subsegments": [
            { "id": "00000000000000a2", "name": "load", "start_time": 2.0, "end_time": 5.0, "subsegments": [
                { "name": "no id", "start_time": 3.0, "end_time": 4.0 }] }] })
    }

    fn alone(id: &str, parent: &str, name: &str, start: f64) -> Value {
        json!({ "id": id, "parent_id": parent, "name": name, "type": "subsegment", "start_time": start, "end_time": 8.0 })
    }

    #[test]
    fn what_came_alone_finds_its_place_in_any_order() {
        let late = alone("00000000000000b1", "00000000000000a2", "late", 4.5);
        let remote = alone("00000000000000b2", "00000000000000a1", "upstream", 6.0);
        let next = json!({ "id": "00000000000000c1", "parent_id": "00000000000000b2", "name": "upstream's", "start_time": 7.0, "end_time": 7.5 });
        let expected =
            [("shop", 0), ("load", 1), ("no id", 2), ("late", 2), ("upstream", 1), ("upstream's", 2)];
        let mut documents = [segment("00000000000000a1"), late, remote, next];
        assert_eq!(shape(&parts(&documents)), expected);
        documents.reverse();
        assert_eq!(shape(&parts(&documents)), expected);
    }

    #[test]
    fn what_came_twice_is_there_once_and_complete() {
        let mut early = segment("00000000000000a1");
        early["subsegments"][0] =
            json!({ "id": "00000000000000a2", "name": "load", "start_time": 2.0, "in_progress": true });
        let alone = alone("00000000000000a2", "00000000000000a1", "load", 2.0);
        for documents in [[early.clone(), alone.clone()], [alone, early]] {
            let parts = parts(&documents);
            assert_eq!(shape(&parts), [("shop", 0), ("load", 1)]);
            assert!(parts.parts.iter().all(|part| part.head.end.is_some()));
        }
    }

    #[test]
    fn circles_of_parents_and_of_causes_end() {
        let documents = [
            alone("00000000000000a1", "00000000000000a2", "a", 1.0),
            alone("00000000000000a2", "00000000000000a1", "b", 1.0),
            alone("00000000000000a3", "00000000000000a3", "c", 1.0),
        ];
        assert_eq!(shape(&parts(&documents)).len(), 3);
        let exception = |id: &str, cause: &str| json!({ "id": id, "cause": cause });
        let cause = json!({ "exceptions": [
            exception("00000000000000e1", "00000000000000e3"),
            exception("00000000000000e2", "00000000000000e2"),
            exception("00000000000000e3", "00000000000000e1"),
        ] });
        let mut circle = segment("00000000000000a1");
        circle["cause"] = cause;
        let parts = parts(&[circle]);
        let ids: Vec<_> = parts.get(0).chain().into_iter().map(|one| one["id"].as_str()).collect();
        assert_eq!(ids, [Some("00000000000000e1"), Some("00000000000000e3"), Some("00000000000000e2")]);
        assert_eq!(parts.exception(0xe2).map(|(part, _)| part.head.id), Some(0xa1));
    }
}
