//! Where a layer goes, and in which order.
//!
//! # Outside of everything that should be seen
//!
//! A layer sees what is inside of it. Put it outside of time-outs, of authentication, of compression, and what these do
//! is in the span: a request that was refused for its token is a request too.
//!
//! A time-out that is outside cuts the layer off, which then sees a client that left: a gRPC call of tonic's, whose
//! `Server::timeout` is always outside, is `CANCELLED` unless the caller has said how long it waits.
//!
//! - `tower::ServiceBuilder` reads from the outside in: its first `.layer(..)` is the outermost.
//! - axum's `Router::layer` reads from the inside out: its last `.layer(..)` is the outermost.
//!
//! # Panics
//!
//! A panic goes on through the layer as if it were not there, and ends the span as an error with its message. To answer
//! it with a 500, put `tower_http::catch_panic` *inside*: the span is then that of a 500. Rollbar gets the panic in both
//! cases, with the line that panicked, since it is noted before anything is unwound or caught.
//!
//! # Routes
//!
//! axum knows the route of a request only inside of its router. `Router::layer` is inside. A layer around the whole
//! router, as one that must also see what the router refuses, does not see the route; a second `OtelLayer` within the
//! router then adds it to the same span, and makes no span of its own.
//!
//! # Several backends
//!
//! Every layer is an observer of one engine. `.layer(a).layer(b)` runs the engine twice,
//! [`ObserveLayer::new`](crate::observe::ObserveLayer::new)`((a, b))` once for both, which is faster, and the records
//! are the same. The outermost decides the trace id; all further in join it.
//!
//! Rollbar may be anywhere among them: of one failure there is one item, with the ids of the span. `Belvedere::layer` has it
//! innermost.
//!
//! So it is the outermost that reads the caller's headers: give all of them the same
//! [`Propagation`](crate::trace::Propagation). A layer further in joins what another header says of the same trace, but it
//! cannot change the trace.
//!
//! # Tasks, threads and streams
//!
//! What runs inside of the handler's future and of the response's body is in scope. What is spawned is not, until it is
//! told to be:
//!
//! ```
//! use belvedere::trace::InScope as _;
//!
//! # async fn send_mail() {}
//! # async fn handler() {
//! tokio::spawn(send_mail().in_scope());
//! tokio::task::spawn_blocking((|| 17).in_scope());
//! # }
//! ```
