//! A trace in JSON, the way it could be sent again: its spans as OTLP, its segments as X-Ray's documents, its log lines as
//! events.

use std::collections::HashMap;

use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};
use serde_json::json;

use crate::console::item::Item;
use crate::console::line::{Line, LogStream};
use crate::console::reply::{self, Reply};
use crate::console::segment::Document;
use crate::console::store::Store;
use crate::console::trace::{Source, Span, Trace};

pub(in crate::console) fn spans(trace: &Trace) -> Reply {
    match serde_json::to_string_pretty(&document(trace)) {
        Ok(text) => reply::json(StatusCode::OK, text),
        Err(error) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// A list of the documents, as they came.
pub(in crate::console) fn segments(trace: &Trace) -> Reply {
    let documents: Vec<_> = trace.segments().documents().iter().map(Document::text).collect();
    reply::json(StatusCode::OK, format!("[{}]\n", documents.join(",\n")))
}

/// A list of the items, each as the `data` that it came in.
pub(in crate::console) fn items(trace: &Trace) -> Reply {
    let items: Vec<_> = trace.items().iter().map(Item::text).collect();
    reply::json(StatusCode::OK, format!("[{}]\n", items.join(",\n")))
}

/// A list of the log events, the oldest first, each with where it was written to.
pub(in crate::console) fn lines(trace: &Trace) -> Reply {
    events(trace.lines().by_time().into_iter().map(|(_, line)| line))
}

/// The same of those that belong to no trace, the latest first.
pub(in crate::console) fn loose(store: &Store) -> Reply {
    events(store.loose().newest().map(|(_, line)| line))
}

fn events<'a>(lines: impl Iterator<Item = &'a Line>) -> Reply {
    let event = |line: &Line| {
        let LogStream { group, stream } = &*line.head.source;
        let timestamp = line.head.at / 1_000_000;
        json!({ "logGroupName": group, "logStreamName": stream, "timestamp": timestamp, "message": line.text() })
            .to_string()
    };
    let events: Vec<_> = lines.map(event).collect();
    reply::json(StatusCode::OK, format!("[{}]\n", events.join(",\n")))
}

fn document(trace: &Trace) -> TracesData {
    let mut spans: HashMap<u64, Vec<&Span>> = HashMap::new();
    for span in trace.spans() {
        spans.entry(span.source.fingerprint).or_default().push(span);
    }
    let resource_spans = trace.sources().map(|source| {
        let spans = spans.remove(&source.fingerprint).unwrap_or_default();
        resource_spans(source, spans.into_iter())
    });
    TracesData { resource_spans: resource_spans.collect() }
}

fn resource_spans<'a>(source: &Source, spans: impl Iterator<Item = &'a Span>) -> ResourceSpans {
    let Source { fingerprint: _, service: _, resource, resource_schema, scope, scope_schema } = source;
    let spans = ScopeSpans {
        scope: Some(scope.clone()),
        spans: spans.map(|span| span.data.clone()).collect(),
        schema_url: scope_schema.clone(),
    };
    ResourceSpans {
        resource: Some((**resource).clone()),
        scope_spans: vec![spans],
        schema_url: resource_schema.clone(),
    }
}
