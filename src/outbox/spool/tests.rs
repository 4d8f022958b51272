use std::path::{Path, PathBuf};

use super::*;

mod damage;
mod faults;
mod folders;
mod kill;
#[path = "../../../tests/support/memory_disk.rs"]
mod memory_disk;
mod model;
#[path = "../../../tests/support/spooled.rs"]
mod spooled;
mod store;
#[path = "../../../tests/support/folder.rs"]
mod temporary;

use memory_disk::{Crash, MemoryDisk};

/// A log of a disk in memory whose segments have 2 KB.
fn open(disk: &MemoryDisk, sync: Sync) -> Log<MemoryDisk> {
    Log::open(disk.clone(), Path::new(FOLDER), Options { segment: 2048, sync, ..Options::default() }).unwrap()
}

/// The number as a payload of some length.
fn payload(number: u64, length: usize) -> Vec<u8> {
    let mut payload = format!("{number:08}").into_bytes();
    payload.resize(payload.len().max(length), b'.');
    payload
}

fn number(stored: &Stored) -> u64 {
    let payload = &stored.payload;
    assert!(payload[8..].iter().all(|byte| *byte == b'.'), "altered: {payload:?}");
    str::from_utf8(&payload[..8]).unwrap().parse().unwrap()
}

/// Appends the numbers, one record each, in one call, and gives how many were taken.
fn append<D: Disk>(log: &mut Log<D>, numbers: impl IntoIterator<Item = u64>, length: usize) -> usize {
    let payloads: Vec<_> = numbers.into_iter().map(|number| payload(number, length)).collect();
    let records: Vec<_> = payloads.iter().map(|payload| Record { at: NOW, payload }).collect();
    log.append(&records, NOW).taken
}

/// Reads and finishes all there is.
fn drain<D: Disk>(log: &mut Log<D>) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(group) = log.read(7, usize::MAX, NOW) {
        numbers.extend(group.records.iter().map(number));
        let _ = log.done(group.token);
    }
    assert_eq!(log.len(), 0);
    numbers
}

/// Every lane is wanted.
fn whichever(_: &str) -> bool {
    true
}

/// So many orphans. A process that another test forks holds every lock until it is another program.
fn adopted(folder: &Folder, count: usize) -> Vec<Orphan> {
    let mut orphans = folder.orphans(whichever);
    for _ in 0..1000 {
        if orphans.len() >= count {
            break;
        }
        std::thread::yield_now();
        orphans.extend(folder.orphans(whichever));
    }
    assert_eq!(orphans.len(), count);
    orphans
}

fn segments(disk: &MemoryDisk) -> Vec<PathBuf> {
    disk.files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect()
}

const FOLDER: &str = "/log";
const NOW: u64 = 1_800_000_000_000;
