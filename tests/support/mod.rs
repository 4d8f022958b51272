//! Doubles, in one place: whatever pretends to be something else in a test lives here.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary uses its own part")]

#[cfg(feature = "otel")]
pub mod authority;
pub mod body;
pub mod client;
#[cfg(feature = "otel")]
pub mod collector;
#[cfg(feature = "otel")]
pub mod environment;
pub mod example;
pub mod greeter;
#[cfg(feature = "otel")]
pub mod honeycomb;
#[cfg(feature = "otel")]
pub mod layers;
#[cfg(feature = "otel")]
pub mod meters;
pub mod observer;
#[cfg(feature = "otel")]
pub mod provided;
pub mod servers;
pub mod shop;
#[cfg(feature = "otel")]
pub mod sink;
#[cfg(feature = "otel")]
pub mod spans;

pub use body::Script;
#[cfg(feature = "otel")]
pub use meters::Meters;
pub use observer::{Ended, Recorder};
pub use servers::Server;
#[cfg(feature = "otel")]
pub use spans::Spans;
