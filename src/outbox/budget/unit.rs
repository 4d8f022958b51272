use std::{borrow::Cow, fmt};

/// What a backend counts and bills: spans, traces, bytes.
///
/// A destination of one's own has a unit of its own:
///
/// ```
/// use belvedere::outbox::{Allowance, Budget, Unit};
///
/// let budget = Budget::free_tier().allowance(Unit::new("minidumps"), Allowance::month(1_000));
/// # let _ = budget;
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Unit {
    name: Cow<'static, str>,
}

// ===== impl Unit =====

impl Unit {
    /// Honeycomb's events: a span is one, and so is each of its
    /// [span events and links](https://docs.honeycomb.io/get-started/basics/observability/concepts/events-metrics-logs/).
    pub const SPANS: Self = Self::named("spans");
    /// X-Ray's [traces recorded](https://aws.amazon.com/xray/pricing/), however many segments each of them has.
    pub const TRACES: Self = Self::named("traces");
    /// Rollbar's [occurrences](https://docs.rollbar.com/docs/rate-limits): one for each item.
    pub const ITEMS: Self = Self::named("items");
    /// The bytes that CloudWatch Logs [ingests](https://aws.amazon.com/cloudwatch/pricing/): those of a message, and 26 for
    /// each event.
    pub const LOG_BYTES: Self = Self::named("log bytes");
    /// Calls of
    /// [`PutLogEvents`](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
    pub const LOG_REQUESTS: Self = Self::named("log requests");
    /// CloudWatch's [custom metrics](https://aws.amazon.com/cloudwatch/pricing/). There are so many at once, rather than in a
    /// month.
    pub const METRICS: Self = Self::named("custom metrics");

    /// A unit by the name that events, logs and the files of [`Budget::folder`](super::Budget::folder) call it. Units of the
    /// same name are the same.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into() }
    }

    const fn named(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name) }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}
