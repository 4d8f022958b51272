//! Lanes whose records go by the disk.
#![cfg(feature = "spool")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere::outbox::{
    Batch, Builder, Codec, Destination, Lane, LaneReport, Limits, Outbox, OutboxEvent, SendError, Spool,
};
use destination::{FOREIGN, Play, Record, Scripted, UNREADABLE, UNWRITABLE};
use folder::Folder;
use proptest::prelude::*;
use tokio::{runtime::Handle, time::sleep};

#[path = "support/destination.rs"]
mod destination;
#[path = "support/folder.rs"]
mod folder;

/// An outbox on the runtime of the test, with its disk.
fn builder(root: &Path) -> Builder {
    Outbox::builder().runtime(Handle::current()).spool(Spool::new(root))
}

fn limits() -> Limits {
    Limits::default().records(10).in_flight(2)
}

fn push(lane: &Lane<Record>, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| lane.push(Record { number, size: 100 }));
}

fn report(outbox: &Outbox) -> LaneReport {
    let report = outbox.report().lanes.remove(0);
    assert_eq!(
        report.accepted,
        report.delivered + report.lost() + report.waiting + report.spooled,
        "{report}"
    );
    report
}

fn lost(report: &LaneReport) -> Vec<(&str, u64)> {
    report.lost.iter().map(|(reason, records)| (&**reason, *records)).collect()
}

/// How many files and folders are in a folder, at any depth.
fn entries(folder: &Path) -> usize {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| 1 + if path.is_dir() { entries(&path) } else { 0 }).sum()
}

