//! What the lanes of one outbox have in common on the disk.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Folder, Log, Options, Orphan, Spool};

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
        format!("{lane} #{number}")
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

    /// What the outboxes left that are gone. Looked for once in a minute, given in milliseconds since 1970.
    pub(super) fn orphans(&self, now: u64) -> Vec<Arc<Orphan>> {
        let mut state = self.state();
        let is_due = state.looked.is_none_or(|looked| now.abs_diff(looked) >= PAUSE);
        if let (true, Some(folder)) = (is_due, &state.folder) {
            let found = folder.orphans();
            state.looked = Some(now);
            state.orphans.extend(found.into_iter().map(Arc::new));
        }
        state.orphans.clone()
    }

    /// Removes the folders that nothing is left of.
    pub(super) fn tidy(&self) {
        let mut state = self.state();
        let (finished, rest) = std::mem::take(&mut state.orphans)
            .into_iter()
            .partition::<Vec<_>, _>(|orphan| Arc::strong_count(orphan) == 1 && orphan.lanes().is_empty());
        state.orphans = rest;
        for orphan in finished.into_iter().filter_map(Arc::into_inner) {
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

/// In milliseconds.
const PAUSE: u64 = 60_000;
