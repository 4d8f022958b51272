use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    Array, KeyValue, Value,
    trace::{Event, Link, SpanId, Status},
};
use opentelemetry_sdk::trace::SpanData;
use serde::Serialize;
use serde_json::{Map, json};

use super::size::size;
use crate::outbox::{Batch, Destination, Limits, Reason, SendError};

/// A destination that prints each span as a JSON object as soon as it ends: `OTEL_TRACES_EXPORTER=console`.
///
/// The printing is done by the outbox's thread, so that a slow terminal slows no request.
pub struct Print {
    out: Mutex<Box<dyn Write + Send>>,
}

// ===== impl Print =====

impl Print {
    /// Prints to the standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Prints to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Box::new(out)) }
    }

    fn print(&self, span: &SpanData) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer_pretty(&mut *out, &Printed::new(span))?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

impl Destination for Print {
    type Record = SpanData;

    fn limits(&self) -> Limits {
        Limits::default().records(64).age(Duration::ZERO).in_flight(1)
    }

    fn size(&self, span: &SpanData) -> usize {
        size(span)
    }

    async fn send(&self, batch: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        for (printed, span) in batch.iter().enumerate() {
            if let Err(error) = self.print(span) {
                let reason = Reason::new("output").detail(error.to_string());
                return Err(SendError::Reject { lost: batch.len() - printed, reason });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Print").finish_non_exhaustive()
    }
}

/// A span as it is printed, in the order in which one reads it.
#[derive(Serialize)]
struct Printed<'a> {
    name: &'a str,
    kind: String,
    trace_id: String,
    span_id: String,
    parent_id: Option<String>,
    start_time_unix_nano: String,
    duration_ms: f64,
    status: serde_json::Value,
    attributes: Map<String, serde_json::Value>,
    events: Vec<serde_json::Value>,
    links: Vec<serde_json::Value>,
    scope: &'a str,
}

// ===== impl Printed =====

impl<'a> Printed<'a> {
    fn new(span: &'a SpanData) -> Self {
        let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
        let has_parent = span.parent_span_id != SpanId::INVALID;
        Self {
            name: &span.name,
            kind: format!("{:?}", span.span_kind).to_uppercase(),
            trace_id: span.span_context.trace_id().to_string(),
            span_id: span.span_context.span_id().to_string(),
            parent_id: has_parent.then(|| span.parent_span_id.to_string()),
            start_time_unix_nano: nanos(span.start_time).to_string(),
            duration_ms: duration.as_secs_f64() * 1e3,
            status: status(&span.status),
            attributes: object(&span.attributes),
            events: span.events.iter().map(event).collect(),
            links: span.links.iter().map(link).collect(),
            scope: span.instrumentation_scope.name(),
        }
    }
}

fn event(event: &Event) -> serde_json::Value {
    json!({
        "name": event.name,
        "time_unix_nano": nanos(event.timestamp).to_string(),
        "attributes": object(&event.attributes),
    })
}

fn link(link: &Link) -> serde_json::Value {
    let span = &link.span_context;
    json!({ "trace_id": span.trace_id().to_string(), "span_id": span.span_id().to_string() })
}

fn status(status: &Status) -> serde_json::Value {
    match status {
        Status::Unset => json!({ "code": "UNSET" }),
        Status::Ok => json!({ "code": "OK" }),
        Status::Error { description } => json!({ "code": "ERROR", "message": description }),
    }
}

fn object(attributes: &[KeyValue]) -> Map<String, serde_json::Value> {
    attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value))).collect()
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(flag) => json!(flag),
        Value::I64(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::Array(Array::Bool(flags)) => json!(flags),
        Value::Array(Array::I64(numbers)) => json!(numbers),
        Value::Array(Array::F64(numbers)) => json!(numbers),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str()).collect(),
        other => json!(other.to_string()),
    }
}

fn nanos(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;
    use crate::{otel::SpanLane, outbox::Outbox};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_span_is_printed_as_one_json_object_with_its_types() {
        let (out, outbox) = (Shared::default(), Outbox::builder().start().unwrap());
        let lane = SpanLane::new(&outbox, "console", Print::new(out.clone()));
        let provider = SdkTracerProvider::builder().with_span_processor(lane).build();
        let mut span = provider.tracer("app").start("home-activities-mock-data");
        span.set_attribute(KeyValue::new("app.result_length", 3));
        span.end();
        outbox.shutdown_blocking(Duration::from_secs(5));
        let printed: serde_json::Value = serde_json::from_slice(&out.0.lock().unwrap()).unwrap();
        assert_eq!(printed["name"], "home-activities-mock-data");
        assert_eq!(printed["kind"], "INTERNAL");
        assert_eq!(printed["attributes"]["app.result_length"], 3);
        assert_eq!(printed["scope"], "app");
    }
}
