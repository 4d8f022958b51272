use std::{io, thread, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use opentelemetry::Context;
use serde::Deserialize;
use tokio::runtime;

use crate::transport::{Answer, HttpClient};

/// What Honeycomb knows of a key: <https://docs.honeycomb.io/api/auth/list-authorizations>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Auth {
    r#type: String,
    pub(super) team: Named,
    /// Empty for a classic key.
    pub(super) environment: Named,
    api_key_access: Access,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) slug: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Access {
    events: Option<bool>,
}

/// What came of asking.
#[derive(Debug)]
pub(super) enum Asked {
    Known(Auth),
    /// Honeycomb does not know the key.
    Refused,
    /// There was no answer that helps, and why.
    Nothing(String),
}

// ===== impl Auth =====

impl Auth {
    /// Unless it is said that it may not. An ingest key is there for nothing else.
    pub(super) fn may_send(&self) -> bool {
        self.r#type == "ingest" || self.api_key_access.events != Some(false)
    }
}

/// Asks about a key, and waits at most five seconds.
///
/// The caller may be inside of a runtime, or outside of any: the asking is done by a thread of its own.
pub(super) fn ask(client: HttpClient, uri: Uri, key: HeaderValue) -> Asked {
    let headers = HeaderMap::from_iter([(TEAM, key)]);
    let asking = thread::Builder::new().name(NAME.into()).spawn(move || exchange(&client, &uri, &headers));
    let asked = asking.map(thread::JoinHandle::join);
    match asked {
        Ok(Ok(Ok(answer))) => understood(&answer),
        Ok(Ok(Err(error))) => Asked::Nothing(error.to_string()),
        Ok(Err(_)) => Asked::Nothing("the asking broke off".to_owned()),
        Err(error) => Asked::Nothing(error.to_string()),
    }
}

fn exchange(client: &HttpClient, uri: &Uri, headers: &HeaderMap) -> io::Result<Answer> {
    let _untraced = Context::enter_telemetry_suppressed_scope();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(client.get(uri, headers, LIMIT));
    // A name that is still being resolved is not waited for.
    runtime.shutdown_background();
    answer.map_err(io::Error::other)
}

fn understood(answer: &Answer) -> Asked {
    match answer.status {
        StatusCode::UNAUTHORIZED => Asked::Refused,
        StatusCode::OK => serde_json::from_slice(&answer.body)
            .map_or_else(|_| Asked::Nothing("the answer is not Honeycomb's".to_owned()), Asked::Known),
        status => Asked::Nothing(format!("the answer was {status}")),
    }
}

const TEAM: HeaderName = HeaderName::from_static("x-honeycomb-team");
const LIMIT: Duration = Duration::from_secs(5);
const NAME: &str = "belvedere-check";
