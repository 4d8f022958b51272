//! What one request has.

use std::{mem, ops::Range, sync::Arc};

use super::{body::Body, window::Window};
use crate::cloudwatch::message::Message;

/// Events for one stream. A piece that [`cut`](Self::cut) has made is a request.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) stream: Arc<str>,
    /// The texts of these and of other events, as strings of JSON.
    pub(super) texts: Arc<Vec<u8>>,
    pub(super) events: Vec<Written>,
}

/// An event as it is sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Written {
    /// Which one of its batch it is.
    pub(super) record: usize,
    /// What the own clock said.
    pub(super) stamped: i64,
    pub(super) timestamp: i64,
    /// Where its text stands.
    pub(super) text: Range<usize>,
    /// How many bytes that has when it is read.
    pub(super) size: usize,
}

// ===== impl Piece =====

impl Piece {
    /// How many bytes its texts have.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.size).sum()
    }

    /// What may be sent, and what may not.
    pub(super) fn admit(self, window: Window) -> (Self, Self) {
        let (mut inside, mut outside) = (Vec::with_capacity(self.events.len()), Vec::new());
        let (piece, events) = self.open();
        for event in events {
            // Not by the time that it was given before: that may have been put right by what was wrong itself.
            let timestamp = event.stamped;
            match window.admit(timestamp) {
                Ok(timestamp) => inside.push(Written { timestamp, ..event }),
                Err(_) => outside.push(Written { timestamp, ..event }),
            }
        }
        (piece.of(inside), piece.of(outside))
    }

    /// Requests, each in the order of time and within the
    /// [limits](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html).
    pub(super) fn cut(self) -> Vec<Self> {
        let (all, mut events) = self.open();
        events.sort_by_key(|event| event.timestamp);
        let (mut pieces, mut bytes, mut first) = (Vec::<Self>::new(), 0, 0);
        for event in events {
            let size = event.size + OVERHEAD;
            match pieces.last_mut() {
                Some(piece)
                    if piece.events.len() < MOST_EVENTS
                        && bytes + size <= MOST_BYTES
                        && event.timestamp.saturating_sub(first) < MOST_SPAN =>
                {
                    bytes += size;
                    piece.events.push(event);
                }
                _ => {
                    (bytes, first) = (size, event.timestamp);
                    pieces.push(all.of(vec![event]));
                }
            }
        }
        pieces
    }

    /// The earlier half, which is taken out.
    pub(super) fn halve(&mut self) -> Self {
        let later = self.events.split_off(self.events.len() / 2);
        let earlier = mem::replace(&mut self.events, later);
        self.of(earlier)
    }

    pub(super) fn body(&self, group: &str) -> Body {
        let Self { stream, texts, events } = self;
        let bytes: usize = events.iter().map(|event| event.text.len() + MEMBERS).sum();
        let mut json = Vec::with_capacity(bytes + 2 * (group.len() + stream.len()) + MEMBERS);
        let mut to = Message::plain(&mut json);
        to.push_plain("{\"logGroupName\":");
        to.string(group);
        to.push_plain(",\"logStreamName\":");
        to.string(stream);
        let mut before = ",\"logEvents\":[{\"timestamp\":";
        for Written { timestamp, text, .. } in events {
            to.push_plain(before);
            to.integer(*timestamp);
            to.push_plain(",\"message\":");
            to.push_bytes(&texts[text.clone()]);
            before = "},{\"timestamp\":";
        }
        to.push_plain("}]}");
        Body::plain(json)
    }

    /// Other events out of the same texts.
    fn of(&self, events: Vec<Written>) -> Self {
        Self { stream: self.stream.clone(), texts: self.texts.clone(), events }
    }

    fn open(mut self) -> (Self, Vec<Written>) {
        let events = mem::take(&mut self.events);
        (self, events)
    }
}

/// The bytes of an event that is as large as can be.
pub(super) const MOST_EVENT_BYTES: usize = MOST_BYTES - OVERHEAD;

pub(super) const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;

/// What CloudWatch counts for each event besides its message.
pub(super) const OVERHEAD: usize = 26;

/// About what an event's members take, besides its text; and what those of a request do.
const MEMBERS: usize = 64;

/// A day, in milliseconds.
const MOST_SPAN: i64 = 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(events: impl IntoIterator<Item = (i64, usize)>) -> Piece {
        let events = events.into_iter().enumerate();
        let written =
            |(record, (timestamp, size))| Written { record, stamped: timestamp, timestamp, text: 0..0, size };
        Piece { stream: "s".into(), texts: Arc::default(), events: events.map(written).collect() }
    }

    fn sizes(pieces: &[Piece]) -> Vec<usize> {
        pieces.iter().map(|piece| piece.events.len()).collect()
    }

    #[test]
    fn each_limit_is_used_up_and_not_passed() {
        assert_eq!(sizes(&piece((0..10_000).map(|_| (0, 1))).cut()), [10_000]);
        assert_eq!(sizes(&piece((0..10_001).map(|_| (0, 1))).cut()), [10_000, 1]);
        assert_eq!(sizes(&piece([(0, 524_288 - 26), (0, 524_288 - 26)]).cut()), [2]);
        assert_eq!(sizes(&piece([(0, 524_288 - 26), (0, 524_288 - 25)]).cut()), [1, 1]);
        assert_eq!(sizes(&piece([(0, MOST_EVENT_BYTES)]).cut()), [1]);
        assert_eq!(sizes(&piece([(0, 1), (MOST_SPAN - 1, 1)]).cut()), [2]);
        assert_eq!(sizes(&piece([(MOST_SPAN, 1), (0, 1)]).cut()), [1, 1]);
        assert_eq!(sizes(&piece([(i64::MAX, 1), (i64::MIN, 1)]).cut()), [1, 1]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_equal_times_keep_their_order(
            events in prop::collection::vec((0..5_i64, 0..4_usize), 0..50),
            day in 0..2_i64,
        ) {
            let scale = MOST_SPAN / 3 * day + 1;
            let events: Vec<_> = events.into_iter().map(|(time, size)| (time * scale, size * 300_000)).collect();
            let pieces = piece(events.iter().copied()).cut();
            let mut expected: Vec<_> = events.iter().enumerate().map(|(record, (time, _))| (*time, record)).collect();
            expected.sort_unstable();
            let cut = pieces.iter().flat_map(|piece| &piece.events);
            let cut: Vec<_> = cut.map(|event| (event.timestamp, event.record)).collect();
            prop_assert_eq!(cut, expected);
            for Piece { events, .. } in &pieces {
                prop_assert!(events.iter().map(|event| event.size + OVERHEAD).sum::<usize>() <= MOST_BYTES);
                prop_assert!(events.last().unwrap().timestamp - events[0].timestamp < MOST_SPAN);
            }
        }
    }
}
