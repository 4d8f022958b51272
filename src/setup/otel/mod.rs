//! OpenTelemetry, by `OTEL_*` and `HONEYCOMB_*`.

mod auth;
mod batch;
mod collector;
mod endpoint;
mod exporters;
mod given;
mod honeycomb;
mod instrumentation;
mod key;
mod layers;
mod limits;
mod logs;
mod metrics;
mod otlp;
mod plan;
mod providers;
mod resource;
mod running;
mod sampler;
mod signal;
mod tls;
mod traces;
mod values;

pub(super) use self::{given::Given, running::Running};
use super::{env, pairs};
use crate::otel::{OtelClientLayer, OtelLayer};

/// The observer of a service.
pub(super) type Server = OtelLayer;

/// The observer of a client.
pub(super) type Client = OtelClientLayer;
