//! The logs of a lane, on the disk of the system.

use std::{sync::Arc, time::Duration};

use super::{temporary::Folder as Temporary, *};

fn store(root: &Temporary, of: impl FnOnce(Spool) -> Spool) -> Store {
    Store::new(Root::new(of(Spool::new(root.path()))), &Arc::from("spans"))
}

/// Appends so many records of a kilobyte, the first with this number.
fn append(store: &mut Store, first: u64, records: u64) {
    let payloads: Vec<_> = (first..first + records).map(|number| payload(number, 1000)).collect();
    let records: Vec<_> = payloads.iter().map(|payload| Record { at: NOW, payload }).collect();
    assert_eq!(store.append(&records, first, NOW).taken, records.len());
}

#[test]
fn what_was_written_before_the_log_was_parted_is_synced_in_time() {
    let root = Temporary::new();
    let mut store = store(&root, |spool| spool.sync(Duration::from_secs(1)));
    append(&mut store, 1, 5);
    store.part();
    assert_eq!(store.sync_at(), Some(NOW + 1000));
    store.tick(NOW + 1000).unwrap();
    assert_eq!(store.sync_at(), None);
}

#[test]
fn what_comes_back_to_a_log_that_made_room_altogether_is_lost_and_counted() {
    let root = Temporary::new();
    let small = |spool: Spool| spool.bytes(64 << 10);
    append(&mut store(&root, small), 1, 5);

    let mut store = store(&root, small);
    // A process that another test forks holds every lock until it is another program.
    let minutes = (0..1000).map(|minute| NOW + minute * 60_000);
    let adopted = minutes.map(|now| store.adopt(now)).find(|adopted| *adopted > 0);
    assert_eq!(adopted, Some(5));
    let lifted = store.read(3, usize::MAX, NOW).unwrap();
    append(&mut store, 1, 48);
    store.part();
    append(&mut store, 49, 1);
    store.give_back(lifted.loan);
    let change = store.change();
    let lost: u64 = change.lost.iter().map(|(records, _)| records).sum();
    assert_eq!(change.kept.records + lost, 5 + 49, "{change:?}");
    assert!(change.lost.iter().all(|(_, reason)| *reason == "evicted"), "{change:?}");
}
