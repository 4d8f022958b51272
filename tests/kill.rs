//! A service with all four lanes on one disk that is killed at any moment, also while it recovers, and started again,
//! before backends that come and go.
#![cfg(all(
    target_os = "linux",
    feature = "otel",
    feature = "xray",
    feature = "rollbar",
    feature = "cloudwatch",
    feature = "spool"
))]

#[path = "faults/backend.rs"]
mod backend;
#[path = "faults/house.rs"]
mod house;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use backend::{
    Backend,
    dialect::Kind,
    fault::Door,
    oracle::{judge, path},
};
use belvedere::outbox::{Outbox, OutboxEvent, Spool};
use house::{Exchanges, Plan, folder::Folder};
use tokio::time::sleep;

/// A process that serves until it is killed, and what it says.
struct Service {
    process: Child,
    said: Receiver<String>,
    first: u64,
    /// How many records are on the disk, by the name of their lane.
    spooled: BTreeMap<String, u64>,
    names: BTreeMap<Kind, String>,
    costs: Vec<Cost>,
}

/// What a process takes of the machine.
#[derive(Clone, Copy, Debug)]
struct Cost {
    threads: u64,
    descriptors: u64,
}

/// The numbers of the records that were on the disk for sure.
type Told = BTreeMap<Kind, Vec<Range<u64>>>;

#[tokio::test]
async fn nothing_that_is_on_the_disk_is_lost_by_kill_9() {
    let kills = times("BELVEDERE_KILLS", 20);
    let (backend, folder, mut told) = (Backend::start().await, Folder::new(), Told::new());
    let mut turns = 0;
    for kill in 0..kills {
        let door = if fastrand::bool() { Door::Open } else { Door::Closed };
        backend.door(door).await;
        let mut service = Service::start("serves", &folder, &backend, kill * NUMBERS);
        // Every other one dies while it finds what others have left.
        let (signal, most) = if kill % 2 == 0 { ("open", 40_000) } else { ("ready", 150_000) };
        service.hear_until(signal);
        pause(Duration::from_micros(fastrand::u64(..most)));
        if fastrand::u8(..4) == 0 {
            backend.door(if door == Door::Open { Door::Closed } else { Door::Open }).await;
            turns += 1;
            pause(Duration::from_micros(fastrand::u64(..most)));
        }
        service.kill(&mut told);
        if kill % 50 == 49 {
            backend.door(Door::Open).await;
            drain(&folder, &backend).await;
        }
    }
    let bytes = folder.size();
    backend.door(Door::Open).await;
    drain(&folder, &backend).await;

    println!("{kills} kills, {turns} turns of the door, {bytes} bytes left for the last one");
    for kind in Kind::ALL {
        let (books, told) = (backend.books(kind), &told[&kind]);
        let lost: Vec<u64> = told.iter().cloned().flatten().filter(|number| !books.has(*number)).collect();
        let safe: u64 = told.iter().map(|told| told.end - told.start).sum();
        let (distinct, doubles) = (books.distinct(), judge(0, &books).doubles());
        println!("{kind:?}: {safe} told to be on the disk, {distinct} arrived, {doubles} doubled");
        assert!(lost.is_empty(), "{kind:?}: {} lost, {:?}", lost.len(), lost.first());
        assert!(safe > 0 && distinct >= safe, "{kind:?}");
        let under_way = (kills + turns) * IN_FLIGHT * RECORDS as u64;
        assert!(doubles <= under_way, "{kind:?}: {doubles} doubled of {under_way} under way");
    }
    assert!(is_drained(&folder, &backend).await);
}

#[tokio::test]
async fn of_two_services_with_one_folder_each_keeps_its_own_and_what_they_leave_is_taken_over() {
    let (backend, folder, mut told) = (Backend::start().await, Folder::new(), Told::new());
    backend.door(Door::Closed).await;
    let mut services = [0, NUMBERS].map(|first| Service::start("serves", &folder, &backend, first));
    for service in &mut services {
        service.hear_until("ready");
    }
    pause(Duration::from_millis(100));
    for service in &mut services {
        service.kill(&mut told);
    }
    backend.door(Door::Open).await;
    drain(&folder, &backend).await;
    for kind in Kind::ALL {
        let books = backend.books(kind);
        let lost = told[&kind].iter().cloned().flatten().filter(|number| !books.has(*number)).count();
        let safe = told[&kind].iter().filter(|told| told.start < told.end).count();
        assert_eq!((safe, lost), (2, 0), "{kind:?}");
        judge(2 * NUMBERS, &books).assert_true(&format!("{kind:?}"));
    }
    assert!(is_drained(&folder, &backend).await);
}

