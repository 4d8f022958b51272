//! What one lane has on the disk.

use std::{collections::VecDeque, io, sync::Arc};

use super::{
    Appended, Group, Log, Losses, Orphan, Record, Root, Stored, Token, phrase, root::LOGS, runs::Runs,
};
use crate::outbox::queue::{Change, Kept};

/// The logs of a lane: the one that it writes to, and before it those that are only read, the oldest first.
///
/// Everything here may block.
#[derive(Debug)]
pub(in crate::outbox) struct Store {
    root: Arc<Root>,
    name: String,
    parts: VecDeque<Part>,
    /// Whether the last part is written to.
    is_open: bool,
    next_part: u64,
    /// Whether the newest records are next, where there are older ones.
    is_newest_next: bool,
    lost: Vec<(u64, &'static str)>,
}

#[derive(Debug)]
struct Part {
    id: u64,
    log: Log,
    /// Which of its two names it has, if it is this outbox's own.
    name: Option<bool>,
    orphan: Option<Arc<Orphan>>,
    /// The numbers of what was not read.
    runs: Runs,
    /// How many records it has as far as the books know.
    unread: u64,
    losses: Losses,
}

/// Records that were read.
#[derive(Debug)]
pub(in crate::outbox) struct Lifted {
    pub(in crate::outbox) loan: Loan,
    pub(in crate::outbox) records: Vec<Stored>,
}

/// What to say of them when they are done, or come back.
#[derive(Debug)]
pub(in crate::outbox) struct Loan {
    part: u64,
    token: Token,
    /// The number of the first one.
    pub(in crate::outbox) first: u64,
    pub(in crate::outbox) records: u64,
}

// ===== impl Store =====

impl Store {
    pub(in crate::outbox) fn new(root: Arc<Root>, lane: &Arc<str>) -> Self {
        let name = root.name(lane);
        Self {
            root,
            name,
            parts: VecDeque::new(),
            is_open: false,
            next_part: 0,
            is_newest_next: false,
            lost: Vec::new(),
        }
    }

    /// Takes over what others have left for this lane, and says how many records it was.
    pub(in crate::outbox) fn adopt(&mut self, now: u64) -> u64 {
        if self.open().is_err() {
            return 0;
        }
        let orphans = self.root.orphans(now);
        let mut adopted = 0;
        for orphan in orphans {
            let is_known =
                |part: &Part| part.orphan.as_ref().is_some_and(|known| Arc::ptr_eq(known, &orphan));
            if self.parts.iter().any(is_known) {
                continue;
            }
            for name in LOGS {
                let log = orphan.log(&format!("{}.{name}", self.name), self.root.options());
                adopted += log.ok().flatten().map_or(0, |log| self.insert(log, orphan.clone()));
            }
        }
        self.make_room();
        self.root.tidy();
        adopted
    }

