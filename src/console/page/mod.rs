//! The pages, as HTML that needs no script to be read.

pub(super) mod asset;
mod clock;
mod cloudwatch;
mod facts;
mod item;
mod line;
pub(super) mod lines;
mod mark;
pub(super) mod missing;
mod part;
mod query;
pub(super) mod raw;
pub(super) mod requests;
mod rollbar;
mod row;
mod shell;
mod skyline;
pub(super) mod trace;
pub(super) mod waiting;
mod waterfall;
mod xray;

pub(super) use self::query::Query;
