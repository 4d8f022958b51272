//! The error that a handler leaves in its response: every backend says it, and a client cannot see it.
#![cfg(all(feature = "otel", feature = "xray", feature = "axum"))]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::io;

use axum::{Router, http::StatusCode, response::IntoResponse as _};
use belvedere::{exchange::HandlerError, observe::ObserveLayer};
use http::Request;
use http_body_util::BodyExt as _;
use segments::{Traced, Wrapped, exceptions};
use support::{Spans, layers::exception};
use tower::ServiceExt as _;

/// A span and a segment of an exchange that is answered so, with this error.
async fn told(status: StatusCode, error: HandlerError) -> (Option<String>, Vec<(String, String)>, bool) {
    let (traced, spans) = (Traced::new("shop").await, Spans::new());
    let handler = move || async move {
        let mut response = status.into_response();
        response.extensions_mut().insert(error);
        response
    };
    let layer = ObserveLayer::new((spans.layer(), traced.layer.clone()));
    let router = Router::new().fallback(handler).layer(layer);
    let answer = router.oneshot(Request::new(axum::body::Body::empty())).await.unwrap();
    assert_eq!(answer.status(), status);
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    let segment = traced.segment().await;
    (exception(&spans.only()), exceptions(&segment.entity), segment.entity.status.fault)
}

fn no_cart() -> HandlerError {
    HandlerError::new(Wrapped("no cart", io::Error::other("the disk is gone")))
}

#[tokio::test]
async fn of_a_fault_it_is_the_reason_with_all_its_causes() {
    let (exception, causes, fault) = told(StatusCode::INTERNAL_SERVER_ERROR, no_cart()).await;
    assert_eq!(exception.unwrap(), "no cart: the disk is gone");
    let causes: Vec<_> = causes.iter().map(|(_, message)| &**message).collect();
    assert_eq!(causes, ["no cart", "the disk is gone"]);
    assert!(fault);
}

#[tokio::test]
async fn of_an_error_of_the_caller_it_is_the_reason_and_no_exception() {
    let (exception, causes, fault) = told(StatusCode::NOT_FOUND, no_cart()).await;
    assert_eq!((exception, causes.len(), fault), (None, 2, false));
}

#[tokio::test]
async fn of_what_went_well_it_says_nothing() {
    let (exception, causes, fault) = told(StatusCode::OK, no_cart()).await;
    assert_eq!((exception, causes.len(), fault), (None, 0, false));
}

#[test]
fn it_takes_errors_boxes_and_texts_and_knows_where_it_was_made() {
    let line = line!() + 1;
    let text = HandlerError::new("no cart");
    let boxed = HandlerError::new(Box::<dyn std::error::Error + Send + Sync>::from("no cart"));
    assert_eq!((text.place().line(), text.place().file()), (line, file!()));
    assert_eq!(text.error().to_string(), boxed.error().to_string());
    assert_eq!(HandlerError::new(io::Error::other("x")).type_name(), "std::io::error::Error");
}
