//! Whatever lies in the folder: it is opened, and what is good in it is read.

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Harm {
    Flip { at: usize },
    Zero { at: usize, length: usize },
    Scramble { at: usize, length: usize, seed: u64 },
    Truncate { at: usize },
    Grow { length: usize, seed: u64 },
    Move { from: usize, to: usize, length: usize },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_not_damaged_is_read_and_nothing_else(
        lengths in vec(8..300_usize, 1..60),
        damages in vec((any::<usize>(), damage()), 1..6),
        is_cursor_hit: bool,
    ) {
        let (disk, places) = written(&lengths);
        let before: Vec<_> = segments(&disk).into_iter().map(|path| (disk.bytes(&path), path)).collect();
        for (file, damage) in &damages {
            let paths = if is_cursor_hit { disk.files() } else { segments(&disk) };
            let path = &paths[file % paths.len()];
            let mut bytes = disk.bytes(path);
            inflict(&mut bytes, damage);
            disk.put(path, &bytes);
        }
        let is_whole = |(file, start, end): &(usize, usize, usize)| {
            let (bytes, path) = &before[*file];
            disk.bytes(path).get(*start..*end) == Some(&bytes[*start..*end])
        };
        let numbers = 0..places.len() as u64;
        let expected: Vec<u64> = numbers.filter(|number| is_whole(&places[*number as usize])).collect();

        let mut log = open(&disk, Sync::No);
        let counted = log.losses().damage.records;
        prop_assert_eq!(log.len(), expected.len() as u64);
        let read = drain(&mut log);
        prop_assert_eq!(&read, &expected);
        let last = read.last().map_or(0, |last| last + 1);
        // Every one that is missing before one that is there; the tail is known where another segment follows.
        prop_assert!(counted >= last - read.len() as u64, "{} of {}", counted, last);
        prop_assert!(counted <= (places.len() - read.len()) as u64);
        prop_assert_eq!(log.losses().damage.records, counted);
    }

    #[test]
    fn any_bytes_are_opened_and_read(segments in vec(vec(any::<u8>(), 0..3000), 1..4), cursor in vec(any::<u8>(), 0..1100)) {
        let disk = MemoryDisk::default();
        disk.put_folder(Path::new(FOLDER));
        for (number, bytes) in segments.iter().enumerate() {
            disk.put(&Path::new(FOLDER).join(format!("{:020}-{number:08x}.seg", number * 3)), bytes);
        }
        disk.put(&Path::new(FOLDER).join("cursor"), &cursor);
        let mut log = open(&disk, Sync::No);
        prop_assert_eq!(drain(&mut log), [0; 0]);
        append(&mut log, 0..3, 8);
        prop_assert_eq!(drain(&mut log), [0, 1, 2]);
    }
}

proptest! {
    #[test]
    fn a_changed_log_is_opened_read_and_gone_on_with(changes in vec(any::<u8>(), 0..200)) {
        spooled::change(&changes);
    }
}

fn damage() -> impl Strategy<Value = Harm> {
    let at = || 0..3000_usize;
    prop_oneof![
        at().prop_map(|at| Harm::Flip { at }),
        (at(), 1..600_usize).prop_map(|(at, length)| Harm::Zero { at, length }),
        (at(), 1..600_usize, any::<u64>()).prop_map(|(at, length, seed)| Harm::Scramble { at, length, seed }),
        at().prop_map(|at| Harm::Truncate { at }),
        (1..600_usize, any::<u64>()).prop_map(|(length, seed)| Harm::Grow { length, seed }),
        (at(), at(), 1..600_usize).prop_map(|(from, to, length)| Harm::Move { from, to, length }),
    ]
}

fn inflict(bytes: &mut Vec<u8>, damage: &Harm) {
    let part =
        |bytes: &Vec<u8>, at: usize, length: usize| at.min(bytes.len())..(at + length).min(bytes.len());
    match *damage {
        Harm::Flip { at } => {
            let bit = 1 << (at % 8);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
        }
        Harm::Zero { at, length } => {
            let part = part(bytes, at, length);
            bytes[part].fill(0);
        }
        Harm::Scramble { at, length, seed } => {
            let part = part(bytes, at, length);
            fastrand::Rng::with_seed(seed).fill(&mut bytes[part]);
        }
        Harm::Truncate { at } => bytes.truncate(at),
        Harm::Grow { length, seed } => {
            let mut random = fastrand::Rng::with_seed(seed);
            bytes.extend((0..length).map(|_| random.u8(..)));
        }
        Harm::Move { from, to, length } => {
            let copied = bytes[part(bytes, from, length)].to_vec();
            let part = part(bytes, to, copied.len());
            let length = part.len();
            bytes[part].copy_from_slice(&copied[..length]);
        }
    }
}

