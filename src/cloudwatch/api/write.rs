//! Entries as events.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    fate::Fate,
    fit::fit,
    piece::{Piece, Written},
};
use crate::{
    cloudwatch::{event::milliseconds, lane::Entry, place::Place},
    observe::message,
    outbox::Reason,
};

/// The events of a batch by their streams, and what could not be written.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) pieces: Vec<Piece>,
    pub(super) fate: Fate,
    /// Where the entries begin that are not written yet.
    pub(super) next: usize,
}

/// Writes entries from one on, each in at most so many bytes, until there are enough bytes for now. It runs code of the
/// user's.
pub(super) fn write(entries: &[Entry], from: usize, place: &Place, most: usize) -> Sorted {
    let (mut pieces, mut fate): (Vec<Piece>, _) = (Vec::new(), Fate::default());
    let mut streams = HashMap::new();
    let mut bytes = 0;
    for (record, entry) in entries.iter().enumerate().skip(from) {
        if bytes >= ENOUGH {
            return Sorted { pieces, fate, next: record };
        }
        let (at, stream) = (entry.draft.at(), &entry.stream);
        let message = match text(entry, most) {
            Ok(message) => message,
            Err(reason) => {
                fate.lose(1, reason);
                continue;
            }
        };
        bytes += message.len();
        let place = *streams.entry((stream, stream.has_date().then(|| day(at)))).or_insert_with(|| {
            pieces.push(Piece { stream: stream.at(at, place).into(), events: Vec::new() });
            pieces.len() - 1
        });
        let timestamp = milliseconds(at);
        pieces[place].events.push(Written { record, stamped: timestamp, timestamp, message });
    }
    Sorted { pieces, fate, next: entries.len() }
}

fn text(entry: &Entry, most: usize) -> Result<String, Reason> {
    let mut text = String::new();
    let written = catch_unwind(AssertUnwindSafe(|| entry.write(&mut text)));
    written.map_err(|panic| Reason::new("panic").detail(message(&*panic)))?;
    if text.is_empty() {
        return Err(Reason::new("empty"));
    }
    fit(&mut text, most);
    Ok(text)
}

fn day(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / (24 * 60 * 60)
}

/// What a format writes may be far more than what it was made of, so that not all of a batch is held at once.
const ENOUGH: usize = 4 << 20;
