//! A client by what AWS's SDK for Rust has loaded.

use aws_types::{SdkConfig, service_config::ServiceConfigKey};

use super::{Client, ClientBuilder, Service, service::url};
use crate::Error;

// ===== impl Client =====

impl Client {
    /// A service by the configuration of AWS's SDK for Rust, such as `aws_config::load_defaults(..)` makes it: profiles and
    /// their files, single sign-on, web identities (IAM roles for service accounts), roles that are assumed. Feature
    /// `aws-config`.
    ///
    /// ```no_run
    /// # async fn connect() -> Result<(), belvedere::Error> {
    /// use belvedere::{aws::{Client, Service}, xray::Api};
    ///
    /// let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    /// let api = Api::new(Client::from_sdk_config(Service::XRAY, &config)?.build()?);
    /// # let _ = api;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Taken are the region, the provider of credentials, the endpoint (one for the service alone before one for all, as the
    /// SDK's clients do), and the limit of time for one attempt. Everything else is for those clients: this one retries, and
    /// corrects its clock, by itself.
    ///
    /// # Errors
    ///
    /// When there is no region or no provider, when one of the values cannot be used, or when it asks for FIPS or dual stack
    /// without an endpoint, because nobody but AWS's own list knows where these are.
    pub fn from_sdk_config(service: Service, config: &SdkConfig) -> Result<ClientBuilder, Error> {
        let region =
            config.region().ok_or_else(|| missing("region", "set AWS_REGION, or one in the profile"))?;
        let credentials = config.credentials_provider();
        let credentials = credentials.ok_or_else(|| missing("credentials_provider", "set one"))?;
        let mut builder = Self::builder(service, region.as_ref().parse()?, credentials);
        match endpoint(service, config) {
            Some(text) => builder = builder.endpoint(url("the SDK's endpoint_url", &text)?),
            None => check_kind(config)?,
        }
        let limits = config.timeout_config();
        let limit = limits
            .and_then(|limits| limits.operation_attempt_timeout().or_else(|| limits.operation_timeout()));
        if let Some(limit) = limit {
            builder = builder.timeout(limit);
        }
        Ok(builder)
    }
}

/// What the code says comes first; then a service's own from the environment or the profile; then the one for all.
fn endpoint(service: Service, config: &SdkConfig) -> Option<String> {
    let general = || config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general();
    }
    let own = ServiceConfigKey::builder().service_id(service.id()).env(ENV).profile(PROFILE).build();
    own.ok().and_then(|key| config.service_config()?.load_config(key)).or_else(general)
}

/// The usual endpoint must be the one that is wanted.
fn check_kind(config: &SdkConfig) -> Result<(), Error> {
    let wanted = [("use_fips", config.use_fips()), ("use_dual_stack", config.use_dual_stack())];
    let wanted = wanted.into_iter().find(|(_, is_wanted)| *is_wanted == Some(true));
    wanted
        .map_or(Ok(()), |(name, _)| Err(Error::invalid(name, "true", "set endpoint_url to such an endpoint")))
}

fn missing(what: &str, advice: &str) -> Error {
    Error::invalid(&format!("the SDK's {what}"), "", advice)
}

const ENV: &str = "AWS_ENDPOINT_URL";
const PROFILE: &str = "endpoint_url";
