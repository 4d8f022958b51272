use std::{
    any::Any,
    panic::{self, PanicHookInfo},
    sync::OnceLock,
    thread,
};

use super::{Place, Stack};
use crate::scrub::beginning;

/// A panic, as the hook finds it: before anything is unwound.
#[derive(Debug)]
#[non_exhaustive]
pub struct Panic {
    /// What was running.
    pub stack: Stack,
    /// The line that panicked.
    pub place: Option<Place>,
    /// What it said, at most 4 KiB of it; empty where the payload was no string.
    pub message: String,
    /// The name of the thread.
    pub thread: Option<String>,
    /// Whether the process ends with it: where panics abort, or where a panic must not unwind. What is to be told of it has
    /// to leave before the hook returns.
    pub is_fatal: bool,
}

/// The hook that sees panics where they happen, also those that are caught later.
#[derive(Debug)]
pub struct PanicHook;

// ===== impl PanicHook =====

impl PanicHook {
    /// Hands each panic of the process to `sink`, and then to the hook that was there before. Whether it does: it is installed
    /// once, the first sink stays, and on a thread that is unwinding it cannot be installed.
    ///
    /// `sink` must not panic, which would abort the process, and must not wait: it runs on the thread that panicked, and that
    /// may hold any lock. It must look for what is the thread's own by means that cannot fail, as a panic may come while a
    /// thread ends. Only where a panic [is fatal](Panic::is_fatal) may it wait, for a bounded time.
    pub fn install(sink: fn(Panic)) -> bool {
        // Asking for the hook would panic.
        if thread::panicking() || SINK.set(sink).is_err() {
            return false;
        }
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            sink(Panic::of(info));
            before(info);
        }));
        true
    }
}

// ===== impl Panic =====

impl Panic {
    #[inline(never)]
    fn of(info: &PanicHookInfo<'_>) -> Self {
        let message = message(info.payload());
        Self {
            stack: Stack::of_panic(),
            place: info.location().map(Place::of),
            message: beginning(message, LONGEST).to_owned(),
            thread: thread::current().name().map(str::to_owned),
            is_fatal: cfg!(panic = "abort") || NEVER_UNWIND.contains(&message),
        }
    }

    /// Whether it says what an earlier one has said, and so is not where it began.
    pub(super) fn repeats(&self, earlier: &Self) -> bool {
        !earlier.message.is_empty() && self.message.contains(&earlier.message)
    }
}

fn message(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

/// Set for as long as the process runs.
static SINK: OnceLock<fn(Panic)> = OnceLock::new();

/// What the standard library says before it aborts.
const NEVER_UNWIND: [&str; 2] =
    ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

const LONGEST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_both_kinds_are_read() {
        assert_eq!(message(&"gone"), "gone");
        assert_eq!(message(&"gone".to_owned()), "gone");
        assert_eq!(message(&17), "");
    }
}
