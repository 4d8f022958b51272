use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Any;

use super::{
    losses::Losses,
    outgoing::shown,
    text::{json_len, shorten},
};
use crate::{
    exchange::{Pair, Pairs, Value},
    scrub::Scrubber,
};

/// Facts that X-Ray indexes, so that traces are found by them: texts, numbers and flags by key.
///
/// A key has 1 to 500 ASCII letters, digits and `_`; any other character becomes `_`, a longer key is cut, an annotation
/// with an empty one is dropped. A text is cut to [1,000 characters](Self::LONGEST). X-Ray [indexes 50] of a trace: a
/// document writes so many, and the rest of them into its metadata, under the namespace
/// [`annotations`](Self::NAMESPACE). At most [256](Self::MOST) are kept, further ones are dropped. All of that is
/// [counted](Self::losses).
///
/// ```
/// use belvedere::xray::Annotations;
///
/// let mut annotations = Annotations::default();
/// annotations.insert("cart.id", 7);
/// assert_eq!(serde_json::to_string(&annotations)?, r#"{"cart_id":7}"#);
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// [indexes 50]: https://docs.aws.amazon.com/general/latest/gr/xray.html
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    pairs: Pairs,
    losses: Losses,
}

// ===== impl Annotations =====

impl Annotations {
    /// How many annotations of a trace X-Ray indexes.
    pub const INDEXED: usize = 50;

    /// How many annotations are kept.
    pub const MOST: usize = 256;

    /// How many characters a text may have.
    pub const LONGEST: usize = 1_000;

    /// The metadata's namespace of the annotations that X-Ray would not index.
    pub const NAMESPACE: &'static str = "annotations";

    /// Adds a fact, or replaces it.
    pub fn insert(&mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) {
        let (key, key_cut) = good_key(key.into());
        let (value, value_cut) = good_value(value.into());
        self.losses.shortened += u64::from(key_cut) + u64::from(value_cut);
        let has_room = !key.is_empty() && self.pairs.len() < Self::MOST;
        if !self.pairs.put(key, value, has_room) {
            self.losses.dropped += 1;
        }
    }

    /// What was added under a key, as it is written.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs.get(key)
    }

    /// All facts, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.pairs.iter().map(|(key, value)| (&**key, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// What was cut, and what there was no room for.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// About how many bytes they take when they are written.
    pub(super) fn size(&self) -> usize {
        self.iter().map(|(key, value)| json_len(key) + 2 + value_len(value)).sum()
    }

    /// Adds a fact that is scrubbed when it is written. Where its name is to be another one, or it is to be cut, it is
    /// scrubbed before that.
    pub(super) fn insert_whole(&mut self, key: Cow<'static, str>, value: Value, scrubber: &Scrubber) {
        let is_long = matches!(&value, Value::Text(text) if text.len() > Self::LONGEST);
        let value = if is_long || !is_good_key(&key) { shown(&key, value, scrubber) } else { value };
        self.insert(key, value);
    }

    /// Changes the values, each by its key.
    pub(super) fn edit(&mut self, edit: impl Fn(&str, Value) -> Value) {
        for (key, value) in self.pairs.values_mut() {
            let old = std::mem::replace(value, Value::Bool(false));
            *value = good_value(edit(key, old)).0;
        }
    }

    /// Takes what there is from the `index`-th on.
    pub(super) fn split_off(&mut self, index: usize) -> Vec<Pair> {
        self.pairs.split_off(index)
    }

    /// Cuts the texts to so many characters.
    pub(super) fn shorten(&mut self, characters: usize) -> u64 {
        let texts = self.pairs.values_mut().filter_map(|(_, value)| match value {
            Value::Text(text) => Some(text),
            _ => None,
        });
        texts.map(|text| u64::from(shorten(text, characters))).sum()
    }
}

impl Serialize for Annotations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.pairs.len()))?;
        for (key, value) in &self.pairs {
            match value {
                Value::Text(text) => map.serialize_entry(key, text)?,
                Value::Int(int) => map.serialize_entry(key, int)?,
                Value::Float(float) => map.serialize_entry(key, float)?,
                Value::Bool(bool) => map.serialize_entry(key, bool)?,
            }
        }
        map.end()
    }
}

/// What is neither a text nor a number nor a flag is dropped and counted.
impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut annotations = Self::default();
        for (key, any) in serde_json::Map::deserialize(deserializer)? {
            match read(any) {
                Some(value) => annotations.insert(key, value),
                None => annotations.losses.dropped += 1,
            }
        }
        Ok(annotations)
    }
}

impl<K: Into<Cow<'static, str>>, V: Into<Value>> Extend<(K, V)> for Annotations {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

