use http::Uri;

use super::{Region, variables::Variables};
use crate::Error;

/// A service of AWS: the name that it signs and lives under, and the one that its variables have.
///
/// ```
/// use belvedere::aws::Service;
///
/// const LOGS: Service = Service::new("logs", "CLOUDWATCH_LOGS"); // AWS_ENDPOINT_URL_CLOUDWATCH_LOGS
/// # let _ = LOGS;
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Service {
    name: &'static str,
    id: &'static str,
}

// ===== impl Service =====

impl Service {
    /// AWS X-Ray.
    pub const XRAY: Self = Self::new("xray", "XRAY");

    /// CloudWatch Logs.
    pub const LOGS: Self = Self::new("logs", "CLOUDWATCH_LOGS");

    /// By its name in hosts and signatures, and by its id in variables, in capitals with `_` for spaces
    /// ([list](https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html)).
    pub const fn new(name: &'static str, id: &'static str) -> Self {
        Self { name, id }
    }

    /// The name in hosts and signatures.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The id in variables and profiles.
    #[cfg(feature = "aws-config")]
    pub(super) fn id(self) -> &'static str {
        self.id
    }

    /// Where it is in a region.
    pub(super) fn endpoint(self, region: &Region) -> Uri {
        let uri = format!("https://{}.{region}.{}", self.name, region.domain());
        uri.parse().expect("names and regions are parts of host names")
    }

    /// Where it is said to be: `AWS_ENDPOINT_URL_<ID>`, or else `AWS_ENDPOINT_URL`, unless both are to be ignored
    /// ([service-specific endpoints](https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html)).
    pub(super) fn configured(self, variables: Variables<'_>) -> Result<Option<Uri>, Error> {
        if variables.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return Ok(None);
        }
        let names = [format!("{GENERIC}_{}", self.id), GENERIC.to_owned()];
        let set = names.into_iter().find_map(|name| variables.text(&name).map(|text| (name, text)));
        set.map(|(name, text)| url(&name, &text)).transpose()
    }
}

/// A whole URL, with nothing after its path.
pub(crate) fn url(name: &str, text: &str) -> Result<Uri, Error> {
    let uri = text.parse::<Uri>().ok();
    let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    uri.filter(|uri| is_http(uri) && uri.query().is_none())
        .ok_or_else(|| Error::invalid(name, text, "write a whole URL, such as http://localhost:4566"))
}

const GENERIC: &str = "AWS_ENDPOINT_URL";
