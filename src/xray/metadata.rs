use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    json::Json,
    losses::Losses,
    text::{json_len, shorten},
};

/// Facts of any shape, by namespace and key; X-Ray shows them and does not index them.
///
/// A namespace that begins with `AWS.` is [reserved] and is renamed to begin with `AWS_`; an empty one is
/// [`DEFAULT`](Self::DEFAULT). Namespaces are cut to 250 characters, keys to 500, values as [`Json`] says, and all of it is
/// kept below [256 kB](Self::MOST): what comes later is dropped and counted.
///
/// [reserved]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    namespaces: BTreeMap<Cow<'static, str>, Items>,
    len: usize,
    losses: Losses,
}

type Items = BTreeMap<Cow<'static, str>, Json>;

// ===== impl Metadata =====

impl Metadata {
    /// The namespace of what has none.
    pub const DEFAULT: &'static str = "default";

    /// How many bytes all of it may take when it is written: 262,144.
    pub const MOST: usize = 256 * 1024;

    /// Adds a fact, or replaces it.
    pub fn insert(
        &mut self,
        namespace: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
        value: impl Serialize,
    ) {
        self.add(namespace.into(), key.into(), Json::new(value));
    }

    /// What was added under a namespace and a key.
    pub fn get(&self, namespace: &str, key: &str) -> Option<&Json> {
        self.namespaces.get(namespace)?.get(key)
    }

    /// All facts: their namespaces, keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Json)> {
        self.namespaces.iter().flat_map(|(namespace, items)| each(namespace, items))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// What was cut, and what there was no room for.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// About how many bytes it takes when it is written.
    pub(super) fn size(&self) -> usize {
        self.len
    }

    /// About how many bytes it takes in memory besides what it takes when it is written.
    pub(super) fn overhead(&self) -> usize {
        self.iter().map(|(_, _, value)| value.overhead()).sum()
    }

    /// Cuts it down to about so many bytes: the largest values become texts, then the last are dropped.
    pub(super) fn shrink(&mut self, most: usize) -> Losses {
        let mut losses = Losses::default();
        let mut lens: Vec<_> = self.iter().map(|(_, _, value)| value.len()).collect();
        lens.sort_unstable();
        let fixed = self.len.saturating_sub(lens.iter().sum());
        let share = share(&lens, most.saturating_sub(fixed)).max(LEAST);
        for value in self.namespaces.values_mut().flat_map(BTreeMap::values_mut) {
            if value.len() > share {
                // What was cut when it was added is counted.
                losses.shortened += u64::from(!value.is_cut());
                self.len -= value.len();
                value.shorten(share);
                self.len += value.len();
            }
        }
        while self.len > most && self.drop_last() {
            losses.dropped += 1;
        }
        losses
    }

    pub(super) fn add(&mut self, mut namespace: Cow<'static, str>, mut key: Cow<'static, str>, value: Json) {
        if let Some(name) = namespace.strip_prefix(RESERVED) {
            namespace = Cow::Owned(format!("AWS_{name}"));
        }
        if namespace.is_empty() {
            namespace = Cow::Borrowed(Self::DEFAULT);
        }
        let cut = shorten(&mut namespace, NAMESPACE) | shorten(&mut key, KEY) | value.is_cut();
        self.losses.shortened += u64::from(cut);
        self.remove(&namespace, &key);
        let len = item_len(&key, &value)
            + if self.namespaces.contains_key(&namespace) { 0 } else { room(&namespace) };
        if self.len + len > Self::MOST {
            self.losses.dropped += 1;
            return;
        }
        self.len += len;
        self.namespaces.entry(namespace).or_default().insert(key, value);
    }

    /// Changes the values, each by its namespace and key.
    pub(super) fn edit(&mut self, edit: impl Fn(&str, &str, &mut serde_json::Value)) {
        for (namespace, items) in &mut self.namespaces {
            for (key, value) in items {
                self.len -= value.len();
                value.edit(|value| edit(namespace, key, value));
                self.len += value.len();
            }
        }
    }

    fn remove(&mut self, namespace: &str, key: &str) -> Option<Json> {
        let items = self.namespaces.get_mut(namespace)?;
        let value = items.remove(key)?;
        self.len -= item_len(key, &value);
        if items.is_empty() {
            self.namespaces.remove(namespace);
            self.len -= room(namespace);
        }
        Some(value)
    }

    fn drop_last(&mut self) -> bool {
        let last = self
            .namespaces
            .iter()
            .next_back()
            .and_then(|(namespace, items)| Some((namespace.clone(), items.keys().next_back()?.clone())));
        last.is_some_and(|(namespace, key)| self.remove(&namespace, &key).is_some())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.namespaces.serialize(serializer)
    }
}

