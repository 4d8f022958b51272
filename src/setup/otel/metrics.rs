use std::time::Duration;

use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider, Temporality},
};

use super::env::Env;
use crate::{
    Error,
    otel::{MetricLane, Otlp},
    outbox::Outbox,
};

/// The provider whose metrics go to these endpoints; none where there is no endpoint.
///
/// # Errors
///
/// When an endpoint cannot be used.
pub(super) fn provider(
    env: &Env,
    outbox: &Outbox,
    endpoints: Vec<Otlp>,
    resource: Resource,
) -> Result<Option<SdkMeterProvider>, Error> {
    if endpoints.is_empty() {
        return Ok(None);
    }
    // Said here, so that the SDK's own look at the process's environment has no effect.
    let interval = env.millis("OTEL_METRIC_EXPORT_INTERVAL", MINUTE, 1);
    let temporality = temporality(env);
    let mut builder = SdkMeterProvider::builder().with_resource(resource);
    for otlp in endpoints {
        tracing::info!(target: "belvedere::setup", to = format_args!("otlp {}", otlp.place()), "metrics: on");
        let lane = MetricLane::otlp(outbox, otlp)?.temporality(temporality);
        builder = builder.with_reader(PeriodicReader::builder(lane).with_interval(interval).build());
    }
    Ok(Some(builder.build()))
}

fn temporality(env: &Env) -> Temporality {
    let Some(text) = env.text(TEMPORALITY) else { return Temporality::Cumulative };
    match text.to_ascii_lowercase().as_str() {
        "cumulative" => Temporality::Cumulative,
        "delta" => Temporality::Delta,
        "lowmemory" => Temporality::LowMemory,
        _ => {
            env.warn(TEMPORALITY, &text, "cumulative");
            Temporality::Cumulative
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
