//! A folder that is gone when the test is over.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicUsize, Ordering},
};

#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

// ===== impl Folder =====

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Where a binary has this module twice, each has a number of its own.
        let name = format!("belvedere-folder-{}-{:p}-{number}", process::id(), &raw const NUMBER);
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With a file of this text, whose folders are made.
    #[must_use]
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether no outbox has a folder in it any more.
    pub(crate) fn is_free(&self) -> bool {
        let lock = |path: &PathBuf| fs::File::open(path.join("lock")).ok();
        paths(&self.0).iter().filter_map(lock).all(|lock| lock.try_lock().is_ok())
    }

    /// How many files and folders are in it, at any depth.
    pub(crate) fn entries(&self) -> usize {
        entries(&self.0)
    }

    /// How many bytes all files in it have, at any depth.
    pub(crate) fn size(&self) -> u64 {
        size(&self.0)
    }

    /// The bytes of all files in it, at any depth, and their names.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        bytes(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What others remove meanwhile is not there.
fn paths(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn entries(folder: &Path) -> usize {
    let within = |path: &PathBuf| if path.is_dir() { entries(path) } else { 0 };
    paths(folder).iter().map(|path| 1 + within(path)).sum()
}

fn size(folder: &Path) -> u64 {
    let of = |path: &PathBuf| match path.is_dir() {
        true => size(path),
        false => fs::metadata(path).map_or(0, |file| file.len()),
    };
    paths(folder).iter().map(of).sum()
}

fn bytes(folder: &Path) -> Vec<u8> {
    let told = |path: &Path| if path.is_dir() { bytes(path) } else { fs::read(path).unwrap_or_default() };
    let named = |path: PathBuf| [path.as_os_str().as_encoded_bytes().to_vec(), told(&path)].concat();
    paths(folder).into_iter().flat_map(named).collect()
}
