//! Where the first record is that is not done, and what is done behind it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    disk::{Disk, DiskFile, read_full, write_all},
    segment::Name,
};

/// A place in the log: everything below it is done, or lost and counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) segment: Name,
    pub(super) offset: u64,
    /// The number of the record there.
    pub(super) number: u64,
}

/// A part of a segment that is done, while something before it is not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Part {
    pub(super) segment: Name,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The number of the record that comes after it.
    pub(super) next: u64,
}

/// How far the log is done: below the place, and in these parts behind it, in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Progress {
    pub(super) place: Place,
    pub(super) done: Vec<Part>,
}

/// The file that keeps the progress. It has two slots: the first is written once, durably, before the file gets its name;
/// the second is written over and over as the place moves, and is there after the process dies. A power cut may tear
/// it, which leaves the first.
#[derive(Debug)]
pub(super) struct Cursor<F> {
    path: PathBuf,
    file: Option<F>,
    progress: Option<Progress>,
    durable: Option<Progress>,
}

pub(super) const FILE: &str = "cursor";

// ===== impl Cursor =====

impl<F: DiskFile> Cursor<F> {
    /// Whatever can be told from the file.
    pub(super) fn load<D: Disk<File = F>>(disk: &D, folder: &Path) -> Self {
        let path = folder.join(FILE);
        let _ = disk.remove(&folder.join(NEW));
        let mut bytes = [0; 2 * SLOT];
        let file = disk.open(&path).ok();
        if let Some(file) = &file {
            for (slot, bytes) in bytes.chunks_mut(SLOT).enumerate() {
                let _ = read_full(file, bytes, (slot * SLOT) as u64);
            }
        }
        let slots = [decode(&bytes[..SLOT]), decode(&bytes[SLOT..])];
        // Where the durable slot is bad, the file is to be replaced, not written on.
        let file = file.filter(|_| slots[0].is_some());
        let place = |progress: &Progress| {
            (progress.place.segment.first, progress.place.number, progress.place.offset)
        };
        let progress = slots.into_iter().flatten().max_by_key(place);
        Self { path, file, progress, durable: None }
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        self.progress.clone()
    }

    /// Writes the progress so that it is there when the process dies. Where it cannot be written, the one before stays.
    pub(super) fn mark<D: Disk<File = F>>(&mut self, disk: &D, progress: Progress) -> io::Result<()> {
        if self.progress.as_ref() == Some(&progress) {
            return Ok(());
        }
        match &self.file {
            Some(file) => write_all(file, &encode(&progress), SLOT as u64).1?,
            None => self.file = Some(self.replace(disk, &progress, false)?),
        }
        self.progress = Some(progress);
        Ok(())
    }

    /// Writes the progress so that it is there after a power cut.
    pub(super) fn save<D: Disk<File = F>>(&mut self, disk: &D, progress: Progress) -> io::Result<()> {
        if self.durable.as_ref() == Some(&progress) {
            return Ok(());
        }
        self.file = Some(self.replace(disk, &progress, true)?);
        self.progress = Some(progress.clone());
        disk.sync_folder(self.folder())?;
        self.durable = Some(progress);
        Ok(())
    }

    /// The file is gone.
    pub(super) fn forget(&mut self) {
        (self.file, self.progress, self.durable) = (None, None, None);
    }

    /// Removes it, when there is nothing that it could point to.
    pub(super) fn remove<D: Disk<File = F>>(&mut self, disk: &D) {
        let _ = disk.remove(&self.path);
        self.forget();
    }

