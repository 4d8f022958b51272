//! From environment variables to layers and their way out.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use std::time::Duration;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let belvedere = belvedere::from_env()?;
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(belvedere.layer());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
//! belvedere.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Variables
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `false`; `true`: no spans, trace headers still pass through | warning, `false` |
//! | `OTEL_SERVICE_NAME` | `unknown_service:<program>` | |
//! | `OTEL_RESOURCE_ATTRIBUTES` | none | warning, the pair is left out |
//! | `OTEL_TRACES_EXPORTER` | `otlp`; a comma list of `otlp`, `console`, `none` | warning, the word is left out |
//! | `OTEL_TRACES_SAMPLER` | `parentbased_always_on` | warning, the default |
//! | `OTEL_TRACES_SAMPLER_ARG` | `1.0` | warning, the default |
//! | `OTEL_PROPAGATORS` | `tracecontext,baggage`; also `xray`, `none` | warning, the word is left out |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | `http://localhost:4318`; `/v1/traces` is appended | error |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | none; used as it is | error |
//! | `OTEL_EXPORTER_OTLP_[TRACES_]HEADERS` | none | warning, the pair is left out |
//! | `OTEL_EXPORTER_OTLP_[TRACES_]TIMEOUT` | `10000` ms | warning, the default |
//! | `OTEL_EXPORTER_OTLP_[TRACES_]COMPRESSION` | `gzip`; or `none` | warning, the default |
//! | `OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL` | `http/protobuf`, the only one | error |
//! | `HONEYCOMB_API_KEY` | none; alone it is enough for Honeycomb | warning, no key |
//!
//! An empty variable is one that is not set. Of two, the one with `TRACES_` counts. The Honeycomb key is sent to
//! Honeycomb's own hosts and nowhere else. A list in which no word is understood is the default one.

mod auth;
mod batch;
mod belvedere;
mod builder;
mod collector;
mod endpoint;
mod env;
mod exporters;
mod honeycomb;
mod instrumentation;
mod key;
mod limits;
mod otlp;
mod pairs;
mod resource;
mod sampler;
mod signal;
mod traces;

pub use self::{
    belvedere::{Belvedere, BelvedereClientLayer, BelvedereLayer},
    builder::Setup,
};

use crate::Error;

/// The layers for this process, by its environment.
///
/// The tracer provider that it makes also becomes OpenTelemetry's global one, so that spans made by hand go the same
/// way. No variable at all is no error.
///
/// # Errors
///
/// When an endpoint is no URL or a protocol is not spoken; the message names the variable.
pub fn from_env() -> Result<Belvedere, Error> {
    Setup::from_env().start()
}
