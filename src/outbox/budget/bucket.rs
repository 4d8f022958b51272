use std::time::{Duration, SystemTime};

use super::{
    Allowance,
    month::{DAY, Month},
};

/// How fast a unit may be used.
///
/// What a bucket holds and what trickles into it in 31 days are the month's units together, and no month has more days: so no
/// month is overspent, whichever day the vendor lets it begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    /// What may be used in a month of the calendar.
    pub(super) month: f64,
    /// What a bucket holds.
    pub(super) depth: f64,
    /// What a bucket of which nothing is known holds at first.
    pub(super) start: f64,
    /// What trickles in.
    pub(super) per_second: f64,
}

/// The units that may be used now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bucket {
    /// What is in there. It may be less than nothing, after a clock was set back.
    pub(super) level: f64,
    /// What would be in there if nothing had been used.
    pub(super) top: f64,
    /// When that was.
    pub(super) at: SystemTime,
    pub(super) month: Month,
    /// What was used in that month.
    pub(super) spent: f64,
}

// ===== impl Pace =====

impl Pace {
    /// That of one process of several; `is_kept` says whether a restart goes on where the process ended.
    pub(super) fn new(allowance: Allowance, processes: u32, is_kept: bool) -> Self {
        let month = (allowance.month / u64::from(processes.max(1))) as f64;
        let depth = (allowance.burst as f64 / f64::from(processes.max(1))).max(1.0).min(month / 2.0);
        let start = (month / STARTS).min(depth);
        let aside = if is_kept { 0.0 } else { FREE_STARTS * start };
        Self { month, depth, start, per_second: (month - depth - aside).max(0.0) / MONTH.as_secs_f64() }
    }

    /// How long it takes for so many units to trickle in.
    pub(super) fn time_for(&self, units: f64) -> Duration {
        Duration::try_from_secs_f64(units.max(0.0) / self.per_second).unwrap_or(MONTH).min(MONTH)
    }
}

// ===== impl Bucket =====

impl Bucket {
    /// That of somebody who has used nothing yet.
    pub(super) fn fresh(pace: &Pace, now: SystemTime) -> Self {
        Self { level: pace.start, top: pace.start, ..Self::empty(now) }
    }

    /// That of somebody who may have used everything. What was used before this in the same month was what trickled in until
    /// then and what a bucket holds at most, and so leaves room for what is to trickle in.
    pub(super) fn empty(now: SystemTime) -> Self {
        Self { level: 0.0, top: 0.0, at: now, month: Month::of(now), spent: 0.0 }
    }

    /// Adds what has trickled in.
    ///
    /// Where the clock was set back in between, it takes away what will trickle in a second time.
    pub(super) fn refill(&mut self, pace: &Pace, now: SystemTime) {
        let trickled = |time: Duration| (time.as_secs_f64() * pace.per_second).min(pace.depth);
        match now.duration_since(self.at) {
            Ok(passed) => {
                self.level = (self.level + trickled(passed)).min(pace.depth);
                self.top = (self.top + trickled(passed)).min(pace.depth);
            }
            Err(back) => self.level = (self.level - trickled(back.duration())).max(-pace.depth),
        }
        self.turn(now);
        self.at = now;
    }

    /// Takes so many units, or as many as there are.
    pub(super) fn take(&mut self, pace: &Pace, units: f64) -> f64 {
        let taken = units.min(self.level).min(pace.month - self.spent).max(0.0);
        self.level -= taken;
        self.spent += taken;
        taken
    }

    /// Puts back what was taken and not used.
    pub(super) fn put_back(&mut self, pace: &Pace, units: f64) {
        self.level = (self.level + units).min(pace.depth);
        self.spent = (self.spent - units).max(0.0);
    }

    /// What is still to be had, at once.
    pub(super) fn left(&self, pace: &Pace) -> f64 {
        self.level.min(pace.month - self.spent).max(0.0)
    }

    /// Begins a month. One that is over does not come back because of a clock that is a little behind; after one that was
    /// far ahead it is the month that it is, and what was used stays used.
    fn turn(&mut self, now: SystemTime) {
        let month = Month::of(now);
        if month > self.month {
            (self.month, self.spent) = (month, 0.0);
        } else if self.at.duration_since(now).is_ok_and(|ahead| ahead > DAY) {
            self.month = month;
        }
    }
}

/// The longest month.
const MONTH: Duration = Duration::from_secs(31 * DAY.as_secs());

/// At which part of a month's units one starts of whom nothing is known.
const STARTS: f64 = 300.0;

/// How many such starts there is room for in a month.
const FREE_STARTS: f64 = 30.0;
