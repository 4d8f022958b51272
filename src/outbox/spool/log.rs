//! What one lane keeps on the disk.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use super::{
    Damage, Disk, Group, Options, Sync, SystemDisk, Token,
    cursor::{Cursor, MOST_PARTS, Part, Place, Progress},
    frame::{HEADER, LARGEST},
    groups::{Extent, Groups},
    phrase,
    segment::{Frames, Most, Name, Segment, Sweep},
};

/// A queue of records in files. All times are milliseconds since 1970, and the caller's.
///
/// Invariants:
///
/// - **L1, in order.** Segments are sorted by name. Whatever lies before the reader is done, or in `groups`.
/// - **L2, the cursor never passes.** Its place is the first that is not done, or one before it; its parts are done.
/// - **L3, the cursor comes first.** It is durable beyond a segment before that is removed; except where the disk is too
///   full for it, and then the numbers that are missing are counted by whoever opens the log after a crash.
/// - **L4, numbers go up.** A new segment's first number is above every number that the cursor or a segment has seen, so
///   that a cursor which is ahead of the data passes nothing that comes later.
#[derive(Debug)]
pub(crate) struct Log<D: Disk = SystemDisk> {
    disk: D,
    folder: PathBuf,
    options: Options,
    process: u32,
    segments: VecDeque<Segment<D::File>>,
    /// How long the last segment may get, if it takes more.
    room: Option<u64>,
    reader: Reader,
    /// What the reader will pass, because it was done when the log was opened; in order.
    done: VecDeque<Part>,
    groups: Groups,
    cursor: Cursor<D::File>,
    next: u64,
    frames: Frames,
    unsynced: Option<u64>,
    /// Whether the last write found no room.
    is_full: bool,
    losses: Losses,
}

/// A record to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// When it was made. Its age is counted from it.
    pub(crate) at: u64,
    /// Its bytes: 64 MiB at most.
    pub(crate) payload: &'a [u8],
}

/// What became of an append.
#[derive(Debug)]
pub(crate) struct Appended {
    /// How many of the records were accepted, from the first on.
    pub(crate) taken: usize,
    /// Why no more were. An error after all were taken says that they could not be synced in time.
    ///
    /// The kind `FileTooLarge` is about the first that was not taken, and will be the same next time.
    pub(crate) error: Option<io::Error>,
}

/// Records that were accepted and will not be read, since the log was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Losses {
    /// Records that made room for newer ones.
    pub(crate) evicted: u64,
    /// Records that were too old when they were read.
    pub(crate) expired: u64,
    /// Records that the disk did not keep.
    pub(crate) damage: Damage,
}

/// Where to read next.
#[derive(Debug, Default)]
struct Reader {
    /// Which of the segments.
    segment: usize,
    offset: u64,
    /// The number of the record there.
    number: u64,
    /// How often it could not be read.
    failures: u32,
}

// ===== impl Log =====

impl<D: Disk> Log<D> {
    /// Opens the log in a folder, whatever is in it, or makes one. It fails if there can be no folder, or none that can
    /// be listed, or if this process has no descriptor left.
    pub(crate) fn open(disk: D, folder: &Path, options: Options) -> io::Result<Self> {
        disk.create_folder(folder)?;
        let _ = folder.parent().map(|parent| disk.sync_folder(parent));
        let files = disk.list(folder)?;
        let mut names: Vec<Name> = files.iter().filter_map(|file| Name::parse(file)).collect();
        names.sort_unstable();
        let cursor = Cursor::load(&disk, folder);
        let process = disk.process();
        let mut log = Self {
            disk,
            folder: folder.to_owned(),
            options,
            process,
            segments: VecDeque::new(),
            room: None,
            reader: Reader::default(),
            done: VecDeque::new(),
            groups: Groups::default(),
            cursor,
            next: 1,
            frames: Frames::default(),
            unsynced: None,
            is_full: false,
            losses: Losses::default(),
        };
        log.survey(&names)?;
        Ok(log)
    }

