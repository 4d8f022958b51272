//! What was read and is not done.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

use super::{
    cursor::{Part, Place},
    segment::Name,
};

/// Records that were read together. They come again after the process dies, unless the token is done.
#[derive(Debug)]
pub(crate) struct Group {
    /// What to say when they are done. One that is dropped holds the cursor where it is.
    pub(crate) token: Token,
    /// The records, oldest first.
    pub(crate) records: Vec<Stored>,
}

/// A record as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stored {
    /// Milliseconds since 1970, as it was appended.
    pub(crate) at: u64,
    /// Its bytes. They share the memory of the whole group.
    pub(crate) payload: Bytes,
}

/// A group that is out.
#[derive(Debug, Eq, PartialEq)]
#[must_use = "the records are read again, after a restart only, unless the token is done or given back"]
pub(crate) struct Token(u64);

/// A part of a segment that was read.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) place: Place,
    pub(super) end: u64,
    /// The number of the record that comes after it.
    pub(super) next: u64,
    pub(super) records: u64,
}

/// Every extent between the cursor and the reader, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Groups {
    extents: VecDeque<(State, Extent)>,
    /// Those that are out and whose segment made room.
    evicted: Vec<(u64, u64)>,
    next: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Out(u64),
    Back,
    Done,
}

// ===== impl Extent =====

impl Extent {
    pub(super) fn range(&self) -> Range<u64> {
        self.place.offset..self.end
    }

    fn continues_with(&self, other: &Self) -> bool {
        self.place.segment == other.place.segment && self.end == other.place.offset
    }
}

// ===== impl Groups =====

impl Groups {
    /// The reader read on.
    pub(super) fn out(&mut self, extent: Extent) -> Token {
        let token = self.token();
        self.extents.push_back((State::Out(token.0), extent));
        token
    }

    /// The reader passed what was done before.
    pub(super) fn passed(&mut self, extent: Extent) {
        self.extents.push_back((State::Done, extent));
        self.trim();
    }

    /// What is done behind the first that is not.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        let done = self.extents.iter().filter(|(state, _)| *state == State::Done);
        done.map(|(_, Extent { place, end, next, .. })| Part {
            segment: place.segment,
            start: place.offset,
            end: *end,
            next: *next,
        })
    }

    /// The first one that was given back.
    pub(super) fn back(&self) -> Option<Extent> {
        self.extents.iter().find(|(state, _)| *state == State::Back).map(|(_, extent)| extent.clone())
    }

    /// The first one that was given back was read again, up to the place where the rest begins, if there is one.
    pub(super) fn out_again(&mut self, records: u64, rest: Option<Extent>) -> Option<Token> {
        let index = self.extents.iter().position(|(state, _)| *state == State::Back)?;
        if let Some(rest) = rest {
            (self.extents[index].1.end, self.extents[index].1.next) = (rest.place.offset, rest.place.number);
            self.extents.insert(index + 1, (State::Back, rest));
        }
        let token = (records > 0).then(|| self.token());
        let (state, extent) = &mut self.extents[index];
        *state = token.as_ref().map_or(State::Done, |token| State::Out(token.0));
        extent.records = records;
        self.trim();
        token
    }

    pub(super) fn done(&mut self, Token(token): Token) {
        self.evicted.retain(|(evicted, _)| *evicted != token);
        self.move_to(token, State::Done);
        self.trim();
    }

    /// Gives how many records are lost, because their segment is no more.
    pub(super) fn give_back(&mut self, Token(token): Token) -> u64 {
        self.move_to(token, State::Back);
        let index = self.evicted.iter().position(|(evicted, _)| *evicted == token);
        index.map_or(0, |index| self.evicted.swap_remove(index).1)
    }

    /// The segment makes room. Gives how many records are lost that were given back.
    pub(super) fn evict(&mut self, segment: Name) -> u64 {
        let mut lost = 0;
        self.extents.retain(|(state, extent)| {
            let stays = extent.place.segment != segment;
            match state {
                State::Out(token) if !stays => self.evicted.push((*token, extent.records)),
                State::Back if !stays => lost += extent.records,
                _ => {}
            }
            stays
        });
        lost
    }

    /// The first place that is not done.
    pub(super) fn first(&self) -> Option<Place> {
        self.extents.front().map(|(_, extent)| extent.place)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    pub(super) fn records_back(&self) -> u64 {
        self.records(|state| state == State::Back)
    }

    pub(super) fn records_out(&self) -> u64 {
        let evicted: u64 = self.evicted.iter().map(|(_, records)| records).sum();
        self.records(|state| matches!(state, State::Out(_))) + evicted
    }

    fn records(&self, of: impl Fn(State) -> bool) -> u64 {
        self.extents.iter().filter(|(state, _)| of(*state)).map(|(_, extent)| extent.records).sum()
    }

    fn token(&mut self) -> Token {
        self.next += 1;
        Token(self.next)
    }

    fn move_to(&mut self, token: u64, state: State) {
        if let Some((out, _)) = self.extents.iter_mut().find(|(state, _)| *state == State::Out(token)) {
            *out = state;
        }
    }

    /// What is done at the front is forgotten, and behind it neighbours become one.
    fn trim(&mut self) {
        while self.extents.pop_front_if(|(state, _)| *state == State::Done).is_some() {}
        let mut last: Option<(State, Extent)> = None;
        let mut merged = VecDeque::with_capacity(self.extents.len());
        for (state, extent) in self.extents.drain(..) {
            match &mut last {
                Some((State::Done, done)) if state == State::Done && done.continues_with(&extent) => {
                    (done.end, done.next) = (extent.end, extent.next);
                }
                _ => merged.extend(last.replace((state, extent))),
            }
        }
        merged.extend(last);
        self.extents = merged;
    }
}
