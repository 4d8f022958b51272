use http::Method;
use serde::{Deserialize, Serialize};

use super::{
    lenient,
    text::{Text, texts},
    url::Url,
};

/// What was asked and answered, if it was HTTP.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Http {
    /// What was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What was answered; none if there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
}

/// What was asked.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Request {
    /// The method: `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Text>,
    /// Protocol, host and path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<Text>,
    /// Whether the address is from `X-Forwarded-For`, and so perhaps a lie. For segments.
    #[serde(skip_serializing_if = "is_false")]
    pub x_forwarded_for: bool,
    /// Whether the service that was called sends a segment of its own. For subsegments.
    ///
    /// The guide has it here, AWS's schema and SDKs on the [subsegment](super::Subsegment::traced); it is read in both
    /// places and written on the subsegment.
    #[serde(skip_serializing)]
    pub traced: bool,
}

/// What was answered.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Response {
    /// The status: 200.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How many bytes the body had.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub content_length: Option<u64>,
}

// ===== impl Request =====

impl Request {
    /// A request for `url`.
    pub fn new(method: &Method, url: impl Into<Url>) -> Self {
        Self { method: Some(text(method)), url: Some(url.into()), ..Self::default() }
    }
}

// ===== impl Response =====

impl Response {
    /// An answer with this status.
    pub fn new(status: http::StatusCode) -> Self {
        Self { status: Some(status.as_u16()), content_length: None }
    }
}

texts! {
    Http: request;
    Request: method, url, user_agent, client_ip;
}

/// The method, without a copy if it is a usual one.
fn text(method: &Method) -> Text {
    match known_method(method) {
        Some(name) => Text::from(name),
        None => Text::from(method.as_str().to_owned()),
    }
}

/// The method, if it is a usual one.
pub(super) fn known_method(method: &Method) -> Option<&'static str> {
    NAMES.into_iter().find(|name| *name == method.as_str())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(super) fn is_false(flag: &bool) -> bool {
    !flag
}

const NAMES: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
