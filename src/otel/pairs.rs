//! Attributes as OTLP has them, read back.

use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_proto::tonic::common::v1::{self as common, AnyValue, any_value::Value as Any};

/// All of them; nothing if one is none that an attribute can have.
pub(super) fn attributes(pairs: Vec<common::KeyValue>) -> Option<Vec<KeyValue>> {
    pairs.into_iter().map(|pair| Some(KeyValue::new(pair.key, value(pair.value?.value?)?))).collect()
}

fn value(value: Any) -> Option<Value> {
    match value {
        Any::StringValue(text) => Some(Value::String(text.into())),
        Any::BoolValue(flag) => Some(Value::Bool(flag)),
        Any::IntValue(number) => Some(Value::I64(number)),
        Any::DoubleValue(number) => Some(Value::F64(number)),
        Any::ArrayValue(array) => self::array(array.values).map(Value::Array),
        _ => None,
    }
}

/// All of its values are of one type. One of none is of texts, since OTLP does not tell.
fn array(values: Vec<AnyValue>) -> Option<Array> {
    match values.first().and_then(|first| first.value.as_ref()) {
        Some(Any::BoolValue(_)) => all(values, |value| match value {
            Any::BoolValue(flag) => Some(flag),
            _ => None,
        })
        .map(Array::Bool),
        Some(Any::IntValue(_)) => all(values, |value| match value {
            Any::IntValue(number) => Some(number),
            _ => None,
        })
        .map(Array::I64),
        Some(Any::DoubleValue(_)) => all(values, |value| match value {
            Any::DoubleValue(number) => Some(number),
            _ => None,
        })
        .map(Array::F64),
        _ => all(values, |value| match value {
            Any::StringValue(text) => Some(text.into()),
            _ => None,
        })
        .map(Array::String),
    }
}

fn all<T>(values: Vec<AnyValue>, read: impl Fn(Any) -> Option<T>) -> Option<Vec<T>> {
    values.into_iter().map(|any| any.value.and_then(&read)).collect()
}
