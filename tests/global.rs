//! OpenTelemetry's global providers. They belong to the whole process, so that there is one test here and no second one.
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
async fn what_is_made_with_the_global_providers_is_sent_unless_the_setup_leaves_them_alone() {
    for (setup, expected) in [(setup().global(false), 0), (setup(), 1)] {
        let sink = Sink::start();
        let belvedere = setup.otlp(sink.base()).start().unwrap();
        global::tracer("test").start("by hand").end();
        global::meter("test").u64_counter("by_hand").build().add(1, &[]);
        belvedere.shutdown(Duration::from_secs(5)).await;
        let spans: Vec<_> = sink.spans().into_iter().map(|span| span.name).collect();
        let metrics: Vec<_> = sink.metrics().into_iter().map(|metric| metric.name).collect();
        assert_eq!(spans, ["by hand"; 1][..expected]);
        assert_eq!(metrics, ["by_hand"; 1][..expected]);
    }
}

fn setup() -> Setup {
    Setup::lookup(|_| None)
}
