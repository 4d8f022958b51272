use http::{HeaderName, HeaderValue, Uri};

use super::{
    auth::{self, Asked, Auth},
    endpoint,
    env::Env,
    key::{Key, Kind},
    signal::Signal,
};
use crate::{Error, otel::Otlp};

/// What the environment says about Honeycomb, by `HONEYCOMB_*`.
#[derive(Debug)]
pub(super) struct Honeycomb {
    key: Option<Key>,
    /// A base URL.
    endpoint: Option<String>,
}

/// Where in Honeycomb what is sent can be seen.
#[derive(Debug)]
pub(super) struct Home {
    host: &'static str,
    auth: Auth,
    /// The dataset that is asked for, which counts for classic keys.
    dataset: Option<String>,
}

// ===== impl Honeycomb =====

impl Honeycomb {
    /// # Errors
    ///
    /// When the endpoint is no URL.
    pub(super) fn read(env: &Env) -> Result<Self, Error> {
        let endpoint = env.text(ENDPOINT);
        if let Some(endpoint) = &endpoint {
            endpoint::below(ENDPOINT, endpoint, "")?;
        }
        Ok(Self { key: env.text(KEY).map(Key::new), endpoint })
    }

    /// Whether the environment says that things go to Honeycomb where no other endpoint is named.
    pub(super) fn is_named(env: &Env) -> bool {
        env.first([ENDPOINT, KEY]).is_some()
    }

    /// The variable that decides about it, and the base URL.
    pub(super) fn base(&self) -> Option<(&'static str, &str)> {
        match (&self.endpoint, &self.key) {
            (Some(endpoint), _) => Some((ENDPOINT, endpoint)),
            (None, Some(_)) => Some((KEY, API)),
            (None, None) => None,
        }
    }

    /// Whether this is Honeycomb: by its host, or because the user says so.
    pub(super) fn is_at(&self, uri: &Uri) -> bool {
        let said = self.endpoint.as_ref().and_then(|endpoint| endpoint.parse::<Uri>().ok());
        let is_said = said.is_some_and(|said| origin(&said) == origin(uri));
        is_said || is_theirs(uri)
    }

    /// The headers that Honeycomb wants beside those `given`, for what goes to `uri`.
    pub(super) fn headers(
        &self,
        env: &Env,
        uri: &Uri,
        signal: Signal,
        service: &str,
        given: &[(HeaderName, HeaderValue)],
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        let is_given = |wanted: &HeaderName| given.iter().any(|(name, _)| name == wanted);
        match (&self.key, self.is_at(uri)) {
            (None, true) if !is_given(&TEAM) => {
                env.note(format!("{KEY} is not set, which Honeycomb asks for"))
            }
            // A signal that was sent elsewhere on purpose needs no warning; that all of them are may be a mistake.
            (Some(_), false) if signal == Signal::Traces => {
                env.note(format!("{KEY} is not sent, because the endpoint of spans is not Honeycomb's"));
            }
            // What is said of the signal, or of this key, comes before what is said in general.
            (Some(_), true) if is_given(&TEAM) => {
                env.note(format!("{KEY} is not sent, because the headers already name {TEAM}"));
            }
            (Some(key), true) => match key.header() {
                Some(value) => {
                    warn_of(env, key);
                    if is_theirs(uri) && uri.scheme_str() == Some("http") {
                        env.note(format!("{KEY} is sent for everybody to read: give an endpoint with https"));
                    }
                    headers.push((TEAM, value));
                }
                None => env.note(format!("{KEY} holds bytes that no header may: using no key")),
            },
            _ => {}
        }
        if self.is_at(uri) && !is_given(&DATASET_HEADER) {
            let dataset = self.dataset(env, signal, service);
            headers.extend(dataset.map(|dataset| (DATASET_HEADER, dataset)));
        }
        headers
    }

    /// Asks Honeycomb about the key. None if there is no answer that helps, which is noted.
    ///
    /// # Errors
    ///
    /// Where the key `must` do, and does not.
    pub(super) fn ask(&self, env: &Env, traces: &Otlp, must: bool) -> Result<Option<Home>, Error> {
        // It may have come with the other headers.
        let Some(value) = traces.headers().get(&TEAM).cloned() else {
            env.note(format!("{KEY} is not set: there is no key to ask Honeycomb about"));
            return Ok(None);
        };
        let is_ours = self.key.as_ref().and_then(Key::header).is_some_and(|ours| ours == value);
        let name = if is_ours { KEY } else { "the header x-honeycomb-team" };
        let key = Key::new(value.to_str().unwrap_or_default().to_owned());
        let refused = |why: &str| Error::invalid(name, &key.masked(), why);
        match auth::ask(traces.client()?, self.auth(traces.uri())?, value) {
            Asked::Known(auth) if must && !auth.may_send() => Err(refused(MUTE)),
            Asked::Known(auth) => {
                tell(&auth, must);
                Ok(Some(Home { host: ui(traces.uri()), auth, dataset: said(traces, &DATASET_HEADER) }))
            }
            Asked::Refused if must => Err(refused(UNKNOWN)),
            Asked::Refused => {
                env.note(format!("{name}: {UNKNOWN}"));
                Ok(None)
            }
            Asked::Nothing(why) => {
                env.note(format!("{name} could not be checked: {why}: starting all the same"));
                Ok(None)
            }
        }
    }

