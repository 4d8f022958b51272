//! One file of a log.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    Damage, Stored,
    cursor::Part,
    disk::{Disk, DiskFile, write_all},
    frame::{self, Found, HEADER, Seed},
    window::Window,
};

/// The name of a segment: the number of its first record, and a random part that no stranger knows.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Name {
    pub(super) first: u64,
    pub(super) salt: u32,
}

/// A file of records, and what is known of it.
#[derive(Debug)]
pub(super) struct Segment<F> {
    pub(super) name: Name,
    /// Where its records end.
    pub(super) end: u64,
    /// How long the file is.
    pub(super) size: u64,
    /// The number of the record that comes next.
    pub(super) next: u64,
    /// How many records lie before the reader, which are not given back.
    pub(super) unread: u64,
    path: PathBuf,
    file: Option<F>,
    /// Whether bytes that are no records may lie behind the end.
    is_torn: bool,
}

/// Frames that are to be written at once.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

/// How much to read at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    pub(super) records: usize,
    pub(super) bytes: usize,
    /// The time of the oldest record that still counts.
    pub(super) since: u64,
}

/// What one reading found.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) records: Vec<Stored>,
    /// Records that were too old.
    pub(super) expired: u64,
    /// Where it ended.
    pub(super) end: u64,
    /// The number of the record that comes next.
    pub(super) next: u64,
}

/// A record in a segment.
#[derive(Clone, Copy, Debug)]
struct Hit {
    payload: (u64, usize),
    number: u64,
    at: u64,
}

// ===== impl Name =====

impl Name {
    /// Of a file, if it is a segment.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (first, salt) = file.strip_suffix(".seg")?.split_once('-')?;
        let name = Self { first: first.parse().ok()?, salt: u32::from_str_radix(salt, 16).ok()? };
        // One name per segment, and room to go on counting.
        (name.file() == file && name.first < u64::MAX / 2).then_some(name)
    }

    pub(super) fn file(self) -> String {
        format!("{:020}-{:08x}.seg", self.first, self.salt)
    }
}

// ===== impl Segment =====

impl<F: DiskFile> Segment<F> {
    pub(super) fn create<D: Disk<File = F>>(disk: &D, folder: &Path, name: Name) -> io::Result<Self> {
        let path = folder.join(name.file());
        let file = disk.create(&path)?;
        Ok(Self {
            name,
            end: 0,
            size: 0,
            next: name.first,
            unread: 0,
            path,
            file: Some(file),
            is_torn: false,
        })
    }

    /// Opens one that is there and looks at every record from `from` on. What is wrong with it is added to `damage`;
    /// `expected` is the number that should come next. Records in `done` are not to be read.
    pub(super) fn open<D: Disk<File = F>>(
        disk: &D,
        folder: &Path,
        name: Name,
        from: u64,
        done: &[Part],
        expected: &mut u64,
        damage: &mut Damage,
    ) -> io::Result<Self> {
        let path = folder.join(name.file());
        let file = disk.open(&path)?;
        let size = file.length()?;
        let mut segment =
            Self { name, end: size, size, next: name.first, unread: 0, path, file: None, is_torn: false };
        segment.survey(&file, from, done, expected, damage);
        segment.file = Some(file);
        let _ = segment.cut();
        segment.file = None;
        Ok(segment)
    }

    /// Gives the file its length in zeros, so that writing the records does not have to, or leaves it empty.
    pub(super) fn fill(&mut self, length: u64) {
        let Some(file) = &self.file else { return };
        let zeros = vec![0; ZEROS.min(length as usize)];
        while self.size < length {
            let more = (length - self.size).min(zeros.len() as u64) as usize;
            let (written, result) = write_all(file, &zeros[..more], self.size);
            self.size += written as u64;
            if result.is_err() {
                _ = self.cut();
                return;
            }
        }
        let _ = file.sync();
    }

    pub(super) fn fits(&self, frame: u64, limit: u64) -> bool {
        self.end + frame <= limit && self.next - self.name.first < u64::from(u32::MAX)
    }

