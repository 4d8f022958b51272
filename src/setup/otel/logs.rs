use opentelemetry_sdk::{Resource, logs::SdkLoggerProvider};

use crate::{
    Error,
    otel::{LogLane, Otlp},
    outbox::Outbox,
};

/// The provider whose logs go to these endpoints; none where there is no endpoint.
///
/// # Errors
///
/// When an endpoint cannot be used.
pub(super) fn provider(
    outbox: &Outbox,
    endpoints: Vec<Otlp>,
    resource: Resource,
) -> Result<Option<SdkLoggerProvider>, Error> {
    if endpoints.is_empty() {
        return Ok(None);
    }
    let mut builder = SdkLoggerProvider::builder().with_resource(resource);
    for otlp in endpoints {
        tracing::info!(target: "belvedere::setup", to = format_args!("otlp {}", otlp.place()), "logs: on");
        builder = builder.with_log_processor(LogLane::otlp(outbox, otlp)?);
    }
    Ok(Some(builder.build()))
}
