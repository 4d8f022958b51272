use opentelemetry::{
    Array, KeyValue, Value,
    trace::{Event, Link, Status},
};
use opentelemetry_sdk::trace::SpanData;

/// About how many bytes a span takes, in memory and before compression on the wire. Cheap, and rather too large.
pub(super) fn size(span: &SpanData) -> usize {
    let SpanData { name, attributes, events, links, status, .. } = span;
    let status = if let Status::Error { description } = status { description.len() } else { 0 };
    SPAN + name.len() + status + attached(attributes, &events.events, &links.links)
}

/// About how many bytes is attached to a span.
pub(super) fn attached(attributes: &[KeyValue], events: &[Event], links: &[Link]) -> usize {
    let events = events.iter().map(|event| EVENT + event.name.len() + all(&event.attributes));
    let links = links.iter().map(|link| EVENT + all(&link.attributes));
    all(attributes) + events.sum::<usize>() + links.sum::<usize>()
}

fn all(attributes: &[KeyValue]) -> usize {
    attributes.iter().map(|pair| ATTRIBUTE + pair.key.as_str().len() + value(&pair.value)).sum()
}

fn value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.as_str().len(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| ATTRIBUTE + text.as_str().len()).sum(),
        Value::Array(Array::I64(numbers)) => 8 * numbers.len(),
        Value::Array(Array::F64(numbers)) => 8 * numbers.len(),
        Value::Array(Array::Bool(flags)) => flags.len(),
        _ => 8,
    }
}

const SPAN: usize = 320;
const EVENT: usize = 64;
const ATTRIBUTE: usize = 48;
