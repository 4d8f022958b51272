//! How often a request allocates for being seen, on its own thread, by case; beside the committed baseline.
//!
//! `cargo bench --all-features --bench allocations`, and what [`baseline`] takes. It is apart from the bench of
//! instructions, because an allocator that counts has instructions of its own.

mod support;

use std::process::ExitCode;

use support::{
    baseline::{self, ALLOCATIONS, Counts, Totals, Wish, share},
    case::Case,
    cases, service,
    sink::{self, Sink},
};

fn main() -> ExitCode {
    sink::be_one_if_asked();
    let wish = Wish::from_args();
    let sink = Sink::start();
    let count = |case: &Case| {
        let counts = Counts::from([(ALLOCATIONS.to_owned(), allocations(*case, &sink))]);
        (case.name.to_owned(), counts)
    };
    baseline::judge(wish, cases::counted(), |cases| Some(cases.iter().map(count).collect()), over)
}

/// What a case allocates more often than the one that it is compared with.
fn over(case: &Case, totals: &Totals) -> Option<Counts> {
    let more = totals.get(case.name)?.get(ALLOCATIONS)? - totals.get(case.over?)?.get(ALLOCATIONS)?;
    Some(Counts::from([(ALLOCATIONS.to_owned(), share(more, case.each))]))
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