/// A log of records of these lengths, and for each its file and where it lies in it.
fn written(lengths: &[usize]) -> (MemoryDisk, Vec<(usize, usize, usize)>) {
    let disk = MemoryDisk::default();
    disk.put_folder(Path::new(FOLDER));
    let mut log = open(&disk, Sync::No);
    let mut places = Vec::new();
    for (number, length) in lengths.iter().enumerate() {
        assert_eq!(append(&mut log, [number as u64], *length), 1);
        let file = segments(&disk).len() - 1;
        let end = disk.bytes(&segments(&disk)[file]).len();
        places.push((file, end - length.max(&8) - frame::HEADER, end));
    }
    // The cursor is at the start, so that it is there to be damaged.
    log.flush().unwrap();
    (disk, places)
}

fn in_log(file: &str) -> PathBuf {
    Path::new(FOLDER).join(file)
}

#[test]
fn a_torn_tail_is_cut_at_the_last_good_record() {
    let (disk, places) = written(&[100; 5]);
    let path = segments(&disk).remove(0);
    let mut bytes = disk.bytes(&path);
    bytes.truncate(bytes.len() - 10);
    disk.put(&path, &bytes);

    let mut log = open(&disk, Sync::No);
    assert_eq!((log.len(), log.losses().damage.bytes), (4, 118));
    assert_eq!(disk.bytes(&path).len(), places[4].1);
    append(&mut log, [5], 100);
    assert_eq!(drain(&mut log), [0, 1, 2, 3, 5]);
}

#[test]
fn a_zeroed_middle_costs_its_records_and_counts_them() {
    let (disk, places) = written(&[100; 10]);
    let path = segments(&disk).remove(0);
    let mut bytes = disk.bytes(&path);
    bytes[places[2].1..places[5].1 + 1].fill(0);
    disk.put(&path, &bytes);

    let mut log = open(&disk, Sync::No);
    let lost = Damage { records: 4, bytes: 4 * 128 };
    assert_eq!((log.len(), log.losses().damage), (6, lost));
    assert_eq!(drain(&mut log), [0, 1, 6, 7, 8, 9]);
}

#[test]
fn a_length_that_lies_costs_one_record() {
    let (disk, places) = written(&[100; 3]);
    let path = segments(&disk).remove(0);
    let mut bytes = disk.bytes(&path);
    bytes[places[1].1 + 4..][..4].fill(0xff);
    disk.put(&path, &bytes);
    assert_eq!(drain(&mut open(&disk, Sync::No)), [0, 2]);
}

#[test]
fn a_record_inside_a_payload_is_not_a_record() {
    let (disk, _) = written(&[100; 1]);
    let inner = disk.bytes(&segments(&disk)[0]);
    let disk = MemoryDisk::default();
    disk.put_folder(Path::new(FOLDER));
    let mut log = open(&disk, Sync::No);
    let record = Record { at: NOW, payload: &inner.repeat(3) };
    assert_eq!(log.append(&[record], NOW).taken, 1);
    append(&mut log, [1], 8);
    // Without its header, what it holds is searched.
    let path = segments(&disk).remove(0);
    let mut bytes = disk.bytes(&path);
    bytes[8] ^= 1;
    disk.put(&path, &bytes);
    assert_eq!(drain(&mut open(&disk, Sync::No)), [1]);
}

#[test]
fn a_missing_segment_is_counted_by_its_numbers() {
    let (disk, places) = written(&[300; 20]);
    let second = segments(&disk).remove(1);
    disk.remove(&second).unwrap();
    let lost = places.iter().filter(|(file, ..)| *file == 1).count() as u64;

    let mut log = open(&disk, Sync::No);
    assert!(lost > 1);
    assert_eq!(log.losses().damage.records, lost);
    assert_eq!(drain(&mut log).len() as u64, 20 - lost);
}

