use std::{any::Any, error, fmt, iter::successors};

use axum::{
    BoxError, Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use belvedere::{exchange::HandlerError, trace::Scope};
use serde::Serialize;

/// Why a request is not answered as its caller wished.
#[derive(Debug)]
pub(crate) enum Error {
    /// What was sent was understood and is wrong: everything that is wrong with it, as codes.
    Invalid(Vec<&'static str>),
    /// The request cannot be served as it is.
    Refused(StatusCode, String),
    /// It is our own fault.
    Failed(HandlerError),
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// What a panic said.
#[derive(Debug)]
struct Panicked(String);

// ===== impl Error =====

impl Error {
    #[track_caller]
    pub(crate) fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(HandlerError::new(error))
    }

    pub(crate) fn bad_request(why: &str) -> Self {
        Self::Refused(StatusCode::BAD_REQUEST, why.to_owned())
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::Refused(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(codes) => (StatusCode::UNPROCESSABLE_ENTITY, Json(codes)).into_response(),
            Self::Refused(status, why) => tell(status, &why),
            Self::Failed(error) => fail(error),
        }
    }
}

impl From<JsonRejection> for Error {
    fn from(rejection: JsonRejection) -> Self {
        // A 422 is a list of codes here; JSON of the wrong type is as bad as no JSON.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self::Refused(status, rejection.body_text())
    }
}

impl From<PathRejection> for Error {
    fn from(rejection: PathRejection) -> Self {
        Self::Refused(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self::Refused(rejection.status(), rejection.body_text())
    }
}

// ===== impl Panicked =====

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Panicked {}

pub(crate) async fn no_such_route() -> Error {
    Error::not_found("route")
}

pub(crate) async fn no_such_method() -> Error {
    Error::Refused(StatusCode::METHOD_NOT_ALLOWED, "this route has no such method".to_owned())
}

/// What a panic becomes for the caller. Its message stays in the house: spans and segments say it, and Rollbar is told of the
/// panic itself.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    fail(HandlerError::new(Panicked(text.unwrap_or_default())))
}

/// The caller is told nothing of the inside; every backend finds the error in the response.
fn fail(error: HandlerError) -> Response {
    let mut response = tell(StatusCode::INTERNAL_SERVER_ERROR, OURS);
    response.extensions_mut().insert(error);
    response
}

/// An error and all that lies beneath it, in one line.
pub(crate) fn chain(error: &(dyn error::Error + 'static)) -> String {
    let texts = successors(Some(error), |error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

fn tell(status: StatusCode, error: &str) -> Response {
    let scope = Scope::current();
    let trace_id = scope.as_ref().and_then(Scope::identity).map(|identity| identity.trace_id().to_string());
    (status, Json(Told { error, trace_id })).into_response()
}

const OURS: &str = "something broke on our side; the trace says what";
