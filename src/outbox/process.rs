//! The process that a lane was made in.

use std::{
    hint, process,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

/// Which process that was. A child that it forked has the memory and not the threads: whatever lock one of those had
/// stays locked in it.
#[derive(Debug)]
pub(super) struct Process {
    id: u32,
}

// ===== impl Process =====

impl Process {
    pub(super) fn current() -> Self {
        Self { id: process::id() }
    }

    /// A lock that is held for short times only, and never while foreign code runs, so that it is never poisoned.
    /// `None`: it is held for ever, by a thread of the parent.
    pub(super) fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        match mutex.try_lock() {
            Ok(locked) => Some(locked),
            Err(TryLockError::Poisoned(locked)) => Some(locked.into_inner()),
            Err(TryLockError::WouldBlock) => self.contended(mutex),
        }
    }

    /// Asking for the process is a system call, so not before it was worth it.
    #[cold]
    fn contended<'a, T>(&self, mutex: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        for _ in 0..SPINS {
            hint::spin_loop();
            if let Ok(locked) = mutex.try_lock() {
                return Some(locked);
            }
        }
        let is_ours = process::id() == self.id;
        is_ours.then(|| mutex.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How often a lock is tried that somebody has: for as long as a few pushes take.
const SPINS: u32 = 50;
