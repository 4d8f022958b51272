//! Rollbar: every failure once, with its request, its user and its stack.

mod draft;
mod item;

pub use self::item::*;
