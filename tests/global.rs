//! OpenTelemetry's global provider. It belongs to the whole process, so that there is one test here and no second one.
#![cfg(feature = "otel")]

mod support;

use std::time::Duration;

use belvedere::Setup;
use opentelemetry::{
    global,
    trace::{Span as _, Tracer as _},
};
use support::sink::Sink;

#[tokio::test]
async fn spans_made_by_the_global_tracer_are_sent_unless_the_setup_leaves_it_alone() {
    for (setup, expected) in [(setup().global(false), 0), (setup(), 1)] {
        let sink = Sink::start();
        let belvedere = setup.otlp(sink.base()).start().unwrap();
        global::tracer("test").start("by hand").end();
        belvedere.shutdown(Duration::from_secs(5)).await;
        let names: Vec<_> = sink.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["by hand"; 1][..expected]);
    }
}

fn setup() -> Setup {
    Setup::lookup(|_| None)
}
