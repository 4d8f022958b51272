use std::{fmt, io::Write as _};

use super::line::{breaks, line};
use crate::{
    scrub::bytes,
    trace::{SpanId, TraceId},
};

/// The text of an event while it is written. What is put into it is escaped on its way for where it stands: once as a string
/// within JSON, and once more where the event is itself a string of a request's body. So nothing is read twice.
///
/// ```text
///                 string("a \"b\"")     syntax(key!("{", "a"))    push("a \"b\"")
///  Message::plain    "a \"b\""            {"a":                     a "b"
///  Message::nested   \"a \\\"b\\\"\"      {\"a\":                   a \"b\"
/// ```
pub(super) struct Message<'a> {
    to: &'a mut Vec<u8>,
    is_nested: bool,
    start: usize,
    /// By how many bytes it is longer for being nested.
    extra: usize,
    repeats: Option<&'a mut Repeats>,
}

/// What was written last into a text, of what may be written into it again: most events are in a span that others are in.
#[derive(Default)]
pub(super) struct Repeats {
    parts: [Option<(Key, Part)>; KEPT],
    next: usize,
}

/// What a part is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Key {
    /// What lies there.
    At([usize; 3]),
    Ids(TraceId, SpanId),
}

/// JSON that is always the same: as it is, and as it stands in a string.
#[derive(Clone, Copy)]
pub(super) struct Syntax {
    pub(super) plain: &'static str,
    pub(super) nested: &'static str,
}

/// Where a part of a text stands.
#[derive(Clone, Copy)]
pub(super) struct Part {
    start: usize,
    end: usize,
    extra: usize,
}

/// How JSON has a letter that it has not as it is.
enum Escape {
    /// The two that JSON itself is full of.
    Quote,
    Backslash,
    Other {
        bytes: [u8; 6],
        length: usize,
    },
}

/// The name of a member, and what stands before it: `,"name":`.
macro_rules! key {
    ($before:literal, $name:literal) => {
        $crate::cloudwatch::message::Syntax {
            plain: concat!($before, "\"", $name, "\":"),
            nested: concat!($before, "\\\"", $name, "\\\":"),
        }
    };
}

pub(super) use key;

// ===== impl Message =====

impl<'a> Message<'a> {
    /// Behind what is there, as it is read.
    pub(super) fn plain(to: &'a mut Vec<u8>) -> Self {
        Self { start: to.len(), to, is_nested: false, extra: 0, repeats: None }
    }

    /// Behind what is there, as it stands between the quotes of a JSON string.
    pub(super) fn nested(to: &'a mut Vec<u8>) -> Self {
        Self { start: to.len(), to, is_nested: true, extra: 0, repeats: None }
    }

    /// Repeats what it can of what was written into the same text.
    pub(super) fn repeating(self, repeats: &'a mut Repeats) -> Self {
        Self { repeats: Some(repeats), ..self }
    }

    /// How many bytes there are to read, however they are written.
    pub(super) fn len(&self) -> usize {
        self.to.len() - self.start - self.extra
    }

    /// Adds a text of any kind.
    pub(super) fn push(&mut self, text: &str) {
        if self.is_nested {
            let start = self.to.len();
            self.copy(text, &QUOTED, Self::push_plain);
            self.extra += self.to.len() - start - text.len();
        } else {
            self.push_plain(text);
        }
    }

    /// Adds a text of any kind, as one [line].
    pub(super) fn push_line(&mut self, text: &str) {
        self.push(&line(text));
    }

    /// Adds a text that is nowhere escaped, such as digits.
    #[inline]
    pub(super) fn push_plain(&mut self, text: &str) {
        self.to.extend_from_slice(text.as_bytes());
    }

    /// Adds the bytes of such a text.
    #[inline]
    pub(super) fn push_bytes(&mut self, text: &[u8]) {
        self.to.extend_from_slice(text);
    }

    /// Adds a part of JSON.
    // Inlined, what is copied has a length that the compiler knows, which spares a call.
    #[inline(always)]
    pub(super) fn syntax(&mut self, syntax: Syntax) {
        let Syntax { plain, nested } = syntax;
        if self.is_nested {
            self.extra += nested.len() - plain.len();
            self.push_plain(nested);
        } else {
            self.push_plain(plain);
        }
    }

    /// Adds a string of JSON, in which nothing breaks a [line].
    pub(super) fn string(&mut self, text: &str) {
        self.quote();
        self.copy(text, &BROKEN, Self::push);
        self.quote();
    }