/// A namespace that is no object is read as the default one's fact of that name.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut metadata = Self::default();
        for (namespace, items) in serde_json::Map::deserialize(deserializer)? {
            match items {
                serde_json::Value::Object(items) => {
                    items.into_iter().for_each(|(key, value)| metadata.insert(namespace.clone(), key, value));
                }
                value => metadata.insert(Self::DEFAULT, namespace, value),
            }
        }
        Ok(metadata)
    }
}

fn each<'a>(namespace: &'a str, items: &'a Items) -> impl Iterator<Item = (&'a str, &'a str, &'a Json)> {
    items.iter().map(move |(key, value)| (namespace, &**key, value))
}

/// How long a value may be if all are to have room and only the longest are to be cut. `lens` are sorted.
fn share(lens: &[usize], mut room: usize) -> usize {
    for (at, len) in lens.iter().enumerate() {
        let share = room / (lens.len() - at);
        if *len > share {
            return share;
        }
        room -= len;
    }
    usize::MAX
}

/// With its colon, comma and key.
fn item_len(key: &str, value: &Json) -> usize {
    2 + json_len(key) + value.len()
}

/// What a namespace takes besides its items.
fn room(namespace: &str) -> usize {
    4 + json_len(namespace)
}

const RESERVED: &str = "AWS.";

const NAMESPACE: usize = 250;

/// As long as an annotation's, so that those that are moved keep theirs.
const KEY: usize = 500;

/// A text shorter than this says nothing.
const LEAST: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(metadata: &Metadata) -> serde_json::Value {
        serde_json::to_value(metadata).unwrap()
    }

    #[test]
    fn a_reserved_namespace_is_renamed_and_an_empty_one_is_the_default() {
        let mut metadata = Metadata::default();
        metadata.insert("AWS.xray", "a", 1);
        metadata.insert("AWSome", "b", 2);
        metadata.insert("", "c", 3);
        assert_eq!(
            written(&metadata),
            json!({ "AWS_xray": { "a": 1 }, "AWSome": { "b": 2 }, "default": { "c": 3 } })
        );
    }

    #[test]
    fn a_second_value_replaces_the_first() {
        let mut metadata = Metadata::default();
        metadata.insert("a", "b", "long ago");
        metadata.insert("a", "b", json!([null]));
        assert_eq!(written(&metadata), json!({ "a": { "b": [null] } }));
    }

    #[test]
    fn a_handler_in_a_loop_cannot_fill_the_memory() {
        let mut metadata = Metadata::default();
        (0..100).for_each(|n| metadata.insert("loop", n.to_string(), "x".repeat(10_000)));
        assert!(metadata.size() <= Metadata::MOST && metadata.iter().count() == 26);
        assert_eq!(metadata.losses().dropped, 74);
    }

    #[test]
    fn the_longest_values_are_cut_before_any_other() {
        let mut metadata = Metadata::default();
        metadata.insert("a", "long", "x".repeat(9_000));
        metadata.insert("a", "short", "y".repeat(500));
        let losses = metadata.shrink(1_200);
        assert_eq!((losses.shortened, losses.dropped), (1, 0));
        assert_eq!(metadata.get("a", "short").unwrap().len(), 502);
        assert!(metadata.size() > 1_100 && metadata.size() <= 1_200);
    }

    #[test]
    fn a_value_that_is_cut_again_and_again_counts_once() {
        let mut metadata = Metadata::default();
        metadata.insert("a", "long", "x".repeat(70_000));
        let added = metadata.losses();
        let losses = added + metadata.shrink(60_000) + metadata.shrink(50_000);
        assert_eq!((added.shortened, losses.shortened), (1, 1));
    }

    #[test]
    fn a_namespace_that_is_no_object_is_read_as_a_fact() {
        let metadata: Metadata = serde_json::from_value(json!({ "odd": [1], "n": { "k": null } })).unwrap();
        assert_eq!(written(&metadata), json!({ "default": { "odd": [1] }, "n": { "k": null } }));
    }

    proptest! {
        #[test]
        fn the_size_is_never_below_what_is_written_and_shrinks_as_asked(
            items in proptest::collection::vec(("[a-c]{0,2}", "[a-z\"]{0,3}", ".{0,300}"), 0..20),
            most in 0..3_000_usize,
        ) {
            let mut metadata = Metadata::default();
            items.into_iter().for_each(|(namespace, key, value)| metadata.insert(namespace, key, value));
            let len = |metadata: &Metadata| serde_json::to_string(metadata).unwrap().len();
            let before = len(&metadata);
            prop_assert!(metadata.size() + 2 >= before && metadata.size() <= before + 2 * metadata.iter().count() + 8);
            let losses = metadata.shrink(most);
            prop_assert!(len(&metadata) <= most + 2);
            prop_assert_eq!(losses.is_none(), len(&metadata) == before);
        }
    }
}
