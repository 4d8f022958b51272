//! CloudWatch Logs: an access record of every exchange, the application's own events, and metrics made of log lines, under
//! the same trace id.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use belvedere::{cloudwatch::{self, CloudWatchLayer}, outbox::Outbox};
//! use tracing_subscriber::prelude::*;
//!
//! let outbox = Outbox::builder().start()?;
//! let layer = CloudWatchLayer::new("/shop/checkout", &outbox)?;
//! tracing_subscriber::registry().with(cloudwatch::subscriber(layer.lane())).init();
//! let app: Router = Router::new().route("/carts/{id}", get(|| async { "a cart" })).layer(layer);
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! # The flow
//!
//! ```text
//!  CloudWatchLayer ──► an access record ──┐
//!  subscriber ───────► an event ──────────┼──► LogLane ──┬──► Api ──► PutLogEvents
//!  Metrics ──────────► a line of EMF ─────┤              └──► the standard output
//!  LogLane::push ────► a LogEvent ────────┘
//! ```
//!
//! On the thread of a request things are noted, as clones that cost little. Formats, JSON, scrubbing, compression and the split
//! into requests are left to a thread of the [outbox](crate::outbox).
//!
//! # What is logged
//!
//! One [`AccessRecord`] of each exchange, at its end: when the last byte of the body is out, when the client leaves, when
//! something fails or panics. As JSON, as a line of text, or as a function writes it: [`Format`]. How bad it was says its status,
//! or gRPC's code; of good ones a [share](CloudWatchLayer::sample) is enough. Every event that the application logs by
//! `tracing`, with [`subscriber`]. What exchanges add up to, with [`Metrics`], which are opt-in because each is billed.
//!
//! Each has the trace in both spellings: `trace_id`, by which OpenTelemetry's backends find it, and `xray_trace_id`, by which
//! alone X-Ray's console finds lines. Of an exchange that failed, the record has the id of Rollbar's item, too.
//!
//! # What is scrubbed
//!
//! Paths, where the route calls a part a secret, and what looks like one in them; the user agent; what an error says;
//! annotations; an event's message and fields: by a [`Scrubber`](crate::scrub::Scrubber). Queries are not logged unless somebody
//! [says so](CloudWatchLayer::query), headers other than the host and the user agent never. Whatever a client sends, an event
//! stays a line. A [`LogEvent`] of one's own goes to CloudWatch as it is.
//!
//! # What it costs
//!
//! CloudWatch bills what is ingested, by the byte: an access record as JSON is about 500 bytes. [`sample`](CloudWatchLayer::sample),
//! [`skip`](CloudWatchLayer::skip), a text format, [`Subscriber::level`] and [`Retention`] are what there is against it. The
//! group is made with no retention, which is for ever, unless [`Api::retention`] says how long.
//!
//! An exchange that is logged costs the thread that serves 11,900 instructions and 7 allocations where no other layer stands
//! beside this one, and about 1,500 and none in one pass with others (`cargo bench --bench instructions`).
//!
//! # What is lost, and when
//!
//! | what | when |
//! |---|---|
//! | events over 64 MiB that wait | counted as overflowed; the oldest go |
//! | an event that is empty, or whose format panics | counted as `empty`, `panic` |
//! | an event that CloudWatch does not take | counted under its code; see [`Api`] |
//! | the middle of an event over 1,048,550 bytes | it is sent, and says how much was cut |
//! | what is queued when a shutdown reaches its limit | counted |
//!
//! While CloudWatch cannot be reached, throttles, or has no credentials, nothing else is lost. An event whose answer was lost is
//! sent again, and may be there twice. Nothing of it reaches a request.

mod access;
mod api;
mod app_event;
mod class;
mod date;
mod draft;
mod emf;
mod event;
mod fields;
mod format;
mod group;
mod histogram;
mod lane;
mod layer;
mod line;
mod message;
mod meter;
mod metrics;
mod noted;
mod observe;
mod options;
mod outcome;
mod place;
mod retention;
mod series;
mod share;
mod spans;
mod stdout;
mod stream;
mod subscriber;
mod table;

use self::stdout::Stdout;
pub use self::{
    access::AccessRecord,
    api::Api,
    class::Class,
    event::LogEvent,
    format::Format,
    group::GroupName,
    lane::LogLane,
    layer::CloudWatchLayer,
    metrics::Metrics,
    observe::LoggedExchange,
    outcome::Outcome,
    retention::Retention,
    stream::StreamName,
    subscriber::{Subscriber, subscriber},
};
