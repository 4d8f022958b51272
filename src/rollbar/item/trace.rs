use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    Frame, Text,
    extra::{Extra, extra},
    lenient,
};

/// An error and its stack.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Trace {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// The stack, the most recent call last.
    #[serde(default, deserialize_with = "lenient::list")]
    pub frames: Vec<Frame>,
    /// The error.
    pub exception: Exception,
}

/// An error, its cause, the cause of that, and so on: at least one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TraceChain(Vec<Trace>);

/// What an error is and says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exception {
    /// Its type, at most 255 characters. Rollbar tells items apart by it.
    pub class: Text<255>,
    /// What it says.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What a person would say about it.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

// ===== impl Trace =====

impl Trace {
    /// An error without a stack.
    pub fn new(exception: Exception) -> Self {
        Self { extra: Extra::default(), frames: Vec::new(), exception }
    }
}

extra!(Trace: "frames", "exception");

// ===== impl TraceChain =====

impl TraceChain {
    /// The outermost error.
    pub fn new(error: Trace) -> Self {
        Self(vec![error])
    }

    /// Adds the cause of the last one.
    pub fn push(&mut self, cause: Trace) {
        self.0.push(cause);
    }

    /// Keeps the outermost ones, one at least.
    pub fn truncate(&mut self, most: usize) {
        self.0.truncate(most.max(1));
    }

    /// The one error, or all of them.
    pub(super) fn alone(mut self) -> Result<Trace, Self> {
        match self.0.pop() {
            Some(only) if self.0.is_empty() => Ok(only),
            last => {
                self.0.extend(last);
                Err(self)
            }
        }
    }
}

impl Deref for TraceChain {
    type Target = [Trace];

    fn deref(&self) -> &[Trace] {
        &self.0
    }
}

impl DerefMut for TraceChain {
    fn deref_mut(&mut self) -> &mut [Trace] {
        &mut self.0
    }
}

impl<'de> Deserialize<'de> for TraceChain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let traces = Vec::deserialize(deserializer)?;
        if traces.is_empty() {
            return Err(D::Error::custom("a chain needs a trace"));
        }
        Ok(Self(traces))
    }
}

// ===== impl Exception =====

impl Exception {
    /// An error of a type, with what it says.
    pub fn new(class: impl Into<Text<255>>, message: impl Into<String>) -> Self {
        Self { class: class.into(), message: Some(message.into()), description: None }
    }
}
