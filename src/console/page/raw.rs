//! A trace in JSON, the way it could be sent again: its spans as OTLP, its segments as X-Ray's documents.

use std::collections::HashMap;

use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};

use crate::console::item::Item;
use crate::console::reply::{self, Reply};
use crate::console::segment::Document;
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
