//! A process that is killed at any moment: this very test, started again.

use std::{
    collections::{HashMap, HashSet},
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use super::{temporary::Folder as Temporary, *};

/// A child that runs, and what it says.
struct Process {
    child: Child,
    said: Receiver<String>,
}

/// What the parent knows of the records.
#[derive(Default)]
struct Oracle {
    accepted: HashSet<u64>,
    delivered: HashMap<u64, u32>,
}

#[test]
fn nothing_accepted_is_lost_by_kill_9() {
    let kills = env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let root = Temporary::new();
    let mut oracle = Oracle::default();
    for kill in 0..kills {
        let mut process = Process::start(root.path(), kill * NUMBERS);
        // Every other one dies while it opens what others left.
        let (signal, most) = if kill % 2 == 0 { ("open", 8) } else { ("ready", 40) };
        process.hear_until(signal, &mut oracle);
        pause(Duration::from_micros(fastrand::u64(..most * 1000)));
        process.kill(&mut oracle);
    }
    let known = oracle.delivered.len();
    let doubles_before = oracle.doubles();
    assert!(doubles_before <= kills * GROUP as u64, "{doubles_before} doubles after {kills} kills");

    let folder = Folder::open(root.path()).unwrap();
    let left = std::fs::read_dir(root.path()).unwrap().count() - 1;
    for orphan in adopted(&folder, left) {
        for lane in orphan.lanes() {
            let mut log = orphan.log(&lane, options()).unwrap().unwrap();
            drain(&mut log).into_iter().for_each(|number| oracle.deliver(number));
            assert_eq!(log.losses(), Losses { damage: log.losses().damage, ..Losses::default() });
            assert_eq!(log.losses().damage.records, 0);
            log.close().unwrap();
        }
        assert!(orphan.close().unwrap());
    }
    assert!(folder.close().unwrap());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);

    let lost = oracle.accepted.iter().filter(|number| !oracle.delivered.contains_key(number)).count();
    println!(
        "{kills} kills: {} accepted, {known} delivered by those that were killed, {lost} lost, {} doubles",
        oracle.accepted.len(),
        oracle.doubles(),
    );
    assert_eq!(lost, 0);
    assert!(oracle.doubles() <= kills * GROUP as u64);
    // What nobody heard of is what was written, or read, when the kill came.
    let unheard = oracle.delivered.keys().filter(|number| !oracle.accepted.contains(number)).count() as u64;
    assert!(unheard <= kills * BATCH, "{unheard}");
}

#[test]
fn a_living_process_keeps_its_folder_and_a_dead_one_does_not() {
    let root = Temporary::new();
    let mut oracle = Oracle::default();
    let mut process = Process::start(root.path(), 0);
    process.hear_until("ready", &mut oracle);
    let folder = Folder::open(root.path()).unwrap();
    assert!(folder.orphans(whichever).is_empty());
    process.kill(&mut oracle);
    let orphans = adopted(&folder, 1);
    assert_eq!(orphans[0].lanes(), ["spans"]);
}

/// Not a test by itself: what the killed process does.
#[test]
fn child() {
    let (Ok(root), Ok(first)) = (env::var(ROOT), env::var(FIRST)) else { return };
    say("open");
    let folder = Folder::open(Path::new(&root)).unwrap();
    let orphans = folder.orphans(whichever);
    let mut logs: Vec<_> = orphans.iter().map(|orphan| orphan.log("spans", options()).unwrap()).collect();
    let mut own = folder.log("spans", options()).unwrap();
    let mut number: u64 = first.parse().unwrap();
    append_and_say(&mut own, &mut number);
    say("ready");
    loop {
        append_and_say(&mut own, &mut number);
        for log in logs.iter_mut().flatten() {
            deliver(log);
        }
        if number.is_multiple_of(3) {
            deliver(&mut own);
        }
    }
}

fn append_and_say(log: &mut Log, number: &mut u64) {
    let records = fastrand::u64(1..=BATCH);
    assert_eq!(append(log, *number..*number + records, fastrand::usize(8..2000)) as u64, records);
    say(&format!("accepted {number} {records}"));
    *number += records;
}

fn deliver(log: &mut Log) {
    if let Some(group) = log.read(GROUP, usize::MAX, NOW) {
        let numbers: Vec<_> = group.records.iter().map(|record| number(record).to_string()).collect();
        say(&format!("delivered {}", numbers.join(" ")));
        log.done(group.token).unwrap();
    }
}

/// In one write, past what the test harness captures, and apart from what it says itself.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("\n@{line}\n").as_bytes());
    let _ = std::io::stdout().flush();
}

// ===== impl Process =====

impl Process {
    fn start(root: &Path, first: u64) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("{module}::child"), "--nocapture"])
            .envs([(ROOT, root.to_str().unwrap()), (FIRST, &first.to_string())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            lines.filter(|line| line.starts_with('@')).for_each(|line| sender.send(line).unwrap_or_default());
        });
        Self { child, said }
    }

    fn hear_until(&mut self, signal: &str, oracle: &mut Oracle) {
        loop {
            let line = self.said.recv().expect("the child lives until it is killed");
            oracle.hear(&line);
            if line[1..] == *signal {
                return;
            }
        }
    }

    fn kill(&mut self, oracle: &mut Oracle) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success() && status.code().is_none(), "it failed by itself: {status}");
        self.said.iter().for_each(|line| oracle.hear(&line));
    }
}

// ===== impl Oracle =====

impl Oracle {
    fn hear(&mut self, line: &str) {
        let (word, rest) = line[1..].split_once(' ').unwrap_or_default();
        let numbers: Vec<u64> = rest.split(' ').filter_map(|number| number.parse().ok()).collect();
        match word {
            "accepted" => self.accepted.extend(numbers[0]..numbers[0] + numbers[1]),
            "delivered" => numbers.into_iter().for_each(|number| self.deliver(number)),
            _ => {}
        }
    }

    fn deliver(&mut self, number: u64) {
        *self.delivered.entry(number).or_default() += 1;
    }

    fn doubles(&self) -> u64 {
        self.delivered.values().map(|times| u64::from(times - 1)).sum()
    }
}

fn options() -> Options {
    Options { segment: 64 << 10, ..Options::default() }
}

fn pause(time: Duration) {
    let (_silent, pause) = mpsc::channel::<()>();
    let _ = pause.recv_timeout(time);
}

const ROOT: &str = "BELVEDERE_KILL_ROOT";
const FIRST: &str = "BELVEDERE_KILL_FIRST";
const KILLS: &str = "BELVEDERE_KILLS";

/// Records of an append, and of a read, at most.
const BATCH: u64 = 40;
const GROUP: usize = 50;

/// What a child may count up to.
const NUMBERS: u64 = 50_000;
