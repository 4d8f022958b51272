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
//! | service or body failed | error, `error.type` is the error's type, an `exception` event |
//! | panic | error, `error.type` is `panic`, an `exception` event with the message |
//! | client left | error, `error.type` is `canceled` |
//! | gRPC | by the code, from the trailers or from a head of trailers alone |
//!
//! # What leaves the process
//!
//! The path, the host, the client's address and user agent, as the conventions say, and `tracestate`, which is a part of
//! the span; no other header's value, no value of a query, no body, unless asked for.
//!
//! # Whose provider
//!
//! [`from_env`](crate::from_env) makes one. A layer made by hand uses the global provider as it is when the first
//! request arrives, or the one that [`tracer_provider`](OtelLayer::tracer_provider) gives it. For a provider of your
//! own, give it [`Ids`] as its id generator, so that a trace has the same id in all backends, and wrap its sampler in
//! [`Undecided`].

mod answer;
mod attributes;
mod baggage;
mod client;
mod destination;
mod hosts;
mod ids;
mod layer;
mod observe;
mod old;
mod options;
mod outcome;
mod print;
mod processor;
mod sampler;
mod setters;
mod size;
mod span;

pub use baggage::BaggageAttributes;
pub use client::{ClientSpan, OtelClientLayer};
pub use destination::Otlp;
pub use ids::Ids;
pub use layer::OtelLayer;
pub use observe::ServerSpan;
pub use print::Print;
pub use processor::SpanLane;
pub use sampler::Undecided;
