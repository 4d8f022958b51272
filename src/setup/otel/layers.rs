use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::logs::SdkLoggerProvider;

use super::instrumentation::{Exceptions, Instrumentation};
use crate::{
    otel::{Metrics, OtelClientLayer, OtelLayer, TracerProvider},
    setup::start::Start,
};

/// What the layers are made of.
#[derive(Debug)]
pub(super) struct Layers<'a> {
    pub(super) start: &'a Start<'a>,
    pub(super) instrumentation: &'a Instrumentation,
    pub(super) tracers: Option<&'a TracerProvider>,
    pub(super) metrics: Option<Metrics>,
    pub(super) loggers: Option<&'a SdkLoggerProvider>,
}

/// Sets on a layer what is set on both kinds of it alike.
macro_rules! set {
    ($layers:expr, $layer:expr) => {{
        let Layers { start, instrumentation, tracers, metrics, loggers } = $layers;
        let Instrumentation { known_methods, old_http_names, exceptions } = instrumentation;
        let layer = $layer.propagation(start.propagation.clone()).scrubber(start.scrubber.clone());
        let layer = layer.old_http_names(*old_http_names);
        let layer = match tracers {
            Some(tracers) => layer.tracer_provider(*tracers),
            None => layer.tracer_provider(&NoopTracerProvider::new()),
        };
        let layer = match known_methods {
            Some(methods) => layer.known_methods(methods.iter().map(String::as_str)),
            None => layer,
        };
        let layer = match metrics {
            Some(metrics) => layer.metrics(metrics.clone()),
            None => layer,
        };
        match loggers {
            Some(loggers) => {
                layer.logger_provider(*loggers).exception_events(*exceptions == Exceptions::Both)
            }
            None => layer,
        }
    }};
}

// ===== impl Layers =====

impl Layers<'_> {
    pub(super) fn server(&self) -> OtelLayer {
        set!(self, OtelLayer::new().addresses(self.start.addresses))
    }

    pub(super) fn client(&self) -> OtelClientLayer {
        set!(self, OtelClientLayer::new())
    }
}
