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
pub(crate) struct Running {
    example: Example,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) sink: Sink,
    seen: usize,
}

// ===== impl Running =====

impl Running {
    /// Starts an example that listens.
    pub(crate) fn start(name: &str) -> Self {
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
    pub(crate) async fn check(&mut self, call: &str, common: &str, expected: &str) {
        let spans = self.sink.arrived(self.seen + 1).await;
        self.seen += 1;
        assert_eq!(spans.len(), self.seen, "{spans:#?}");
        assert_row(&row(&spans[self.seen - 1]), &format!("{expected}\n{common}"), call);
    }

    /// Asks it to end, as Ctrl-C does, and gives what was measured. Meanwhile this thread goes on, since a server waits for the
    /// clients that it has.
    pub(crate) async fn stop(self) -> Vec<String> {
        let Self { example, sink, .. } = self;
        tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
        let mut points: Vec<_> = sink.metrics().iter().flat_map(points).collect();
        points.sort();
        points
    }
}

/// What one run of the client example said, and what came of it.
pub(crate) struct Called {
    pub(crate) said: String,
    pub(crate) rows: Vec<(String, Vec<String>)>,
    pub(crate) points: Vec<String>,
}

/// Runs the client example to its end. It blocks meanwhile.
pub(crate) fn call(words: &str) -> Called {
    let sink = Sink::start();
    let said = Example::run(
        "client",
        &words.split(' ').collect::<Vec<_>>(),
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &sink.base())],
    );
    let mut spans = sink.spans();
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let mut points: Vec<_> = sink.metrics().iter().flat_map(points).collect();
    points.sort();
    Called { said, rows: spans.iter().map(row).collect(), points }
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

/// Compares a span with a row of the table: its first line, and the rest in any order. A `*` stands for any text.
#[track_caller]
pub(crate) fn assert_row((name, facts): &(String, Vec<String>), expected: &str, call: &str) {
    let mut expected = lines(expected);
    let (first, mut facts) = (expected.remove(0), facts.clone());
    expected.sort();
    facts.sort();
    let all = |(is, like): (&String, &String)| fits(is, like);
    let same = facts.len() == expected.len() && facts.iter().zip(&expected).all(all);
    assert!(fits(name, &first) && same, "{call}\n{name} {facts:#?}\nand should be\n{first} {expected:#?}");
}

fn fits(text: &str, like: &str) -> bool {
    like.split_once('*').map_or_else(
        || text == like,
        |(before, after)| text.strip_prefix(before).is_some_and(|rest| rest.ends_with(after)),
    )
}

/// A text's lines, as a table writes them.
pub(crate) fn lines(text: &str) -> Vec<String> {
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
            format!("{}={}", pair.key, if port { "#".to_owned() } else { portless(&value) })
        })
        .collect();
    pairs.sort();
    pairs
}

/// A text without the port that the system chose.
fn portless(text: &str) -> String {
    let Some((before, after)) = text.split_once("127.0.0.1:") else { return text.to_owned() };
    format!("{before}127.0.0.1:#{}", after.trim_start_matches(|char: char| char.is_ascii_digit()))
}
