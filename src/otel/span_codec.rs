//! Spans as they lie on the disk, and back: a `ScopeSpans` of OTLP with one span in it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{
    InstrumentationScope, SpanId, TraceFlags, TraceId,
    trace::{Event, Link, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_proto::tonic::{
    common::v1 as common,
    trace::v1::{self as otlp, ScopeSpans, SpanFlags},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::{pairs::attributes, span_record::SpanRecord, span_writer, stored};
use crate::outbox::Codec;

/// What a span and a link say of a context.
struct Context<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    flags: u32,
    trace_state: &'a str,
    is_remote: bool,
}

// ===== impl Context =====

impl Context<'_> {
    fn read(self) -> Option<SpanContext> {
        let Self { trace_id, span_id, flags, trace_state, is_remote } = self;
        let trace_id = TraceId::from_bytes(trace_id.try_into().ok()?);
        // The others of its bits say who knows what is remote.
        let flags = TraceFlags::new((flags & SpanFlags::TraceFlagsMask as u32) as u8);
        let span_id = SpanId::from_bytes(span_id.try_into().ok()?);
        Some(SpanContext::new(trace_id, span_id, flags, is_remote, state(trace_state)?))
    }
}

/// How spans are written to the disk.
pub(super) fn codec() -> Codec<SpanData> {
    Codec::new(|span, to| stored::write(&scope_spans(span), to), |bytes| span_data(stored::read(bytes)?))
}

/// How what waits in a lane is written to the disk, most of it without a span of the SDK's in between. Of each that is read
/// is told first.
pub(super) fn of_records(tell: impl Fn() + Send + Sync + 'static) -> Codec<SpanRecord> {
    let read = move |bytes: &[u8]| {
        tell();
        span_data(stored::read(bytes)?).map(SpanRecord::from)
    };
    Codec::new(write, read)
}

fn write(record: SpanRecord, to: &mut Vec<u8>) {
    let is_written = match &record {
        SpanRecord::Exchange(recorded) => {
            stored::write_straight(|to| span_writer::scope_spans(recorded, to), to)
        }
        SpanRecord::Data(_) => false,
    };
    if !is_written {
        stored::write(&scope_spans(record.into_data()), to);
    }
}

fn scope_spans(span: SpanData) -> ScopeSpans {
    let scope = &span.instrumentation_scope;
    ScopeSpans {
        schema_url: scope.schema_url().unwrap_or_default().to_owned(),
        scope: Some((scope, None).into()),
        spans: vec![span.into()],
    }
}

fn span_data(ScopeSpans { scope, schema_url, spans }: ScopeSpans) -> Option<SpanData> {
    let [span] = <[otlp::Span; 1]>::try_from(spans).ok()?;
    let context = Context {
        trace_id: &span.trace_id,
        span_id: &span.span_id,
        flags: span.flags,
        trace_state: &span.trace_state,
        // Its own context is of the process that made it.
        is_remote: false,
    };
    Some(SpanData {
        span_context: context.read()?,
        parent_span_id: parent(&span.parent_span_id)?,
        parent_span_is_remote: is_remote(span.flags),
        span_kind: kind(span.kind)?,
        name: span.name.into(),
        start_time: time(span.start_time_unix_nano),
        end_time: time(span.end_time_unix_nano),
        attributes: attributes(span.attributes)?,
        dropped_attributes_count: span.dropped_attributes_count,
        events: events(span.events, span.dropped_events_count)?,
        links: links(span.links, span.dropped_links_count)?,
        status: status(span.status)?,
        instrumentation_scope: instrumentation_scope(scope?, schema_url)?,
    })
}

/// The SDK's own way to read it trims values, which is right for a header and wrong here.
fn state(header: &str) -> Option<TraceState> {
    if header.is_empty() {
        return Some(TraceState::NONE);
    }
    let members: Option<Vec<_>> = header.split(',').map(|member| member.split_once('=')).collect();
    TraceState::from_key_value(members?).ok()
}

fn parent(id: &[u8]) -> Option<SpanId> {
    if id.is_empty() { Some(SpanId::INVALID) } else { Some(SpanId::from_bytes(id.try_into().ok()?)) }
}

fn is_remote(flags: u32) -> bool {
    flags & SpanFlags::ContextIsRemoteMask as u32 != 0
}

fn kind(kind: i32) -> Option<SpanKind> {
    match otlp::span::SpanKind::try_from(kind).ok()? {
        otlp::span::SpanKind::Unspecified => None,
        otlp::span::SpanKind::Internal => Some(SpanKind::Internal),
        otlp::span::SpanKind::Server => Some(SpanKind::Server),
        otlp::span::SpanKind::Client => Some(SpanKind::Client),
        otlp::span::SpanKind::Producer => Some(SpanKind::Producer),
        otlp::span::SpanKind::Consumer => Some(SpanKind::Consumer),
    }
}

fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn events(events: Vec<otlp::span::Event>, dropped_count: u32) -> Option<SpanEvents> {
    let mut read = SpanEvents::default();
    read.events = events.into_iter().map(event).collect::<Option<_>>()?;
    read.dropped_count = dropped_count;
    Some(read)
}

fn event(event: otlp::span::Event) -> Option<Event> {
    let otlp::span::Event { time_unix_nano, name, attributes: pairs, dropped_attributes_count } = event;
    Some(Event::new(name, time(time_unix_nano), attributes(pairs)?, dropped_attributes_count))
}

fn links(links: Vec<otlp::span::Link>, dropped_count: u32) -> Option<SpanLinks> {
    let mut read = SpanLinks::default();
    read.links = links.into_iter().map(link).collect::<Option<_>>()?;
    read.dropped_count = dropped_count;
    Some(read)
}

fn link(link: otlp::span::Link) -> Option<Link> {
    let context = Context {
        trace_id: &link.trace_id,
        span_id: &link.span_id,
        flags: link.flags,
        trace_state: &link.trace_state,
        is_remote: is_remote(link.flags),
    };
    Some(Link::new(context.read()?, attributes(link.attributes)?, link.dropped_attributes_count))
}

fn status(status: Option<otlp::Status>) -> Option<Status> {
    let otlp::Status { message, code } = status.unwrap_or_default();
    match otlp::status::StatusCode::try_from(code).ok()? {
        otlp::status::StatusCode::Unset => Some(Status::Unset),
        otlp::status::StatusCode::Ok => Some(Status::Ok),
        otlp::status::StatusCode::Error => Some(Status::error(message)),
    }
}

fn instrumentation_scope(
    scope: common::InstrumentationScope,
    schema_url: String,
) -> Option<InstrumentationScope> {
    let common::InstrumentationScope { name, version, attributes: pairs, .. } = scope;
    let mut builder = InstrumentationScope::builder(name).with_attributes(attributes(pairs)?);
    if !version.is_empty() {
        builder = builder.with_version(version);
    }
    if !schema_url.is_empty() {
        builder = builder.with_schema_url(schema_url);
    }
    Some(builder.build())
}

#[cfg(test)]
mod tests {
    use opentelemetry::{Array, KeyValue, StringValue, Value};
    use proptest::{collection::vec, prelude::*};
    use prost::Message as _;

    use super::*;

    fn written(span: SpanData) -> Vec<u8> {
        let mut bytes = Vec::new();
        stored::write(&scope_spans(span), &mut bytes);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<SpanData> {
        span_data(stored::read(bytes)?)
    }

    /// The message as it is sent, and the span as a destination of the user's own has it.
    fn seen(span: SpanData) -> (Vec<u8>, String) {
        (scope_spans(span.clone()).encode_to_vec(), format!("{span:?}"))
    }

    prop_compose! {
        fn context()(
            trace_id in any::<u128>(),
            span_id in any::<u64>(),
            flags in any::<u8>(),
            members in vec(("[a-z0-9]([a-z0-9_*/-]{0,5}@[a-z])?", "[ -+.-<>-~]{0,9}"), 0..4),
        ) -> SpanContext {
            let (flags, state) = (TraceFlags::new(flags), TraceState::from_key_value(members).unwrap());
            SpanContext::new(TraceId::from(trace_id), SpanId::from(span_id), flags, false, state)
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let texts = vec(".{0,9}".prop_map(StringValue::from), 0..4);
        prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            vec(any::<bool>(), 1..4).prop_map(|flags| Value::Array(Array::Bool(flags))),
            vec(any::<i64>(), 1..4).prop_map(|numbers| Value::Array(Array::I64(numbers))),
            vec(any::<f64>(), 1..4).prop_map(|numbers| Value::Array(Array::F64(numbers))),
            texts.prop_map(|texts| Value::Array(Array::String(texts))),
        ]
    }

    fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
        vec((".{0,9}", value()).prop_map(|(key, value)| KeyValue::new(key, value)), 0..5)
    }

    fn moment() -> impl Strategy<Value = SystemTime> {
        any::<u64>().prop_map(time)
    }

    fn scope() -> impl Strategy<Value = InstrumentationScope> {
        let version = proptest::option::of("[0-9.]{1,5}");
        (".{0,9}", version, proptest::option::of("https://[a-z]{1,5}"), pairs()).prop_map(
            |(name, version, schema_url, pairs)| {
                let mut scope = InstrumentationScope::builder(name).with_attributes(pairs);
                if let Some(version) = version {
                    scope = scope.with_version(version);
                }
                if let Some(schema_url) = schema_url {
                    scope = scope.with_schema_url(schema_url);
                }
                scope.build()
            },
        )
    }

