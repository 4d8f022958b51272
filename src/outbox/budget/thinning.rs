use std::{fmt, time::Duration};

use super::{Unit, worth::Worth};

/// What was left out of late.
#[derive(Clone, Debug)]
pub(crate) struct Thinning {
    pub(super) counts: Counts,
    pub(super) unit: Unit,
    /// What may be used in a month.
    pub(super) month: f64,
    /// How long it takes until there is room for all, if nothing comes.
    pub(super) quiet: Duration,
}

/// How many were kept and how many were not, of each worth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts([Count; 5]);

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Count {
    pub(super) kept: usize,
    pub(super) thinned: usize,
}

// ===== impl Thinning =====

impl Thinning {
    /// How many records were left out.
    pub(crate) fn records(&self) -> usize {
        self.counts.0.iter().map(|count| count.thinned).sum()
    }

    /// Of how many one was kept, all together. Zero: of any.
    pub(crate) fn one_in(&self) -> u64 {
        let kept: usize = self.counts.0.iter().map(|count| count.kept).sum();
        ((kept + self.records() + kept / 2) as u64).checked_div(kept as u64).unwrap_or(0)
    }
}

/// What was kept, and why no more.
impl fmt::Display for Thinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, unit, month, quiet } = self;
        let mut separator = "kept ";
        for (name, worths) in NAMES {
            let Count { kept, thinned } =
                worths.iter().map(|worth| counts.of(*worth)).fold(Count::default(), Count::and);
            if kept + thinned > 0 {
                write!(f, "{separator}{kept} of {} {name}", kept + thinned)?;
                separator = ", ";
            }
        }
        write!(
            f,
            "; {month:.0} {unit} a month are not enough for all, and are again after {} of quiet",
            Rough(*quiet)
        )
    }
}

// ===== impl Counts =====

impl Counts {
    pub(super) fn of(&self, worth: Worth) -> Count {
        self.0[worth as usize]
    }

    pub(super) fn keep(&mut self, worth: Worth) {
        self.0[worth as usize].kept += 1;
    }

    pub(super) fn thin(&mut self, worth: Worth) {
        self.0[worth as usize].thinned += 1;
    }

    pub(super) fn has_thinned(&self) -> bool {
        self.0.iter().any(|count| count.thinned > 0)
    }
}

// ===== impl Count =====

impl Count {
    /// Which part of them was kept.
    #[cfg(test)]
    pub(super) fn share(self) -> f64 {
        self.kept as f64 / (self.kept + self.thinned).max(1) as f64
    }

    fn and(self, other: Self) -> Self {
        Self { kept: self.kept + other.kept, thinned: self.thinned + other.thinned }
    }
}

/// A time as people say it.
struct Rough(Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds => write!(f, "{} h", seconds / 3_600),
        }
    }
}

const NAMES: [(&str, &[Worth]); 4] = [
    ("failed", &[Worth::Novel, Worth::Failed]),
    ("slow", &[Worth::Slow]),
    ("good", &[Worth::Good]),
    ("for debugging", &[Worth::Idle]),
];
