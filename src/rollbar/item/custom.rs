use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::extra::json;

/// Anything else worth knowing, by name. Rollbar searches it, as `custom.order`.
///
/// It [cannot have a field `data`](https://docs.rollbar.com/docs/custom-data): that one is called `data_`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Custom(pub(super) Map<String, Value>);

// ===== impl Custom =====

impl Custom {
    /// Adds a field, in place of one of that name. What cannot be JSON, like a map with keys that are no texts, is `null`.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Serialize) {
        let key = key.into();
        let key = if key == "data" { "data_".to_owned() } else { key };
        self.0.insert(key, json(value));
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for Custom {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl<K: Into<String>, V: Serialize> Extend<(K, V)> for Custom {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        fields.into_iter().for_each(|(key, value)| self.insert(key, value));
    }
}

impl<K: Into<String>, V: Serialize> FromIterator<(K, V)> for Custom {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let mut custom = Self::default();
        custom.extend(fields);
        custom
    }
}

impl From<Map<String, Value>> for Custom {
    fn from(mut fields: Map<String, Value>) -> Self {
        if let Some(data) = fields.remove("data") {
            fields.insert("data_".to_owned(), data);
        }
        Self(fields)
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
}
