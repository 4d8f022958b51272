use crate::{
    rollbar::RollbarLayer,
    setup::{Belvedere, BelvedereLayer},
};

/// The layer.
#[derive(Debug)]
pub(in crate::setup) struct Running {
    layer: Option<RollbarLayer>,
}

// ===== impl Running =====

impl Running {
    pub(super) fn new(layer: Option<RollbarLayer>) -> Self {
        Self { layer }
    }

    pub(in crate::setup) fn server(&self) -> Option<RollbarLayer> {
        self.layer.clone()
    }
}

// ===== impl Belvedere =====

impl Belvedere {
    /// The Rollbar layer alone, to set more on it; `None` where nothing is reported, which tower's `option_layer` takes.
    pub fn rollbar_layer(&self) -> Option<RollbarLayer> {
        self.rollbar.server()
    }
}

// ===== impl BelvedereLayer =====

impl BelvedereLayer {
    /// Sets more on the Rollbar layer in it. Where nothing is reported there is nothing to set.
    ///
    /// It counts for what happens outside of requests, too.
    ///
    /// ```no_run
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = belvedere::from_env()?;
    /// let layer = belvedere.layer().rollbar(|rollbar| {
    ///     rollbar.framework("axum").failures(|status| status.is_server_error() || status == 409)
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rollbar(self, set: impl FnOnce(RollbarLayer) -> RollbarLayer) -> Self {
        let (pass, xray, otel, rollbar, cloudwatch) = self.observers;
        Self { observers: (pass, xray, otel, rollbar.map(|layer| settled(set(layer))), cloudwatch) }
    }
}

/// What is set on the layer counts outside of requests, too.
fn settled(layer: RollbarLayer) -> RollbarLayer {
    layer.reporter().succeed();
    layer
}
