//! An event as it lies on the disk.
//!
//! ```text
//!  0         1            9                  11
//!  │ version │ time (ms) │ length of stream │ stream .. │ message ..
//! ```
//!
//! Numbers are little-endian. The time is the event's own, since 1970. The stream is a name in which nothing is to be put in
//! any more: whoever sends the event, it goes where the process that it is of would have sent it.

use std::{
    slice,
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry::Context;
use tokio::runtime::Handle;

use super::fit::fit;
use crate::{
    cloudwatch::{
        LogEvent, StreamName,
        event::milliseconds,
        lane::Entry,
        message::{IS_TEXT, Message},
        place::Place,
    },
    outbox::Codec,
};

/// Makes of an entry what would be sent of it, with at most so many bytes of text.
struct Encoder {
    place: Arc<Place>,
    most: usize,
}

/// Makes entries of it again.
#[derive(Default)]
struct Decoder {
    /// The stream of the last one. Most often the next one has the same.
    last: Mutex<Option<(Box<str>, Arc<StreamName>)>>,
}

// ===== impl Encoder =====

impl Encoder {
    fn encode(&self, entry: &Entry, to: &mut Vec<u8>) {
        let _untraced = Context::enter_telemetry_suppressed_scope();
        self.learn(entry);
        let Entry { draft, stream, weight: _ } = entry;
        let (at, mut written) = (draft.at(), Vec::new());
        entry.write(&mut Message::plain(&mut written));
        let mut message = String::from_utf8(written).expect(IS_TEXT);
        fit(&mut message, self.most);
        let stream = stream.at(at, &self.place);
        let length = u16::try_from(stream.len()).expect("512 characters have at most 2048 bytes");
        to.push(VERSION);
        to.extend_from_slice(&milliseconds(at).to_le_bytes());
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(stream.as_bytes());
        to.extend_from_slice(message.as_bytes());
    }

    /// Asks for what the stream's name needs, which is done once. This thread may wait for it, and another one drives it.
    fn learn(&self, entry: &Entry) {
        let is_known = entry.stream.words().all(|word| self.place.knows(word));
        if let (false, Ok(handle)) = (is_known, Handle::try_current()) {
            handle.block_on(self.place.learn(slice::from_ref(entry)));
        }
    }
}

// ===== impl Decoder =====

impl Decoder {
    fn decode(&self, bytes: &[u8]) -> Option<Entry> {
        let bytes = bytes.strip_prefix(&[VERSION])?;
        let (timestamp, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (stream, message) = bytes.split_at_checked(u16::from_le_bytes(*length).into())?;
        let stream = self.stream(str::from_utf8(stream).ok()?);
        let timestamp = i64::from_le_bytes(*timestamp);
        let message = str::from_utf8(message).ok()?.to_owned();
        Some(Entry { draft: Arc::new(LogEvent { timestamp, message }).into(), stream, weight: 1 })
    }

    fn stream(&self, name: &str) -> Arc<StreamName> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, stream)) if **known == *name => stream.clone(),
            _ => {
                let stream = Arc::new(StreamName::exact(name));
                *last = Some((name.into(), stream.clone()));
                stream
            }
        }
    }
}

