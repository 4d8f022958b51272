use std::{
    fmt,
    io::{self, Write},
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
use crate::outbox::{Batch, Destination, Limits, Press, Reason, SendError};

/// A destination that prints each span as a JSON object as soon as it ends: `OTEL_TRACES_EXPORTER=console`.
///
/// The printing is done by a thread of its own, `belvedere-print`, so that a slow terminal slows no request and holds
/// no other backend back. Each span is one write, the line break included. Dropping it ends the thread, as soon as a
/// write that is under way returns; it does not wait for that.
pub struct Print {
    press: Press<SpanData>,
}

// ===== impl Print =====

impl Print {
    /// Prints to the standard output.
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// Prints to `out`. Where the system refuses the thread, everything is rejected.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self::written(out, json)
    }

    /// Prints what `write` makes of each span, with a line break.
    pub(super) fn written(
        out: impl Write + Send + 'static,
        write: impl Fn(&SpanData) -> io::Result<Vec<u8>> + Send + 'static,
    ) -> Self {
        let text = move |span: &SpanData| {
            write(span).map_err(|error| Reason::new("output").detail(error.to_string()))
        };
        Self { press: Press::new(out, text) }
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

    async fn send(&self, spans: Batch<SpanData>) -> Result<(), SendError<SpanData>> {
        self.press.print(spans).await
    }
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Print").finish_non_exhaustive()
    }
}

fn json(span: &SpanData) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(&Printed::new(span))?)
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
    #![allow(clippy::disallowed_types, reason = "what blocks is measured by the real clock")]

    use std::{
        sync::{Arc, Mutex, mpsc},
        task::{self, Waker},
        thread,
        time::Instant,
    };

    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};

    use super::*;
    use crate::{
        otel::SpanLane,
        outbox::{LaneReport, Outbox},
    };

    /// Keeps each write apart.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Says that a write has begun, and stalls until the other end is gone; for a minute at most.
    struct Stalled(mpsc::Sender<()>, mpsc::Receiver<()>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(());
            let _ = self.1.recv_timeout(LONG);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An outbox with a lane to each of `outs`, and a provider that makes spans for all of them.
    fn open(outs: impl IntoIterator<Item = (&'static str, Print)>) -> (Outbox, SdkTracerProvider) {
        let outbox = Outbox::builder().start().unwrap();
        let provider = outs.into_iter().fold(SdkTracerProvider::builder(), |provider, (name, print)| {
            provider.with_span_processor(SpanLane::new(&outbox, name, print))
        });
        (outbox, provider.build())
    }

    fn span(provider: &SdkTracerProvider, name: &'static str) {
        let mut span = provider.tracer("app").start(name);
        span.set_attribute(KeyValue::new("app.result_length", 3));
        span.end();
    }

    fn lost(lane: &LaneReport) -> Vec<(&str, u64)> {
        assert_eq!(lane.accepted, lane.delivered + lane.lost() + lane.waiting, "{lane}");
        lane.lost.iter().map(|(reason, spans)| (&**reason, *spans)).collect()
    }

    #[test]
    fn a_span_is_printed_as_one_json_object_with_its_types_in_one_write() {
        let out = Kept::default();
        let (outbox, provider) = open([("console", Print::new(out.clone()))]);
        span(&provider, "home-activities-mock-data");
        span(&provider, "home-activities-mock-data");
        outbox.shutdown_blocking(LONG);
        let writes = out.0.lock().unwrap();
        assert_eq!(writes.len(), 2);
        assert!(writes[0].ends_with(b"}\n"));
        let printed: serde_json::Value = serde_json::from_slice(&writes[0]).unwrap();
        assert_eq!(printed["name"], "home-activities-mock-data");
        assert_eq!(printed["kind"], "INTERNAL");
        assert_eq!(printed["attributes"]["app.result_length"], 3);
        assert_eq!(printed["scope"], "app");
    }

    #[test]
    fn a_writer_that_stalls_holds_no_other_lane_back_and_does_not_move_the_limit() {
        let (tell, told) = mpsc::channel();
        let (held, until) = mpsc::channel();
        let (stalled, out) = (Print::new(Stalled(tell, until)), Kept::default());
        let (outbox, provider) = open([("stalled", stalled), ("kept", Print::new(out.clone()))]);
        span(&provider, "first");
        told.recv_timeout(LONG).unwrap();
        span(&provider, "second");
        let start = Instant::now();
        while out.0.lock().unwrap().len() < 2 && start.elapsed() < LONG / 6 {
            thread::yield_now();
        }

        let start = Instant::now();
        let limit = Duration::from_millis(500);
        let report = outbox.shutdown_blocking(limit);
        assert!((limit..LONG / 2).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(lost(report.lane("kept").unwrap()), []);
        assert_eq!(lost(report.lane("stalled").unwrap()), [("shutdown", 2)]);
        drop(held);
    }

    #[test]
    fn what_was_given_up_is_not_printed() {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        (0..3).for_each(|_| span(&provider, "first"));
        let (tell, told) = mpsc::channel();
        let (held, until) = mpsc::channel();
        let print = Print::new(Stalled(tell, until));
        let mut sending = Box::pin(print.send(spans.get_finished_spans().unwrap().into()));
        assert!(sending.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
        told.recv_timeout(LONG).unwrap();
        drop(sending);
        drop((held, print));
        assert_eq!(told.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_broken_pipe_is_a_rejection_with_a_reason() {
        let (outbox, provider) = open([("console", Print::new(Broken))]);
        span(&provider, "first");
        assert!(outbox.flush_blocking(LONG));
        span(&provider, "second");
        let report = outbox.shutdown_blocking(LONG);
        assert_eq!(lost(&report.lanes[0]), [("output", 2)]);
    }

    #[test]
    fn the_thread_ends_with_the_destination() {
        let (tell, told) = mpsc::channel();
        let (_held, until) = mpsc::channel();
        let print = Print::new(Stalled(tell, until));
        assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(print);
        assert_eq!(told.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    /// What nothing here takes, unless it hangs.
    const LONG: Duration = Duration::from_secs(60);
}
