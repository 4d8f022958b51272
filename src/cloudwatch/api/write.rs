//! Entries as events.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    fate::Fate,
    fit::fit,
    piece::{Piece, Written},
};
use crate::{
    cloudwatch::{
        StreamName,
        event::milliseconds,
        lane::Entry,
        message::{Message, Repeats},
        place::Place,
    },
    observe::message,
    outbox::Reason,
};

/// The events of each stream, found by what the last one had, or else by the stream's name and the day.
#[derive(Default)]
struct Streams<'a> {
    events: Vec<(Arc<str>, Vec<Written>)>,
    known: HashMap<Key<'a>, usize>,
    last: Option<(Key<'a>, usize)>,
}

/// A stream, and a day where it has one for each.
type Key<'a> = (&'a Arc<StreamName>, Option<u64>);

/// The events of a batch by their streams, and what could not be written.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) pieces: Vec<Piece>,
    pub(super) fate: Fate,
    /// Where the entries begin that are not written yet.
    pub(super) next: usize,
}

// ===== impl Streams =====

impl<'a> Streams<'a> {
    fn of(&mut self, stream: &'a Arc<StreamName>, at: SystemTime, place: &Place) -> &mut Vec<Written> {
        let key = (stream, stream.has_date().then(|| day(at)));
        let is_same = |other: &Key<'_>| Arc::ptr_eq(other.0, stream) && other.1 == key.1;
        let index = match &self.last {
            Some((last, index)) if is_same(last) => *index,
            _ => *self.known.entry(key).or_insert_with(|| {
                self.events.push((stream.at(at, place).into(), Vec::new()));
                self.events.len() - 1
            }),
        };
        self.last = Some((key, index));
        &mut self.events[index].1
    }
}

/// Writes entries from one on, each in at most so many bytes, until there are enough bytes for now. It runs code of the
/// user's.
pub(super) fn write(entries: &[Entry], from: usize, place: &Place, most: usize) -> Sorted {
    let expected = entries[from..].iter().map(|entry| entry.draft.size()).fold(0, usize::saturating_add);
    let (mut texts, mut fate) = (Vec::with_capacity(expected.min(ENOUGH)), Fate::default());
    let (mut streams, mut repeats, mut next) = (Streams::default(), Repeats::default(), from);
    for entry in entries.iter().skip(from) {
        if texts.len() >= ENOUGH {
            break;
        }
        let (record, start) = (next, texts.len());
        next += 1;
        match text(entry, most, &mut texts, &mut repeats) {
            Ok(size) => {
                let at = entry.draft.at();
                let timestamp = milliseconds(at);
                let text = start..texts.len();
                let written = Written { record, stamped: timestamp, timestamp, text, size };
                streams.of(&entry.stream, at, place).push(written);
            }
            Err(reason) => {
                texts.truncate(start);
                repeats = Repeats::default();
                fate.lose(1, reason);
            }
        }
    }
    let texts = Arc::new(texts);
    let piece = |(stream, events)| Piece { stream, texts: texts.clone(), events };
    Sorted { pieces: streams.events.into_iter().map(piece).collect(), fate, next }
}

/// Adds a text as it stands in JSON, with its quotes, and gives the bytes that it has.
fn text(entry: &Entry, most: usize, texts: &mut Vec<u8>, repeats: &mut Repeats) -> Result<usize, Reason> {
    let start = texts.len();
    texts.push(b'"');
    let write = || {
        let mut message = Message::nested(texts).repeating(repeats);
        entry.write(&mut message);
        message.len()
    };
    let size = catch_unwind(AssertUnwindSafe(write));
    let size = size.map_err(|panic| Reason::new("panic").detail(message(&*panic)))?;
    if size == 0 {
        return Err(Reason::new("empty"));
    }
    texts.push(b'"');
    if size <= most {
        return Ok(size);
    }
    *repeats = Repeats::default();
    Ok(shorten(texts, start, most))
}

/// Cuts the last text, and gives the bytes that it has then.
fn shorten(texts: &mut Vec<u8>, start: usize, most: usize) -> usize {
    let mut text: String = serde_json::from_slice(&texts[start..]).expect("it was written as JSON");
    fit(&mut text, most);
    texts.truncate(start);
    texts.push(b'"');
    Message::nested(texts).push(&text);
    texts.push(b'"');
    text.len()
}

fn day(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / (24 * 60 * 60)
}

/// What a format writes may be far more than what it was made of, so that not all of a batch is held at once.
const ENOUGH: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::{draft::Draft, message::Key};

    /// Is in a span that all others are in, and says something of its own.
    struct Within(&'static str);

    impl Draft for Within {
        fn at(&self) -> SystemTime {
            UNIX_EPOCH
        }

        fn size(&self) -> usize {
            100
        }

        fn write(&self, message: &mut Message<'_>) {
            message.push(self.0);
            message.once(Key::At([1; 3]), |message| message.string("the \"span\""));
            assert_ne!(self.0, "panics");
        }
    }

    #[test]
    fn what_is_taken_back_of_an_event_is_not_repeated_for_the_next() {
        let long: &str = "\"long\" ".repeat(500).leak();
        let drafts = ["panics", "a", "b", long, "a longer one", "c"].map(Within);
        let stream = Arc::<StreamName>::default();
        let entry =
            |draft: Within| Entry { draft: Arc::new(draft).into(), stream: stream.clone(), weight: 1 };
        let entries = drafts.map(entry);
        let sorted = write(&entries, 0, &Place::new(None), 1_024);
        let Piece { texts, events, .. } = &sorted.pieces[0];
        let shown = events.iter().map(|event| {
            let text: String = serde_json::from_slice(&texts[event.text.clone()]).unwrap();
            assert_eq!(text.len(), event.size);
            (event.record, text)
        });
        for (record, text) in shown {
            let mut expected = Vec::new();
            entries[record].write(&mut Message::plain(&mut expected));
            let mut expected = String::from_utf8(expected).unwrap();
            fit(&mut expected, 1_024);
            assert_eq!(text, expected);
        }
        assert_eq!((events.len(), sorted.next), (5, 6));
    }
}
