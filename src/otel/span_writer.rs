#[cfg(feature = "spool")]
use std::mem;
use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use opentelemetry::trace::{SpanId, Status};
use opentelemetry_proto::{
    tonic::{common::v1::InstrumentationScope, resource::v1::Resource},
    transform::common::tonic::ResourceAttributesWithSchema,
};
use prost::Message as _;

use super::{
    attributes::{ERROR_TYPE, HTTP_STATUS, OTHER, RPC_METHOD, RPC_METHOD_ORIGINAL, RPC_STATUS, TEXT, cut},
    protobuf::{Message, Pairs},
    recorded::{DROPPED, Kind, OCCURRENCE, Recorded, Rest},
    sampler::SAMPLE_RATE,
    span::{SCHEMA, instrumentation},
    told::Told as _,
};
use crate::{
    exchange::{SharedPairs, Value},
    scrub::{Scrubber, beginning},
};

/// Writes exchanges as the spans of an `ExportTraceServiceRequest` of OTLP, without the types in between. What is not usual
/// is left to these.
#[derive(Debug)]
pub(super) struct SpanWriter {
    /// Room for what stands before the spans, and these. How long they are has to stand there, which is known last.
    request: Message,
    room: usize,
    /// One of the spans.
    span: Message,
    /// The field `resource` of a `ResourceSpans`.
    resource: Message,
    /// The last one of that.
    schema_url: String,
}

// ===== impl SpanWriter =====

impl SpanWriter {
    /// For about so many bytes of spans.
    pub(super) fn new(resource: &ResourceAttributesWithSchema, bytes: usize) -> Self {
        let ResourceAttributesWithSchema { attributes, schema_url } = resource;
        let own = Resource { attributes: attributes.0.clone(), ..Resource::default() };
        let mut resource = Message::default();
        resource.message(RESOURCE, &own.encode_to_vec());
        let room = resource.len() + SCOPE_FIELD.len() + LENGTHS;
        Self {
            request: Message::behind(room, bytes),
            room,
            span: Message::default(),
            resource,
            schema_url: schema_url.clone().unwrap_or_default(),
        }
    }

    /// Writes the span of an exchange, unless it is left to the types.
    pub(super) fn write(&mut self, recorded: &Recorded) -> bool {
        if !recorded.is_usual() {
            return false;
        }
        self.span.clear();
        span(recorded, &mut self.span);
        self.request.message(SPANS, self.span.as_bytes());
        true
    }

    /// The request with all that was written, and with the fields of another one.
    pub(super) fn finish(self, others: Vec<u8>) -> Bytes {
        let Self { mut request, room, resource, schema_url, .. } = self;
        let scope = &*SCOPE_FIELD;
        if request.len() == room {
            return others.into();
        }
        request.bytes(SCHEMA_URL, SCHEMA.as_bytes());
        let mut of_scope = Message::default();
        of_scope.length(SCOPE_SPANS, scope.len() + request.len() - room);
        request.bytes(SCHEMA_URL, schema_url.as_bytes());
        let mut before = Message::default();
        before.length(RESOURCE_SPANS, resource.len() + of_scope.len() + scope.len() + request.len() - room);
        let before = before.followed_by(&resource).followed_by(&of_scope).followed_by(scope);
        request.fill_room(room, &before);
        request.append(&others);
        Bytes::from(request.into_bytes()).slice(room - before.len()..)
    }
}

/// Writes the span of an exchange as a `ScopeSpans` of its own at the end of `to`, unless it is left to the types.
#[cfg(feature = "spool")]
pub(super) fn scope_spans(recorded: &Recorded, to: &mut Vec<u8>) -> bool {
    if !recorded.is_usual() {
        return false;
    }
    let mut written = Message::default();
    span(recorded, &mut written);
    let mut message = Message::after(mem::take(to));
    message.append(SCOPE_FIELD.as_bytes());
    message.message(SPANS, written.as_bytes());
    message.bytes(SCHEMA_URL, SCHEMA.as_bytes());
    *to = message.into_bytes();
    true
}

/// In the order of the fields, as prost has them.
fn span(recorded: &Recorded, to: &mut Message) {
    let arrived = &recorded.arrived;
    let context = arrived.span();
    to.message(1, &context.trace_id().to_bytes());
    to.message(2, &context.span_id().to_bytes());
    to.bytes(3, context.trace_state().header().as_bytes());
    if arrived.parent_id != SpanId::INVALID {
        to.message(4, &arrived.parent_id.to_bytes());
    }
    to.bytes(5, recorded.name().as_bytes());
    to.varint(6, SERVER);
    to.fixed64(7, nanos(recorded.started()));
    to.fixed64(8, nanos(recorded.ended()));
    attributes(recorded, to.pairs(9));
    let mut status = Message::default();
    if let Status::Error { description } = recorded.rest().outcome.to_status() {
        status.bytes(2, description.as_bytes());
        status.varint(3, ERROR);
    }
    to.message(15, status.as_bytes());
    let remote = if arrived.parent_is_remote { IS_REMOTE } else { 0 };
    to.fixed32(16, u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote);
}

