//! Any sequence of calls against a plain list.

use proptest::{collection::vec, prelude::*};

use super::{cursor::MOST_PARTS, *};

#[derive(Clone, Debug)]
enum Action {
    Append { records: usize, length: usize },
    Read { records: usize, bytes: usize },
    Done(usize),
    GiveBack(usize),
    Flush,
    Kill,
    Crash(Crash),
    Full(u64),
    Free,
    Short(usize),
    FailWrites(u32),
    FailSyncs(u32),
    FailCuts(u32),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Unread,
    Out,
    Done,
}

/// What the log must hold, in order.
struct Model {
    disk: MemoryDisk,
    sync: Sync,
    log: Log<MemoryDisk>,
    items: Vec<(u64, State)>,
    out: Vec<(Token, Vec<u64>)>,
    /// How many groups were out at once.
    most_out: usize,
    next: u64,
    /// What the cursor says is done. A power cut may take the cursor back.
    gone: Vec<(u64, State)>,
    /// What was refused while the disk would not be cut either.
    doubtful: Vec<u64>,
    /// Whether the cursor may lag, because the disk failed.
    is_lagging: bool,
    /// Whether a power cut took what was not synced.
    has_gaps: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn what_was_accepted_is_read_in_order_until_it_is_done(actions in vec(calm(), 1..120), sync in syncs()) {
        run(&actions, sync);
    }

    #[test]
    fn a_failing_disk_loses_nothing_that_was_accepted(actions in vec(rough(), 1..120), sync in syncs()) {
        run(&actions, sync);
    }

    #[test]
    fn a_power_cut_loses_nothing_that_was_synced(actions in vec(dark(), 1..120)) {
        run(&actions, Sync::Each);
    }

    #[test]
    fn a_power_cut_alters_nothing_that_was_not_synced(actions in vec(dark(), 1..120)) {
        run(&actions, Sync::No);
    }
}

fn syncs() -> impl Strategy<Value = Sync> {
    prop_oneof![Just(Sync::No), Just(Sync::Each), Just(Sync::Every(std::time::Duration::from_millis(50)))]
}

fn calm() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1..20_usize, 8..400_usize).prop_map(|(records, length)| Action::Append { records, length }),
        1 => (1..3_usize, 2000..9000_usize).prop_map(|(records, length)| Action::Append { records, length }),
        6 => (1..20_usize, 0..3000_usize).prop_map(|(records, bytes)| Action::Read { records, bytes }),
        6 => any::<usize>().prop_map(Action::Done),
        2 => any::<usize>().prop_map(Action::GiveBack),
        1 => Just(Action::Flush),
        1 => Just(Action::Kill),
    ]
}

fn rough() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => calm(),
        1 => (0..5000_u64).prop_map(Action::Full),
        2 => Just(Action::Free),
        1 => (1..100_usize).prop_map(Action::Short),
        1 => (1..4_u32).prop_map(Action::FailWrites),
        1 => (1..4_u32).prop_map(Action::FailSyncs),
        1 => (1..4_u32).prop_map(Action::FailCuts),
    ]
}

fn dark() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => calm(),
        1 => Just(Action::Crash(Crash::PowerCut)),
        2 => any::<u64>().prop_map(|seed| Action::Crash(Crash::Torn(seed))),
    ]
}

fn run(actions: &[Action], sync: Sync) {
    let disk = MemoryDisk::default();
    disk.put_folder(Path::new(FOLDER));
    let log = open(&disk, sync);
    let mut model = Model {
        disk,
        sync,
        log,
        items: Vec::new(),
        out: Vec::new(),
        most_out: 0,
        next: 0,
        gone: Vec::new(),
        doubtful: Vec::new(),
        is_lagging: false,
        has_gaps: false,
    };
    for action in actions {
        model.act(action);
        model.check();
    }
    model.disk.faults(|faults| *faults = memory_disk::Faults::default());
    model.finish();
}

// ===== impl Model =====

