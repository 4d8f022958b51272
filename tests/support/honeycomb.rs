//! Honeycomb, as it answers `GET /1/auth`.

use super::sink::{Received, Sink};

/// Answers the first request as Honeycomb answers the question about a key, and takes everything after it.
pub struct Honeycomb {
    pub sink: Sink,
}

impl Honeycomb {
    /// It knows the key, which may send.
    pub fn knowing() -> Self {
        Self::answering(200, &auth("configuration", true, "production"))
    }

    /// It knows the key as an ingest key, of which nothing more is said.
    pub fn ingest() -> Self {
        Self::answering(200, &auth("ingest", false, "production"))
    }

    /// It knows the key, which may not send.
    pub fn muting() -> Self {
        Self::answering(200, &auth("configuration", false, "production"))
    }

    /// It knows the key as one from before there were environments.
    pub fn classic() -> Self {
        Self::answering(200, &auth("configuration", true, ""))
    }

    pub fn answering(status: u16, body: &str) -> Self {
        let sink = Sink::start();
        sink.answer(status, &[("content-type", "application/json")], body.to_owned());
        Self { sink }
    }

    /// As `HONEYCOMB_API_ENDPOINT` takes it.
    pub fn base(&self) -> String {
        self.sink.base()
    }

    /// What was asked about keys.
    pub fn asked(&self) -> Vec<Received> {
        self.sink.received().into_iter().filter(|received| received.path == "/1/auth").collect()
    }
}

/// <https://docs.honeycomb.io/api/auth/list-authorizations>
fn auth(kind: &str, events: bool, environment: &str) -> String {
    format!(
        r#"{{"id":"FL_xMM5LapLC","type":"{kind}",
            "api_key_access":{{"events":{events},"markers":false,"createDatasets":true}},
            "environment":{{"name":"{environment}","slug":"{environment}"}},
            "team":{{"name":"The Shop","slug":"the-shop"}}}}"#
    )
}
