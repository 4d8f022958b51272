use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// How often an observer of this process panicked. Each time a request went on without it.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Runs an observer so that its panic is its own.
pub(super) fn quietly<T>(observer: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(observer)) {
        Ok(value) => Some(value),
        Err(payload) => {
            PANICS.fetch_add(1, Ordering::Relaxed);
            tracing::error!(target: "belvedere::observe", message = message(&*payload), "an observer panicked");
            None
        }
    }
}

/// What a panic said; empty where its payload was no string.
pub(super) fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&str>() {
        return message;
    }
    payload.downcast_ref::<String>().map_or("", String::as_str)
}
