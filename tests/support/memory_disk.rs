//! A file system in memory that fails on demand and loses what was not synced.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Disk, DiskFile};

/// All clones are one disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

/// An open file.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    disk: MemoryDisk,
    inode: usize,
}

/// What goes wrong. A call that is to fail counts down.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that are left, if the disk has an end. What is cut off or removed comes back.
    pub(crate) free: Option<u64>,
    /// How many bytes a write takes at most.
    pub(crate) short: Option<usize>,
    pub(crate) reads: u32,
    pub(crate) writes: u32,
    pub(crate) syncs: u32,
    pub(crate) cuts: u32,
    pub(crate) is_read_only: bool,
}

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    /// All of it: the process died, the machine did not.
    Kill,
    /// Nothing.
    PowerCut,
    /// Some of it, any of the writes, and any of the changes of names.
    Torn(u64),
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, Entry>,
    durable_names: BTreeMap<PathBuf, Entry>,
    /// What happened to names since they were durable.
    journal: Vec<(PathBuf, Option<Entry>)>,
    faults: Faults,
    process: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    File(usize),
    Folder,
}

#[derive(Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    changes: Vec<Change>,
    /// How many bytes of it are paid for.
    paid: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

// ===== impl MemoryDisk =====

impl MemoryDisk {
    pub(crate) fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
    }

    /// Whoever asks from now on is another process.
    pub(crate) fn fork(&self) {
        self.state().process += 1;
    }

    /// What the next process finds.
    pub(crate) fn crash(&self, crash: Crash) {
        let mut state = self.state();
        let State { inodes, names, durable_names, journal, .. } = &mut *state;
        let mut random = match crash {
            Crash::Kill => return,
            Crash::PowerCut => None,
            Crash::Torn(seed) => Some(fastrand::Rng::with_seed(seed)),
        };
        for (path, entry) in journal.drain(..) {
            if random.as_mut().is_some_and(|random| random.bool()) {
                put(durable_names, path, entry);
            }
        }
        names.clone_from(durable_names);
        names.retain(|path, _| is_reachable(durable_names, path));
        for inode in inodes {
            for change in std::mem::take(&mut inode.changes) {
                if let Some(random) = &mut random {
                    tear(&change, random).into_iter().for_each(|change| apply(&mut inode.durable, &change));
                }
            }
            inode.bytes.clone_from(&inode.durable);
        }
    }

    /// The paths of all files.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let state = self.state();
        let files = state.names.iter().filter(|(_, entry)| matches!(entry, Entry::File(_)));
        files.map(|(path, _)| path.clone()).collect()
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        let inode = state.inode(path).expect("the file is there");
        state.inodes[inode].bytes.clone()
    }

    /// Makes a file of these bytes, durably.
    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        state.inodes.push(Inode { bytes: bytes.to_vec(), durable: bytes.to_vec(), ..Inode::default() });
        let entry = Entry::File(state.inodes.len() - 1);
        state.names.insert(path.to_owned(), entry);
        state.durable_names.insert(path.to_owned(), entry);
    }

    /// Makes a folder, durably.
    pub(crate) fn put_folder(&self, folder: &Path) {
        let mut state = self.state();
        state.names.insert(folder.to_owned(), Entry::Folder);
        state.durable_names.insert(folder.to_owned(), Entry::Folder);
    }

    /// Removes everything below a folder, and the folder.
    pub(crate) fn remove_all(&self, folder: &Path) {
        let mut state = self.state();
        state.names.retain(|path, _| !path.starts_with(folder));
        state.durable_names.retain(|path, _| !path.starts_with(folder));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.names.get(folder) {
            Some(Entry::Folder) => Ok(()),
            Some(Entry::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => state.change(folder, Some(Entry::Folder)),
        }
    }

    fn create(&self, path: &Path) -> io::Result<MemoryFile> {
        let mut state = self.state();
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.change(path, Some(Entry::File(inode)))?;
        state.inodes.push(Inode::default());
        Ok(MemoryFile { disk: self.clone(), inode })
    }

    fn open(&self, path: &Path) -> io::Result<MemoryFile> {
        let inode = self.state().inode(path)?;
        Ok(MemoryFile { disk: self.clone(), inode })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.inode(from)?;
        if let Ok(replaced) = state.inode(to) {
            let paid = std::mem::take(&mut state.inodes[replaced].paid);
            state.pay_back(paid);
        }
        state.change(to, Some(Entry::File(inode)))?;
        state.change(from, None)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.inode(path)?;
        state.change(path, None)?;
        let paid = std::mem::take(&mut state.inodes[inode].paid);
        state.pay_back(paid);
        Ok(())
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.names.keys().any(|path| path.parent() == Some(folder)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.change(folder, None)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let names = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.fail(|faults| &mut faults.syncs)?;
        let State { durable_names, journal, .. } = &mut *state;
        for (path, entry) in journal.extract_if(.., |(path, _)| path.parent() == Some(folder)) {
            put(durable_names, path, entry);
        }
        Ok(())
    }

    fn process(&self) -> u32 {
        self.state().process
    }
}

// ===== impl MemoryFile =====

impl DiskFile for MemoryFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.fail(|faults| &mut faults.reads)?;
        let bytes = state.inodes[self.inode].bytes.get(offset as usize..).unwrap_or_default();
        let length = bytes.len().min(into.len());
        into[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.writable()?;
        state.fail(|faults| &mut faults.writes)?;
        let paid = state.inodes[self.inode].paid;
        let most = state.faults.free.map_or(u64::MAX, |free| (paid + free).saturating_sub(offset));
        if most == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let length = bytes.len().min(most as usize).min(state.faults.short.unwrap_or(usize::MAX));
        let more = (offset + length as u64).saturating_sub(paid);
        state.faults.free = state.faults.free.map(|free| free - more);
        state.inodes[self.inode].paid += more;
        state.inodes[self.inode].change(Change::Write(offset, bytes[..length].to_vec()));
        Ok(length)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.writable()?;
        state.fail(|faults| &mut faults.cuts)?;
        let spare = state.inodes[self.inode].paid.saturating_sub(length);
        state.inodes[self.inode].paid -= spare;
        state.pay_back(spare);
        state.inodes[self.inode].change(Change::Length(length));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[self.inode].bytes.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let failed = state.fail(|faults| &mut faults.syncs);
        let inode = &mut state.inodes[self.inode];
        inode.changes.clear();
        // As Linux does it: after a failure the pages count as clean, and are lost when the power is cut.
        if failed.is_ok() {
            inode.durable.clone_from(&inode.bytes);
        }
        failed
    }

    fn is_linked(&self) -> io::Result<bool> {
        Ok(self.disk.state().names.values().any(|entry| *entry == Entry::File(self.inode)))
    }
}

