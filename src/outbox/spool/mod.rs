//! What is not delivered yet, on the disk: a log of records per lane, in a folder per outbox.
//!
//! ```text
//!  <path>/                           shared by any number of processes
//!    41-18c2f0a91be-9f31c2d4/        one outbox of one process, for as long as it holds the lock
//!      lock
//!      spans%20%231%2ea/             a log of the first lane called spans: it has one, `a`, or two, `b`
//!        00000000000000000001-5d1f09aa.seg
//!        00000000000000016001-c0de77e1.seg
//!        cursor                      everything below it is done, and some parts behind it
//! ```
//!
//! # What is promised
//!
//! - **Accepted** means that `write(2)` has returned for the whole record, and under [`Sync::Each`] that `fdatasync` has,
//!   too. An accepted record survives the end of the process, however it comes; and a power cut when it was synced.
//! - A record is read until it is done. Whoever dies reads again what the cursor does not know to be done: after a
//!   `kill -9` the groups that were out, and what was done behind the first of them in more than thirteen parts; after a
//!   power cut also what was done since the cursor was last made durable, which is at most the rest of one segment.
//! - What is read was written: at that place, in that file, with these bytes. Whatever else is there is skipped, and
//!   counted by the numbers that are missing.
//! - Nothing fails for good: an error is for the caller to count, and the next try may succeed.
//!
//! # What is not
//!
//! - A record that was refused with an error can be read after the process dies, if the disk also refused to have it cut
//!   off again.
//! - Records at the very end of the log that a power cut or a flipped bit took are missing without a number, because
//!   nothing behind them tells that they were there.
//! - A forked child holds its parent's lock open: until it has ended too, nobody adopts their folder.

mod config;
mod cursor;
mod damage;
mod disk;
mod folder;
mod frame;
mod groups;
mod lane_folder;
mod log;
mod options;
mod receipt;
mod root;
mod runs;
mod segment;
mod store;
#[cfg(test)]
mod tests;
mod window;

pub use config::Spool;
pub(crate) use damage::Damage;
#[cfg(test)]
pub(crate) use disk::DiskFile;
pub(crate) use disk::{Disk, SystemDisk, phrase};
pub(crate) use folder::{Folder, Orphan};
pub(crate) use groups::{Group, Stored, Token};
pub(crate) use log::{Appended, Log, Losses, Record};
pub(crate) use options::{Options, Sync};
pub(super) use receipt::{PutDown, REFUSED, Receipt};
pub(super) use root::Root;
pub(super) use store::{Loan, Store};
