use std::time::Duration;

use bytes::Bytes;
use opentelemetry::InstrumentationScope;
use opentelemetry_proto::{
    tonic::{
        collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
        logs::v1::{ResourceLogs, ScopeLogs},
        resource::v1 as otlp,
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    logs::{LogProcessor, SdkLogRecord},
};
use prost::Message as _;

use super::{
    Otlp,
    destination::{Partial, Signal},
    emitted::Emitted,
    flush::{FLUSH, flush},
    resource::SharedResource,
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;
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

// ===== impl LogLane =====

impl LogLane {
    /// A lane to an OTLP endpoint, named after it: `otlp logs localhost:4318`.
    ///
    /// What an earlier process left in the spool is sent with the resource of this one's provider, which it waits for up to
    /// five seconds.
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
        self.lane.push(Emitted::new(record, scope));
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
        emitted.size()
    }

    fn tariff() -> Option<Tariff<Emitted>> {
        Some(Tariff::new(Unit::SPANS, Emitted::price))
    }

    fn encode(&self, batch: &Batch<Emitted>) -> Bytes {
        let resource = self.resource.get().map(|resource| ResourceAttributesWithSchema::from(&resource));
        let ResourceAttributesWithSchema { attributes, schema_url } = resource.unwrap_or_default();
        let resource_logs = ResourceLogs {
            resource: Some(otlp::Resource { attributes: attributes.0, ..Default::default() }),
            scope_logs: by_scope(batch),
            schema_url: schema_url.unwrap_or_default(),
        };
        ExportLogsServiceRequest { resource_logs: vec![resource_logs] }.encode_to_vec().into()
    }

    #[cfg(feature = "spool")]
    fn codec(&self) -> Option<Codec<Emitted>> {
        let resource = self.resource.clone();
        Some(Emitted::codec(move || resource.miss()))
    }

    #[cfg(feature = "spool")]
    async fn ready(&self) {
        self.resource.known().await;
    }

    fn partial(answer: Bytes) -> Option<Partial> {
        let partial = ExportLogsServiceResponse::decode(answer).ok()?.partial_success?;
        Some(Partial { rejected: partial.rejected_log_records, message: partial.error_message })
    }
}

/// Each scope once, and below it its records in their order.
fn by_scope(batch: &Batch<Emitted>) -> Vec<ScopeLogs> {
    let mut scopes: Vec<ScopeLogs> = Vec::new();
    for mut logs in batch.iter().map(Emitted::scope_logs) {
        let is_its =
            |known: &&mut ScopeLogs| known.scope == logs.scope && known.schema_url == logs.schema_url;
        match scopes.iter_mut().find(is_its) {
            Some(known) => known.log_records.append(&mut logs.log_records),
            None => scopes.push(logs),
        }
    }
    scopes
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
    use opentelemetry_sdk::logs::SdkLoggerProvider;

    use super::*;

    #[test]
    fn each_scope_is_sent_once_and_its_records_in_their_order() {
        let logger = SdkLoggerProvider::builder().build().logger("shop");
        let emitted = |scope: &'static str, version: &'static str, body: &'static str| {
            let mut record = logger.create_log_record();
            record.set_observed_timestamp(UNIX_EPOCH);
            record.set_body(body.into());
            Emitted::new(&record, &InstrumentationScope::builder(scope).with_version(version).build())
        };
        let batch = Batch::from_iter([
            emitted("a", "1", "first"),
            emitted("b", "1", "second"),
            emitted("a", "1", "third"),
            emitted("a", "2", "fourth"),
        ]);
        let scopes: Vec<_> = by_scope(&batch)
            .into_iter()
            .map(|logs| {
                let scope = logs.scope.unwrap();
                (scope.name, scope.version, logs.log_records.len())
            })
            .collect();
        let expected = [("a", "1", 2), ("b", "1", 1), ("a", "2", 1)];
        assert_eq!(scopes, expected.map(|(name, version, records)| (name.into(), version.into(), records)));
    }
}
