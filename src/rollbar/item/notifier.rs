use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Text,
    extra::{Extra, extra},
    lenient,
};

/// The library that tells of something.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notifier {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// Its name.
    pub name: Text<255>,
    /// Its version.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub version: Option<Text<255>>,
    /// What it says about itself, such as what it had to leave out: `truncation`.
    #[serde(default, deserialize_with = "lenient::object", skip_serializing_if = "Map::is_empty")]
    pub diagnostic: Map<String, Value>,
}

// ===== impl Notifier =====

impl Notifier {
    /// This crate.
    pub fn belvedere() -> Self {
        Self {
            extra: Extra::default(),
            name: env!("CARGO_PKG_NAME").into(),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            diagnostic: Map::new(),
        }
    }
}

extra!(Notifier: "name", "version", "diagnostic");
