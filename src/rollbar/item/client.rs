use serde::{Deserialize, Serialize};

use super::{
    Text,
    extra::{Extra, extra},
    lenient,
};

/// A program that runs at the user's. What is special to a platform is in its extra fields, such as `javascript`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Client {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// Its processor: at most 255 characters.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Text<255>>,
}

extra!(Client: "cpu");
