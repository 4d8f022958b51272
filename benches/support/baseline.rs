//! The counts that are committed, and how new ones are judged by them.
//!
//! `benches/baseline.json` has the counts of every case by compiler and target, because each makes other code of the same
//! sources. A bench that counts prints its table and fails where something has grown: allocations at all, instructions by
//! more than 3 % and 20. Where there is nothing for this compiler and target it says so, and passes.
//!
//! What seems to have grown is counted twice more, with what it is compared with, and of each the least counts: a thread that
//! comes by at another moment, or finds memory in another order, adds to it and never takes from it.
//!
//! After `--` it takes words, of which a case's name must contain one, to look at a few cases; and `--write "the reason"`,
//! which puts what was counted into the file.

use std::{collections::BTreeMap, env, fs, process::Command, process::ExitCode};

use serde::{Deserialize, Serialize};

use super::case::Case;

/// What was counted of an exchange, or of an event in it, by what it is.
pub type Counts = BTreeMap<String, i64>;

/// All that was counted, by names that the bench gives: nothing is taken away from it yet.
pub type Totals = BTreeMap<String, Counts>;

/// What the caller of a bench wants.
#[derive(Debug, Default)]
pub struct Wish {
    words: Vec<String>,
    /// Why the baseline is to be written.
    reason: Option<String>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Baseline {
    /// Why it was last written.
    reason: String,
    /// By compiler and target, and by case.
    counts: BTreeMap<String, BTreeMap<String, Counts>>,
}

// ===== impl Wish =====

impl Wish {
    pub fn from_args() -> Self {
        let mut wish = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--bench" => {}
                "--write" => wish.reason = Some(arguments.next().expect("a reason after --write")),
                _ => wish.words.push(argument),
            }
        }
        assert!(wish.reason.is_none() || wish.words.is_empty(), "all cases are written, or none");
        wish
    }

    /// The cases that are wanted, and those that they are compared with.
    pub fn cases(&self, all: Vec<Case>) -> Vec<Case> {
        with_bases(all, |case| self.is_for(case))
    }

    fn is_for(&self, case: &Case) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| case.name.contains(word))
    }
}

// ===== impl Baseline =====

impl Baseline {
    fn read() -> Self {
        fs::read(PATH).map_or_else(|_| Self::default(), |json| serde_json::from_slice(&json).unwrap())
    }

    fn write(&self) {
        let json = serde_json::to_string_pretty(self).unwrap();
        fs::write(PATH, json + "\n").unwrap();
    }

    /// Takes new counts, and leaves those of other benches as they are. Cases that are no more go.
    fn take(&mut self, key: &str, counted: &[(Case, Counts)]) {
        let old = self.counts.remove(key).unwrap_or_default();
        let cases = counted.iter().map(|(case, counts)| {
            let mut merged = old.get(case.name).cloned().unwrap_or_default();
            merged.extend(counts.clone());
            (case.name.to_owned(), merged)
        });
        self.counts.insert(key.to_owned(), cases.collect());
    }
}

/// Has the cases counted, prints that beside the baseline, and writes the baseline if that is wished for. Fails if something
/// grew, or where `count` could not count. What a case costs more than another one, `over` makes of all that was counted.
pub fn judge(
    wish: Wish,
    all: Vec<Case>,
    count: impl Fn(&[Case]) -> Option<Totals>,
    over: impl Fn(&Case, &Totals) -> Option<Counts>,
) -> ExitCode {
    let (mut baseline, key) = (Baseline::read(), key());
    let (known, cases) = (baseline.counts.get(&key), wish.cases(all));
    let Some(mut totals) = count(&cases) else { return ExitCode::FAILURE };
    let compare = |totals: &Totals| {
        cases.iter().filter_map(|case| Some((*case, over(case, totals)?))).collect::<Vec<_>>()
    };
    if let (Some(known), None) = (known, &wish.reason) {
        for _ in 0..AGAIN {
            let grown = grown(&compare(&totals), known);
            if !grown.is_empty() {
                println!("Counted once more: {}", grown.join("; "));
                let again = count(&with_bases(cases.clone(), |case| grown.contains(&case.name)));
                take_least(&mut totals, again.unwrap_or_default());
            }
        }
    }
    let counted = compare(&totals);
    print(&counted, known.unwrap_or(&BTreeMap::new()));
    if let Some(reason) = wish.reason {
        baseline.take(&key, &counted);
        Baseline { reason, ..baseline }.write();
        println!("This is the baseline for {key} now.");
        return ExitCode::SUCCESS;
    }
    let Some(known) = known else {
        println!(
            "There is no baseline for {key}. To make this one, append: -- --write \"the first for {key}\""
        );
        return ExitCode::SUCCESS;
    };
    verdict(&complaints(&counted, known))
}

