use std::time::Duration;

use tokio::time::Instant;

use super::{BelvedereClientLayer, BelvedereLayer, cloudwatch, otel, pass::Pass, rollbar, xray};
use crate::{
    outbox::{Outbox, Report},
    trace::Propagator,
};

/// The layers of this process, and the guard of what they send.
///
/// Dropping it sends what is left for a bounded time; [`shutdown`](Self::shutdown) does so for as long as you say and
/// tells what became of it.
#[derive(Debug)]
#[must_use = "dropping this ends the sending"]
pub struct Belvedere {
    // The order is that in which they end: what collects after what sends.
    outbox: Outbox,
    pub(super) otel: otel::Running,
    pub(super) xray: xray::Running,
    pub(super) rollbar: rollbar::Running,
    pub(super) cloudwatch: cloudwatch::Running,
    pass: Option<Pass>,
    warnings: Vec<String>,
}

// ===== impl Belvedere =====

impl Belvedere {
    pub(super) fn new(
        outbox: Outbox,
        propagators: &[Propagator],
        otel: otel::Running,
        xray: xray::Running,
        rollbar: rollbar::Running,
        cloudwatch: cloudwatch::Running,
        warnings: Vec<String>,
    ) -> Self {
        warnings.iter().for_each(|warning| warn(warning));
        let is_alone = otel.server().is_none() && xray.server().is_none();
        let pass = is_alone.then(|| Pass::new(propagators));
        Self { outbox, otel, xray, rollbar, cloudwatch, pass, warnings }
    }

    /// What goes onto a service with `.layer(..)`.
    pub fn layer(&self) -> BelvedereLayer {
        let otel = self.otel.server().filter(|_| !self.is_in_the_way());
        let (xray, rollbar, cloudwatch) =
            (self.xray.server(), self.rollbar.server(), self.cloudwatch.server());
        BelvedereLayer::new((self.pass.clone(), xray, otel, rollbar, cloudwatch))
    }

    /// What goes onto an outgoing client with `.layer(..)`.
    pub fn client_layer(&self) -> BelvedereClientLayer {
        let otel = self.otel.client().filter(|_| !self.is_in_the_way());
        BelvedereClientLayer::new((self.pass.as_ref().map(Pass::on), self.xray.client(), otel))
    }

    /// A layer that makes no spans lets headers through as they are: to a segment it would give its caller's id.
    fn is_in_the_way(&self) -> bool {
        !self.otel.is_on() && self.xray.is_on()
    }

    /// The way out of the process.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What was wrong with the environment. Each of these was also logged once.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends what there is now, for at most `limit`; whether all of it is settled. Metrics are collected first.
    pub async fn flush(&self, limit: Duration) -> bool {
        let start = Instant::now();
        self.otel.collect(limit).await;
        self.outbox.flush(limit.saturating_sub(start.elapsed())).await
    }

    /// Sends what is left, for at most `limit`, and tells what became of everything. Metrics are collected first.
    pub async fn shutdown(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.otel.collect(limit).await;
        let report = self.outbox.shutdown(limit.saturating_sub(start.elapsed())).await;
        self.otel.end();
        report
    }

    /// [`shutdown`](Self::shutdown) for code that does not await.
    pub fn shutdown_blocking(mut self, limit: Duration) -> Report {
        let start = Instant::now();
        self.otel.collect_blocking(limit);
        let report = self.outbox.shutdown_blocking(limit.saturating_sub(start.elapsed()));
        self.otel.end();
        report
    }
}

impl Drop for Belvedere {
    fn drop(&mut self) {
        self.otel.collect_blocking(COLLECT);
    }
}

/// Also seen by those who have not installed a subscriber yet, or never will.
fn warn(warning: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: "belvedere::setup", "{warning}");
    } else {
        eprintln!("belvedere: {warning}");
    }
}

/// How long dropping the guard waits for metrics; a collection takes a thousandth of that.
const COLLECT: Duration = Duration::from_secs(1);
