use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::text::json_len;

/// Any JSON, but at most [64 kB](Self::MOST) of it and 32 levels deep.
///
/// A larger value becomes a text: the beginning of its JSON, or of itself if it is a text. What is nested deeper becomes
/// its JSON as a text. What cannot be JSON, like a map with keys that are no texts, becomes `null`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json {
    value: Value,
    len: usize,
    cut: bool,
}

/// Counts what is written.
struct Count(usize);

// ===== impl Json =====

impl Json {
    /// How many bytes a value may take when it is written: 65,536.
    pub const MOST: usize = 64 * 1024;

    /// Any value as JSON.
    pub fn new(value: impl Serialize) -> Self {
        let Ok(mut value) = serde_json::to_value(value) else {
            return Self { value: Value::Null, len: NULL, cut: true };
        };
        let cut = flatten(&mut value, DEPTH);
        let mut json = Self { len: len(&value), value, cut };
        json.shorten(Self::MOST);
        json
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// How many bytes it takes when it is written.
    #[allow(clippy::len_without_is_empty, reason = "no JSON takes no bytes")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it was more once.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// About how many bytes it takes in memory besides its texts: a list of zeros takes much more than its JSON does.
    pub(super) fn overhead(&self) -> usize {
        nodes(&self.value) * size_of::<Value>()
    }

    /// Changes the value.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        edit(&mut self.value);
        self.len = len(&self.value);
    }

    /// Makes it a text of at most so many bytes, if it takes more and they are enough for two quotes.
    pub(super) fn shorten(&mut self, most: usize) {
        if self.len <= most {
            return;
        }
        let text = match &self.value {
            Value::String(text) => beginning(text, most).to_owned(),
            value => beginning(&value.to_string(), most).to_owned(),
        };
        *self = Self { len: json_len(&text), value: Value::String(text), cut: true };
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

// ===== impl Count =====

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many values there are in a value, itself among them.
fn nodes(value: &Value) -> usize {
    let inner = match value {
        Value::Array(values) => values.iter().map(nodes).sum(),
        Value::Object(map) => map.values().map(|value| 2 * nodes(value)).sum(),
        _ => 0,
    };
    1 + inner
}

/// How many bytes a value takes as JSON.
pub(super) fn len(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => NULL,
    }
}

/// The beginning of a text that takes at most so many bytes as JSON.
fn beginning(text: &str, most: usize) -> &str {
    let mut room = most.saturating_sub(2);
    let mut buffer = [0; 4];
    for (at, char) in text.char_indices() {
        let takes = json_len(char.encode_utf8(&mut buffer)) - 2;
        let Some(rest) = room.checked_sub(takes) else { return &text[..at] };
        room = rest;
    }
    text
}

/// Makes texts of what is nested deeper than `levels`.
fn flatten(value: &mut Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => {
            *value = Value::String(value.to_string());
            true
        }
        Value::Array(values) => values.iter_mut().fold(false, |cut, value| cut | flatten(value, levels - 1)),
        Value::Object(values) => {
            values.values_mut().fold(false, |cut, value| cut | flatten(value, levels - 1))
        }
        _ => false,
    }
}

/// What a document may have around it and a lenient reader still reads.
const DEPTH: usize = 32;

const NULL: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_cut_and_anything_else_becomes_a_text() {
        let text = Json::new("ä".repeat(100_000));
        assert!(text.is_cut() && text.len() == Json::MOST && text.value().is_string());
        let list = Json::new(vec!["item"; 100_000]);
        assert!(list.is_cut() && list.len() <= Json::MOST);
        assert!(list.value().as_str().unwrap().starts_with(r#"["item","item""#));
    }

    #[test]
    fn a_list_of_zeros_is_known_to_take_more_than_its_text() {
        let zeros = Json::new(vec![0; 1_000]);
        assert_eq!(zeros.len(), 2_001);
        assert!(zeros.overhead() >= 1_000 * size_of::<Value>());
        assert!(Json::new("x".repeat(1_000)).overhead() <= 64);
    }

    #[test]
    fn what_is_nested_too_deep_becomes_a_text() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let json = Json::new(deep);
        assert!(json.is_cut());
        serde_json::from_slice::<Value>(&serde_json::to_vec(&json).unwrap()).unwrap();
    }

    #[test]
    fn what_cannot_be_json_is_null_and_counts_as_cut() {
        let json = Json::new(BTreeMap::from([((1, 2), 3)]));
        assert!(json.is_cut() && json.value().is_null());
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_written_value(text in any::<String>(), most in 2..200_usize) {
            let mut json = Json::new(json!({ "text": [text] }));
            prop_assert_eq!(json.len(), serde_json::to_string(&json).unwrap().len());
            json.shorten(most);
            let written = serde_json::to_string(&json).unwrap().len();
            prop_assert!(written <= most && json.len() >= written, "{} {written}", json.len());
        }
    }
}
