use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::{
    entity::Node,
    ids,
    losses::Losses,
    segment::Segment,
    split,
    status::Status,
    subsegment::{Subsegment, Subsegments},
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    outbox::{Price, Tariff, Unit},
    trace::{SpanId, TraceId},
};

/// What is sent to X-Ray: a segment, or a subsegment by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A segment and its subsegments.
    Segment(Box<Segment>),
    /// A subsegment by itself, and its own.
    Subsegment(Box<Independent>),
}

/// X-Ray bills the trace, however many documents it has.
pub(super) fn tariff<D: Parts>() -> Tariff<D> {
    Tariff::new(Unit::TRACES, D::price).by_trace()
}

/// What a document costs, and what it is worth.
pub(super) fn price(
    trace_id: TraceId,
    name: &str,
    status: Status,
    class: Option<&str>,
    took: Duration,
) -> Price {
    #[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
    let price = Price::units(1).trace(trace_id.to_u128() as u64).took(took);
    if status == Status::OK {
        return price;
    }
    let Status { error, throttle, fault } = status;
    price.failed((name, class, error, throttle, fault))
}

/// A subsegment that is sent by itself, because it outlived its segment or had no room in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Independent {
    /// The trace.
    pub trace_id: TraceId,
    /// The segment or subsegment that it is a part of.
    pub parent_id: SpanId,
    /// The subsegment.
    pub subsegment: Subsegment,
}

/// What became of a document that was split.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Split {
    /// Documents of compact JSON. The first has the segment.
    pub documents: Vec<Vec<u8>>,
    /// What all of them had to leave out, now or when they were made.
    pub losses: Losses,
}

/// What a destination needs of a document: about how large it is, and its bytes.
pub(super) trait Parts: Send + Sync + 'static {
    /// About how many bytes it takes, in memory and as JSON. Cheap, and rather too large.
    fn size(&self) -> usize;

    /// What it costs, and what it is worth.
    fn price(&self) -> Price {
        Price::units(1)
    }

    /// The document as compact JSON, none of its parts longer than `most` bytes: what does not fit goes into documents of
    /// its own.
    fn parts(&self, most: usize) -> Vec<Vec<u8>>;

    /// Writes the document at the end of `into`, where that is cheaper and it is one part. `false`: nothing is written.
    fn write(&self, _most: usize, _into: &mut Vec<u8>) -> bool {
        false
    }

    /// How it is written to the disk by a destination that asks for parts of at most `most` bytes. Default: it stays in
    /// memory.
    #[cfg(feature = "spool")]
    fn codec(_most: usize) -> Option<Codec<Self>>
    where
        Self: Sized,
    {
        None
    }
}

// ===== impl Document =====

impl Document {
    /// Documents that X-Ray takes, none of them longer than `most` bytes, if `most` is 1,000 at least.
    ///
    /// What fits stays in one document. Else the largest subsegments that are over become documents of their own, with
    /// all that is in them, until the rest fits; so do those that are nested deeper than 32 levels. What is too large
    /// even by itself loses, step by step, metadata, stacks, the length of its annotations, and in the end all but its
    /// name, times and flags: it is always there. Losses are counted, and noted in the metadata under the namespace
    /// `belvedere`. Of all annotations the [first 50](super::Annotations::INDEXED) stay such; the rest go into the
    /// metadata of the same segment or subsegment.
    pub fn split(&self, most: usize) -> Split {
        match self {
            Self::Segment(segment) => split::segment(segment, most),
            Self::Subsegment(independent) => split::independent(independent, most),
        }
    }

    /// The trace that it is a part of.
    pub fn trace_id(&self) -> TraceId {
        match self {
            Self::Segment(segment) => segment.trace_id,
            Self::Subsegment(independent) => independent.trace_id,
        }
    }
}

impl Parts for Document {
    fn size(&self) -> usize {
        match self {
            Self::Segment(segment) => DOCUMENT + segment.size() + sizes(&segment.subsegments),
            Self::Subsegment(independent) => {
                let Independent { trace_id: _, parent_id: _, subsegment } = &**independent;
                DOCUMENT + subsegment.size() + sizes(&subsegment.subsegments)
            }
        }
    }

