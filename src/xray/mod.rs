//! AWS X-Ray: segments and subsegments of every exchange, their samplers, and their way to a daemon or to the service.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use belvedere::{outbox::Outbox, xray::{self, XRayLayer}};
//!
//! # async fn load(id: u64) -> std::io::Result<Vec<u64>> { Ok(vec![id]) }
//! async fn cart() -> String {
//!     xray::user("worf");
//!     match xray::try_capture("load-items", load(17)).await {
//!         Ok(items) => format!("{} items", items.len()),
//!         Err(_) => "a cart without items".to_owned(),
//!     }
//! }
//!
//! let outbox = Outbox::builder().start()?;
//! let app: Router = Router::new().route("/cart", get(cart)).layer(XRayLayer::new("checkout", &outbox));
//! # Ok::<_, belvedere::Error>(())
//! ```
//!
//! [`XRayLayer`] makes a segment of each exchange that is served, [`XRayClientLayer`] a remote subsegment of each call that
//! is made meanwhile, [`capture()`], [`subsegment()`] and their like make subsegments of what a handler does.
//!
//! ```text
//!  request ─► XRayLayer ─► handler ─► capture, subsegment, XRayClientLayer
//!                 │            each a part of what is current where it begins
//!                 ▼
//!   the body is over ─► segment, with all of its parts that are over ─► lane ─► daemon, by datagrams
//!                       a part that ends later follows by itself                or X-Ray, signed
//! ```
//!
//! # What is current
//!
//! The segment is current wherever the [scope](crate::trace) of its exchange is: in the handler's future, in the body's, and in
//! what is spawned with [`in_scope`](crate::trace::InScope::in_scope). A capture takes its place along by itself. Outside of a
//! segment, and where an exchange is not recorded, all of it does nothing, and [`ContextMissing`] says whether the former is
//! logged.
//!
//! # What is sent when
//!
//! A segment is sent when its exchange is over, and does not wait for what is still open in it: that is sent by itself, as a
//! document that names its parent, when it is over in turn. So is what ends after more than 256 kB of subsegments have come
//! together. A document is [split by its bytes](Document::split) if X-Ray would not take it whole; whatever has to be left
//! out is counted, and noted in the document. What is never ended is never sent.
//!
//! # What is an error
//!
//! As the [status](Status) of the answer says: 4xx is an error, 429 a throttled call, 5xx a fault; a gRPC call by its code. A
//! panic, a failed body and a service's own error are faults with the reason; a client that left is an error, with a
//! reason of type `canceled`. An error that a subsegment has told of is referred to by its id further out, also by a
//! segment that is a fault and has no other reason.
//!
//! # Sampling
//!
//! [`XRayLayer::sample`] sets who decides, [`sampler`] has the choice. Spans and segments are decided apart, unless
//! [`one_decision`](XRayLayer::one_decision) is set.

mod address;
mod annotated;
mod annotations;
mod api;
mod aws;
mod capture;
mod cause;
mod client;
mod constant;
mod daemon;
mod document;
mod draft;
mod entity;
mod fit;
mod http;
mod ids;
mod json;
mod lane;
mod layer;
mod lenient;
mod link;
mod live;
mod losses;
mod metadata;
mod missing;
mod name;
mod naming;
mod observe;
mod open;
mod options;
mod origin;
mod outgoing;
mod pace;
mod pattern;
mod plain;
pub mod plugins;
pub mod sampler;
mod segment;
mod service;
mod split;
mod sql;
mod status;
mod stem;
#[cfg(feature = "spool")]
mod stored;
mod subsegment;
mod text;
mod time;
mod url;

pub use self::annotations::Annotations;
pub use self::aws::{Aws, CloudWatchLogs, Ec2, Ecs, Eks, ElasticBeanstalk, Xray};
pub use self::capture::{Captured, capture, try_capture};
pub use self::cause::{Cause, Exception, Exceptions, StackFrame};
pub use self::client::{CalledSubsegment, XRayClientLayer};
pub use self::document::{Document, Independent, Split};
pub use self::entity::Entity;
pub use self::http::{Http, Request, Response};
pub use self::json::Json;
pub use self::lane::SegmentLane;
pub use self::layer::XRayLayer;
pub use self::link::{Link, Links};
pub use self::live::{Live, annotate, begin_subsegment, current, metadata, record_error, subsegment, user};
pub use self::losses::Losses;
pub use self::metadata::Metadata;
pub use self::missing::ContextMissing;
pub use self::name::Name;
pub use self::observe::ServedSegment;
pub use self::open::{OpenSubsegment, SubsegmentGuard};
pub use self::origin::Origin;
pub use self::sampler::Sampler;
pub use self::segment::Segment;
pub use self::service::Service;
pub use self::sql::{Preparation, Sql};
pub use self::status::Status;
pub use self::subsegment::{Namespace, Subsegment, Subsegments};
pub use self::text::Text;
pub use self::time::Time;
pub use self::url::{ConnectionString, Url};
pub use self::{address::DaemonAddress, api::Api, daemon::Daemon};
