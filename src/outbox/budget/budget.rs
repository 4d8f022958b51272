use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Allowance, Unit, free_tier::FREE_TIER};

/// How much the backends may be given in a month. See [the module](crate::outbox::budget) for what becomes of the rest.
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
