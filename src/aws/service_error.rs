//! What a service answers to what it does not do.

use std::{error, fmt};

use http::HeaderName;
use serde::Deserialize;

use crate::transport::Answer;

/// What a service says is wrong with a request: a code, such as `ThrottledException`, and some words.
#[derive(Clone, Eq, PartialEq)]
pub struct ServiceError {
    code: String,
    message: String,
}

/// The services' JSON has had several spellings.
#[derive(Default, Deserialize)]
struct Body {
    #[serde(rename = "__type", alias = "code", alias = "Code")]
    code: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

// ===== impl ServiceError =====

impl ServiceError {
    /// What an answer says, unless it is a success
    /// ([error codes](https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization)).
    pub fn of(answer: &Answer) -> Option<Self> {
        if answer.status.is_success() {
            return None;
        }
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let header = answer.headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
        let code = header.map(str::to_owned).or(body.code).unwrap_or_default();
        let code = code_name(&code).unwrap_or_else(|| format!("http {}", answer.status.as_u16()));
        Some(Self { code, message: body.message.unwrap_or_default() })
    }

    /// Its code, or `http 500` where it has none.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The service's own words. Of what is wrong with a signature it says nothing, because there they hold what was
    /// signed, the session's token included.
    pub fn message(&self) -> &str {
        if self.is_about_keys() || self.is_about_time() { "" } else { &self.message }
    }

    /// Other credentials may be taken, or the same ones somewhat later.
    pub fn is_about_keys(&self) -> bool {
        KEYS.contains(&self.code())
    }

    /// The signature may be too old, or too new.
    pub fn is_about_time(&self) -> bool {
        TIME.contains(&self.code())
    }

    /// Too much was asked for, for now.
    pub fn is_throttling(&self) -> bool {
        THROTTLING.contains(&self.code())
    }
}

impl fmt::Debug for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceError").field("code", &self.code()).field("message", &self.message()).finish()
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, message) = (self.code(), self.message());
        if message.is_empty() { f.write_str(code) } else { write!(f, "{code}: {message}") }
    }
}

impl error::Error for ServiceError {}

/// `ThrottledException`, out of `com.amazonaws.xray#ThrottledException:http://internal.amazon.com/...`. `None`: it is none.
pub(crate) fn code_name(text: &str) -> Option<String> {
    let name = text.split(':').next()?.rsplit('#').next()?.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let name: String = name.chars().take(LONGEST).collect();
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const LONGEST: usize = 64;

const KEYS: [&str; 10] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
    "UnrecognizedClientException",
];
const TIME: [&str; 7] = [
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SignatureExpired",
];
const THROTTLING: [&str; 9] = [
    "BandwidthLimitExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn a_code_is_found_wherever_a_service_writes_it() {
        for (header, body, expected) in [
            (Some("ThrottledException:http://internal.amazon.com/"), "{}", "ThrottledException"),
            (None, r#"{"__type":"com.amazonaws.xray#InvalidRequestException"}"#, "InvalidRequestException"),
            (None, r#"{"code":"ExpiredToken","message":"no"}"#, "ExpiredToken"),
            (None, r#"{"Code":"ExpiredToken"}"#, "ExpiredToken"),
            (None, "<html>", "http 400"),
            (Some("a code, or a sentence?"), "", "http 400"),
            (None, "", "http 400"),
        ] {
            assert_eq!(fault(header, body).code(), expected, "{header:?} {body}");
        }
    }

    #[test]
    fn a_success_is_no_fault() {
        let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body: "{}".into() };
        assert_eq!(ServiceError::of(&answer), None);
    }

    #[test]
    fn what_a_service_says_about_a_signature_is_not_repeated() {
        let said = |code: &str| {
            let body = format!(r#"{{"__type":"{code}","message":"x-amz-security-token:t0ken"}}"#);
            fault(None, &body).message().to_owned()
        };
        assert_eq!(said("InvalidRequestException"), "x-amz-security-token:t0ken");
        for code in KEYS.iter().chain(&TIME) {
            assert_eq!(said(code), "", "{code}");
        }
    }

    fn fault(header: Option<&'static str>, body: &str) -> ServiceError {
        let header = header.map(|value| (ERROR_TYPE, HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(header);
        let answer = Answer { status: StatusCode::BAD_REQUEST, headers, body: body.to_owned().into() };
        ServiceError::of(&answer).unwrap()
    }
}