    fn price(&self) -> Price {
        let entity = match self {
            Self::Segment(segment) => &segment.entity,
            Self::Subsegment(independent) => &independent.subsegment.entity,
        };
        let exception = entity.cause.as_ref().and_then(|cause| cause.exceptions().first());
        let class = exception.and_then(|exception| exception.type_name.as_deref());
        price(self.trace_id(), &entity.name, entity.status, class, entity.took())
    }

    fn parts(&self, most: usize) -> Vec<Vec<u8>> {
        self.split(most).documents
    }
}

impl From<Segment> for Document {
    fn from(segment: Segment) -> Self {
        Self::Segment(Box::new(segment))
    }
}

impl From<Independent> for Document {
    fn from(independent: Independent) -> Self {
        Self::Subsegment(Box::new(independent))
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Segment(segment) => segment.serialize(serializer),
            Self::Subsegment(independent) => independent.serialize(serializer),
        }
    }
}

/// It is a subsegment if its `type` says so, and a segment if it has none.
impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.get("type").and_then(Value::as_str) {
            Some(SUBSEGMENT) => Independent::deserialize(value).map(Self::from),
            _ => Segment::deserialize(value).map(Self::from),
        }
        .map_err(D::Error::custom)
    }
}

// ===== impl Independent =====

impl Independent {
    /// What its document begins with, before the subsegment's own fields.
    pub(super) fn head(trace_id: TraceId, parent_id: SpanId) -> String {
        let trace_id = trace_id.amzn();
        format!(r#"{{"type":"{SUBSEGMENT}","trace_id":"{trace_id}","parent_id":"{parent_id}","#)
    }
}

impl Serialize for Independent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            r#type: &'static str,
            #[serde(with = "ids::trace")]
            trace_id: TraceId,
            #[serde(with = "ids::span")]
            parent_id: SpanId,
            #[serde(flatten)]
            subsegment: &'a Subsegment,
        }
        let Self { trace_id, parent_id, subsegment } = self;
        Written { r#type: SUBSEGMENT, trace_id: *trace_id, parent_id: *parent_id, subsegment }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Independent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(with = "ids::trace")]
            trace_id: TraceId,
            #[serde(with = "ids::span")]
            parent_id: SpanId,
            #[serde(flatten)]
            subsegment: Subsegment,
        }
        let Read { trace_id, parent_id, subsegment } = Read::deserialize(deserializer)?;
        Ok(Self { trace_id, parent_id, subsegment })
    }
}

/// About how many bytes subsegments take, and those in them.
fn sizes(subsegments: &Subsegments) -> usize {
    let mut size = 0;
    let mut rest: Vec<_> = subsegments.iter().collect();
    while let Some(next) = rest.pop() {
        size += next.size();
        rest.extend(next.subsegments.iter());
    }
    size
}

const SUBSEGMENT: &str = "subsegment";

