use std::fmt;

use opentelemetry::{Key, Value, global};
use opentelemetry_sdk::Resource;

use super::{
    Belvedere, belvedere::Parts, collector::Collector, endpoint, env::Env, exporters::Exporters,
    honeycomb::Honeycomb, resource::resource, signal::Signal, traces::Traces,
};
use crate::{
    Error,
    outbox::Outbox,
    trace::{Propagation, Propagator},
};

/// What [`from_env`](crate::from_env) does, with a place to look variables up in and further endpoints.
#[must_use = "call `.start()`"]
pub struct Setup {
    env: Env,
    also: Vec<String>,
    name: Option<String>,
    global: bool,
    check: bool,
}

// ===== impl Setup =====

impl Setup {
    /// Looks variables up in the process's environment.
    pub fn from_env() -> Self {
        Self::lookup(|name| std::env::var(name).ok())
    }

    /// Looks variables up with a function.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { env: Env::new(lookup), also: Vec::new(), name: None, global: true, check: false }
    }

    /// The service's name where `OTEL_SERVICE_NAME` gives none. Default: `unknown_service:<program>`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sends to a further OTLP endpoint, a base URL such as that of a local console: beside the one that the
    /// environment names, in place of the default one if it names none. Spans go there whatever
    /// `OTEL_TRACES_EXPORTER` says. Somebody is waiting there: they go out within a tenth of a second, not within one.
    pub fn otlp(mut self, base: impl Into<String>) -> Self {
        self.also.push(base.into());
        self
    }

    /// Whether the providers become OpenTelemetry's global ones. Default: yes.
    pub fn global(mut self, global: bool) -> Self {
        self.global = global;
        self
    }

    /// Whether Honeycomb is asked, at the start, if it takes the key: it logs whose key it is, and a key that is unknown
    /// or may not send is an error. Default: as `BELVEDERE_CHECK` says, which is no.
    ///
    /// It costs one request, of five seconds at most, for which [`start`](Self::start) waits; where there is no answer the
    /// service starts all the same.
    pub fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Whether the environment itself says where spans go: an OTLP endpoint, or Honeycomb.
    pub fn names_endpoint(&self) -> bool {
        endpoint::is_named(&self.env, Signal::Traces)
    }

    /// Builds the layers and starts their way out.
    ///
    /// # Errors
    ///
    /// When an endpoint is no URL, a protocol is not spoken, a file of TLS cannot be used, Honeycomb refuses a key that is
    /// to be [checked](Self::check), or the system gives no thread.
    pub fn start(self) -> Result<Belvedere, Error> {
        let disabled = self.env.flag("OTEL_SDK_DISABLED");
        let parts = if disabled { self.idle() } else { self.busy() }?;
        Ok(Belvedere::new(parts, self.env.into_warnings()))
    }

    /// Trace headers still pass through.
    fn idle(&self) -> Result<Parts, Error> {
        tracing::info!(target: TARGET, "spans: off, because OTEL_SDK_DISABLED is true");
        Ok(Parts {
            outbox: Outbox::builder().start()?,
            tracers: None,
            collector: Collector::new(None),
            propagation: propagation(&self.env),
        })
    }

    fn busy(&self) -> Result<Parts, Error> {
        let Self { env, also, name, global, check } = self;
        let resource = resource(env, name.as_deref());
        let (service, honeycomb) = (service(&resource), Honeycomb::read(env)?);
        let exporters = Exporters { env, honeycomb: &honeycomb, service: &service, also };
        let traces = Traces::plan(&exporters, *check || env.flag(CHECK))?;
        let outbox = Outbox::builder().start()?;
        let tracers = traces.start(env, &outbox, resource, |builder| builder)?;
        if *global {
            global::set_tracer_provider(tracers.clone());
        }
        Ok(Parts {
            outbox,
            tracers: Some(tracers),
            collector: Collector::new(None),
            propagation: propagation(env),
        })
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, also, name, global, check } = self;
        f.debug_struct("Setup")
            .field("env", env)
            .field("also", also)
            .field("name", name)
            .field("global", global)
            .field("check", check)
            .finish_non_exhaustive()
    }
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

fn service(resource: &Resource) -> String {
    let name = resource.get(&Key::from_static_str("service.name"));
    name.as_ref().map(Value::to_string).unwrap_or_default()
}

const TARGET: &str = "belvedere::setup";
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
const CHECK: &str = "BELVEDERE_CHECK";
