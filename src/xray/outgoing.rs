use std::{
    borrow::Cow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value as Any;

#[cfg(feature = "spool")]
use super::stored;
use super::{
    Cause, Document, Http, Losses, Segment,
    document::Parts,
    draft::Draft,
    entity::Entity,
    text::{Text, Texts as _},
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{exchange::Value, outbox::Price, scrub::Scrubber};

/// A document on its way out.
#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box costs more than the others waste"
)]
pub(super) enum Outgoing {
    /// The segment of an exchange that nobody added something to, but for annotations that are meant for all backends.
    Drafted(Draft),
    /// It is completed and scrubbed when it is written, which is not on the thread of a request.
    Made {
        /// As it was made.
        size: usize,
        state: Mutex<State>,
    },
    /// As it was read from the disk, scrubbed and in parts.
    #[cfg(feature = "spool")]
    Written(Vec<Vec<u8>>),
}

pub(super) struct State {
    document: Document,
    /// None once it is done.
    pending: Option<Pending>,
}

/// What is to be done to a document before it is written.
enum Pending {
    Scrub(Scrubber),
    /// What the exchange says is to be added to what was said by hand, and all of it scrubbed.
    Complete(Box<Draft>),
}

// ===== impl Outgoing =====

impl Outgoing {
    pub(super) fn new(document: Document, scrubber: Scrubber) -> Self {
        Self::made(document.size(), document, Pending::Scrub(scrubber))
    }

    /// The segment of an exchange that something was added to by hand.
    pub(super) fn added(segment: Box<Segment>, draft: Draft) -> Self {
        let document = Document::Segment(segment);
        Self::made(document.size() + draft.size(), document, Pending::Complete(Box::new(draft)))
    }

    fn made(size: usize, document: Document, pending: Pending) -> Self {
        Self::Made { size, state: Mutex::new(State { document, pending: Some(pending) }) }
    }
}

impl Parts for Outgoing {
    fn size(&self) -> usize {
        match self {
            Self::Drafted(draft) => draft.size(),
            Self::Made { size, .. } => *size,
            #[cfg(feature = "spool")]
            Self::Written(parts) => parts.iter().map(|part| WRITTEN + part.len()).sum(),
        }
    }

    fn price(&self) -> Price {
        match self {
            Self::Drafted(draft) => draft.price(),
            Self::Made { state, .. } => lock(state).document.price(),
            // Who wrote it has paid for it.
            #[cfg(feature = "spool")]
            Self::Written(_) => Price::units(0),
        }
    }

    fn parts(&self, most: usize) -> Vec<Vec<u8>> {
        match self {
            Self::Drafted(draft) => drafted(draft).parts(most),
            Self::Made { state, .. } => lock(state).parts(most),
            #[cfg(feature = "spool")]
            Self::Written(parts) => parts.clone(),
        }
    }

    fn write(&self, most: usize, into: &mut Vec<u8>) -> bool {
        matches!(self, Self::Drafted(draft) if draft.write(most, into))
    }

    #[cfg(feature = "spool")]
    fn codec(most: usize) -> Option<Codec<Self>> {
        let read = move |bytes: &[u8]| stored::read(bytes, most).map(Self::Written);
        let write = move |outgoing: Self, to: &mut Vec<u8>| {
            if !stored::write_one(|to| outgoing.write(most, to), to) {
                stored::write(&outgoing.parts(most), to);
            }
        };
        Some(Codec::new(write, read))
    }
}

// ===== impl State =====

impl State {
    fn parts(&mut self, most: usize) -> Vec<Vec<u8>> {
        match self.pending.take() {
            Some(Pending::Scrub(scrubber)) => scrub(&mut self.document, &scrubber),
            Some(Pending::Complete(draft)) => {
                if let Document::Segment(segment) = &mut self.document {
                    draft.complete(segment);
                }
                scrub(&mut self.document, &draft.options.scrubber);
            }
            None => {}
        }
        self.document.parts(most)
    }
}

