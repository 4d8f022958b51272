//! What exporters post: one file per protocol, and what they share.

mod body;
mod bound;
mod cloudwatch;
mod cross;
mod datagram;
mod document;
mod lenient;
mod otlp;
mod refusal;
mod rollbar;
mod trim;
mod xray;

pub(super) use self::cloudwatch::{log, takes_logs};
pub(super) use self::datagram::listen;
pub(super) use self::otlp::{Signal, receive};
pub(super) use self::rollbar::{item, takes_items};
pub(super) use self::xray::{Call, call, unknown};
