//! All four lanes for an hour, with everything that goes wrong: `tests/soak` runs it.
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
    collections::BTreeMap,
    env, fmt, fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use backend::{
    Backend,
    dialect::Kind,
    fault::{Call, Door, Fault},
    oracle::{self, judge},
};
use belvedere::outbox::{LaneReport, Outbox, Report, Spool};
use house::{Plan, folder::Folder};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// What the service says of a lane.
#[derive(Clone, Debug, Default)]
struct Line {
    accepted: u64,
    delivered: u64,
    lost: u64,
    waiting: u64,
    spooled: u64,
}

/// What the service takes of the machine.
#[derive(Clone, Copy, Debug)]
struct Cost {
    at: Instant,
    resident: f64,
    descriptors: usize,
    threads: usize,
    /// Of the disk, in MB.
    spool: f64,
}

type Lines = Arc<Mutex<BTreeMap<String, Line>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes an hour"]
async fn nothing_is_lost_and_nothing_grows() {
    let time = Duration::from_secs(env::var("BELVEDERE_SOAK").map_or(3_600, |time| time.parse().unwrap()));
    let backend = Backend::start().await;
    backend.faults(faults());
    let folder = env::var("BELVEDERE_SOAK_SPOOL").is_ok_and(|told| told == "1").then(Folder::new);
    println!("its lanes are {}", if folder.is_some() { "on the disk" } else { "in memory" });
    let mut service = service(&backend, time, folder.as_ref());
    let lines = listen(service.stdout.take().unwrap());
    let (start, mut costs) = (Instant::now(), Vec::new());
    let doors = tokio::spawn(turn(backend.clone()));
    let minute = Duration::from_secs(60).min(time / 4);
    while start.elapsed() + minute <= time {
        sleep_until(start + minute * (u32::try_from(costs.len()).unwrap() + 1)).await;
        costs.push(Cost::of(service.id(), folder.as_ref()));
        tell(start, &backend, &lines, &costs);
    }
    sleep_until(start + time).await;
    doors.abort();
    backend.mend();
    backend.door(Door::Open).await;
    // It shuts down by itself, and ends.
    let is_well = tokio::task::spawn_blocking(move || service.wait().unwrap().success()).await.unwrap();
    sleep(Duration::from_millis(200)).await;

    let mut lost = 0;
    for (kind, line) in Kind::ALL.into_iter().zip(said(&lines)) {
        let verdict = judge(line.accepted, &backend.books(kind));
        println!(
            "{kind:?}: {line}; by the oracle {} lost and {} doubled",
            verdict.lost.len(),
            verdict.doubles()
        );
        assert!(verdict.damaged.is_empty() && verdict.unknown.is_empty(), "{kind:?}: {verdict:?}");
        assert!(line.accepted > 0 && line.accepted == line.delivered + line.lost, "{kind:?}: {line}");
        lost += verdict.lost.len();
    }
    println!(
        "{} records came twice at most, because their first answer was never given",
        backend.unanswered()
    );
    assert_eq!(lost, 0);
    assert!(is_well, "the service failed");
}

/// Does nothing unless the other test runs it, in a process of its own: serves on all lanes at once.
#[tokio::test]
async fn serves() {
    let Ok(told) = env::var("BELVEDERE_SOAKED") else { return };
    let [address, seconds, folder] = <[&str; 3]>::try_from(told.splitn(3, ' ').collect::<Vec<_>>()).unwrap();
    let outbox = match folder {
        "" => Outbox::builder(),
        folder => Outbox::builder().spool(Spool::new(folder)),
    };
    let outbox = outbox.start().unwrap();
    let lanes = Kind::ALL.map(|kind| {
        let plan = Plan { timeout: Duration::from_secs(1), ..Plan::of(kind) };
        let plan = plan.limits(|limits| limits.records(50).queue_bytes(64 << 20));
        (kind, plan.exchanges(&outbox, address.parse().unwrap()))
    });
    let (end, mut served) = (Instant::now() + Duration::from_secs(seconds.parse().unwrap()), 0);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while Instant::now() < end {
        ticks.tick().await;
        for (kind, lane) in &lanes {
            let many = per_tick(*kind);
            (served * many..(served + 1) * many).for_each(|number| lane.serve(&oracle::path(number)));
        }
        served += 1;
        if served % 100 == 0 {
            say(&outbox.report());
        }
    }
    say(&outbox.shutdown(Duration::from_secs(120)).await);
}

/// To the standard output, where the other test reads it.
fn say(report: &Report) {
    for (kind, lane) in Kind::ALL.iter().zip(&report.lanes) {
        let LaneReport { accepted, delivered, waiting, spooled, .. } = lane;
        println!("\nsoak {kind:?} {accepted} {delivered} {} {waiting} {spooled}", lane.lost());
    }
}