/// The document of an exchange, as it may be shown.
pub(super) fn drafted(draft: &Draft) -> Document {
    let mut document = draft.segment().into();
    scrub(&mut document, &draft.options.scrubber);
    document
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An annotation's value as it may be shown. A flag tells nothing.
pub(super) fn shown(name: &str, value: Value, scrubber: &Scrubber) -> Value {
    match value {
        Value::Text(text) => Value::Text(over(text, |text| scrubber.value(name, text))),
        Value::Int(_) | Value::Float(_) if scrubber.is_secret(name) => {
            Value::Text(scrubber.value(name, "number").into_owned().into())
        }
        value => value,
    }
}

/// A text that is not copied if there is nothing to hide in it.
pub(super) fn over(text: Cow<'static, str>, scrub: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'static, str> {
    let scrubbed = scrub(&text);
    if *scrubbed == *text { text } else { Cow::Owned(scrubbed.into_owned()) }
}

/// Level by level, so that no depth is too much for the stack.
fn scrub(document: &mut Document, scrubber: &Scrubber) {
    let mut rest = match document {
        Document::Segment(segment) => {
            scrub_entity(&mut segment.entity, scrubber);
            segment.user.each_mut(&mut |user| scrub_text(user, scrubber));
            segment.subsegments.iter_mut().collect::<Vec<_>>()
        }
        Document::Subsegment(independent) => vec![&mut independent.subsegment],
    };
    while let Some(next) = rest.pop() {
        scrub_entity(&mut next.entity, scrubber);
        next.sql.each_mut(&mut |text| scrub_text(text, scrubber));
        rest.extend(next.subsegments.iter_mut());
    }
}

/// What a client, an error or a handler has said. Names and places are the program's own.
fn scrub_entity(entity: &mut Entity, scrubber: &Scrubber) {
    let Entity { cause, http, annotations, metadata, .. } = entity;
    if let Some(Http { request: Some(request), .. }) = http {
        request.url.each_mut(&mut |url| url.replace(|url| scrubber.url(url)));
        request.method.each_mut(&mut |method| scrub_text(method, scrubber));
        request.user_agent.each_mut(&mut |agent| scrub_text(agent, scrubber));
    }
    for exception in cause.as_mut().and_then(Cause::exceptions_mut).into_iter().flatten() {
        exception.message.each_mut(&mut |message| scrub_text(message, scrubber));
    }
    annotations.edit(|name, value| shown(name, value, scrubber));
    metadata.edit(|namespace, name, value| {
        // What the crate itself says of the trace has no secrets.
        if namespace != Losses::NAMESPACE {
            scrub_fact(if scrubber.is_secret(namespace) { namespace } else { name }, value, scrubber);
        }
    });
}

fn scrub_text(text: &mut Text, scrubber: &Scrubber) {
    text.replace(|text| scrubber.text(text));
}

fn scrub_fact(name: &str, fact: &mut Any, scrubber: &Scrubber) {
    if scrubber.is_secret(name) {
        let mut named = serde_json::Map::from_iter([(name.to_owned(), fact.take())]);
        scrubber.json_object(&mut named);
        *fact = named.into_iter().next().map(|(_, fact)| fact).unwrap_or_default();
    } else {
        scrubber.json(fact);
    }
}

/// About how many bytes a part takes besides itself.
#[cfg(feature = "spool")]
const WRITTEN: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::*;
    use crate::{
        trace::{SpanId, TraceId},
        xray::{Exception, Segment, Sql, Subsegment},
    };

    fn written(segment: Segment) -> Any {
        let outgoing = Outgoing::new(segment.into(), Scrubber::default());
        let first = outgoing.parts(64_000);
        assert_eq!(outgoing.parts(64_000), first, "a retry writes the same");
        serde_json::from_slice(&first[0]).unwrap()
    }

    fn segment() -> Segment {
        Segment::new(TraceId::generate(), SpanId::generate(), "shop", UNIX_EPOCH)
    }

    #[test]
    fn a_segment_is_written_without_its_secrets() {
        let mut segment = segment();
        segment.user = Some("Bearer canary".into());
        segment.entity.fault(Exception::new("Refused", "password=canary").into());
        segment.entity.annotations.insert("pin", 1701);
        segment.entity.annotations.insert("note", "token=canary");
        segment.entity.annotations.insert("cart", 17);
        segment.entity.metadata.insert("default", "api_key", json!({"a": "canary"}));
        segment.entity.metadata.insert("secrets", "a", json!(["canary"]));
        segment.entity.metadata.insert("default", "cart", json!({"owner": "worf", "password": "canary"}));
        let written = written(segment);
        assert!(!written.to_string().contains("canary"), "{written:#}");
        assert_eq!(written["annotations"], json!({"pin": "REDACTED", "note": "token=REDACTED", "cart": 17}));
        assert_eq!(written["metadata"]["default"]["cart"], json!({"owner": "worf", "password": "REDACTED"}));
        assert_eq!(written["cause"]["exceptions"][0]["message"], "password=REDACTED");
    }

    #[cfg(feature = "spool")]
    #[test]
    fn a_segment_lies_on_the_disk_without_its_secrets_and_is_sent_as_it_would_have_been() {
        let mut segment = segment();
        segment.user = Some("Bearer canary".into());
        for number in 0..3 {
            segment.entity.metadata.insert("default", format!("text {number}"), "x".repeat(20_000));
            let mut subsegment = Subsegment::new(SpanId::generate(), "load", UNIX_EPOCH);
            subsegment.entity.metadata.insert("default", "password", "canary".repeat(5_000));
            subsegment.entity.metadata.insert("default", "cart", "y".repeat(10_000));
            segment.subsegments.push(subsegment);
        }
        let outgoing = || Outgoing::new(segment.clone().into(), Scrubber::default());
        for most in [1_000, 63_000, 64_000] {
            let mut bytes = Vec::new();
            stored::write(&outgoing().parts(most), &mut bytes);
            assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
            let read = Outgoing::Written(stored::read(&bytes, most).unwrap());
            assert_eq!(read.parts(most), outgoing().parts(most));
            assert!(read.size() >= bytes.len(), "{} {}", read.size(), bytes.len());
        }
    }

    #[test]
    fn subsegments_of_any_depth_are_written_without_theirs() {
        let deepest = |name: &'static str| {
            let mut subsegment = Subsegment::new(SpanId::generate(), name, UNIX_EPOCH);
            let query = Some("SELECT 1 -- password=canary".into());
            subsegment.sql = Some(Box::new(Sql { sanitized_query: query, ..Sql::default() }));
            subsegment
        };
        let deep = (0..20_000).fold(deepest("query"), |inner, _| {
            let mut outer = Subsegment::new(SpanId::generate(), "outer", UNIX_EPOCH);
            outer.subsegments.push(inner);
            outer
        });
        let mut segment = segment();
        segment.subsegments.push(deep);
        let mut document = Document::from(segment);
        scrub(&mut document, &Scrubber::default());
        let Document::Segment(segment) = document else { unreachable!() };
        let mut last = &segment.subsegments[0];
        while let Some(inner) = last.subsegments.first() {
            last = inner;
        }
        let query = last.sql.as_ref().and_then(|sql| sql.sanitized_query.clone());
        assert_eq!(query.as_deref(), Some("SELECT 1 -- password=REDACTED"));
    }
}
