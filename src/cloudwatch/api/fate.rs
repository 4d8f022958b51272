//! What has become of a batch.

use std::{ops::Range, time::Duration};

use super::piece::{Piece, Written};
use crate::{
    cloudwatch::lane::Entry,
    outbox::{Reason, SendError},
};

/// What was not delivered. All that is neither lost nor kept was.
#[derive(Debug, Default)]
pub(super) struct Fate {
    lost: Vec<(usize, Reason)>,
    /// Which ones are to be sent again.
    rest: Vec<usize>,
    halt: Option<(Option<Duration>, Reason)>,
}

// ===== impl Fate =====

impl Fate {
    /// So many are lost. The first words about a phrase are kept.
    pub(super) fn lose(&mut self, events: usize, reason: Reason) {
        match self.lost.iter_mut().find(|(_, known)| known.phrase() == reason.phrase()) {
            Some((lost, _)) => *lost += events,
            None => self.lost.push((events, reason)),
        }
    }

    /// These have to wait for another time.
    pub(super) fn keep(&mut self, piece: &Piece) {
        self.rest.extend(piece.events.iter().map(|Written { record, .. }| record));
    }

    /// So do these, which have not been written.
    pub(super) fn keep_entries(&mut self, entries: Range<usize>) {
        self.rest.extend(entries);
    }

    /// Adds what else is lost.
    pub(super) fn absorb(&mut self, other: Self) {
        other.lost.into_iter().for_each(|(events, reason)| self.lose(events, reason));
    }

    /// Nothing more is to be sent for now.
    pub(super) fn halt(&mut self, after: Option<Duration>, reason: Reason) {
        self.halt.get_or_insert((after, reason));
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halt.is_some()
    }

    /// As the lane has it, by the entries of the batch.
    pub(super) fn judge(self, entries: &[Entry]) -> Result<(), SendError<Entry>> {
        let Self { lost, mut rest, halt } = self;
        rest.sort_unstable();
        let rest = rest.into_iter().map(|record| entries[record].clone()).collect();
        match halt {
            None if lost.is_empty() => Ok(()),
            Some((after, reason)) if lost.is_empty() => Err(SendError::Retry { rest, after, reason }),
            halt => {
                let (after, reason) = halt.unwrap_or_else(|| (None, Reason::new("")));
                Err(SendError::Mixed { lost, rest, after, reason })
            }
        }
    }
}
