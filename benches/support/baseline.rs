//! The counts that are committed, and how new ones are judged by them.
//!
//! `benches/baseline.json` has the counts of every case by compiler and target, because each makes other code of the same
//! sources. A bench that counts prints its table and fails where something has grown: allocations at all, instructions by
//! more than 3 % and 20. Where there is nothing for this compiler and target it says so, and passes.
//!
//! After `--` it takes words, of which a case's name must contain one, to look at a few cases; and `--write "the reason"`,
//! which puts what was counted into the file.

use std::{collections::BTreeMap, env, fs, process::Command, process::ExitCode};

use serde::{Deserialize, Serialize};

use super::case::Case;

/// What was counted of an exchange, or of an event in it, by what it is.
pub type Counts = BTreeMap<String, i64>;

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
        let wanted: Vec<_> = all.iter().filter(|case| self.is_for(case)).copied().collect();
        let is_needed =
            |case: &Case| self.is_for(case) || wanted.iter().any(|wanted| wanted.over == Some(case.name));
        all.into_iter().filter(is_needed).collect()
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

/// Prints what was counted beside the baseline, and writes the baseline if that is wished for. Fails if something grew.
pub fn judge(wish: Wish, counted: &[(Case, Counts)]) -> ExitCode {
    let (mut baseline, key) = (Baseline::read(), key());
    let known = baseline.counts.get(&key);
    print(counted, known.unwrap_or(&BTreeMap::new()));
    if let Some(reason) = wish.reason {
        baseline.take(&key, counted);
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
    verdict(&complaints(counted, known))
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

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline.json");
