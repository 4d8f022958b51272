//! Why a service gave no answer.

use std::{error, fmt};

use aws_credential_types::provider::error::CredentialsError;

use crate::transport::HttpError;

/// Why a request to a service of AWS brought no answer. An answer with a bad status is not an error.
///
/// Its message says at what stage; the chain beneath is its [`source`](error::Error::source). None of it that is ours holds
/// a key, a token, a header or a body.
#[derive(Debug)]
pub struct ClientError {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Credentials(CredentialsError),
    Signature(Box<dyn error::Error + Send + Sync>),
    Http(HttpError),
}

// ===== impl ClientError =====

impl ClientError {
    pub(super) fn credentials(source: CredentialsError) -> Self {
        Self { kind: Kind::Credentials(source) }
    }

    pub(super) fn signature(source: Box<dyn error::Error + Send + Sync>) -> Self {
        Self { kind: Kind::Signature(source) }
    }

    pub(super) fn http(source: HttpError) -> Self {
        Self { kind: Kind::Http(source) }
    }

    /// There were no credentials to sign with, so that nothing was sent.
    pub fn is_credentials(&self) -> bool {
        matches!(self.kind, Kind::Credentials(_))
    }

    /// The request could not be signed, so that nothing was sent: a key has a character that cannot be sent.
    pub fn is_signature(&self) -> bool {
        matches!(self.kind, Kind::Signature(_))
    }

    /// It was sent, perhaps, and no answer was had.
    pub fn is_http(&self) -> bool {
        matches!(self.kind, Kind::Http(_))
    }

    /// A phrase to count under: `no credentials`, `signature`, or what [`HttpError::reason`] says.
    pub fn reason(&self) -> &'static str {
        match &self.kind {
            Kind::Credentials(_) => "no credentials",
            Kind::Signature(_) => "signature",
            Kind::Http(error) => error.reason(),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Credentials(_) => f.write_str("no credentials"),
            Kind::Signature(_) => f.write_str("the request cannot be signed"),
            Kind::Http(error) => error.fmt(f),
        }
    }
}

impl error::Error for ClientError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.kind {
            Kind::Credentials(error) => Some(error),
            Kind::Signature(error) => Some(&**error),
            Kind::Http(error) => error.source(),
        }
    }
}
