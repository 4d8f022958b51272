//! Attributes: finding one, showing one, weighing many.

use std::borrow::Cow;
use std::mem::size_of;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::console::id::hex;

pub(super) fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key).and_then(value)
}

/// The first of some keys that has a text.
pub(super) fn text<'a>(attributes: &'a [KeyValue], keys: &[&str]) -> Option<&'a str> {
    let texts = keys.iter().filter_map(|key| match find(attributes, key) {
        Some(Value::StringValue(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.into_iter().find(|text| !text.is_empty())
}

/// The first of some keys that has a whole number, be it as a text.
pub(super) fn number(attributes: &[KeyValue], keys: &[&str]) -> Option<i64> {
    keys.iter().find_map(|key| match find(attributes, key) {
        Some(Value::IntValue(number)) => Some(*number),
        Some(Value::StringValue(text)) => text.parse().ok(),
        _ => None,
    })
}

pub(super) fn value(attribute: &KeyValue) -> Option<&Value> {
    attribute.value.as_ref()?.value.as_ref()
}

/// The name of a value's type.
pub(super) fn kind(value: Option<&Value>) -> &'static str {
    match value {
        Some(Value::StringValue(_)) => "string",
        Some(Value::BoolValue(_)) => "bool",
        Some(Value::IntValue(_)) => "int",
        Some(Value::DoubleValue(_)) => "double",
        Some(Value::ArrayValue(_)) => "array",
        Some(Value::KvlistValue(_)) => "map",
        Some(Value::BytesValue(_)) => "bytes",
        Some(Value::StringValueStrindex(_)) => "index",
        None => "empty",
    }
}

/// A value as a person reads it.
pub(super) fn show(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        Some(Value::StringValue(text)) => Cow::Borrowed(text),
        Some(Value::BoolValue(value)) => Cow::Borrowed(if *value { "true" } else { "false" }),
        Some(Value::IntValue(number)) => number.to_string().into(),
        Some(Value::DoubleValue(number)) => format!("{number:?}").into(),
        Some(Value::ArrayValue(array)) => format!("[{}]", list(array.values.iter().map(nested))).into(),
        Some(Value::KvlistValue(map)) => format!("{{{}}}", list(map.values.iter().map(entry))).into(),
        Some(Value::BytesValue(bytes)) => hex(bytes).into(),
        Some(Value::StringValueStrindex(index)) => format!("#{index}").into(),
        None => Cow::Borrowed(""),
    }
}

/// Whether a key or a value has the text in it; `text` is in lower case.
pub(super) fn mentions(attributes: &[KeyValue], text: &str) -> bool {
    let mention = |attribute: &KeyValue| {
        attribute.key.to_lowercase().contains(text) || show(value(attribute)).to_lowercase().contains(text)
    };
    attributes.iter().any(mention)
}

/// How many bytes attributes take, about.
pub(super) fn weight(attributes: &[KeyValue]) -> usize {
    let one = |attribute: &KeyValue| {
        size_of::<KeyValue>() + attribute.key.len() + value(attribute).map_or(0, weight_of)
    };
    attributes.iter().map(one).sum()
}

fn weight_of(value: &Value) -> usize {
    match value {
        Value::StringValue(text) => text.len(),
        Value::BytesValue(bytes) => bytes.len(),
        Value::KvlistValue(map) => weight(&map.values),
        Value::ArrayValue(array) => {
            let one = |item: &AnyValue| size_of::<AnyValue>() + item.value.as_ref().map_or(0, weight_of);
            array.values.iter().map(one).sum()
        }
        Value::BoolValue(_) | Value::IntValue(_) | Value::DoubleValue(_) | Value::StringValueStrindex(_) => 0,
    }
}

fn nested(item: &AnyValue) -> String {
    match item.value.as_ref() {
        Some(Value::StringValue(text)) => format!("{text:?}"),
        value => show(value).into_owned(),
    }
}

fn entry(attribute: &KeyValue) -> String {
    let KeyValue { key, value, .. } = attribute;
    format!("{key:?}: {}", value.as_ref().map_or_else(String::new, nested))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
