//! OTLP as JSON, also where an exporter writes it a little wrong.
//!
//! The strict reader goes first, since it is the faster one. What it refuses and exporters send all the same is put
//! right and read again: a `null` for a field that is absent, the name of an enum in place of its number, a double
//! that is a text, a list without its `values`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::receive::bound;

pub(super) fn decode(bytes: &[u8]) -> Result<ExportTraceServiceRequest, String> {
    match serde_json::from_slice::<ExportTraceServiceRequest>(bytes) {
        Ok(request) if !request.resource_spans.is_empty() => Ok(request),
        Err(error) if !bound::json_fits(bytes, OBJECTS, ITEMS) => Err(error.to_string()),
        // An empty one may be something else altogether, all of whose fields were passed over.
        Ok(_) | Err(_) => again(bytes),
    }
}

fn again(bytes: &[u8]) -> Result<ExportTraceServiceRequest, String> {
    let mut document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    tidy(&mut document);
    match &mut document {
        Value::Object(fields) if fields.is_empty() => return Ok(ExportTraceServiceRequest::default()),
        Value::Object(fields) if !fields.contains_key("resourceSpans") => {
            return Err("no resourceSpans".to_owned());
        }
        Value::Object(_) => {}
        _ => return Err("not an object".to_owned()),
    }
    ExportTraceServiceRequest::deserialize(&document)
        .map_err(|error| locate(&document).unwrap_or_else(|| error.to_string()))
}

fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(tidy);
        }
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(tidy);
            repair(fields);
        }
        _ => {}
    }
}

fn repair(fields: &mut Map<String, Value>) {
    let named = |field: Option<&Value>, number: fn(&str) -> Option<i32>| number(field?.as_str()?);
    if let Some(kind) =
        named(fields.get("kind"), |name| SpanKind::from_str_name(name).map(|kind| kind as i32))
    {
        fields.insert("kind".to_owned(), json!(kind));
    }
    if let Some(code) =
        named(fields.get("code"), |name| StatusCode::from_str_name(name).map(|code| code as i32))
    {
        fields.insert("code".to_owned(), json!(code));
    }
    for list in ["arrayValue", "kvlistValue"] {
        if let Some(Value::Object(list)) = fields.get_mut(list) {
            list.entry("values").or_insert_with(|| json!([]));
        }
    }
    if let Some(Value::String(text)) = fields.get("doubleValue").cloned() {
        fields.remove("doubleValue");
        let (key, value) = double(text);
        fields.insert(key.to_owned(), value);
    }
}

/// JSON has no `NaN`; it stays the text that it was.
fn double(text: String) -> (&'static str, Value) {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => ("doubleValue", json!(number)),
        _ => ("stringValue", Value::String(text)),
    }
}

/// Where the first span is that cannot be read, and why.
fn locate(document: &Value) -> Option<String> {
    for (i, resource) in items(document, "resourceSpans") {
        for (j, scope) in items(resource, "scopeSpans") {
            for (k, span) in items(scope, "spans") {
                if let Some(error) = error::<opentelemetry_proto::tonic::trace::v1::Span>(span) {
                    return Some(format!("resourceSpans[{i}].scopeSpans[{j}].spans[{k}]: {error}"));
                }
            }
        }
    }
    None
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn error<'a, T: Deserialize<'a>>(value: &'a Value) -> Option<String> {
    T::deserialize(value).err().map(|error| error.to_string())
}

/// What has more of them is not read again: JSON of any shape takes many times the memory of JSON of a known one.
const OBJECTS: usize = 1 << 17;
const ITEMS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(span: &str) -> Result<ExportTraceServiceRequest, String> {
        decode(format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#).as_bytes())
    }

    #[test]
    fn what_exporters_write_a_little_wrong_is_read() {
        let request = with(
            r#"{"name":"n","kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR","message":null},"links":null,
                "attributes":[null,{"key":"a","value":{"doubleValue":"NaN"}},{"key":"b","value":{"doubleValue":"1.5"}},
                {"key":"c","value":{"arrayValue":{}}},{"key":"d","value":null}]}"#,
        );
        let span = &request.expect("readable").resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(span.kind, 2);
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
        assert_eq!(span.attributes.len(), 4);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = with(r#"{"spanId":"0102030405060708"},{"spanId":"123"}"#).expect_err("odd digits");
        assert!(error.starts_with("resourceSpans[0].scopeSpans[0].spans[1]: "), "{error}");
        assert_eq!(decode(b"[]").expect_err("a list"), "not an object");
        assert_eq!(decode(br#"{"resource":1}"#).expect_err("something else"), "no resourceSpans");
        assert!(decode(b"{}").is_ok());
    }
}