#[test]
fn a_missing_cursor_means_from_the_start() {
    let (disk, _) = written(&[300; 20]);
    let mut log = open(&disk, Sync::No);
    let group = log.read(3, usize::MAX, NOW).unwrap();
    log.done(group.token).unwrap();
    disk.remove(&in_log("cursor")).unwrap();
    drop(log);
    let mut log = open(&disk, Sync::No);
    assert_eq!(log.losses(), Losses::default());
    assert_eq!(drain(&mut log), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_cursor_ahead_of_the_data_passes_nothing_that_comes_later() {
    let (disk, _) = written(&[300; 20]);
    let mut log = open(&disk, Sync::No);
    drain(&mut log);
    log.flush().unwrap();
    segments(&disk).iter().for_each(|path| disk.remove(path).unwrap());
    drop(log);
    for round in 0..3 {
        let mut log = open(&disk, Sync::No);
        append(&mut log, 20..23, 8);
        drop(log);
        let mut log = open(&disk, Sync::No);
        assert_eq!(drain(&mut log), [20, 21, 22], "round {round}");
        log.flush().unwrap();
        segments(&disk).iter().for_each(|path| disk.remove(path).unwrap());
    }
}

#[test]
fn a_cursor_behind_the_data_is_moved_to_the_first_segment() {
    let (disk, _) = written(&[300; 20]);
    let first = segments(&disk).remove(0);
    let cursor = disk.bytes(&in_log("cursor"));
    drain(&mut open(&disk, Sync::No));
    disk.put(&in_log("cursor"), &cursor);
    assert!(!disk.files().contains(&first));
    let mut log = open(&disk, Sync::No);
    assert_eq!(log.len(), drain(&mut log).len() as u64);
}

#[test]
fn foreign_and_empty_files_are_let_alone() {
    let (disk, _) = written(&[100; 3]);
    for file in
        ["README", "1.seg", "x.seg", "00000000000000000001-zzzzzzzz.seg", "99999999999999999999-00000000.seg"]
    {
        disk.put(&in_log(file), b"not ours");
    }
    disk.put(&in_log("00000000000000000002-00000000.seg"), b"");
    disk.put_folder(&in_log("00000000000000000003-00000000.seg"));
    let mut log = open(&disk, Sync::No);
    assert_eq!(drain(&mut log), [0, 1, 2]);
    assert_eq!(log.losses().damage.records, 0);
    assert_eq!(disk.bytes(&in_log("README")), b"not ours");
}

#[test]
fn a_copy_under_another_name_is_not_read_twice() {
    let (disk, _) = written(&[100; 5]);
    let bytes = disk.bytes(&segments(&disk)[0]);
    disk.put(&in_log("00000000000000000003-00000007.seg"), &bytes);
    assert_eq!(drain(&mut open(&disk, Sync::No)), [0, 1, 2, 3, 4]);
}

#[test]
fn segments_whose_numbers_overlap_are_both_read() {
    let (disk, _) = written(&[100; 5]);
    let other = Path::new("/other");
    disk.put_folder(other);
    let mut log = Log::open(disk.clone(), other, Options::default()).unwrap();
    append(&mut log, 100..103, 8);
    let from =
        disk.files().into_iter().find(|path| path.starts_with(other) && path.extension().is_some()).unwrap();
    disk.rename(&from, &in_log(from.file_name().unwrap().to_str().unwrap())).unwrap();

    let mut log = open(&disk, Sync::No);
    assert_eq!(log.len(), 8);
    let mut read = drain(&mut log);
    read.sort_unstable();
    assert_eq!(read, [0, 1, 2, 3, 4, 100, 101, 102]);
}

#[test]
fn a_page_that_cannot_be_read_costs_its_records_only() {
    let (disk, _) = written(&[300; 20]);
    // The survey reads the first segment as a whole, then page by page.
    disk.faults(|faults| faults.reads = 2);
    let mut log = open(&disk, Sync::No);
    assert!(log.len() >= 13, "{}", log.len());
    assert_eq!(log.len() + log.losses().damage.records, 20);
    assert_eq!(drain(&mut log).len() as u64, 20 - log.losses().damage.records);
}
