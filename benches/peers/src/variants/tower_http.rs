use tower::{Layer as _, service_fn};
use tower_http::{
    classify::{ServerErrorsAsFailures, SharedClassifier},
    trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer},
};
use tracing::Level;

use super::Variant;
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "tower-http",
    title: "{tower-http} `TraceLayer`, JSON lines",
    records: Records::LINE,
    notes: "a line at the head, on the standard output, for an agent to take from there; the end of the body is not in it. No \
            trace id, no address of the client, no user agent; a dropped exchange leaves no line.",
    start: |_| {
        tracing_subscriber::fmt().json().init();
        Running::new(layer().layer(service_fn(handle)))
    },
};

/// One line for each exchange, at the level that is shown by default.
pub fn layer() -> TraceLayer<SharedClassifier<ServerErrorsAsFailures>> {
    TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO))
}
