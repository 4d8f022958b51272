//! A part of a segment in memory.

use std::{io, mem};

use bytes::Bytes;

use super::disk::{DiskFile, read_full};

/// The bytes from `start` on that were read last.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

// ===== impl Window =====

impl Window {
    /// What is there from `offset` on.
    pub(super) fn from(&self, offset: u64) -> &[u8] {
        let skipped = offset.checked_sub(self.start).and_then(|skipped| usize::try_from(skipped).ok());
        skipped.and_then(|skipped| self.bytes.get(skipped..)).unwrap_or_default()
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Reads so many bytes. Those that the file does not have are zero.
    pub(super) fn load(&mut self, file: &impl DiskFile, start: u64, length: usize) -> io::Result<()> {
        self.clear(start, length);
        read_full(file, &mut self.bytes, start).inspect_err(|_| self.bytes.clear())?;
        Ok(())
    }

    /// Reads so many bytes. Those that cannot be read are zero, and after some that cannot, so are the others.
    pub(super) fn load_what_can_be(&mut self, file: &impl DiskFile, start: u64, length: usize) {
        if self.load(file, start, length).is_ok() {
            return;
        }
        self.clear(start, length);
        let mut failures = 0;
        for (number, page) in self.bytes.chunks_mut(PAGE).enumerate() {
            if read_full(file, page, start + (number * PAGE) as u64).is_err() {
                page.fill(0);
                failures += 1;
            }
            if failures == MOST_FAILURES {
                break;
            }
        }
    }

    /// The bytes as they are, to be shared.
    pub(super) fn freeze(self) -> (u64, Bytes) {
        (self.start, Bytes::from(self.bytes))
    }

    fn clear(&mut self, start: u64, length: usize) {
        self.start = start;
        let mut bytes = mem::take(&mut self.bytes);
        bytes.clear();
        bytes.resize(length, 0);
        self.bytes = bytes;
    }
}

const PAGE: usize = 4096;

/// A dying disk takes its time over each failure.
const MOST_FAILURES: u32 = 16;