/// An annotation's value as JSON of the metadata.
pub(super) fn json(value: &Value) -> Any {
    match value {
        Value::Text(text) => Any::from(&**text),
        Value::Int(int) => Any::from(*int),
        Value::Float(float) => Any::from(*float),
        Value::Bool(bool) => Any::from(*bool),
    }
}

fn read(any: Any) -> Option<Value> {
    match any {
        Any::String(text) => Some(text.into()),
        Any::Bool(bool) => Some(bool.into()),
        Any::Number(number) => match number.as_i64() {
            Some(int) => Some(int.into()),
            None => number.as_f64().map(Value::from),
        },
        _ => None,
    }
}

fn good_key(mut key: Cow<'static, str>) -> (Cow<'static, str>, bool) {
    if !is_good_key(&key) {
        key = Cow::Owned(key.chars().map(|char| if is_good(char) { char } else { '_' }).collect());
    }
    let cut = shorten(&mut key, LONGEST_KEY);
    (key, cut)
}

fn is_good_key(key: &str) -> bool {
    key.bytes().all(|byte| is_good(char::from(byte)))
}

fn is_good(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}

/// The value with its text cut, and as a text if it is a number that JSON does not have.
fn good_value(value: Value) -> (Value, bool) {
    match value {
        Value::Text(mut text) => {
            let cut = shorten(&mut text, Annotations::LONGEST);
            (Value::Text(text), cut)
        }
        Value::Float(float) if !float.is_finite() => (Value::from(float.to_string()), false),
        value => (value, false),
    }
}

fn value_len(value: &Value) -> usize {
    match value {
        Value::Text(text) => json_len(text),
        Value::Int(_) | Value::Float(_) => NUMBER,
        Value::Bool(_) => FLAG,
    }
}

const LONGEST_KEY: usize = 500;

const NUMBER: usize = 20;

const FLAG: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Annotations {
        let mut annotations = Annotations::default();
        annotations.extend(pairs);
        annotations
    }

    #[test]
    fn dots_dashes_and_spaces_in_a_key_become_underscores() {
        let annotations = of([("user.id-of the ünit", 1.into())]);
        assert_eq!(annotations.get("user_id_of_the__nit"), Some(&Value::Int(1)));
    }

    #[test]
    fn an_empty_key_is_dropped_and_counted() {
        let annotations = of([("", 1.into()), ("a", 1.into())]);
        assert_eq!((annotations.len(), annotations.losses().dropped), (1, 1));
    }

    #[test]
    fn a_second_value_replaces_the_first() {
        let annotations = of([("a", 1.into()), ("b", 2.into()), ("a", true.into())]);
        assert_eq!(serde_json::to_string(&annotations).unwrap(), r#"{"a":true,"b":2}"#);
    }

    #[test]
    fn a_text_is_cut_after_a_thousand_characters_and_counted() {
        let annotations = of([("a", "ü".repeat(200_000).into())]);
        let Some(Value::Text(text)) = annotations.get("a") else { panic!("no text") };
        assert_eq!((text.chars().count(), annotations.losses().shortened), (1_000, 1));
    }

    #[test]
    fn a_number_that_json_does_not_have_is_told_as_a_text() {
        let annotations = of([("a", f64::NAN.into()), ("b", f64::NEG_INFINITY.into())]);
        assert_eq!(serde_json::to_string(&annotations).unwrap(), r#"{"a":"NaN","b":"-inf"}"#);
    }

    #[test]
    fn a_handler_in_a_loop_cannot_fill_the_memory() {
        let mut annotations = Annotations::default();
        annotations.extend((0..10_000).map(|n| (n.to_string(), n)));
        assert_eq!(annotations.len(), Annotations::MOST);
        assert_eq!(annotations.losses().dropped, 10_000 - 256);
    }

    #[test]
    fn values_that_x_ray_does_not_know_are_dropped_when_they_are_read() {
        let annotations: Annotations =
            serde_json::from_str(r#"{"a":null,"b":[1],"c":{"d":1},"e":18446744073709551615}"#).unwrap();
        assert_eq!((annotations.len(), annotations.losses().dropped), (1, 3));
    }

    proptest! {
        #[test]
        fn any_key_becomes_one_that_x_ray_takes(key in any::<String>()) {
            let mut annotations = Annotations::default();
            annotations.insert(key.clone(), true);
            prop_assert_eq!(annotations.is_empty(), key.is_empty());
            for (key, _) in annotations.iter() {
                prop_assert!((1..=500).contains(&key.len()) && key.chars().all(is_good));
            }
        }
    }
}
