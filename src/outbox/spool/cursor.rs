//! Where the first record is that is not done.

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

/// The file that keeps the place. It has two slots: the first is written once, durably, before the file gets its name;
/// the second is written over and over as the place moves, and is there after the process dies. A power cut may tear
/// it, which leaves the first.
#[derive(Debug)]
pub(super) struct Cursor<F> {
    path: PathBuf,
    file: Option<F>,
    place: Option<Place>,
    durable: Option<Place>,
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
        let place = slots.into_iter().flatten().max_by_key(|at| (at.segment.first, at.number, at.offset));
        Self { path, file, place, durable: None }
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.place
    }

    /// Writes the place so that it is there when the process dies. Where it cannot be written, the one before stays.
    pub(super) fn mark<D: Disk<File = F>>(&mut self, disk: &D, place: Place) -> io::Result<()> {
        if self.place == Some(place) {
            return Ok(());
        }
        match &self.file {
            Some(file) => write_all(file, &encode(place), SLOT as u64).1?,
            None => self.file = Some(self.replace(disk, place, false)?),
        }
        self.place = Some(place);
        Ok(())
    }

    /// Writes the place so that it is there after a power cut.
    pub(super) fn save<D: Disk<File = F>>(&mut self, disk: &D, place: Place) -> io::Result<()> {
        if self.durable == Some(place) {
            return Ok(());
        }
        self.file = Some(self.replace(disk, place, true)?);
        self.place = Some(place);
        disk.sync_folder(self.folder())?;
        self.durable = Some(place);
        Ok(())
    }

    /// The file is gone.
    pub(super) fn forget(&mut self) {
        (self.file, self.place, self.durable) = (None, None, None);
    }

    /// Removes it, when there is nothing that it could point to.
    pub(super) fn remove<D: Disk<File = F>>(&mut self, disk: &D) {
        let _ = disk.remove(&self.path);
        self.forget();
    }

    fn replace<D: Disk<File = F>>(&self, disk: &D, place: Place, is_durable: bool) -> io::Result<F> {
        let new = self.folder().join(NEW);
        let _ = disk.remove(&new);
        let file = disk.create(&new)?;
        // Both slots have their bytes, so that writing the second one needs no room on a full disk.
        let written = write_all(&file, &[encode(place), encode(place)].concat(), 0).1;
        let synced = written.and_then(|()| if is_durable { file.sync() } else { Ok(()) });
        synced.and_then(|()| disk.rename(&new, &self.path)).inspect_err(|_| _ = disk.remove(&new))?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

fn encode(Place { segment, offset, number }: Place) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(&MAGIC);
    slot[8..16].copy_from_slice(&segment.first.to_le_bytes());
    slot[16..20].copy_from_slice(&segment.salt.to_le_bytes());
    slot[20..28].copy_from_slice(&offset.to_le_bytes());
    slot[28..36].copy_from_slice(&number.to_le_bytes());
    let crc = crc32fast::hash(&slot[..36]);
    slot[36..40].copy_from_slice(&crc.to_le_bytes());
    slot
}

fn decode(slot: &[u8]) -> Option<Place> {
    let (bytes, rest) = slot.split_first_chunk::<36>()?;
    let crc = u32::from_le_bytes(*rest.first_chunk()?);
    if !bytes.starts_with(&MAGIC) || crc != crc32fast::hash(bytes) {
        return None;
    }
    let segment = Name { first: number(&bytes[8..])?, salt: u32::from_le_bytes(*bytes[16..].first_chunk()?) };
    let place = Place { segment, offset: number(&bytes[20..])?, number: number(&bytes[28..])? };
    (place.number < u64::MAX / 2 && segment.first <= place.number).then_some(place)
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

const NEW: &str = "cursor.new";
const MAGIC: [u8; 8] = *b"bvcursor";

/// A slot is a sector of its own.
const SLOT: usize = 512;
