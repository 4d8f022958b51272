use serde::{Deserialize, Serialize};

/// A place in the code, as Rollbar shows it in a stack.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Frame {
    /// The file, by its whole path.
    pub filename: String,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineno: Option<u32>,
    /// The column in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colno: Option<u32>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The line itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The lines around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<CodeContext>,
}

/// The lines around a place in the code.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CodeContext {
    /// Those before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre: Vec<String>,
    /// Those after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post: Vec<String>,
}

// ===== impl Frame =====

impl Frame {
    /// A place in a file.
    pub fn new(filename: impl Into<String>) -> Self {
        Self { filename: filename.into(), ..Self::default() }
    }
}
