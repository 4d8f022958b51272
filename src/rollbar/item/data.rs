use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{
    Attribute, Body, Client, Custom, Level, Notifier, Person, Request, Server, Text,
    extra::{Extra, extra},
    lenient,
};

/// An occurrence: what happened, where, to whom, and who tells of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Data {
    #[serde(flatten)]
    pub(in crate::rollbar) extra: Extra,
    /// Where it ran, such as `production`: at most 255 characters. Items of two environments are never one.
    pub environment: Text<255>,
    /// What happened.
    pub body: Body,
    /// How bad it is. Rollbar keeps the level of an item's first occurrence.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// When it happened, in seconds since 1970.
    #[serde(default, deserialize_with = "lenient::seconds", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// The version of the code: at most 40 characters, such as a revision of git.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub code_version: Option<Text<40>>,
    /// What it ran on.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub platform: Option<Text<255>>,
    /// What it is written in.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub language: Option<Text<255>>,
    /// What it is built upon, such as `axum`.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub framework: Option<Text<255>>,
    /// Which part of the code was asked, such as a route. Rollbar searches it by its beginning.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub context: Option<Text<255>>,
    /// The request that it happened in.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<Request>>,
    /// The user it happened to.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// The machine and the code on it.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// What of the paths in a stack is the project's own besides the server's root.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub project_package_paths: Vec<String>,
    /// A program that runs at the user's.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// Anything else worth knowing.
    #[serde(default, deserialize_with = "lenient::default", skip_serializing_if = "Custom::is_empty")]
    pub custom: Custom,
    /// What makes two occurrences one item. Rollbar takes 40 characters, and of a longer one its SHA-1; from 255
    /// characters on it is cut.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Text<255>>,
    /// What the item is called: at most 255 characters.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub title: Option<Text<255>>,
    /// The occurrence's own id: at most 36 characters. Of two with the same one, Rollbar discards the second.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Text<36>>,
    /// What library tells of it.
    #[serde(default, deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub notifier: Option<Notifier>,
    /// What it is linked by, such as `trace_id`.
    #[serde(default, deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

// ===== impl Data =====

impl Data {
    /// Something that happened in a program in Rust, told by this crate.
    pub fn new(environment: impl Into<Text<255>>, body: impl Into<Body>) -> Self {
        Self {
            extra: Extra::default(),
            environment: environment.into(),
            body: body.into(),
            level: None,
            timestamp: None,
            code_version: None,
            platform: None,
            language: Some("rust".into()),
            framework: None,
            context: None,
            request: None,
            person: None,
            server: None,
            project_package_paths: Vec::new(),
            client: None,
            custom: Custom::default(),
            fingerprint: None,
            title: None,
            uuid: None,
            notifier: Some(Notifier::belvedere()),
            attributes: Vec::new(),
        }
    }

    /// When it happened. A time before 1970 is none.
    pub fn at(&mut self, time: SystemTime) {
        self.timestamp = time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    }
}

extra!(
    Data: "environment", "body", "level", "timestamp", "code_version", "platform", "language", "framework", "context",
    "request", "person", "server", "project_package_paths", "client", "custom", "fingerprint", "title", "uuid",
    "notifier", "attributes", "access_token"
);