impl Model {
    fn act(&mut self, action: &Action) {
        match *action {
            Action::Append { records, length } => self.append(records, length),
            Action::Read { records, bytes } => self.read(records, bytes),
            Action::Done(index) => self.land(index, State::Done),
            Action::GiveBack(index) => self.land(index, State::Unread),
            Action::Flush => self.is_lagging |= self.log.flush().is_err(),
            Action::Kill => self.reopen(Crash::Kill),
            Action::Crash(crash) => self.reopen(crash),
            Action::Full(free) => self.disk.faults(|faults| faults.free = Some(free)),
            Action::Free => self.disk.faults(|faults| *faults = memory_disk::Faults::default()),
            Action::Short(bytes) => self.disk.faults(|faults| faults.short = Some(bytes)),
            Action::FailWrites(times) => self.disk.faults(|faults| faults.writes = times),
            Action::FailSyncs(times) => self.disk.faults(|faults| faults.syncs = times),
            Action::FailCuts(times) => self.disk.faults(|faults| faults.cuts = times),
        }
    }

    fn append(&mut self, records: usize, length: usize) {
        self.disk.faults(|faults| self.is_lagging |= faults.cuts > 0 && faults.writes > 0);
        let taken = append(&mut self.log, self.next..self.next + records as u64, length) as u64;
        self.items.extend((self.next..self.next + taken).map(|number| (number, State::Unread)));
        // Those that were refused are never seen: they have numbers that no other gets.
        if self.is_lagging {
            self.doubtful.extend(self.next + taken..self.next + records as u64);
        }
        self.next += records as u64;
    }

    fn read(&mut self, records: usize, bytes: usize) {
        let group = self.log.read(records, bytes, NOW);
        let unread = self.items.iter_mut().filter(|(_, state)| *state == State::Unread);
        let Some(group) = group else {
            return assert_eq!(unread.count(), 0, "something was not read");
        };
        let read: Vec<u64> = group.records.iter().map(number).collect();
        let total: usize = group.records.iter().map(|record| record.payload.len()).sum();
        assert!((1..=records).contains(&read.len()) && (total <= bytes || read.len() == 1));
        let expected: Vec<u64> = unread
            .take(read.len())
            .map(|item| {
                item.1 = State::Out;
                item.0
            })
            .collect();
        assert_eq!(read, expected);
        self.out.push((group.token, read));
        self.most_out = self.most_out.max(self.out.len());
    }

    fn land(&mut self, index: usize, to: State) {
        if self.out.is_empty() {
            return;
        }
        let (token, numbers) = self.out.swap_remove(index % self.out.len());
        for (number, state) in &mut self.items {
            if numbers.contains(number) {
                *state = to;
            }
        }
        if to == State::Unread {
            self.log.give_back(token);
        } else {
            self.is_lagging |= self.log.done(token).is_err();
        }
    }

    fn reopen(&mut self, crash: Crash) {
        self.out.clear();
        // The disk is well while it is looked through: what a failure then costs is another test's.
        self.disk.faults(|faults| *faults = memory_disk::Faults::default());
        self.disk.crash(crash);
        self.log = open(&self.disk, self.sync);
        let left = self.look();
        // What was looked at is behind the reader.
        self.log = open(&self.disk, self.sync);
        assert_eq!(self.log.len(), left.len() as u64);
        match crash {
            Crash::Kill => self.forget(&left),
            _ => self.power_up(&left),
        }
        self.items.iter_mut().for_each(|(_, state)| *state = State::Unread);
    }

    /// After a kill what was done is gone, and nothing else, but for what the cursor has no room for.
    fn forget(&mut self, left: &[u64]) {
        if self.is_lagging {
            let found = self.doubtful.drain(..).filter(|doubtful| left.contains(doubtful));
            self.items.extend(found.map(|number| (number, State::Unread)));
            self.items.sort_unstable_by_key(|(number, _)| *number);
        }
        let again = self.keep(left);
        let is_crowded = segments(&self.disk).len() + self.most_out >= MOST_PARTS;
        assert!(again == 0 || self.is_lagging || is_crowded, "{again} records too often");
        let is_whole = self.log.losses().damage.records == 0;
        assert!(is_whole || self.is_lagging || self.has_gaps, "numbers are missing");
        self.is_lagging = false;
    }

