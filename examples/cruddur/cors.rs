use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use crate::{trace_headers, user};

/// Lets pages of these origins call, and of no other. Without any, nobody is let in.
///
/// A page that traces its own requests sends the headers of the trace along, so they have to be allowed; and it wants
/// to read those that come back, so they have to be exposed.
pub(crate) fn layer(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::OPTIONS, Method::GET, Method::HEAD, Method::POST])
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(600))
}

const ALLOWED: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    X_AMZN_TRACE_ID,
    user::HEADER,
];
const EXPOSED: [HeaderName; 6] = [
    header::LOCATION,
    header::LINK,
    X_AMZN_TRACE_ID,
    trace_headers::TRACE_RESPONSE,
    trace_headers::SERVER_TIMING,
    trace_headers::TRACE_ID,
];
const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