    /// Puts records behind those that are in `frames`, as many as fit. Gives how many.
    pub(super) fn frame(&self, frames: &mut Frames, records: &[super::Record<'_>], limit: u64) -> usize {
        frames.clear();
        let seed = Seed::new(self.name);
        for (number, record) in records.iter().enumerate() {
            let offset = self.end + frames.bytes.len() as u64;
            let next = offset + (HEADER + record.payload.len()) as u64;
            let index = self.next - self.name.first + number as u64;
            if next > limit || record.payload.len() > frame::LARGEST || index >= u64::from(u32::MAX) {
                return number;
            }
            frame::write(&mut frames.bytes, seed, offset, index as u32, record.at, record.payload);
            frames.ends.push(frames.bytes.len());
        }
        records.len()
    }

    /// Writes frames at the end. Gives how many are there as a whole and, if asked for, synced.
    pub(super) fn append(&mut self, frames: &Frames, sync: bool) -> (usize, io::Result<()>) {
        let Some(file) = &self.file else {
            return (0, Err(io::ErrorKind::NotFound.into()));
        };
        let (written, mut result) = write_all(file, &frames.bytes, self.end);
        self.size = self.size.max(self.end + written as u64);
        let mut whole = frames.ends.partition_point(|end| *end <= written);
        if whole > 0
            && let Err(error) = Self::confirm(file, sync)
        {
            (whole, result) = (0, Err(error));
        }
        if let Some(last) = whole.checked_sub(1) {
            self.end += frames.ends[last] as u64;
            self.next += whole as u64;
            self.unread += whole as u64;
        }
        if result.is_err() {
            self.is_torn = true;
            let _ = self.cut();
        }
        (whole, result)
    }

    /// Makes the file end where its records do.
    pub(super) fn cut(&mut self) -> io::Result<()> {
        if self.size > self.end || self.is_torn {
            let Some(file) = &self.file else { return Ok(()) };
            if let Err(error) = file.set_length(self.end) {
                return if self.is_torn { self.wipe() } else { Err(error) };
            }
            (self.size, self.is_torn) = (self.end, false);
        }
        Ok(())
    }

    /// Writes zeros over what is behind the end.
    fn wipe(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let zeros = vec![0; ZEROS.min((self.size - self.end) as usize)];
        let mut at = self.end;
        while at < self.size {
            let more = (self.size - at).min(zeros.len() as u64);
            write_all(file, &zeros[..more as usize], at).1?;
            at += more;
        }
        self.is_torn = false;
        Ok(())
    }

    /// Tries again to remove what a failed write left behind the end.
    pub(super) fn cut_tear(&mut self) -> io::Result<()> {
        if self.is_torn { self.cut() } else { Ok(()) }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), DiskFile::sync)
    }

    /// Gives the descriptor back. A file that is gone from its folder is kept: there is no other way to read it.
    pub(super) fn release(&mut self) {
        self.file.take_if(|file| file.is_linked().unwrap_or(true));
    }

    pub(super) fn remove<D: Disk<File = F>>(&self, disk: &D) -> io::Result<()> {
        match disk.remove(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads records, one at least if there is one. `is_last_try` says that bytes which cannot be read are to be skipped.
    pub(super) fn sweep<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        range: Range<u64>,
        most: Most,
        is_last_try: bool,
    ) -> io::Result<Sweep> {
        if self.file.is_none() {
            self.file = Some(disk.open(&self.path)?);
        }
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let mut search = Search::new(file, self.name, range.clone(), most.window());
        search.is_lenient = is_last_try;
        let (mut hits, mut bytes, mut expired, mut next) = (Vec::new(), 0_usize, 0, self.name.first);
        let mut end = range.start;
        while hits.len() < most.records {
            let found = if hits.is_empty() { search.next()? } else { search.peek() };
            let Some(hit) = found else {
                end = if hits.is_empty() { range.end } else { end };
                break;
            };
            if hit.at < most.since {
                expired += 1;
            } else if hits.is_empty() || bytes + hit.payload.1 <= most.bytes {
                bytes += hit.payload.1;
                hits.push(hit);
            } else {
                break;
            }
            (end, next) = (hit.end(), hit.number + 1);
        }
        Ok(Sweep { records: search.window.stored(&hits), expired, end, next })
    }

    fn confirm(file: &F, sync: bool) -> io::Result<()> {
        if sync {
            file.sync()?;
        }
        // What is written into a file that was removed is written, and gone.
        if file.is_linked()? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn survey(&mut self, file: &F, from: u64, done: &[Part], expected: &mut u64, damage: &mut Damage) {
        let mut end = from.min(self.size);
        let mut search = Search::new(file, self.name, end..self.size, SURVEY);
        search.is_lenient = true;
        while let Ok(Some(hit)) = search.next() {
            let before = done.iter().take_while(|part| part.end <= hit.start());
            *expected = before.fold(*expected, |expected, part| expected.max(part.next));
            damage.records += hit.number.saturating_sub(*expected);
            damage.bytes += hit.start() - end;
            *expected = (hit.number + 1).max(*expected);
            (end, self.next) = (hit.end(), hit.number + 1);
            self.unread += u64::from(!done.iter().any(|part| part.has(hit.start())));
        }
        damage.bytes += rubbish(file, end..self.size);
        self.end = end;
    }
}

// ===== impl Frames =====

impl Frames {
    fn clear(&mut self) {
        let Self { bytes, ends } = self;
        bytes.clear();
        bytes.shrink_to(KEPT);
        ends.clear();
    }
}

// ===== impl Most =====

impl Most {
    fn window(&self) -> usize {
        let records = self.records.saturating_mul(TYPICAL).max(LEAST_WINDOW);
        self.bytes.saturating_add(self.records.saturating_mul(HEADER)).min(records).min(MOST_WINDOW)
    }
}

// ===== impl Hit =====

impl Hit {
    fn start(&self) -> u64 {
        self.payload.0 - HEADER as u64
    }

    fn end(&self) -> u64 {
        self.payload.0 + self.payload.1 as u64
    }
}

/// Goes through the records of a range.
struct Search<'a, F> {
    file: &'a F,
    name: Name,
    seed: Seed,
    range: Range<u64>,
    window: Window,
    ahead: usize,
    is_lenient: bool,
}

