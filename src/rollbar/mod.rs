//! Rollbar: every failure once, with its request, its user and its stack.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use belvedere::{outbox::Outbox, rollbar::{self, Level, RollbarLayer}};
//!
//! let outbox = Outbox::builder().start()?;
//! let layer = RollbarLayer::new("post_server_item token", &outbox)?.environment("production");
//! layer.reporter().install(); // what happens outside of requests, too
//!
//! let hello = || async { rollbar::report_message(Level::Warning, "Hello World!").to_string() };
//! let app: Router = Router::new().route("/", get(hello)).layer(layer);
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! From the environment it is `belvedere::from_env()` with `ROLLBAR_ACCESS_TOKEN`.
//!
//! # What is reported
//!
//! Of each exchange that fails one item, of what is nearest to the cause:
//!
//! | what failed | class | level |
//! |---|---|---|
//! | code panicked, whether it was caught further in or not | `panic` | critical |
//! | the service, or the body of the response, gave an error | the error's type | error |
//! | the status counts as a failure, and the handler left a [`HandlerError`](crate::exchange::HandlerError) | the error's type | error |
//! | a call of gRPC ended with a code that counts | `gRPC UNAVAILABLE` | error |
//! | the status counts | `HTTP 503` | error |
//!
//! Statuses from 500 on count, and of gRPC the codes that are a server's own, unless
//! [`failures`](RollbarLayer::failures) and [`grpc_failures`](RollbarLayer::grpc_failures) say otherwise. A client that left
//! is no failure. An error that is sent with [`report_error`] or [`Report::error`] is the exchange's report, and nothing more
//! is sent should it fail. A [message](report_message) is not, and is always one more item. Two layers around one service
//! report once.
//!
//! Outside of requests the [`Reporter`] that was [installed](Reporter::install) reports what is sent by hand, and every
//! panic. The panic hook that was there before is called as ever; one that is set later must call this one, or a panic is
//! reported without its place, and one that is caught further in as a status at best.
//!
//! A task that was not given the scope ([`InScope`](crate::trace::InScope)) is outside of the request: its panic is an item of
//! its own, beside that of whoever unwraps what it came to. A service that fails before it is ready has no request to tell of.
//!
//! # What is sent
//!
//! The error with all that caused it, as a trace chain. Frames, the oldest first, and always the route and the line that
//! is known in every build ([`Place`]); which of them are the service's own says [`Project`]. The request as its route (of gRPC
//! its method, unless nobody serves it), method, URL, route parameters, a few headers, and the client's address. Annotations, as `custom`; those called `user_id`,
//! `user_name` and `user_email` as the person. The trace, as `custom.trace_id`, `custom.span_id`, `custom.xray_trace_id`,
//! and as attributes. With [`Breadcrumbs`] what the request has logged, with `RequestBodyLayer` (feature `axum`) its body.
//!
//! The uuid is made of trace, span, and how many items came before
//! ([`OccurrenceId::of`](crate::trace::OccurrenceId::of)): others can name an item without being told of it.
//!
//! # What is scrubbed
//!
//! All that a request or an error says goes through a [`Scrubber`](crate::scrub::Scrubber): URLs, headers, parameters,
//! messages, annotations, breadcrumbs, bodies. A query keeps the values that are not secret, unlike that of a span. The
//! class is sent as it is. The access token is in a header of the request alone.
//!
//! # What it costs
//!
//! A good request is noted, in case that it fails. On the thread of a request that fails the stack is walked, not
//! resolved: names, source lines, scrubbing and JSON are left to a thread of the [outbox](crate::outbox).
//!
//! # What is lost, and when
//!
//! | what | when |
//! |---|---|
//! | items over 60 a minute, or over 10 of a kind, unless [`ItemLane::limited`] says otherwise | at once; an item and a warning say each minute how many |
//! | parts of an item over 512 KiB | it is sent; `notifier.diagnostic.truncation` says what was cut |
//! | items over 1024, or over 32 MiB, that wait | counted as overflowed; the oldest go |
//! | an item that Rollbar refuses, or for too long does not take | counted under the status: see [`Api`] |
//! | every item, after 401 or 403 | counted under the status; one line says that the token is not taken |
//! | what is queued when a shutdown reaches its limit | counted |
//!
//! Nothing of it reaches a request.

mod api;
#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only a layer for axum keeps bodies"))]
mod body;
mod breadcrumbs;
mod case;
mod causes;
mod class;
mod draft;
mod fit;
mod item;
mod lane;
mod layer;
mod limiter;
mod lines;
mod name;
mod observe;
mod occurrence;
mod options;
mod panic;
mod path;
mod place;
mod project;
mod report;
mod reporter;
#[cfg(feature = "axum")]
mod request_body;
mod shown;
mod snapshot;
mod stack;
mod symbol;
mod token;
mod trim;
mod written;

pub use self::api::Api;
pub use self::breadcrumbs::Breadcrumbs;
use self::case::Case;
pub use self::item::*;
pub use self::lane::ItemLane;
pub use self::layer::RollbarLayer;
pub use self::observe::WatchedExchange;
pub use self::panic::{Panic, PanicHook};
pub use self::place::Place;
pub use self::project::Project;
pub use self::report::{Report, report_error, report_message};
pub use self::reporter::Reporter;
#[cfg(feature = "axum")]
pub use self::request_body::{KeepRequestBody, RequestBodyLayer};
pub use self::stack::Stack;
pub use self::token::Token;