    fn replace<D: Disk<File = F>>(&self, disk: &D, progress: &Progress, is_durable: bool) -> io::Result<F> {
        let new = self.folder().join(NEW);
        let _ = disk.remove(&new);
        let file = disk.create(&new)?;
        // Both slots have their bytes, so that writing the second one needs no room on a full disk.
        let written = write_all(&file, &encode(progress).repeat(2), 0).1;
        let synced = written.and_then(|()| if is_durable { file.sync() } else { Ok(()) });
        synced.and_then(|()| disk.rename(&new, &self.path)).inspect_err(|_| _ = disk.remove(&new))?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

// ===== impl Part =====

impl Part {
    /// Whether what is there is in it.
    pub(super) fn has(&self, offset: u64) -> bool {
        (self.start..self.end).contains(&offset)
    }

    /// Whether it lies at or behind a place.
    pub(super) fn is_behind(&self, place: Place) -> bool {
        (self.segment, self.start) >= (place.segment, place.offset)
    }
}

fn encode(Progress { place, done }: &Progress) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(&MAGIC);
    slot[8..20].copy_from_slice(&name(place.segment));
    slot[20..28].copy_from_slice(&place.offset.to_le_bytes());
    slot[28..36].copy_from_slice(&place.number.to_le_bytes());
    let crc = crc32fast::hash(&slot[..36]);
    slot[36..40].copy_from_slice(&crc.to_le_bytes());
    for (part, bytes) in done.iter().zip(slot[PARTS].chunks_exact_mut(PART)) {
        bytes[..12].copy_from_slice(&name(part.segment));
        bytes[12..20].copy_from_slice(&part.start.to_le_bytes());
        bytes[20..28].copy_from_slice(&part.end.to_le_bytes());
        bytes[28..].copy_from_slice(&part.next.to_le_bytes());
    }
    let crc = crc32fast::hash(&slot[..CHECKED]);
    slot[CHECKED..].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn name(Name { first, salt }: Name) -> [u8; 12] {
    let mut name = [0; 12];
    name[..8].copy_from_slice(&first.to_le_bytes());
    name[8..].copy_from_slice(&salt.to_le_bytes());
    name
}

fn decode(slot: &[u8]) -> Option<Progress> {
    let (bytes, rest) = slot.split_first_chunk::<36>()?;
    let crc = u32::from_le_bytes(*rest.first_chunk()?);
    if !bytes.starts_with(&MAGIC) || crc != crc32fast::hash(bytes) {
        return None;
    }
    let place =
        Place { segment: named(&bytes[8..])?, offset: number(&bytes[20..])?, number: number(&bytes[28..])? };
    let is_place = place.number < u64::MAX / 2 && place.segment.first <= place.number;
    is_place.then(|| Progress { place, done: decode_parts(slot, place).unwrap_or_default() })
}

/// What makes no sense is none: it is read again.
fn decode_parts(slot: &[u8], place: Place) -> Option<Vec<Part>> {
    let crc = u32::from_le_bytes(*slot.get(CHECKED..)?.first_chunk()?);
    if crc != crc32fast::hash(&slot[..CHECKED]) {
        return None;
    }
    let parts: Option<Vec<_>> = slot[PARTS].chunks_exact(PART).map(decode_part).collect();
    let parts: Vec<_> = parts?.into_iter().take_while(|part| part.end > 0).collect();
    let is_sound = |part: &Part| part.start < part.end && part.next < u64::MAX / 2 && part.is_behind(place);
    let is_sorted = parts.is_sorted_by_key(|part| (part.segment, part.start));
    let is_apart = |pair: &[Part]| pair[0].segment != pair[1].segment || pair[0].end <= pair[1].start;
    (is_sorted && parts.iter().all(is_sound) && parts.windows(2).all(is_apart)).then_some(parts)
}

fn decode_part(bytes: &[u8]) -> Option<Part> {
    let [start, end, next] = [number(&bytes[12..])?, number(&bytes[20..])?, number(&bytes[28..])?];
    Some(Part { segment: named(bytes)?, start, end, next })
}

fn named(bytes: &[u8]) -> Option<Name> {
    Some(Name { first: number(bytes)?, salt: u32::from_le_bytes(*bytes.get(8..)?.first_chunk()?) })
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

const NEW: &str = "cursor.new";
const MAGIC: [u8; 8] = *b"bvcursor";

/// A slot is a sector of its own.
const SLOT: usize = 512;

/// The parts, behind the place: what is more than they take is read again.
const PARTS: std::ops::Range<usize> = 40..40 + MOST_PARTS * PART;
const PART: usize = 36;
pub(super) const MOST_PARTS: usize = 13;

/// What the checksum of the whole slot is of; it comes last.
const CHECKED: usize = SLOT - 4;
