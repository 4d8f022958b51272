use std::{fmt, str::FromStr};

use crate::Error;

/// How many days a log group keeps what it gets, out of those that
/// [`PutRetentionPolicy`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html)
/// knows.
///
/// ```
/// use belvedere::cloudwatch::Retention;
///
/// assert_eq!(Retention::days(30)?.to_string(), "30 days");
/// assert!(Retention::days(31).is_err());
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Retention(u16);

// ===== impl Retention =====

impl Retention {
    /// So many days.
    ///
    /// # Errors
    ///
    /// When it is a number that CloudWatch does not take; the message names those that it does.
    pub fn days(days: u16) -> Result<Self, Error> {
        if DAYS.contains(&days) { Ok(Self(days)) } else { Err(refusal(&days.to_string())) }
    }

    pub(super) fn as_days(self) -> u16 {
        self.0
    }
}

impl FromStr for Retention {
    type Err = Error;

    /// By the number of days.
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map_err(|_| refusal(text)).and_then(Self::days)
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.pad("1 day"),
            days => write!(f, "{days} days"),
        }
    }
}

fn refusal(text: &str) -> Error {
    let all: Vec<_> = DAYS.iter().map(u16::to_string).collect();
    Error::invalid("retention", text, format!("its days are one of {}", all.join(", ")))
}

const DAYS: [u16; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_days_is_refused_with_those_that_there_are() {
        for text in ["8", "0", "-1", "", "70000"] {
            let refused = text.parse::<Retention>().unwrap_err().to_string();
            assert!(refused.starts_with(&format!("retention is {text:?}")), "{refused}");
            assert!(refused.contains("1, 3, 5, 7, 14") && refused.ends_with("3653"), "{refused}");
        }
        assert_eq!("3653".parse::<Retention>().unwrap().as_days(), 3653);
    }
}
