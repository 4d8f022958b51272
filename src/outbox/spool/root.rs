//! What the lanes of one outbox have in common on the disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Folder, Log, Options, Orphan, Spool, lane_folder::escape};

/// The folder of an outbox, from when it is first needed and can be made, and those that it has adopted.
///
/// Everything here may block.
#[derive(Debug)]
pub(in crate::outbox) struct Root {
    spool: Spool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    folder: Option<Folder>,
    orphans: Vec<Arc<Orphan>>,
    looked: Option<u64>,
    /// How many lanes have a name.
    lanes: BTreeMap<Arc<str>, u32>,
    /// What the logs of these lanes are called on the disk.
    folders: BTreeSet<String>,
}

// ===== impl Root =====

impl Root {
    pub(in crate::outbox) fn new(spool: Spool) -> Arc<Self> {
        Arc::new(Self { spool, state: Mutex::default() })
    }

    /// What the next lane of that name is called on the disk: the same in each process that opens them in the same order.
    pub(in crate::outbox) fn name(&self, lane: &Arc<str>) -> String {
        let mut state = self.state();
        let number = state.lanes.entry(lane.clone()).or_default();
        *number += 1;
        let name = format!("{lane} #{number}");
        state.folders.extend(LOGS.map(|log| escape(&format!("{name}.{log}"))));
        // What was of no use until now is looked at again.
        state.looked = None;
        name
    }

    pub(super) fn options(&self) -> Options {
        self.spool.options
    }

    /// Opens a log in the folder, which is made first if need be.
    pub(super) fn log(&self, name: &str, options: Options) -> io::Result<Log> {
        let mut state = self.state();
        match &mut state.folder {
            Some(folder) => folder.restore()?,
            missing => *missing = Some(Folder::open(&self.spool.path)?),
        }
        let folder = state.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        folder.log(name, options)
    }

    /// Makes the folder again if someone removed it.
    pub(super) fn restore(&self) -> io::Result<()> {
        self.state().folder.as_mut().map_or(Ok(()), Folder::restore)
    }

    /// What the outboxes left for these lanes that are gone. Looked for once in a minute, given in milliseconds since 1970.
    pub(super) fn orphans(&self, now: u64) -> Vec<Arc<Orphan>> {
        let mut state = self.state();
        let is_due = state.looked.is_none_or(|looked| now.abs_diff(looked) >= PAUSE);
        if let (true, Some(folder)) = (is_due, &state.folder) {
            let found = folder.orphans(|name| state.folders.contains(name));
            state.looked = Some(now);
            state.orphans.extend(found.into_iter().map(Arc::new));
        }
        state.orphans.clone()
    }

    /// Removes the folders that nothing is left of, and gives back those that nothing is left of for these lanes: the
    /// rest is for others.
    pub(super) fn tidy(&self) {
        let mut state = self.state();
        let State { orphans, folders, .. } = &mut *state;
        let is_wanted = |name: &str| folders.contains(name);
        let finished =
            orphans.extract_if(.., |orphan| Arc::strong_count(orphan) == 1 && !orphan.has(is_wanted));
        for orphan in finished.filter_map(Arc::into_inner) {
            let _ = orphan.close();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.tidy();
        if let Some(folder) = self.state().folder.take() {
            let _ = folder.close();
        }
    }
}

/// The log that is written to has one of these names, and the one before it the other, for as long as it is read.
pub(super) const LOGS: [&str; 2] = ["a", "b"];

/// In milliseconds.
const PAUSE: u64 = 60_000;
