//! Backends that are away for longer than memory lasts, and disks that fail.

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use belvedere::outbox::OutboxEvent;
use tokio::time::{Instant, sleep};

use super::{
    backend::{dialect::Kind, fault::Door},
    house::{Case, House, Plan, folder::Folder},
};

// ===== no way to the backend =====

#[tokio::test(start_paused = true)]
async fn an_outage_that_is_longer_than_memory_lasts_loses_and_doubles_nothing() {
    for case in Case::spooled() {
        let house = House::of(Plan::of(case).limits(|limits| limits.queue_records(100).in_flight(2))).await;
        house.backend.door(Door::Closed).await;
        for _ in 0..40 {
            house.push(25);
            sleep(Duration::from_secs(15)).await;
        }
        let report = house.report();
        assert_eq!(
            (report.delivered, report.lost(), report.spooled + report.waiting),
            (0, 0, 1_000),
            "{report}"
        );
        house.backend.door(Door::Open).await;
        house.close().await.assert_exact();
    }
}

#[tokio::test(start_paused = true)]
async fn three_hours_without_a_backend_lose_nothing_and_what_is_new_does_not_wait_for_all_that_is_old() {
    for case in Case::spooled() {
        let house = House::of(Plan::of(case).limits(|limits| limits.records(5))).await;
        house.backend.door(Door::Closed).await;
        for _ in 0..180 {
            house.push(5);
            sleep(Duration::from_secs(60)).await;
        }
        house.backend.door(Door::Open).await;
        let (start, newest) = (Instant::now(), house.oracle.issued());
        house.push(1);
        while !house.backend.books(case.kind).has(newest) {
            sleep(Duration::from_millis(100)).await;
        }
        println!("{:?}: what is new arrives {:?} after the backend is back", case.kind, start.elapsed());
        assert!(start.elapsed() <= Duration::from_secs(60), "{case:?}");
        house.close().await.assert_exact();
    }
}

#[tokio::test]
async fn a_backlog_drains_as_fast_as_the_backend_takes_it() {
    for case in Case::spooled() {
        let records = if case.kind == Kind::Rollbar { 1 } else { 512 };
        let house = House::apart(Plan::of(case).limits(|limits| limits.records(records))).await;
        house.backend.door(Door::Closed).await;
        let many = backlog(case.kind);
        house.push(many);
        written(&house).await;
        let bytes = house.folder.as_ref().unwrap().size();
        house.backend.door(Door::Open).await;
        // It does not know at once that the backend is back.
        while house.backend.books(case.kind).distinct() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let start = Instant::now();
        sleep(Duration::from_millis(50)).await;
        let (pushed, newest) = (Instant::now(), house.oracle.issued());
        house.push(1);
        while !house.backend.books(case.kind).has(newest) {
            sleep(Duration::from_millis(5)).await;
        }
        let new = pushed.elapsed();
        house.send(0).await;
        let (took, megabytes) = (start.elapsed(), bytes as f64 / 1e6);
        println!(
            "{:?}: {many} records, {megabytes:.1} MB in {took:?}: {:.1} MB/s; what is new after {new:?}",
            case.kind,
            megabytes / took.as_secs_f64()
        );
        house.close().await.assert_exact();
    }
}

// ===== disks =====

#[tokio::test(start_paused = true)]
async fn a_folder_that_vanishes_makes_lanes_of_memory_until_it_can_be_made_again() {
    for case in Case::spooled() {
        let house = House::open(case).await;
        house.backend.door(Door::Closed).await;
        house.push(100);
        written(&house).await;
        let folder = house.folder.as_ref().unwrap().path().to_owned();
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "in its place").unwrap();
        for _ in 0..20 {
            house.push(5);
            sleep(Duration::from_millis(500)).await;
        }
        let failures = failures(&house);
        assert!(!failures.is_empty(), "{case:?}");
        fs::remove_file(&folder).unwrap();
        sleep(Duration::from_secs(2)).await;
        let before = spooled(&house);
        house.push(50);
        sleep(Duration::from_secs(2)).await;
        assert!(spooled(&house) >= before + 50, "{case:?}: it is on the disk again");
        house.backend.door(Door::Open).await;
        let end = house.close().await;
        println!("{case:?}: {failures:?}; {}", end.report);
        assert_eq!(end.verdict.lost.len() as u64, end.report.lost(), "{case:?}: {}", end.report);
        // What was in the folder may be gone with it.
        assert!(end.verdict.lost.iter().all(|number| *number < 100), "{case:?}: {:?}", end.verdict.lost);
    }
}

