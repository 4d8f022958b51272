//! What keeps secrets out of attributes.

use std::borrow::Cow;

use opentelemetry::{Array, StringValue, Value};

use super::attributes::{TEXT, cut};
use crate::{
    exchange::{Query, redact},
    scrub::{Scrubber, beginning},
};

/// A message as it may be shown, and as long as one may be.
pub(super) fn message(scrubber: &Scrubber, message: &str) -> String {
    cut(&scrubber.text(beginning(message, TEXT)), TEXT).to_owned()
}

/// The path of a URL, in which a value that the route calls a secret is none to show.
pub(super) fn path<'a>(scrubber: &Scrubber, path: &'a str, route: Option<&str>) -> Cow<'a, str> {
    match route.and_then(|route| redact(route, path, |name| scrubber.is_secret(name))) {
        Some(hidden) => Cow::Owned(scrubber.url(&hidden).into_owned()),
        None => scrubber.url(path),
    }
}

/// A query of which no more is kept than the policy says, and of that no secret.
pub(super) fn query(scrubber: &Scrubber, policy: &Query, query: &str) -> String {
    let shown = policy.redact(query);
    let scrubbed = match policy {
        // There are names alone, which are none of a secret's value.
        Query::Redacted => names(scrubber, query, &shown),
        _ => scrubber.query(&shown),
    };
    match scrubbed {
        Cow::Borrowed(_) => shown,
        Cow::Owned(scrubbed) => scrubbed,
    }
}

/// What is shown of a query, names alone, without those that are a secret by their looks. Most queries have no such look, to
/// which the word that stands for a value in what is shown comes close.
fn names<'a>(scrubber: &Scrubber, query: &str, shown: &'a str) -> Cow<'a, str> {
    let name = |part: &'a str| part.split('=').next().unwrap_or_default();
    let is_secret = |part: &'a str| matches!(scrubber.text(name(part)), Cow::Owned(_));
    let has_secret = scrubber.may_leak(query) && shown.split('&').any(is_secret);
    if has_secret { scrubber.query(shown) } else { Cow::Borrowed(shown) }
}

/// What a handler has told of its exchange, as it may be shown, and as long as a text may be.
pub(super) fn annotation(scrubber: &Scrubber, key: &str, mut value: Value) -> Value {
    shorten(&mut value, |text| beginning(text, TEXT));
    hide(scrubber, key, &mut value);
    shorten(&mut value, |text| cut(text, TEXT));
    value
}

fn shorten(value: &mut Value, short: impl FnOnce(&str) -> &str) {
    if let Value::String(text) = value
        && text.as_str().len() > TEXT
    {
        *text = short(text.as_str()).to_owned().into();
    }
}

/// Hides what is a secret in the value of an attribute, by its name or by its looks. Flags tell nothing.
pub(super) fn hide(scrubber: &Scrubber, name: &str, value: &mut Value) {
    match value {
        Value::String(text) => hide_text(scrubber, name, text),
        Value::Array(Array::String(texts)) => {
            texts.iter_mut().for_each(|text| hide_text(scrubber, name, text));
        }
        Value::Bool(_) | Value::Array(Array::Bool(_)) => {}
        _ if scrubber.is_secret(name) => *value = Value::from(scrubber.value(name, "number").into_owned()),
        _ => {}
    }
}

fn hide_text(scrubber: &Scrubber, name: &str, text: &mut StringValue) {
    let scrubbed = scrubber.value(name, text.as_str());
    if scrubbed != text.as_str() {
        *text = scrubbed.into_owned().into();
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_path_loses_what_the_route_calls_a_secret_and_what_looks_like_one() {
        let shown = |text: &'static str, route| path(&Scrubber::default(), text, route).into_owned();
        assert_eq!(shown("/tokens/canary/7", Some("/tokens/{token}/{id}")), "/tokens/REDACTED/7");
        assert_eq!(shown("/carts/AKIAIOSFODNN7EXAMPLE", None), "/carts/REDACTED");
        assert!(matches!(path(&Scrubber::default(), "/carts/7", Some("/carts/{id}")), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn a_name_that_is_a_secret_is_found_in_any_query(
            parts in vec("(&|=|:|%|-|//|AKIAIOSFODNN7EXAMPLE|Bearer |token|\\{\"token\":\"x\"\\}|[a-z{\\[_]|é){1,3}", 0..9),
        ) {
            let (scrubber, query) = (Scrubber::default(), parts.concat());
            let shown = Query::Redacted.redact(&query);
            let name = |part: &str| part.split('=').next().unwrap_or_default().to_owned();
            let has_secret = shown.split('&').any(|part| scrubber.text(&name(part)) != name(part));
            let expected = if has_secret { scrubber.query(&shown).into_owned() } else { shown.clone() };
            prop_assert_eq!(names(&scrubber, &query, &shown), expected);
        }
    }

    #[test]
    fn what_is_kept_of_a_query_is_scrubbed() {
        let shown = |policy: Query, text| query(&Scrubber::default(), &policy, text);
        assert_eq!(shown(Query::Redacted, "page=2&token=canary"), "page=REDACTED&token=REDACTED");
        assert_eq!(shown(Query::Redacted, "AKIAIOSFODNN7EXAMPLE=&a"), "REDACTED=&REDACTED");
        assert_eq!(
            shown(Query::Conventional, "page=2&token=canary&q=Bearer+canary"),
            "page=2&token=REDACTED&q=REDACTED"
        );
        assert_eq!(shown(Query::only(["token", "page"]), "token=canary&page=2"), "token=REDACTED&page=2");
    }

    #[test]
    fn an_annotation_is_hidden_and_cut() {
        let shown = |key, value: Value| annotation(&Scrubber::default(), key, value);
        assert_eq!(shown("pin", 1701.into()), "REDACTED".into());
        assert_eq!(shown("note", "token=canary".into()), "token=REDACTED".into());
        let long = format!("{} https://me:canary@shop.example/", "\u{e4}".repeat(2_040));
        let Value::String(text) = shown("note", long.into()) else { panic!("a text") };
        assert!(text.as_str().len() <= TEXT && !text.as_str().contains("can"), "{text}");
    }

    #[test]
    fn attributes_are_hidden_by_name_and_by_looks() {
        let shown = |name, value: Value| {
            let mut value = value;
            hide(&Scrubber::default(), name, &mut value);
            value
        };
        assert_eq!(shown("pin", 1701.into()), "REDACTED".into());
        assert_eq!(shown("pin", true.into()), true.into());
        assert_eq!(shown("cart", 17.into()), 17.into());
        assert_eq!(shown("note", "Bearer canary".into()), "Bearer REDACTED".into());
        let list =
            |texts: [&'static str; 2]| Value::Array(Array::String(texts.map(StringValue::from).into()));
        assert_eq!(shown("notes", list(["a", "token=canary"])), list(["a", "token=REDACTED"]));
    }
}