    /// Adds records behind all others. What is taken is written when this returns.
    pub(crate) fn append(&mut self, records: &[Record<'_>], now: u64) -> Appended {
        let mut taken = 0;
        let error = self.append_all(records, &mut taken, now).err();
        Appended { taken, error }
    }

    /// Reads the next records: those that were given back first. Never more than asked for, except that one record may
    /// be larger than `bytes`; often fewer, because a group lies in one segment. `None`: there is nothing, or nothing that
    /// can be read now.
    pub(crate) fn read(&mut self, records: usize, bytes: usize, now: u64) -> Option<Group> {
        if records == 0 || self.is_ours().is_err() {
            return None;
        }
        let age = self.options.age.map_or(u64::MAX, |age| age.as_millis().try_into().unwrap_or(u64::MAX));
        let most = Most { records, bytes, since: now.saturating_sub(age) };
        while let Some(extent) = self.groups.back() {
            if let Some(group) = self.read_again(&extent, most).ok()? {
                return Some(group);
            }
        }
        loop {
            self.step();
            if self.reader.offset >= self.segments.get(self.reader.segment)?.end {
                return None;
            }
            if let Some(group) = self.read_on(most).ok()? {
                return Some(group);
            }
        }
    }

    /// The group is delivered, or lost for good. An error says that the place could not be written; it is written again
    /// next time.
    pub(crate) fn done(&mut self, token: Token) -> io::Result<()> {
        self.groups.done(token);
        self.settle()
    }

    /// The group is to be read again, before all that comes after it.
    pub(crate) fn give_back(&mut self, token: Token) {
        self.losses.evicted += self.groups.give_back(token);
    }

    /// Syncs what is due. To be called at [`sync_at`](Self::sync_at), or more often.
    pub(crate) fn tick(&mut self, now: u64) -> io::Result<()> {
        let is_due = self.sync_at().is_some_and(|at| at <= now);
        let is_back = self.unsynced.is_some_and(|since| now < since);
        if is_due || is_back { self.sync() } else { Ok(()) }
    }

    /// When the next sync is due.
    pub(crate) fn sync_at(&self) -> Option<u64> {
        let Sync::Every(wait) = self.options.sync else { return None };
        let wait = wait.as_millis().try_into().unwrap_or(u64::MAX);
        self.unsynced.map(|since| since.saturating_add(wait))
    }

    /// Makes all that was accepted, and the cursor, survive a power cut.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.is_ours()?;
        let synced = self.sync().and_then(|()| self.disk.sync_folder(&self.folder));
        let settled = self.settle();
        let saved = self.cursor.save(&self.disk, self.progress());
        synced.and(settled).and(saved)
    }

