//! X-Ray, by `AWS_XRAY_*`.

mod exporter;
mod given;
mod plan;
mod resource;
mod running;
mod sampling;
mod switch;

pub(super) use self::{given::Given, running::Running};
use super::env;
use crate::xray::{XRayClientLayer, XRayLayer};

/// The observer of a service.
pub(super) type Server = XRayLayer;

/// The observer of a client.
pub(super) type Client = XRayClientLayer;
