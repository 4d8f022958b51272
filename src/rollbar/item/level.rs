use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Error;

/// How bad something is, from the least to the worst.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `debug`: for those who look for something.
    Debug,
    /// `info`: nothing is wrong.
    Info,
    /// `warning`: it may become wrong.
    Warning,
    /// `error`: something failed.
    Error,
    /// `critical`: somebody should get up.
    Critical,
}

// ===== impl Level =====

impl Level {
    /// The word that Rollbar knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// By the word, in any case.
impl FromStr for Level {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let known = |level: &Self| level.as_str().eq_ignore_ascii_case(word);
        let advice = "give one of critical, error, warning, info and debug";
        LEVELS.into_iter().find(known).ok_or_else(|| Error::invalid("level", word, advice))
    }
}

/// `TRACE` is [`Level::Debug`].
impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warning,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Self::Debug,
        }
    }
}

const LEVELS: [Level; 5] = [Level::Debug, Level::Info, Level::Warning, Level::Error, Level::Critical];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_written_and_read_by_their_words_and_ordered_by_what_they_mean() {
        for level in LEVELS {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
            assert_eq!(level.as_str().to_uppercase().parse::<Level>().unwrap(), level);
        }
        assert!(LEVELS.is_sorted() && "fatal".parse::<Level>().is_err());
    }
}
