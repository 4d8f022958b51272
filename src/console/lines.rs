//! The log lines of a trace, and those of none.

use crate::console::id::TraceId;
use crate::console::item::Level;
use crate::console::line::{Line, Mention};

/// The lines of a trace, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Lines {
    lines: Vec<Line>,
    /// How many bytes they take.
    bytes: usize,
    /// How many found no room.
    left_out: usize,
}

/// The latest lines that belong to no trace that is known.
#[derive(Debug)]
pub(super) struct Loose {
    /// With the number that each came as.
    lines: Vec<(u64, Line)>,
    weight: usize,
    limit: usize,
    next: u64,
    version: u64,
}

// ===== impl Lines =====

impl Lines {
    pub(super) fn has_room_for(&self, line: &Line) -> bool {
        self.lines.len() < LINES && self.bytes + line.weight() <= BYTES
    }

    pub(super) fn insert(&mut self, line: Line) {
        self.bytes += line.weight();
        self.lines.push(line);
    }

    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// The oldest first, each with its place; those of a millisecond in the order in which they came.
    pub(super) fn by_time(&self) -> Vec<(usize, &Line)> {
        let mut lines: Vec<_> = self.iter().enumerate().collect();
        lines.sort_by_key(|(_, line)| line.head.at);
        lines
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The worst of their levels.
    pub(super) fn worst(&self) -> Option<Level> {
        self.iter().filter_map(|line| line.head.level).max()
    }
}

// ===== impl Loose =====

impl Loose {
    /// `limit` is a number of bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { lines: Vec::new(), weight: 0, limit: limit.min(BYTES), next: 0, version: 0 }
    }

    /// Adds a line; the oldest go where there is no room.
    pub(super) fn push(&mut self, line: Line, version: u64) {
        self.version = version;
        self.weight += line.weight();
        self.lines.push((self.next, line));
        self.next += 1;
        let excess = self.lines.len().saturating_sub(LOOSE);
        let heavy = self.weight.saturating_sub(self.limit);
        let mut freed = 0;
        let gone = self.lines.iter().enumerate().take_while(|(place, (_, line))| {
            let goes = *place < excess || freed < heavy;
            freed += if goes { line.weight() } else { 0 };
            goes
        });
        let gone = gone.count();
        self.weight -= freed;
        drop(self.lines.drain(..gone));
    }

    /// Takes out those that turn out to be of this trace.
    pub(super) fn claim(&mut self, id: TraceId, version: u64) -> Vec<Line> {
        let is_of = |line: &Line| line.head.mention.map(Mention::id) == Some(id);
        let claimed: Vec<Line> =
            self.lines.extract_if(.., |(_, line)| is_of(line)).map(|(_, line)| line).collect();
        self.weight -= claimed.iter().map(Line::weight).sum::<usize>();
        if !claimed.is_empty() {
            self.version = version;
        }
        claimed
    }

    /// The latest first, each with its number.
    pub(super) fn newest(&self) -> impl Iterator<Item = (u64, &Line)> {
        self.lines.iter().rev().map(|(number, line)| (*number, line))
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The store's, when it changed.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

const LINES: usize = 1_000;
const LOOSE: usize = 1_000;
const BYTES: usize = 4 << 20;
