//! How much memory a body would take once it is read, told before it is.
//!
//! Two bytes on the wire can be a whole message in memory, and thirty million of them pack into a few kilobytes. So
//! what a body would become is added up first, without keeping any of it.

use std::mem::size_of;

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// Whether the messages in a `ExportTraceServiceRequest` are few enough. What is malformed fits: reading it will tell.
pub(super) fn protobuf_fits(bytes: &[u8]) -> bool {
    let mut walk = Walk { room: MEMORY };
    walk.message(Kind::Request, bytes, 0) != Step::Full
}

/// Whether so many objects and so many items are few enough.
pub(super) fn json_fits(bytes: &[u8], objects: usize, items: usize) -> bool {
    let (mut text, mut escaped) = (false, false);
    let (mut opened, mut parted) = (0, 0);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = text,
            b'"' => text = !text,
            _ if text => {}
            b'{' => opened += 1,
            b',' | b'[' => parted += 1,
            _ => {}
        }
    }
    opened <= objects && parted <= items
}

/// The messages that may be there many times, and those in which they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Request,
    ResourceSpans,
    Resource,
    EntityRef,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    KeyValue,
    AnyValue,
    ArrayValue,
    KvlistValue,
    Text,
}

#[derive(Debug, Eq, PartialEq)]
enum Step {
    Done,
    Malformed,
    Full,
}

struct Walk {
    room: usize,
}

// ===== impl Kind =====

impl Kind {
    /// What a field holds: <https://github.com/open-telemetry/opentelemetry-proto/tree/v1.10.0/opentelemetry/proto>.
    fn field(self, number: u64) -> Option<Self> {
        match (self, number) {
            (Self::Request, 1) => Some(Self::ResourceSpans),
            (Self::ResourceSpans, 1) => Some(Self::Resource),
            (Self::ResourceSpans, 2) => Some(Self::ScopeSpans),
            (Self::Resource, 3) => Some(Self::EntityRef),
            (Self::EntityRef, 3 | 4) => Some(Self::Text),
            (Self::ScopeSpans, 1) => Some(Self::Scope),
            (Self::ScopeSpans, 2) => Some(Self::Span),
            (Self::Span, 11) => Some(Self::Event),
            (Self::Span, 13) => Some(Self::Link),
            (Self::Resource | Self::KvlistValue, 1)
            | (Self::Scope | Self::Event, 3)
            | (Self::Span, 9)
            | (Self::Link, 4) => Some(Self::KeyValue),
            (Self::KeyValue, 2) | (Self::ArrayValue, 1) => Some(Self::AnyValue),
            (Self::AnyValue, 5) => Some(Self::ArrayValue),
            (Self::AnyValue, 6) => Some(Self::KvlistValue),
            _ => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::ResourceSpans => size_of::<ResourceSpans>(),
            Self::EntityRef => size_of::<EntityRef>(),
            Self::ScopeSpans => size_of::<ScopeSpans>(),
            Self::Span => size_of::<Span>(),
            Self::Event => size_of::<Event>(),
            Self::Link => size_of::<Link>(),
            Self::KeyValue => size_of::<KeyValue>(),
            Self::AnyValue => size_of::<AnyValue>(),
            Self::Text => size_of::<String>(),
            // These are part of what they are in.
            Self::Request | Self::Resource | Self::Scope | Self::ArrayValue | Self::KvlistValue => 0,
        }
    }
}

// ===== impl Walk =====

impl Walk {
    fn message(&mut self, kind: Kind, mut bytes: &[u8], depth: usize) -> Step {
        while !bytes.is_empty() {
            match self.field(kind, &mut bytes, depth) {
                Some(Step::Done) => {}
                Some(step) => return step,
                None => return Step::Malformed,
            }
        }
        Step::Done
    }

    /// `None` where the bytes end too early.
    fn field(&mut self, kind: Kind, bytes: &mut &[u8], depth: usize) -> Option<Step> {
        let key = varint(bytes)?;
        match key & 7 {
            VARINT => drop(varint(bytes)?),
            FIXED64 => drop(bytes.split_off(..8)?),
            FIXED32 => drop(bytes.split_off(..4)?),
            LENGTH => {
                let length = usize::try_from(varint(bytes)?).ok()?;
                let inner = bytes.split_off(..length)?;
                return Some(self.held(kind.field(key >> 3), inner, depth));
            }
            // What is in a group is counted as if it were beside it.
            START_GROUP | END_GROUP => {}
            _ => return Some(Step::Malformed),
        }
        Some(Step::Done)
    }

    fn held(&mut self, kind: Option<Kind>, bytes: &[u8], depth: usize) -> Step {
        let Some(kind) = kind else { return Step::Done };
        let Some(room) = self.room.checked_sub(kind.size()) else { return Step::Full };
        self.room = room;
        // Whoever reads it goes no deeper, either.
        if kind == Kind::Text || depth == DEPTH { Step::Done } else { self.message(kind, bytes, depth + 1) }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

const MEMORY: usize = 64 << 20;
const DEPTH: usize = 100;
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const START_GROUP: u64 = 3;
const END_GROUP: u64 = 4;
const FIXED32: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of one field that is there so many times.
    fn many(field: u8, inner: &[u8], times: usize) -> Vec<u8> {
        let mut one = vec![field << 3 | 2];
        let mut length = inner.len();
        while length >= 0x80 {
            one.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        one.push(u8::try_from(length).expect("seven bits"));
        one.extend_from_slice(inner);
        one.repeat(times)
    }

    #[test]
    fn many_small_messages_do_not_fit_wherever_they_are() {
        const MILLIONS: usize = 3_000_000;
        let in_span = |fields: &[u8]| many(1, &many(2, &many(2, fields, 1), 1), 1);
        let in_value = |fields: &[u8]| in_span(&many(9, &many(2, fields, 1), 1));
        for bytes in [
            many(1, b"", MILLIONS),
            many(1, &many(2, b"", MILLIONS), 1),
            many(1, &many(2, &many(2, b"", MILLIONS), 1), 1),
            in_span(&many(9, b"", MILLIONS)),
            in_span(&many(11, b"", MILLIONS)),
            in_span(&many(13, b"", MILLIONS)),
            in_value(&many(5, &many(1, b"", MILLIONS), 1)),
            in_value(&many(6, &many(1, b"", MILLIONS), 1)),
            many(1, &many(1, &many(1, b"", MILLIONS), 1), 1),
            many(1, &many(1, &many(3, &many(3, b"", MILLIONS), 1), 1), 1),
        ] {
            assert!(!protobuf_fits(&bytes), "{:?}", &bytes[..16]);
        }
    }

    #[test]
    fn what_is_large_and_simple_fits() {
        assert!(protobuf_fits(&many(1, &many(2, &many(2, &many(5, &[b'n'; 1 << 20], 1), 1), 1), 1)));
        assert!(protobuf_fits(&[0xff; 64]) && protobuf_fits(b"\x0a\x7f"));
    }

    #[test]
    fn what_a_text_says_is_no_object() {
        assert!(json_fits(br#"{"a":"{{{[,,\"{{"}"#, 1, 0));
        assert!(!json_fits(br#"{"a":{}}"#, 1, 0));
        assert!(!json_fits(br#"[1,2]"#, 0, 1));
    }
}
