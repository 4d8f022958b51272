use std::{error, fmt, io};

use belvedere::rollbar::{self, Level};
use opentelemetry::{KeyValue, trace::get_active_span};

use crate::error::Error;

/// Why the feed could not be had.
#[derive(Debug)]
struct FeedError {
    source: io::Error,
}

/// Says that all is well.
///
/// Demonstrates an event on the span that is no error, and a message for Rollbar, with the level `warning`.
pub(crate) async fn test() -> &'static str {
    let level = KeyValue::new("level", "warning");
    get_active_span(|span| span.add_event("message", vec![level, KeyValue::new("message", HELLO)]));
    rollbar::report_message(Level::Warning, HELLO);
    HELLO
}

/// Fails.
///
/// Demonstrates an error with another error beneath it: the caller is told the trace, the trace is told the errors. The
/// segment is a fault, and each of the two is an exception of its cause. Rollbar gets one item, with both and the person.
pub(crate) async fn error() -> Result<(), Error> {
    let source = io::Error::new(io::ErrorKind::ConnectionRefused, "the database does not answer");
    Err(Error::failed(FeedError { source }))
}

/// Panics.
///
/// Demonstrates that a panic is an answer like any other for the caller, a 500 with the id of its trace, and an
/// exception on the span and on the segment. Rollbar's item has the line that panicked, although the panic was caught.
pub(crate) async fn panic() {
    panic!("somebody pressed the button")
}

// ===== impl FeedError =====

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the feed cannot be read")
    }
}

impl error::Error for FeedError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.source)
    }
}

const HELLO: &str = "Hello World!";
