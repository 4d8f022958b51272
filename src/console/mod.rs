//! The local console: a page on your own machine that shows the traces that are sent to it, as spans and as segments, with
//! what was reported and logged of them.
//!
//! It is for development. It keeps what it got in memory, within a bound, and forgets it when it stops.
//!
//! ```no_run
//! # fn main() -> Result<(), belvedere::Error> {
//! use belvedere::console::Console;
//!
//! let console = Console::builder().start()?;
//! println!("{}", console.url());
//! // point an exporter at `console.otlp_endpoint()`, or set OTEL_EXPORTER_OTLP_ENDPOINT to it;
//! // segments go to `console.xray_daemon()`, or to what AWS_XRAY_DAEMON_ADDRESS says;
//! // log events go to `console.cloudwatch_endpoint()`, or to what AWS_ENDPOINT_URL_CLOUDWATCH_LOGS says
//! # Ok(())
//! # }
//! ```
//!
//! # What it receives
//!
//! ```text
//!  exporter ──► POST /v1/traces ──► receive ──► store ──► page ──► GET /           the list, live
//!                 protobuf, JSON     limits,     oldest     │       GET /r/<id>     one request, as a waterfall
//!                 plain or gzip      masks    ▲  goes first └─────► GET /events     what changed
//!                                             │
//!  X-Ray SDK ──► UDP 2000 ───────► receive ───┤
//!  sampler ────► TCP 2000 ───────► rules      │
//!  API client ─► POST /TraceSegments ─────────┤
//!  Rollbar SDK ► POST /api/1/item/ ───────────┤
//!  logs client ► POST /, X-Amz-Target ────────┘
//! ```
//!
//! OTLP over HTTP, with bodies of at most 16 MiB as sent, 64 MiB unpacked, and 64 MiB of spans and attributes
//! in memory; JSON of at most half a million objects. What is more is answered with 413. `/v1/logs` and `/v1/metrics` are
//! answered with success and not kept, so that an exporter of all three does not fail. gRPC is not spoken.
//!
//! What the X-Ray daemon hears it hears too, at [`Console::xray_daemon`]: datagrams of a segment or a subsegment each, from
//! any SDK, and the calls of samplers, who get the one rule of a fresh account and are answered with a quota. The calls
//! `PutTraceSegments` (at most 50 documents, of 64 kB each), `GetSamplingRules`, `GetSamplingTargets` and
//! `PutTelemetryRecords` are answered there and at [`Console::address`], signed or not; nobody's signature is looked at.
//! So `AWS_ENDPOINT_URL_XRAY` may be [`Console::otlp_endpoint`]. A datagram that is no document is counted and dropped, as
//! are those of a burst that finds no room.
//!
//! What Rollbar takes it takes too, at [`Console::rollbar_endpoint`], from any SDK: an item of at most a mebibyte, with any
//! token, which is not kept. It answers as Rollbar does: with 401 to an item without a token, with 422 to one that says nothing.
//!
//! What CloudWatch Logs takes it takes as well, at [`Console::cloudwatch_endpoint`], from any client: `PutLogEvents` into any
//! group and stream, which need not be made, plain or gzip, signed or not. It refuses what AWS refuses, in AWS's words (a
//! batch of more than 10,000 events or 1,048,576 bytes, out of order, of more than a day), and leaves out what is older than
//! 14 days or newer than two hours. `CreateLogGroup`, `CreateLogStream`, `PutRetentionPolicy`, `TagResource` and their like are
//! answered with success, `DescribeLogGroups` and `DescribeLogStreams` with nothing; all others are unknown.
//!
//! # What it shows
//!
//! [`Console::url`] is the list of requests, newest on top. `r/` and a trace id after it is the page of one request; the
//! id may be spelled as 32 hex digits, as X-Ray's `1-8-24`, or as a `traceparent`. Such a link may be given out before
//! the spans have left: the page waits for them. With `.json` at the end it is the trace as OTLP, to be posted again; with `.xray.json` it is
//! the list of X-Ray's documents.
//!
//! Segments stand below the spans of the same trace, on the same axis of time. Subsegments that came by themselves are where
//! they belong, and a document that came while it was in progress is replaced by the complete one. A request of which
//! X-Ray alone knows has a row like any other.
//!
//! Rollbar's items stand with the trace that they name, in `custom.trace_id`, in `attributes`, or in the headers of their
//! request. One that names none has a row and a page of its own, by its uuid; whose uuid is searched is found. With
//! `.rollbar.json` at the end it is the list of items.
//!
//! Log lines stand with the trace that they name, the oldest first: in the members `trace_id` or `xray_trace_id` of a JSON object,
//! or anywhere in the text, as 32 hex digits or `1-8-24`. Digits that nothing calls a trace are one only if that trace is known.
//! Lines of no trace are in a list of their own, at `logs`. Of an access record the page shows the request, of other objects the
//! message; colours of terminals are left out, other control characters, and those that turn the direction of writing, are
//! written out. With `.cloudwatch.json` at the end
//! it is the list of events. A line of level `error` makes a request that went well one in which something failed.
//!
//! A request is `failed` where it ended with 5xx or its span says error, `client error` with 4xx, `canceled` where the
//! `error.type` says so, and otherwise `ok`, be it that a span within has failed.
//!
//! # What is kept, and for how long
//!
//! Spans, segments, items and log lines, by trace, until the bound of [`Builder::memory`] or 100,000 spans is reached; then the oldest trace
//! goes. A trace has room for a mebibyte of X-Ray's documents, which is twice what X-Ray keeps, and for 100 items of
//! Rollbar and 1,000 log lines, of four mebibytes together each. Of lines without a trace the latest 1,000 are kept, of
//! four mebibytes, or of an eighth of the memory where that is less. All of them may arrive in
//! any order and late; one whose parent never comes is shown all the same. Texts longer than 8 KiB are cut, and the
//! values of headers that carry credentials (`authorization`, `cookie`, `x-honeycomb-team` and their like) are replaced
//! before they are kept; in a segment, that is whatever is called so, and in an item and in a log line that is JSON. The headers of the exporter's own request are not
//! kept at all.
//!
//! # Who may reach it
//!
//! - It listens on a loopback address, unless [`Builder::beyond_loopback`] says otherwise. It has no login.
//! - A request has to name the console in its `Host` header: `localhost`, `127.0.0.1`, `[::1]` or a name given to
//!   [`Builder::host`]. Anything else is answered with 421, so that a web site whose name was rebound to this
//!   machine reads nothing.
//! - A page of another origin may post telemetry if that origin's host is one of the same names (your own front end
//!   on `http://localhost:3000`). Other sites are answered with 403. Nothing else is readable across origins.
//! - What telemetry says is text that somebody else wrote: it is escaped wherever it is shown, and the pages run no
//!   script and load no style but their own.
//!
//! The console serves itself with plain hyper. No layer of this crate is in its way, so it never traces itself.

mod attribute;
mod builder;
mod guard;
mod id;
mod item;
mod items;
mod line;
mod lines;
mod live;
mod page;
mod part;
mod plain;
mod receive;
mod reply;
mod route;
mod row;
mod sampling;
mod segment;
mod segments;
mod server;
mod stall;
mod state;
mod store;
mod trace;
mod tree;
mod worker;

pub use self::builder::Builder;
pub use self::worker::Console;
