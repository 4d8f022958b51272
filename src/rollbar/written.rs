use bytes::Bytes;

use super::{
    Item,
    draft::Draft,
    fit::{LEAST, fit},
};
#[cfg(feature = "spool")]
use crate::outbox::Codec;

/// An item as it is sent: it has been sent, or has lain on the disk.
pub(super) struct Written {
    pub(super) json: Bytes,
    pub(super) size: usize,
}

// ===== impl Written =====

impl Draft for Written {
    fn size(&self) -> usize {
        self.size
    }

    fn json(&self, most: usize) -> Bytes {
        smaller(self.json.clone(), most)
    }
}

/// The item in at most so many bytes. It is not touched if it has no more.
pub(super) fn smaller(json: Bytes, most: usize) -> Bytes {
    if json.len() <= most.max(LEAST) {
        return json;
    }
    match serde_json::from_slice::<Item>(&json) {
        Ok(mut item) => fit(&mut item, most).into(),
        Err(_) => json,
    }
}

/// How items are written to the disk, in at most so many bytes, and read again.
#[cfg(feature = "spool")]
pub(super) fn codec(most: usize) -> Codec<Box<dyn Draft>> {
    Codec::new(
        move |draft: Box<dyn Draft>, to| encode(&*draft, most, to),
        |bytes| Some(Box::new(decode(bytes)?) as Box<dyn Draft>),
    )
}

/// A byte for the version, and the JSON that is sent.
#[cfg(feature = "spool")]
fn encode(draft: &dyn Draft, most: usize, to: &mut Vec<u8>) {
    to.push(VERSION);
    to.extend_from_slice(&draft.json(most));
}

#[cfg(feature = "spool")]
fn decode(bytes: &[u8]) -> Option<Written> {
    let json = bytes.strip_prefix(&[VERSION])?;
    Some(Written { json: Bytes::copy_from_slice(json), size: json.len() })
}

#[cfg(feature = "spool")]
const VERSION: u8 = 1;

#[cfg(all(test, feature = "spool"))]
mod tests {
    use proptest::{collection, prelude::*};
    use serde_json::Value;

    use super::*;
    use crate::rollbar::{Data, Message};

    /// An item that is not written yet.
    struct Note(Item);

    impl Draft for Note {
        fn size(&self) -> usize {
            0
        }

        fn json(&self, most: usize) -> Bytes {
            fit(&mut self.0.clone(), most).into()
        }
    }

    fn note(text: &str, custom: Vec<(String, Value)>) -> Note {
        let mut data = Data::new("production", Message::new(text));
        data.uuid = Some("0190e4a8-0000-7000-8000-000000000000".into());
        data.custom.extend(custom);
        Note(data.into())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            ".{0,9}".prop_map(|text| text.repeat(1_000).into()),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| collection::vec(inner, 0..4).prop_map(Value::from))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_item_that_lay_on_the_disk_is_sent_byte_for_byte(
            text in any::<String>(),
            custom in collection::vec((any::<String>(), value()), 0..8),
            (most, others) in (LEAST..80_000_usize, LEAST..80_000_usize),
        ) {
            let note = note(&text, custom);
            let mut bytes = Vec::new();
            encode(&note, most, &mut bytes);
            let written = decode(&bytes).unwrap();
            prop_assert_eq!(written.json(most), note.json(most));
            prop_assert_eq!(written.size(), note.json(most).len());
            // Another process may have another limit.
            prop_assert!(written.json(others).len() <= others);
        }

        #[test]
        fn what_is_not_known_is_not_read(bytes in collection::vec(any::<u8>(), 0..99)) {
            prop_assert_eq!(decode(&bytes).is_some(), bytes.first() == Some(&VERSION));
        }
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_is() {
        let json = Bytes::from(vec![b'x'; 2 * LEAST]);
        assert_eq!(smaller(json.clone(), LEAST), json);
    }
}