// ===== impl Search =====

impl<'a, F: DiskFile> Search<'a, F> {
    fn new(file: &'a F, name: Name, range: Range<u64>, ahead: usize) -> Self {
        let seed = Seed::new(name);
        Self { file, name, seed, range, window: Window::default(), ahead, is_lenient: false }
    }

    /// The next record. It moves the window when it has to.
    fn next(&mut self) -> io::Result<Option<Hit>> {
        while self.range.start < self.range.end {
            match self.find() {
                Found::Whole(frame) => return Ok(Some(self.hit(frame))),
                Found::Nothing => self.range.start = self.range.end,
                Found::Partial { start, needed } => {
                    self.range.start += start as u64;
                    self.load(needed)?;
                }
            }
        }
        Ok(None)
    }

    /// The next record, if it is in the window.
    fn peek(&mut self) -> Option<Hit> {
        match self.find() {
            Found::Whole(frame) => Some(self.hit(frame)),
            _ => None,
        }
    }

    fn find(&self) -> Found {
        let is_all = self.window.end() >= self.range.end;
        frame::find(self.window.from(self.range.start), self.seed, self.range.start, is_all)
    }

    fn hit(&mut self, frame: frame::Frame) -> Hit {
        let payload = (self.range.start + (frame.start + HEADER) as u64, frame.length);
        let hit = Hit { payload, number: self.name.first + u64::from(frame.index), at: frame.at };
        self.range.start = hit.end();
        hit
    }

    fn load(&mut self, needed: usize) -> io::Result<()> {
        let left = self.range.end - self.range.start;
        let length = (needed.max(self.ahead) as u64).min(left) as usize;
        if self.is_lenient {
            self.window.load_what_can_be(self.file, self.range.start, length);
            return Ok(());
        }
        self.window.load(self.file, self.range.start, length)
    }
}

// ===== impl Window =====

impl Window {
    fn stored(self, hits: &[Hit]) -> Vec<Stored> {
        let (start, bytes) = self.freeze();
        let stored = |hit: &Hit| {
            let from = (hit.payload.0 - start) as usize;
            Stored { at: hit.at, payload: bytes.slice(from..from + hit.payload.1) }
        };
        hits.iter().map(stored).collect()
    }
}

/// How many bytes there are up to the last that is not zero.
fn rubbish(file: &impl DiskFile, range: Range<u64>) -> u64 {
    let (mut window, mut at, mut last) = (Window::default(), range.start, range.start);
    while at < range.end {
        window.load_what_can_be(file, at, (range.end - at).min(SURVEY as u64) as usize);
        if let Some(place) = window.from(at).iter().rposition(|byte| *byte != 0) {
            last = at + place as u64 + 1;
        }
        at = window.end();
    }
    last - range.start
}

/// What is written at once to fill a file.
const ZEROS: usize = 1 << 20;

/// What the scratch buffer may keep.
const KEPT: usize = 1 << 20;

/// What is read at once to look through a segment.
const SURVEY: usize = 1 << 20;

/// What a record is guessed to have, in bytes; and what is read at once for a group, at least and at most.
const TYPICAL: usize = 4 << 10;
const LEAST_WINDOW: usize = 64 << 10;
const MOST_WINDOW: usize = 4 << 20;