#[tokio::test]
async fn a_service_that_is_started_again_and_again_loses_nothing_and_grows_by_nothing() {
    let restarts = times("BELVEDERE_RESTARTS", 20);
    let (backend, folder) = (Backend::start().await, Folder::new());
    let mut service = Service::start("restarts", &folder, &backend, restarts);
    for restart in 0..restarts {
        let door = if restart % 3 == 2 { Door::Open } else { Door::Closed };
        backend.door(door).await;
        service.tell(&format!("{door:?}"));
        service.hear_until(&format!("restarted {restart}"));
    }
    backend.door(Door::Open).await;
    assert!(service.process.wait().unwrap().success());
    let [first, .., last] = service.costs[..] else { panic!("{:?}", service.costs) };
    drain(&folder, &backend).await;
    println!("{restarts} restarts: at first {first:?}; at last {last:?}");
    for kind in Kind::ALL {
        let verdict = judge(restarts * EACH, &backend.books(kind));
        assert_eq!((verdict.lost.len(), verdict.doubles()), (0, 0), "{kind:?}");
        verdict.assert_true(&format!("{kind:?}"));
    }
    assert!(last.threads <= first.threads && last.descriptors <= first.descriptors);
    assert!(is_drained(&folder, &backend).await);
}

/// Sends all that is left, as the next process does.
async fn drain(folder: &Folder, backend: &Backend) {
    let outbox = open(folder.path(), |_| ());
    let _lanes = lanes(&outbox, &backend.address.to_string());
    let is_all = || {
        let others = fs::read_dir(folder.path()).unwrap().count() > 1;
        !others && outbox.report().lanes.iter().all(|lane| lane.waiting + lane.spooled == 0)
    };
    for _ in 0..40_000 {
        if is_all() {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    let report = outbox.shutdown(Duration::from_secs(10)).await;
    assert_eq!(report.lost(), 0, "{report}");
    assert!(report.lanes.iter().all(|lane| lane.spooled == 0), "{report}");
}

/// The next process finds nothing.
async fn is_drained(folder: &Folder, backend: &Backend) -> bool {
    let outbox = open(folder.path(), |_| ());
    let _lanes = lanes(&outbox, &backend.address.to_string());
    for _ in 0..1_000 {
        if fs::read_dir(folder.path()).unwrap().count() == 1 {
            return outbox.report().lanes.iter().all(|lane| lane.accepted == 0);
        }
        sleep(Duration::from_millis(5)).await;
    }
    false
}

fn open(folder: &Path, events: impl Fn(&OutboxEvent) + Send + Sync + 'static) -> Outbox {
    Outbox::builder().spool(Spool::new(folder).bytes(1 << 30)).events(events).start().unwrap()
}

fn lanes(outbox: &Outbox, address: &str) -> [Exchanges; 4] {
    let limits = |limits: belvedere::outbox::Limits| limits.records(RECORDS).in_flight(IN_FLIGHT as usize);
    Kind::ALL.map(|kind| Plan::of(kind).limits(limits).exchanges(outbox, address.parse().unwrap()))
}

/// Does nothing unless another test runs it, in a process of its own: serves until it is killed.
#[tokio::test]
async fn serves() {
    let Some((address, folder, first)) = told() else { return };
    say("open");
    let written = Mutex::new(BTreeSet::new());
    let outbox = open(Path::new(&folder), move |event| match event {
        OutboxEvent::Spooled { lane, records, .. } => {
            say(&format!("spooled {records} {lane}"));
            let mut written = written.lock().unwrap();
            if written.insert(lane.clone()) && written.len() == Kind::ALL.len() {
                say("ready");
            }
        }
        OutboxEvent::Sent { .. } | OutboxEvent::Retrying { .. } | OutboxEvent::Adopted { .. } => {}
        other => say(&format!("failed {other:?}")),
    });
    let lanes = lanes(&outbox, &address);
    for (kind, lane) in Kind::ALL.iter().zip(outbox.report().lanes) {
        say(&format!("lane {kind:?} {}", lane.name));
    }
    for number in first..first + NUMBERS {
        lanes.iter().for_each(|lane| lane.serve(&path(number)));
        // What is not on the disk may not be so much that it makes room.
        while number % 100 == 0 && outbox.report().lanes.iter().any(|lane| lane.waiting > 10_000) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    sleep(Duration::from_secs(600)).await;
}

/// Does nothing unless another test runs it, in a process of its own: ends one outbox after the other.
#[tokio::test]
async fn restarts() {
    let Some((address, folder, restarts)) = told() else { return };
    for restart in 0..restarts {
        let mut door = String::new();
        std::io::stdin().read_line(&mut door).unwrap();
        let written = Arc::<AtomicU64>::default();
        let write = written.clone();
        let outbox = open(Path::new(&folder), move |event| {
            if let OutboxEvent::Spooled { records, .. } = event {
                write.fetch_add(*records as u64, Ordering::Relaxed);
            }
        });
        let lanes = lanes(&outbox, &address);
        for number in restart * EACH..(restart + 1) * EACH {
            lanes.iter().for_each(|lane| lane.serve(&path(number)));
        }
        while written.load(Ordering::Relaxed) < EACH * Kind::ALL.len() as u64 {
            sleep(Duration::from_millis(1)).await;
        }
        let limit = if door.trim() == "Open" { Duration::from_secs(30) } else { Duration::from_millis(20) };
        let report = outbox.shutdown(limit).await;
        assert_eq!(report.lost(), 0, "{report}");
        drop((outbox, lanes));
        let Cost { threads, descriptors } = Cost::settled().await;
        say(&format!("cost {threads} {descriptors}"));
        say(&format!("restarted {restart}"));
    }
}

/// What another test has for this process to do: the address of the backend, the folder, and a number.
fn told() -> Option<(String, String, u64)> {
    let told = env::var(TOLD).ok()?;
    let [address, number, folder] = <[&str; 3]>::try_from(told.splitn(3, ' ').collect::<Vec<_>>()).unwrap();
    Some((address.to_owned(), folder.to_owned(), number.parse().unwrap()))
}

/// In one write, past what the test harness captures, and apart from what it says itself.
fn say(line: &str) {
    let _ = std::io::stdout().lock().write_all(format!("\n@{line}\n").as_bytes());
    let _ = std::io::stdout().flush();
}

/// How often, unless the environment says otherwise.
fn times(name: &str, unless_told: u64) -> u64 {
    env::var(name).map_or(unless_told, |times| times.parse().unwrap())
}

fn pause(time: Duration) {
    let (_silent, pause) = mpsc::channel::<()>();
    let _ = pause.recv_timeout(time);
}

// ===== impl Service =====

impl Service {
    fn start(test: &str, folder: &Folder, backend: &Backend, number: u64) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(TOLD, format!("{} {number} {}", backend.address, folder.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, said) = mpsc::channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            let lines = lines.map_while(Result::ok);
            lines.filter(|line| line.starts_with('@')).for_each(|line| sender.send(line).unwrap_or_default());
        });
        let (spooled, names) = (BTreeMap::new(), BTreeMap::new());
        Self { process, said, first: number, spooled, names, costs: Vec::new() }
    }

    fn hear_until(&mut self, signal: &str) {
        loop {
            let line = self.said.recv().expect("it lives until it is killed");
            self.hear(&line[1..]);
            if line[1..] == *signal {
                return;
            }
        }
    }

    fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (one, other) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "spooled" => *self.spooled.entry(other.to_owned()).or_default() += one.parse::<u64>().unwrap(),
            "lane" => {
                let kind = Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == one).unwrap();
                self.names.insert(kind, other.to_owned());
            }
            "cost" => {
                let [threads, descriptors] = [one, other].map(|number| number.parse().unwrap());
                self.costs.push(Cost { threads, descriptors });
            }
            "failed" => panic!("{rest}"),
            _ => {}
        }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Records are written in their order, lane by lane.
    fn kill(&mut self, told: &mut Told) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.code().is_none(), "it failed by itself: {status}");
        while let Ok(line) = self.said.recv() {
            self.hear(&line[1..]);
        }
        for kind in Kind::ALL {
            let spooled = self.names.get(&kind).and_then(|name| self.spooled.get(name));
            let end = self.first + spooled.copied().unwrap_or_default();
            told.entry(kind).or_default().push(self.first..end);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// ===== impl Cost =====

impl Cost {
    fn of_this_process() -> Self {
        let count = |folder: &str| fs::read_dir(folder).unwrap().count() as u64;
        Self { threads: count("/proc/self/task"), descriptors: count("/proc/self/fd") }
    }

    /// The least within a while: what was ended needs a moment to be gone.
    async fn settled() -> Self {
        let mut least = Self::of_this_process();
        for _ in 0..20 {
            sleep(Duration::from_millis(2)).await;
            let Self { threads, descriptors } = Self::of_this_process();
            least.threads = least.threads.min(threads);
            least.descriptors = least.descriptors.min(descriptors);
        }
        least
    }
}

const TOLD: &str = "BELVEDERE_KILLED";

/// What a service may count up to.
const NUMBERS: u64 = 3_000;

/// What one life pushes on each lane.
const EACH: u64 = 30;

/// Of a request.
const RECORDS: usize = 25;

/// Requests of a lane at once.
const IN_FLIGHT: u64 = 4;
