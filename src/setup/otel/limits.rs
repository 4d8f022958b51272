use opentelemetry_sdk::trace::SpanLimits;

use super::env::Env;

/// How much a span may hold, by `OTEL_SPAN_*_LIMIT`, `OTEL_ATTRIBUTE_*_LIMIT` and their like. Each is said here, so that
/// the SDK's own look at the process's environment has no effect.
pub(super) fn limits(env: &Env) -> SpanLimits {
    let default = SpanLimits::default();
    let count = |names: &[&str], default: u32| env.number(names, Some(default), |_| true).unwrap_or(default);
    let SpanLimits {
        max_events_per_span: events,
        max_attributes_per_span: attributes,
        max_links_per_span: links,
        max_attributes_per_event: of_event,
        max_attributes_per_link: of_link,
    } = default;
    SpanLimits {
        max_events_per_span: count(&["OTEL_SPAN_EVENT_COUNT_LIMIT"], events),
        max_attributes_per_span: count(&["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", ATTRIBUTES], attributes),
        max_links_per_span: count(&["OTEL_SPAN_LINK_COUNT_LIMIT"], links),
        max_attributes_per_event: count(&["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"], of_event),
        max_attributes_per_link: count(&["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"], of_link),
    }
}

/// How many characters a text may have; none where nothing is cut.
pub(super) fn value_length(env: &Env) -> Option<usize> {
    env.number(&["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"], None, |_| {
        true
    })
}

const ATTRIBUTES: &str = "OTEL_ATTRIBUTE_COUNT_LIMIT";
