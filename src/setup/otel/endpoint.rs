use http::Uri;

use super::{env::Env, honeycomb::Honeycomb, signal::Signal};
use crate::Error;

/// Where a signal goes.
///
/// # Errors
///
/// When it is no URL; the message names the variable.
pub(super) fn endpoint(env: &Env, signal: Signal, honeycomb: &Honeycomb) -> Result<Uri, Error> {
    let (own, generic) = (signal.variable(ENDPOINT), Signal::generic(ENDPOINT));
    if let Some(whole) = env.text(&own) {
        return parse(&own, &whole);
    }
    if let Some(base) = env.text(&generic) {
        return below(&generic, &base, signal.path());
    }
    let (name, base) = honeycomb.base().unwrap_or((&generic, LOCAL));
    below(name, base, signal.path())
}

/// Whether the environment says where a signal goes.
pub(super) fn is_named(env: &Env, signal: Signal) -> bool {
    env.otlp(signal, ENDPOINT).is_some() || Honeycomb::is_named(env)
}

/// A path below a base URL.
pub(super) fn below(name: &str, base: &str, path: &str) -> Result<Uri, Error> {
    if parse(name, base)?.query().is_some() {
        return Err(Error::invalid(name, "a URL with a query", "give one without, to append a path to"));
    }
    parse(name, &format!("{}{path}", base.trim_end_matches('/')))
}

fn parse(name: &str, text: &str) -> Result<Uri, Error> {
    let uri = text.parse::<Uri>().ok();
    let usable = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    // A query may hold a key.
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let shown = if text.contains('@') { "a URL with credentials" } else { path };
    let uri = uri.filter(usable).ok_or_else(|| Error::invalid(name, shown, ADVICE))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::invalid(name, shown, "put them into OTEL_EXPORTER_OTLP_HEADERS"));
    }
    Ok(uri)
}

const ENDPOINT: &str = "ENDPOINT";
const ADVICE: &str = "give a URL such as http://localhost:4318 or https://api.honeycomb.io";
const LOCAL: &str = "http://localhost:4318";
