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
    /// environment names, in place of the default one if it names none. Somebody is waiting there: spans go out within
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
    pub fn is_told(&self) -> bool {
        otlp::is_told(&self.env)
    }

    /// Builds the layers and starts their way out.
    ///
    /// # Errors
    ///
    /// When an endpoint is no URL, a protocol is not spoken, or the system gives no thread.
    pub fn start(self) -> Result<Belvedere, Error> {
        let propagation = propagation(&self.env);
        let destinations = self.destinations()?;
        let outbox = Outbox::builder().start()?;
        let provider = self.provider(&outbox, destinations)?;
        if let (true, Some(provider)) = (self.global, &provider) {
            global::set_tracer_provider(provider.clone());
        }
        Ok(Belvedere::new(outbox, provider, propagation, self.env.into_warnings()))
    }

    fn provider(
        &self,
        outbox: &Outbox,
        destinations: Destinations,
    ) -> Result<Option<SdkTracerProvider>, Error> {
        if self.env.flag("OTEL_SDK_DISABLED") {
            tracing::info!(target: "belvedere::setup", "spans: off, because OTEL_SDK_DISABLED is true");
            return Ok(None);
        }
        let mut builder = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_sampler(sampler(&self.env))
            .with_resource(resource(&self.env, self.name.as_deref()));
        for otlp in destinations.otlp {
            tracing::info!(target: "belvedere::setup", endpoint = %otlp.uri(), "spans: by OTLP");
            builder = builder.with_span_processor(SpanLane::otlp(outbox, otlp)?);
        }
        if destinations.console {
            tracing::info!(target: "belvedere::setup", "spans: printed as they end");
            builder = builder.with_span_processor(SpanLane::new(outbox, "console", Print::stdout()));
        }
        Ok(Some(builder.build()))
    }

    fn destinations(&self) -> Result<Destinations, Error> {
        let exporters = exporters(&self.env);
        let mut otlp = Vec::new();
        if exporters.contains(&Exporter::Otlp) && (self.is_told() || self.also.is_empty()) {
            otlp.push(otlp::otlp(&self.env)?);
        }
        for base in &self.also {
            otlp.push(Otlp::new(otlp::below("endpoint", base)?).prompt());
        }
        Ok(Destinations { otlp, console: exporters.contains(&Exporter::Console) })
    }
}

struct Destinations {
    otlp: Vec<Otlp>,
    console: bool,
}

fn exporters(env: &Env) -> Vec<Exporter> {
    let Some(words) = env.words(EXPORTER) else { return vec![Exporter::Otlp] };
    let exporter = |word: &String| match word.as_str() {
        "otlp" => Some(Exporter::Otlp),
        "console" => Some(Exporter::Console),
        "none" => None,
        _ => {
            env.warn(EXPORTER, word, "the rest of the list");
            None
        }
    };
    words.iter().filter_map(exporter).collect()
}

fn propagation(env: &Env) -> Propagation {
    let Some(words) = env.words(PROPAGATORS) else { return Propagation::default() };
    let propagator = |word: &String| match word.as_str() {
        "tracecontext" => Some(Propagator::TraceContext),
        "baggage" => Some(Propagator::Baggage),
        "xray" => Some(Propagator::XRay),
        "none" => None,
        _ => {
            env.warn(PROPAGATORS, word, "the rest of the list");
            None
        }
    };
    Propagation::new(words.iter().filter_map(propagator))
}

const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
