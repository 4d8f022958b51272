//! Bounds what is kept of a span, and hides what is nobody's to see.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;

pub(super) fn resource(resource: &mut Resource) {
    resource.entity_refs.clear();
    attributes(&mut resource.attributes, &mut resource.dropped_attributes_count);
}

pub(super) fn scope(scope: &mut InstrumentationScope) {
    cut(&mut scope.name, NAME);
    cut(&mut scope.version, NAME);
    attributes(&mut scope.attributes, &mut scope.dropped_attributes_count);
}

pub(super) fn span(span: &mut Span) {
    cut(&mut span.name, NAME);
    cut(&mut span.trace_state, NAME);
    attributes(&mut span.attributes, &mut span.dropped_attributes_count);
    few(&mut span.events, EVENTS, &mut span.dropped_events_count);
    for event in &mut span.events {
        cut(&mut event.name, NAME);
        attributes(&mut event.attributes, &mut event.dropped_attributes_count);
    }
    few(&mut span.links, LINKS, &mut span.dropped_links_count);
    for link in &mut span.links {
        link.trace_id.truncate(16);
        link.span_id.truncate(8);
        cut(&mut link.trace_state, NAME);
        attributes(&mut link.attributes, &mut link.dropped_attributes_count);
    }
    if let Some(status) = &mut span.status {
        cut(&mut status.message, TEXT);
    }
    if span.parent_span_id.len() != 8 || span.parent_span_id == [0; 8] {
        span.parent_span_id.clear();
    }
}

/// What a document of X-Ray says, which is short as it is.
pub(super) fn json(value: &mut Json) {
    match value {
        Json::String(text) => cut(text, TEXT),
        Json::Array(items) => items.iter_mut().for_each(json),
        Json::Object(fields) => {
            for (key, field) in fields {
                if is_secret(key) { *field = Json::from(MASK) } else { json(field) }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// What an item of Rollbar or a log line says: texts, lists and depths as they are read by a person.
pub(super) fn item(value: &mut Json) {
    json(value);
    shallow(value, LEVELS);
}

fn shallow(value: &mut Json, depth: usize) {
    match value {
        Json::Array(_) | Json::Object(_) if depth == 0 => *value = Json::from("…"),
        Json::Array(items) => {
            items.truncate(ENTRIES);
            items.iter_mut().for_each(|item| shallow(item, depth - 1));
        }
        Json::Object(fields) => {
            let excess: Vec<_> = fields.keys().skip(ENTRIES).cloned().collect();
            excess.iter().for_each(|key| drop(fields.remove(key)));
            fields.retain(|key, _| key.len() <= NAME);
            fields.values_mut().for_each(|field| shallow(field, depth - 1));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// What a log line says that is no JSON.
pub(super) fn text(mut text: String) -> String {
    cut(&mut text, TEXT);
    text
}

pub(super) fn short(mut text: String) -> String {
    cut(&mut text, NAME);
    text
}

fn attributes(attributes: &mut Vec<KeyValue>, dropped: &mut u32) {
    few(attributes, ATTRIBUTES, dropped);
    for attribute in attributes {
        cut(&mut attribute.key, NAME);
        let Some(value) = attribute.value.as_mut().and_then(|value| value.value.as_mut()) else { continue };
        if is_secret(&attribute.key) {
            *value = Value::StringValue(MASK.to_owned());
        }
        bound(value, DEPTH);
    }
}

/// Cuts texts and lists, and everything below a depth that no person reads.
fn bound(value: &mut Value, depth: usize) {
    let inner = |item: &mut AnyValue| match &mut item.value {
        Some(_) if depth == 0 => item.value = None,
        Some(value) => bound(value, depth - 1),
        None => {}
    };
    match value {
        Value::StringValue(text) => cut(text, TEXT),
        Value::BytesValue(bytes) => bytes.truncate(TEXT),
        Value::ArrayValue(array) => {
            array.values.truncate(ITEMS);
            array.values.iter_mut().for_each(inner);
        }
        Value::KvlistValue(map) => {
            map.values.truncate(ITEMS);
            map.values.iter_mut().for_each(|entry| cut(&mut entry.key, NAME));
            map.values.iter_mut().filter_map(|entry| entry.value.as_mut()).for_each(inner);
        }
        Value::BoolValue(_) | Value::IntValue(_) | Value::DoubleValue(_) | Value::StringValueStrindex(_) => {}
    }
}

fn few<T>(items: &mut Vec<T>, most: usize, dropped: &mut u32) {
    let excess = items.len().saturating_sub(most);
    items.truncate(most);
    *dropped = dropped.saturating_add(u32::try_from(excess).unwrap_or(u32::MAX));
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    let header = ["http.request.header.", "http.response.header.", "rpc.request.metadata."];
    let name = header.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(&key);
    SECRETS.contains(&name)
}

const NAME: usize = 1 << 10;
const TEXT: usize = 8 << 10;
const ATTRIBUTES: usize = 256;
const EVENTS: usize = 256;
const LINKS: usize = 128;
const ITEMS: usize = 256;
const DEPTH: usize = 8;
/// A stack may have so many frames, and variables may be as deep in them.
const ENTRIES: usize = 512;
const LEVELS: usize = 16;
const MASK: &str = "••••••";
const SECRETS: &[&str] = &[
    "access-token",
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-honeycomb-team",
    "x-rollbar-access-token",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &str, text: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    #[test]
    fn credentials_are_hidden_before_they_are_kept() {
        let keys =
            ["http.request.header.authorization", "http.request.header.x_honeycomb_team", "X-Honeycomb-Team"];
        let mut trimmed: Vec<KeyValue> = keys.iter().map(|key| text(key, "hunter2")).collect();
        attributes(&mut trimmed, &mut 0);
        assert_eq!(trimmed, keys.map(|key| text(key, MASK)));
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        let mut span = Span { attributes: vec![text("k", &"é".repeat(TEXT)); 300], ..Span::default() };
        super::span(&mut span);
        assert_eq!((span.attributes.len(), span.dropped_attributes_count), (256, 44));
        assert_eq!(span.attributes[0], text("k", &("é".repeat(TEXT / 2) + "…")));
    }
}