fn attributes(recorded: &Recorded, mut to: Pairs<'_>) {
    let Recorded { options, kind, status, .. } = recorded;
    let Rest { weight, outcome, report, noted, .. } = recorded.rest();
    recorded.ask(|facts| match kind {
        Kind::Uncoded | Kind::Call { .. } => facts.grpc(&mut to),
        Kind::Http | Kind::Demoted => {
            facts.http(&mut to);
            facts.route(&mut to);
        }
    });
    if let Some(weight) = weight {
        to.number(SAMPLE_RATE, *weight);
    }
    match (kind, status) {
        (Kind::Uncoded, _) => {}
        (Kind::Call { code, method }, _) => {
            RPC_STATUS.iter().for_each(|key| to.known(key, code.name()));
            if method.is_none() {
                recorded.ask(|facts| {
                    to.text(RPC_METHOD_ORIGINAL, &facts.options.scrubber.text(facts.rpc_method()));
                });
            }
            to.text(RPC_METHOD, method.as_deref().unwrap_or(OTHER));
        }
        (_, Some(status)) => to.number(HTTP_STATUS, status.as_u16().into()),
        (_, None) => {}
    }
    if let Some(kind) = outcome.error_type() {
        to.text(ERROR_TYPE, &kind);
    }
    if let Some(noted) = noted {
        annotations(&noted.pairs, &options.scrubber, &mut to);
    }
    if let Some(id) = report {
        to.text(OCCURRENCE, &id.to_string());
    }
    if let Some(dropped) = noted.as_ref().map(|noted| noted.dropped).filter(|dropped| *dropped > 0) {
        to.number(DROPPED, i64::try_from(dropped).unwrap_or(i64::MAX));
    }
}

/// What handlers have told, as [`annotation`](super::secrets::annotation) has it.
fn annotations(pairs: &SharedPairs, scrubber: &Scrubber, to: &mut Pairs<'_>) {
    let are_plain = pairs.are_plain(scrubber);
    for (key, value) in pairs {
        match value {
            Value::Text(text) if are_plain => to.put_text(key, text.as_bytes()),
            Value::Text(text) => {
                let shown = scrubber.value(key, beginning(text, TEXT));
                to.put_text(key, cut(&shown, TEXT).as_bytes());
            }
            Value::Bool(flag) => to.put_flag(key, *flag),
            _ if !are_plain && scrubber.is_secret(key) => {
                to.put_text(key, scrubber.value(key, "number").as_bytes());
            }
            Value::Int(number) => to.put_number(key, *number),
            Value::Float(float) => to.put_float(key, *float),
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it lasts until 2554")]
fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

// https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
const RESOURCE_SPANS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPE_SPANS: u32 = 2;
const SCOPE: u32 = 1;
const SPANS: u32 = 2;
const SCHEMA_URL: u32 = 3;

/// Those of the two messages in which spans are, with their tags: the most that these take.
const LENGTHS: usize = 2 * 11;

const SERVER: u64 = 2;
const ERROR: u64 = 2;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The field `scope` of a `ScopeSpans`.
static SCOPE_FIELD: LazyLock<Message> = LazyLock::new(|| {
    let mut field = Message::default();
    field.message(SCOPE, &InstrumentationScope::from((&instrumentation(), None)).encode_to_vec());
    field
});

#[cfg(all(test, feature = "spool"))]
mod tests {
    use std::sync::Arc;

    use http::StatusCode;
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::otel::recorded::{Noted, example};

    #[test]
    fn one_span_is_written_as_the_types_are() {
        for status in [StatusCode::OK, StatusCode::BAD_GATEWAY] {
            let (recorded, mut written) = (example(status), b"before".to_vec());
            assert!(scope_spans(&recorded, &mut written));
            let typed = ScopeSpans {
                scope: Some((&instrumentation(), None).into()),
                spans: vec![recorded.span_data().into()],
                schema_url: SCHEMA.to_owned(),
            };
            assert_eq!(written[6..], typed.encode_to_vec());
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "(token=|[ -~]|é|x{4100}){0,9}".prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn annotations_are_written_as_the_types_are(
            pairs in vec(("([a-z.]{1,9}|pin|token|é{1,9}|http.response.status_code)", value()), 0..70), dropped in 0..3_u64,
        ) {
            let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
            let mut recorded = example(StatusCode::OK);
            recorded.arrived.rest().noted = Some(Arc::new(Noted { pairs, dropped }));
            let mut written = Vec::new();
            let attributes = recorded.span_data().attributes;
            let has_two = |(at, pair): (usize, &opentelemetry::KeyValue)| attributes[..at].iter().any(|other| other.key == pair.key);
            if !scope_spans(&recorded, &mut written) {
                prop_assert!(attributes.iter().any(|pair| pair.key.as_str() == HTTP_STATUS));
                return Ok(());
            }
            prop_assert!(!attributes.iter().enumerate().any(has_two));
            let typed = ScopeSpans {
                scope: Some((&instrumentation(), None).into()),
                spans: vec![recorded.span_data().into()],
                schema_url: SCHEMA.to_owned(),
            };
            prop_assert_eq!(written, typed.encode_to_vec());
        }
    }

    #[test]
    fn what_is_unusual_is_left_to_the_types() {
        let (mut recorded, mut written) = (example(StatusCode::OK), b"before".to_vec());
        recorded.arrived.rest().value_length = Some(9);
        assert!(!scope_spans(&recorded, &mut written));
        assert_eq!(written, b"before");
    }
}
