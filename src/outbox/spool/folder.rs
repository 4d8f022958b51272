//! The folder of one outbox, and those of outboxes that are no more.

use std::{
    fs::{self, File, TryLockError},
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Disk, Log, Options, SystemDisk, lane_folder::escape};

/// A folder that nobody else writes to: not another process, not another outbox of this one, not a forked child.
///
/// It is this process's for as long as it lives and the value does; the operating system gives up the lock with it.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    path: PathBuf,
    lock: File,
    process: u32,
}

/// The folder of an outbox whose process is gone, or that was dropped. It is ours now, until it is dropped.
#[derive(Debug)]
pub(crate) struct Orphan {
    path: PathBuf,
    _lock: File,
}

// ===== impl Folder =====

impl Folder {
    /// Makes a folder of its own below `root`, which is made if its parent is there.
    ///
    /// # Errors
    ///
    /// The path cannot be used: it is a file, may not be written to, has no parent, or is on a file system without locks.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        SystemDisk.create_folder(root)?;
        for _ in 0..TRIES {
            let path = root.join(unique());
            SystemDisk.create_folder(&path)?;
            if let Some(lock) = lock(&path)? {
                return Ok(Self { root: root.to_owned(), path, lock, process: process::id() });
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Where it is.
    #[cfg(test)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the log of a lane. There must be one at a time.
    pub(crate) fn log(&self, lane: &str, options: Options) -> io::Result<Log> {
        self.is_ours()?;
        Log::open(SystemDisk, &self.path.join(escape(lane)), options)
    }

    /// Takes over the folders beside this one whose owners are gone and that have the folder of a lane that is wanted, and
    /// leaves the others to those that have use for them. Those that are empty are removed. It can be asked again, when
    /// others may have gone.
    pub(crate) fn orphans(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<Orphan> {
        let names = self.is_ours().and_then(|()| SystemDisk.list(&self.root)).unwrap_or_default();
        let paths = names.iter().map(|name| self.root.join(name));
        paths.filter(|path| *path != self.path).filter_map(|path| Orphan::adopt(&path, &is_wanted)).collect()
    }

    /// Makes the folder again if someone removed it. The logs in it go on.
    pub(crate) fn restore(&mut self) -> io::Result<()> {
        self.is_ours()?;
        if is_lock_of(&self.lock, &self.path) {
            return Ok(());
        }
        SystemDisk.create_folder(&self.root)?;
        SystemDisk.create_folder(&self.path)?;
        self.lock = lock(&self.path)?.ok_or(io::ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// Removes the folder if there is nothing in it. `false`: what is in it is for whoever opens `root` next.
    pub(crate) fn close(self) -> io::Result<bool> {
        self.is_ours()?;
        remove(&self.path)
    }

    fn is_ours(&self) -> io::Result<()> {
        if self.process == process::id() {
            return Ok(());
        }
        Err(io::Error::other("the spool is of the process that this one was forked from"))
    }
}

// ===== impl Orphan =====

impl Orphan {
    /// The lanes that left something.
    #[cfg(test)]
    pub(crate) fn lanes(&self) -> Vec<String> {
        folders(&self.path).iter().map(|name| super::lane_folder::unescape(name)).collect()
    }

    /// Opens what a lane left.
    pub(crate) fn log(&self, lane: &str, options: Options) -> io::Result<Option<Log>> {
        let folder = self.path.join(escape(lane));
        if !folder.is_dir() {
            return Ok(None);
        }
        Log::open(SystemDisk, &folder, options).map(Some)
    }

    /// Removes the folder if there is nothing in it. `false`: what is in it is for whoever comes next.
    pub(crate) fn close(self) -> io::Result<bool> {
        remove(&self.path)
    }

    /// Whether it has the folder of a lane that is wanted.
    pub(crate) fn has(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        folders(&self.path).iter().any(|name| is_wanted(name))
    }

    fn adopt(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Option<Self> {
        // A link leads to where nobody asked us to look.
        if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) || !is_name(path) {
            return None;
        }
        // Not even for a moment, in which somebody may look who has use for it.
        let left = folders(path);
        if !left.is_empty() && !left.iter().any(|name| is_wanted(name)) {
            return None;
        }
        let lock = lock(path).ok()??;
        match remove(path) {
            Ok(true) => None,
            // What was there when it was to be removed may be somebody's who has just begun: then so is the lock.
            _ => is_lock_of(&lock, path).then(|| Self { path: path.to_owned(), _lock: lock }),
        }
    }
}

/// The lock of a folder, unless someone has it.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = match options.read(true).write(true).create(true).truncate(false).open(&path) {
        // Whoever took it for an orphan has removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => Ok(is_lock_of(&file, folder).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the lock is the one that others find.
#[cfg(unix)]
fn is_lock_of(lock: &File, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let (Ok(ours), Ok(theirs)) = (lock.metadata(), fs::symlink_metadata(folder.join(LOCK))) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}

#[cfg(not(unix))]
fn is_lock_of(_lock: &File, folder: &Path) -> bool {
    folder.join(LOCK).exists()
}

/// What is in a folder beside its lock.
fn folders(folder: &Path) -> Vec<String> {
    let names = SystemDisk.list(folder).unwrap_or_default();
    names.into_iter().filter(|name| name != LOCK).collect()
}

/// Removes a folder that has a lock and empty lanes, if that is all it has.
fn remove(folder: &Path) -> io::Result<bool> {
    for name in SystemDisk.list(folder)?.iter().filter(|name| *name != LOCK) {
        if SystemDisk.remove_folder(&folder.join(name)).is_err() {
            return Ok(false);
        }
    }
    SystemDisk.remove(&folder.join(LOCK))?;
    // Someone may look into it right now; then it is theirs.
    Ok(SystemDisk.remove_folder(folder).is_ok())
}

/// For people: the process and the time.
fn unique() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let random = RandomState::new().hash_one(since) as u32;
    format!("{}-{since:x}-{random:08x}", process::id())
}

/// Whether it is a name as we give them: nothing else is locked or removed.
fn is_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parts: Vec<&str> = name.split('-').collect();
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.len() == 3 && parts.into_iter().all(is_hex)
}

const LOCK: &str = "lock";

/// How often a new folder may be taken for an orphan before it is locked.
const TRIES: u32 = 8;
