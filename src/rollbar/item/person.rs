use serde::{Deserialize, Serialize};

use super::{
    Text,
    extra::{Extra, extra},
    lenient,
};

/// The user that something happened to. What is told last of an id replaces what Rollbar knew of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Person {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// The id: at most 40 characters.
    pub id: Text<40>,
    /// The name: at most 255 characters.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub username: Option<Text<255>>,
    /// The address: at most 255 characters.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub email: Option<Text<255>>,
}

// ===== impl Person =====

impl Person {
    /// A user, by an id alone.
    pub fn new(id: impl Into<Text<40>>) -> Self {
        Self { extra: Extra::default(), id: id.into(), username: None, email: None }
    }
}

extra!(Person: "id", "username", "email");
