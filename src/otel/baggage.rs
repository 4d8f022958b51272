use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, Key, KeyValue,
    baggage::{Baggage, BaggageExt as _},
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::Span as _,
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    propagation::BaggagePropagator,
    trace::{Span, SpanData, SpanProcessor},
};
use percent_encoding::percent_decode_str;

use crate::{
    exchange::Head,
    scrub::Scrubber,
    trace::{Propagation, Propagator, Scope},
};

/// The SDK's span processor that puts entries of the baggage onto every span that is started: a layer's and those made by
/// hand alike. The attribute has the entry's key, and its value as text, at most 1,024 characters of it.
///
/// Only the listed keys, since baggage comes from others: what a caller that is not
/// [trusted](crate::trace::TrustIncoming) sends never becomes baggage here. An entry that is set later is on the spans
/// started after it. It needs the propagator for [baggage](Propagator::Baggage) where the entries come by a header.
///
/// ```
/// use belvedere::otel::{BaggageAttributes, Ids};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(Ids)
///     .with_span_processor(BaggageAttributes::new(["tenant", "plan"]))
///     .build();
/// ```
#[derive(Clone, Debug)]
pub struct BaggageAttributes {
    keys: Vec<Key>,
    scrubber: Scrubber,
}

/// The context of a scope with the baggage that its request brings, if that is to be read and may be passed on.
pub(super) fn extract(propagation: &Propagation, headers: &HeaderMap, scope: &Scope) -> Option<Context> {
    let is_there = || scope.fresh_head(headers).map_or_else(|| headers.contains_key(NAME), Head::has_baggage);
    if !propagation.has(Propagator::Baggage) || !propagation.passes_on() || !is_there() {
        return None;
    }
    let joined = Joined::of(headers);
    (!joined.0.is_empty()).then(|| BaggagePropagator::new().extract_with_context(scope.context(), &joined))
}

/// Writes the baggage in `context` into a request that leaves.
pub(super) fn inject(propagation: &Propagation, context: &Context, headers: &mut HeaderMap) {
    if propagation.has(Propagator::Baggage) {
        BaggagePropagator::new().inject_context(context, &mut Headers(headers));
    }
}

/// A context with the baggage of another one, and nothing else of it.
pub(super) fn alone(context: &Context) -> Context {
    let baggage = context.baggage();
    if baggage.is_empty() {
        return Context::new();
    }
    let entries = baggage.iter().map(|(key, entry)| (key.clone(), entry.clone()));
    Context::new().with_baggage(entries.collect::<Baggage>())
}

/// The header's lines as one, as the recommendation says for repeated ones, and of each only what the SDK reads as it is
/// meant: it logs the whole header for each entry that it cannot read, and a stranger can send many of these.
struct Joined(String);

struct Headers<'a>(&'a mut HeaderMap);

// ===== impl BaggageAttributes =====

impl BaggageAttributes {
    /// A processor for the entries with these keys, which are case-sensitive.
    pub fn new<K: Into<Key>>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut distinct: Vec<Key> = Vec::new();
        for key in keys.into_iter().map(Into::into) {
            if !distinct.contains(&key) {
                distinct.push(key);
            }
        }
        Self { keys: distinct, scrubber: Scrubber::default() }
    }

    /// What keeps secrets in. Default: [`Scrubber::default`], whose lists are wide.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.scrubber = scrubber;
        self
    }
}

impl SpanProcessor for BaggageAttributes {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let baggage = context.baggage();
        if baggage.is_empty() {
            return;
        }
        for key in &self.keys {
            if let Some(value) = baggage.get(key) {
                let shown = self.scrubber.value(key.as_str(), value.as_str());
                span.set_attribute(KeyValue::new(key.clone(), cut(&shown).to_owned()));
            }
        }
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn cut(value: &str) -> &str {
    let end = value.char_indices().nth(LONGEST).map_or(value.len(), |(at, _)| at);
    &value[..end]
}

// ===== impl Joined =====

impl Joined {
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(NAME).iter().filter_map(|line| line.to_str().ok());
        let entries: Vec<_> = lines.flat_map(|line| line.split(',')).filter_map(entry).collect();
        Self(entries.join(","))
    }
}

/// An entry, if it is one. The SDK takes a value to end at its first `=`, and writes properties without encoding them
/// again: one with a comma in it would be another entry, here or, with a `%` before its number, one hop further.
fn entry(text: &str) -> Option<String> {
    let mut parts = text.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    if !is_text(name) || !is_text(value) {
        return None;
    }
    let value = value.replace('=', "%3D");
    let properties = parts.filter(|property| is_property(property)).flat_map(|property| [";", property]);
    Some([name, "=", &value].into_iter().chain(properties).collect())
}

fn is_text(text: &str) -> bool {
    percent_decode_str(text).decode_utf8().is_ok()
}

fn is_property(text: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b';' | b'%');
    percent_decode_str(text).all(is_plain)
}

impl Extractor for Joined {
    fn get(&self, key: &str) -> Option<&str> {
        (key == NAME.as_str()).then_some(&self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["baggage"]
    }
}

// ===== impl Headers =====

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            // A map that is full refuses; telemetry does without, rather than panic.
            let _ = self.0.try_insert(name, value);
        }
    }
}

const NAME: HeaderName = HeaderName::from_static("baggage");

/// In characters.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lines: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(NAME, HeaderValue::from_static(line));
        }
        Joined::of(&headers).0
    }

    #[test]
    fn entries_stay_as_they_are_and_what_is_none_is_left_out() {
        assert_eq!(joined(&["a=1;p;q=%20x", "b = %C3%A9"]), "a=1;p;q=%20x,b = %C3%A9");
        for none in ["", ",,", "canary", "a=%FF", "%FF=a", ";a=b"] {
            assert_eq!(joined(&[none]), "", "{none}");
        }
        assert_eq!(joined(&["canary,a=1,%FF=2,"]), "a=1");
    }

    #[test]
    fn a_property_that_would_become_something_else_is_left_out() {
        assert_eq!(joined(&["a=1;p%2Ctenant=evil;q"]), "a=1;q");
        assert_eq!(joined(&["a=1;%0A,b=2;%3B"]), "a=1,b=2");
        assert_eq!(joined(&["a=1;p%252Ctenant=evil;q"]), "a=1;q", "the next one would read a comma");
    }
}
