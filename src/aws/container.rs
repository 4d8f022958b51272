//! What hands credentials to containers: ECS, Fargate, and EKS Pod Identity.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::Duration,
};

use aws_credential_types::{Credentials, provider::error::CredentialsError};
use http::{HeaderMap, HeaderValue, Uri, header, uri::Scheme};
use tokio::{net::lookup_host, task::spawn_blocking, time::timeout};

use super::{keys, variables::Variables};
use crate::{Error, transport::HttpClient};

/// The [container credential provider](https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
#[derive(Clone, Debug)]
pub(super) struct Container {
    uri: Uri,
    token: Token,
    http: HttpClient,
}

/// What is shown to the endpoint.
#[derive(Clone)]
enum Token {
    None,
    Value(HeaderValue),
    /// Read each time, because it is replaced before it expires.
    File(PathBuf),
}

// ===== impl Container =====

impl Container {
    /// `None`: the environment has no such endpoint.
    pub(super) fn new(variables: Variables<'_>) -> Result<Option<Self>, Error> {
        let Some(uri) = uri(variables)? else { return Ok(None) };
        let token = Token::new(variables)?;
        let http = HttpClient::builder().connect_timeout(LIMIT).build()?;
        Ok(Some(Self { uri, token, http }))
    }

    pub(super) async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        self.check_host().await?;
        let mut headers =
            HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))]);
        if let Some(token) = self.token.value().await? {
            headers.insert(header::AUTHORIZATION, token);
        }
        let answer =
            self.http.get(&self.uri, &headers, LIMIT).await.map_err(CredentialsError::provider_error)?;
        if !answer.status.is_success() {
            let status = answer.status;
            let what = format!("the container's credentials endpoint answered {status}");
            return Err(CredentialsError::provider_error(what));
        }
        keys::read(&answer.body, "container")
    }

    /// A name could be anybody's: all that it stands for must be allowed to hear the token in clear.
    async fn check_host(&self) -> Result<(), CredentialsError> {
        let Some(host) = name_in_clear(&self.uri) else { return Ok(()) };
        let lookup = timeout(LIMIT, lookup_host((host, 0))).await;
        let lookup = lookup.map_err(|_| CredentialsError::provider_timed_out(LIMIT))?;
        let mut addresses = lookup.map_err(CredentialsError::provider_error)?;
        if addresses.all(|address| is_allowed(address.ip())) {
            return Ok(());
        }
        let what = format!("{FULL} is plain HTTP to a host that is not on the container's own machine");
        Err(CredentialsError::invalid_configuration(what))
    }
}

// ===== impl Token =====

impl Token {
    fn new(variables: Variables<'_>) -> Result<Self, Error> {
        if let Some(path) = variables.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            return Ok(Self::File(path.into()));
        }
        let Some(text) = variables.text(TOKEN) else { return Ok(Self::None) };
        let value =
            sensitive(&text).ok_or_else(|| Error::invalid(TOKEN, "(not shown)", "it cannot be sent"))?;
        Ok(Self::Value(value))
    }

    async fn value(&self) -> Result<Option<HeaderValue>, CredentialsError> {
        match self {
            Self::None => Ok(None),
            Self::Value(value) => Ok(Some(value.clone())),
            Self::File(path) => {
                let path = path.clone();
                let read = spawn_blocking(|| fs::read_to_string(path)).await;
                let text = read.map_err(CredentialsError::unhandled)?;
                let value = sensitive(text.map_err(CredentialsError::provider_error)?.trim());
                value.map(Some).ok_or_else(|| CredentialsError::unhandled("the token file cannot be sent"))
            }
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Value(_) => f.write_str("Value"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

fn uri(variables: Variables<'_>) -> Result<Option<Uri>, Error> {
    if let Some(path) = variables.text(RELATIVE) {
        let uri = Some(format!("{ECS}{path}")).filter(|_| path.starts_with('/'));
        let uri = uri.and_then(|uri| uri.parse().ok());
        return uri.map(Some).ok_or_else(|| Error::invalid(RELATIVE, &path, "it is a path, as ECS sets it"));
    }
    let Some(text) = variables.text(FULL) else { return Ok(None) };
    let invalid = |advice: &str| Error::invalid(FULL, &text, advice);
    let uri: Uri = text.parse().map_err(|_| invalid("write a whole URL"))?;
    let scheme = uri.scheme().ok_or_else(|| invalid("write a whole URL"))?;
    if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
        return Err(invalid("it is neither http nor https"));
    }
    let is_refused = *scheme == Scheme::HTTP && address(&uri).is_some_and(|address| !is_allowed(address));
    if is_refused {
        return Err(invalid("plain HTTP is for the container's own machine; use https"));
    }
    Ok(Some(uri))
}

/// The host's name, if it has one and would be spoken to in clear.
fn name_in_clear(uri: &Uri) -> Option<&str> {
    let is_name = uri.scheme() != Some(&Scheme::HTTPS) && address(uri).is_none();
    uri.host().filter(|_| is_name)
}

fn address(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// What AWS's SDKs send a token to over plain HTTP.
fn is_allowed(address: IpAddr) -> bool {
    address.is_loopback() || ALLOWED.contains(&address)
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const ECS: &str = "http://169.254.170.2";
const ALLOWED: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
const LIMIT: Duration = Duration::from_secs(2);
