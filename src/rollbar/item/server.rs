use serde::{Deserialize, Serialize, Serializer};

use super::{
    Text,
    extra::{Extra, extra},
    lenient,
};

/// The machine that something happened on, and the code on it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Server {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// Its name.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub host: Option<Text<255>>,
    /// Where the code lies. Frames beneath it are the project's own; slashes at its end are not written.
    #[serde(
        deserialize_with = "lenient::option",
        serialize_with = "without_slash",
        skip_serializing_if = "Option::is_none"
    )]
    pub root: Option<String>,
    /// The branch that the code is of. Rollbar's default is `master`.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub branch: Option<Text<255>>,
    /// The version of the code: at most 40 characters.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub code_version: Option<Text<40>>,
    /// Its processor: at most 255 characters.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Text<255>>,
    /// The process.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

extra!(Server: "host", "root", "branch", "code_version", "cpu", "pid");

fn without_slash<S: Serializer>(root: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let root = root.as_deref().unwrap_or_default();
    let trimmed = root.trim_end_matches('/');
    serializer.serialize_str(if trimmed.is_empty() { root } else { trimmed })
}