/// The cases that seem to have grown.
fn grown(counted: &[(Case, Counts)], known: &BTreeMap<String, Counts>) -> Vec<&'static str> {
    let has_grown = |one: &&(Case, Counts)| !complaints(std::slice::from_ref(*one), known).is_empty();
    counted.iter().filter(has_grown).map(|(case, _)| case.name).collect()
}

/// Of all that was counted the least, each by itself: what is compared is taken from these.
fn take_least(totals: &mut Totals, again: Totals) {
    for (name, counts) in again {
        for (what, count) in counts {
            let least = totals.entry(name.clone()).or_default().entry(what).or_insert(count);
            *least = count.min(*least);
        }
    }
}

/// Those that are wanted, and what they are compared with.
fn with_bases(all: Vec<Case>, is_wanted: impl Fn(&Case) -> bool) -> Vec<Case> {
    let bases: Vec<_> = all.iter().filter(|case| is_wanted(case)).filter_map(|case| case.over).collect();
    all.into_iter().filter(|case| is_wanted(case) || bases.contains(&case.name)).collect()
}

fn verdict(complaints: &[String]) -> ExitCode {
    if complaints.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{}", complaints.join("\n"));
    eprintln!(
        "If that is worth it, append: -- --write \"the reason\", and commit the baseline with the change."
    );
    ExitCode::FAILURE
}

fn complaints(counted: &[(Case, Counts)], known: &BTreeMap<String, Counts>) -> Vec<String> {
    let complain = |(case, counts): &(Case, Counts)| {
        let known = known.get(case.name).cloned().unwrap_or_default();
        let name = case.name;
        counts
            .iter()
            .filter_map(|(what, &now)| match known.get(what) {
                None => Some(format!("{name}: {what}: {now}, and the baseline has none")),
                Some(&was) if now > most(what, was) => {
                    Some(format!("{name}: {what}: {was} have become {now}"))
                }
                Some(_) => None,
            })
            .collect::<Vec<_>>()
    };
    counted.iter().flat_map(complain).collect()
}

/// What a count may be that was `was`.
fn most(what: &str, was: i64) -> i64 {
    match what {
        ALLOCATIONS => was,
        _ => was + (was * 3 / 100).max(20),
    }
}

fn print(counted: &[(Case, Counts)], known: &BTreeMap<String, Counts>) {
    let Some((_, first)) = counted.first() else { return println!("There is no such case.") };
    println!("\n| over the same without | {} |", first.keys().cloned().collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "--:|".repeat(first.len()));
    for (case, counts) in counted {
        let known = known.get(case.name);
        let cells = first.keys().map(|what| {
            let cell = counts.get(what).map_or_else(|| "–".to_owned(), i64::to_string);
            let was = known.and_then(|known| known.get(what)).filter(|was| Some(*was) != counts.get(what));
            was.map_or_else(|| cell.clone(), |was| format!("{cell} (was {was})"))
        });
        println!("| {} | {} |", case.name, cells.collect::<Vec<_>>().join(" | "));
    }
    println!();
}

/// What comes to each of so many, to the nearest whole.
pub fn share(total: i64, of: i64) -> i64 {
    (total as f64 / of as f64).round() as i64
}

/// The compiler and the target.
fn key() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let told = Command::new(rustc).arg("-vV").output().unwrap().stdout;
    let told = String::from_utf8(told).unwrap();
    let line = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    format!("{} {}", line("release:"), line("host:"))
}

/// What is counted.
pub const REQUEST: &str = "request";
pub const ALL: &str = "all";
pub const ALLOCATIONS: &str = "allocations";

/// How often what seems to have grown is counted again.
const AGAIN: usize = 2;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline.json");
