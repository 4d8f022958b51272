//! Whether an exchange costs the same however many threads serve: bare and under all four layers, on 1 and on 64 threads that
//! share the layers.
//!
//! `cargo bench --all-features --bench threads`. It needs Linux, which tells how much processor time a process has had: on
//! threads that wait for their turn, that is what an exchange costs. Records go nowhere.

mod support;

use std::{env, fs, thread};

use tower::{Layer as _, service_fn};

use support::{
    service::{self, Serve, handle, serve, traced},
    ways::Ways,
};

fn main() {
    if !cfg!(target_os = "linux") {
        return println!("processor time is told by Linux alone: nothing is measured here");
    }
    let exchanges = if env::args().any(|argument| argument == "--test") { 640 } else { EXCHANGES };
    println!(
        "| threads | bare, ns of processor | all four, ns more | of those on 1 thread |\n|--:|--:|--:|--:|"
    );
    let ways = Ways::full();
    let all = ways.all();
    let mut alone = None;
    for threads in [1, 2, 8, 64] {
        let mut rounds: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let bare = cost(exchanges, threads, || serve(service_fn(handle)));
                let watched = cost(exchanges, threads, || serve(all.clone().layer(service_fn(handle))));
                (watched.saturating_sub(bare), bare)
            })
            .collect();
        rounds.sort_unstable();
        let (more, bare) = rounds[ROUNDS / 2];
        let alone = *alone.get_or_insert_with(|| more.max(1));
        let ratio = more as f64 / alone as f64;
        println!("| {threads} | {bare} | {more} | {ratio:.2} |");
    }
}

/// The nanoseconds of processor time that each of so many exchanges costs where so many threads serve.
fn cost(exchanges: u64, threads: u64, service: impl Fn() -> Serve + Sync) -> u64 {
    let before = consumed();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (runtime, mut serve) = (service::runtime(), service());
                serve(&runtime, &mut (0..exchanges / threads).map(|_| traced()));
            });
        }
    });
    (consumed() - before) / exchanges
}

/// The nanoseconds that this process had a processor for.
fn consumed() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("this is Linux");
    // The name of the program may have spaces in it.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks * TICK
}

const ROUNDS: usize = 5;
const EXCHANGES: u64 = 512_000;

/// The nanoseconds of a tick, of which Linux tells a hundred in a second.
const TICK: u64 = 10_000_000;
