//! Caps, and a disk that refuses.

use std::{io::ErrorKind, time::Duration};

use super::*;

fn capped(disk: &MemoryDisk, bytes: u64, age: Option<Duration>) -> Log<MemoryDisk> {
    let options = Options { segment: 1000, bytes, age, sync: Sync::No };
    Log::open(disk.clone(), Path::new(FOLDER), options).unwrap()
}

#[test]
fn the_oldest_segments_make_room_and_are_counted() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 4000, None);
    for number in 0..100 {
        assert_eq!(append(&mut log, [number], 100), 1);
        assert!(log.bytes() <= 4000);
    }
    let read = drain(&mut log);
    assert_eq!(log.losses().evicted, 100 - read.len() as u64);
    assert_eq!(read.last(), Some(&99));
    assert!(read.len() >= 21 && read.is_sorted(), "{read:?}");

    // The numbers that are missing were counted, and are not counted again.
    append(&mut log, 100..150, 100);
    let evicted = log.losses().evicted;
    drop(log);
    let log = capped(&disk, 4000, None);
    assert_eq!(log.len() + evicted + read.len() as u64, 150);
    assert_eq!(log.losses(), Losses::default());
}

#[test]
fn a_group_that_is_out_is_lost_by_eviction_only_if_it_comes_back() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 4000, None);
    append(&mut log, 0..7, 100);
    let delivered = log.read(3, usize::MAX, NOW).unwrap();
    let refused = log.read(4, usize::MAX, NOW).unwrap();
    append(&mut log, 7..50, 100);
    let evicted = log.losses().evicted;
    assert_eq!(log.len() + log.reading() + evicted, 50);
    log.done(delivered.token).unwrap();
    log.give_back(refused.token);
    assert_eq!(log.losses().evicted, evicted + 4);
    assert_eq!(log.len() + log.losses().evicted + 3, 50);
    assert_eq!(drain(&mut log).len() as u64, 50 - 3 - log.losses().evicted);
}

#[test]
fn what_was_given_back_is_evicted_and_counted() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 4000, None);
    append(&mut log, 0..7, 100);
    let group = log.read(5, usize::MAX, NOW).unwrap();
    log.give_back(group.token);
    append(&mut log, 7..50, 100);
    assert_eq!(log.len() + log.losses().evicted, 50);
    assert_eq!(drain(&mut log).len() as u64, 50 - log.losses().evicted);
}

#[test]
fn what_is_too_old_is_skipped_and_counted() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 1 << 20, Some(Duration::from_secs(60)));
    append(&mut log, 0..30, 100);
    let payload = payload(30, 8);
    log.append(&[Record { at: NOW + 60_000, payload: &payload }], NOW);
    let first = log.read(2, usize::MAX, NOW + 60_000).unwrap();
    log.give_back(first.token);

    let group = log.read(10, usize::MAX, NOW + 60_001).unwrap();
    assert_eq!(group.records.iter().map(number).collect::<Vec<_>>(), [30]);
    assert_eq!((log.losses().expired, log.len()), (30, 0));
    log.done(group.token).unwrap();
    log.close().unwrap();
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 1 << 20, None);
    append(&mut log, 0..2, 100);
    append(&mut log, 2..4, 50_000);
    append(&mut log, 4..5, 100);
    assert_eq!(segments(&disk).len(), 4);
    assert_eq!(log.read(10, 100, NOW).unwrap().records.len(), 1);
    drop(log);
    assert_eq!(drain(&mut capped(&disk, 1 << 20, None)), [0, 1, 2, 3, 4]);
}

#[test]
fn a_record_that_can_never_fit_is_refused_and_those_before_it_are_not() {
    let disk = MemoryDisk::default();
    let mut log = capped(&disk, 4000, None);
    let (small, large) = (payload(0, 8), payload(1, 4000));
    let record = |payload| Record { at: NOW, payload };
    let appended = log.append(&[record(&small), record(&large), record(&small)], NOW);
    assert_eq!(appended.taken, 1);
    assert_eq!(appended.error.unwrap().kind(), ErrorKind::FileTooLarge);
    assert_eq!(drain(&mut log), [0]);
}

#[test]
fn a_full_disk_takes_what_fits_and_goes_on_when_there_is_room() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::No);
    disk.faults(|faults| faults.free = Some(1000));
    let payloads: Vec<_> = (0..20).map(|number| payload(number, 100)).collect();
    let records: Vec<_> = payloads.iter().map(|payload| Record { at: NOW, payload }).collect();
    let appended = log.append(&records, NOW);
    assert_eq!((appended.taken, phrase(&appended.error.unwrap())), (7, "disk full"));
    for _ in 0..100 {
        assert_eq!(append(&mut log, 20..21, 400), 0);
    }
    assert_eq!(segments(&disk).len(), 1);

    disk.faults(|faults| faults.free = None);
    assert_eq!(append(&mut log, 30..33, 400), 3);
    assert_eq!(drain(&mut log), [0, 1, 2, 3, 4, 5, 6, 30, 31, 32]);
    assert_eq!(log.losses(), Losses::default());
}

#[test]
fn a_full_disk_is_emptied_by_reading() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::No);
    append(&mut log, 0..100, 100);
    disk.faults(|faults| faults.free = Some(0));
    assert_eq!(drain(&mut log).len(), 100);
    assert!(segments(&disk).len() <= 1);
    assert_eq!(append(&mut log, 100..103, 100), 3);
    assert_eq!(drain(&mut log), [100, 101, 102]);
}

