use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
};
use opentelemetry_sdk::propagation::BaggagePropagator;

use crate::trace::{Propagation, Propagator};

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
        BaggagePropagator::new().inject_context(context, &mut Into(headers));
    }
}

/// The header's lines as one, as the recommendation says for repeated ones.
struct Joined(String);

struct Into<'a>(&'a mut HeaderMap);

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

// ===== impl Into =====

impl Injector for Into<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

const NAME: HeaderName = HeaderName::from_static("baggage");
