use super::{env::Env, pairs::pairs};

/// What the service is called: by `OTEL_SERVICE_NAME`, else by its attribute, else by code, else after its program.
pub(super) fn service(env: &Env, by_code: Option<String>) -> String {
    let name = env.text("OTEL_SERVICE_NAME").or_else(|| attribute(env, "service.name"));
    name.or(by_code).unwrap_or_else(unknown)
}

/// Which version of it runs, by its attribute.
#[cfg(any(feature = "rollbar", feature = "xray"))]
pub(super) fn version(env: &Env) -> Option<String> {
    attribute(env, "service.version")
}

/// Where it is deployed, by its attribute, or by the name that the attribute had before.
#[cfg(feature = "rollbar")]
pub(super) fn environment(env: &Env) -> Option<String> {
    attribute(env, "deployment.environment.name").or_else(|| attribute(env, "deployment.environment"))
}

fn attribute(env: &Env, name: &str) -> Option<String> {
    let pairs = pairs(env, ATTRIBUTES, &env.text(ATTRIBUTES)?);
    let mut values = pairs.into_iter().rev().filter(|(key, value)| key == name && !value.is_empty());
    values.next().map(|(_, value)| value)
}

fn unknown() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()?.to_str());
    program.map_or_else(|| "unknown_service".to_owned(), |program| format!("unknown_service:{program}"))
}

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
