//! A record as it lies in a segment.
//!
//! ```text
//!  0       4        8       12          20              24             28
//!  │ magic │ length │ index │ at (ms)   │ crc of payload │ crc of header │ payload ..
//! ```
//!
//! Numbers are little-endian. The header's checksum starts from the segment's name and the frame's offset, so that a
//! frame counts at one place of one file only: what a stranger wrote into a payload, what an older file left and what
//! was copied does not look like a record. The payload is not trusted, and neither is its length, before the header is:
//! looking for the next record costs one pass over the bytes, whatever they are.

use super::segment::Name;

/// A frame that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Frame {
    /// Where it starts, from the start of what was searched.
    pub(super) start: usize,
    /// How long its payload is, which follows the header.
    pub(super) length: usize,
    /// Which record of the segment it is.
    pub(super) index: u32,
    /// Milliseconds since 1970.
    pub(super) at: u64,
}

/// What a search came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// A whole record.
    Whole(Frame),
    /// What starts here can be told with so many bytes.
    Partial { start: usize, needed: usize },
    /// No more records.
    Nothing,
}

/// Which file it is. Part of every checksum in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u32);

pub(super) const HEADER: usize = 28;

/// The largest payload, in bytes. A larger one is refused.
pub(super) const LARGEST: usize = 64 << 20;

// ===== impl Seed =====

impl Seed {
    pub(super) fn new(Name { first, salt }: Name) -> Self {
        let mut hasher = crc32fast::Hasher::new_with_initial(salt);
        hasher.update(&first.to_le_bytes());
        Self(hasher.finalize())
    }

    fn check(self, offset: u64, header: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(&offset.to_le_bytes());
        hasher.update(header);
        hasher.finalize()
    }
}

/// Appends a frame that is to lie at `offset`.
pub(super) fn write(into: &mut Vec<u8>, seed: Seed, offset: u64, index: u32, at: u64, payload: &[u8]) {
    let start = into.len();
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    into.extend_from_slice(&index.to_le_bytes());
    into.extend_from_slice(&at.to_le_bytes());
    into.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = seed.check(offset, &into[start..]);
    into.extend_from_slice(&check.to_le_bytes());
    into.extend_from_slice(payload);
}

/// Looks for the next record in bytes that lie at `offset`. `is_all` says that nothing follows them.
pub(super) fn find(bytes: &[u8], seed: Seed, offset: u64, is_all: bool) -> Found {
    let mut start = 0;
    while let Some(ahead) = magic(&bytes[start..]) {
        start += ahead;
        let Some(header) = bytes[start..].first_chunk::<HEADER>() else {
            return partial(start, HEADER, is_all);
        };
        let Some((frame, crc)) = parse(header, seed, offset + start as u64, start) else {
            start += 1;
            continue;
        };
        let needed = HEADER + frame.length;
        let Some(payload) = bytes[start..].get(HEADER..needed) else {
            if is_all {
                start += HEADER;
                continue;
            }
            return Found::Partial { start, needed };
        };
        if crc32fast::hash(payload) == crc {
            return Found::Whole(frame);
        }
        // The header is good, so the next record is behind the payload.
        start += needed;
    }
    partial(start.max(bytes.len().saturating_sub(MAGIC.len() - 1)), HEADER, is_all)
}

fn partial(start: usize, needed: usize, is_all: bool) -> Found {
    if is_all { Found::Nothing } else { Found::Partial { start, needed } }
}

fn magic(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    loop {
        start += bytes.get(start..)?.iter().position(|byte| *byte == MAGIC[0])?;
        if bytes[start..].starts_with(&MAGIC) {
            return Some(start);
        }
        start += 1;
    }
}

/// The frame and the checksum of its payload, if the header is good.
fn parse(header: &[u8; HEADER], seed: Seed, offset: u64, start: usize) -> Option<(Frame, u32)> {
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let is_good = number(24) == seed.check(offset, &header[..24]);
    let length = number(4) as usize;
    let at = u64::from(number(12)) | u64::from(number(16)) << 32;
    (is_good && length <= LARGEST).then(|| (Frame { start, length, index: number(8), at }, number(20)))
}

/// No byte of it is the first one again, is zero, or is text.
const MAGIC: [u8; 4] = [0xb7, 0xe1, 0x9d, 0x02];
