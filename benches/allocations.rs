//! How often a request allocates for being seen, on its own thread, by case; beside the committed baseline.
//!
//! `cargo bench --all-features --bench allocations`, and what [`baseline`] takes. It is apart from the bench of
//! instructions, because an allocator that counts has instructions of its own.

mod support;

use std::{collections::BTreeMap, process::ExitCode};

use support::{
    baseline::{self, ALLOCATIONS, Counted, Counts, Wish, share},
    case::Case,
    cases, service,
    sink::{self, Sink},
};

fn main() -> ExitCode {
    sink::be_one_if_asked();
    let wish = Wish::from_args();
    let sink = Sink::start();
    baseline::judge(wish, cases::counted(), |cases| Some(count(cases, &sink)))
}

fn count(cases: &[Case], sink: &Sink) -> Counted {
    let totals: BTreeMap<_, _> = cases.iter().map(|case| (case.name, allocations(*case, sink))).collect();
    let over = |case: &Case| {
        let more = totals[case.name] - totals.get(case.over?)?;
        Some((*case, Counts::from([(ALLOCATIONS.to_owned(), share(more, case.each))])))
    };
    cases.iter().filter_map(over).collect()
}

/// The allocations of one exchange, once it is warm: of many the one in the middle, because a queue grows now and then.
fn allocations(case: Case, sink: &Sink) -> i64 {
    let runtime = service::runtime();
    let mut running = case.start(sink);
    running.serve(&runtime, case.requests(WARM));
    let mut counts: Vec<_> = case
        .requests(EXCHANGES)
        .map(|request| {
            let mut request = Some(request);
            let counted = allocation_counter::measure(|| running.serve(&runtime, request.take()));
            counted.count_total
        })
        .collect();
    running.finish(WARM + EXCHANGES);
    counts.sort_unstable();
    i64::try_from(counts[counts.len() / 2]).unwrap()
}

const WARM: u64 = 250;
const EXCHANGES: u64 = 101;