    /// Ends it in order: what is not done is there for the next one, and where nothing is, the folder is no more.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.is_ours()?;
        if self.len() == 0 && self.reading() == 0 {
            return self.remove();
        }
        self.seal();
        self.flush()
    }

    /// How many records are to be read.
    pub(crate) fn len(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unread).sum::<u64>() + self.groups.records_back()
    }

    /// How many records were read and are neither done nor given back.
    pub(crate) fn reading(&self) -> u64 {
        self.groups.records_out()
    }

    /// Bounds it anew. The oldest segments make room at once.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.options.bytes = bytes;
        while self.segments.len() > 1 && self.bytes() > bytes {
            self.evict();
        }
    }

    /// Gives up the oldest segment, also if it is the last. To be called only if nothing is appended any more.
    pub(crate) fn give_up_segment(&mut self) {
        self.evict();
    }

    /// How many bytes the segments take.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    /// What was lost since it was opened.
    pub(crate) fn losses(&self) -> Losses {
        self.losses
    }

    fn survey(&mut self, names: &[Name]) -> io::Result<()> {
        let (place, done) = self.cursor.progress().map(|Progress { place, done }| (place, done)).unzip();
        let done: Vec<Part> = done.unwrap_or_default();
        let mut expected = place.map_or_else(|| names.first().map_or(1, |name| name.first), |at| at.number);
        let mut finished = Vec::new();
        self.next = expected;
        for name in names {
            match self.survey_one(*name, place, &done, &mut expected) {
                Ok(Some(segment)) => self.segments.push_back(segment),
                Ok(None) => finished.push(*name),
                Err(error) if is_exhausted(&error) => return Err(error),
                // A file that is none, or may not be opened: its records are missing before those behind it.
                Err(_) => {}
            }
            self.next = self.next.max(expected);
        }
        self.done = done.into_iter().filter_map(|part| self.within(part)).collect();
        if let Some(first) = self.segments.front() {
            let start = place.filter(|place| place.segment == first.name);
            self.reader.offset = start.map_or(0, |place| place.offset.min(first.end));
            self.reader.number = start.map_or(first.name.first, |place| place.number);
        } else {
            self.reader.number = self.next;
        }
        self.clear_away(&finished);
        Ok(())
    }

    /// The segment, if it has something to read, or lies between others that have.
    fn survey_one(
        &mut self,
        name: Name,
        place: Option<Place>,
        done: &[Part],
        expected: &mut u64,
    ) -> io::Result<Option<Segment<D::File>>> {
        if place.is_some_and(|place| name.first < place.segment.first) {
            return Ok(None);
        }
        let cursor = place.filter(|place| place.segment == name);
        if cursor.is_none() {
            self.losses.damage.records += name.first.saturating_sub(*expected);
            *expected = name.first.max(*expected);
        }
        let from = cursor.map_or(0, |place| place.offset);
        let damage = &mut self.losses.damage;
        let done: Vec<Part> = done.iter().filter(|part| part.segment == name).copied().collect();
        let segment = Segment::open(&self.disk, &self.folder, name, from, &done, expected, damage)?;
        // One that is done in the middle stays until what is before it is done: no numbers are to be missing there.
        let is_within = !done.is_empty() && !self.segments.is_empty();
        Ok((segment.unread > 0 || is_within).then_some(segment))
    }

    /// As much of a part as its file has.
    fn within(&self, part: Part) -> Option<Part> {
        let segment = self.segments.iter().find(|segment| segment.name == part.segment)?;
        (part.start < segment.end).then(|| Part { end: part.end.min(segment.end), ..part })
    }

    /// Removes segments that have nothing to read, once the cursor cannot point to them.
    fn clear_away(&mut self, finished: &[Name]) {
        if finished.is_empty() || self.cursor.save(&self.disk, self.progress()).is_err() {
            return;
        }
        for name in finished {
            let _ = self.disk.remove(&self.folder.join(name.file()));
        }
    }

    fn append_all(&mut self, records: &[Record<'_>], taken: &mut usize, now: u64) -> io::Result<()> {
        self.is_ours()?;
        while let Some(record) = records.get(*taken) {
            let room = self.prepare((HEADER + record.payload.len()) as u64)?;
            let Some(segment) = self.segments.back_mut() else { break };
            segment.frame(&mut self.frames, &records[*taken..], room);
            let (whole, result) = segment.append(&self.frames, self.options.sync == Sync::Each);
            *taken += whole;
            self.next = segment.next;
            if whole > 0 && self.options.sync != Sync::Each {
                self.unsynced.get_or_insert(now);
            }
            self.is_full = false;
            if let Err(error) = result {
                // A limit of the process or of the file system says nothing about the record.
                let is_limit = error.kind() == io::ErrorKind::FileTooLarge;
                let error = if is_limit { io::Error::other(error) } else { error };
                self.is_full = phrase(&error) == "disk full";
                self.forsake(&error);
                return Err(error);
            }
        }
        self.tick(now)
    }

    /// Sees to it that the last segment takes a frame, and gives how long it may get.
    fn prepare(&mut self, frame: u64) -> io::Result<u64> {
        if frame > self.options.bytes.min((HEADER + LARGEST) as u64) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if let (Some(room), Some(segment)) = (self.room, self.segments.back_mut()) {
            // Records that are done take the room of those to come, where there is no other.
            let is_in_the_way = self.is_full && self.reader.offset == segment.end && self.groups.is_empty();
            if segment.cut_tear().is_ok() && segment.fits(frame, room) && !is_in_the_way {
                return Ok(room);
            }
            self.seal();
        }
        if self.options.sync != Sync::No {
            self.sync()?;
        }
        let _ = self.settle();
        self.begin(frame.max(self.options.segment_bytes()))
    }

    fn begin(&mut self, room: u64) -> io::Result<u64> {
        let name = Name { first: self.next, salt: RandomState::new().hash_one(self.next) as u32 };
        let segment = match Segment::create(&self.disk, &self.folder, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.begin_anew(name)?,
            created => created?,
        };
        if self.options.sync != Sync::No
            && let Err(error) = self.disk.sync_folder(&self.folder)
        {
            let _ = segment.remove(&self.disk);
            return Err(error);
        }
        self.segments.push_back(segment);
        self.room = Some(room);
        while self.segments.len() > 1 && self.bytes() + room > self.options.bytes {
            self.evict();
        }
        // Without syncs nothing is gained by it.
        if let (true, Some(segment)) = (self.options.sync != Sync::No, self.segments.back_mut()) {
            segment.fill(room);
        }
        Ok(room)
    }

    /// Makes the folder again, whose parent someone has restored.
    fn begin_anew(&mut self, name: Name) -> io::Result<Segment<D::File>> {
        self.disk.create_folder(&self.folder)?;
        self.cursor.forget();
        Segment::create(&self.disk, &self.folder, name)
    }

    /// The last segment takes no more.
    fn seal(&mut self) {
        self.room = None;
        if let Some(segment) = self.segments.back_mut() {
            let _ = segment.cut();
        }
        if self.reader.segment + 1 < self.segments.len()
            && let Some(segment) = self.segments.back_mut()
        {
            segment.release();
        }
    }

    /// After an error: a segment without records is no use to anyone, and only a full disk lets the next try go on in one
    /// that has some.
    fn forsake(&mut self, error: &io::Error) {
        if let Some(segment) = self.segments.pop_back_if(|segment| segment.end == 0) {
            let _ = segment.remove(&self.disk);
            self.room = None;
        } else if !matches!(phrase(error), "disk full") {
            self.room = None;
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.unsynced.take().is_none() {
            return Ok(());
        }
        // After a failure the system may have dropped the pages: to ask again would only be told that all is well.
        self.segments.back().map_or(Ok(()), Segment::sync).inspect_err(|_| self.room = None)
    }

    /// The oldest segment makes room.
    fn evict(&mut self) {
        let Some(oldest) = self.segments.front() else { return };
        self.losses.evicted += oldest.unread + self.groups.evict(oldest.name);
        if self.reader.segment == 0 {
            self.start_of(1);
        }
        let _ = self.drop_finished(1, true);
    }

    /// Puts the reader at the start of a segment.
    fn start_of(&mut self, segment: usize) {
        let number = self.segments.get(segment).map_or(self.next, |segment| segment.name.first);
        self.reader = Reader { segment, offset: 0, number, failures: 0 };
    }

    /// Takes the reader over what was done before, and over the ends of segments that are read.
    fn step(&mut self) {
        let last = self.segments.len().saturating_sub(1);
        self.pass();
        while self.reader.segment < last
            && let Some(segment) = self.segments.get_mut(self.reader.segment)
            && self.reader.offset >= segment.end
        {
            // They were there when the log was opened, or written since.
            self.losses.damage.records += segment.unread;
            segment.unread = 0;
            segment.release();
            self.start_of(self.reader.segment + 1);
            self.pass();
        }
    }

    /// Takes the reader over what was done before, if it is there.
    fn pass(&mut self) {
        while let Some(part) = self.next_part() {
            let Reader { offset, number, .. } = self.reader;
            if offset < part.start {
                return;
            }
            self.done.pop_front();
            if offset == part.start {
                let place = Place { segment: part.segment, offset, number };
                self.groups.passed(Extent { place, end: part.end, next: part.next, records: 0 });
                (self.reader.offset, self.reader.number) = (part.end, part.next.max(number));
            }
        }
    }

    /// What the reader will pass next in its segment. What it can pass no more is forgotten.
    fn next_part(&mut self) -> Option<Part> {
        let name = self.segments.get(self.reader.segment)?.name;
        while self.done.pop_front_if(|part| part.segment < name).is_some() {}
        self.done.front().filter(|part| part.segment == name).copied()
    }

    fn read_on(&mut self, most: Most) -> io::Result<Option<Group>> {
        let part = self.next_part();
        let Reader { segment, offset, number, failures } = self.reader;
        let Some(segment) = self.segments.get_mut(segment) else { return Ok(None) };
        let end = part.map_or(segment.end, |part| part.start);
        let swept = segment.sweep(&self.disk, offset..end, most, failures >= MOST_FAILURES);
        let sweep =
            swept.or_else(|error| Self::lost(segment, error)).inspect_err(|_| self.reader.failures += 1)?;
        let records = sweep.records.len() as u64;
        segment.unread = segment.unread.saturating_sub(records + sweep.expired);
        if sweep.end == segment.end && segment.unread > 0 {
            self.losses.damage.records += segment.unread;
            segment.unread = 0;
        }
        self.losses.expired += sweep.expired;
        let place = Place { segment: segment.name, offset, number };
        (self.reader.offset, self.reader.number, self.reader.failures) =
            (sweep.end, sweep.next.max(number), 0);
        if records == 0 {
            return Ok(None);
        }
        let token = self.groups.out(Extent { place, end: sweep.end, next: self.reader.number, records });
        Ok(Some(Group { token, records: sweep.records }))
    }

    fn read_again(&mut self, extent: &Extent, most: Most) -> io::Result<Option<Group>> {
        let name = extent.place.segment;
        let segment = self.segments.iter_mut().find(|segment| segment.name == name);
        let Some(segment) = segment else { return Err(io::ErrorKind::NotFound.into()) };
        let is_last_try = self.reader.failures >= MOST_FAILURES;
        let swept = segment.sweep(&self.disk, extent.range(), most, is_last_try);
        let sweep =
            swept.or_else(|error| Self::lost(segment, error)).inspect_err(|_| self.reader.failures += 1)?;
        self.reader.failures = 0;
        let records = sweep.records.len() as u64;
        let left = extent.records.saturating_sub(records + sweep.expired);
        self.losses.expired += sweep.expired;
        let place = Place { segment: name, offset: sweep.end, number: sweep.next.max(extent.place.number) };
        let rest = Extent { place, records: left, ..extent.clone() };
        let rest = (left > 0 && sweep.end < extent.end).then_some(rest);
        if rest.is_none() {
            self.losses.damage.records += left;
        }
        let token = self.groups.out_again(records, rest);
        Ok(token.map(|token| Group { token, records: sweep.records }))
    }

    /// A segment that is gone has been read to its end.
    fn lost(segment: &Segment<D::File>, error: io::Error) -> io::Result<Sweep> {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        Ok(Sweep { records: Vec::new(), expired: 0, end: segment.end, next: segment.next })
    }

    /// The first place that is not done.
    fn place(&self) -> Place {
        let Reader { segment, offset, number, .. } = self.reader;
        let next = Place { segment: Name { first: self.next, salt: 0 }, offset: 0, number: self.next };
        if let Some(place) = self.groups.first() {
            return place;
        }
        let is_over = self.room.is_none() && segment + 1 == self.segments.len();
        let segment = self.segments.get(segment).filter(|segment| !is_over || offset < segment.end);
        segment.map_or(next, |segment| Place { segment: segment.name, offset, number })
    }

    /// What the next process need not read.
    fn progress(&self) -> Progress {
        let place = self.place();
        let done = self.groups.parts().chain(self.done.iter().copied());
        Progress { place, done: done.filter(|part| part.is_behind(place)).take(MOST_PARTS).collect() }
    }

    /// Moves the cursor, and removes what lies before it.
    fn settle(&mut self) -> io::Result<()> {
        self.is_ours()?;
        self.step();
        let place = self.place();
        match self.segments.iter().take_while(|segment| segment.name < place.segment).count() {
            0 if self.segments.is_empty() => Ok(()),
            0 => self.cursor.mark(&self.disk, self.progress()),
            finished => self.drop_finished(finished, false),
        }
    }

    fn drop_finished(&mut self, finished: usize, at_any_price: bool) -> io::Result<()> {
        let progress = self.progress();
        let saved = self.cursor.save(&self.disk, progress.clone());
        if let Err(error) = &saved {
            let marked = self.cursor.mark(&self.disk, progress.clone());
            let is_full = error.kind() == io::ErrorKind::StorageFull;
            if !is_full && !at_any_price {
                return saved.and(marked);
            }
        }
        for segment in self.segments.drain(..finished) {
            // What stays is below the cursor, and removed when the log is opened.
            let _ = segment.remove(&self.disk);
        }
        match self.reader.segment.checked_sub(finished) {
            Some(segment) => self.reader.segment = segment,
            None => self.start_of(0),
        }
        if saved.is_ok() { Ok(()) } else { self.cursor.save(&self.disk, progress) }
    }

    fn remove(&mut self) -> io::Result<()> {
        for segment in self.segments.drain(..) {
            segment.remove(&self.disk)?;
        }
        self.cursor.remove(&self.disk);
        self.disk.remove_folder(&self.folder)
    }

    /// A forked child has a copy of this log, and no right to it.
    fn is_ours(&self) -> io::Result<()> {
        if self.disk.process() == self.process {
            return Ok(());
        }
        Err(io::Error::other("the spool is of the process that this one was forked from"))
    }
}

/// Whether the process, or the system, has no descriptors left: it says nothing about the file.
#[cfg(unix)]
fn is_exhausted(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

#[cfg(not(unix))]
fn is_exhausted(_error: &io::Error) -> bool {
    false
}

/// What cannot be read so often is given up.
const MOST_FAILURES: u32 = 3;
