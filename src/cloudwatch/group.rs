use std::{fmt, str::FromStr};

use crate::Error;

/// The name of a log group: 1 to 512 characters of `A-Z a-z 0-9 _ - / . #`, which does not begin with `aws/`
/// ([`CreateLogGroup`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html)).
///
/// ```
/// use belvedere::cloudwatch::GroupName;
///
/// let group: GroupName = "/shop/checkout".parse()?;
/// assert!("shop:checkout".parse::<GroupName>().is_err());
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct GroupName(Box<str>);

// ===== impl GroupName =====

impl GroupName {
    /// The name, as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/.#".contains(&byte);
        let is_name = (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_taken);
        if !is_name || text.starts_with(RESERVED) {
            return Err(Error::invalid("log group", text, ADVICE));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

const LONGEST: usize = 512;
const RESERVED: &str = "aws/";
const ADVICE: &str =
    "use up to 512 letters, digits and _ - / . #, not beginning with aws/, as in /shop/checkout";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_cloudwatch_takes() {
        for name in ["a", "/shop/checkout", "Shop.checkout_1-#", "/aws/lambda/x", &"a".repeat(512)] {
            assert_eq!(name.parse::<GroupName>().unwrap().as_str(), name);
        }
        for name in ["", "aws/x", "a b", "a:b", "a*", "gr\u{fc}n", &"a".repeat(513)] {
            let refused = name.parse::<GroupName>().unwrap_err();
            assert!(refused.is_invalid() && refused.to_string().starts_with("log group is "), "{refused}");
        }
    }
}
