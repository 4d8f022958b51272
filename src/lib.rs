//! Tower layers that see every request to its true end.
//!
//! Belvedere puts a span around each request of an axum, hyper or tonic service: from its arrival to the last byte of
//! its body, or to the moment at which its client left, its handler panicked, its stream broke. The span goes to
//! Honeycomb or any other OTLP backend, a segment under the same trace id to AWS X-Ray, a line to CloudWatch Logs, and, where it
//! failed, an item to Rollbar, off the request's path.
//!
//! ```no_run
//! # #[cfg(all(feature = "otel", feature = "axum"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use std::time::Duration;
//!
//! let belvedere = belvedere::from_env()?; // OTEL_*, HONEYCOMB_API_KEY, AWS_XRAY_*, ROLLBAR_*, CLOUDWATCH_*
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(belvedere.layer());
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
//! axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
//! belvedere.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | the variables, and one call for everything | `setup` |
//! | spans and metrics: what is on them, how to change it | `otel` |
//! | segments and subsegments, X-Ray's sampling rules, its daemon and its API | `xray`, [`guide::segments`] |
//! | failures with their request, their user and their stack | `rollbar`, [`guide::items`] |
//! | access records, the application's own events, metrics made of log lines | `cloudwatch`, [`guide::logs`] |
//! | what counts as a secret, and what becomes of it | `scrub` |
//! | outgoing requests: hyper, tonic, reqwest | `otel::OtelClientLayer`, `xray::XRayClientLayer`, `adapter` |
//! | what an exchange is and how it ends | [`observe`], [`exchange`] |
//! | trace ids, `traceparent`, `X-Amzn-Trace-Id`, work in tasks and threads | [`trace`] |
//! | queues, retries, losses, the shutdown | [`outbox`] |
//! | a page that shows the traces on your own machine | `console` |
//! | stacking order, shutting down, privacy, browsers, upgrades, a backend of your own | [`guide`] |
//!
//! # Features
//!
//! None is on by default; each adds and none changes what another does.
//!
//! | feature | |
//! |---|---|
//! | `otel` | spans and metrics by OTLP over HTTP |
//! | `axum` | routes from `MatchedPath`, addresses from `ConnectInfo`, extractors |
//! | `reqwest` | the client layers on a reqwest client |
//! | `xray` | AWS X-Ray segments, and its samplers |
//! | `rollbar` | Rollbar items of every failure; `from_env` comes with it, with `otel` and with `xray` |
//! | `cloudwatch` | CloudWatch Logs; `from_env` comes with it, too |
//! | `aws` | requests signed for AWS; part of `xray` and `cloudwatch` |
//! | `transport` | the HTTPS client and datagrams alone; part of `otel`, `aws` and `rollbar` |
//! | `full` | all of the above |
//! | `aws-config` | an `SdkConfig` of the crate `aws-config` makes a client of `aws` |
//! | `console` | the local console, for development |
//!
//! # What it promises
//!
//! - **It never fails a request.** Building may fail, with a message that says what to do; after that, whatever goes
//!   wrong becomes a count and an event.
//! - **It never blocks.** Records go into bounded queues; what does not fit is counted under a reason.
//! - **It leaks nothing by default**: no value of a query, no body, of the headers only what the conventions name (the
//!   host, the user agent, and `tracestate`, which is a part of the span). Rollbar, where there is a token, gets of a
//!   request that failed more than that, scrubbed: [`guide::privacy`].
//! - **A client cannot tell** that it is there.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "reqwest")]
pub mod adapter;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "cloudwatch")]
pub mod cloudwatch;
#[cfg(feature = "console")]
pub mod console;
pub mod error;
pub mod exchange;
pub mod guide;
pub mod observe;
#[cfg(feature = "otel")]
pub mod otel;
pub mod outbox;
#[cfg(feature = "rollbar")]
pub mod rollbar;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
pub mod scrub;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
pub mod setup;
pub mod trace;
#[cfg(feature = "transport")]
pub mod transport;
#[cfg(feature = "xray")]
pub mod xray;

pub use error::Error;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
pub use setup::{Belvedere, BelvedereClientLayer, BelvedereLayer, Setup, from_env};

#[cfg(all(doctest, feature = "full", feature = "console"))]
#[doc = include_str!("../README.md")]
mod readme {}
