//! One small shop that every server serves: the path says how the exchange goes.

use std::{convert::Infallible, time::Duration};

use axum::routing::any;
use http::{Request, Response, StatusCode};
use tokio::time::sleep;

use super::Script;

/// Answers by the request's path.
pub async fn shop<B>(request: Request<B>) -> Result<Response<Script>, Infallible> {
    let body = match request.uri().path() {
        "/ok" => Script::new().data("hello").last().exact(5),
        "/broken" => Script::new().data("broken").last().exact(6),
        "/missing" => Script::new().data("missing").last().exact(7),
        "/stream" => (0..5).fold(Script::new(), |body, _| body.wait(100).data("tick ")),
        "/endless" => Script::new().data("hello").hang(),
        "/torn" => Script::new().data("hello").wait(20).fail("the disk is gone"),
        "/checked" => Script::new().data("hello").trailers(&[("x-checksum", "1")]),
        "/slow" => {
            sleep(Duration::from_secs(3600)).await;
            Script::new()
        }
        "/panic" => panic!("the till is on fire"),
        "/panic-in-the-body" => Script::new().data("hello").wait(20).panic("the till is on fire"),
        _ => Script::new().last(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = match request.uri().path() {
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR,
        "/missing" => StatusCode::NOT_FOUND,
        "/nothing" => StatusCode::NO_CONTENT,
        "/odd" => StatusCode::from_u16(999).unwrap(),
        _ => StatusCode::OK,
    };
    Ok(response)
}

/// The shop behind axum's router; its route is `/{what}`.
pub fn router() -> axum::Router {
    axum::Router::new().route("/{what}", any(handler))
}

/// The shop as a handler.
pub async fn handler(request: axum::extract::Request) -> Response<axum::body::Body> {
    let Ok(response) = shop(request).await;
    response.map(axum::body::Body::new)
}
