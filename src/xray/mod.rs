//! AWS X-Ray: segments and subsegments of every exchange, their samplers, and their way to a daemon or to the service.

mod address;
mod api;
mod daemon;
mod document;
mod pace;

pub use self::{address::DaemonAddress, api::Api, daemon::Daemon};
