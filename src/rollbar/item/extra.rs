use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::levels::is_deeper;

/// Fields besides those that a type has. It must be a type's first field: should a name be there twice after all, the
/// later one counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(in crate::rollbar) struct Extra(pub(in crate::rollbar) Map<String, Value>);

// ===== impl Extra =====

impl Extra {
    /// Adds a field, by a name of its own if the type has such a field, or it is no field to send.
    pub(super) fn insert(&mut self, reserved: &[&str], key: String, value: impl Serialize) {
        let key = if reserved.contains(&&*key) { key + "_" } else { key };
        self.0.insert(key, json(value));
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        // Deprecated, and wrong wherever it is.
        fields.remove("access_token");
        Ok(Self(fields))
    }
}

/// What a value is as JSON: `null` if it cannot be, like a map with keys that are no texts, and a text that says so if it
/// is too deep to be read again.
pub(super) fn json(value: impl Serialize) -> Value {
    if is_deeper(&value, DEEPEST) {
        return TOO_DEEP.into();
    }
    serde_json::to_value(value).unwrap_or_default()
}

/// Gives a type the access to its extra fields. The names are those it has itself.
macro_rules! extra {
    ($type:ty: $($reserved:literal),+) => {
        impl $type {
            /// What it holds besides its fields, by name.
            pub fn extra(&self) -> &serde_json::Map<String, serde_json::Value> {
                &self.extra.0
            }

            /// Adds something besides its fields; the vendor keeps it. A name that one of the fields has gets a `_` at its
            /// end, and what cannot be JSON is `null`.
            pub fn insert(&mut self, key: impl Into<String>, value: impl serde::Serialize) {
                self.extra.insert(&[$($reserved),+], key.into(), value);
            }
        }
    };
}

pub(super) use extra;

/// Others read no more than 128 levels, and those around it count too.
const DEEPEST: usize = 32;

pub(in crate::rollbar) const TOO_DEEP: &str = "nested too deep";
