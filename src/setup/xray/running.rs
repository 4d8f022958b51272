#[cfg(feature = "otel")]
use crate::xray::sampler::SpanSampler;
use crate::{
    setup::{Belvedere, BelvedereClientLayer, BelvedereLayer},
    xray::{Name, Sampler, XRayClientLayer, XRayLayer},
};

/// The layers, and what samples spans.
#[derive(Debug)]
pub(in crate::setup) struct Running {
    layer: Option<XRayLayer>,
    client_layer: Option<XRayClientLayer>,
    /// With the service's name.
    #[cfg_attr(not(feature = "otel"), allow(dead_code, reason = "there are no spans"))]
    rules: Option<(Sampler, Name)>,
}

// ===== impl Running =====

impl Running {
    pub(super) fn new(layers: Option<(XRayLayer, XRayClientLayer)>, rules: Option<(Sampler, Name)>) -> Self {
        let (layer, client_layer) = layers.unzip();
        Self { layer, client_layer, rules }
    }

    pub(in crate::setup) fn is_on(&self) -> bool {
        self.layer.is_some()
    }

    pub(in crate::setup) fn server(&self) -> Option<XRayLayer> {
        self.layer.clone()
    }

    pub(in crate::setup) fn client(&self) -> Option<XRayClientLayer> {
        self.client_layer.clone()
    }

    /// What samples spans, where they are sampled as segments are.
    #[cfg(feature = "otel")]
    pub(in crate::setup) fn rules(&self) -> Option<SpanSampler> {
        self.rules.clone().map(|(sampler, name)| SpanSampler::new(sampler, name.as_str()))
    }
}

// ===== impl Belvedere =====

impl Belvedere {
    /// The X-Ray layer alone, to set more on it; `None` where X-Ray is off, which tower's `option_layer` takes.
    pub fn xray_layer(&self) -> Option<XRayLayer> {
        self.xray.server()
    }

    /// The X-Ray client layer alone, to set more on it; `None` where X-Ray is off.
    pub fn xray_client_layer(&self) -> Option<XRayClientLayer> {
        self.xray.client()
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
        let (pass, xray, otel, rollbar, cloudwatch) = self.observers;
        Self { observers: (pass, xray.map(set), otel, rollbar, cloudwatch) }
    }
}

// ===== impl BelvedereClientLayer =====

impl BelvedereClientLayer {
    /// Sets more on the X-Ray client layer in it. Where X-Ray is off there is nothing to set.
    #[must_use]
    pub fn xray(self, set: impl FnOnce(XRayClientLayer) -> XRayClientLayer) -> Self {
        let (pass, xray, otel) = self.observers;
        Self { observers: (pass, xray.map(set), otel) }
    }
}
