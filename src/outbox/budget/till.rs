use std::{
    fmt::Write as _,
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    Unit,
    bucket::{Bucket, Pace},
    month::Month,
};

/// A bucket in a file, which processes share.
///
/// Whoever visits it holds a lock for as long as it takes to write what is left. It is written to a file of another name that
/// takes its place, so that it is there whole or not at all; and before it is used, so that who dies has used it.
#[derive(Debug)]
pub(super) struct Till {
    folder: PathBuf,
    name: String,
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    Bucket,
    Nothing,
    /// Something that is no bucket.
    Damage,
}

// ===== impl Till =====

impl Till {
    pub(super) fn new(folder: &Path, unit: &Unit) -> Self {
        Self { folder: folder.to_owned(), name: file_name(unit.name()) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Changes the bucket, as it is at this time. It blocks, for a fifth of a second at most unless the disk does.
    ///
    /// # Errors
    ///
    /// What was changed could not be written: it has not happened. Or somebody else holds the lock all the time.
    pub(super) fn visit<T>(
        &self,
        pace: &Pace,
        now: SystemTime,
        change: impl FnOnce(&mut Bucket) -> T,
    ) -> io::Result<(T, Bucket, Found)> {
        create_folder(&self.folder)?;
        // Given up when it is closed.
        let _lock = self.lock()?;
        let (mut bucket, found) = match self.read()? {
            None => (Bucket::fresh(pace, now), Found::Nothing),
            Some(text) => match decode(&text) {
                Some(bucket) => (bucket, Found::Bucket),
                None => (Bucket::empty(now), Found::Damage),
            },
        };
        bucket.refill(pace, now);
        let changed = change(&mut bucket);
        self.write(&encode(&bucket))?;
        Ok((changed, bucket, found))
    }

    fn lock(&self) -> io::Result<File> {
        let file = options().truncate(false).open(self.folder.join(LOCK))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => thread::park_timeout(PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds its lock"))
    }

    fn read(&self) -> io::Result<Option<String>> {
        let file = match File::open(self.folder.join(&self.name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let (path, new) = (self.folder.join(&self.name), self.folder.join(format!("{}.new", self.name)));
        let mut file = options().truncate(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(new, path)?;
        sync_folder(&self.folder)
    }
}

/// A line: the version, the time, the level and its top, the month and what was used in it, and a checksum.
fn encode(bucket: &Bucket) -> String {
    let Bucket { level, top, at, month, spent } = bucket;
    let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut line = format!("{VERSION} {at} {level} {top} {} {spent}", month.0);
    let sum = checksum(&line);
    writeln!(line, " {sum:016x}").unwrap_or_default();
    line
}

fn decode(text: &str) -> Option<Bucket> {
    let (line, sum) = text.strip_suffix('\n')?.rsplit_once(' ')?;
    if u64::from_str_radix(sum, 16).ok()? != checksum(line) {
        return None;
    }
    let mut words = line.strip_prefix(VERSION)?.split_whitespace();
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(words.next()?.parse().ok()?))?;
    let number = |word: &str| word.parse().ok().filter(|number: &f64| number.is_finite());
    let (level, top) = (number(words.next()?)?, number(words.next()?)?);
    let month = Month(words.next()?.parse().ok()?);
    let spent = number(words.next()?)?;
    words.next().is_none().then_some(Bucket { level, top, at, month, spent })
}

/// [FNV-1a](https://datatracker.ietf.org/doc/html/draft-eastlake-fnv): it is against accidents.
fn checksum(line: &str) -> u64 {
    line.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A name that every file system takes.
fn file_name(unit: &str) -> String {
    let mut name = String::new();
    for byte in unit.bytes().take(MOST_BYTES) {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b' ' => name.push('-'),
            _ => write!(name, "%{byte:02x}").unwrap_or_default(),
        }
    }
    name + ".budget"
}

/// For the owner's eyes only, as all that is made in it.
fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn options() -> fs::OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create(true);
    options
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

const VERSION: &str = "belvedere-budget-1";
const LOCK: &str = "lock";

/// A visit takes some milliseconds.
const PAUSE: Duration = Duration::from_millis(5);
const TRIES: u32 = 40;

/// More than a line can have.
const LONGEST: u64 = 4096;

/// So that no name is longer than file systems take, which is 255 bytes.
const MOST_BYTES: usize = 80;
