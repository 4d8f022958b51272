//! Where a service is.

use std::{fmt, str::FromStr, sync::Arc};

use super::variables::Variables;
use crate::Error;

/// A region of AWS, such as `eu-central-1`.
///
/// Any name that can be a part of a host's is one, so that a region which is opened tomorrow works today.
///
/// ```
/// use belvedere::aws::Region;
///
/// let region: Region = "eu-central-1".parse()?;
/// assert_eq!(region.as_str(), "eu-central-1");
/// assert!("eu central".parse::<Region>().is_err());
/// # Ok::<(), belvedere::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Region(Arc<str>);

// ===== impl Region =====

impl Region {
    /// Reads `AWS_REGION`, or else `AWS_DEFAULT_REGION`, by way of `lookup`. Empty is not set.
    ///
    /// # Errors
    ///
    /// When the one that counts cannot be a region; the message names it.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let variables = Variables(&lookup);
        let set = VARIABLES.iter().find_map(|name| variables.text(name).map(|text| (name, text)));
        set.map(|(name, text)| named(name, &text)).transpose()
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the hosts of its services end with
    /// ([partitions](https://docs.aws.amazon.com/general/latest/gr/rande.html)).
    pub(super) fn domain(&self) -> &'static str {
        let partition = DOMAINS.iter().find(|(prefix, _)| self.0.starts_with(prefix));
        partition.map_or("amazonaws.com", |(_, domain)| domain)
    }
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named("the region", text)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn named(name: &str, text: &str) -> Result<Region, Error> {
    let is_in_labels = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = (1..=63).contains(&text.len())
        && text.bytes().all(is_in_labels)
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !is_label {
        return Err(Error::invalid(name, text, "write it as in eu-central-1"));
    }
    Ok(Region(text.into()))
}

const VARIABLES: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// The partitions with a domain of their own, by the beginning of their regions.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
];