    fn auth(&self, traces: &Uri) -> Result<Uri, Error> {
        match &self.endpoint {
            Some(endpoint) => endpoint::below(ENDPOINT, endpoint, AUTH),
            None => {
                let (scheme, authority) = origin(traces);
                endpoint::below(KEY, &format!("{scheme}://{authority}"), AUTH)
            }
        }
    }

    /// The dataset that is asked for; none where Honeycomb takes the service's name.
    fn dataset(&self, env: &Env, signal: Signal, service: &str) -> Option<HeaderValue> {
        let of_metrics = (signal == Signal::Metrics).then(|| env.text(METRICS_DATASET)).flatten();
        let given = of_metrics.map(|dataset| (METRICS_DATASET, dataset)).or_else(|| self.given(env));
        let (name, dataset) = given.or_else(|| {
            let is_classic = self.kind() == Some(Kind::Classic);
            is_classic.then(|| {
                env.note(format!("{DATASET} is not set, which a classic key needs: using {service:?}"));
                (DATASET, service.to_owned())
            })
        })?;
        let header = HeaderValue::try_from(&dataset).ok();
        if header.is_none() {
            env.warn(name, &dataset, "none");
        }
        header
    }

    fn given(&self, env: &Env) -> Option<(&'static str, String)> {
        let dataset = env.text(DATASET)?;
        if matches!(self.kind(), Some(Kind::Ingest | Kind::Configuration)) {
            env.note(format!(
                "{DATASET} is not used: with a key of an environment, the service's name is the dataset"
            ));
            return None;
        }
        Some((DATASET, dataset))
    }

    fn kind(&self) -> Option<Kind> {
        self.key.as_ref().map(Key::kind)
    }
}

// ===== impl Home =====

impl Home {
    /// What the URL of a trace begins with; its id follows.
    pub(super) fn url(&self, service: &str) -> String {
        let Self { host, auth, dataset } = self;
        // Honeycomb does not tell unnamed services apart.
        let service = if service.starts_with(UNNAMED) { UNNAMED } else { service };
        let (team, environment) = (segment(&auth.team.slug), segment(&auth.environment.slug));
        let (environment, dataset) = if environment.is_empty() {
            (environment, dataset.as_deref().unwrap_or(service))
        } else {
            (format!("/environments/{environment}"), service)
        };
        format!("https://{host}/{team}{environment}/datasets/{}/trace?trace_id=", segment(dataset))
    }
}

/// Whose key it is. Whoever asked for that sees it also without a subscriber.
fn tell(auth: &Auth, is_wanted: bool) {
    let (team, environment) = (&auth.team.name, &auth.environment.name);
    if is_wanted && !tracing::dispatcher::has_been_set() {
        eprintln!("belvedere: honeycomb: the key is known: team={team:?} environment={environment:?}");
    } else {
        tracing::info!(target: "belvedere::setup", team, environment, "honeycomb: the key is known");
    }
}

/// The text of a header that requests have.
fn said(otlp: &Otlp, name: &HeaderName) -> Option<String> {
    otlp.headers().get(name)?.to_str().ok().map(str::to_owned)
}

fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%5F", "_")
        .replace("%2E", ".")
}

fn warn_of(env: &Env, key: &Key) {
    let why = match key.kind() {
        _ if key.has_space() => "has white space in it",
        Kind::Classic | Kind::Ingest | Kind::Configuration => return,
        Kind::Management => "is a management key, which may not send events: give an ingest key",
        Kind::Id => "is only the part that names a key: give the whole one, with its secret",
        Kind::Unknown => "does not look like a key of Honeycomb",
    };
    env.note(format!("{KEY} {why}: sending it as it is"));
}

/// Whether the host is Honeycomb's own.
fn is_theirs(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    host == "honeycomb.io" || host.ends_with(".honeycomb.io")
}

fn origin(uri: &Uri) -> (String, String) {
    let authority = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    (uri.scheme_str().unwrap_or_default().to_ascii_lowercase(), authority.unwrap_or_default())
}

fn ui(traces: &Uri) -> &'static str {
    let is_eu = traces.host().is_some_and(|host| host.eq_ignore_ascii_case("api.eu1.honeycomb.io"));
    if is_eu { "ui.eu1.honeycomb.io" } else { "ui.honeycomb.io" }
}

pub(super) const KEY: &str = "HONEYCOMB_API_KEY";
const ENDPOINT: &str = "HONEYCOMB_API_ENDPOINT";
const DATASET: &str = "HONEYCOMB_DATASET";
const METRICS_DATASET: &str = "HONEYCOMB_METRICS_DATASET";
const API: &str = "https://api.honeycomb.io";
const AUTH: &str = "/1/auth";
const UNNAMED: &str = "unknown_service";
const TEAM: HeaderName = HeaderName::from_static("x-honeycomb-team");
const DATASET_HEADER: HeaderName = HeaderName::from_static("x-honeycomb-dataset");
const UNKNOWN: &str = "Honeycomb does not know this key: copy it anew from the environment's settings, and mind that the EU \
                       has keys and an endpoint of its own, https://api.eu1.honeycomb.io";
const MUTE: &str =
    "this key may not send events: allow it to in the environment's settings, or give another one";
