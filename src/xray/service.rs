use serde::{Deserialize, Serialize};

use super::text::{Text, texts};

/// The program that made a segment.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Service {
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// What it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Text>,
    /// The version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<Text>,
    /// What compiled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<Text>,
    /// The version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler_version: Option<Text>,
}

// ===== impl Service =====

impl Service {
    /// A program in Rust. Which compiler it was is known only while it is compiled.
    pub fn rust() -> Self {
        Self { compiler: Some("rustc".into()), ..Self::default() }
    }
}

texts! {
    Service: version, runtime, runtime_version, compiler, compiler_version;
}
