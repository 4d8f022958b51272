//! The examples as processes of their own, their spans and metrics attribute by attribute: each row is what one exchange
//! makes, complete, so that nothing can be missing and nothing too much.

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
    trace::v1::{
        Span,
        span::{Event, SpanKind},
        status::StatusCode as SpanStatus,
    },
};

use crate::support::{
    example::Example,
    sink::{Sink, text},
};

/// An example that has been started, and where its spans and metrics go.
pub struct Running {
    example: Example,
    pub address: std::net::SocketAddr,
    pub sink: Sink,
    seen: usize,
}

// ===== impl Running =====

impl Running {
    /// Starts an example that listens.
    pub fn start(name: &str) -> Self {
        let sink = Sink::start();
        let base = sink.base();
        let mut example = Example::start(
            name,
            &[("PORT", "0"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &base), ("OTEL_BSP_SCHEDULE_DELAY", "20")],
        );
        let address = example.address();
        Self { example, address, sink, seen: 0 }
    }

    /// Compares the one span that has come since the last time with a row of the table. What `common` says every row has.
    pub async fn check(&mut self, call: &str, common: &str, expected: &str) {
        let spans = self.sink.arrived(self.seen + 1).await;
        self.seen += 1;
        assert_eq!(spans.len(), self.seen, "{spans:#?}");
        let mut expected: Vec<_> = lines(expected);
        let name = expected.remove(0);
        expected.extend(lines(common));
        expected.sort();
        let (actual, mut attributes) = row(&spans[self.seen - 1]);
        attributes.sort();
        assert_eq!((actual, attributes), (name, expected), "{call}");
    }

    /// Asks it to end, as Ctrl-C does, and gives what was measured.
    pub fn stop(self) -> Vec<String> {
        self.example.interrupt();
        let mut points: Vec<_> = self.sink.metrics().iter().flat_map(points).collect();
        points.sort();
        points
    }
}

/// `POST /carts/{id}/order | server | error`, and the attributes and events.
fn row(span: &Span) -> (String, Vec<String>) {
    let kind = match span.kind() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        _ => "internal",
    };
    let status = span.status.clone().unwrap_or_default();
    let status = match status.code() {
        SpanStatus::Unset => "unset".to_owned(),
        SpanStatus::Ok => "ok".to_owned(),
        SpanStatus::Error => format!("error {}", status.message),
    };
    let event = |event: &Event| format!("{}: {}", event.name, pairs(&event.attributes).join(", "));
    let facts = pairs(&span.attributes).into_iter().chain(span.events.iter().map(event));
    (format!("{} | {kind} | {}", span.name, status.trim_end()), facts.collect())
}

/// A text's lines, as a table writes them.
pub fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// `http.server.request.duration s 1: http.request.method=GET, ...`: the name, the unit, how many, the attributes.
fn points(metric: &Metric) -> Vec<String> {
    let line = |attributes: &[KeyValue], count: String| {
        format!("{} {} {count}: {}", metric.name, metric.unit, pairs(attributes).join(", "))
    };
    match metric.data.as_ref().unwrap() {
        Data::Histogram(histogram) => {
            let points = histogram.data_points.iter();
            points.map(|point| line(&point.attributes, point.count.to_string())).collect()
        }
        Data::Sum(sum) => {
            let value = |value| match value {
                Some(Value::AsInt(number)) => number.to_string(),
                other => format!("{other:?}"),
            };
            sum.data_points.iter().map(|point| line(&point.attributes, value(point.value))).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Attributes as `key=value`, sorted. The ports that the system chose read `#`.
fn pairs(attributes: &[KeyValue]) -> Vec<String> {
    let mut pairs: Vec<_> = attributes
        .iter()
        .map(|pair| {
            let value = text(pair.value.clone().and_then(|value| value.value));
            let port = pair.key.ends_with(".port") && value.parse::<u16>().is_ok_and(|port| port > 1024);
            format!("{}={}", pair.key, if port { "#" } else { &value })
        })
        .collect();
    pairs.sort();
    pairs
}
