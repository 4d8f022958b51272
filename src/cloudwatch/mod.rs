//! CloudWatch Logs: an access record of every exchange, and the application's own events, under the same trace id.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use belvedere::{cloudwatch::CloudWatchLayer, outbox::Outbox};
//!
//! let outbox = Outbox::builder().start()?;
//! let app: Router = Router::new()
//!     .route("/carts/{id}", get(|| async { "a cart" }))
//!     .layer(CloudWatchLayer::new("/shop/checkout", &outbox)?);
//! # Ok::<_, belvedere::Error>(())
//! ```

mod access;
mod api;
mod class;
mod date;
mod draft;
mod event;
mod format;
mod group;
mod lane;
mod layer;
mod line;
mod noted;
mod observe;
mod options;
mod outcome;
mod place;
mod retention;
mod share;
mod stdout;
mod stream;

use self::stdout::Stdout;
pub use self::{
    access::AccessRecord, api::Api, class::Class, event::LogEvent, format::Format, group::GroupName,
    lane::LogLane, layer::CloudWatchLayer, observe::LoggedExchange, outcome::Outcome, retention::Retention,
    stream::StreamName,
};
