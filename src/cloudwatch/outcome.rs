use std::fmt;

use serde::{Serialize, Serializer};

use crate::exchange::End;

/// How an exchange ended, as a log has it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// All of the response is out, whatever its status.
    Complete,
    /// The service or the body gave an error.
    Failed,
    /// The client left before the end.
    Canceled,
    /// The handler or the body panicked.
    Panicked,
}

// ===== impl Outcome =====

impl Outcome {
    /// `complete`, `failed`, `canceled` or `panicked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Panicked => "panicked",
        }
    }
}

impl From<End<'_>> for Outcome {
    fn from(end: End<'_>) -> Self {
        match end {
            End::Complete { .. } => Self::Complete,
            End::Failed { .. } => Self::Failed,
            End::Canceled => Self::Canceled,
            End::Panicked { .. } => Self::Panicked,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
