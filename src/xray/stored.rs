//! Documents as they lie on the disk: a byte that says how, and each part behind its length.

use super::{Document, document::Parts};

/// Adds the bytes of parts to what is there.
pub(super) fn write(parts: &[Vec<u8>], to: &mut Vec<u8>) {
    to.push(JSON);
    for part in parts {
        let length = u32::try_from(part.len()).expect("a part is not longer than a request");
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(part);
    }
}

/// Adds the bytes of a document of one part, if `write` adds that.
pub(super) fn write_one(write: impl FnOnce(&mut Vec<u8>) -> bool, to: &mut Vec<u8>) -> bool {
    let start = to.len();
    to.extend_from_slice(&[JSON, 0, 0, 0, 0]);
    let part = to.len();
    if !write(to) {
        to.truncate(start);
        return false;
    }
    let length = u32::try_from(to.len() - part).expect("a part is not longer than a request");
    to[start + 1..part].copy_from_slice(&length.to_le_bytes());
    true
}

/// The parts, none of them longer than `most` bytes; nothing of what was written in another way.
pub(super) fn read(bytes: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let (&JSON, mut rest) = bytes.split_first()? else { return None };
    let mut parts = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        push(part, most, &mut parts);
        rest = after;
    }
    (rest.is_empty() && !parts.is_empty()).then_some(parts)
}

/// What was written may have been made for larger requests than these.
fn push(part: &[u8], most: usize, parts: &mut Vec<Vec<u8>>) {
    let longer = (part.len() > most).then(|| serde_json::from_slice::<Document>(part).ok()).flatten();
    match longer {
        Some(document) => parts.extend(document.parts(most)),
        None => parts.push(part.to_vec()),
    }
}

const JSON: u8 = 1;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        trace::{SpanId, TraceId},
        xray::{Segment, Subsegment},
    };

    fn written(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"before".to_vec();
        write(parts, &mut bytes);
        bytes.split_off(6)
    }

    #[test]
    fn one_part_is_written_as_others_are_or_not_at_all() {
        let mut bytes = b"before".to_vec();
        assert!(!write_one(|_| false, &mut bytes));
        assert_eq!(bytes, b"before");
        assert!(write_one(
            |to| {
                to.extend_from_slice(b"{}");
                true
            },
            &mut bytes
        ));
        assert_eq!(bytes[6..], written(&[b"{}".to_vec()]));
    }

    fn document() -> Document {
        let mut segment = Segment::new(TraceId::generate(), SpanId::generate(), "shop", UNIX_EPOCH);
        for _ in 0..20 {
            let mut subsegment = Subsegment::new(SpanId::generate(), "load", UNIX_EPOCH);
            subsegment.entity.metadata.insert("a", "b", "x".repeat(1_000));
            subsegment.entity.end(Duration::from_millis(1));
            segment.subsegments.push(subsegment);
        }
        segment.into()
    }

    #[test]
    fn what_the_first_version_wrote_is_read_by_all_others() {
        let parts = read(b"\x01\x0c\0\0\0{\"name\":\"a\"}\x02\0\0\0{}", 64_000);
        assert_eq!(parts.unwrap(), [&br#"{"name":"a"}"#[..], b"{}"]);
    }

    #[test]
    fn what_another_version_writes_is_left_alone() {
        let mut bytes = written(&[b"{}".to_vec()]);
        bytes[0] += 1;
        assert_eq!(read(&bytes, 64_000), None);
        assert_eq!(read(&[], 64_000), None);
        assert_eq!(read(&[JSON], 64_000), None);
    }

    #[test]
    fn what_is_now_too_long_is_split_again() {
        let document = document();
        let large = document.parts(64_000);
        assert_eq!(large.len(), 1);
        let small = read(&written(&large), 5_000).unwrap();
        assert_eq!(small, document.parts(5_000));
        assert!(small.len() > 1 && small.iter().all(|part| part.len() <= 5_000));
    }

    #[test]
    fn what_is_too_long_and_no_document_stays_as_it_is() {
        let parts = [b"x".repeat(100)];
        assert_eq!(read(&written(&parts), 50).unwrap(), parts);
    }

    proptest! {
        #[test]
        fn parts_come_back_as_they_were(parts in vec(vec(any::<u8>(), 0..50), 1..5)) {
            prop_assert_eq!(read(&written(&parts), 64_000), Some(parts));
        }

        #[test]
        fn strange_bytes_are_parts_or_nothing(bytes in vec(any::<u8>(), 0..50)) {
            let _ = read(&bytes, 10);
            let _ = read(&[&[JSON], &*bytes].concat(), 10);
        }

        #[test]
        fn what_was_cut_within_a_part_is_nothing(part in vec(any::<u8>(), 1..50), cut: prop::sample::Index) {
            let whole = written(std::slice::from_ref(&part));
            prop_assert_eq!(read(&whole[..cut.index(whole.len())], 64_000), None);
        }
    }
}
