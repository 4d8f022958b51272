use serde::{Deserialize, Serialize};

use super::{
    extra::{Extra, extra},
    lenient,
};

/// A text, and what is said with it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Message {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// The text.
    #[serde(deserialize_with = "lenient::text")]
    pub body: String,
}

// ===== impl Message =====

impl Message {
    /// A text alone.
    pub fn new(body: impl Into<String>) -> Self {
        Self { extra: Extra::default(), body: body.into() }
    }
}

extra!(Message: "body");
