use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{endpoint::endpoint, env::Env, honeycomb::Honeycomb, pairs::pairs, signal::Signal, tls::tls};
use crate::{Error, otel::Otlp};

/// Where a signal goes, by `OTEL_EXPORTER_OTLP_*` and `HONEYCOMB_*`.
///
/// # Errors
///
/// When the endpoint is no URL, the protocol is not spoken, or a file of TLS cannot be used.
pub(super) fn otlp(env: &Env, signal: Signal, honeycomb: &Honeycomb, service: &str) -> Result<Otlp, Error> {
    speaks(env, signal)?;
    let uri = endpoint(env, signal, honeycomb)?;
    let given = headers(env, signal);
    let more = honeycomb.headers(env, &uri, signal, service, &given);
    let otlp = Otlp::new(uri).timeout(timeout(env, signal)).gzip(gzips(env, signal));
    let otlp = given.into_iter().chain(more).fold(otlp, |otlp, (name, value)| otlp.header(name, value));
    tls(env, signal, otlp)
}

/// How long one request may take.
pub(super) fn timeout(env: &Env, signal: Signal) -> Duration {
    let names = [signal.variable("TIMEOUT"), Signal::generic("TIMEOUT")];
    env.timeout(&names.each_ref().map(String::as_str), TIMEOUT)
}

fn speaks(env: &Env, signal: Signal) -> Result<(), Error> {
    match env.otlp(signal, "PROTOCOL") {
        Some((name, value)) if !value.eq_ignore_ascii_case("http/protobuf") => {
            Err(Error::invalid(&name, &value, "only http/protobuf is spoken; unset it or set it to that"))
        }
        _ => Ok(()),
    }
}

fn gzips(env: &Env, signal: Signal) -> bool {
    let Some((name, text)) = env.otlp(signal, "COMPRESSION") else { return true };
    match text.to_ascii_lowercase().as_str() {
        "gzip" => true,
        "none" => false,
        _ => {
            env.warn(&name, &text, "gzip");
            true
        }
    }
}

fn headers(env: &Env, signal: Signal) -> Vec<(HeaderName, HeaderValue)> {
    let Some((variable, text)) = env.otlp(signal, "HEADERS") else { return Vec::new() };
    let header = |(name, value): (String, String)| {
        let parsed = name.parse::<HeaderName>().ok().zip(HeaderValue::try_from(value).ok());
        if parsed.is_none() {
            // Neither part is shown: what is no name may be a piece of a secret.
            env.note(format!("{variable}: a pair is no header with a value: using the rest without it"));
        }
        parsed
    };
    pairs(env, &variable, &text).into_iter().filter_map(header).collect()
}

const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    type Variables = &'static [(&'static str, &'static str)];

    fn of(signal: Signal, variables: Variables) -> Otlp {
        let lookup = |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        let env = Env::new(lookup);
        otlp(&env, signal, &Honeycomb::read(&env).unwrap(), "checkout").unwrap()
    }

    fn header(signal: Signal, variables: Variables, name: &str) -> Option<HeaderValue> {
        of(signal, variables).headers().get(name).cloned()
    }

    #[test]
    fn honeycombs_hosts_get_the_key_and_it_is_marked_as_a_secret() {
        for variables in [
            &[(KEY, "hcaik_x")][..],
            &[(KEY, "hcaik_x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.eu1.honeycomb.io")],
            &[(KEY, "hcaik_x"), ("HONEYCOMB_API_ENDPOINT", "https://api.eu1.honeycomb.io")],
            &[(KEY, "hcaik_x"), ("HONEYCOMB_API_ENDPOINT", "http://localhost:8086")],
            &[(KEY, "hcaik_x"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://API.Honeycomb.IO/v1/traces")],
        ] {
            let value = header(Signal::Traces, variables, TEAM).unwrap();
            assert!(value == "hcaik_x" && value.is_sensitive());
        }
    }

    #[test]
    fn a_timeout_of_nothing_is_none() {
        for (variables, seconds) in [
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0")][..], u64::from(u32::MAX) / 1000),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3000")], 3),
            (&[("OTEL_EXPORTER_OTLP_TIMEOUT", "-1")], 10),
        ] {
            let lookup =
                |name: &str| variables.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
            assert_eq!(timeout(&Env::new(lookup), Signal::Traces).as_secs(), seconds, "{variables:?}");
        }
    }

    #[test]
    fn nobody_elses_host_gets_the_key() {
        for variables in [
            &[(KEY, "hcaik_x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://honeycomb.io.example")][..],
            &[(KEY, "hcaik_x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://nothoneycomb.io")],
            &[(KEY, "hcaik_x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")],
            &[
                (KEY, "hcaik_x"),
                ("HONEYCOMB_API_ENDPOINT", "http://localhost:8086"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
            ],
        ] {
            assert_eq!(header(Signal::Traces, variables, TEAM), None);
        }
    }

    #[test]
    fn the_key_alone_leads_to_honeycomb() {
        for (signal, url) in [
            (Signal::Traces, "https://api.honeycomb.io/v1/traces"),
            (Signal::Metrics, "https://api.honeycomb.io/v1/metrics"),
            (Signal::Logs, "https://api.honeycomb.io/v1/logs"),
        ] {
            assert_eq!(*of(signal, &[(KEY, "hcaik_x")]).uri(), url);
        }
    }

    #[test]
    fn a_classic_key_brings_its_dataset() {
        const CLASSIC: &str = "0123456789abcdef0123456789abcdef";
        for (signal, variables, dataset) in [
            (Signal::Traces, &[(KEY, CLASSIC)][..], Some("checkout")),
            (Signal::Traces, &[(KEY, CLASSIC), ("HONEYCOMB_DATASET", "shop")], Some("shop")),
            (Signal::Metrics, &[(KEY, CLASSIC), ("HONEYCOMB_DATASET", "shop")], Some("shop")),
            (Signal::Metrics, &[(KEY, CLASSIC), ("HONEYCOMB_METRICS_DATASET", "numbers")], Some("numbers")),
            (Signal::Traces, &[(KEY, INGEST), ("HONEYCOMB_DATASET", "shop")], None),
            (Signal::Metrics, &[(KEY, INGEST), ("HONEYCOMB_METRICS_DATASET", "numbers")], Some("numbers")),
            (Signal::Traces, &[(KEY, INGEST), ("HONEYCOMB_METRICS_DATASET", "numbers")], None),
        ] {
            let header = header(signal, variables, "x-honeycomb-dataset");
            assert_eq!(header.as_ref().and_then(|value| value.to_str().ok()), dataset, "{variables:?}");
        }
    }

    const KEY: &str = "HONEYCOMB_API_KEY";
    const INGEST: &str = "hcaik_0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
    const TEAM: &str = "x-honeycomb-team";
}
