use std::time::Duration;

use bytes::Bytes;
use opentelemetry::{InstrumentationScope, logs::AnyValue};
use opentelemetry_proto::{
    tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
    transform::{common::tonic::ResourceAttributesWithSchema, logs::tonic::group_logs_by_resource_and_scope},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogBatch, LogProcessor, SdkLogRecord},
};
use prost::Message as _;

use super::{
    Otlp,
    destination::{Partial, Signal},
    flush::{FLUSH, flush},
    resource::SharedResource,
    worth,
};
use crate::{
    Error,
    outbox::{Batch, Lane, Outbox, Tariff, Unit, WeakOutbox},
};

/// The SDK's log processor that puts log records into a lane of the outbox.
///
/// Emitting a record never blocks: the lane is bounded, and what does not fit is counted. The SDK's own flush and shutdown
/// flush the outbox, and block meanwhile for at most five seconds or as long as they are told.
///
/// ```no_run
/// use belvedere::{otel::{LogLane, OtelLayer, Otlp}, outbox::Outbox};
/// use opentelemetry_sdk::logs::SdkLoggerProvider;
///
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = Outbox::builder().start()?;
/// let otlp = Otlp::new("http://localhost:4318/v1/logs".parse()?);
/// let provider =
///     SdkLoggerProvider::builder().with_log_processor(LogLane::otlp(&outbox, otlp)?).build();
/// // Exceptions as log records, beside or in place of the events of spans.
/// let layer = OtelLayer::new().logger_provider(&provider).exception_events(false);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LogLane {
    lane: Lane<Emitted>,
    outbox: WeakOutbox,
    resource: SharedResource,
}

/// Log records, as OTLP carries them.
#[derive(Debug)]
struct Logs {
    resource: SharedResource,
}

/// A record and whose it is. Boxed, since it is large.
type Emitted = Box<(SdkLogRecord, InstrumentationScope)>;

// ===== impl LogLane =====

impl LogLane {
    /// A lane to an OTLP endpoint, named after it: `otlp logs localhost:4318`.
    ///
    /// # Errors
    ///
    /// When the endpoint is no whole URL, or the transport cannot be built.
    pub fn otlp(outbox: &Outbox, otlp: Otlp) -> Result<Self, Error> {
        let resource = SharedResource::default();
        let lane = outbox.lane(otlp.lane("logs "), otlp.destination(Logs { resource: resource.clone() })?);
        Ok(Self { lane, outbox: outbox.downgrade(), resource })
    }
}

impl LogProcessor for LogLane {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        self.lane.push(Box::new((record.clone(), scope.clone())));
    }

    fn force_flush(&self) -> OTelSdkResult {
        flush(&self.outbox, FLUSH)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        flush(&self.outbox, timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource.set(resource);
    }
}

// ===== impl Logs =====

impl Signal for Logs {
    type Record = Emitted;

    fn size(emitted: &Emitted) -> usize {
        let attributes =
            emitted.0.attributes_iter().map(|(key, value)| ATTRIBUTE + key.as_str().len() + size(value));
        RECORD + emitted.0.body().map_or(0, size) + attributes.sum::<usize>()
    }

    fn tariff() -> Option<Tariff<Emitted>> {
        Some(Tariff::new(Unit::SPANS, |emitted: &Emitted| worth::log(&emitted.0)))
    }

    fn encode(&self, batch: &Batch<Emitted>) -> Vec<u8> {
        let resource = self.resource.get().map(|resource| ResourceAttributesWithSchema::from(&resource));
        let records: Vec<_> = batch.iter().map(|emitted| (&emitted.0, &emitted.1)).collect();
        let resource_logs =
            group_logs_by_resource_and_scope(&LogBatch::new(&records), &resource.unwrap_or_default());
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    }

    fn partial(answer: Bytes) -> Option<Partial> {
        let partial = ExportLogsServiceResponse::decode(answer).ok()?.partial_success?;
        Some(Partial { rejected: partial.rejected_log_records, message: partial.error_message })
    }
}

fn size(value: &AnyValue) -> usize {
    match value {
        AnyValue::String(text) => text.as_str().len(),
        AnyValue::Bytes(bytes) => bytes.len(),
        AnyValue::ListAny(values) => values.iter().map(|value| ATTRIBUTE + size(value)).sum(),
        AnyValue::Map(pairs) => {
            pairs.iter().map(|(key, value)| ATTRIBUTE + key.as_str().len() + size(value)).sum()
        }
        _ => 8,
    }
}

const RECORD: usize = 512;
const ATTRIBUTE: usize = 48;
