//! Who knows what was pushed, and says what became of it.

use std::collections::{BTreeMap, BTreeSet};

use super::Stored;

/// Everything that was pushed, by the numbers that its messages begin with.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pushed: Vec<(i64, String)>,
}

/// What it finds.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// The numbers that were never stored.
    pub(crate) lost: BTreeSet<usize>,
    /// The numbers that were stored more than once, and how often too much.
    pub(crate) doubled: BTreeMap<usize, usize>,
    /// What was stored under a number that was pushed, with another text.
    pub(crate) altered: Vec<Stored>,
    /// The numbers that were stored with another time, and by how many milliseconds it is later.
    pub(crate) moved: BTreeMap<usize, i64>,
    /// What nobody has pushed.
    pub(crate) unknown: Vec<Stored>,
}

// ===== impl Oracle =====

impl Oracle {
    /// The text of the next event, which it has to have at this time: its number, and what is said.
    pub(crate) fn message(&mut self, timestamp: i64, said: &str) -> String {
        let message = format!("#{} {said}", self.pushed.len());
        self.pushed.push((timestamp, message.clone()));
        message
    }

    /// How many were pushed.
    pub(crate) fn pushed(&self) -> usize {
        self.pushed.len()
    }

    pub(crate) fn judge(&self, stored: &[Stored]) -> Verdict {
        let mut verdict = Verdict { lost: (0..self.pushed.len()).collect(), ..Verdict::default() };
        for one in stored {
            let Some(number) = number(&one.message).filter(|number| *number < self.pushed.len()) else {
                verdict.unknown.push(one.clone());
                continue;
            };
            if !verdict.lost.remove(&number) {
                *verdict.doubled.entry(number).or_default() += 1;
            }
            let (timestamp, message) = &self.pushed[number];
            if one.timestamp != *timestamp {
                verdict.moved.insert(number, one.timestamp - timestamp);
            }
            if one.message != *message {
                verdict.altered.push(one.clone());
            }
        }
        verdict
    }
}

// ===== impl Verdict =====

impl Verdict {
    /// How many were stored that had been stored before.
    pub(crate) fn doubles(&self) -> usize {
        self.doubled.values().sum()
    }

    /// All arrived once, as they were.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        self.assert_whole();
        assert_eq!(self.moved.iter().next(), None);
        let doubled: Vec<_> = self.doubled.iter().take(SHOWN).collect();
        assert!(doubled.is_empty(), "{} doubled: {doubled:?}", self.doubled.len());
    }

    /// All arrived as they were, some perhaps more than once.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let lost: Vec<_> = self.lost.iter().take(SHOWN).collect();
        assert!(lost.is_empty(), "{} lost: {lost:?}", self.lost.len());
        self.assert_true();
    }

    /// What arrived is what was pushed.
    #[track_caller]
    pub(crate) fn assert_true(&self) {
        assert!(self.altered.is_empty(), "altered: {:?}", self.altered.first());
        assert!(self.unknown.is_empty(), "unknown: {:?}", self.unknown.first());
    }
}

/// The number that a message begins with.
pub(crate) fn number(message: &str) -> Option<usize> {
    message.strip_prefix('#')?.split(' ').next()?.parse().ok()
}

const SHOWN: usize = 10;
