//! Whose folder it is, on the disk of the system.

use std::{fs, io::ErrorKind};

use super::{temporary::Folder as Temporary, *};

#[test]
fn two_outboxes_of_one_process_have_a_folder_each() {
    let root = Temporary::new();
    let one = Folder::open(root.path()).unwrap();
    let other = Folder::open(root.path()).unwrap();
    assert_ne!(one.path(), other.path());
    assert!(one.orphans(whichever).is_empty() && other.orphans(whichever).is_empty());
    assert!(one.close().unwrap() && other.close().unwrap());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn what_an_outbox_left_is_adopted_by_one_and_removed_when_it_is_read() {
    let root = Temporary::new();
    let left = Folder::open(root.path()).unwrap();
    let mut log = left.log("X-Ray / eu", Options::default()).unwrap();
    append(&mut log, 0..100, 512);
    drop((log, left));

    let next = Folder::open(root.path()).unwrap();
    let mut orphans = adopted(&next, 1);
    assert!(next.orphans(whichever).is_empty(), "it was adopted");
    let orphan = orphans.pop().unwrap();
    assert_eq!(orphan.lanes(), ["X-Ray / eu"]);
    assert!(orphan.log("spans", Options::default()).unwrap().is_none());
    let mut log = orphan.log("X-Ray / eu", Options::default()).unwrap().unwrap();
    assert_eq!(drain(&mut log), (0..100).collect::<Vec<_>>());
    log.close().unwrap();
    assert!(orphan.close().unwrap());
    assert!(next.close().unwrap());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn what_is_not_read_stays_for_the_next() {
    let root = Temporary::new();
    for round in 0..3 {
        let folder = Folder::open(root.path()).unwrap();
        for orphan in adopted(&folder, round as usize) {
            let log = orphan.log("spans", Options::default()).unwrap().unwrap();
            assert_eq!(log.len(), 1);
            log.close().unwrap();
            assert!(!orphan.close().unwrap());
        }
        let mut log = folder.log("spans", Options::default()).unwrap();
        append(&mut log, [round], 8);
        log.close().unwrap();
        assert!(!folder.close().unwrap());
    }
    adopted(&Folder::open(root.path()).unwrap(), 3);
}

#[test]
fn nothing_that_is_not_ours_is_locked_or_removed() {
    let root = Temporary::new().file("notes/a.txt", "").file("1-2-3", "a file").file("readme", "");
    fs::create_dir(root.path().join("empty")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.path().join("notes"), root.path().join("4-5-6")).unwrap();
    let folder = Folder::open(root.path()).unwrap();
    assert!(folder.orphans(whichever).is_empty());
    assert!(folder.close().unwrap());
    assert!(!root.path().join("notes/lock").exists());
    assert!(root.path().join("empty").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_removed_has_one_owner_all_the_same() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let root = Temporary::new();
    let left = Folder::open(root.path()).unwrap();
    // Nobody's lane, and not empty: it is seen only when the folder is to be removed.
    fs::write(left.path().join(OsStr::from_bytes(b"\xff")), "").unwrap();
    drop(left);
    let (one, other) = (Folder::open(root.path()).unwrap(), Folder::open(root.path()).unwrap());
    let (ones, others) = (one.orphans(whichever), other.orphans(whichever));
    assert!(ones.len() + others.len() < 2, "{ones:?} {others:?}");
}

#[test]
fn a_path_that_cannot_be_used_is_an_error() {
    let root = Temporary::new().file("file", "");
    for path in ["file", "file/below", "no/parent"] {
        assert!(Folder::open(&root.path().join(path)).is_err(), "{path}");
    }
    assert!(Folder::open(&root.path().join("new")).is_ok());
    assert!(Folder::open(Path::new("")).is_err());
    assert!(Folder::open(Path::new("nul\0")).is_err());
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_an_error() {
    use std::os::unix::fs::PermissionsExt;

    let root = Temporary::new();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(root.path().join("probe"), "").is_ok() {
        return println!("left out: this user, root perhaps, may write where nobody may");
    }
    let error = Folder::open(root.path()).unwrap_err();
    assert_eq!((error.kind(), phrase(&error)), (ErrorKind::PermissionDenied, "disk read-only"));
}

#[cfg(unix)]
#[test]
fn what_is_written_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let root = Temporary::new();
    let folder = Folder::open(root.path()).unwrap();
    let mut log = folder.log("spans", Options::default()).unwrap();
    append(&mut log, 0..3, 8);
    let mut paths = vec![folder.path().to_owned()];
    while let Some(path) = paths.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path:?}");
        paths.extend(fs::read_dir(&path).into_iter().flatten().map(|entry| entry.unwrap().path()));
    }
}

#[test]
fn a_folder_that_was_removed_is_restored_under_its_logs() {
    let root = Temporary::new();
    let mut folder = Folder::open(root.path()).unwrap();
    let mut log = folder.log("spans", Options::default()).unwrap();
    append(&mut log, 0..3, 8);
    fs::remove_dir_all(root.path()).unwrap();
    let refused = log.append(&[Record { at: NOW, payload: b"" }], NOW);
    assert_eq!((refused.taken, phrase(&refused.error.unwrap())), (0, "spool gone"));

    fs::create_dir(root.path()).unwrap();
    folder.restore().unwrap();
    folder.restore().unwrap();
    assert_eq!(append(&mut log, 3..6, 8), 3);
    assert!(Folder::open(root.path()).unwrap().orphans(whichever).is_empty(), "it is locked again");
    assert_eq!(drain(&mut log), [0, 1, 2, 3, 4, 5]);
    log.close().unwrap();
    assert!(folder.close().unwrap());
}

#[test]
fn many_that_start_at_once_share_nothing() {
    let root = Temporary::new();
    let start = |_| {
        let folder = Folder::open(root.path()).unwrap();
        let orphans = folder.orphans(whichever);
        let mut log = folder.log("spans", Options::default()).unwrap();
        append(&mut log, 0..10, 8);
        (folder, orphans)
    };
    let folders: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|number| scope.spawn(move || start(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(folders.iter().all(|(_, orphans)| orphans.is_empty()));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 16);
}

#[test]
fn a_small_disk_fills_up_and_empties() {
    let Ok(root) = std::env::var("BELVEDERE_SMALL_DISK") else {
        return println!("left out: BELVEDERE_SMALL_DISK names no folder on a file system of some megabytes");
    };
    let folder = Folder::open(Path::new(&root)).unwrap();
    for sync in [Sync::No, Sync::Each] {
        let mut log = folder.log("spans", Options { sync, ..Options::default() }).unwrap();
        let (mut accepted, mut refused) = (Vec::new(), 0);
        let mut number = 0;
        while refused < 100 {
            let taken = append(&mut log, number..number + 64, 512) as u64;
            accepted.extend(number..number + taken);
            refused += u32::from(taken < 64);
            number += 64;
        }
        assert!(accepted.len() > 500, "{}", accepted.len());
        drop(log);
        let mut log = folder.log("spans", Options { sync, ..Options::default() }).unwrap();
        assert_eq!(drain(&mut log), accepted);
        assert_eq!(append(&mut log, 0..64, 512), 64);
        assert_eq!(drain(&mut log).len(), 64);
        log.close().unwrap();
    }
    assert!(folder.close().unwrap());
}
