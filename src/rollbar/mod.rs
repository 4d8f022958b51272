//! Rollbar: every failure once, with its request, its user and its stack.

#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only a layer for axum keeps bodies"))]
mod body;
mod breadcrumbs;
mod draft;
mod item;
#[cfg(feature = "axum")]
mod request_body;
mod route;
mod snapshot;

pub use self::breadcrumbs::Breadcrumbs;
pub use self::item::*;
#[cfg(feature = "axum")]
pub use self::request_body::{KeepRequestBody, RequestBodyLayer};
use self::snapshot::Snapshot;
