//! How much memory a busy service's telemetry takes: 50,000 exchanges in a second for a minute, all four backends, with the
//! bounds that lanes have by themselves.
//!
//! `cargo bench --all-features --bench memory`, with other seconds after `--`. It takes two minutes, or with `--test` two
//! seconds, and needs Linux, which tells what a process has resident.
//!
//! | round | is |
//! |---|---|
//! | live | a sink in another process takes what it can |
//! | dead | nobody listens, so that all lanes are full and stay so |
//!
//! A round is a process of its own. What is resident grows from before the layers are there to the most that was seen, by no
//! more than the lanes may hold and 10 MB; the run fails where it is more.

mod support;

use std::{
    env, fs,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use belvedere::outbox::Limits;
use tokio::runtime::Runtime;
use tower::{Layer as _, service_fn};

use support::{
    service::{self, Serve, handle, serve, traced},
    sink::{self, Sink},
    ways::Ways,
};

/// What a round came to, in bytes.
struct Round {
    exchanges: u64,
    before: usize,
    most: usize,
}

fn main() -> ExitCode {
    sink::be_one_if_asked();
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &*arguments {
        [role, round, seconds] if role == ROUND => return run(round, seconds.parse().unwrap()),
        _ if !cfg!(target_os = "linux") => {
            println!("what is resident is told by Linux alone: nothing is measured here");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let seconds = match arguments.first().map(String::as_str) {
        Some("--test") => "1",
        other => other.unwrap_or("60"),
    };
    println!(
        "| round | exchanges/s | MB before | MB at most | MB more | MB allowed |\n|---|--:|--:|--:|--:|--:|"
    );
    let program = env::current_exe().unwrap();
    let is_good = |round| {
        let status = Command::new(&program).args([ROUND, round, seconds]).status().unwrap();
        status.success()
    };
    let good: Vec<_> = [LIVE, DEAD].into_iter().map(is_good).collect();
    if good.contains(&false) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(name: &str, seconds: u64) -> ExitCode {
    let runtime = service::runtime();
    let sink = (name == LIVE).then(Sink::start);
    let mut bare = serve(service_fn(handle));
    drive(&runtime, &mut bare, 1);
    let before = resident();
    let ways = sink.as_ref().map_or_else(Ways::dead, Ways::to).bounded(Limits::default().queue_bytes(A_LANE));
    let mut watched = serve(ways.all().layer(service_fn(handle)));
    let (exchanges, most) = drive(&runtime, &mut watched, seconds);
    let round = Round { exchanges: exchanges / seconds, before, most };
    drop(watched);
    ways.outbox.shutdown_blocking(Duration::ZERO);
    round.judge(name)
}

/// As many exchanges in each second as there are to be, and the most that was resident.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "here the real clock is the point")]
fn drive(runtime: &Runtime, serve: &mut Serve, seconds: u64) -> (u64, usize) {
    let (began, mut done, mut most) = (std::time::Instant::now(), 0, 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        let due = began.elapsed().as_millis() as u64 * A_SECOND / 1_000;
        if due <= done {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        let next = (due - done).min(AT_ONCE);
        serve(runtime, &mut (0..next).map(|_| traced()));
        done += next;
        most = most.max(resident());
    }
    (done, most)
}

/// What this process has in memory.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("this is Linux");
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE
}

// ===== impl Round =====

impl Round {
    fn judge(&self, name: &str) -> ExitCode {
        let (more, allowed) = (self.most.saturating_sub(self.before), LANES * A_LANE + 10_000_000);
        let [before, most, grown, bound] =
            [self.before, self.most, more, allowed].map(|bytes| bytes as f64 / 1e6);
        println!("| {name} | {} | {before:.1} | {most:.1} | {grown:.1} | {bound:.1} |", self.exchanges);
        if more > allowed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

const ROUND: &str = "round";
const LIVE: &str = "live";
const DEAD: &str = "dead";

/// Spans, segments, items and lines.
const LANES: usize = 4;

/// The bytes that a lane may hold, as it does by itself.
const A_LANE: usize = 16 << 20;

/// How many exchanges there are to be in a second.
const A_SECOND: u64 = 50_000;

/// How many are served before the memory is looked at.
const AT_ONCE: u64 = 500;

/// Of x86-64 and most others.
const PAGE: usize = 4096;
