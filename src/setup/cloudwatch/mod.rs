//! CloudWatch Logs, by `CLOUDWATCH_*`.

mod endpoint;
mod format;
mod given;
mod plan;
mod running;

pub(super) use self::{given::Given, running::Running};
use super::env;
use crate::cloudwatch::CloudWatchLayer;

/// The observer of a service. There is none of a client.
pub(super) type Server = CloudWatchLayer;