#[test]
fn what_is_done_makes_room_on_a_disk_that_is_smaller_than_a_segment() {
    for sync in [Sync::No, Sync::Each] {
        let disk = MemoryDisk::default();
        disk.put_folder(Path::new(FOLDER));
        disk.faults(|faults| faults.free = Some(10_000));
        let options = Options { sync, ..Options::default() };
        let mut log = Log::open(disk.clone(), Path::new(FOLDER), options).unwrap();
        for round in 0..5 {
            let taken = append(&mut log, 0..100, 100);
            assert!(taken > 50, "{round}: {taken}");
            if round % 2 == 0 {
                log = Log::open(disk.clone(), Path::new(FOLDER), options).unwrap();
            }
            assert_eq!(drain(&mut log).len(), taken);
        }
    }
}

#[test]
fn a_disk_that_turned_read_only_is_read() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::No);
    append(&mut log, 0..50, 100);
    disk.faults(|faults| faults.is_read_only = true);
    let payload = payload(50, 8);
    let refused = log.append(&[Record { at: NOW, payload: &payload }], NOW);
    assert_eq!((refused.taken, phrase(&refused.error.unwrap())), (0, "disk read-only"));
    assert_eq!(drain(&mut log).len(), 50);
    drop(log);
    // What could not be marked as done comes again.
    let mut log = open(&disk, Sync::No);
    assert_eq!(drain(&mut log).len(), 50);
    disk.faults(|faults| faults.is_read_only = false);
    assert_eq!(append(&mut log, 50..51, 8), 1);
    assert_eq!(drain(&mut log), [50]);
}

#[test]
fn a_folder_that_was_removed_is_noticed_and_counted_and_made_again() {
    let disk = MemoryDisk::default();
    let parent = Path::new("/outbox");
    disk.put_folder(parent);
    let options = Options { segment: 1000, ..Options::default() };
    let mut log = Log::open(disk.clone(), &parent.join("lane"), options).unwrap();
    append(&mut log, 0..20, 100);
    disk.remove_all(parent);
    let payload = payload(20, 8);
    let refused = log.append(&[Record { at: NOW, payload: &payload }], NOW);
    assert_eq!((refused.taken, phrase(&refused.error.unwrap())), (0, "spool gone"));
    assert_eq!(append(&mut log, [20], 8), 0);

    disk.put_folder(parent);
    assert_eq!(append(&mut log, 21..24, 8), 3);
    // The segments that are being read and written are open, and can be read still; the one between them is not.
    let read = drain(&mut log);
    assert_eq!(read.len() as u64 + log.losses().damage.records, 23);
    assert!(read.ends_with(&[21, 22, 23]));
    assert_eq!(log.losses().damage.records, 7);
}

#[test]
fn a_segment_that_cannot_be_read_now_is_read_later() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::No);
    append(&mut log, 0..10, 100);
    disk.faults(|faults| faults.reads = 2);
    assert!(log.read(5, usize::MAX, NOW).is_none());
    assert!(log.read(5, usize::MAX, NOW).is_none());
    assert_eq!(drain(&mut log).len(), 10);

    append(&mut log, 0..10, 100);
    disk.faults(|faults| faults.reads = u32::MAX);
    for _ in 0..8 {
        assert!(log.read(5, usize::MAX, NOW).is_none());
    }
    assert_eq!((log.len(), log.losses().damage.records), (0, 10));
}

#[test]
fn a_sync_is_due_after_the_wait_and_when_the_clock_goes_back() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::Every(Duration::from_millis(50)));
    assert_eq!(log.sync_at(), None);
    append(&mut log, 0..1, 8);
    append(&mut log, 1..2, 8);
    assert_eq!(log.sync_at(), Some(NOW + 50));
    log.tick(NOW + 49).unwrap();
    assert_eq!(log.sync_at(), Some(NOW + 50));
    log.tick(NOW + 50).unwrap();
    assert_eq!(log.sync_at(), None);
    disk.crash(Crash::PowerCut);
    drop(log);

    disk.put_folder(Path::new(FOLDER));
    let mut log = open(&disk, Sync::Every(Duration::from_millis(50)));
    append(&mut log, 2..3, 8);
    log.tick(NOW - 1000).unwrap();
    assert_eq!(log.sync_at(), None);
    assert_eq!(drain(&mut log), [0, 1, 2]);
}

#[test]
fn a_sync_that_fails_means_not_accepted() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::Each);
    append(&mut log, 0..3, 8);
    disk.faults(|faults| faults.syncs = 1);
    assert_eq!(append(&mut log, 3..6, 8), 0);
    assert_eq!(append(&mut log, 6..9, 8), 3);
    drop(log);
    assert_eq!(drain(&mut open(&disk, Sync::Each)), [0, 1, 2, 6, 7, 8]);
}

#[test]
fn a_forked_child_touches_nothing() {
    let disk = MemoryDisk::default();
    let mut log = open(&disk, Sync::No);
    append(&mut log, 0..30, 100);
    let group = log.read(20, usize::MAX, NOW).unwrap();
    let before: Vec<_> = disk.files().iter().map(|path| disk.bytes(path)).collect();

    disk.fork();
    assert_eq!(append(&mut log, 30..31, 8), 0);
    assert!(log.read(1, 1, NOW).is_none());
    log.done(group.token).unwrap_err();
    log.flush().unwrap_err();
    log.close().unwrap_err();
    let after: Vec<_> = disk.files().iter().map(|path| disk.bytes(path)).collect();
    assert_eq!(before, after);
}

#[test]
fn a_thousand_restarts_leave_nothing_behind() {
    let disk = MemoryDisk::default();
    for round in 0..1000_u64 {
        let mut log = open(&disk, Sync::No);
        assert_eq!(append(&mut log, round * 3..round * 3 + 3, 8), 3);
        if round % 2 == 0 {
            assert_eq!(drain(&mut log).len(), if round == 0 { 3 } else { 6 });
        }
        assert!(disk.files().len() <= 4, "{:?}", disk.files());
    }
}
