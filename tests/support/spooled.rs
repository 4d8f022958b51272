//! A log whose files were changed by strangers.

use std::path::Path;

use super::{Disk, Log, Options, Record, memory_disk::MemoryDisk};

/// Writes a log, changes its files as the bytes say, eight for each change, and opens it: it reads what was written, in
/// order, or less, and goes on.
pub(crate) fn change(changes: &[u8]) {
    let (disk, folder) = (MemoryDisk::default(), Path::new("/log"));
    disk.put_folder(folder);
    write(&mut open(&disk, folder));
    let paths = disk.files();
    for change in changes.chunks_exact(8) {
        let path = &paths[change[0] as usize % paths.len()];
        let mut bytes = disk.bytes(path);
        apply(&mut bytes, change);
        disk.put(path, &bytes);
    }
    let foreign = changes.chunks_exact(8).remainder();
    disk.put(&folder.join("00000000000000000003-00000001.seg"), &foreign.repeat(40));

    let mut log = open(&disk, folder);
    let mut numbers = read(&mut log);
    assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    assert!(numbers.last().is_none_or(|last| *last < RECORDS));
    assert!(numbers.len() as u64 + log.losses().damage.records <= u64::from(RECORDS));
    append(&mut log, RECORDS);
    drop(log);
    numbers = read(&mut open(&disk, folder));
    assert_eq!(numbers, [RECORDS]);
}

fn open(disk: &MemoryDisk, folder: &Path) -> Log<MemoryDisk> {
    Log::open(disk.clone(), folder, Options { segment: 600, ..Options::default() })
        .expect("it opens, whatever it is")
}

fn write(log: &mut Log<MemoryDisk>) {
    (0..RECORDS).for_each(|number| append(log, number));
    let group = log.read(9, usize::MAX, 0).expect("they were written");
    log.flush().expect("the disk is well");
    log.give_back(group.token);
}

fn append<D: Disk>(log: &mut Log<D>, number: u8) {
    let payload = vec![number; usize::from(number) * 5];
    assert_eq!(log.append(&[Record { at: u64::from(number), payload: &payload }], 0).taken, 1);
}

fn read<D: Disk>(log: &mut Log<D>) -> Vec<u8> {
    let mut numbers = Vec::new();
    while let Some(group) = log.read(4, usize::MAX, 0) {
        for record in group.records {
            assert_eq!(record.payload, vec![record.at as u8; record.at as usize * 5]);
            numbers.push(record.at as u8);
        }
        log.done(group.token).expect("the disk is well");
    }
    numbers
}

fn apply(bytes: &mut Vec<u8>, change: &[u8]) {
    let at = usize::from(u16::from_le_bytes([change[2], change[3]])) % (bytes.len() + 1);
    let part = at..(at + usize::from(change[4])).min(bytes.len());
    match change[1] % 6 {
        0 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= change[5] | 1),
        1 => bytes[part].fill(change[5]),
        2 => bytes.truncate(at),
        3 => _ = bytes.drain(part),
        4 => _ = bytes.splice(at..at, change[5..8].iter().copied()),
        _ => bytes.extend(bytes[part].to_vec()),
    }
}

const RECORDS: u8 = 20;
