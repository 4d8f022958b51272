use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, request},
    middleware::from_fn,
};
use belvedere::BelvedereLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{error, routes, routes::page, routes::page::Page, store::Store, timeline::Client, trace_headers};

/// What all routes share.
pub(crate) struct App {
    pub(crate) store: Store,
    /// The second service, where it could be started.
    pub(crate) timeline: Option<Client>,
    pub(crate) page: Page,
}

/// All routes, and what is around them.
///
/// Panics are caught inside of the layers that tell of requests, so that they see the 500 that they become.
///
/// ```text
///  belvedere ──► trace headers ──► catch panic ──► user ──► route
/// ```
pub(crate) fn router(app: Arc<App>, belvedere: BelvedereLayer) -> Router {
    let belvedere = belvedere
        .otel(|otel| otel.skip(is_noise))
        .xray(|xray| xray.skip(is_noise))
        .rollbar(|rollbar| rollbar.skip(is_noise))
        .cloudwatch(|cloudwatch| cloudwatch.skip(is_noise));
    routes::all()
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn(trace_headers::add))
        .layer(belvedere)
        .with_state(app)
}

/// What nobody will ever look for: preflights, and the files of the page.
fn is_noise(request: &request::Parts) -> bool {
    request.method == Method::OPTIONS || page::is_file(request.uri.path())
}

const MAX_BODY: usize = 16 << 10;
