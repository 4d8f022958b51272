//! OpenTelemetry spans for every exchange, and their way to any OTLP backend.
//!
//! ```
//! use axum::{Router, routing::get};
//! use belvedere::otel::OtelLayer;
//!
//! let app: Router = Router::new()
//!     .route("/carts/{id}", get(|| async { "a cart" }))
//!     .layer(OtelLayer::new().skip(|request| request.uri.path() == "/healthz"));
//! ```
//!
//! # The span
//!
//! A `SERVER` span ([`OtelLayer`]) or a `CLIENT` span ([`OtelClientLayer`]) by the stable
//! [HTTP conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/), or, where request and
//! response are those of gRPC, by the [RPC conventions](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/). It lasts as long as the
//! exchange: until the last byte of the body, or until the client leaves.
//!
//! | end | span |
//! |---|---|
//! | 1xx to 4xx | unset (on a client, 4xx is an error) |
//! | 5xx | error, `error.type` is the status |
//! | service or body failed | error, `error.type` is the error's type (on a client, what of the [network](crate::exchange::Fault) failed), an `exception` event |
//! | panic | error, `error.type` is `panic`, an `exception` event with the message |
//! | client left | error, `error.type` is `canceled` |
//! | gRPC | by the code, from the trailers or from a head of trailers alone |
//!
//! # The metrics
//!
//! None, until a layer is given some: [`Metrics`]. Those of gRPC take the place of those of HTTP where both sides spoke
//! it; all else counts as HTTP, whatever a client wrote into its content type.
//!
//! | instrument | unit | attributes | recorded |
//! |---|---|---|---|
//! | `http.server.request.duration` | `s` | of HTTP: `http.request.method`, `url.scheme`, `http.route`, `http.response.status_code`, `error.type`, `network.protocol.version` | always |
//! | `http.client.request.duration` | `s` | of HTTP: the same, but `server.address` and `server.port` for scheme and route | always |
//! | `rpc.server.call.duration` | `s` | of gRPC: `rpc.system.name`, `rpc.method`, `rpc.status_code` (also as `rpc.response.status_code`), `error.type` | always |
//! | `rpc.client.call.duration` | `s` | of gRPC, with `server.address` and `server.port` | always |
//! | `http.{server,client}.active_requests` | `{request}` | `http.request.method`, and `url.scheme` or the server's address and port | [if asked for](Metrics::active_requests) |
//! | `http.{server,client}.request.body.size` | `By` | of HTTP | [if asked for](Metrics::body_sizes), where `content-length` tells it |
//! | `http.{server,client}.response.body.size` | `By` | of HTTP | [if asked for](Metrics::body_sizes), where the body came to its end |
//!
//! A duration and an `error.type` are those of the span. Sampling changes nothing, and what is skipped is not measured.
//! The span is current while something is measured, so that an SDK that keeps exemplars finds its trace.
//!
//! # Names that a stranger cannot multiply
//!
//! Whatever names a span or tells two points of a metric apart has few values, also when somebody tries: methods are
//! those that are [known](OtelLayer::known_methods), servers, the routes that [`route`](OtelLayer::route) tells and the
//! names that [`span_name`](OtelLayer::span_name) makes have room for 1,000 each, and the methods of gRPC must [exist](OtelLayer::rpc_methods). What finds no room is `_OTHER`, a
//! span's name the conventions'; where it matters the span says what it was. A layer and its clones share the room.
//!
//! # What leaves the process
//!
//! The path, the host, the client's address and user agent, as the conventions say, and `tracestate`, which is a part of
//! the span; no other header's value, no value of a query, no body, unless asked for.
//!
//! # Whose provider
//!
//! [`from_env`](crate::from_env) makes one. A layer made by hand uses the global provider as it is when the first
//! request arrives, or the one that [`tracer_provider`](OtelLayer::tracer_provider) gives it: best a [`TracerProvider`] of
//! this crate, which makes the span of a server on the outbox's thread and not on the request's. For one of the SDK,
//! give it [`Ids`] as its id generator, so that a trace has the same id in all backends, and wrap its sampler in
//! [`Undecided`]. To keep a share of all traces, take [`Ratio`] and [`Weighted`], so that counts stay right.
//!
//! ```text
//!  request   head and ids are noted ──► active span ──► handler: attributes, events, children
//!     │                                     │ what it is told waits beside the exchange
//!     ▼                                     ▼
//!  end ──────────────────────────────► lane: the exchange as it was noted
//!                                           │  on the outbox's thread
//!                       usual: bytes of OTLP │ else, or for a destination of yours: the SDK's SpanData
//!                                           ▼
//!                                        backend
//! ```

mod answer;
mod arrival;
mod attributes;
mod baggage;
mod client;
mod cut;
mod destination;
mod emitted;
mod exception;
mod exchange_span;
mod facts;
mod flush;
mod given;
mod ids;
mod layer;
mod links;
mod log_lane;
mod made;
mod measure;
mod metric_lane;
mod metrics;
mod observe;
mod old;
mod options;
mod otlp;
mod outcome;
#[cfg(feature = "spool")]
mod pairs;
mod print;
mod protobuf;
mod provider;
mod quick;
mod quickly;
mod ratio;
mod recorded;
mod resend;
mod resource;
mod rooms;
mod rule;
mod sampler;
mod sdk_span;
mod secrets;
mod served;
mod setters;
mod size;
mod span;
#[cfg(feature = "spool")]
mod span_codec;
mod span_lane;
mod span_record;
mod span_writer;
#[cfg(feature = "spool")]
mod stored;
mod threshold;
mod told;
mod worth;
mod written;

pub use baggage::BaggageAttributes;
pub use client::{ClientSpan, OtelClientLayer};
pub use ids::Ids;
pub use layer::OtelLayer;
pub use links::Links;
pub use log_lane::LogLane;
pub use metric_lane::MetricLane;
pub use metrics::Metrics;
pub use observe::ServerSpan;
pub use otlp::Otlp;
pub use print::Print;
pub use provider::{TracerProvider, TracerProviderBuilder};
pub use ratio::Ratio;
pub use resend::{ResendCount, ResendCountLayer};
pub use sampler::{ParentBased, Undecided, Weighted};
pub use span_lane::SpanLane;
