use std::time::Duration;

use opentelemetry::global;
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::{Belvedere, env::Env, otlp, resource::resource, sampler::sampler};
use crate::{
    Error,
    otel::{Ids, Otlp, Print, SpanLane},
    outbox::Outbox,
    trace::{Propagation, Propagator},
};

/// What [`from_env`](crate::from_env) does, with a place to look variables up in and further endpoints.
#[derive(Debug)]
#[must_use = "call `.start()`"]
pub struct Setup {
    env: Env,
    also: Vec<String>,
    name: Option<String>,
    global: bool,
}

/// A word of `OTEL_TRACES_EXPORTER`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Exporter {
    Otlp,
    Console,
}

// ===== impl Setup =====

impl Setup {
    /// Looks variables up in the process's environment.
    pub fn from_env() -> Self {
        Self::lookup(|name| std::env::var(name).ok())
    }

    /// Looks variables up with a function.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { env: Env::new(lookup), also: Vec::new(), name: None, global: true }
    }

    /// The service's name where `OTEL_SERVICE_NAME` gives none. Default: `unknown_service:<program>`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sends spans to a further OTLP endpoint, a base URL such as that of a local console: beside the one that the
    /// environment names, in place of the default one if it names none, and whatever
    /// `OTEL_TRACES_EXPORTER` says. Somebody is waiting there: spans go out within
    /// a tenth of a second, not within one.
    pub fn otlp(mut self, base: impl Into<String>) -> Self {
        self.also.push(base.into());
        self
    }

    /// Whether the tracer provider becomes OpenTelemetry's global one. Default: yes.
    pub fn global(mut self, global: bool) -> Self {
        self.global = global;
        self
    }

    /// Whether the environment itself says where spans go: an OTLP endpoint or a Honeycomb key.
    pub fn names_endpoint(&self) -> bool {
        otlp::names_endpoint(&self.env)
    }

    /// Builds the layers and starts their way out.
    ///
    /// # Errors
    ///
    /// When an endpoint is no URL, a protocol is not spoken, or the system gives no thread.
    pub fn start(self) -> Result<Belvedere, Error> {
        let propagation = propagation(&self.env);
        let disabled = self.env.flag("OTEL_SDK_DISABLED");
        let destinations = if disabled { None } else { Some(self.destinations()?) };
        let outbox = Outbox::builder().start()?;
        let provider = destinations.map(|to| self.provider(&outbox, to)).transpose()?;
        match &provider {
            Some(provider) if self.global => global::set_tracer_provider(provider.clone()),
            Some(_) => {}
            None => tracing::info!(target: TARGET, "spans: off, because OTEL_SDK_DISABLED is true"),
        }
        Ok(Belvedere::new(outbox, provider, propagation, self.env.into_warnings()))
    }

    fn provider(&self, outbox: &Outbox, to: Destinations) -> Result<SdkTracerProvider, Error> {
        let mut builder = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_sampler(sampler(&self.env))
            .with_resource(resource(&self.env, self.name.as_deref()));
        if to.otlp.is_empty() && !to.console {
            tracing::info!(target: TARGET, "spans: not sent, because OTEL_TRACES_EXPORTER names no exporter");
        }
        for otlp in to.otlp {
            tracing::info!(target: TARGET, endpoint = %otlp.uri(), "spans: by OTLP");
            builder = builder.with_span_processor(SpanLane::otlp(outbox, otlp)?);
        }
        if to.console {
            tracing::info!(target: TARGET, "spans: printed as they end");
            builder = builder.with_span_processor(SpanLane::new(outbox, "console", Print::stdout()));
        }
        Ok(builder.build())
    }

    fn destinations(&self) -> Result<Destinations, Error> {
        let exporters = exporters(&self.env);
        let mut otlp = Vec::new();
        if exporters.contains(&Exporter::Otlp) && (self.names_endpoint() || self.also.is_empty()) {
            otlp.push(otlp::otlp(&self.env)?);
        }
        for base in &self.also {
            otlp.push(Otlp::new(otlp::below("endpoint", base)?).age(WATCHED));
        }
        Ok(Destinations { otlp, console: exporters.contains(&Exporter::Console) })
    }
}

struct Destinations {
    otlp: Vec<Otlp>,
    console: bool,
}

fn exporters(env: &Env) -> Vec<Exporter> {
    let exporter = |word: &str| match word {
        "otlp" => Some(Exporter::Otlp),
        "console" => Some(Exporter::Console),
        _ => None,
    };
    env.list(EXPORTER, "otlp", exporter)
}

fn propagation(env: &Env) -> Propagation {
    let propagator = |word: &str| match word {
        "tracecontext" => Some(Propagator::TraceContext),
        "baggage" => Some(Propagator::Baggage),
        "xray" => Some(Propagator::XRay),
        _ => None,
    };
    Propagation::new(env.list(PROPAGATORS, "tracecontext,baggage", propagator))
}

const WATCHED: Duration = Duration::from_millis(100);
const TARGET: &str = "belvedere::setup";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
