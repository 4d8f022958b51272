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

use crate::trace::{Propagation, Propagator};

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
}

/// The baggage that a request brings, in `context`, if it is to be read and may be passed on.
pub(super) fn extract(propagation: &Propagation, headers: &HeaderMap, context: &Context) -> Context {
    if !propagation.has(Propagator::Baggage) || !propagation.passes_on() || !headers.contains_key(NAME) {
        return context.clone();
    }
    BaggagePropagator::new().extract_with_context(context, &Joined::of(headers))
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

/// The header's lines as one, as the recommendation says for repeated ones.
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
        Self { keys: distinct }
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
                span.set_attribute(KeyValue::new(key.clone(), cut(value.as_str()).to_owned()));
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
        let lines: Vec<_> = headers.get_all(NAME).iter().filter_map(|line| line.to_str().ok()).collect();
        Self(lines.join(","))
    }
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
