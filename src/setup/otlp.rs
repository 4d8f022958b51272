use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::{env::Env, pairs::pairs};
use crate::{Error, otel::Otlp};

/// Where spans go, by `OTEL_EXPORTER_OTLP_*` and `HONEYCOMB_API_KEY`.
pub(super) fn otlp(env: &Env) -> Result<Otlp, Error> {
    speaks(env)?;
    let key = env.text(KEY);
    let uri = endpoint(env, key.is_some())?;
    let honeycomb = is_honeycomb(&uri);
    let mut otlp = Otlp::new(uri).timeout(timeout(env)).gzip(gzips(env));
    for (name, value) in headers(env) {
        otlp = otlp.header(name, value);
    }
    match (honeycomb, key.and_then(|key| secret(env, &key))) {
        (true, Some(value)) => otlp = otlp.header(TEAM, value),
        (false, Some(_)) => env.note(format!("{KEY} is not sent, because the endpoint is not Honeycomb's")),
        _ => {}
    }
    Ok(otlp)
}

/// Whether the environment says where spans go.
pub(super) fn names_endpoint(env: &Env) -> bool {
    env.either(TRACES_ENDPOINT, ENDPOINT).is_some() || env.text(KEY).is_some()
}

/// The traces endpoint below a base URL.
pub(super) fn below(name: &str, base: &str) -> Result<Uri, Error> {
    if parse(name, base)?.query().is_some() {
        return Err(Error::invalid(name, "a URL with a query", "give one without, to append a path to"));
    }
    parse(name, &format!("{}/v1/traces", base.trim_end_matches('/')))
}

fn endpoint(env: &Env, honeycomb: bool) -> Result<Uri, Error> {
    if let Some(whole) = env.text(TRACES_ENDPOINT) {
        return parse(TRACES_ENDPOINT, &whole);
    }
    if let Some(base) = env.text(ENDPOINT) {
        return below(ENDPOINT, &base);
    }
    below(ENDPOINT, if honeycomb { HONEYCOMB } else { LOCAL })
}

fn parse(name: &str, text: &str) -> Result<Uri, Error> {
    let uri = text.parse::<Uri>().ok();
    let usable = |uri: &Uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https"));
    let shown = if text.contains('@') { "a URL with credentials" } else { text };
    let uri = uri.filter(usable).ok_or_else(|| Error::invalid(name, shown, ADVICE))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Error::invalid(name, shown, "put them into OTEL_EXPORTER_OTLP_HEADERS"));
    }
    Ok(uri)
}

fn speaks(env: &Env) -> Result<(), Error> {
    match env.either(TRACES_PROTOCOL, PROTOCOL) {
        Some((name, value)) if !value.eq_ignore_ascii_case("http/protobuf") => {
            Err(Error::invalid(name, &value, "only http/protobuf is spoken; unset it or set it to that"))
        }
        _ => Ok(()),
    }
}

fn timeout(env: &Env) -> Duration {
    let Some((name, text)) = env.either(TRACES_TIMEOUT, TIMEOUT) else { return SECONDS };
    let millis = text.parse().ok().filter(|millis| *millis > 0);
    millis.map(Duration::from_millis).unwrap_or_else(|| {
        env.warn(name, &text, "10000");
        SECONDS
    })
}

fn gzips(env: &Env) -> bool {
    let Some((name, text)) = env.either(TRACES_COMPRESSION, COMPRESSION) else { return true };
    match text.to_ascii_lowercase().as_str() {
        "gzip" => true,
        "none" => false,
        _ => {
            env.warn(name, &text, "gzip");
            true
        }
    }
}

fn headers(env: &Env) -> Vec<(HeaderName, HeaderValue)> {
    let Some((variable, text)) = env.either(TRACES_HEADERS, HEADERS) else { return Vec::new() };
    let header = |(name, value): (String, String)| {
        let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::try_from(value).ok());
        if parsed.is_none() {
            // Neither part is shown: what is no name may be a piece of a secret.
            env.note(format!("{variable}: a pair is no header with a value: using the rest without it"));
        }
        parsed
    };
    pairs(env, variable, &text).into_iter().filter_map(header).collect()
}

fn secret(env: &Env, key: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(key).ok();
    match &mut value {
        Some(value) => value.set_sensitive(true),
        None => env.note(format!("{KEY} holds bytes that no header may: using no key")),
    }
    value
}

fn is_honeycomb(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    host == "honeycomb.io" || host.ends_with(".honeycomb.io")
}

const ADVICE: &str = "give a URL such as http://localhost:4318 or https://api.honeycomb.io";
const TEAM: HeaderName = HeaderName::from_static("x-honeycomb-team");
const KEY: &str = "HONEYCOMB_API_KEY";
const HONEYCOMB: &str = "https://api.honeycomb.io";
const LOCAL: &str = "http://localhost:4318";
const SECONDS: Duration = Duration::from_secs(10);
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const TRACES_HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
const TRACES_TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT";
const COMPRESSION: &str = "OTEL_EXPORTER_OTLP_COMPRESSION";
const TRACES_COMPRESSION: &str = "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";

#[cfg(test)]
mod tests {
    use super::*;

    fn team(variables: &'static [(&'static str, &'static str)]) -> Option<HeaderValue> {
        let lookup = |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        otlp(&Env::new(lookup)).unwrap().headers().get(TEAM).cloned()
    }

    #[test]
    fn honeycombs_hosts_get_the_key_and_it_is_marked_as_a_secret() {
        for variables in [
            &[(KEY, "hcaik_x")][..],
            &[(KEY, "hcaik_x"), (ENDPOINT, "https://api.eu1.honeycomb.io")],
            &[(KEY, "hcaik_x"), (TRACES_ENDPOINT, "https://API.Honeycomb.IO/v1/traces")],
        ] {
            let value = team(variables).unwrap();
            assert!(value == "hcaik_x" && value.is_sensitive());
        }
    }

    #[test]
    fn nobody_elses_host_gets_the_key() {
        for variables in [
            &[(KEY, "hcaik_x"), (ENDPOINT, "https://honeycomb.io.example")][..],
            &[(KEY, "hcaik_x"), (ENDPOINT, "https://nothoneycomb.io")],
            &[(KEY, "hcaik_x"), (ENDPOINT, "http://localhost:4318")],
        ] {
            assert_eq!(team(variables), None);
        }
    }

    #[test]
    fn the_key_alone_leads_to_honeycomb() {
        let lookup = |name: &str| (name == KEY).then(|| "hcaik_x".to_owned());
        assert_eq!(*otlp(&Env::new(lookup)).unwrap().uri(), "https://api.honeycomb.io/v1/traces");
    }
}