    /// Adds a string of JSON in which nothing is escaped.
    pub(super) fn plain_string(&mut self, text: &str) {
        self.plain_bytes(text.as_bytes());
    }

    /// Adds a string of JSON that prints as ASCII in which nothing is escaped.
    pub(super) fn display(&mut self, text: impl fmt::Display) {
        self.quote();
        write!(self.to, "{text}").expect("a vector takes all bytes");
        self.quote();
    }

    /// Adds a string of JSON in which nothing is escaped, such as digits.
    #[inline]
    pub(super) fn plain_bytes(&mut self, text: &[u8]) {
        self.quote();
        self.to.extend_from_slice(text);
        self.quote();
    }

    /// Adds a string of JSON; in what is plain nothing is escaped.
    #[inline]
    pub(super) fn text(&mut self, text: &str, is_plain: bool) {
        if is_plain { self.plain_string(text) } else { self.string(text) }
    }

    /// Adds a whole number.
    pub(super) fn integer(&mut self, integer: i64) {
        self.push_plain(itoa::Buffer::new().format(integer));
    }

    /// Adds a whole number that is not below zero.
    pub(super) fn unsigned(&mut self, integer: u64) {
        self.push_plain(itoa::Buffer::new().format(integer));
    }

    /// Adds a number; one that is not finite is `null`.
    pub(super) fn float(&mut self, float: f64) {
        serde_json::to_writer(&mut *self.to, &float).expect("a vector takes all bytes");
    }

    pub(super) fn bool(&mut self, bool: bool) {
        self.push_plain(if bool { "true" } else { "false" });
    }

    #[inline(always)]
    fn quote(&mut self) {
        self.syntax(Syntax { plain: "\"", nested: "\\\"" });
    }

    /// Adds what `write` adds, unless that stands in the text already: then it is copied. The key must stand for the same as
    /// long as there are the [`Repeats`].
    pub(super) fn once(&mut self, key: Key, write: impl FnOnce(&mut Self)) -> Part {
        if let Some(part) = self.repeats.as_ref().and_then(|repeats| repeats.find(key)) {
            self.repeat(part);
            return part;
        }
        let (start, extra) = (self.to.len(), self.extra);
        write(self);
        let part = Part { start, end: self.to.len(), extra: self.extra - extra };
        if let Some(repeats) = &mut self.repeats {
            repeats.add(key, part);
        }
        part
    }

    /// Adds a part of the text once more.
    pub(super) fn repeat(&mut self, part: Part) {
        let Part { start, end, extra } = part;
        self.to.extend_from_within(start..end);
        self.extra += extra;
    }

    /// Adds a text, in runs between what has to be escaped.
    fn copy(&mut self, text: &str, special: &[bool; 256], escape: impl Fn(&mut Self, &str)) {
        let may_be_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte >= 0x7f);
        if !bytes::any(text, may_be_special) {
            return self.push_plain(text);
        }
        let (mut copied, mut at) = (0, 0);
        while let Some(next) = text.as_bytes()[at..].iter().position(|byte| special[usize::from(*byte)]) {
            at += next;
            let (end, escaped) = Escape::at(text, at);
            if let Some(escaped) = escaped {
                self.push_plain(&text[copied..at]);
                escape(self, escaped.as_str());
                copied = end;
            }
            at = end;
        }
        self.push_plain(&text[copied..]);
    }
}

// ===== impl Repeats =====

impl Repeats {
    /// From the last one on that was added, which is mostly asked for.
    fn find(&self, key: Key) -> Option<Part> {
        let (later, earlier) = self.parts.split_at(self.next % KEPT);
        let mut parts = later.iter().rev().chain(earlier.iter().rev()).map_while(Option::as_ref);
        parts.find_map(|(known, part)| (*known == key).then_some(*part))
    }

    fn add(&mut self, key: Key, part: Part) {
        self.parts[self.next % KEPT] = Some((key, part));
        self.next += 1;
    }
}

// ===== impl Escape =====

impl Escape {
    /// Where the letter ends that begins there, and how it is escaped.
    #[inline]
    fn at(text: &str, at: usize) -> (usize, Option<Self>) {
        match text.as_bytes()[at] {
            b'"' => (at + 1, Some(Self::Quote)),
            b'\\' => (at + 1, Some(Self::Backslash)),
            _ => {
                let letter = text[at..].chars().next().expect("a byte is there");
                (at + letter.len_utf8(), Self::of(letter))
            }
        }
    }

