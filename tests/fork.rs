//! A process that forks, as servers do that start their workers before they serve: what its children inherit is a
//! queue and no thread.
#![cfg(all(
    unix,
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
    process::{self, Command},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use backend::{
    Backend,
    dialect::Kind,
    fault::Fault,
    oracle::{self, judge},
};
use belvedere::outbox::Outbox;
use fork::{Fork, fork, waitpid_nohang};
use house::Plan;
use tokio::time::Instant;

#[tokio::test]
async fn a_child_does_not_hang_nor_send_what_its_parent_has_and_the_parent_goes_on() {
    for kind in Kind::ALL {
        let backend = Backend::start().await;
        // Of the parent's records some are under way and some queued when it forks.
        backend.faults(|call| (call.number < 4).then_some(Fault::Status(503)));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "forks", "--nocapture"])
            .env("BELVEDERE_FORKS", format!("{kind:?} {}", backend.address))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind:?}: {told}");
        print!("{told}");
        let verdict = judge(2 * OF_THE_PARENT, &backend.books(kind));
        assert_eq!((verdict.lost.len(), verdict.doubles()), (0, 0), "{kind:?}: {told}");
        assert_eq!(verdict.unknown, [0; 0], "{kind:?}: no child has a thread that could send");
    }
}

/// Does nothing unless another test runs it, in a process of its own.
#[test]
fn forks() {
    let Ok(told) = std::env::var("BELVEDERE_FORKS") else { return };
    let (name, address) = told.split_once(' ').unwrap();
    let kind = Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == name).unwrap();
    let outbox = Outbox::builder().start().unwrap();
    let plan = Plan::of(kind).limits(|limits| limits.queue_records(BOUND));
    let exchanges = plan.exchanges(&outbox, address.parse().unwrap());
    let push = |from: u64, count: u64| (from..from + count).for_each(|n| exchanges.serve(&oracle::path(n)));

    push(0, OF_THE_PARENT);
    let children: Vec<_> = (1..=4)
        .map(|child| {
            match fork().unwrap() {
                Fork::Parent(id) => return id,
                Fork::Child => {}
            }
            push(child * 1_000_000, 2 * BOUND as u64);
            let waiting = outbox.report().lanes[0].waiting;
            let is_sent = outbox.flush_blocking(Duration::from_millis(200));
            let report = outbox.shutdown_blocking(Duration::from_millis(200)).lanes.remove(0);
            let is_balanced = report.accepted == report.delivered + report.lost() && report.waiting == 0;
            // Where a thread of the parent had the queue, the lane is closed in the child, and nothing is to be sent.
            let is_untrue = is_sent && waiting > 0;
            process::exit(i32::from(waiting > BOUND as u64 || is_untrue || !is_balanced))
        })
        .collect();
    push(OF_THE_PARENT, OF_THE_PARENT);
    let codes = children.into_iter().map(|child| end_of(child, Duration::from_secs(10)));
    assert_eq!(codes.collect::<Vec<_>>(), [Some(0); 4]);
    let report = outbox.shutdown_blocking(Duration::from_secs(30)).lanes.remove(0);
    eprintln!("the parent: {report}");
    assert_eq!((report.delivered, report.lost()), (2 * OF_THE_PARENT, 0), "{report}");
}

/// What is inherited is up to chance: also a lock that a thread has which the child does not.
#[test]
fn no_child_of_a_process_that_pushes_hangs() {
    let address = "127.0.0.1:9".parse().unwrap();
    let outbox = Outbox::builder().start().unwrap();
    let plan = Plan::of(Kind::CloudWatch).limits(|limits| limits.queue_records(BOUND));
    let exchanges = plan.exchanges(&outbox, address);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    exchanges.serve("/0");
                }
            });
        }
        let forked = 200;
        let hung = (0..forked)
            .filter(|_| match fork().unwrap() {
                Fork::Parent(child) => end_of(child, Duration::from_secs(1)).is_none(),
                Fork::Child => {
                    exchanges.serve("/1");
                    process::exit(0)
                }
            })
            .count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(hung, 0, "of {forked} children");
    });
}

/// Its exit code; none if it had not ended in time, and was killed.
fn end_of(child: i32, limit: Duration) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = waitpid_nohang(child).unwrap() {
            return Some(status);
        }
        thread::yield_now();
    }
    let killed = Command::new("kill").args(["-9", &child.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "{child} hangs and cannot be killed");
    while waitpid_nohang(child).unwrap().is_none() {
        thread::yield_now();
    }
    None
}

const OF_THE_PARENT: u64 = 500;
const BOUND: usize = 2_000;
