use std::{fmt, str::FromStr, time::SystemTime};

use crate::Error;

/// What a log stream is called: a name, or a pattern such as `{hostname}/{pid}`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct StreamName(Box<str>);

// ===== impl StreamName =====

impl StreamName {
    /// The name of the stream that an event of this time goes into.
    pub(super) fn at(&self, _time: SystemTime) -> String {
        self.0.replace("{hostname}", "localhost").replace("{pid}", &std::process::id().to_string())
    }
}

impl Default for StreamName {
    /// `{hostname}/{pid}`.
    fn default() -> Self {
        Self("{hostname}/{pid}".into())
    }
}

impl FromStr for StreamName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text.len() > 512 || text.contains([':', '*']) {
            return Err(Error::invalid("log stream", text, "use up to 512 characters other than : and *"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
