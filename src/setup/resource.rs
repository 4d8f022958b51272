use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use super::{env::Env, pairs::pairs};

/// What the service says of itself: its name, the attributes it was given, and the SDK's.
pub(super) fn resource(env: &Env, default: Option<&str>) -> Resource {
    let attributes = env.text("OTEL_RESOURCE_ATTRIBUTES");
    let given = attributes.map(|text| pairs(env, "OTEL_RESOURCE_ATTRIBUTES", &text)).unwrap_or_default();
    let named = given.iter().any(|(key, value)| key == SERVICE_NAME && !value.is_empty());
    let given = given.into_iter().map(|(key, value)| KeyValue::new(key, value));
    // An empty builder: the SDK's own detectors would read the process's environment past `env`.
    let mut builder = Resource::builder_empty().with_attributes(telemetry()).with_attributes(given);
    if let Some(name) = env.text("OTEL_SERVICE_NAME") {
        builder = builder.with_attribute(KeyValue::new(SERVICE_NAME, name));
    } else if !named {
        builder =
            builder.with_attribute(KeyValue::new(SERVICE_NAME, default.map_or_else(unknown, str::to_owned)));
    }
    builder.build()
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

fn unknown() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()?.to_str());
    program.map_or_else(|| "unknown_service".to_owned(), |program| format!("unknown_service:{program}"))
}

const SERVICE_NAME: &str = "service.name";
