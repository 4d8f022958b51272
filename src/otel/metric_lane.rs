use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
};
use prost::Message as _;

use super::{
    Otlp,
    destination::{Partial, Signal},
    flush::{FLUSH, flush},
};
use crate::{
    Error,
    outbox::{Batch, Lane, Outbox, WeakOutbox},
};

/// The SDK's exporter that puts collected metrics into a lane of the outbox.
///
/// Exporting never blocks and never fails: the lane is bounded, and what does not fit is counted. One record of the lane is one
/// collection. The SDK's own flush and shutdown flush the outbox, and block meanwhile for at most five seconds or as
/// long as they are told. Exemplars are sent where the SDK collects some; version 0.33 does not.
///
/// ```no_run
/// use belvedere::{otel::{MetricLane, Metrics, OtelLayer, Otlp}, outbox::Outbox};
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
///
/// # fn build() -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = Outbox::builder().start()?;
/// let otlp = Otlp::new("http://localhost:4318/v1/metrics".parse()?);
/// let provider =
///     SdkMeterProvider::builder().with_periodic_exporter(MetricLane::otlp(&outbox, otlp)?).build();
/// let layer = OtelLayer::new().metrics(Metrics::new(&provider));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MetricLane {
    lane: Lane<Bytes>,
    outbox: WeakOutbox,
    temporality: Temporality,
}

/// Collections, as OTLP carries them. A record is the message of a request: one after the other they are one message again.
#[derive(Debug)]
struct Collections;

// ===== impl MetricLane =====

impl MetricLane {
    /// A lane to an OTLP endpoint, named after it: `otlp metrics localhost:4318`. It has one request under way at a time,
    /// whatever the limits say, so that no collection overtakes another one. They stay in memory, also where the outbox
    /// has a spool.
    ///
    /// # Errors
    ///
    /// When the endpoint is no whole URL, or the transport cannot be built.
    pub fn otlp(outbox: &Outbox, otlp: Otlp) -> Result<Self, Error> {
        // Backends refuse points that are older than what they have.
        let limits = otlp.limits.in_flight(1);
        let lane = outbox.lane(otlp.lane("metrics "), otlp.limits(limits).destination(Collections)?);
        Ok(Self { lane, outbox: outbox.downgrade(), temporality: Temporality::Cumulative })
    }

    /// Whether each collection counts from the start or from the one before. Default: from the start, which loses nothing when
    /// a collection is lost.
    #[must_use]
    pub fn temporality(self, temporality: Temporality) -> Self {
        Self { temporality, ..self }
    }
}

impl PushMetricExporter for MetricLane {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        if metrics.scope_metrics().any(|scope| scope.metrics().next().is_some()) {
            self.lane.push(ExportMetricsServiceRequest::from(metrics).encode_to_vec().into());
        }
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        flush(&self.outbox, FLUSH)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        flush(&self.outbox, timeout)
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

// ===== impl Collections =====

impl Signal for Collections {
    type Record = Bytes;

    fn size(collection: &Bytes) -> usize {
        collection.len()
    }

    fn encode(&self, batch: &Batch<Bytes>) -> Bytes {
        let encoded = batch.iter().fold(Vec::new(), |mut all, collection| {
            all.extend_from_slice(collection);
            all
        });
        encoded.into()
    }

    fn partial(answer: Bytes) -> Option<Partial> {
        let partial = ExportMetricsServiceResponse::decode(answer).ok()?.partial_success?;
        let (points, message) = (partial.rejected_data_points, partial.error_message);
        // The lane counts collections; what was refused are points, of at least one.
        let message = if points > 0 { format!("{points} data points: {message}") } else { message };
        Some(Partial { rejected: points.min(1), message })
    }
}
