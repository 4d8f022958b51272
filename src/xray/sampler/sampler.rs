use std::{fmt, sync::Arc};

use super::{
    Request, SamplingSource,
    central::Central,
    file,
    local::{Limit, Local},
    poller::Poller,
};
use crate::{Error, outbox::Outbox};

/// Who decides which requests are recorded. Clones decide together: they share rules, reservoirs and counts.
///
/// The default is AWS's own, `Sampler::reservoir(1, 0.05)`. See [the module](super) for how each one decides.
#[derive(Clone)]
pub struct Sampler {
    kind: Kind,
    random: Random,
}

#[derive(Clone)]
enum Kind {
    All,
    None,
    Local(Arc<Local>),
    Central(Arc<Central>),
}

/// What was decided about a request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sampling {
    /// Whether it is recorded.
    pub sampled: bool,
    /// The name of the central rule that decided; none where another sampler, or the caller, did.
    pub rule: Option<Arc<str>>,
}

/// A number from 0 to below 1.
pub(super) type Random = fn() -> f64;

// ===== impl Sampler =====

impl Sampler {
    /// Records every request.
    pub fn all() -> Self {
        Self::of(Kind::All)
    }

    /// Records no request that its caller does not record.
    pub fn none() -> Self {
        Self::of(Kind::None)
    }

    /// Records `per_second` requests in each second, and of the others the share `rate`, from 0 to 1.
    ///
    /// A rate beyond is taken for the nearer end, and what is no number for 0. A second begins with the sampler; what is
    /// not used in one is not kept for the next.
    pub fn reservoir(per_second: u32, rate: f64) -> Self {
        let rate = if rate.is_nan() { 0.0 } else { rate.clamp(0.0, 1.0) };
        Self::local(Local { rules: Vec::new(), default: Limit::new(per_second.into(), rate) })
    }

    /// Records as AWS's
    /// [sampling rules file](https://docs.aws.amazon.com/xray/latest/devguide/xray-sdk-python-configuration.html)
    /// says, of version 1 or 2. `json` is what is in the file.
    ///
    /// The first rule that matches decides, else the default of the file. Members that are not known are passed over.
    ///
    /// ```
    /// use belvedere::xray::Sampler;
    ///
    /// let sampler = Sampler::rules(r#"{
    ///     "version": 2,
    ///     "rules": [{"host": "*", "http_method": "GET", "url_path": "/health", "fixed_target": 0, "rate": 0}],
    ///     "default": {"fixed_target": 1, "rate": 0.05}
    /// }"#)?;
    /// # Ok::<_, belvedere::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When it is not JSON, or no such file: the message names the place, such as `rules[2].rate`, and what is to be there.
    pub fn rules(json: &str) -> Result<Self, Error> {
        file::read(json).map(Self::local)
    }

    /// Records by the rules that are kept in X-Ray, shared with all services of the account and region.
    ///
    /// `source` is where they are had, `fallback` decides while there are none: before the first answer, after an hour
    /// without a good one, and for requests that no rule is for. They are polled on the outbox's thread, from the first
    /// request that is asked about until the outbox shuts down or the last clone of the sampler is gone. See
    /// [the module](super#central-rules).
    pub fn central(source: impl SamplingSource, fallback: Self, outbox: &Outbox) -> Self {
        let sideline = outbox.sideline(NAME);
        let start = move |central| sideline.run(Poller::new(central, source, sideline.clone()).run());
        Self::centrally(Arc::new(Central::new(fallback, start)))
    }

    /// Decides about a request that nobody has decided about.
    ///
    /// It neither waits nor allocates, and takes a short lock only where the rules are X-Ray's. Whoever has a decision of the caller's asks
    /// [`decide`](Self::decide).
    pub fn sample(&self, request: &Request<'_>) -> Sampling {
        match &self.kind {
            Kind::All => Sampling::without_rule(true),
            Kind::None => Sampling::without_rule(false),
            Kind::Local(local) => Sampling::without_rule(local.sample(request, self.random)),
            Kind::Central(central) => central.sample(request, self.random),
        }
    }

    /// The decision that the caller made, such as [`Identity::sampled`](crate::trace::Identity::sampled); where there is none,
    /// [`sample`](Self::sample)'s.
    ///
    /// What the caller decided counts neither against a reservoir nor in the statistics.
    pub fn decide(&self, decided: Option<bool>, request: &Request<'_>) -> Sampling {
        decided.map_or_else(|| self.sample(request), Sampling::without_rule)
    }

    pub(super) fn centrally(central: Arc<Central>) -> Self {
        Self::of(Kind::Central(central))
    }

    fn local(local: Local) -> Self {
        Self::of(Kind::Local(Arc::new(local)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, random: fastrand::f64 }
    }

    /// The same with dice of one's own.
    #[cfg(test)]
    pub(super) fn random(self, random: Random) -> Self {
        Self { random, ..self }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::reservoir(1, 0.05)
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::All => "Sampler::all",
            Kind::None => "Sampler::none",
            Kind::Local(_) => "Sampler::rules",
            Kind::Central(_) => "Sampler::central",
        })
    }
}

// ===== impl Sampling =====

impl Sampling {
    /// No central rule made the decision.
    pub(in crate::xray) fn without_rule(sampled: bool) -> Self {
        Self { sampled, rule: None }
    }
}

/// What events and logs call the polling.
const NAME: &str = "xray sampling";
