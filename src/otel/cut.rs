//! Texts that are too long.

use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SpanData;

/// Cuts each text among the attributes of a span, its events and its links.
pub(super) fn span(span: &mut SpanData, characters: usize) {
    attributes(&mut span.attributes, characters);
    span.events.events.iter_mut().for_each(|event| attributes(&mut event.attributes, characters));
    span.links.links.iter_mut().for_each(|link| attributes(&mut link.attributes, characters));
}

fn attributes(attributes: &mut [KeyValue], characters: usize) {
    for pair in attributes {
        match &mut pair.value {
            Value::String(value) => text(value, characters),
            Value::Array(Array::String(values)) => {
                values.iter_mut().for_each(|value| text(value, characters))
            }
            _ => {}
        }
    }
}

fn text(value: &mut StringValue, characters: usize) {
    if let Some((end, _)) = value.as_str().char_indices().nth(characters) {
        *value = value.as_str()[..end].to_owned().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(value: impl Into<Value>, characters: usize) -> Value {
        let mut pairs = [KeyValue::new("key", value)];
        attributes(&mut pairs, characters);
        let [pair] = pairs;
        pair.value
    }

    #[test]
    fn a_text_keeps_as_many_characters_not_bytes() {
        assert_eq!(cut("äöü", 2), Value::from("äö"));
        assert_eq!(cut("äöü", 3), Value::from("äöü"));
        assert_eq!(cut("äöü", 0), Value::from(""));
    }

    #[test]
    fn the_texts_of_an_array_are_cut_one_by_one() {
        let array =
            |texts: [&'static str; 2]| Value::Array(Array::String(texts.map(StringValue::from).to_vec()));
        assert_eq!(cut(array(["tea", "cake"]), 3), array(["tea", "cak"]));
    }

    #[test]
    fn what_is_no_text_stays() {
        assert_eq!(cut(1234, 2), Value::I64(1234));
    }
}
