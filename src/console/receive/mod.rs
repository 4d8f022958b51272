//! What exporters post: one file per protocol, and what they share.

mod body;
mod bound;
mod lenient;
mod otlp;
mod refusal;
mod trim;

pub(super) use self::otlp::{Signal, receive};
