//! What an EC2 instance tells about itself.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::error::CredentialsError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::{keys, service::url, variables::Variables};
use crate::{
    Error,
    transport::{Answer, HttpClient},
};

/// The instance metadata service, in its
/// [second version](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html), which wants a
/// token. It falls back to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Imds {
    base: Uri,
    http: HttpClient,
}

// ===== impl Imds =====

impl Imds {
    /// By `AWS_EC2_METADATA_SERVICE_ENDPOINT` and `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`; `None` with
    /// `AWS_EC2_METADATA_DISABLED`.
    pub(super) fn new(variables: Variables<'_>) -> Result<Option<Self>, Error> {
        if variables.is_true("AWS_EC2_METADATA_DISABLED") {
            return Ok(None);
        }
        let base = match variables.text(ENDPOINT) {
            Some(text) => url(ENDPOINT, &text)?,
            None => by_mode(variables)?,
        };
        let http = HttpClient::builder().connect_timeout(LIMIT).build()?;
        Ok(Some(Self { base, http }))
    }

    /// The credentials of the instance's role.
    pub(super) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let token = self.token().await?;
        let roles = self.get(ROLES, &token).await?;
        let role = String::from_utf8_lossy(&roles);
        let role = role.lines().next().map_or("", str::trim);
        if role.is_empty() {
            return Err(CredentialsError::not_loaded("the instance has no role"));
        }
        let answer = self.get(&format!("{ROLES}{role}"), &token).await?;
        keys::read(&answer, "IMDSv2")
    }

    async fn token(&self) -> Result<HeaderValue, CredentialsError> {
        let headers = HeaderMap::from_iter([(TOKEN_TTL, HeaderValue::from_static("60"))]);
        let uri = self.uri("/latest/api/token")?;
        let answer = self.http.request(Method::PUT, &uri, &headers, Bytes::new(), LIMIT).await;
        let answer = accept(answer.map_err(CredentialsError::provider_error)?)?;
        let mut token = HeaderValue::from_bytes(&answer.body)
            .map_err(|_| CredentialsError::unhandled("the token of the instance is none"))?;
        token.set_sensitive(true);
        Ok(token)
    }

    async fn get(&self, path: &str, token: &HeaderValue) -> Result<Bytes, CredentialsError> {
        let headers = HeaderMap::from_iter([(TOKEN, token.clone())]);
        let answer = self.http.get(&self.uri(path)?, &headers, LIMIT).await;
        let answer = answer.map_err(CredentialsError::provider_error)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Err(CredentialsError::not_loaded("the instance has no role"));
        }
        Ok(accept(answer)?.body)
    }

    fn uri(&self, path: &str) -> Result<Uri, CredentialsError> {
        super::below(&self.base, path).map_err(|_| CredentialsError::unhandled("the role's name is no path"))
    }
}

fn accept(answer: Answer) -> Result<Answer, CredentialsError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(CredentialsError::provider_error(format!("the instance's metadata answered {}", answer.status)))
}

fn by_mode(variables: Variables<'_>) -> Result<Uri, Error> {
    let mode = variables.text(MODE).unwrap_or_default();
    match mode.to_ascii_lowercase().as_str() {
        "" | "ipv4" => Ok(Uri::from_static("http://169.254.169.254")),
        "ipv6" => Ok(Uri::from_static("http://[fd00:ec2::254]")),
        _ => Err(Error::invalid(MODE, &mode, "it is IPv4 or IPv6")),
    }
}

const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// It answers within the machine. Where there is none, nothing answers, and nobody should wait for it.
const LIMIT: Duration = Duration::from_secs(1);
