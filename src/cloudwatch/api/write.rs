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
    cloudwatch::{draft::Draft, event::milliseconds, lane::Entry, place::Place},
    observe::message,
    outbox::Reason,
};

/// The events of a batch by their streams, and what could not be written.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) pieces: Vec<Piece>,
    pub(super) fate: Fate,
}

/// Writes what can be written, in at most so many bytes. It runs code of the user's.
pub(super) fn write(entries: &[Entry], place: &Place, most: usize) -> Sorted {
    let Sorted { mut pieces, mut fate } = Sorted::default();
    let mut streams = HashMap::new();
    for (record, Entry { draft, stream }) in entries.iter().enumerate() {
        let at = draft.at();
        let message = match text(&**draft, most) {
            Ok(message) => message,
            Err(reason) => {
                fate.lose(1, reason);
                continue;
            }
        };
        let place = *streams.entry((stream, stream.has_date().then(|| day(at)))).or_insert_with(|| {
            pieces.push(Piece { stream: stream.at(at, place).into(), events: Vec::new() });
            pieces.len() - 1
        });
        let timestamp = milliseconds(at);
        pieces[place].events.push(Written { record, stamped: timestamp, timestamp, message });
    }
    Sorted { pieces, fate }
}

fn text(draft: &dyn Draft, most: usize) -> Result<String, Reason> {
    let mut text = String::new();
    let written = catch_unwind(AssertUnwindSafe(|| draft.write(&mut text)));
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
