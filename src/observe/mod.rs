//! The engine: it watches every exchange to its true end and tells observers about it.
//!
//! ```text
//! request ──► observe(&mut Parts, &mut Scope) ──► inner service, in scope
//!                                                      │
//!             on_response(&mut Parts) ◄────── response head
//!                                                      │
//!                              body, polled in scope, unchanged
//!                                                      │
//!             on_end(End, &Tally)     ◄────── ends │ fails │ is dropped │ panics
//! ```
//!
//! # When an exchange ends
//!
//! Once, with the first of these: the body's last data frame (`is_end_stream`, or the last byte of an exact
//! length: hyper polls no further), its trailers, its `None`, its error, its drop; the head itself where no body may
//! follow (an empty body, `HEAD`, 1xx, 204, 304, a successful `CONNECT`, 101); the service's error; the drop of the
//! future; a panic of the call or of a poll, which goes on unwinding.
//!
//! # When it becomes a connection
//!
//! A WebSocket, or whatever else follows a 101 or a 2xx to `CONNECT`, is not a part of the exchange: that ends with the
//! handshake. A handler that takes the [`Connection`] makes it one, and the exchange, with its duration, ends when the
//! connection does. A client's exchange always ends with the handshake. See [`guide::upgrade`](crate::guide::upgrade)
//! for what to choose.
//!
//! # What a client can see of it
//!
//! Nothing but headers that an observer adds. The request's body is not wrapped. The response's body keeps its data, its
//! error, its length and its trailers.
//!
//! # Layers and tuples
//!
//! `.layer(a).layer(b)` nests the engine; [`ObserveLayer::new`]`((a, b))` runs it once for both, with one body wrapper,
//! one future and one clock. The records are the same.
//!
//! # When an observer panics
//!
//! The request goes on, unwatched by that observer. The panic is caught, counted ([`panics`]) and logged.

mod body;
mod connected;
mod connection;
mod future;
mod layer;
mod observer;
mod quiet;
mod service;
#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
mod setters;
mod upgrade;
mod watch;

pub use body::Body;
pub use connected::Connected;
pub use connection::Connection;
pub use future::Future;
pub use layer::ObserveLayer;
pub use observer::{Each, Observation, Observer};
#[cfg(any(feature = "cloudwatch", feature = "xray"))]
pub(crate) use quiet::message;
pub use quiet::panics;
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
pub(crate) use quiet::quietly;
pub use service::Observe;
#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
pub(crate) use setters::server_setters;
