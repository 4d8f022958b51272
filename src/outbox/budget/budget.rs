use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Allowance, Unit, free_tier::FREE_TIER};

/// How much the backends may be given in a month. What they bill is never more than that, and what they are not given is
/// what is worth least.
///
/// ```
/// use belvedere::outbox::{Allowance, Budget, Outbox, Unit};
///
/// let budget = Budget::free_tier()
///     .allowance(Unit::SPANS, Allowance::month(100_000_000))
///     .processes(3)
///     .folder("/var/lib/shop/budget");
/// # let _ = budget;
/// ```
///
/// What has no allowance is not bounded. A budget is for what a process sends by one outbox.
///
/// # How it is spent
///
/// Of each unit there is a bucket. It holds the [`burst`](Allowance::burst), and what trickles in evenly is the rest of the
/// month's units in 31 days; so no 31 days use more than a month's units, whichever day a vendor begins its months with. In
/// none of the calendar's months, in UTC, are more used either. What is tried again is paid for once. The clock is read when
/// the process starts; setting it while it runs changes nothing.
///
/// # What is thinned, and how
///
/// The emptier a bucket, the more is left out, from the bottom of this table up. Full is what there would be if nothing had
/// been used.
///
/// | worth | what | all of it is kept | one in 2, in 4, up to a million | none is kept |
/// |---|---|---|---|---|
/// | novel | the first failure of its kind this month | always, while there is anything left | | |
/// | failed | an error status, a fault, an error log; a warning of the application | down to 25 % | 25 to 5 % | below 5 % |
/// | slow | what took [`slow`](Self::slow) or longer | down to 50 % | 50 to 25 % | below 25 % |
/// | good | everything else | down to 85 % | 85 to 50 % | below 50 % |
/// | idle | `DEBUG` and `TRACE` of the application | down to 95 % | 95 to 70 % | below 70 % |
///
/// The level comes to rest where as much is kept as trickles in. So where failures alone are more than that, good requests are
/// not shown at all; [sampling](crate::guide::sampling) them beforehand does not change it, but fewer failures do.
///
/// - What is of the same trace as a failure is worth as much, if it comes in the same batch or later.
/// - Whether a trace is among the one in 2, 4, 8 is told by its id, in all lanes and processes: what a scarce backend shows, a
///   plentiful one has, too. It is independent of what samplers go by.
/// - What is kept then says how many it stands for, if the backend has a word for it: the attribute `SampleRate` of a span,
///   `sample_rate` of an access record. Sums of these are right as long as none of the worth is left out altogether.
/// - Of X-Ray's traces that were paid for, all segments are kept.
/// - Requests to CloudWatch Logs become fewer and larger: under a half, there is a pause between them.
/// - What is left out is counted under `budget` in the [`Report`](crate::outbox::Report), and told by
///   [`OutboxEvent::Thinned`](crate::outbox::OutboxEvent::Thinned) and in the log, once in ten seconds.
/// - [`Unit::METRICS`] bounds the series of `cloudwatch::Metrics`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "give it to `Outbox::builder().budget(..)`"]
pub struct Budget {
    pub(super) allowances: BTreeMap<Unit, Allowance>,
    pub(super) processes: u32,
    pub(super) slow: Duration,
    pub(super) folder: Option<PathBuf>,
}

// ===== impl Budget =====

impl Budget {
    /// One that bounds nothing yet.
    pub fn new() -> Self {
        Self { allowances: BTreeMap::new(), processes: 1, slow: SLOW, folder: None }
    }

    /// What the four vendors give for nothing, as of November 2026: 20 million events of
    /// [Honeycomb](https://www.honeycomb.io/pricing), 100,000 traces of [X-Ray](https://aws.amazon.com/xray/pricing/), 5,000
    /// items of [Rollbar](https://rollbar.com/pricing/), and of [CloudWatch](https://aws.amazon.com/cloudwatch/pricing/)
    /// 5,000,000,000 bytes of logs, 1 million requests and 10 custom metrics.
    ///
    /// An account has this once: several services that share one account give each a part of it.
    pub fn free_tier() -> Self {
        Self { allowances: BTreeMap::from(FREE_TIER), ..Self::new() }
    }

    /// How much of a unit may be used. Default: as [`free_tier`](Self::free_tier) says, or without a bound.
    pub fn allowance(mut self, unit: Unit, allowance: Allowance) -> Self {
        self.allowances.insert(unit, allowance);
        self
    }

    /// How many processes share this budget, each of which gets the same part of it. Default: 1, at least 1.
    ///
    /// Do not count those on one machine that share a [`folder`](Self::folder): together they get one part.
    pub fn processes(mut self, processes: u32) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// From what duration on an exchange counts as slow, and is kept for longer than others that went well. Default: 1 s.
    pub fn slow(mut self, duration: Duration) -> Self {
        self.slow = duration;
        self
    }

    /// Where it is kept how much has been used, so that a restart does not forget it. Default: nowhere.
    ///
    /// The folder is made if there is none, and is for this alone. Processes that are given the same one share what is in it,
    /// so that an old and a new one may overlap. Each takes a 32nd of the [`burst`](Allowance::burst) at a time: what it did
    /// not use of that when it is killed counts as used.
    ///
    /// Without a folder each start may use a 300th of the month's units before any trickle in, and a tenth of the month's
    /// units is left aside for that: 30 starts in a month are within the budget, and more are not.
    ///
    /// Where the folder cannot be read or written, the log says so, and it counts as if all was used that may be.
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = Some(path.into());
        self
    }

    /// How much of a unit may be used, if that is bounded.
    #[cfg(any(feature = "cloudwatch", test))]
    pub(crate) fn units(&self, unit: &Unit) -> Option<u64> {
        self.allowances.get(unit).map(|allowance| allowance.month)
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

const SLOW: Duration = Duration::from_secs(1);