    fn some_links() -> impl Strategy<Value = SpanLinks> {
        let link =
            (context(), any::<bool>(), pairs(), any::<u32>()).prop_map(|(to, is_remote, pairs, dropped)| {
                let (flags, state) = (to.trace_flags(), to.trace_state().clone());
                Link::new(
                    SpanContext::new(to.trace_id(), to.span_id(), flags, is_remote, state),
                    pairs,
                    dropped,
                )
            });
        (vec(link, 0..3), any::<u32>()).prop_map(|(links, dropped)| {
            let mut all = SpanLinks::default();
            (all.links, all.dropped_count) = (links, dropped);
            all
        })
    }

    fn some_events() -> impl Strategy<Value = SpanEvents> {
        let event = (".{0,9}", moment(), pairs(), any::<u32>())
            .prop_map(|(name, at, pairs, dropped)| Event::new(name, at, pairs, dropped));
        (vec(event, 0..3), any::<u32>()).prop_map(|(events, dropped)| {
            let mut all = SpanEvents::default();
            (all.events, all.dropped_count) = (events, dropped);
            all
        })
    }

    prop_compose! {
        fn span()(
            span_context in context(),
            (parent, parent_span_is_remote) in (any::<u64>(), any::<bool>()),
            span_kind in proptest::sample::select(&[
                SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer,
            ][..]),
            name in ".{0,20}",
            (start_time, end_time) in (moment(), moment()),
            (attributes, dropped_attributes_count) in (pairs(), any::<u32>()),
            events in some_events(),
            links in some_links(),
            status in prop_oneof![Just(Status::Unset), Just(Status::Ok), ".{0,9}".prop_map(Status::error)],
            instrumentation_scope in scope(),
        ) -> SpanData {
            SpanData {
                span_context,
                parent_span_id: SpanId::from(if parent % 4 == 0 { 0 } else { parent }),
                parent_span_is_remote,
                span_kind,
                name: name.into(),
                start_time,
                end_time,
                attributes,
                dropped_attributes_count,
                events,
                links,
                status,
                instrumentation_scope,
            }
        }
    }

    fn plain() -> SpanData {
        let (flags, state) = (TraceFlags::SAMPLED, "rojo=00f0,congo=t61".parse().unwrap());
        SpanData {
            span_context: SpanContext::new(TraceId::from(7), SpanId::from(8), flags, false, state),
            parent_span_id: SpanId::from(9),
            parent_span_is_remote: true,
            span_kind: SpanKind::Server,
            name: "GET /carts".into(),
            start_time: time(1_000),
            end_time: time(2_000),
            attributes: vec![KeyValue::new("http.response.status_code", 200)],
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("belvedere").build(),
        }
    }

    #[test]
    fn what_the_first_version_wrote_is_read_by_all_others() {
        assert_eq!(read(FIRST), Some(plain()));
    }

    #[test]
    fn what_another_version_writes_is_left_alone() {
        let mut bytes = written(plain());
        bytes[0] += 1;
        assert_eq!(read(&bytes), None);
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[1]), None);
    }

    #[test]
    fn an_array_without_values_is_sent_as_it_was() {
        for array in [Array::Bool(vec![]), Array::I64(vec![]), Array::F64(vec![]), Array::String(vec![])] {
            let span = SpanData { attributes: vec![KeyValue::new("none", Value::Array(array))], ..plain() };
            let again = read(&written(span.clone())).unwrap();
            assert_eq!(seen(again).0, seen(span).0);
        }
    }

    #[test]
    fn a_time_before_1970_is_sent_as_it_was() {
        let span = SpanData { start_time: UNIX_EPOCH - Duration::from_secs(1), ..plain() };
        let again = read(&written(span.clone())).unwrap();
        assert_eq!(seen(again).0, seen(span).0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn a_span_comes_back_as_it_was(span in span()) {
            prop_assert_eq!(read(&written(span.clone())).map(seen), Some(seen(span)));
        }

        #[test]
        fn strange_bytes_are_a_span_or_nothing(
            bytes in vec(any::<u8>(), 0..200),
            span in span(),
            changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let _ = read(&[&[1], &*bytes].concat());
            let mut changed = written(span);
            for (at, byte) in changes {
                *at.get_mut(&mut changed) = byte;
            }
            let _ = read(&changed);
        }
    }

    const FIRST: &[u8] =
        b"\x01\x0a\x0b\x0a\x09belvedere\x12\x85\x01\x0a\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
        \x00\x00\x00\x00\x07\x12\x08\x00\x00\x00\x00\x00\x00\x00\x08\x1a\x13rojo=00f0,congo=t61\x22\x08\
        \x00\x00\x00\x00\x00\x00\x00\x09*\x0aGET /carts0\x029\xe8\x03\x00\x00\x00\x00\x00\x00A\xd0\x07\
        \x00\x00\x00\x00\x00\x00J \x0a\x19http.response.status_code\x12\x03\x18\xc8\x01z\x00\x85\x01\x01\
        \x03\x00\x00";
}