/// A small file system that is there for one process alone: it takes the rights of the superuser.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_makes_lanes_of_memory_until_it_has_room() {
    let folder = Folder::new();
    let (made, mount) = ("mount -t tmpfs -o size=256k tmpfs \"$1\"", |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", then, "sh"]).arg(folder.path());
        command
    });
    match mount(made).status() {
        Ok(status) if status.success() => {}
        other => return println!("left out, because there is no small file system to be had: {other:?}"),
    }
    let mut command = mount(&format!("{made} && shift && exec \"$@\""));
    assert_well(&run(command.arg(env::current_exe().unwrap()), folder.path(), "disk full"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_limit_for_files_makes_lanes_of_memory() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    // Whoever does not ignore the signal dies of it.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]).arg(env::current_exe().unwrap());
    assert_well(&run(&mut command, folder.path(), "disk error"));
}

fn run(command: &mut Command, folder: &Path, reason: &str) -> Output {
    command.args(["--exact", "disk::serves_on_a_small_disk", "--nocapture"]);
    command.env("TMPDIR", folder).env("BELVEDERE_SMALL_DISK", reason).output().unwrap()
}

#[track_caller]
fn assert_well(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter(|line| line.contains("Spool")).for_each(|line| println!("{line}"));
    assert!(said.contains("1 passed"), "{said}");
}

/// Does nothing unless another test runs it, in a process of its own.
#[tokio::test]
async fn serves_on_a_small_disk() {
    let Ok(reason) = env::var("BELVEDERE_SMALL_DISK") else { return };
    for case in Case::spooled() {
        let house = House::apart(Plan::of(case)).await;
        house.backend.door(Door::Closed).await;
        for _ in 0..100 {
            house.push(100);
            sleep(Duration::from_millis(15)).await;
            if !failures(&house).is_empty() {
                break;
            }
        }
        house.push(200);
        sleep(Duration::from_millis(100)).await;
        let (failures, safe) = (failures(&house), spooled(&house));
        assert!(failures.first().is_some_and(|first| *first == reason), "{case:?}: {failures:?}");
        assert_eq!(house.report().lost(), 0, "{case:?}: {}", house.report());
        println!("{case:?}: {safe} on the disk when it says: {}", failures[0]);

        house.backend.door(Door::Open).await;
        house.send(0).await;
        // The disk is tried again each second.
        sleep(Duration::from_millis(1_100)).await;
        house.push(10);
        sleep(Duration::from_millis(100)).await;
        house.push(10);
        house.send(0).await;
        assert!(spooled(&house) > safe, "{case:?}: it is on the disk again");
        house.close().await.assert_exact();
    }
}

/// Waits until all is on the disk that is not under way.
async fn written(house: &House) {
    for _ in 0..4_000 {
        let report = house.report();
        if spooled(house) >= report.accepted {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("{}", house.report());
}

/// How many records were written.
fn spooled(house: &House) -> u64 {
    let records = |event: &OutboxEvent| match event {
        OutboxEvent::Spooled { records, .. } => *records as u64,
        _ => 0,
    };
    house.told().iter().map(|told| records(&told.event)).sum()
}

/// Why the disk did not take records.
fn failures(house: &House) -> Vec<String> {
    let reason = |event: OutboxEvent| match event {
        OutboxEvent::SpoolFailed { reason, .. } => Some(reason.phrase().to_owned()),
        _ => None,
    };
    house.told().into_iter().filter_map(|told| reason(told.event)).collect()
}

/// How many records a backlog has, unless the environment says otherwise.
fn backlog(kind: Kind) -> usize {
    let unless_told = if kind == Kind::Rollbar { 1_000 } else { 10_000 };
    env::var("BELVEDERE_BACKLOG").map_or(unless_told, |backlog| backlog.parse().unwrap())
}
