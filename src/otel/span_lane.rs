use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use opentelemetry::{Context, KeyValue};
use opentelemetry_proto::{
    tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    transform::{
        common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use prost::Message as _;

#[cfg(feature = "spool")]
use super::span_codec;
use super::{
    Otlp, cut,
    destination::{Partial, Signal},
    flush::{FLUSH, flush},
    made::Made,
    quick::Sink,
    resource::SharedResource,
    span_record::SpanRecord,
    span_writer::SpanWriter,
    worth,
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
use crate::{
    Error,
    exchange::Index,
    outbox::{Batch, Destination, Lane, Outbox, Tariff, WeakOutbox},
};

/// The SDK's span processor that puts ended spans into a lane of the outbox.
///
/// Ending a span never blocks: the lane is bounded, and what does not fit is counted. The SDK's own flush and shutdown
/// flush the outbox, and block meanwhile for at most five seconds or as long as they are told.
///
/// ```no_run
/// use belvedere::{otel::{Ids, Otlp, SpanLane}, outbox::Outbox};
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = Outbox::builder().start()?;
/// let otlp = Otlp::new("http://localhost:4318/v1/traces".parse()?);
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(Ids)
///     .with_span_processor(SpanLane::otlp(&outbox, otlp)?)
///     .build();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SpanLane {
    lane: Lane<SpanRecord>,
    outbox: WeakOutbox,
    resource: SharedResource,
    value_length: Option<usize>,
    is_shut: Arc<AtomicBool>,
}

/// Spans, as OTLP carries them.
#[derive(Debug)]
struct Spans {
    resource: SharedResource,
}

// ===== impl SpanLane =====

impl SpanLane {
    /// A lane to an OTLP endpoint, named after it: `otlp localhost:4318`.
    ///
    /// What an earlier process left in the spool is sent with the resource of this one's provider, which it waits for up to
    /// five seconds.
    ///
    /// # Errors
    ///
    /// When the endpoint is no whole URL, or the transport cannot be built.
    pub fn otlp(outbox: &Outbox, otlp: Otlp) -> Result<Self, Error> {
        let resource = SharedResource::default();
        let name = otlp.lane("");
        let lane = outbox.lane(name, otlp.destination(Spans { resource: resource.clone() })?);
        Ok(Self::with(outbox, lane, resource))
    }

    /// A lane to a destination of the user's own.
    ///
    /// The span of a server that a [`TracerProvider`](super::TracerProvider) of this crate has is made on the outbox's
    /// thread, before the destination sees it; until then it is counted with a size of about 2 KiB, and not with the
    /// destination's.
    pub fn new(
        outbox: &Outbox,
        name: &'static str,
        destination: impl Destination<Record = SpanData>,
    ) -> Self {
        Self::with(outbox, outbox.lane(name, Made(destination)), SharedResource::default())
    }

    /// The most characters that a text among the attributes may have; what is longer is cut. Default: no limit.
    ///
    /// It is `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, which the SDK does not read. It holds for the attributes of spans, events
    /// and links, and for each text of an array; not for names, nor for the description of a status.
    #[must_use]
    pub fn value_length(self, characters: usize) -> Self {
        Self { value_length: Some(characters), ..self }
    }

    /// The lane, for spans of our own.
    pub(super) fn sink(&self) -> Sink {
        let Self { lane, outbox: _, resource: _, value_length, is_shut } = self;
        Sink { lane: lane.clone(), value_length: *value_length, roots_only: false, is_shut: is_shut.clone() }
    }

    fn with(outbox: &Outbox, lane: Lane<SpanRecord>, resource: SharedResource) -> Self {
        Self { lane, outbox: outbox.downgrade(), resource, value_length: None, is_shut: Arc::default() }
    }
}

#[cfg(feature = "spool")]
impl SpanLane {
    /// How spans are written to the disk: for [`Destination::codec`] of a destination of the user's own.
    ///
    /// They lie there as OTLP has them, with their scope and without the resource, and come back as they were but for what
    /// OTLP does not tell: an array without values is one of texts, an empty version or schema URL is none, a time before 1970
    /// is 1970, and a span's own context is not remote.
    pub fn codec() -> Codec<SpanData> {
        span_codec::codec()
    }
}

impl SpanProcessor for SpanLane {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        // A span may be recorded for its processors alone; what is sent is what was sampled.
        if !span.span_context.is_sampled() {
            return;
        }
        if let Some(characters) = self.value_length {
            cut::span(&mut span, characters);
        }
        self.lane.push(span.into());
    }

    fn force_flush(&self) -> OTelSdkResult {
        flush(&self.outbox, FLUSH)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.is_shut.store(true, Ordering::Relaxed);
        flush(&self.outbox, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource.set(resource);
    }
}

// ===== impl Spans =====

impl Signal for Spans {
    type Record = SpanRecord;

    fn size(record: &SpanRecord) -> usize {
        record.size()
    }

    fn tariff() -> Option<Tariff<SpanRecord>> {
        Some(worth::spans())
    }

    fn encode(&self, batch: &Batch<SpanRecord>) -> Bytes {
        let resource = self.resource.get().map(|resource| ResourceAttributesWithSchema::from(&resource));
        let resource = resource.unwrap_or_default();
        let mut writer = SpanWriter::new(&resource, batch.iter().map(SpanRecord::encoded_size).sum());
        let mut write = |record: &SpanRecord| match record {
            SpanRecord::Exchange(recorded) => writer.write(recorded),
            SpanRecord::Data(_) => false,
        };
        let others: Vec<_> = batch.iter().filter(|record| !write(record)).map(SpanRecord::to_data).collect();
        if others.is_empty() {
            return writer.finish(Vec::new());
        }
        let spans = others.into_iter().map(|span| unique(span.into_owned())).collect();
        let resource_spans = group_spans_by_resource_and_scope(spans, &resource);
        writer.finish(ExportTraceServiceRequest { resource_spans }.encode_to_vec())
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<SpanRecord>> {
        let resource = self.resource.clone();
        Some(span_codec::of_records(move || resource.miss()))
    }

    #[cfg(feature = "spool")]
    async fn ready(&self) {
        self.resource.known().await;
    }

    fn partial(answer: Bytes) -> Option<Partial> {
        let partial = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
        Some(Partial { rejected: partial.rejected_spans, message: partial.error_message })
    }
}

/// OTLP wants each key once; the SDK keeps all. The last value counts.
fn unique(mut span: SpanData) -> SpanData {
    let last = last(&span.attributes);
    if last.len() < span.attributes.len() {
        let (mut last, mut at) = (last.into_iter().rev().peekable(), 0..);
        span.attributes.retain(|_| at.next().is_some_and(|at| last.next_if_eq(&at).is_some()));
    }
    span
}

/// Where each key comes last, the last of all first.
fn last(attributes: &[KeyValue]) -> Vec<usize> {
    let count = attributes.len();
    let (mut index, mut last) = (Index::with_capacity(count), Vec::<usize>::with_capacity(count));
    for (at, pair) in attributes.iter().enumerate().rev() {
        let found = index.find(pair.key.as_str(), |nth| attributes[last[nth]].key.as_str());
        if let Err(vacancy) = found {
            last.push(at);
            index.push(vacancy, |nth| attributes[last[nth]].key.as_str());
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use proptest::prelude::*;

    use super::*;

    fn span(keys: &[String]) -> SpanData {
        let pair = |(at, key): (i64, &String)| KeyValue::new(key.clone(), at);
        let now = std::time::SystemTime::UNIX_EPOCH;
        SpanData {
            span_context: SpanContext::NONE,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "span".into(),
            start_time: now,
            end_time: now,
            attributes: (0..).zip(keys).map(pair).collect(),
            dropped_attributes_count: 0,
            events: Default::default(),
            links: Default::default(),
            status: Status::Unset,
            instrumentation_scope: Default::default(),
        }
    }

    proptest! {
        #[test]
        fn of_each_key_the_last_value_stays_where_it_was(keys in prop::collection::vec("[a-c]{0,2}", 0..40)) {
            let span = span(&keys);
            let mut left = span.attributes.clone();
            let later = |at: usize| keys[at + 1..].contains(&keys[at]);
            let mut at = 0..;
            left.retain(|_| !later(at.next().unwrap()));
            prop_assert_eq!(unique(span).attributes, left);
        }
    }
}
