use serde::{Deserialize, Serialize};

use super::lenient;

/// What an occurrence is linked by: `trace_id`, `span_id`, `session_id`. The vendor's own SDKs send it; it has no
/// documentation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Attribute {
    /// Its name.
    pub key: String,
    /// Its value, always a text.
    #[serde(default, deserialize_with = "lenient::text")]
    pub value: String,
}

// ===== impl Attribute =====

impl Attribute {
    /// A name and a value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}
