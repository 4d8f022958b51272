//! axum's extractors, with errors in JSON.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Error;

/// The body, as a JSON object. A list is none, although it could be read as the fields in their order.
pub(crate) struct Payload<T>(pub(crate) T);

/// The parameters of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Error))]
pub(crate) struct Path<T>(pub(crate) T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Error))]
pub(crate) struct Query<T>(pub(crate) T);

// ===== impl Payload =====

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Payload<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let Json(fields) = Json::<Map<String, Value>>::from_request(request, state).await?;
        let read = serde_json::from_value(Value::Object(fields));
        read.map(Self)
            .map_err(|error| Error::bad_request(&format!("the body is not what this route takes: {error}")))
    }
}
