//! The JSON of what handlers have told of an exchange, written by hand: what serde makes of it in a segment.

use std::borrow::Cow;

use super::{
    Annotations, Losses,
    draft::USER,
    plain::{put_number, put_string, short},
};
use crate::{
    exchange::{Pair, SharedPairs, Value},
    scrub::Scrubber,
};

/// Writes annotations, as metadata those that X-Ray would not index, and who asked. Nothing, after some of it perhaps, where
/// some have to be hidden, or to be cut, or to get a name that another one has.
pub(super) fn write(pairs: &SharedPairs, scrubber: &Scrubber, into: &mut Vec<u8>) -> Option<()> {
    if !pairs.are_plain(scrubber) {
        return None;
    }
    let spelling = Spelling::of(pairs, scrubber)?;
    let (indexed, moved) = pairs.split_at(pairs.len().min(Annotations::INDEXED));
    into.extend_from_slice(br#","annotations":"#);
    spelling.put(indexed.iter(), into);
    if !moved.is_empty() {
        if scrubber.is_secret(Annotations::NAMESPACE) {
            return None;
        }
        spelling.put_moved(moved, into);
    }
    if let Some((_, user)) = pairs.iter().find(|(key, _)| key == USER) {
        let user = user.to_string();
        put_string(br#","user":"#, short(&scrubber.text(short(&user)?))?, into);
    }
    Some(())
}

/// How keys are spelled.
#[derive(Clone, Copy)]
enum Spelling {
    AsTheyAre,
    /// Dots and hyphens become `_`.
    Joined,
}

// ===== impl Spelling =====

impl Spelling {
    /// None, where a key has other characters than these, or where its spelling is another one's or secret.
    fn of(pairs: &[Pair], scrubber: &Scrubber) -> Option<Self> {
        if pairs.iter().all(|(key, _)| has_only(key, GOOD)) {
            return Some(Self::AsTheyAre);
        }
        let is_apart = |at: usize| {
            let key = joined(&pairs[at].0);
            let is_other =
                |(_, (other, _)): &(usize, &Pair)| other.len() != key.len() || joined(other) != key;
            let mut others = pairs.iter().enumerate().filter(|(other, _)| *other != at);
            !scrubber.is_secret(&key) && others.all(|other| is_other(&other))
        };
        let can_be_joined = |at: usize| {
            let key = &pairs[at].0;
            has_only(key, GOOD) || has_only(key, GOOD | GAP) && is_apart(at)
        };
        (0..pairs.len()).all(can_be_joined).then_some(Self::Joined)
    }

    fn spell(self, key: &str) -> Cow<'_, str> {
        match self {
            Self::AsTheyAre => Cow::Borrowed(key),
            Self::Joined => joined(key),
        }
    }

    /// In the order of their keys, as all metadata is.
    fn put_moved(self, moved: &[Pair], into: &mut Vec<u8>) {
        let mut sorted: Vec<_> = moved.iter().collect();
        sorted.sort_by_cached_key(|(key, _)| self.spell(key));
        into.extend_from_slice(br#","metadata":"#);
        put_key(b"{\"", Annotations::NAMESPACE, into);
        self.put(sorted.into_iter(), into);
        put_key(b",\"", Losses::NAMESPACE, into);
        into.extend_from_slice(br#"{"moved":"#);
        put_number(moved.len() as u64, into);
        into.extend_from_slice(b"}}");
    }

    fn put<'a>(self, pairs: impl Iterator<Item = &'a Pair>, into: &mut Vec<u8>) {
        let mut before = b"{\"";
        for (key, value) in pairs {
            put_key(before, &self.spell(key), into);
            put_value(value, into);
            before = b",\"";
        }
        into.push(b'}');
    }
}

fn joined(key: &str) -> Cow<'_, str> {
    if has_only(key, GOOD) { Cow::Borrowed(key) } else { Cow::Owned(key.replace(['.', '-'], "_")) }
}

/// Whether a key has characters of these kinds alone, and some.
fn has_only(key: &str, kinds: u8) -> bool {
    let others = key.bytes().fold(0, |all, byte| all | KINDS[usize::from(byte)]) & !kinds;
    !key.is_empty() && others == 0
}

/// A key in which nothing is escaped, behind what stands before it, its quote included.
fn put_key(before: &[u8; 2], key: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(before);
    into.extend_from_slice(key.as_bytes());
    into.extend_from_slice(b"\":");
}

/// A finite number, or a text in which nothing is escaped.
fn put_value(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            into.push(b'"');
            into.extend_from_slice(text.as_bytes());
            into.push(b'"');
        }
        Value::Int(int) => into.extend_from_slice(itoa::Buffer::new().format(*int).as_bytes()),
        Value::Float(float) => serde_json::to_writer(into, float).expect("a vector takes all bytes"),
        Value::Bool(flag) => into.extend_from_slice(if *flag { b"true" } else { b"false" }),
    }
}

const GOOD: u8 = 1;
const GAP: u8 = 2;
const OTHER: u8 = 4;

/// What a byte of a key is to X-Ray.
static KINDS: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'.' | b'-' => GAP,
            b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => GOOD,
            _ => OTHER,
        };
        byte += 1;
    }
    kinds
};
