use std::fmt;

use opentelemetry_sdk::{Resource, trace::ShouldSample};

use super::{
    exporters::Exporters, given::Given, honeycomb::Honeycomb, instrumentation::Instrumentation, logs,
    metrics, providers::Providers, resource::resource, running::Running, sampler, traces::Traces,
};
use crate::{
    Error,
    otel::{Metrics, Otlp},
    setup::{env::Env, start::Start},
};

/// What is to be started. Whatever may be refused has been looked at.
pub(in crate::setup) struct Plan {
    /// None where the SDK is disabled.
    busy: Option<Box<Busy>>,
    metrics: MetricsHook,
    rules: Option<Box<dyn ShouldSample>>,
}

struct Busy {
    resource: Resource,
    instrumentation: Instrumentation,
    traces: Traces,
    metrics: Vec<Otlp>,
    logs: Vec<Otlp>,
    baggage: Vec<String>,
}

type MetricsHook = Box<dyn FnOnce(Metrics) -> Metrics>;

// ===== impl Plan =====

impl Plan {
    pub(super) fn new(given: Given, env: &Env, service: &str) -> Result<Self, Error> {
        let Given { also, check, baggage, metrics } = given;
        if env.flag("OTEL_SDK_DISABLED") {
            return Ok(Self { busy: None, metrics, rules: None });
        }
        let (resource, honeycomb) = (resource(env, service), Honeycomb::read(env)?);
        let exporters = Exporters { env, honeycomb: &honeycomb, service, also: &also };
        let instrumentation = Instrumentation::read(env);
        let busy = Busy {
            resource,
            traces: Traces::plan(&exporters, check || env.flag(CHECK))?,
            metrics: exporters.metrics()?,
            logs: if instrumentation.wants_logs() { exporters.logs()? } else { Vec::new() },
            instrumentation,
            baggage,
        };
        Ok(Self { busy: Some(Box::new(busy)), metrics, rules: None })
    }

    /// What samples where `OTEL_TRACES_SAMPLER` says `xray`.
    pub(in crate::setup) fn rules(self, rules: Option<impl ShouldSample + Clone + 'static>) -> Self {
        Self { rules: rules.map(|rules| sampler::alone(rules).into()), ..self }
    }

    /// Opens the lanes, and makes the layers.
    ///
    /// # Errors
    ///
    /// When an endpoint cannot be used.
    pub(in crate::setup) fn start(self, start: &Start<'_>) -> Result<Running, Error> {
        let Self { busy, metrics: set, rules } = self;
        let Start { env, outbox, global, .. } = *start;
        let Some(busy) = busy else { return Ok(idle(start)) };
        let Busy { resource, instrumentation, traces, metrics, logs, baggage } = *busy;
        let providers = Providers {
            tracers: Some(traces.start(start, resource.clone(), rules, baggage)?),
            loggers: logs::provider(outbox, logs, resource.clone())?,
            meters: metrics::provider(env, outbox, metrics, resource)?,
        };
        if instrumentation.wants_logs() && providers.loggers.is_none() {
            env.note(NO_LOGS.to_owned());
        }
        if global {
            providers.publish();
        }
        let metrics = providers.meters.as_ref().map(|meters| set(Metrics::new(meters)));
        let layers = providers.layers(start, &instrumentation, metrics);
        Ok(Running::new(providers, layers))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("is_busy", &self.busy.is_some()).finish_non_exhaustive()
    }
}

/// Trace headers still pass through.
fn idle(start: &Start<'_>) -> Running {
    tracing::info!(target: "belvedere::setup", "spans: off, because OTEL_SDK_DISABLED is true");
    let providers = Providers::default();
    let layers = providers.layers(start, &Instrumentation::default(), None);
    Running::new(providers, layers)
}

const CHECK: &str = "BELVEDERE_CHECK";
const NO_LOGS: &str = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN asks for logs, but OTEL_LOGS_EXPORTER sends none: exceptions stay \
                       events of their spans";
