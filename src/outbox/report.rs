//! What became of the records.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

/// What became of everything that was pushed, lane by lane, in the order in which the lanes were opened.
///
/// It prints as one line per lane:
///
/// ```text
/// spans: 1204 accepted, 1180 delivered, 24 lost (20 overflow, 4 http 400), 0 waiting
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The lanes.
    pub lanes: Vec<LaneReport>,
}

/// What became of the records of one lane.
///
/// The books balance in every report, also in one that is taken while others push:
/// `accepted == delivered + lost() + waiting + spooled`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LaneReport {
    /// The name of the lane.
    pub name: Arc<str>,
    /// Every record that was pushed, also those pushed after the shutdown, and those that were found on the disk.
    pub accepted: u64,
    /// What the backend took.
    pub delivered: u64,
    /// What was lost, by reason; see [what is lost, and when](super#what-is-lost-and-when).
    pub lost: BTreeMap<Cow<'static, str>, u64>,
    /// What is queued, in flight, or waits for a retry. Zero after a shutdown.
    pub waiting: u64,
    /// What is on the disk and not in flight. After a shutdown it is for the next process.
    pub spooled: u64,
}

// ===== impl Report =====

impl Report {
    /// The first lane of that name.
    pub fn lane(&self, name: &str) -> Option<&LaneReport> {
        self.lanes.iter().find(|lane| &*lane.name == name)
    }

    /// What was lost, all lanes together.
    pub fn lost(&self) -> u64 {
        self.lanes.iter().map(LaneReport::lost).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lanes = self.lanes.iter();
        lanes.next().map_or(Ok(()), |first| first.fmt(f))?;
        lanes.try_for_each(|lane| write!(f, "\n{lane}"))
    }
}

// ===== impl LaneReport =====

impl LaneReport {
    /// What was lost, all reasons together.
    pub fn lost(&self) -> u64 {
        self.lost.values().sum()
    }
}

impl fmt::Display for LaneReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, accepted, delivered, lost, waiting, spooled } = self;
        write!(f, "{name}: {accepted} accepted, {delivered} delivered, {} lost", self.lost())?;
        let mut separator = " (";
        for (reason, records) in lost {
            write!(f, "{separator}{records} {reason}")?;
            separator = ", ";
        }
        let end = if lost.is_empty() { "" } else { ")" };
        write!(f, "{end}, {waiting} waiting")?;
        if *spooled > 0 { write!(f, ", {spooled} spooled") } else { Ok(()) }
    }
}
