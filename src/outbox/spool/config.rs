use std::{path::PathBuf, time::Duration};

use super::{Options, Sync};

/// Where an outbox keeps on a disk what is not delivered yet, and how much of it. See [the module](super::super#the-spool).
///
/// ```no_run
/// use belvedere::outbox::{Outbox, Spool};
///
/// let outbox = Outbox::builder().spool(Spool::new("/var/lib/shop/spool").bytes(1 << 30)).start()?;
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spool {
    pub(super) path: PathBuf,
    pub(super) options: Options,
}

// ===== impl Spool =====

impl Spool {
    /// A folder of any number of processes on this machine: each has a folder of its own in it, and takes over those of
    /// processes that are gone. It is made if its parent is there; it must be on a local file system that has locks.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let options = Options { bytes: BYTES, age: Some(AGE), ..Options::default() };
        Self { path: path.into(), options }
    }

    /// How many bytes of the disk one lane takes at most, at least 64 KiB. Default: 256 MiB. The oldest records make room,
    /// some megabytes at once, and are lost as `evicted`.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.options.bytes = bytes.max(LEAST);
        self
    }

    /// How old a record may be when it is read for the backend; what is older is lost as `expired`. Default: 13 days and 22
    /// hours, because CloudWatch Logs takes nothing that is older than 14 days.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.options.age = Some(age);
        self
    }

    /// Has the disk write what is accepted within this time, so that a power cut costs no more than that; at zero, before it
    /// counts as accepted. Default: whenever the system does, which costs nothing; the end of the process, however it
    /// comes, needs none of this.
    #[must_use]
    pub fn sync(mut self, within: Duration) -> Self {
        self.options.sync = if within.is_zero() { Sync::Each } else { Sync::Every(within) };
        self
    }
}

const BYTES: u64 = 256 << 20;
const LEAST: u64 = 64 << 10;
const AGE: Duration = Duration::from_secs((13 * 24 + 22) * 60 * 60);
