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
//! | `OTEL_SDK_DISABLED` | `false`; `true`: no spans, metrics or logs, trace headers still pass through | warning, `false` |
//! | `OTEL_SERVICE_NAME` | `unknown_service:<program>` | |
//! | `OTEL_RESOURCE_ATTRIBUTES` | none | warning, the pair is left out |
//! | `OTEL_PROPAGATORS` | `tracecontext,baggage`, and where something is said about X-Ray `xray`; also `b3`, `b3multi`, `xray`, `none` | warning, the word is left out |
//!
//! An empty variable is one that is not set. Words are read in any case. A list in which no word is understood is the
//! default one.
//!
//! ## Where it goes
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `OTEL_TRACES_EXPORTER` | `otlp`; a list of `otlp`, `console`, `none` | warning, the word is left out |
//! | `OTEL_METRICS_EXPORTER` | `otlp` where spans go by OTLP or an endpoint is named, but `none` towards Honeycomb; `otlp`, `none` | warning, the word is left out |
//! | `OTEL_LOGS_EXPORTER` | `otlp`; `otlp`, `none` | warning, the word is left out |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | `http://localhost:4318`; `/v1/traces` and the like are appended | error |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | none | warning, the pair is left out |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | `10000` ms; `0` leaves the limit to the export timeouts, where `0` is none | warning, the default |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip`; or `none` | warning, the default |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf`, the only one | error |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE` | none; a PEM file of authorities to trust in place of Mozilla's | error |
//! | `OTEL_EXPORTER_OTLP_CLIENT_KEY`, `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` | none; PEM files, both or neither | error |
//!
//! Of each that begins with `OTEL_EXPORTER_OTLP_` there is one for spans alone, `OTEL_EXPORTER_OTLP_TRACES_…`, one for
//! metrics, and one for logs; of two, the signal's own counts. An endpoint for a signal alone is used as it is.
//!
//! ## What is kept, and what it may cost
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `BELVEDERE_SPOOL` | none; a folder on the disk for what is not delivered yet, see `outbox::Spool` | told by an event and the log: what is not delivered is kept in memory |
//! | `BELVEDERE_BUDGET` | `none`; `free`: no more than the vendors give for nothing, see [`Budget::free_tier`](crate::outbox::Budget::free_tier) | error |
//! | `BELVEDERE_BUDGET_FOLDER` | none; a folder where it is kept how much of the budget was used | told by the log: as if all was used |
//! | `BELVEDERE_BUDGET_PROCESSES` | `1`; how many processes share the budget | error |
//!
//! They hold for all backends. [`Setup::outbox`] says more of both, and comes first.
//!
//! ## How much, and when
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `OTEL_TRACES_SAMPLER` | `parentbased_always_on`; also `xray`, `parentbased_xray`, see [below](#x-ray) | warning, the default |
//! | `OTEL_TRACES_SAMPLER_ARG` | `1.0`; the share that is kept, see [`Ratio`](crate::otel::Ratio) | warning, the default |
//! | `OTEL_BSP_SCHEDULE_DELAY` | `1000` ms; how long a span waits for company | warning, the default |
//! | `OTEL_BSP_MAX_QUEUE_SIZE` | `8192`; spans held, those in flight included | warning, the default |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` | `512`; spans in one request | warning, the default or the queue's size |
//! | `OTEL_BSP_EXPORT_TIMEOUT` | `30000` ms; an upper bound of one request | warning, the default |
//! | `OTEL_BLRP_SCHEDULE_DELAY`, `OTEL_BLRP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_EXPORT_TIMEOUT` | the same, for logs | the same |
//! | `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` | none | warning, none |
//! | `OTEL_ATTRIBUTE_COUNT_LIMIT`, `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT` | `128` | warning, the default |
//! | `OTEL_SPAN_EVENT_COUNT_LIMIT`, `OTEL_SPAN_LINK_COUNT_LIMIT` | `128` | warning, the default |
//! | `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT` | `128` | warning, the default |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | `60000` ms | warning, the default |
//! | `OTEL_METRIC_EXPORT_TIMEOUT` | `30000` ms; an upper bound of one request | warning, the default |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative`; or `delta`, `lowmemory` | warning, the default |
//!
//! ## What is recorded
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` | those of RFC 9110, `PATCH` and `QUERY`; a list in their place | |
//! | `OTEL_SEMCONV_STABILITY_OPT_IN` | none; `http/dup` adds the old names of attributes | nothing changes |
//! | `OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN` | none; `logs`: exceptions are logs, not span events; `logs/dup`: both | warning, the word is left out |
//!
//! Of metrics there are the durations; [`Setup::metrics`] turns on more. Of logs there are exceptions, if they are asked for.
//!
//! ## Honeycomb
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `HONEYCOMB_API_KEY` | none; alone it is enough for Honeycomb; a key among the headers comes first | warning, sent as it is if a header may hold it |
//! | `HONEYCOMB_API_ENDPOINT` | `https://api.honeycomb.io` if there is a key; a base URL that is Honeycomb's | error |
//! | `HONEYCOMB_DATASET` | for classic keys, the service's name | warning, none |
//! | `HONEYCOMB_METRICS_DATASET` | none | warning, none |
//! | `HONEYCOMB_ENABLE_LOCAL_VISUALIZATIONS` | `false`; `true` prints a link to each trace that begins here | warning, `false` |
//! | `BELVEDERE_CHECK` | `false`; `true` asks about the key, see [`Setup::check`] | warning, `false` |
//!
//! The key is sent to Honeycomb's own hosts, to the endpoint that is said to be Honeycomb's, and nowhere else. Honeycomb
//! bills each data point of a metric as an event, so it gets metrics only if `OTEL_METRICS_EXPORTER` says `otlp`.
//!
//! ## X-Ray
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `AWS_XRAY_SDK_ENABLED` | none; `true` or `false`, also as `y`, `yes`, `t`, `on`, `1` and `n`, `no`, `f`, `off`, `0` | error |
//! | `AWS_XRAY_SDK_DISABLED` | none; `true` turns it off, whatever else is said | error |
//! | `AWS_XRAY_DAEMON_ADDRESS` | `127.0.0.1:2000`; see `DaemonAddress` | error |
//! | `AWS_XRAY_TRACING_NAME` | the service's name | warning, made such as X-Ray takes |
//! | `AWS_XRAY_CONTEXT_MISSING` | `IGNORE_ERROR`; `LOG_ERROR`, `RUNTIME_ERROR`, which logs as well | error |
//! | `BELVEDERE_XRAY_EXPORTER` | `daemon`; `api`: signed, straight to X-Ray; `none` | error |
//! | `BELVEDERE_XRAY_SAMPLING_RULES` | the account's rules; the path of a file of AWS's sampling rules, which decide alone | error |
//! | `AWS_REGION`, `AWS_DEFAULT_REGION` | none; for `api` | error, also where neither is set |
//! | `BELVEDERE_XRAY_PLUGINS` | none; a list of `ec2`, `ecs`, `eks`, `elastic_beanstalk`, which are asked what the service runs on | error |
//! | `BELVEDERE_XRAY_LOG_GROUPS` | those that the plugins find, and `CLOUDWATCH_LOG_GROUP`; a list of names or ARNs of log groups | |
//! | `AWS_ENDPOINT_URL_XRAY`, `AWS_ENDPOINT_URL` | X-Ray in the region; for `api` | error |
//!
//! Segments are made with feature `xray`, and where `AWS_XRAY_SDK_ENABLED` is on or one of `AWS_XRAY_DAEMON_ADDRESS` and
//! `AWS_XRAY_TRACING_NAME` is set, or the program says so. Where they are off, nothing more of these is read; nothing is
//! recorded or decided, and the headers of the trace pass through. One line in the log says which it is.
//!
//! The account's rules are had from the daemon's TCP proxy, or with `api` from X-Ray itself; until they are had, and where
//! there are none, one request in each second is recorded, and 5 % of the others. Spans and segments are sampled each by their own
//! rules, unless `OTEL_TRACES_SAMPLER` is `xray` or `parentbased_xray`: then X-Ray's rules decide for both. As both words
//! follow a caller that has decided, they do the same.
//!
//! ## Rollbar
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `ROLLBAR_ACCESS_TOKEN` | none; a project's token of the scope `post_server_item` | error, which does not show it |
//! | `ROLLBAR_ENVIRONMENT` | `deployment.environment.name` of the resource, else `production` | |
//! | `ROLLBAR_CODE_VERSION` | `service.version` of the resource, else none; a git SHA, a semantic version, or a number | |
//! | `ROLLBAR_ENDPOINT` | `https://api.rollbar.com/api/1/item/`; the whole URL that items are posted to | error |
//!
//! Items are sent with feature `rollbar`, and where there is a token; without one there is no Rollbar layer in
//! [`Belvedere::layer`], and one line in the log says so. Whether Rollbar takes the token is known when the first item is
//! sent. What happens outside of requests, panics among it, is reported as well, unless [`Setup::global`] says otherwise.
//!
//! ## CloudWatch Logs
//!
//! | variable | default | a bad value |
//! |---|---|---|
//! | `CLOUDWATCH_LOG_GROUP` | none; the log group that lines go into, which is made if there is none | error |
//! | `CLOUDWATCH_LOG_STREAM` | `{hostname}/{pid}`; a name or a pattern, see `StreamName` | error |
//! | `BELVEDERE_CLOUDWATCH_FORMAT` | `json`; or `text`, which names no trace | error |
//! | `BELVEDERE_CLOUDWATCH_RETENTION_DAYS` | for ever; how many days a group that is made keeps its lines, see `Retention` | error |
//! | `BELVEDERE_CLOUDWATCH_STDOUT` | `false`; `true`: lines are printed, too, or alone where there is no group | error |
//! | `AWS_REGION`, `AWS_DEFAULT_REGION` | none | error, also where neither is set |
//! | `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, `AWS_ENDPOINT_URL` | CloudWatch Logs in the region | error |
//!
//! Each exchange is logged with feature `cloudwatch`, and where there is a group or lines are printed; otherwise there is no
//! CloudWatch layer in [`Belvedere::layer`], and one line in the log says so. What is printed alone has no stream and no
//! retention. Credentials are those of `aws::CredentialsChain`. Missing ones are no
//! error: one line says that they are, as many lines as the lane holds are kept, and sent when there are some. Segments name
//! the group, so that X-Ray's console finds the lines of a trace.

mod absent;
mod belvedere;
mod builder;
mod client_layer;
mod env;
mod layer;
mod pairs;
mod pass;
mod propagation;
mod service;
mod start;
mod way_out;

// A backend is a folder with the same four things in it: what code has said of it (`Given`), what is to be started
// (`Plan`, made where anything may be refused), what was started (`Running`), and its observers (`Server`, `Client`).
#[cfg(not(feature = "cloudwatch"))]
use self::absent as cloudwatch;
#[cfg(feature = "cloudwatch")]
mod cloudwatch;
#[cfg(not(feature = "otel"))]
use self::absent as otel;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "rollbar"))]
use self::absent as rollbar;
#[cfg(feature = "rollbar")]
mod rollbar;
#[cfg(not(feature = "xray"))]
use self::absent as xray;
#[cfg(feature = "xray")]
mod xray;

pub use self::{
    belvedere::Belvedere,
    builder::Setup,
    client_layer::{BelvedereClientLayer, CalledExchange},
    layer::{BelvedereLayer, ServedExchange},
};

use crate::Error;

/// The layers for this process, by its environment.
///
/// The providers of spans and of metrics that it makes also become OpenTelemetry's global ones, so that what is made by
/// hand goes the same way. No variable at all is no error.
///
/// # Errors
///
/// When an endpoint is no URL, a protocol is not spoken, a file cannot be used, or what is said about X-Ray, Rollbar or
/// CloudWatch Logs is wrong; the message names the variable.
#[track_caller]
pub fn from_env() -> Result<Belvedere, Error> {
    Setup::from_env().start()
}
