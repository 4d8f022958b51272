//! Who knows every record that was pushed and every record that was stored, and says what became of them.
//!
//! It asks nobody else: what the outbox says of itself is compared with it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Gives out the paths that the exchanges of one lane are told apart by: `/17/5f3a…`, a number and a mark that belongs
/// to it.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    issued: AtomicU64,
}

/// What the double stored of one lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    /// By number.
    fates: Vec<Fate>,
    damaged: Vec<String>,
}

/// How often a record was stored, and how often whoever sent it was told so.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    stored: u8,
    confirmed: u8,
}

/// What the oracle finds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// What was never stored.
    pub(crate) lost: Vec<u64>,
    /// What was stored more than once, and how often too much.
    pub(crate) doubled: BTreeMap<u64, u64>,
    /// What was sent again after a confirmation.
    pub(crate) needless: Vec<u64>,
    /// What nobody has pushed.
    pub(crate) unknown: Vec<u64>,
    /// What was stored with a path that nobody gave out.
    pub(crate) damaged: Vec<String>,
}

// ===== impl Oracle =====

impl Oracle {
    /// The path of the next record.
    pub(crate) fn next(&self) -> String {
        path(self.issued.fetch_add(1, Ordering::Relaxed))
    }

    /// How many it gave out.
    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Ordering::Relaxed)
    }

    pub(crate) fn judge(&self, books: &Books) -> Verdict {
        judge(self.issued(), books)
    }
}

/// What became of the records below `issued`.
pub(crate) fn judge(issued: u64, books: &Books) -> Verdict {
    let stored = |number: &u64| books.fate(*number).stored;
    let seen = || 0..books.fates.len() as u64;
    let again = seen().filter(|number| stored(number) > 1);
    Verdict {
        lost: (0..issued).filter(|number| stored(number) == 0).collect(),
        doubled: again.map(|number| (number, u64::from(stored(&number)) - 1)).collect(),
        needless: seen().filter(|number| books.fate(*number).confirmed > 1).collect(),
        unknown: (issued..books.fates.len() as u64).filter(|number| stored(number) > 0).collect(),
        damaged: books.damaged.clone(),
    }
}

// ===== impl Books =====

impl Books {
    /// How many records are stored, each counted once.
    pub(crate) fn distinct(&self) -> u64 {
        self.fates.iter().filter(|fate| fate.stored > 0).count() as u64
    }

    /// Whether a record is stored.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.fate(number).stored > 0
    }

    /// The numbers of these paths. Those that are damaged have none, and are noted.
    pub(super) fn store(&mut self, paths: &[String]) -> Vec<u64> {
        let (numbers, damaged): (Vec<_>, Vec<_>) = paths.iter().partition(|path| number(path).is_some());
        self.damaged.extend(damaged.into_iter().cloned());
        let numbers: Vec<_> = numbers.into_iter().filter_map(|path| number(path)).collect();
        numbers.iter().for_each(|number| self.of(*number).stored += 1);
        numbers
    }

    pub(super) fn confirm(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.of(*number).confirmed += 1);
    }

    fn fate(&self, number: u64) -> Fate {
        usize::try_from(number).ok().and_then(|place| self.fates.get(place).copied()).unwrap_or_default()
    }

    fn of(&mut self, number: u64) -> &mut Fate {
        let place = usize::try_from(number).unwrap();
        if place >= self.fates.len() {
            self.fates.resize(place + 1, Fate::default());
        }
        &mut self.fates[place]
    }
}

// ===== impl Verdict =====

impl Verdict {
    /// How many were stored that had been stored before.
    pub(crate) fn doubles(&self) -> u64 {
        self.doubled.values().sum()
    }

    /// Nothing is there that was not pushed, and nothing came again after it had been confirmed.
    #[track_caller]
    pub(crate) fn assert_true(&self, of: &str) {
        assert!(self.damaged.is_empty(), "{of}: damaged: {:?}", shown(&self.damaged));
        assert!(self.unknown.is_empty(), "{of}: unknown: {:?}", shown(&self.unknown));
        assert!(self.needless.is_empty(), "{of}: confirmed and sent again: {:?}", shown(&self.needless));
    }
}

fn shown<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(10)]
}

/// The path of a record.
pub(crate) fn path(number: u64) -> String {
    format!("/{number}/{:016x}", mark(number))
}

/// The number of a path, if it is as it was given out.
pub(crate) fn number(given: &str) -> Option<u64> {
    let number = given.strip_prefix('/')?.split('/').next()?.parse().ok()?;
    (path(number) == given).then_some(number)
}

/// <https://prng.di.unimi.it/splitmix64.c>
fn mark(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