fn service(backend: &Backend, time: Duration, folder: Option<&Folder>) -> Child {
    let folder = folder.map_or_else(|| Path::new(""), Folder::path).display();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "serves", "--nocapture"]).stdout(Stdio::piped());
    command
        .env("BELVEDERE_SOAKED", format!("{} {} {folder}", backend.address, time.as_secs()))
        .spawn()
        .unwrap()
}

fn listen(said: ChildStdout) -> Lines {
    let lines = Lines::default();
    let heard = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            let Some((kind, numbers)) = line.strip_prefix("soak ").and_then(|line| line.split_once(' '))
            else {
                continue;
            };
            let numbers: Vec<u64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
            let [accepted, delivered, lost, waiting, spooled] = numbers[..] else { panic!("{line}") };
            let line = Line { accepted, delivered, lost, waiting, spooled };
            heard.lock().unwrap().insert(kind.to_owned(), line);
        }
    });
    lines
}

fn said(lines: &Lines) -> [Line; 4] {
    let lines = lines.lock().unwrap();
    Kind::ALL.map(|kind| lines.get(&format!("{kind:?}")).cloned().unwrap_or_default())
}

fn tell(start: Instant, backend: &Backend, lines: &Lines, costs: &[Cost]) {
    println!("== after {} s", start.elapsed().as_secs());
    for (kind, line) in Kind::ALL.into_iter().zip(said(lines)) {
        let books = backend.books(kind);
        let (stored, doubles) = (books.distinct(), judge(0, &books).doubles());
        println!("{kind:?}: {line}; by the oracle {stored} stored, {doubles} doubled");
    }
    let Cost { resident, descriptors, threads, spool, .. } = costs[costs.len() - 1];
    // What it takes to come up to speed is not what it loses.
    let slope = slope(&costs[costs.len() / 4..]);
    println!(
        "{resident:.1} MB resident, {slope:+.1} MB/h, {descriptors} descriptors, {threads} threads, {spool:.1} MB spool"
    );
}

/// What goes wrong with calls. One of Rollbar's is one record, so there it is rarer.
fn faults() -> impl Fn(&Call) -> Option<Fault> + Send + Sync {
    let chance = Mutex::new(fastrand::Rng::with_seed(30));
    move |call| {
        let mut chance = chance.lock().unwrap();
        let share = if call.kind == Kind::Rollbar { 0.003 } else { 0.05 };
        if chance.f64() >= share {
            return None;
        }
        Some(match chance.u8(0..6) {
            0 => Fault::Throttled,
            1 => Fault::Status(503),
            2 => Fault::Reset,
            3 => Fault::StoreAndReset,
            4 => Fault::Hang,
            _ => Fault::Slow(Duration::from_secs(2)),
        })
    }
}

/// For two seconds in thirty there is no way to the backend.
async fn turn(backend: Backend) {
    for door in [Door::Closed, Door::Walled, Door::Deaf].into_iter().cycle() {
        sleep(Duration::from_secs(13)).await;
        backend.door(door).await;
        sleep(Duration::from_secs(2)).await;
        backend.door(Door::Open).await;
        sleep(Duration::from_secs(15)).await;
    }
}

// ===== impl Line =====

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, lost, waiting, spooled } = self;
        write!(
            f,
            "{accepted} accepted, {delivered} delivered, {lost} lost, {waiting} waiting, {spooled} spooled"
        )
    }
}

// ===== impl Cost =====

impl Cost {
    fn of(process: u32, folder: Option<&Folder>) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        let status = read("status");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0_u32)
        };
        let descriptors = fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
        let (resident, threads) = (f64::from(number("VmRSS:")) / 1_024.0, number("Threads:") as usize);
        let spool = folder.map_or(0.0, |folder| folder.size() as f64 / 1e6);
        Self { at: Instant::now(), resident, descriptors, threads, spool }
    }
}

/// In MB an hour, by least squares.
fn slope(costs: &[Cost]) -> f64 {
    let count = costs.len() as f64;
    let hours = |cost: &Cost| cost.at.duration_since(costs[0].at).as_secs_f64() / 3_600.0;
    let mean_hour = costs.iter().map(hours).sum::<f64>() / count;
    let mean = costs.iter().map(|cost| cost.resident).sum::<f64>() / count;
    let square: f64 = costs.iter().map(|cost| (hours(cost) - mean_hour).powi(2)).sum();
    let both: f64 = costs.iter().map(|cost| (hours(cost) - mean_hour) * (cost.resident - mean)).sum();
    if square == 0.0 { 0.0 } else { both / square }
}

/// A thousand a second; of Rollbar's each is a request, one after the other, so they are a hundred.
fn per_tick(kind: Kind) -> u64 {
    if kind == Kind::Rollbar { 1 } else { 10 }
}

const TICK: Duration = Duration::from_millis(10);
