//! What stands for a backend whose feature is not on.
#![allow(dead_code, reason = "each backend is asked for its own part")]

use std::{convert::Infallible, time::Duration};

use http::request;

use super::{env::Env, start::Start};
use crate::{
    Error,
    exchange::{End, Tally},
    observe::{Observation, Observer},
    trace::Scope,
};

/// An observer that is never there.
#[derive(Clone, Debug)]
pub(super) struct Server(Infallible);

pub(super) type Client = Server;

#[derive(Debug, Default)]
pub(super) struct Given(());

#[derive(Debug)]
pub(super) struct Plan;

#[derive(Debug)]
pub(super) struct Running;

// ===== impl Server =====

impl Observer for Server {
    type Observation = Self;

    fn observe(&self, _request: &mut request::Parts, _scope: &mut Scope) -> Option<Self> {
        match self.0 {}
    }
}

impl Observation for Server {
    fn on_end(self, _end: End<'_>, _tally: &Tally) {
        match self.0 {}
    }
}

// ===== impl Given =====

impl Given {
    pub(super) fn plan(self, _env: &Env, _service: &str) -> Result<Plan, Error> {
        Ok(Plan)
    }
}

// ===== impl Plan =====

impl Plan {
    pub(super) fn is_said(&self) -> bool {
        false
    }

    pub(super) fn group(&self) -> Option<String> {
        None
    }

    pub(super) fn start(self, _start: &Start<'_>) -> Result<Running, Error> {
        Ok(Running)
    }
}

// ===== impl Running =====

impl Running {
    pub(super) fn is_on(&self) -> bool {
        false
    }

    pub(super) fn server(&self) -> Option<Server> {
        None
    }

    pub(super) fn client(&self) -> Option<Client> {
        None
    }

    #[cfg(feature = "otel")]
    pub(super) fn rules(&self) -> Option<opentelemetry_sdk::trace::Sampler> {
        None
    }

    pub(super) async fn collect(&self, _limit: Duration) {}

    pub(super) fn collect_blocking(&self, _limit: Duration) {}

    pub(super) fn end(&mut self) {}
}
