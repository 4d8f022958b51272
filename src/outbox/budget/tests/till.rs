//! What is on the disk.

use std::fs;

use super::{folder::Folder, *};

fn pace() -> Pace {
    Pace::new(Allowance::month(30_000).burst(1_000), 1, true)
}

fn account(path: &std::path::Path) -> Arc<Account> {
    Arc::new(Account::new(Unit::ITEMS, pace(), Some(Till::new(path, &Unit::ITEMS)), november()))
}

/// How many of so many units can be used, one by one.
fn used(account: &Arc<Account>, units: usize, now: SystemTime) -> usize {
    let spend = |_: &usize| {
        account.errand(1.0, now).into_iter().for_each(Errand::run);
        account.open(now).spend(1.0)
    };
    (0..units).filter(spend).count()
}

#[test]
fn a_folder_that_cannot_be_is_a_bucket_that_begins_empty() {
    let folder = Folder::new().file("file", "");
    let account = account(&folder.path().join("file"));
    assert_eq!(used(&account, 10, november()), 0);
    let trickled = used(&account, 1_000, november() + hours(6));
    // 29,000 units in 31 days are 39 an hour.
    assert!((200..=234).contains(&trickled), "{trickled}");
}

#[test]
fn what_was_used_while_the_disk_was_away_is_told_to_it_later() {
    let folder = Folder::new();
    let path = folder.path().join("budget");
    let (mut now, account) = (november(), account(&path));
    assert_eq!(used(&account, 200, now), 100);
    fs::rename(&path, folder.path().join("away")).unwrap();
    fs::write(&path, "").unwrap();
    now += Duration::from_secs(11);
    assert_eq!(used(&account, 10, now), 0, "others may have used it up");
    now += hours(6);
    let alone = used(&account, 1_000, now);
    assert!((200..=234).contains(&alone), "{alone}");
    fs::remove_file(&path).unwrap();
    fs::rename(folder.path().join("away"), &path).unwrap();
    now += hours(1);
    let again = used(&account, 1_000, now);
    assert!((30..=40 + 40).contains(&again), "{again}: an hour's, not seven hours'");
}

#[test]
fn whatever_the_file_has_it_is_a_bucket_or_counts_as_used_up() {
    let folder = Folder::new();
    let one = account(folder.path());
    assert_eq!(used(&one, 50, november()), 50);
    let path = folder.path().join("items.budget");
    let good = fs::read(&path).unwrap();
    for place in 0..good.len() {
        for damage in [Vec::from(&good[..place]), [&good[..place], b"9", &good[place..]].concat()] {
            fs::write(&path, &damage).unwrap();
            let other = account(folder.path());
            assert_eq!(used(&other, 100, november()), 0, "{}", String::from_utf8_lossy(&damage));
        }
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(used(&account(folder.path()), 100, november()), 100 - 62);
}

#[test]
fn a_lock_that_somebody_keeps_is_waited_for_and_no_reason_to_go_alone() {
    let folder = Folder::new();
    let account = account(folder.path());
    assert_eq!(used(&account, 1, november()), 1);
    let lock = fs::File::options().write(true).open(folder.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(used(&account, 40, november()), 30, "what is in the purse is there");
    drop(lock);
    assert_eq!(used(&account, 100, november() + Duration::from_secs(11)), 69);
}

#[test]
fn processes_that_share_a_folder_share_what_is_in_it() {
    let folder = Folder::new();
    let accounts = [account(folder.path()), account(folder.path()), account(folder.path())];
    let total: usize = accounts.iter().map(|account| used(account, 100, november())).sum();
    assert_eq!(total, 100);
}

#[cfg(unix)]
#[test]
fn what_is_written_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let path = folder.path().join("deep/budget");
    used(&account(&path), 1, november());
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for name in ["items.budget", "lock"] {
        assert_eq!(mode(&path.join(name)), 0o600, "{name}");
    }
}