// ===== impl State =====

impl State {
    fn inode(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            Some(Entry::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&mut self, path: &Path, entry: Option<Entry>) -> io::Result<()> {
        self.writable()?;
        if !is_reachable(&self.names, path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        put(&mut self.names, path.to_owned(), entry);
        self.journal.push((path.to_owned(), entry));
        Ok(())
    }

    fn writable(&self) -> io::Result<()> {
        if self.faults.is_read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    fn fail(&mut self, fault: impl FnOnce(&mut Faults) -> &mut u32) -> io::Result<()> {
        let left = fault(&mut self.faults);
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        Err(io::Error::other("input/output error"))
    }

    fn pay_back(&mut self, bytes: u64) {
        self.faults.free = self.faults.free.map(|free| free + bytes);
    }
}

// ===== impl Inode =====

impl Inode {
    fn change(&mut self, change: Change) {
        apply(&mut self.bytes, &change);
        self.changes.push(change);
    }
}

fn is_reachable(names: &BTreeMap<PathBuf, Entry>, path: &Path) -> bool {
    let mut folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new("/"));
    folders.all(|folder| names.get(folder) == Some(&Entry::Folder))
}

fn put(names: &mut BTreeMap<PathBuf, Entry>, path: PathBuf, entry: Option<Entry>) {
    match entry {
        Some(entry) => _ = names.insert(path, entry),
        None => _ = names.remove(&path),
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length as usize, 0),
        Change::Write(offset, written) => {
            let (start, end) = (*offset as usize, *offset as usize + written.len());
            bytes.resize(bytes.len().max(end), 0);
            bytes[start..end].copy_from_slice(written);
        }
    }
}

/// What of a change reaches the disk: of a write, any of its sectors.
fn tear(change: &Change, random: &mut fastrand::Rng) -> Vec<Change> {
    let Change::Write(offset, bytes) = change else {
        return if random.bool() { vec![change.clone()] } else { Vec::new() };
    };
    let sectors = bytes.chunks(64).enumerate().filter(|_| random.u8(..4) > 0);
    sectors.map(|(number, sector)| Change::Write(offset + 64 * number as u64, sector.to_vec())).collect()
}
