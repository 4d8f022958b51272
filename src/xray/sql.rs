use serde::{Deserialize, Serialize};

use super::{
    lenient,
    text::{Text, texts},
    url::{ConnectionString, Url},
};

/// A query to a database. Passwords are never in it; the query is what the caller says is safe to show.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Sql {
    /// How the database is reached, where that is no URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<ConnectionString>,
    /// How the database is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The query, with placeholders for what the user gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sanitized_query: Option<Text>,
    /// The database: `PostgreSQL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_type: Option<Text>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_version: Option<Text>,
    /// The driver, and its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_version: Option<Text>,
    /// The database's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text>,
    /// How the query was prepared.
    #[serde(deserialize_with = "lenient::option", skip_serializing_if = "Option::is_none")]
    pub preparation: Option<Preparation>,
}

/// How a query was prepared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preparation {
    /// `PreparedCall`.
    Call,
    /// `PreparedStatement`.
    Statement,
}

texts! {
    Sql: connection_string, url, sanitized_query, database_type, database_version, driver_version, user;
}
