//! Rollbar, by `ROLLBAR_*`.

mod endpoint;
mod given;
mod plan;
mod running;

pub(super) use self::{given::Given, running::Running};
use super::env;
use crate::rollbar::RollbarLayer;

/// The observer of a service. There is none of a client.
pub(super) type Server = RollbarLayer;
