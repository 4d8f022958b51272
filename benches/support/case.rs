//! One thing that is measured.

use std::time::Duration;

use belvedere::outbox::Report;
use http::Request;
use tokio::runtime::Runtime;
use tower::service_fn;

use super::{
    service::{Body, Serve, handle, serve, traced},
    sink::Sink,
    ways::{PATIENCE, Ways},
};

/// A service under layers, and what it is compared with.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    /// The case that lacks nothing but what is measured. None: it is only there for others.
    pub over: Option<&'static str>,
    /// How many of what is measured there are in an exchange.
    pub each: i64,
    /// How many records are delivered for an exchange. None: it is the time that decides.
    delivered: Option<u64>,
    request: fn(u64) -> Request<Body>,
    ways: fn(&Sink) -> Ways,
    service: fn(&Ways) -> Serve,
}

/// A case that has begun.
pub struct Running {
    case: Case,
    ways: Ways,
    serve: Serve,
}

// ===== impl Case =====

impl Case {
    /// One that others are compared with.
    pub fn bare(name: &'static str, service: fn(&Ways) -> Serve) -> Self {
        let request = |_| traced();
        Self { name, over: None, each: 1, delivered: Some(0), request, ways: Ways::to, service }
    }

    /// One over [`BARE`], of whose exchanges a sink gets `delivered` records each.
    pub fn new(name: &'static str, delivered: u64, service: fn(&Ways) -> Serve) -> Self {
        Self { over: Some(BARE), delivered: Some(delivered), ..Self::bare(name, service) }
    }

    pub fn over(self, over: &'static str) -> Self {
        Self { over: Some(over), ..self }
    }

    /// Compares it by that many events, and not by exchange.
    pub fn each(self, each: i64) -> Self {
        Self { each, ..self }
    }

    pub fn asked(self, request: fn(u64) -> Request<Body>) -> Self {
        Self { request, ..self }
    }

    /// The sink gets that many records of each exchange.
    pub fn delivers(self, records: u64) -> Self {
        Self { delivered: Some(records), ..self }
    }

    pub fn spooled(self) -> Self {
        Self { ways: Ways::spooled, ..self }
    }

    /// Nobody gets the records, and what is sent again and again is not counted.
    pub fn dead(self) -> Self {
        Self { ways: |_| Ways::dead(), delivered: None, ..self }
    }

    pub fn is_delivered(&self) -> bool {
        self.delivered.is_some()
    }

    pub fn request(&self, number: u64) -> Request<Body> {
        (self.request)(number)
    }

    /// They are made as they are asked for, as a server's are: a thousand that are made before would have the allocator tidy
    /// up after them.
    pub fn requests(&self, count: u64) -> impl Iterator<Item = Request<Body>> {
        (0..count).map(self.request)
    }

    /// With its records going where the case says.
    pub fn start(self, sink: &Sink) -> Running {
        self.on((self.ways)(sink))
    }

    /// With its records going nowhere.
    pub fn start_full(self) -> Running {
        self.on(Ways::full())
    }

    fn on(self, ways: Ways) -> Running {
        let serve = (self.service)(&ways);
        Running { case: self, ways, serve }
    }
}

// ===== impl Running =====

impl Running {
    pub fn serve(&mut self, runtime: &Runtime, requests: impl IntoIterator<Item = Request<Body>>) {
        (self.serve)(runtime, &mut requests.into_iter());
    }

    /// Sends what waits for company.
    pub fn flush(&self) {
        assert!(self.ways.outbox.flush_blocking(PATIENCE), "the sink takes everything");
    }

    /// Sends what is left of so many exchanges, and makes sure that all of it arrived.
    pub fn finish(self, exchanges: u64) {
        let limit = self.case.delivered.map_or(Duration::ZERO, |_| PATIENCE);
        let report = self.ways.outbox.shutdown_blocking(limit);
        if let Some(delivered) = self.case.delivered {
            assert_eq!(sum(&report), exchanges * delivered, "{}: {report}", self.case.name);
        }
    }
}

fn sum(report: &Report) -> u64 {
    report.lanes.iter().map(|lane| lane.delivered).sum()
}

/// The service without a layer.
pub fn bare() -> Case {
    Case::bare(BARE, |_| serve(service_fn(handle)))
}

pub const BARE: &str = "bare";
