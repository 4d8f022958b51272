//! What spans and log records cost, and what they are worth.

use std::time::Duration;

use opentelemetry::{
    KeyValue, Value,
    logs::Severity,
    trace::{Status, TraceId},
};
use opentelemetry_sdk::{logs::SdkLogRecord, trace::SpanData};

use super::{
    attributes::{ERROR_TYPE, HTTP_STATUS},
    recorded::Recorded,
    span_record::SpanRecord,
};
use crate::outbox::{Price, Tariff, Unit};

/// Honeycomb counts span events and links like spans.
pub(super) fn spans() -> Tariff<SpanRecord> {
    Tariff::new(Unit::SPANS, record).weigh(|record, weight| weigh(record.data_mut(), weight))
}

fn record(record: &SpanRecord) -> Price {
    match record {
        SpanRecord::Exchange(recorded) => good(recorded).unwrap_or_else(|| span(&recorded.span_data())),
        SpanRecord::Data(data) => span(data),
    }
}

/// The price of an exchange that went well and to which nobody has added something, of which no span is made for that.
fn good(recorded: &Recorded) -> Option<Price> {
    let has_failed =
        recorded.status.is_some_and(|status| status.as_u16() >= 500) || !recorded.rest().outcome.is_good();
    let took = recorded.ended().duration_since(recorded.started()).unwrap_or(Duration::ZERO);
    let price = || Price::units(1).trace(lower_half(recorded.arrived.trace_id())).took(took);
    (recorded.is_usual() && !has_failed).then(price)
}

fn span(span: &SpanData) -> Price {
    let attached = span.events.len() + span.links.len();
    let took = span.end_time.duration_since(span.start_time).unwrap_or(Duration::ZERO);
    let price = Price::units(1 + attached as u64).trace(lower_half(span.span_context.trace_id())).took(took);
    if !has_failed(span) {
        return price;
    }
    let kind = attribute(span, ERROR_TYPE).or_else(|| attribute(span, HTTP_STATUS));
    price.failed((&span.name, kind.map(Value::to_string)))
}

fn has_failed(span: &SpanData) -> bool {
    let status = attribute(span, HTTP_STATUS);
    matches!(span.status, Status::Error { .. })
        || matches!(status, Some(Value::I64(status)) if *status >= 500)
}

fn attribute<'a>(span: &'a SpanData, key: &str) -> Option<&'a Value> {
    span.attributes.iter().rev().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value)
}

/// What a sampler has left out already counts, too.
fn weigh(span: &mut SpanData, weight: u32) {
    let weight = i64::from(weight);
    let is_rate = |pair: &&mut KeyValue| pair.key.as_str().eq_ignore_ascii_case(SAMPLE_RATE);
    match span.attributes.iter_mut().rev().find(is_rate) {
        Some(KeyValue { value: Value::I64(rate), .. }) => *rate = (*rate).max(1).saturating_mul(weight),
        Some(KeyValue { value: Value::F64(rate), .. }) => *rate = rate.max(1.0) * weight as f64,
        Some(pair) => pair.value = weight.into(),
        None => span.attributes.push(KeyValue::new(SAMPLE_RATE, weight)),
    }
}

/// Honeycomb counts a log record like a span.
pub(super) fn log(record: &SdkLogRecord) -> Price {
    let price = Price::units(1);
    let price = match record.trace_context() {
        Some(context) => price.trace(lower_half(context.trace_id)),
        None => price,
    };
    match record.severity_number() {
        Some(severity) if severity >= Severity::Error => price.failed((record.event_name(), record.target())),
        Some(severity) if severity >= Severity::Warn => price.important(),
        Some(severity) if severity < Severity::Info => price.idle(),
        _ => price,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it is the half that is random")]
fn lower_half(id: TraceId) -> u64 {
    u128::from_be_bytes(id.to_bytes()) as u64
}

/// <https://docs.honeycomb.io/manage-data-volume/sample/>
const SAMPLE_RATE: &str = "SampleRate";

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::UNIX_EPOCH};

    use http::StatusCode;
    use opentelemetry::{
        InstrumentationScope,
        trace::{Event, SpanContext, SpanId, SpanKind, TraceFlags, TraceState},
    };
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;
    use crate::otel::recorded::example;

    const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

    fn took(milliseconds: u64) -> SpanData {
        let (trace, id) = (TraceId::from(TRACE), SpanId::from(1));
        SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Server,
            name: Cow::Borrowed("GET /carts/{id}"),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH + Duration::from_millis(milliseconds),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    fn with(status: i64) -> SpanData {
        SpanData { attributes: vec![KeyValue::new(HTTP_STATUS, status)], ..took(12) }
    }

    #[test]
    fn an_exchange_costs_what_its_span_does_and_none_is_made_of_most() {
        for status in [StatusCode::OK, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
            let recorded = example(status);
            assert_eq!(good(&recorded).is_some(), status != StatusCode::BAD_GATEWAY);
            let expected = span(&recorded.span_data());
            assert_eq!(record(&SpanRecord::Exchange(recorded)), expected, "{status}");
        }
    }

    #[test]
    fn a_span_costs_one_and_one_for_each_of_its_events() {
        let mut data = took(12);
        let good = Price::units(1).trace(0xa3ce_929d_0e0e_4736).took(Duration::from_millis(12));
        assert_eq!(span(&data), good);
        data.events.events.push(Event::new("exception", UNIX_EPOCH, Vec::new(), 0));
        assert_eq!(span(&data), Price::units(2).trace(0xa3ce_929d_0e0e_4736).took(Duration::from_millis(12)));
    }

    #[test]
    fn failures_are_of_a_kind_by_their_route_and_their_type() {
        let (good, bad) = (span(&with(404)), span(&with(500)));
        assert_ne!(good, bad);
        assert_eq!(span(&with(500)), bad);
        assert_ne!(span(&with(503)), bad);
        let failed = SpanData { status: Status::error("refused"), ..with(404) };
        assert_ne!(span(&failed), good);
    }

    #[test]
    fn what_a_span_stands_for_is_multiplied() {
        let rate = |mut span: SpanData, weight| {
            weigh(&mut span, weight);
            assert_eq!(span.attributes.len(), 1);
            span.attributes.remove(0)
        };
        let sampled =
            |rate: Value| SpanData { attributes: vec![KeyValue::new(SAMPLE_RATE, rate)], ..took(12) };
        assert_eq!(rate(took(12), 8), KeyValue::new(SAMPLE_RATE, 8));
        assert_eq!(rate(sampled(10.into()), 8), KeyValue::new(SAMPLE_RATE, 80));
        assert_eq!(rate(sampled(2.5.into()), 2), KeyValue::new(SAMPLE_RATE, 5.0));
        assert_eq!(rate(sampled(i64::MAX.into()), 2), KeyValue::new(SAMPLE_RATE, i64::MAX));
        assert_eq!(rate(sampled("many".into()), 2), KeyValue::new(SAMPLE_RATE, 2));
    }
}
