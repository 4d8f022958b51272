//! A backend of your own: an observer, and a destination.
//!
//! An [`Observer`](crate::observe::Observer) turns an exchange into a record, a
//! [`Destination`](crate::outbox::Destination) sends records in batches, a lane of the
//! [`Outbox`](crate::outbox::Outbox) lies between them. Neither has a future, a body or a queue of its own.
//!
//! ```
//! use belvedere::{
//!     exchange::{End, Tally},
//!     observe::{Observation, ObserveLayer, Observer},
//!     outbox::{Batch, Destination, Lane, Outbox, SendError},
//!     trace::{Propagation, Scope},
//! };
//! use http::{request, response};
//!
//! #[derive(Clone)]
//! struct AccessLog {
//!     lane: Lane<String>,
//! }
//!
//! struct Line {
//!     lane: Lane<String>,
//!     text: String,
//! }
//!
//! impl Observer for AccessLog {
//!     type Observation = Line;
//!
//!     fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<Line> {
//!         let surrounding = scope.surrounding().cloned();
//!         let decide = || Propagation::default().identify(&request.headers, surrounding.as_ref());
//!         let trace_id = scope.identify(decide).trace_id(); // whoever is outermost decides
//!         let text = format!("{trace_id} {} {}", request.method, request.uri.path());
//!         Some(Line { lane: self.lane.clone(), text })
//!     }
//! }
//!
//! impl Observation for Line {
//!     fn on_response(&mut self, response: &mut response::Parts) {
//!         self.text += &format!(" {}", response.status);
//!     }
//!
//!     fn on_end(self, end: End<'_>, tally: &Tally) {
//!         let how = match end {
//!             End::Complete { .. } => "",
//!             End::Canceled => " the client left",
//!             _ => " failed",
//!         };
//!         self.lane.push(format!("{} {:?}{how}", self.text, tally.duration));
//!     }
//! }
//!
//! struct Stderr;
//!
//! impl Destination for Stderr {
//!     type Record = String;
//!
//!     fn size(&self, line: &String) -> usize {
//!         line.len()
//!     }
//!
//!     async fn send(&self, lines: Batch<String>) -> Result<(), SendError<String>> {
//!         for line in &lines {
//!             eprintln!("{line}");
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let outbox = Outbox::builder().start()?;
//! let layer = ObserveLayer::new(AccessLog { lane: outbox.lane("access", Stderr) });
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! # Obligations
//!
//! - `observe`, `on_response` and `on_end` run on the thread that serves the request: they must not block.
//! - `on_end` may run while a future is dropped or while a panic unwinds.
//! - `send` must not block its thread, which all lanes share.
