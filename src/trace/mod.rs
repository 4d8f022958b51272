//! The identity of a trace, and the headers it travels in.
//!
//! One trace has one id of 128 bits, and every backend spells it in its own way. A person who has any of the
//! spellings finds the others:
//!
//! ```
//! use belvedere::trace::TraceId;
//!
//! let id: TraceId = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1".parse()?;
//! assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
//! assert_eq!(id.amzn().to_string(), "1-4bf92f35-77b34da6a3ce929d0e0e4736");
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! # The spellings
//!
//! | where                           | spelling                                                  |
//! |---------------------------------|-----------------------------------------------------------|
//! | `traceparent`, OpenTelemetry    | `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01` |
//! | `X-Amzn-Trace-Id`, AWS X-Ray    | `Root=1-4bf92f35-77b34da6a3ce929d0e0e4736`                |
//! | `b3`, Zipkin                    | `4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1`     |
//! | an item's `custom.trace_id`     | `4bf92f3577b34da6a3ce929d0e0e4736`                        |
//! | a log line's field              | `trace_id=4bf92f3577b34da6a3ce929d0e0e4736`               |
//!
//! The conversion loses nothing. A new id starts with the time in seconds, so that X-Ray takes it everywhere.
//!
//! # What is read strictly, and what leniently
//!
//! - What a person pastes ([`TraceId`], [`SpanId`]): leniently, but an error if it is not clear which id is meant.
//! - `traceparent` and `tracestate` ([`w3c`]): strictly, as the recommendation says. What breaks a rule is not there.
//! - `X-Amzn-Trace-Id` ([`amzn`]): leniently, because its senders differ. What cannot be read is skipped.
//! - `b3` and `X-B3-*` ([`b3`]): strictly, but for the case of digits and the words of old tracers.
//!
//! # Who decides
//!
//! The outermost layer decides an exchange's [`Identity`] by its [`Propagation`]; layers further in join it through the
//! [`Scope`]. Code in handlers finds it there, and [`InScope`] carries it into tasks, threads and streams.
//!
//! No bytes make reading panic, and nothing that is read is kept beyond a documented size.

pub mod amzn;
pub mod b3;
mod carried;
mod hex;
mod id;
mod identity;
mod in_scope;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod known;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod mark;
mod occurrence;
#[cfg(feature = "xray")]
mod place;
mod propagation;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod scope;
#[cfg(any(feature = "cloudwatch", feature = "otel"))]
pub(crate) mod share;
#[cfg_attr(
    not(all(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray")),
    allow(dead_code, reason = "each backend asks for its own part")
)]
mod shared;
pub mod w3c;

pub(crate) use self::in_scope::attach;
#[cfg(feature = "rollbar")]
pub(crate) use self::in_scope::is_ending;
pub(crate) use self::known::Known;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "rollbar", feature = "xray"))]
pub(crate) use self::mark::Mark;
#[cfg(feature = "xray")]
pub(crate) use self::place::Place;
pub use self::{
    id::{Amzn, SpanId, TraceId},
    identity::{Identity, Other},
    in_scope::{InScope, OfCall, OfFuture, OfStream, Scoped},
    occurrence::OccurrenceId,
    propagation::{Propagation, Propagator, TrustIncoming},
    scope::Scope,
    w3c::Tracestate,
};
