use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use super::{env::Env, pairs::pairs};

/// What the service says of itself: its name, the attributes it was given, and the SDK's.
pub(super) fn resource(env: &Env, service: &str) -> Resource {
    let attributes = env.text("OTEL_RESOURCE_ATTRIBUTES");
    let given = attributes.map(|text| pairs(env, "OTEL_RESOURCE_ATTRIBUTES", &text)).unwrap_or_default();
    let given = given.into_iter().map(|(key, value)| KeyValue::new(key, value));
    // An empty builder: the SDK's own detectors would read the process's environment past `env`.
    let builder = Resource::builder_empty().with_attributes(telemetry()).with_attributes(given);
    builder.with_attribute(KeyValue::new("service.name", service.to_owned())).build()
}

fn telemetry() -> [KeyValue; 5] {
    [
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.name", "opentelemetry"),
        KeyValue::new("telemetry.sdk.version", "0.33"),
        KeyValue::new("telemetry.distro.name", "belvedere"),
        KeyValue::new("telemetry.distro.version", env!("CARGO_PKG_VERSION")),
    ]
}