    /// None: the letter stands for itself, in JSON and in a line.
    fn of(letter: char) -> Option<Self> {
        let short = match letter {
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{c}' => 'f',
            '\r' => 'r',
            _ if breaks(letter) => return Some(Self::long(letter)),
            _ => return None,
        };
        Some(Self::Other { bytes: [b'\\', short as u8, 0, 0, 0, 0], length: 2 })
    }

    /// All that breaks a line has four digits.
    fn long(letter: char) -> Self {
        let digit = |place: u32| HEX[(letter as usize >> (4 * place)) & 0xf];
        Self::Other { bytes: [b'\\', b'u', digit(3), digit(2), digit(1), digit(0)], length: 6 }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Quote => "\\\"",
            Self::Backslash => "\\\\",
            Self::Other { bytes, length } => str::from_utf8(&bytes[..*length]).expect("escapes are ASCII"),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How many parts are remembered.
const KEPT: usize = 16;

/// What a message is: what is put into it is text, or digits.
pub(super) const IS_TEXT: &str = "a message is text";

/// What JSON escapes.
static QUOTED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < b' ' {
        table[byte as usize] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};

/// What JSON escapes, or what breaks a line may begin with.
static BROKEN: [bool; 256] = {
    let mut table = QUOTED;
    let mut first = 0;
    while first < super::line::FIRSTS.len() {
        table[super::line::FIRSTS[first] as usize] = true;
        first += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl Fn(&mut Message<'_>)) -> (String, String) {
        let (mut plain, mut nested) = (b"before ".to_vec(), b"\"".to_vec());
        let mut message = Message::plain(&mut plain);
        write(&mut message);
        assert_eq!(message.len(), plain.len() - "before ".len());
        let mut message = Message::nested(&mut nested);
        write(&mut message);
        assert_eq!(message.len(), plain.len() - "before ".len(), "{nested:?}");
        nested.push(b'"');
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(plain.split_off("before ".len())), text(nested))
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_the_same_where_it_is_nested(text: String, breaking in BREAKING, float: f64, int: i64, whole: u64) {
            for text in [&text, &breaking] {
                let (plain, nested) = written(|message| {
                    message.syntax(key!("{", "a"));
                    let part = message.once(Key::At([0; 3]), |message| message.string(text));
                    message.syntax(key!(",", "b"));
                    message.repeat(part);
                    message.syntax(key!(",", "c"));
                    message.float(float);
                    message.syntax(key!(",", "d"));
                    message.integer(int);
                    message.syntax(key!(",", "e"));
                    message.unsigned(whole);
                    message.push_plain("}");
                });
                let object: serde_json::Value = serde_json::from_str(&plain).unwrap();
                prop_assert_eq!(&object["a"], &**text);
                prop_assert_eq!(&object["b"], &**text);
                let expected = serde_json::json!({ "a": text, "b": text, "c": float, "d": int, "e": whole }).to_string();
                prop_assert_eq!(&*line(&expected), &plain);
                prop_assert_eq!(serde_json::to_string(&plain).unwrap(), nested);
            }
        }

        #[test]
        fn a_text_of_any_kind_is_nested_as_json_does_it(text: String, breaking in BREAKING) {
            for text in [text, breaking] {
                let (plain, nested) = written(|message| message.push(&text));
                prop_assert_eq!(serde_json::to_string(&text).unwrap(), nested);
                prop_assert_eq!(&text, &plain);
                let (plain, nested) = written(|message| message.push_line(&text));
                prop_assert_eq!(serde_json::to_string(&plain).unwrap(), nested);
                prop_assert_eq!(&*line(&text), &plain);
            }
        }
    }

    #[test]
    fn a_part_is_written_once_into_a_text_and_then_copied() {
        let (mut text, mut repeats, mut times) = (Vec::new(), Repeats::default(), 0);
        for event in 0..3 {
            let mut message = Message::nested(&mut text).repeating(&mut repeats);
            for key in [[event, 0, 0], [7, 7, 7]] {
                message.once(Key::At(key), |message| {
                    times += 1;
                    message.string(&format!("{key:?}"));
                });
            }
            assert_eq!(message.len(), "\"[0, 0, 0]\"\"[7, 7, 7]\"".len());
        }
        assert_eq!(times, 4);
        let part = |event| format!(r#"\"[{event}, 0, 0]\"\"[7, 7, 7]\""#);
        assert_eq!(text, (0..3).map(part).collect::<String>().as_bytes());
    }

    /// What is escaped, what begins like it, and what is not.
    const BREAKING: &str = "[\\x00-\\x20\"\\\\/\\x7f-\\u{a9}\\u{2020}-\\u{2070}\u{fc}\u{1f980}]*";
}