pub(super) fn codec(place: Arc<Place>, most: usize) -> Codec<Entry> {
    let (encoder, decoder) = (Encoder { place, most }, Decoder::default());
    Codec::new(move |entry, to| encoder.encode(&entry, to), move |bytes| decoder.decode(bytes))
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::{collection, prelude::*};

    use super::{
        super::{
            piece::{Piece, Written},
            write::{Sorted, write},
        },
        *,
    };
    use crate::cloudwatch::{draft::Draft, stream::Word};

    /// A text of a time that is finer than CloudWatch's.
    struct Note(SystemTime, String);

    impl Draft for Note {
        fn at(&self) -> SystemTime {
            self.0
        }

        fn size(&self) -> usize {
            self.1.len()
        }

        fn write(&self, message: &mut Message<'_>) {
            message.push(&self.1);
        }
    }

    fn place(hostname: &str) -> Arc<Place> {
        Arc::new(Place::of([(Word::Hostname, hostname), (Word::EcsTask, "task"), (Word::InstanceId, "i-1")]))
    }

    fn again(entries: &[Entry], place: &Arc<Place>, most: usize) -> Vec<Entry> {
        let (encoder, decoder) = (Encoder { place: place.clone(), most }, Decoder::default());
        let again = |entry| {
            let mut bytes = Vec::new();
            encoder.encode(entry, &mut bytes);
            decoder.decode(&bytes).unwrap()
        };
        entries.iter().map(again).collect()
    }

    /// Each event with its stream and its text, and what is lost.
    fn sent(entries: &[Entry], place: &Place, most: usize) -> (Vec<(Arc<str>, Written, String)>, String) {
        let Sorted { pieces, fate, next } = write(entries, 0, place, most);
        assert_eq!(next, entries.len());
        let events = |Piece { stream, texts, events }| {
            let text = move |text| serde_json::from_slice(&texts[text]).unwrap();
            events.into_iter().map(move |event| (Arc::clone(&stream), event.clone(), text(event.text)))
        };
        let mut events: Vec<_> = pieces.into_iter().flat_map(events).collect();
        events.sort_by_key(|(_, event, _)| event.record);
        (events, format!("{fate:?}"))
    }

    fn note() -> impl Strategy<Value = Entry> {
        let text = prop_oneof![
            any::<String>(),
            (".{1,9}", 0..900_usize).prop_map(|(text, times)| text.repeat(times))
        ];
        let stream = prop_oneof![
            Just("{hostname}/{pid}"),
            Just("{date}/{ecs_task}-{instance_id}"),
            Just("web-1"),
            Just("{hostname}{hostname}"),
        ];
        (any::<u64>(), text, stream).prop_map(|(nanos, text, stream)| {
            let at = UNIX_EPOCH + Duration::from_nanos(nanos) - Duration::from_secs(1_000_000);
            Entry {
                draft: Arc::new(Note(at, text)).into(),
                stream: Arc::new(stream.parse().unwrap()),
                weight: 1,
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_lay_on_the_disk_is_sent_by_another_process_as_it_would_have_been(
            entries in collection::vec(note(), 0..9),
            hostname in prop_oneof![Just("{pid}".to_owned()), ".{1,9}", ".{600}"],
            most in 1_024..4_096_usize,
        ) {
            let (own, other) = (place(&hostname), place("elsewhere"));
            let read = again(&entries, &own, most);
            prop_assert_eq!(sent(&read, &other, most), sent(&entries, &own, most));
            prop_assert_eq!(sent(&again(&read, &other, most), &other, most), sent(&entries, &own, most));
        }

        #[test]
        fn what_is_not_known_is_not_read(mut bytes in collection::vec(any::<u8>(), 0..60)) {
            let decoder = Decoder::default();
            if let Some(entry) = decoder.decode(&bytes) {
                let mut message = Vec::new();
                entry.draft.write(&mut Message::plain(&mut message));
                prop_assert!(bytes[0] == VERSION && bytes.ends_with(&message));
            }
            bytes.insert(0, VERSION + 1);
            prop_assert!(decoder.decode(&bytes).is_none());
            bytes[0] = VERSION;
            let _ = decoder.decode(&bytes);
        }
    }

    #[test]
    fn events_of_one_stream_share_its_name() {
        let place = place("a");
        let entry = Entry {
            draft: Arc::new(LogEvent::new(UNIX_EPOCH, "x")).into(),
            stream: Arc::default(),
            weight: 1,
        };
        let read = again(&[entry.clone(), entry], &place, 1_024);
        assert!(Arc::ptr_eq(&read[0].stream, &read[1].stream));
    }

    #[tokio::test]
    async fn what_a_name_needs_is_asked_for_before_it_is_written() {
        let place = Arc::new(Place::new(None));
        let stream = Arc::new("{ecs_task}".parse().unwrap());
        let entry = Entry { draft: Arc::new(LogEvent::new(UNIX_EPOCH, "x")).into(), stream, weight: 1 };
        let asked = place.clone();
        let read = tokio::task::spawn_blocking(move || again(&[entry], &asked, 1_024)).await.unwrap();
        assert!(place.knows(Word::EcsTask));
        assert_eq!(read[0].stream.to_string(), "unknown");
    }
}
