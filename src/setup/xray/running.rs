#[cfg(feature = "otel")]
use crate::xray::sampler::SpanSampler;
use crate::{
    setup::{Belvedere, BelvedereLayer},
    xray::{Sampler, XRayLayer},
};

/// The layers, and what samples spans.
#[derive(Debug)]
pub(in crate::setup) struct Running {
    layer: Option<XRayLayer>,
    rules: Option<Sampler>,
    name: String,
}

// ===== impl Running =====

impl Running {
    pub(super) fn new(layer: Option<XRayLayer>, rules: Option<Sampler>, name: String) -> Self {
        Self { layer, rules, name }
    }

    pub(in crate::setup) fn is_on(&self) -> bool {
        self.layer.is_some()
    }

    pub(in crate::setup) fn server(&self) -> Option<XRayLayer> {
        self.layer.clone()
    }

    pub(in crate::setup) fn client(&self) -> Option<super::Client> {
        None
    }

    /// What samples spans, where they are sampled as segments are.
    #[cfg(feature = "otel")]
    pub(in crate::setup) fn rules(&self) -> Option<SpanSampler> {
        self.rules.clone().map(|sampler| SpanSampler::new(sampler, &*self.name))
    }
}

// ===== impl Belvedere =====

impl Belvedere {
    /// The X-Ray layer alone, to set more on it; `None` where X-Ray is off, which tower's `option_layer` takes.
    pub fn xray_layer(&self) -> Option<XRayLayer> {
        self.xray.server()
    }
}

// ===== impl BelvedereLayer =====

impl BelvedereLayer {
    /// Sets more on the X-Ray layer in it. Where X-Ray is off there is nothing to set.
    ///
    /// ```no_run
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = belvedere::from_env()?;
    /// let layer = belvedere.layer().xray(|xray| xray.skip(|request| request.uri.path() == "/healthz"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn xray(self, set: impl FnOnce(XRayLayer) -> XRayLayer) -> Self {
        let (pass, otel, xray) = self.observers;
        Self { observers: (pass, otel, xray.map(set)) }
    }
}