/// What a document takes besides its segments and subsegments.
const DOCUMENT: usize = 128;

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::{Duration, UNIX_EPOCH},
    };

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::xray::{Annotations, Cause, Entity, Exception, StackFrame, Text};

    /// What one segment or subsegment of a tree is to have.
    #[derive(Clone, Debug)]
    struct Sketch {
        name: String,
        metadata: Vec<String>,
        annotations: usize,
        frames: usize,
        texts: String,
        is_open: bool,
        inner: Vec<Self>,
    }

    fn sketch() -> impl Strategy<Value = Sketch> {
        let one = || (".{0,9}", vec(".{0,600}", 0..4), 0..30_usize, 0..60_usize, ".{0,300}", any::<bool>());
        let sketched = |(name, metadata, annotations, frames, texts, is_open)| Sketch {
            name,
            metadata,
            annotations,
            frames,
            texts,
            is_open,
            inner: Vec::new(),
        };
        let inner = move |inner| {
            (one().prop_map(sketched), vec(inner, 0..8))
                .prop_map(|(sketch, inner)| Sketch { inner, ..sketch })
        };
        one().prop_map(sketched).prop_recursive(5, 60, 8, inner)
    }

    fn id(number: u64) -> SpanId {
        SpanId::new(number).unwrap()
    }

    fn trace_id() -> TraceId {
        TraceId::new(7 << 96 | 1).unwrap()
    }

    fn draw(entity: &mut Entity, sketch: &Sketch) {
        for (n, text) in sketch.metadata.iter().enumerate() {
            entity.metadata.insert("drawn", n.to_string(), text);
        }
        entity.annotations.extend((0..sketch.annotations).map(|n| (format!("key{n}"), sketch.texts.clone())));
        if sketch.frames > 0 {
            let mut exception = Exception::new("Drawn", sketch.texts.clone());
            exception.stack = vec![StackFrame::new("f", sketch.texts.clone(), 1); sketch.frames];
            entity.fault(exception.into());
        }
        if !sketch.is_open {
            entity.end(Duration::from_millis(1));
        }
    }

    fn subsegment(sketch: &Sketch, number: &mut u64) -> Subsegment {
        *number += 1;
        let mut drawn = Subsegment::new(id(*number), sketch.name.clone(), UNIX_EPOCH);
        draw(&mut drawn.entity, sketch);
        drawn.subsegments = sketch.inner.iter().map(|inner| subsegment(inner, number)).collect();
        drawn
    }

    fn segment(sketch: &Sketch) -> Segment {
        let mut number = 1;
        let mut segment = Segment::new(trace_id(), id(1), sketch.name.clone(), UNIX_EPOCH);
        segment.user = Some(Text::from(sketch.texts.clone()));
        draw(&mut segment.entity, sketch);
        segment.subsegments = sketch.inner.iter().map(|inner| subsegment(inner, &mut number)).collect();
        segment
    }

    fn document(sketch: &Sketch, by_itself: bool) -> Document {
        if by_itself {
            let subsegment = subsegment(sketch, &mut 0);
            return Independent { trace_id: trace_id(), parent_id: id(1 << 60), subsegment }.into();
        }
        segment(sketch).into()
    }

    /// Each id of a document and that of its parent.
    fn parents(document: &Document) -> Vec<(SpanId, Option<SpanId>)> {
        let (entity, parent, inner) = match document {
            Document::Segment(segment) => (&segment.entity, segment.parent_id, &segment.subsegments),
            Document::Subsegment(own) => {
                (&own.subsegment.entity, Some(own.parent_id), &own.subsegment.subsegments)
            }
        };
        let mut found = vec![(entity.id, parent)];
        let mut rest: Vec<_> = inner.iter().map(|inner| (inner, entity.id)).collect();
        while let Some((next, parent)) = rest.pop() {
            found.push((next.entity.id, Some(parent)));
            rest.extend(next.subsegments.iter().map(|inner| (inner, next.entity.id)));
        }
        found
    }

    fn read(documents: &[Vec<u8>]) -> Vec<Document> {
        documents.iter().map(|document| serde_json::from_slice(document).unwrap()).collect()
    }

    fn leaf(number: u64, bytes: usize) -> Subsegment {
        let mut leaf = Subsegment::new(id(number), "leaf", UNIX_EPOCH);
        leaf.entity.metadata.insert("a", "b", "x".repeat(bytes));
        leaf.entity.end(Duration::ZERO);
        leaf
    }

    fn root() -> Segment {
        let mut root = Segment::new(trace_id(), id(1), "root", UNIX_EPOCH);
        root.entity.end(Duration::ZERO);
        root
    }

    #[test]
    fn what_fits_stays_in_one_document_that_is_what_serde_writes() {
        let mut segment = root();
        let mut outer = leaf(2, 9);
        outer.subsegments.push(leaf(3, 10));
        segment.subsegments.extend([outer, leaf(4, 20_000)]);
        let document = Document::from(segment);
        let split = document.split(64_000);
        assert_eq!(
            split,
            Split { documents: vec![serde_json::to_vec(&document).unwrap()], losses: Losses::default() }
        );
        let exactly = split.documents[0].len();
        assert_eq!(document.split(exactly).documents.len(), 1);
        assert_eq!(document.split(exactly - 1).documents.len(), 2);
    }

    #[test]
    fn seventy_thousand_bytes_of_subsegments_become_few_documents() {
        let mut segment = root();
        segment.subsegments.extend((2..72).map(|number| leaf(number, 1_000)));
        let document = Document::from(segment);
        let split = document.split(64_000);
        assert!(split.losses.is_none());
        assert_eq!(document.parts(64_000), split.documents);
        // 12 of about 1,150 bytes had to go, and each is a document.
        let lens: Vec<_> = split.documents.iter().map(Vec::len).collect();
        assert!((2..=18).contains(&lens.len()) && lens[0] > 62_000, "{lens:?}");
    }

    #[test]
    fn the_largest_that_is_over_goes_before_one_that_is_not() {
        let mut segment = root();
        let mut open = leaf(2, 9_000);
        open.entity.end_time = None;
        segment.subsegments.extend([open, leaf(3, 500), leaf(4, 8_000)]);
        let documents = read(&Document::from(segment).split(10_000).documents);
        assert_eq!(parents(&documents[0]).len(), 3);
        assert_eq!(parents(&documents[1]), [(id(4), Some(id(1)))]);
    }

    #[test]
    fn a_deep_nest_is_taken_apart_and_overflows_no_stack() {
        let mut nest = leaf(100_001, 1);
        nest.entity.metadata.insert(
            "a",
            "deep",
            (0..100).fold(Value::Null, |inner, _| Value::from(vec![inner])),
        );
        for number in (2..=100_000).rev() {
            let mut outer = Subsegment::new(id(number), "outer", UNIX_EPOCH);
            outer.subsegments.push(nest);
            nest = outer;
        }
        let mut segment = root();
        segment.subsegments.push(nest);
        let document = Document::from(segment);
        assert!(document.size() > 100_000);
        let found = read(&document.split(64_000).documents);
        assert_eq!(found.iter().map(|document| parents(document).len()).sum::<usize>(), 100_001);
    }

    #[test]
    fn only_fifty_annotations_of_a_document_stay_such() {
        let mut segment = root();
        let facts = |n: usize| (0..n).map(|n| (format!("key{n}"), n));
        segment.entity.annotations.extend(facts(45));
        let mut inner = leaf(2, 1);
        inner.entity.annotations.extend(facts(20));
        segment.subsegments.push(inner);
        let split = Document::from(segment).split(64_000);
        assert_eq!(split.losses.moved, 15);
        let Document::Segment(read) = &read(&split.documents)[0] else { panic!("no segment") };
        let inner = &read.subsegments[0].entity;
        assert_eq!((read.entity.annotations.len(), inner.annotations.len()), (45, 5));
        assert_eq!(inner.metadata.get(Annotations::NAMESPACE, "key19").unwrap().value(), 19);
        assert_eq!(inner.metadata.get(Losses::NAMESPACE, "moved").unwrap().value(), 15);
    }

    #[test]
    fn metadata_goes_before_stacks_and_stacks_before_annotations() {
        let mut segment = root();
        segment.entity.metadata.insert("a", "b", "x".repeat(5_000));
        let mut exception = Exception::new("A", "b");
        exception.stack = vec![StackFrame::new("function", "src/main.rs", 1); 100];
        segment.entity.fault(exception.into());
        segment.entity.annotations.insert("long", "y".repeat(900));
        let document = Document::from(segment);
        let entity = |most| {
            let split = document.split(most);
            assert!(!split.losses.is_none());
            let Document::Segment(segment) = read(&split.documents).remove(0) else { panic!("no segment") };
            segment.entity
        };
        let frames =
            |entity: &Entity| entity.cause.as_ref().map_or(&[][..], Cause::exceptions)[0].stack.len();
        let text = |entity: &Entity| entity.annotations.get("long").unwrap().to_string().len();
        let cut = entity(9_000);
        assert!(cut.metadata.get("a", "b").unwrap().len() < 5_000);
        assert_eq!((frames(&cut), text(&cut)), (100, 900));
        let cut = entity(2_500);
        assert_eq!((cut.metadata.get("a", "b"), frames(&cut), text(&cut)), (None, 8, 900));
        let cut = entity(1_000);
        assert_eq!((frames(&cut), text(&cut)), (0, 250));
        assert_eq!(cut.cause.unwrap().exceptions()[0].truncated, 100);
    }

    #[test]
    fn a_segment_with_too_much_of_everything_keeps_its_name_times_and_flags() {
        let mut segment = root();
        segment.entity.name = "\u{1d400}".repeat(200).into();
        segment.parent_id = Some(id(9));
        segment.user = Some("u".repeat(250).into());
        segment.resource_arn = Some("arn".repeat(80).into());
        segment.origin = Some("AWS::".repeat(50).into());
        segment.entity.status = crate::xray::Status::ERROR | crate::xray::Status::THROTTLE;
        segment.entity.fault(Cause::panic(&"p".repeat(250)));
        segment
            .entity
            .annotations
            .extend((0..256).map(|n| (format!("{}{n}", "k".repeat(490)), "v".repeat(1_000))));
        (0..100)
            .for_each(|n| segment.entity.metadata.insert("m".repeat(250), n.to_string(), "w".repeat(5_000)));
        let split = Document::from(segment.clone()).split(1_000);
        let Document::Segment(kept) = &read(&split.documents)[0] else { panic!("no segment") };
        assert!(split.documents[0].len() <= 1_000);
        assert_eq!((kept.entity.id, kept.entity.status), (segment.entity.id, segment.entity.status));
        assert_eq!((kept.entity.end_time, kept.parent_id), (segment.entity.end_time, segment.parent_id));
        assert!(segment.entity.name.starts_with(&*kept.entity.name));
        assert!(split.losses.dropped > 256, "{:?}", split.losses);
    }

    #[test]
    fn a_document_that_fits_nowhere_is_written_all_the_same() {
        let split = Document::from(root()).split(0);
        assert_eq!(parents(&read(&split.documents)[0]), [(id(1), None)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_part_parses_fits_and_hangs_where_it_hung(
            sketch in sketch(),
            most in 1_000..20_000_usize,
            by_itself: bool,
        ) {
            let document = document(&sketch, by_itself);
            let split = document.split(most);
            let mut found = BTreeMap::new();
            for (bytes, part) in split.documents.iter().zip(read(&split.documents)) {
                prop_assert!(bytes.len() <= most, "{} > {most}", bytes.len());
                prop_assert_eq!(part.trace_id(), trace_id());
                for (id, parent) in parents(&part) {
                    prop_assert!(found.insert(id, parent).is_none(), "{} twice", id);
                }
            }
            prop_assert_eq!(found, parents(&document).into_iter().collect());
            let marked: BTreeSet<_> = split.documents.iter().filter(|document| {
                String::from_utf8_lossy(document).contains(r#""belvedere":{"#)
            }).collect();
            prop_assert_eq!(split.losses.is_none(), marked.is_empty());
        }

        #[test]
        fn the_estimated_size_is_never_below_a_third_of_the_truth(sketch in sketch(), by_itself: bool) {
            let document = document(&sketch, by_itself);
            let truth = serde_json::to_vec(&document).unwrap().len();
            prop_assert!(document.size() * 3 >= truth, "{} {truth}", document.size());
            // Nor wildly above it.
            prop_assert!(document.size() <= 3 * truth + 2_000 * parents(&document).len());
        }

        #[test]
        fn what_is_written_reads_back(sketch in sketch(), by_itself: bool) {
            let document = document(&sketch, by_itself);
            let json = serde_json::to_value(&document).unwrap();
            let read: Document = serde_json::from_value(json.clone()).unwrap();
            prop_assert_eq!(serde_json::to_value(&read).unwrap(), json);
        }
    }
}
