use std::fmt;

use super::{endpoint, plan::Plan, signal::Signal};
use crate::{
    Error,
    otel::Metrics,
    setup::{Setup, env::Env},
};

/// What code has said.
pub(in crate::setup) struct Given {
    /// Further endpoints, by their base URLs.
    pub(super) also: Vec<String>,
    pub(super) check: bool,
    pub(super) baggage: Vec<String>,
    pub(super) metrics: MetricsHook,
}

type MetricsHook = Box<dyn FnOnce(Metrics) -> Metrics>;

// ===== impl Setup =====

impl Setup {
    /// Sends to a further OTLP endpoint, a base URL such as that of a local console: beside the one that the
    /// environment names, in place of the default one if it names none. Spans go there whatever
    /// `OTEL_TRACES_EXPORTER` says. Somebody is waiting there: they go out within a tenth of a second, not within one.
    pub fn otlp(mut self, base: impl Into<String>) -> Self {
        self.otel.also.push(base.into());
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
        self.otel.metrics = Box::new(set);
        self
    }

    /// The members of the baggage that become attributes of every span that is started within it. Default: none, since
    /// a caller may write anything into it.
    pub fn baggage_attributes<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.otel.baggage = keys.into_iter().map(Into::into).collect();
        self
    }

    /// Whether Honeycomb is asked, at the start, if it takes the key: it logs whose key it is, and a key that is unknown
    /// or may not send is an error. Default: as `BELVEDERE_CHECK` says, which is no.
    ///
    /// It costs one request, of five seconds at most, for which [`start`](Self::start) waits; where there is no answer the
    /// service starts all the same.
    pub fn check(mut self, check: bool) -> Self {
        self.otel.check = check;
        self
    }

    /// Whether the environment itself says where spans go: an OTLP endpoint, or Honeycomb.
    pub fn names_endpoint(&self) -> bool {
        endpoint::is_named(&self.env, Signal::Traces)
    }
}

// ===== impl Given =====

impl Given {
    /// # Errors
    ///
    /// When an endpoint cannot be used, or Honeycomb refuses a key that is to be checked.
    pub(in crate::setup) fn plan(self, env: &Env, service: &str) -> Result<Plan, Error> {
        Plan::new(self, env, service)
    }
}

impl Default for Given {
    fn default() -> Self {
        Self { also: Vec::new(), check: false, baggage: Vec::new(), metrics: Box::new(|metrics| metrics) }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { also, check, baggage, metrics: _ } = self;
        f.debug_struct("Given")
            .field("also", also)
            .field("check", check)
            .field("baggage", baggage)
            .finish_non_exhaustive()
    }
}
