//! What talking to AWS takes: a region, credentials, and requests that are signed with them.
//!
//! ```no_run
//! # async fn post() -> Result<(), Box<dyn std::error::Error>> {
//! use belvedere::aws::{Client, Service};
//! use http::{HeaderMap, HeaderValue, header};
//!
//! let xray = Client::lookup(Service::XRAY, |name| std::env::var(name).ok())?;
//! let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
//! let rules = xray.post("/GetSamplingRules", &headers, "{}".into()).await?;
//! println!("{}", String::from_utf8_lossy(&rules.body));
//! # Ok(())
//! # }
//! ```
//!
//! # Credentials
//!
//! Whatever implements AWS's own [`ProvideCredentials`](aws_credential_types::provider::ProvideCredentials) is taken, so
//! a `SdkConfig` of the crate `aws-config` has what is needed, and with the feature of that name makes a whole client:
//! profiles, single sign-on and web identities come with it. [`CredentialsChain`] is the small one that comes without it.
//! They are asked for when a request needs them, by one request for all; kept until five minutes before they expire; and
//! used on if then there are no others.
//!
//! # What is not shown
//!
//! Keys, tokens and signatures are in no error, no log line and no `Debug` of this module.

mod cache;
mod chain;
mod client;
mod container;
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
mod ecs;
mod error;
mod imds;
mod keys;
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
mod machine;
mod region;
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
mod retry_after;
#[cfg(feature = "aws-config")]
mod sdk;
mod service;
mod service_error;
mod sign;
mod skew;
mod variables;

use http::{Uri, uri::InvalidUri};

pub use self::{
    chain::CredentialsChain,
    client::{Client, ClientBuilder},
    error::ClientError,
    region::Region,
    service::Service,
    service_error::ServiceError,
};
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
pub(crate) use self::{
    ecs::EcsMetadata, imds::Imds, machine::Machine, retry_after::retry_after, variables::Variables,
};
#[cfg(feature = "xray")]
pub(crate) use self::{imds::ImdsError, service_error::code_name};

/// A path below a URL, which may have one of its own.
fn below(base: &Uri, path: &str) -> Result<Uri, InvalidUri> {
    format!("{}{path}", base.to_string().trim_end_matches('/')).parse()
}
