//! What little of the protobuf encoding a span takes, <https://protobuf.dev/programming-guides/encoding/>.

use super::told::Told;

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// Attributes, as one field of a message each, whose number is at most 15.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    message: &'a mut Message,
    field: u32,
}

// ===== impl Message =====

impl Message {
    /// One for about so many bytes, behind room for what is to stand before it.
    pub(super) fn behind(room: usize, bytes: usize) -> Self {
        let mut message = Vec::with_capacity(room + bytes);
        message.resize(room, 0);
        Self(message)
    }

    /// Puts another message into the end of the room.
    pub(super) fn fill_room(&mut self, room: usize, other: &Self) {
        self.0[room - other.len()..room].copy_from_slice(&other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// One at the end of what is there.
    #[cfg(feature = "spool")]
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The fields of another message, too.
    pub(super) fn followed_by(mut self, other: &Self) -> Self {
        self.append(&other.0);
        self
    }

    /// Adds encoded fields.
    pub(super) fn append(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// A text, bytes or a message. Nothing stands for an empty text.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.message(field, bytes);
        }
    }

    /// A message, which may be empty.
    pub(super) fn message(&mut self, field: u32, bytes: &[u8]) {
        self.length(field, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.number(value);
    }

    pub(super) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED32);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn pairs(&mut self, field: u32) -> Pairs<'_> {
        Pairs { message: self, field }
    }

    /// The beginning of a text, bytes or a message of so many bytes.
    pub(super) fn length(&mut self, field: u32, length: usize) {
        self.tag(field, LENGTH);
        self.number(length as u64);
    }

    fn tag(&mut self, field: u32, kind: u32) {
        self.number((field << 3 | kind).into());
    }

    #[inline]
    fn number(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

// ===== impl Pairs =====

impl Pairs<'_> {
    /// A text of UTF-8.
    pub(super) fn put_text(&mut self, key: &str, text: &[u8]) {
        if key.len() + text.len() <= SHORT {
            return self.short_text(key, text);
        }
        self.key(key, field_length(text.len()));
        self.message.message(TEXT, text);
    }

    #[allow(clippy::cast_sign_loss, reason = "it is how a negative number is written")]
    pub(super) fn put_number(&mut self, key: &str, value: i64) {
        let value = value as u64;
        if key.len() <= SHORT_KEY && value <= 0x7f {
            return self.short_number(key, value as u8);
        }
        self.key(key, 1 + varint_length(value));
        self.message.varint(NUMBER, value);
    }

    pub(super) fn put_float(&mut self, key: &str, value: f64) {
        self.key(key, 1 + size_of::<f64>());
        self.message.fixed64(FLOAT, value.to_bits());
    }

    pub(super) fn put_flag(&mut self, key: &str, value: bool) {
        self.key(key, 2);
        self.message.varint(FLAG, value.into());
    }

    /// A text so short that each of the lengths is one byte, as most have.
    fn short_text(&mut self, key: &str, text: &[u8]) {
        let Self { message: Message(message), field } = self;
        let key = key.as_bytes();
        let length = |field: u32, length: usize| [(field << 3 | LENGTH) as u8, length as u8];
        let ([of_pair, pair], [of_key, key_length]) =
            (length(*field, key.len() + text.len() + 6), length(KEY, key.len()));
        let ([of_value, value], [of_text, text_length]) =
            (length(VALUE, text.len() + 2), length(TEXT, text.len()));
        message.extend_from_slice(&[of_pair, pair, of_key, key_length]);
        message.extend_from_slice(key);
        message.extend_from_slice(&[of_value, value, of_text, text_length]);
        message.extend_from_slice(text);
    }

    /// A number of one byte.
    fn short_number(&mut self, key: &str, value: u8) {
        let Self { message: Message(message), field } = self;
        let (tag, length) = ((*field << 3 | LENGTH) as u8, key.len() as u8);
        message.extend_from_slice(&[tag, length + 6, (KEY << 3 | LENGTH) as u8, length]);
        message.extend_from_slice(key.as_bytes());
        message.extend_from_slice(&[(VALUE << 3 | LENGTH) as u8, 2, (NUMBER << 3 | VARINT) as u8, value]);
    }

    /// The key, and how long what follows it is: a value in its own message.
    fn key(&mut self, key: &str, value: usize) {
        let Self { message, field } = self;
        message.length(*field, field_length(key.len()) + field_length(value));
        message.message(KEY, key.as_bytes());
        message.length(VALUE, value);
    }
}

impl Told for Pairs<'_> {
    fn text(&mut self, key: &'static str, value: &str) {
        self.ascii(key, value.as_bytes());
    }

    fn ascii(&mut self, key: &'static str, value: &[u8]) {
        self.put_text(key, value);
    }

    fn known(&mut self, key: &'static str, value: &'static str) {
        self.text(key, value);
    }

    fn number(&mut self, key: &'static str, value: i64) {
        self.put_number(key, value);
    }
}

/// Of a field with a number up to 15, and a length.
fn field_length(length: usize) -> usize {
    1 + varint_length(length as u64) + length
}

fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The most bytes of a key and a text whose pair has a length of one byte: 127, less three tags and three lengths.
const SHORT: usize = 121;

/// The same for a number of one byte.
const SHORT_KEY: usize = SHORT;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

// Of `KeyValue` and `AnyValue`.
const KEY: u32 = 1;
const VALUE: u32 = 2;
const TEXT: u32 = 1;
const FLAG: u32 = 2;
const NUMBER: u32 = 3;
const FLOAT: u32 = 4;

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::{
        common::v1::{AnyValue, KeyValue, any_value::Value},
        resource::v1::Resource,
    };
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    proptest! {
        #[test]
        fn pairs_are_written_as_prost_writes_them(
            text in "([a-z]{100,140}|.{0,9}|.{120,140}|.{16000,17000})", number: i64, float: f64, flag: bool,
        ) {
            let mut message = Message::default();
            let mut pairs = message.pairs(1);
            pairs.text("a.text", &text);
            pairs.number("a.number", number);
            pairs.number("a.number", number & 0xff);
            pairs.put_float("a.float", float);
            pairs.put_flag("a.flag", flag);
            let attributes = vec![
                pair("a.text", Value::StringValue(text)),
                pair("a.number", Value::IntValue(number)),
                pair("a.number", Value::IntValue(number & 0xff)),
                pair("a.float", Value::DoubleValue(float)),
                pair("a.flag", Value::BoolValue(flag)),
            ];
            let resource = Resource { attributes, ..Resource::default() };
            prop_assert_eq!(message.into_bytes(), resource.encode_to_vec());
        }
    }

    #[test]
    fn a_varint_is_as_long_as_it_is_written() {
        for power in 0..64 {
            for value in [(1_u64 << power) - 1, 1 << power, u64::MAX] {
                let mut message = Message::default();
                message.number(value);
                assert_eq!(varint_length(value), message.0.len(), "{value}");
            }
        }
    }
}
