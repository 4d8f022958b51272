use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    account::{Account, Errand},
    bucket::Pace,
    month::Month,
    till::Till,
    *,
};

mod bounds;
#[allow(clippy::duplicate_mod, reason = "the spool has it, too, but not in all builds")]
#[path = "../../../tests/support/folder.rs"]
mod folder;
mod meter;
mod month;
mod requests;
mod till;

/// The first of November 2026.
fn november() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_793_491_200)
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 60 * 60)
}

/// What was used, and when.
#[derive(Debug, Default)]
struct Bill(Vec<(SystemTime, f64)>);

// ===== impl Bill =====

impl Bill {
    fn add(&mut self, at: SystemTime, units: f64) {
        self.0.push((at, units));
    }

    /// The most that was used in a month of the calendar.
    fn most_in_a_month(&self) -> f64 {
        let mut months = BTreeMap::<Month, f64>::new();
        self.0.iter().for_each(|(at, units)| *months.entry(Month::of(*at)).or_default() += units);
        months.into_values().fold(0.0, f64::max)
    }

    /// The most that was used in 31 days, of what was used in the order of time.
    fn most_in_31_days(&self) -> f64 {
        let (mut first, mut within, mut most) = (0, 0.0, 0.0_f64);
        for (at, units) in &self.0 {
            while self.0[first].0 + hours(31 * 24) <= *at {
                within -= self.0[first].1;
                first += 1;
            }
            within += units;
            most = most.max(within);
        }
        most
    }
}
