use anyhow::Result;
use bytes::Bytes;
use http::{Response, request::Parts};
use http_body_util::Full;
use serde_json::Value;

/// All was taken.
pub(super) fn answer(_: &Parts) -> Response<Full<Bytes>> {
    Response::new(Full::from(r#"{"err":0,"result":{"id":null,"uuid":"00000000000000000000000000000000"}}"#))
}

/// The item.
pub(super) fn record(post: &Bytes) -> Result<Value> {
    Ok(serde_json::from_slice(post)?)
}
