//! Where credentials come from when nobody brings some.

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};

use super::{container::Container, imds::Imds, variables::Variables};
use crate::Error;

/// The credentials of the environment, of a container, or of an instance: what AWS's SDKs look for first, without
/// them.
///
/// | order | from | by |
/// |---|---|---|
/// | 1 | the environment | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` |
/// | 2 | ECS, Fargate, EKS Pod Identity | `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`, with `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE` or `AWS_CONTAINER_AUTHORIZATION_TOKEN` |
/// | 3 | the EC2 instance (IMDSv2) | unless `AWS_EC2_METADATA_DISABLED`; `AWS_EC2_METADATA_SERVICE_ENDPOINT`, `AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE` |
///
/// The variables are read once, when it is made. It asks each time: a [`Client`](super::Client) keeps what it was told. A
/// question takes 2 s at most at a container's endpoint and three times 1 s at an instance's, and is not repeated.
///
/// It reads no `~/.aws`, knows no single sign-on, and does not take a web identity to STS
/// (`AWS_WEB_IDENTITY_TOKEN_FILE`, IAM roles for service accounts): a provider of the crate `aws-config` does, and is
/// taken wherever this one is.
#[derive(Clone, Debug)]
pub struct CredentialsChain {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Environment(Credentials),
    Container(Container),
    Instance(Imds),
    None,
}

// ===== impl CredentialsChain =====

impl CredentialsChain {
    /// Reads the variables by way of `lookup`. Empty is not set. It asks nobody yet.
    ///
    /// # Errors
    ///
    /// When a variable has a value that cannot be used, one of the two keys is missing, or a web identity is all there
    /// is. No message shows a secret.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let variables = Variables(&lookup);
        Ok(Self { source: source(variables)? })
    }

    async fn load(&self) -> provider::Result {
        match &self.source {
            Source::Environment(credentials) => Ok(credentials.clone()),
            Source::Container(container) => container.credentials().await,
            Source::Instance(imds) => imds.credentials().await,
            Source::None => Err(CredentialsError::not_loaded(NONE)),
        }
    }
}

impl ProvideCredentials for CredentialsChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

fn source(variables: Variables<'_>) -> Result<Source, Error> {
    if let Some(credentials) = environment(variables)? {
        return Ok(Source::Environment(credentials));
    }
    if let Some(file) = variables.text(WEB_IDENTITY) {
        let advice = "web identities are not supported here; bring a provider of the crate aws-config";
        return Err(Error::invalid(WEB_IDENTITY, &file, advice));
    }
    if let Some(container) = Container::new(variables)? {
        return Ok(Source::Container(container));
    }
    Ok(Imds::new(variables)?.map_or(Source::None, Source::Instance))
}

fn environment(variables: Variables<'_>) -> Result<Option<Credentials>, Error> {
    let missing =
        |name: &str, other: &str| Err(Error::invalid(name, "", format_args!("{other} is set without it")));
    match (variables.text(ID), variables.text(SECRET)) {
        (Some(id), Some(secret)) => {
            let token = variables.text("AWS_SESSION_TOKEN");
            Ok(Some(Credentials::new(id, secret, token, None, "environment")))
        }
        (Some(_), None) => missing(SECRET, ID),
        (None, Some(_)) => missing(ID, SECRET),
        (None, None) => Ok(None),
    }
}

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const WEB_IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const NONE: &str =
    "neither the environment nor a container has credentials, and AWS_EC2_METADATA_DISABLED is set";
