use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    extra::{Extra, extra},
    lenient,
};

/// The request that something happened in. Nothing here removes secrets: what is put into it is sent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Request {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// The whole URL.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The method.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The headers, by their names as HTTP/1.1 writes them.
    #[serde(deserialize_with = "lenient::object", skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// What the route took from the path.
    #[serde(deserialize_with = "lenient::object", skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// The query: `GET`. A name that is there several times has a list.
    #[serde(rename = "GET", deserialize_with = "lenient::object", skip_serializing_if = "Map::is_empty")]
    pub get: Map<String, Value>,
    /// The query as it was written.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub query_string: Option<String>,
    /// The fields of a form: `POST`.
    #[serde(rename = "POST", deserialize_with = "lenient::object", skip_serializing_if = "Map::is_empty")]
    pub post: Map<String, Value>,
    /// The body: a text, or what was read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The user's address.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub user_ip: Option<String>,
}

extra!(
    Request: "url", "method", "headers", "params", "GET", "query_string", "POST", "body", "user_ip"
);
