use crate::{
    cloudwatch::{CloudWatchLayer, LogLane},
    setup::{Belvedere, BelvedereLayer},
};

/// The layer.
#[derive(Debug)]
pub(in crate::setup) struct Running {
    layer: Option<CloudWatchLayer>,
}

// ===== impl Running =====

impl Running {
    pub(super) fn new(layer: Option<CloudWatchLayer>) -> Self {
        Self { layer }
    }

    pub(in crate::setup) fn server(&self) -> Option<CloudWatchLayer> {
        self.layer.clone()
    }
}

// ===== impl Belvedere =====

impl Belvedere {
    /// The CloudWatch layer alone, to set more on it; `None` where nothing is logged, which tower's `option_layer` takes.
    pub fn cloudwatch_layer(&self) -> Option<CloudWatchLayer> {
        self.cloudwatch.server()
    }

    /// The way of lines, for the application's own events; `None` where nothing is logged. Those of `tracing` go by a
    /// [`subscriber`](crate::cloudwatch::subscriber) on it, which as an `Option` is a layer as well.
    ///
    /// ```no_run
    /// use belvedere::cloudwatch::LogEvent;
    /// use std::time::SystemTime;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = belvedere::from_env()?;
    /// if let Some(lane) = belvedere.log_lane() {
    ///     lane.push(LogEvent::new(SystemTime::now(), "the shop is open"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_lane(&self) -> Option<LogLane> {
        self.cloudwatch.server().map(|layer| layer.lane().clone())
    }
}

// ===== impl BelvedereLayer =====

impl BelvedereLayer {
    /// Sets more on the CloudWatch layer in it. Where nothing is logged there is nothing to set.
    ///
    /// ```no_run
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = belvedere::from_env()?;
    /// let layer = belvedere.layer().cloudwatch(|layer| layer.skip(|request| request.uri.path() == "/healthz"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn cloudwatch(self, set: impl FnOnce(CloudWatchLayer) -> CloudWatchLayer) -> Self {
        let (pass, xray, otel, rollbar, cloudwatch) = self.observers;
        Self { observers: (pass, xray, otel, rollbar, cloudwatch.map(set)) }
    }
}
