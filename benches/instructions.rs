//! How many instructions a request costs for being seen, by case; beside the committed baseline.
//!
//! `cargo bench --all-features --bench instructions`, and what [`baseline`] takes. It needs valgrind, and
//! `gungraun-runner` of the version of the crate `gungraun`.
//!
//! | counted | is |
//! |---|---|
//! | request | what the thread that serves does |
//! | all | what the whole process does, until a sink in another process has every record |
//!
//! Each case is a process that serves exchanges and ends. Two of them with different numbers of exchanges differ by the
//! exchanges alone; of that, what the same service costs without layers is taken away. Batches are full ones, so that time
//! decides little. What callgrind wrote stays in `target/gungraun`, for `callgrind_annotate`.

mod support;

use std::{
    env,
    process::{Command, ExitCode, Stdio},
};

use gungraun::{Bench, BinaryBenchmark, BinaryBenchmarkConfig, BinaryBenchmarkGroup, Callgrind};
use serde_json::Value;

use support::{
    baseline::{self, ALL, Counts, REQUEST, Totals, Wish, share},
    case::Case,
    cases, service,
    sink::{self, Sink},
    ways::BATCH,
};

/// What gungraun generates.
mod gauge {
    use gungraun::binary_benchmark_group;

    binary_benchmark_group!(
        name = cases;
        benchmarks = |group: &mut BinaryBenchmarkGroup| crate::define(group)
    );
    gungraun::main!(config = crate::config(); binary_benchmark_groups = cases);

    pub(super) fn run() {
        main();
    }
}

fn main() -> ExitCode {
    sink::be_one_if_asked();
    let arguments: Vec<_> = env::args().skip(1).collect();
    match &*arguments {
        [role, case, exchanges] if role == SERVE => serve(case, exchanges.parse().unwrap()),
        [role, ..] if role == JSON => gauge::run(),
        _ => return compare(Wish::from_args()),
    }
    ExitCode::SUCCESS
}

/// What is counted.
fn serve(name: &str, exchanges: u64) {
    let runtime = service::runtime();
    let sink = Sink::start();
    let case = cases::counted().into_iter().find(|case| case.name == name).unwrap();
    let mut running = case.start(&sink);
    running.serve(&runtime, case.requests(exchanges));
    running.finish(exchanges);
}

/// Tells gungraun what to run.
fn define(group: &mut BinaryBenchmarkGroup) {
    let program = env::current_exe().unwrap();
    let words = env::var(CASES).unwrap();
    let names: Vec<_> = words.lines().collect();
    for case in cases::counted().into_iter().filter(|case| names.contains(&case.name)) {
        let mut benchmark = BinaryBenchmark::new(id(case.name));
        for exchanges in EXCHANGES {
            let exchanges = exchanges.to_string();
            let arguments = [SERVE, case.name, &exchanges];
            let command = gungraun::Command::new(&program).args(arguments).build();
            benchmark.bench(Bench::new(format!("x{exchanges}")).command(command));
        }
        group.binary_benchmark(benchmark);
    }
}

fn config() -> BinaryBenchmarkConfig {
    let mut config = BinaryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--separate-threads=yes", "--trace-children=no", "--cache-sim=no"]));
    config
}

/// A name as gungraun takes it.
fn id(case: &str) -> String {
    case.replace(|char: char| !char.is_ascii_alphanumeric(), "_")
}

fn compare(wish: Wish) -> ExitCode {
    baseline::judge(wish, cases::counted(), measure, over)
}

/// What a case costs more than the one that it is compared with.
fn over(case: &Case, totals: &Totals) -> Option<Counts> {
    let exchanges = (EXCHANGES[1] - EXCHANGES[0]).cast_signed() * case.each;
    let more =
        |what| Some(share(cost(case.name, what, totals)? - cost(case.over?, what, totals)?, exchanges));
    let mut counts = Counts::from([(REQUEST.to_owned(), more(REQUEST)?)]);
    if case.is_delivered() {
        counts.insert(ALL.to_owned(), more(ALL)?);
    }
    Some(counts)
}

/// What the second process of a case did more than the first.
fn cost(case: &str, what: &str, totals: &Totals) -> Option<i64> {
    let [few, many] = EXCHANGES.map(|exchanges| totals.get(&total(&id(case), &format!("x{exchanges}"))));
    Some(many?.get(what)? - few?.get(what)?)
}

/// How the counts of a process are called.
fn total(case: &str, exchanges: &str) -> String {
    format!("{case} {exchanges}")
}

/// Runs gungraun. None: it failed, and said why.
fn measure(cases: &[Case]) -> Option<Totals> {
    let names: Vec<_> = cases.iter().map(|case| case.name).collect();
    let output = Command::new(env::current_exe().unwrap())
        .args([JSON, "--bench"])
        .env(CASES, names.join("\n"))
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| lines.lines().map(parse).collect())
}

/// A line of gungraun's output.
fn parse(line: &str) -> (String, Counts) {
    let summary: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| summary[key].as_str().unwrap().to_owned();
    let (mut request, mut all) = (0, 0);
    for part in summary["profiles"][0]["data"]["parts"].as_array().unwrap() {
        // A thread that only an earlier run had is told as well.
        let Some(count) = part["metrics"]["Ir"]["values"]["new"].as_i64() else { continue };
        all += count;
        if part["tool_run"]["new"]["thread"] == 1 {
            request += count;
        }
    }
    let counts = Counts::from([(REQUEST.to_owned(), request), (ALL.to_owned(), all)]);
    (total(&text("function_name"), &text("id")), counts)
}

/// Exchanges of two runs, of which the second makes as many full batches more.
const EXCHANGES: [u64; 2] = [BATCH as u64, 5 * BATCH as u64];

const SERVE: &str = "serve";
const JSON: &str = "--output-format=json";
const CASES: &str = "BELVEDERE_BENCH_CASES";
