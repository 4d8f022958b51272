use super::{
    Belvedere, cloudwatch, env::Env, otel, propagation::propagators, rollbar, service::service, start::Start,
    way_out::way_out, xray,
};
use crate::{
    Error,
    exchange::AddressPolicy,
    outbox::{self, Outbox},
    scrub::Scrubber,
    trace::Propagation,
};

/// What [`from_env`](crate::from_env) does, with a place to look variables up in and further endpoints.
#[derive(Debug)]
#[must_use = "call `.start()`"]
pub struct Setup {
    pub(super) env: Env,
    name: Option<String>,
    global: bool,
    outbox: outbox::Builder,
    scrubber: Scrubber,
    addresses: AddressPolicy,
    pub(super) otel: otel::Given,
    pub(super) xray: xray::Given,
    pub(super) rollbar: rollbar::Given,
    pub(super) cloudwatch: cloudwatch::Given,
}

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
            name: None,
            global: true,
            outbox: Outbox::builder(),
            scrubber: Scrubber::default(),
            addresses: AddressPolicy::default(),
            otel: otel::Given::default(),
            xray: xray::Given::default(),
            rollbar: rollbar::Given::default(),
            cloudwatch: cloudwatch::Given::default(),
        }
    }

    /// The service's name where neither `OTEL_SERVICE_NAME` nor the attribute `service.name` gives one, nor, for
    /// segments, `AWS_XRAY_TRACING_NAME`. Default: `unknown_service:<program>`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether what there is once in a process is set: OpenTelemetry's global providers, what
    /// `AWS_XRAY_CONTEXT_MISSING` says, and what is reported to Rollbar outside of requests. Default: yes.
    pub fn global(mut self, global: bool) -> Self {
        self.global = global;
        self
    }

    /// What the way out of all backends runs on, whom it tells, and where it keeps what is not delivered yet. Default:
    /// [`Outbox::builder`]. What the environment says of it holds where this one says nothing.
    pub fn outbox(mut self, outbox: outbox::Builder) -> Self {
        self.outbox = outbox;
        self
    }

    /// What keeps secrets out of all that the layers send, whatever backend it is for. Default: [`Scrubber::default`], whose
    /// lists are wide. A layer's own `scrubber` replaces it for that layer; a
    /// [subscriber](crate::guide::privacy#one-for-all) of events has one of its own.
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.scrubber = scrubber;
        self
    }

    /// How much of a client's address is sent, whatever backend it is for. Default: all of it. A layer's own `addresses`
    /// replaces it for that layer.
    pub fn addresses(mut self, policy: AddressPolicy) -> Self {
        self.addresses = policy;
        self
    }

    /// Builds the layers and starts their way out.
    ///
    /// # Errors
    ///
    /// When an endpoint is no URL, a protocol is not spoken, a file cannot be used, a switch of X-Ray is neither on nor
    /// off, a daemon's address is none, a region is missing, Rollbar's token is no word, a log group or a stream cannot be
    /// called so, a budget is none, Honeycomb refuses a key that is to be checked, or the system gives no thread. Nothing was started then.
    #[track_caller]
    pub fn start(self) -> Result<Belvedere, Error> {
        let Self { env, name, global, outbox, scrubber, addresses, otel, xray, rollbar, cloudwatch } = self;
        let service = service(&env, name);
        // Everything that may be refused, before anything is started. What asks the network comes last.
        let cloudwatch = cloudwatch.plan(&env, &service)?;
        let rollbar = rollbar.plan(&env, &service)?;
        let xray = xray.plan(&env, &service)?;
        let outbox = way_out(&env, outbox)?;
        let otel = otel.plan(&env, &service)?;
        let propagators = propagators(&env, xray.is_said());
        let propagation = Propagation::new(propagators.iter().copied());

        let outbox = outbox.start()?;
        let log_group = cloudwatch.group();
        let start = Start {
            env: &env,
            outbox: &outbox,
            propagation: &propagation,
            scrubber: &scrubber,
            addresses,
            global,
            log_group,
        };
        let xray = xray.start(&start)?;
        #[cfg(feature = "otel")]
        let otel = otel.rules(xray.rules());
        let otel = otel.start(&start)?;
        let rollbar = rollbar.start(&start)?;
        let cloudwatch = cloudwatch.start(&start)?;
        Ok(Belvedere::new(outbox, &propagators, otel, xray, rollbar, cloudwatch, env.into_warnings()))
    }
}
