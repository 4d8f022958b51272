use std::fmt;

use opentelemetry::{Key, Value};
use opentelemetry_sdk::Resource;

use super::{
    Belvedere, endpoint, env::Env, exporters::Exporters, honeycomb::Honeycomb,
    instrumentation::Instrumentation, logs, metrics, providers::Providers, resource::resource,
    signal::Signal, traces::Traces,
};
use crate::{
    Error,
    otel::Metrics,
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
    baggage: Vec<String>,
    metrics: MetricsHook,
}

type MetricsHook = Box<dyn FnOnce(Metrics) -> Metrics>;

// ===== impl Setup =====

impl Setup {
    /// Looks variables up in the process's environment.
    pub fn from_env() -> Self {
        Self::lookup(|name| std::env::var(name).ok())
    }

    /// Looks variables up with a function.
    pub fn lookup(lookup: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self {
            env: Env::new(lookup),
            also: Vec::new(),
            name: None,
            global: true,
            check: false,
            baggage: Vec::new(),
            metrics: Box::new(|metrics| metrics),
        }
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

    /// Sets what is measured. Default: the durations of requests and calls.
    ///
    /// ```no_run
    /// use belvedere::Setup;
    ///
    /// # fn run() -> Result<(), belvedere::Error> {
    /// let belvedere = Setup::from_env().metrics(|metrics| metrics.active_requests(true)).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics(mut self, set: impl FnOnce(Metrics) -> Metrics + 'static) -> Self {
        self.metrics = Box::new(set);
        self
    }

    /// The members of the baggage that become attributes of every span that is started within it. Default: none, since
    /// a caller may write anything into it.
    pub fn baggage_attributes<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.baggage = keys.into_iter().map(Into::into).collect();
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
        if disabled { self.idle() } else { self.busy() }
    }

    /// Trace headers still pass through.
    fn idle(self) -> Result<Belvedere, Error> {
        tracing::info!(target: TARGET, "spans: off, because OTEL_SDK_DISABLED is true");
        let outbox = Outbox::builder().start()?;
        let (propagation, instrumentation) = (propagation(&self.env), Instrumentation::default());
        let providers = Providers::default();
        let layers = providers.layers(&propagation, &instrumentation, None);
        Ok(Belvedere::new(outbox, layers, providers, self.env.into_warnings()))
    }

    fn busy(self) -> Result<Belvedere, Error> {
        let Self { env, also, name, global, check, baggage, metrics: set } = self;
        let resource = resource(&env, name.as_deref());
        let (service, honeycomb) = (service(&resource), Honeycomb::read(&env)?);
        let exporters = Exporters { env: &env, honeycomb: &honeycomb, service: &service, also: &also };
        let (propagation, instrumentation) = (propagation(&env), Instrumentation::read(&env));

        // Everything that may be refused, before anything is started.
        let traces = Traces::plan(&exporters, check || env.flag(CHECK))?;
        let metrics = exporters.metrics()?;
        let logs = if instrumentation.wants_logs() { exporters.logs()? } else { Vec::new() };

        let outbox = Outbox::builder().start()?;
        let providers = Providers {
            tracers: Some(traces.start(&env, &outbox, resource.clone(), baggage)?),
            loggers: logs::provider(&outbox, logs, resource.clone())?,
            meters: metrics::provider(&env, &outbox, metrics, resource)?,
        };
        if instrumentation.wants_logs() && providers.loggers.is_none() {
            env.note(NO_LOGS.to_owned());
        }
        if global {
            providers.publish();
        }
        let metrics = providers.meters.as_ref().map(|meters| set(Metrics::new(meters)));
        let layers = providers.layers(&propagation, &instrumentation, metrics);
        Ok(Belvedere::new(outbox, layers, providers, env.into_warnings()))
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { env, also, name, global, check, baggage, metrics: _ } = self;
        f.debug_struct("Setup")
            .field("env", env)
            .field("also", also)
            .field("name", name)
            .field("global", global)
            .field("check", check)
            .field("baggage", baggage)
            .finish_non_exhaustive()
    }
}

fn propagation(env: &Env) -> Propagation {
    let propagator = |word: &str| match word {
        "tracecontext" => Some(Propagator::TraceContext),
        "baggage" => Some(Propagator::Baggage),
        "b3" => Some(Propagator::B3),
        "b3multi" => Some(Propagator::B3Multi),
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
const NO_LOGS: &str = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN asks for logs, but OTEL_LOGS_EXPORTER sends none: exceptions stay \
                       events of their spans";
