//! Rollbar: every failure once, with its request, its user and its stack.

mod api;
mod draft;
mod fit;
mod item;
mod limiter;
mod token;

pub use self::api::Api;
pub use self::item::*;
pub use self::token::Token;
