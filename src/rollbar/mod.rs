//! Rollbar: every failure once, with its request, its user and its stack.

mod api;
#[cfg_attr(not(feature = "axum"), allow(dead_code, reason = "only a layer for axum keeps bodies"))]
mod body;
mod breadcrumbs;
mod case;
mod causes;
mod class;
mod draft;
mod fit;
mod item;
mod lane;
mod layer;
mod limiter;
mod lines;
mod name;
mod observe;
mod occurrence;
mod options;
mod panic;
mod path;
mod place;
mod project;
mod report;
mod reporter;
#[cfg(feature = "axum")]
mod request_body;
mod route;
mod shown;
mod snapshot;
mod stack;
mod symbol;
mod token;
mod trim;

pub use self::api::Api;
pub use self::breadcrumbs::Breadcrumbs;
use self::case::Case;
pub use self::item::*;
pub use self::lane::ItemLane;
pub use self::layer::RollbarLayer;
pub use self::observe::WatchedExchange;
pub use self::panic::{Panic, PanicHook};
pub use self::place::Place;
pub use self::project::Project;
pub use self::report::{Report, report_error, report_message};
pub use self::reporter::Reporter;
#[cfg(feature = "axum")]
pub use self::request_body::{KeepRequestBody, RequestBodyLayer};
pub use self::stack::Stack;
pub use self::token::Token;