    /// After a power cut the cursor may be an older one, and what was not synced has gaps.
    fn power_up(&mut self, left: &[u64]) {
        self.items.append(&mut self.gone);
        self.items.sort_unstable_by_key(|(number, _)| *number);
        if self.sync == Sync::Each {
            assert_eq!(self.log.losses().damage.records, 0, "numbers are missing");
            self.keep(left);
            return;
        }
        self.has_gaps = true;
        self.items.retain(|(number, state)| *state == State::Done || left.contains(number));
        self.keep(left);
    }

    /// What is left must be all that was not done, and nothing that was not accepted. How much of it was done.
    fn keep(&mut self, left: &[u64]) -> usize {
        assert!(left.is_sorted_by(|one, other| one < other));
        let is_left = |(number, _): &(u64, State)| left.binary_search(number).is_ok();
        let (items, gone): (Vec<_>, Vec<_>) = self.items.drain(..).partition(is_left);
        assert_eq!(items.len(), left.len(), "something that was not accepted");
        let lost = gone.iter().filter(|(_, state)| *state != State::Done).count();
        assert_eq!(lost, 0, "records lost");
        self.gone.extend(gone);
        self.items = items;
        self.items.iter().filter(|(_, state)| *state == State::Done).count()
    }

    /// All that there is, given back.
    fn look(&mut self) -> Vec<u64> {
        let groups: Vec<_> = std::iter::from_fn(|| self.log.read(7, usize::MAX, NOW)).collect();
        let numbers = groups.iter().flat_map(|group| group.records.iter().map(number)).collect();
        groups.into_iter().for_each(|group| self.log.give_back(group.token));
        numbers
    }

    fn check(&self) {
        let count = |of| self.items.iter().filter(|(_, state)| *state == of).count() as u64;
        assert_eq!((self.log.len(), self.log.reading()), (count(State::Unread), count(State::Out)));
        let bytes: usize = segments(&self.disk).iter().map(|path| self.disk.bytes(path).len()).sum();
        assert_eq!(self.log.bytes(), bytes as u64);
        assert_eq!((self.log.losses().evicted, self.log.losses().expired), (0, 0));
    }

    fn finish(mut self) {
        while !self.out.is_empty() {
            self.land(0, State::Done);
        }
        self.items.retain(|(_, state)| *state == State::Unread);
        let expected: Vec<u64> = self.items.iter().map(|(number, _)| *number).collect();
        assert_eq!(drain(&mut self.log), expected);
        self.log.close().unwrap();
        assert!(self.disk.files().is_empty());
    }
}

fn cases() -> u32 {
    std::env::var("BELVEDERE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(128)
}

#[test]
fn what_is_done_behind_what_is_not_is_not_read_again() {
    let disk = MemoryDisk::default();
    disk.put_folder(Path::new(FOLDER));
    let mut log = open(&disk, Sync::No);
    append(&mut log, 0..60, 100);
    let groups: Vec<_> = std::iter::from_fn(|| log.read(2, usize::MAX, NOW)).collect();
    for group in groups {
        if ![0, 30].contains(&number(&group.records[0])) {
            log.done(group.token).unwrap();
        }
    }
    for _ in 0..3 {
        disk.crash(Crash::Kill);
        log = open(&disk, Sync::No);
        assert_eq!(log.len(), 4);
    }
    let first = log.read(2, usize::MAX, NOW).unwrap();
    log.done(first.token).unwrap();
    disk.crash(Crash::Kill);
    log = open(&disk, Sync::No);
    assert_eq!(drain(&mut log), [30, 31]);
    log.close().unwrap();
    assert!(disk.files().is_empty());
}