/// Waits until the folders of an outbox that is gone are adoptable, or removed: its last calls to the disk end by
/// themselves.
async fn settle() {
    sleep(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_delivered_leaves_nothing_on_the_disk() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([]).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    push(&lane, 0..35);
    assert!(outbox.flush(Duration::from_secs(10)).await);
    assert_eq!(log.taken(), Vec::from_iter(0..35));
    assert_eq!(log.batches().iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 10, 5]);
    push(&lane, 35..40);
    let report = outbox.shutdown(Duration::from_secs(10)).await;
    assert_eq!(report.to_string(), "spans: 40 accepted, 40 delivered, 0 lost, 0 waiting");
    drop(outbox);
    settle().await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_longer_than_ten_milliseconds_is_on_the_disk() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::new([]).limits(limits()));
    push(&lane, 0..3);
    assert_eq!((report(&outbox).waiting, report(&outbox).spooled), (3, 0));
    sleep(Duration::from_millis(11)).await;
    assert_eq!((report(&outbox).waiting, report(&outbox).spooled), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_backend_does_not_take_is_sent_by_the_next_outbox() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let lane = outbox.lane("spans", Scripted::always(Play::Retry).limits(limits()));
    push(&lane, 0..100);
    let last = outbox.shutdown(Duration::from_secs(3)).await;
    assert_eq!(last.to_string(), "spans: 100 accepted, 0 delivered, 0 lost, 0 waiting, 100 spooled");
    drop(outbox);
    settle().await;

    let outbox = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([]).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    sleep(Duration::from_secs(1)).await;
    push(&lane, 100..103);
    let last = outbox.shutdown(Duration::from_secs(3)).await;
    assert_eq!(last.to_string(), "spans: 103 accepted, 103 delivered, 0 lost, 0 waiting");
    assert_eq!(BTreeSet::from_iter(log.taken()), BTreeSet::from_iter(0..103));
    assert_eq!(log.taken().len(), 103);
    drop(outbox);
    settle().await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_left_is_found_by_the_lane_of_that_name_and_place() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    for (name, number) in [("spans", 1), ("spans", 2), ("items", 3)] {
        let lane = outbox.lane(name, Scripted::always(Play::Retry).limits(limits()));
        push(&lane, [number]);
    }
    assert_eq!(outbox.shutdown(Duration::from_secs(1)).await.lost(), 0);
    drop(outbox);
    settle().await;

    let outbox = builder(root.path()).start().unwrap();
    let logs = ["items", "spans", "spans", "logs"].map(|name| {
        let scripted = Scripted::new([]).limits(limits());
        let log = scripted.log();
        let _ = outbox.lane(name, scripted);
        log
    });
    sleep(Duration::from_secs(2)).await;
    assert_eq!(logs.map(|log| log.taken()), [vec![3], vec![1], vec![2], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn what_a_living_outbox_has_no_lane_for_is_left_to_one_that_has() {
    let root = Folder::new();
    for names in [&["spans", "items"][..], &["items"]] {
        let outbox = builder(root.path()).start().unwrap();
        for name in names {
            push(&outbox.lane(*name, Scripted::always(Play::Retry).limits(limits())), 0..5);
        }
        assert_eq!(outbox.shutdown(Duration::from_secs(1)).await.lost(), 0);
        drop(outbox);
        settle().await;
    }
    let open = |name| {
        let outbox = builder(root.path()).start().unwrap();
        let scripted = Scripted::new([]).limits(limits());
        let log = scripted.log();
        let _ = outbox.lane(name, scripted);
        (outbox, log)
    };
    let (_first, spans) = open("spans");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(spans.taken(), [0, 1, 2, 3, 4]);
    let (second, items) = open("items");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(items.taken(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    // A lane that is opened late looks at once.
    let (third, logs) = open("logs");
    push(&third.lane("late", Scripted::always(Play::Retry).limits(limits())), 0..5);
    third.shutdown(Duration::from_secs(1)).await;
    drop((third, logs));
    settle().await;
    let late = Scripted::new([]).limits(limits());
    let log = late.log();
    let _lane = second.lane("late", late);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(log.taken(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_others_leave_later_is_found_as_well() {
    let root = Folder::new();
    let (one, other) = (builder(root.path()).start().unwrap(), builder(root.path()).start().unwrap());
    let scripted = Scripted::new([]).limits(limits());
    let log = scripted.log();
    let _lane = other.lane("spans", scripted);
    let lane = one.lane("spans", Scripted::always(Play::Retry).limits(limits()));
    push(&lane, 0..5);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(log.taken(), [0; 0], "a living process keeps its records");
    assert_eq!(one.shutdown(Duration::from_secs(1)).await.lanes[0].spooled, 5);
    drop(one);
    settle().await;
    // The clock of the disk is the system's, which does not stand still; it asks once a minute.
    drop(other);
    let third = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([]).limits(limits());
    let log = scripted.log();
    let _lane = third.lane("spans", scripted);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(log.taken(), [0, 1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_is_longer_than_memory_loses_nothing_and_keeps_what_is_new_waiting_for_seconds() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let script = std::iter::repeat_n(Play::Retry, 400);
    let slow = Play::AcceptAfter(Duration::from_millis(100));
    let scripted = Scripted::new(script).then(slow).limits(limits().queue_records(50));
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    for number in 0..10_000 {
        push(&lane, [number]);
        if number % 10 == 9 {
            sleep(Duration::from_millis(50)).await;
        }
    }
    while log.taken().is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    push(&lane, 10_000..10_005);
    let before = log.taken().len();
    while !log.taken().contains(&10_004) {
        sleep(Duration::from_millis(100)).await;
    }
    let between = log.taken().len() - before;
    assert!(between < 2_000, "{between} old records came before it");
    assert!(outbox.flush(Duration::from_secs(600)).await);
    let taken = log.taken();
    assert_eq!((taken.len(), BTreeSet::from_iter(taken).len()), (10_005, 10_005));
    assert_eq!(report(&outbox).lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_used_makes_it_a_lane_in_memory() {
    let root = Folder::new().file("file", "no folder");
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let outbox = builder(&root.path().join("file"))
        .events(move |event| {
            if let OutboxEvent::SpoolFailed { reason, .. } = event {
                tell.lock().unwrap().push(reason.phrase().to_owned());
            }
        })
        .start()
        .unwrap();
    let scripted = Scripted::new([Play::Retry]).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    push(&lane, 0..25);
    assert!(outbox.flush(Duration::from_secs(10)).await);
    assert_eq!(BTreeSet::from_iter(log.taken()), BTreeSet::from_iter(0..25));
    assert!(!told.lock().unwrap().is_empty());
    // It is tried again.
    fs::remove_file(root.path().join("file")).unwrap();
    sleep(Duration::from_secs(2)).await;
    push(&lane, 25..30);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(report(&outbox).spooled, 5);
    assert!(outbox.flush(Duration::from_secs(10)).await);
}

#[test]
fn without_a_thread_for_the_disk_it_is_a_lane_in_memory() {
    let root = Folder::new();
    // No system has room for such a stack.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().thread_stack_size(1 << 60).build().unwrap();
    runtime.block_on(async {
        let outbox = builder(root.path()).start().unwrap();
        let scripted = Scripted::new([]).limits(limits());
        let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
        push(&lane, 0..25);
        assert!(outbox.flush(Duration::from_secs(10)).await);
        assert_eq!(BTreeSet::from_iter(log.taken()), BTreeSet::from_iter(0..25));
        push(&lane, 25..30);
        let report = outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(report.to_string(), "spans: 30 accepted, 30 delivered, 0 lost, 0 waiting");
    });
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_takes_nothing_what_is_new_does_not_wait_for_all_that_it_has() {
    let root = Folder::new();
    let path = root.path().join("spool");
    let outbox = builder(&path).start().unwrap();
    let script = std::iter::repeat_n(Play::Retry, 20);
    let slow = Play::AcceptAfter(Duration::from_millis(100));
    let scripted = Scripted::new(script).then(slow).limits(limits().queue_records(50));
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    for number in 0..2_000 {
        push(&lane, [number]);
        if number % 10 == 9 {
            sleep(Duration::from_millis(11)).await;
        }
    }
    // Its file is open, and goes on to be read.
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "no folder").unwrap();
    while log.taken().is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    push(&lane, 10_000..10_005);
    let before = log.taken().len();
    while !log.taken().contains(&10_004) {
        sleep(Duration::from_millis(100)).await;
    }
    let between = log.taken().len() - before;
    assert!(between < 500, "{between} old records came before it");
    assert!(outbox.flush(Duration::from_secs(600)).await);
    assert_eq!((report(&outbox).lost(), log.taken().len()), (0, 2_005));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_removed_under_it_is_made_again() {
    let root = Folder::new();
    let path = root.path().join("spool");
    let outbox = builder(&path).start().unwrap();
    let scripted = Scripted::new(std::iter::repeat_n(Play::Retry, 4)).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    push(&lane, 0..5);
    sleep(Duration::from_millis(20)).await;
    fs::remove_dir_all(&path).unwrap();
    for number in 5..50 {
        push(&lane, [number]);
        sleep(Duration::from_millis(20)).await;
    }
    assert!(outbox.flush(Duration::from_secs(60)).await);
    let (report, taken) = (report(&outbox), BTreeSet::from_iter(log.taken()));
    assert_eq!(report.delivered, taken.len() as u64);
    // Its file is open, and goes on to be read and written.
    assert!(report.lost() <= 5 && taken.is_superset(&BTreeSet::from_iter(5..50)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_has_no_room_for_makes_room_and_is_counted() {
    let root = Folder::new();
    let spool = Spool::new(root.path()).bytes(64 << 10);
    let outbox = Outbox::builder().runtime(Handle::current()).spool(spool).start().unwrap();
    let scripted = Scripted::new(std::iter::repeat_n(Play::Retry, 60)).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    for number in 0..2000 {
        push(&lane, [number]);
        sleep(Duration::from_millis(5)).await;
    }
    assert!(outbox.flush(Duration::from_secs(600)).await);
    let (report, taken) = (report(&outbox), log.taken());
    assert_eq!(report.lost["evicted"], report.lost());
    assert_eq!(report.lost() as usize + taken.len(), 2000);
    assert!(taken.contains(&1999) && taken.len() > 300, "{report}");
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_written_or_read_cost_only_themselves() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([]).limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    push(&lane, [0, UNWRITABLE, 1, UNREADABLE, 2, FOREIGN, 3]);
    lane.push(Record { number: 4, size: (64 << 20) + 1 });
    push(&lane, [5]);
    assert!(outbox.flush(Duration::from_secs(10)).await);
    // Too large by itself for the lane, it makes room, and does not come this far.
    assert_eq!(log.taken(), [0, 1, 2, 3, 5]);
    let report = report(&outbox);
    assert_eq!((report.delivered, report.lost["panic"], report.lost["unreadable"]), (5, 2, 1), "{report}");
    push(&lane, [FOREIGN]);
    assert!(outbox.flush(Duration::from_secs(10)).await);
    drop(outbox);
    settle().await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_while_another_batch_was_tried_again_is_not_sent_by_the_next_outbox() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let poison = Poison::default();
    let (taken, lane) = (poison.taken.clone(), outbox.lane("spans", poison));
    for number in 0..50 {
        push(&lane, [number]);
        sleep(Duration::from_millis(100)).await;
    }
    let last = outbox.shutdown(Duration::from_secs(1)).await;
    assert_eq!(last.to_string(), "spans: 50 accepted, 49 delivered, 0 lost, 0 waiting, 1 spooled");
    assert_eq!(taken.lock().unwrap().len(), 49);
    drop(outbox);
    settle().await;

    let outbox = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([]).limits(limits());
    let (log, _lane) = (scripted.log(), outbox.lane("spans", scripted));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(log.taken(), [7]);
    drop(outbox);
    settle().await;
    assert_eq!(entries(root.path()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_again_and_again_while_others_get_through_is_given_up() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let poison = Poison::default();
    let (taken, lane) = (poison.taken.clone(), outbox.lane("spans", poison));
    for number in 0..1000 {
        push(&lane, [number]);
        sleep(Duration::from_secs(1)).await;
    }
    assert!(outbox.flush(Duration::from_secs(600)).await);
    assert_eq!(lost(&report(&outbox)), [("expired", 1)]);
    assert_eq!(taken.lock().unwrap().len(), 999);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_who_sends_it_waits_for_a_better_key() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let scripted = Scripted::new([Play::KeepBack(3), Play::Unknown, Play::Unknown, Play::Unknown]);
    let scripted = scripted.limits(limits());
    let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
    push(&lane, 0..40);
    sleep(Duration::from_secs(20)).await;
    report(&outbox);
    let calls = log.batches().len();
    assert!(calls <= 4, "{calls} calls of somebody who is not known");
    sleep(Duration::from_secs(90)).await;
    assert!(outbox.flush(Duration::from_secs(10)).await);
    assert_eq!((report(&outbox).lost(), BTreeSet::from_iter(log.taken()).len()), (0, 40));

    let lane = outbox.lane("items", Scripted::always(Play::Unknown).limits(limits()));
    push(&lane, 0..25);
    let last = outbox.shutdown(Duration::from_secs(5)).await.lanes.remove(1);
    assert_eq!(last.to_string(), "items: 25 accepted, 0 delivered, 0 lost, 0 waiting, 25 spooled");
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_is_on_the_disk_also_where_records_are_missing_between() {
    let root = Folder::new();
    let outbox = builder(root.path()).start().unwrap();
    let limits = limits().records(1).in_flight(1);
    let scripted = Scripted::new([Play::AcceptAfter(Duration::from_secs(5))]).then(Play::Hang);
    let lane = outbox.lane("spans", scripted.limits(limits));
    push(&lane, 0..10);
    sleep(Duration::from_millis(20)).await;
    let flush = tokio::spawn({
        let outbox = outbox.clone();
        async move { outbox.flush(Duration::from_secs(60)).await }
    });
    for number in 10..20 {
        push(&lane, std::iter::repeat_n(UNWRITABLE, 20).chain([number]));
        sleep(Duration::from_millis(20)).await;
    }
    assert!(!flush.await.unwrap(), "one of ten was sent");
}

/// Refuses the record 7, and says that it might work later.
#[derive(Debug, Default)]
struct Poison {
    taken: Arc<Mutex<Vec<u64>>>,
}

impl Destination for Poison {
    type Record = Record;

    fn limits(&self) -> Limits {
        limits().records(1).retry_for(Duration::from_secs(60))
    }

    fn size(&self, record: &Record) -> usize {
        record.size
    }

    fn codec(&self) -> Option<Codec<Record>> {
        Scripted::new([]).codec()
    }

    async fn send(&self, batch: Batch<Record>) -> Result<(), SendError<Record>> {
        if batch.iter().any(|record| record.number == 7) {
            let reason = "http 500".into();
            return Err(SendError::Retry { rest: batch, after: None, reason });
        }
        self.taken.lock().unwrap().extend(batch.iter().map(|record| record.number));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_backend_does_each_record_is_accounted_for(
        plays in proptest::collection::vec(0..6_u8, 0..60),
        pushes in proptest::collection::vec((1..40_u64, 0..400_u64), 1..20),
        restarts in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let root = Folder::new();
            let (mut next, mut taken, mut lost) = (0, Vec::new(), 0);
            for restart in 0..=restarts {
                let outbox = builder(root.path()).start().unwrap();
                let script = plays.iter().map(|play| match play {
                    0 => Play::Accept,
                    1 => Play::AcceptAfter(Duration::from_millis(700)),
                    2 => Play::Retry,
                    3 => Play::KeepBack(3),
                    4 => Play::Unknown,
                    _ => Play::Reject(1, "no"),
                });
                let last = restart == restarts;
                let scripted = if last { Scripted::new([]) } else { Scripted::new(script) }.limits(limits());
                let (log, lane) = (scripted.log(), outbox.lane("spans", scripted));
                for (records, pause) in &pushes {
                    push(&lane, next..next + records);
                    next += records;
                    sleep(Duration::from_millis(*pause)).await;
                    report(&outbox);
                }
                let report = outbox.shutdown(Duration::from_millis(if last { 60_000 } else { 300 })).await.lanes.remove(0);
                lost += report.lost();
                prop_assert_eq!(report.waiting, 0);
                prop_assert!(!last || report.spooled == 0, "{}", report);
                taken.extend(log.taken());
                drop(outbox);
                settle().await;
            }
            let known = BTreeSet::from_iter(&taken).len() as u64;
            prop_assert!(known + lost >= next, "{known} delivered, {lost} lost of {next}");
            prop_assert_eq!(entries(root.path()), 0);
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_without_a_pause_does_not_keep_what_is_on_the_disk_from_being_sent() {
    let root = Folder::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let events = move |event: &OutboxEvent| {
        if matches!(event, OutboxEvent::Spooled { .. } | OutboxEvent::Sent { .. }) {
            tell.lock().unwrap().push(matches!(event, OutboxEvent::Sent { .. }));
        }
    };
    let outbox = builder(root.path()).events(events).start().unwrap();
    let limits = limits().queue_records(20_000);
    let lane = outbox.lane("spans", Scripted::new([]).limits(limits));
    // More than is written at once, four times.
    push(&lane, 0..16_384);
    assert!(outbox.flush(Duration::from_secs(600)).await);
    let writes_before_it = told.lock().unwrap().iter().take_while(|is_sent| !**is_sent).count();
    assert!(writes_before_it < 4, "{writes_before_it} writes before the first was sent");
}
