//! What a page of another origin is answered.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderValue};

use crate::console::guard::Origin;
use crate::console::reply::{self, Reply};

/// A browser asks before it posts. Whatever headers its exporter adds are fine; nothing reads them.
pub(super) fn preflight(headers: &HeaderMap) -> Reply {
    let mut reply = reply::full(StatusCode::NO_CONTENT, "text/plain", "");
    let answer = reply.headers_mut();
    answer.remove(header::CONTENT_LENGTH);
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let usual = HeaderValue::from_static("content-type, traceparent");
    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.unwrap_or(usual));
    reply
}

/// Lets the page that posted read the answer.
pub(super) fn allow(reply: &mut Reply, origin: Origin) {
    let Origin::Allowed(origin) = origin else { return };
    reply.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    reply.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    reply.headers_mut().insert(header::VARY, HeaderValue::from_static("origin"));
}

pub(super) const FOREIGN: &str = "Pages of this origin may not post here. If the origin is yours, allow its host: \
    Console::builder().host(\"that-host\").";
