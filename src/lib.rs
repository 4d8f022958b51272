//! Tower layers that see every request to its true end.

pub mod error;
pub mod exchange;
pub mod observe;
#[cfg(feature = "otel")]
pub mod otel;
pub mod outbox;
#[cfg(feature = "otel")]
pub mod setup;
pub mod trace;
#[cfg(feature = "otel")]
pub mod transport;

#[cfg(feature = "console")]
pub mod console;

pub use error::Error;
#[cfg(feature = "otel")]
pub use setup::{Belvedere, BelvedereClientLayer, BelvedereLayer, Setup, from_env};
