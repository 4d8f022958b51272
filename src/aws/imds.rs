//! What an EC2 instance tells about itself.

use std::{error, fmt, time::Duration};

use aws_credential_types::{Credentials, provider::error::CredentialsError};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::{keys, service::url, variables::Variables};
use crate::{
    Error,
    transport::{Answer, HttpClient, HttpError},
};

/// The instance metadata service, in its
/// [second version](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html), which wants a
/// token. It falls back to nothing.
#[derive(Clone, Debug)]
pub(crate) struct Imds {
    base: Uri,
    http: HttpClient,
}

/// What has to be shown with each question.
struct Token(HeaderValue);

/// Why the instance told nothing.
#[derive(Debug)]
pub(crate) enum ImdsError {
    /// It did not answer; most often, there is none.
    Http(HttpError),
    /// It answered so.
    Status(StatusCode),
    /// It answered what is not what was asked for.
    Wrong(&'static str),
}

// ===== impl Imds =====

impl Imds {
    /// By `AWS_EC2_METADATA_SERVICE_ENDPOINT` and `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE`; `None` with
    /// `AWS_EC2_METADATA_DISABLED`.
    pub(crate) fn new(variables: Variables<'_>) -> Result<Option<Self>, Error> {
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

    /// The [identity document](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html), which
    /// is JSON.
    #[cfg(any(feature = "cloudwatch", feature = "xray"))]
    pub(crate) async fn identity(&self) -> Result<Bytes, ImdsError> {
        self.get(IDENTITY, &self.token().await?).await
    }

    /// The credentials of the instance's role.
    pub(super) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let token = self.token().await.map_err(unavailable)?;
        let roles = self.get(ROLES, &token).await.map_err(without_role)?;
        let role = String::from_utf8_lossy(&roles);
        let role = role.lines().next().map_or("", str::trim);
        if role.is_empty() {
            return Err(CredentialsError::not_loaded(NO_ROLE));
        }
        let answer = self.get(&format!("{ROLES}{role}"), &token).await.map_err(without_role)?;
        keys::read(&answer, "IMDSv2")
    }

    async fn token(&self) -> Result<Token, ImdsError> {
        let headers = HeaderMap::from_iter([(TOKEN_TTL, HeaderValue::from_static("60"))]);
        let uri = self.uri("/latest/api/token")?;
        let answer = self.http.request(Method::PUT, &uri, &headers, Bytes::new(), LIMIT).await;
        let body = accept(answer.map_err(ImdsError::Http)?)?;
        let token = HeaderValue::from_bytes(&body);
        let mut token = token.map_err(|_| ImdsError::Wrong("the token of the instance is none"))?;
        token.set_sensitive(true);
        Ok(Token(token))
    }

    async fn get(&self, path: &str, Token(token): &Token) -> Result<Bytes, ImdsError> {
        let headers = HeaderMap::from_iter([(TOKEN, token.clone())]);
        let answer = self.http.get(&self.uri(path)?, &headers, LIMIT).await;
        accept(answer.map_err(ImdsError::Http)?)
    }

    fn uri(&self, path: &str) -> Result<Uri, ImdsError> {
        super::below(&self.base, path).map_err(|_| ImdsError::Wrong("the role's name is no path"))
    }
}

// ===== impl ImdsError =====

impl fmt::Display for ImdsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the instance's metadata answered {status}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl error::Error for ImdsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Http(error) => error.source(),
            Self::Status(_) | Self::Wrong(_) => None,
        }
    }
}

fn accept(answer: Answer) -> Result<Bytes, ImdsError> {
    let Answer { status, body, .. } = answer;
    if status.is_success() { Ok(body) } else { Err(ImdsError::Status(status)) }
}

fn unavailable(error: ImdsError) -> CredentialsError {
    match error {
        ImdsError::Wrong(_) => CredentialsError::unhandled(error),
        ImdsError::Http(_) | ImdsError::Status(_) => CredentialsError::provider_error(error),
    }
}

fn without_role(error: ImdsError) -> CredentialsError {
    match error {
        ImdsError::Status(StatusCode::NOT_FOUND) => CredentialsError::not_loaded(NO_ROLE),
        error => unavailable(error),
    }
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
const NO_ROLE: &str = "the instance has no role";
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
const IDENTITY: &str = "/latest/dynamic/instance-identity/document";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// It answers within the machine. Where there is none, nothing answers, and nobody should wait for it.
const LIMIT: Duration = Duration::from_secs(1);
