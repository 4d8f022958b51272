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
mod app_event;
mod class;
mod date;
mod draft;
mod emf;
mod event;
mod fields;
mod format;
mod group;
mod histogram;
mod lane;
mod layer;
mod line;
mod meter;
mod metrics;
mod noted;
mod observe;
mod options;
mod outcome;
mod place;
mod retention;
mod series;
mod share;
mod spans;
mod stdout;
mod stream;
mod subscriber;
mod table;

use self::stdout::Stdout;
pub use self::{
    access::AccessRecord,
    api::Api,
    class::Class,
    event::LogEvent,
    format::Format,
    group::GroupName,
    lane::LogLane,
    layer::CloudWatchLayer,
    metrics::Metrics,
    observe::LoggedExchange,
    outcome::Outcome,
    retention::Retention,
    stream::StreamName,
    subscriber::{Subscriber, subscriber},
};