    /// Puts records behind all others. `next` is the number of the first one.
    pub(in crate::outbox) fn append(&mut self, records: &[Record<'_>], next: u64, now: u64) -> Appended {
        let mut kept = self.try_append(records, next, now);
        // The folder was removed: once it is there again, so is the log.
        if kept.error.as_ref().is_some_and(|error| phrase(error) == "spool gone")
            && self.root.restore().is_ok()
        {
            let again = self.try_append(&records[kept.taken..], next + kept.taken as u64, now);
            kept = Appended { taken: kept.taken + again.taken, ..again };
        }
        kept
    }

    /// Reads the next records, if there are some that can be read.
    pub(in crate::outbox) fn read(&mut self, records: usize, bytes: usize, now: u64) -> Option<Lifted> {
        let newest = self.parts.len().checked_sub(1)?;
        let order: Vec<usize> = match self.is_newest_next {
            true => [newest].into_iter().chain(0..newest).collect(),
            false => (0..=newest).collect(),
        };
        self.is_newest_next = !self.is_newest_next;
        order.into_iter().find_map(|part| self.parts[part].read(records, bytes, now))
    }

    /// The records are delivered, or lost for good.
    pub(in crate::outbox) fn done(&mut self, Loan { part, token, .. }: Loan) {
        let Some(index) = self.parts.iter().position(|known| known.id == part) else { return };
        let _ = self.parts[index].log.done(token);
        let is_own = self.is_open && index + 1 == self.parts.len();
        if !is_own && self.parts[index].is_finished() {
            self.remove(index);
        }
    }

    /// The records are to be read again.
    pub(in crate::outbox) fn give_back(&mut self, Loan { part, token, first, records }: Loan) {
        // Some may have made room meanwhile, or the whole of it.
        let Some(part) = self.parts.iter_mut().find(|known| known.id == part) else {
            return self.lost.push((records, EVICTED));
        };
        part.log.give_back(token);
        part.runs.put_back(first, records);
        part.reckon(records, &mut self.lost);
    }

    /// Writes on in another log, so that what is new need not wait for all that is old. There are two at a time.
    pub(in crate::outbox) fn part(&mut self) {
        let is_parted = self.parts.iter().filter(|part| part.name.is_some()).count() > 1;
        if self.is_open && !is_parted {
            self.is_open = false;
            // Where it cannot be, the next append tries again.
            let _ = self.open();
        }
    }

    /// How many records the newest log has.
    pub(in crate::outbox) fn newest(&self) -> u64 {
        self.parts.back().map_or(0, |part| part.unread)
    }

    /// Syncs what is due.
    pub(in crate::outbox) fn tick(&mut self, now: u64) -> io::Result<()> {
        // Also the one that was written to until just now.
        self.parts.iter_mut().map(|part| part.log.tick(now)).fold(Ok(()), io::Result::and)
    }

    /// When the next sync is due.
    pub(in crate::outbox) fn sync_at(&self) -> Option<u64> {
        self.parts.iter().filter_map(|part| part.log.sync_at()).min()
    }

    /// What is there, and what was lost since this was last asked.
    pub(in crate::outbox) fn change(&mut self) -> Change {
        for part in &mut self.parts {
            part.reckon(0, &mut self.lost);
        }
        let full = self.parts.iter().filter(|part| part.unread > 0);
        let kept = Kept {
            records: full.clone().map(|part| part.unread).sum(),
            first: full.map(Part::first).min().unwrap_or_default(),
        };
        Change { kept, lost: std::mem::take(&mut self.lost) }
    }

    /// Ends it in order.
    pub(in crate::outbox) fn close(&mut self) {
        for part in self.parts.drain(..) {
            let _ = part.log.close();
        }
        self.is_open = false;
        self.root.tidy();
    }

    fn try_append(&mut self, records: &[Record<'_>], next: u64, now: u64) -> Appended {
        if let Err(error) = self.open() {
            return Appended { taken: 0, error: Some(error) };
        }
        self.make_room();
        let Some(part) = self.parts.back_mut() else { return Appended { taken: 0, error: None } };
        let appended = part.log.append(records, now);
        part.runs.add(next, appended.taken as u64);
        part.reckon(appended.taken as u64, &mut self.lost);
        appended
    }

    /// Opens the log that is written to, unless it is open.
    fn open(&mut self) -> io::Result<()> {
        if self.is_open {
            return Ok(());
        }
        let is_taken = |name: bool| self.parts.iter().any(|part| part.name == Some(name));
        let name = is_taken(false);
        let log =
            self.root.log(&format!("{}.{}", self.name, LOGS[usize::from(name)]), self.root.options())?;
        let part = Part::new(self.next_part, log);
        self.next_part += 1;
        self.parts.push_back(Part { name: Some(name), ..part });
        self.is_open = true;
        Ok(())
    }

    fn insert(&mut self, log: Log, orphan: Arc<Orphan>) -> u64 {
        let mut part = Part::new(self.next_part, log);
        self.next_part += 1;
        let damaged = part.losses.damage.records;
        if damaged > 0 {
            self.lost.push((damaged, DAMAGED));
        }
        let found = part.unread + damaged;
        part.orphan = Some(orphan);
        if part.is_finished() {
            let _ = part.log.close();
        } else {
            let place = self.parts.iter().take_while(|part| part.orphan.is_some()).count();
            self.parts.insert(place, part);
        }
        found
    }

    /// All logs together are bounded: what is written to has a quarter, and whatever the others leave it.
    fn make_room(&mut self) {
        let most = self.root.options().bytes;
        while self.is_open && self.parts.len() > 1 && self.read_only_bytes() > most - most / 4 {
            let Some(oldest) = self.parts.front_mut() else { break };
            oldest.log.give_up_segment();
            oldest.reckon(0, &mut self.lost);
            if oldest.log.bytes() == 0 {
                self.remove(0);
            }
        }
        let others = self.read_only_bytes();
        if let (true, Some(part)) = (self.is_open, self.parts.back_mut()) {
            part.log.limit(most.saturating_sub(others));
            part.reckon(0, &mut self.lost);
        }
    }

    fn read_only_bytes(&self) -> u64 {
        let read_only = self.parts.len() - usize::from(self.is_open);
        self.parts.iter().take(read_only).map(|part| part.log.bytes()).sum()
    }

    fn remove(&mut self, index: usize) {
        let Some(mut part) = self.parts.remove(index) else { return };
        part.reckon(0, &mut self.lost);
        let _ = part.log.close();
        drop(part.orphan);
        self.root.tidy();
    }
}

// ===== impl Part =====

impl Part {
    fn new(id: u64, log: Log) -> Self {
        let (unread, losses) = (log.len(), log.losses());
        Self { id, log, name: None, orphan: None, runs: Runs::default(), unread, losses }
    }

    fn read(&mut self, records: usize, bytes: usize, now: u64) -> Option<Lifted> {
        let first = self.first();
        let group = self.log.read(records, bytes, now)?;
        self.unread = self.unread.saturating_sub(group.records.len() as u64);
        self.runs.leave(self.unread);
        let Group { token, records } = group;
        let loan = Loan { part: self.id, token, first, records: records.len() as u64 };
        Some(Lifted { loan, records })
    }

    /// The number of the oldest record that was not read. Those of others have none.
    fn first(&self) -> u64 {
        self.runs.first().unwrap_or_default()
    }

    fn is_finished(&self) -> bool {
        self.log.len() == 0 && self.log.reading() == 0
    }

    /// Compares what should be there with what is.
    fn reckon(&mut self, added: u64, lost: &mut Vec<(u64, &'static str)>) {
        let (before, losses) = (self.unread + added, self.log.losses());
        self.unread = self.log.len();
        let missing = before.saturating_sub(self.unread);
        let evicted = (losses.evicted - self.losses.evicted).min(missing);
        let expired = (losses.expired - self.losses.expired).min(missing - evicted);
        let damaged = missing - evicted - expired;
        let reasons = [(evicted, EVICTED), (expired, EXPIRED), (damaged, DAMAGED)];
        lost.extend(reasons.into_iter().filter(|(records, _)| *records > 0));
        self.losses = losses;
        self.runs.leave(self.unread);
    }
}

const EVICTED: &str = "evicted";
const EXPIRED: &str = "expired";
const DAMAGED: &str = "damaged";
