use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use belvedere::trace::{Identity, Scope};
use tokio::time::Instant;

/// Tells the caller which trace its request was, and how long the server took for it.
///
/// A browser takes the server's time off its own and knows what the network cost.
pub(crate) async fn add(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let mut response = next.run(request).await;
    let scope = Scope::current();
    if let Some(identity) = scope.as_ref().and_then(Scope::identity) {
        write(response.headers_mut(), identity, began.elapsed().as_secs_f64() * 1000.0);
    }
    response
}

fn write(headers: &mut HeaderMap, identity: &Identity, millis: f64) {
    let trace_id = identity.trace_id();
    let parent = format!("00-{trace_id}-{}-{:02x}", identity.span_id(), identity.flags().to_u8());
    let timing = format!("total;dur={millis:.1}, traceparent;desc=\"{parent}\"");
    for (name, value) in [(TRACE_ID, trace_id.to_string()), (TRACE_RESPONSE, parent), (SERVER_TIMING, timing)]
    {
        headers.insert(name, HeaderValue::try_from(value).expect("hex digits and a number are a header"));
    }
}

pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
pub(crate) const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
pub(crate) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
