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
pub(crate) fn quietly<T>(observer: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(observer)) {
        Ok(value) => Some(value),
        Err(payload) => {
            let panics = PANICS.fetch_add(1, Ordering::Relaxed) + 1;
            // The first, the second, the fourth: an observer that always panics must not fill the log.
            if panics.is_power_of_two() {
                let said = message(&*payload);
                tracing::error!(target: "belvedere::observe", panics, said, "an observer panicked");
            }
            None
        }
    }
}

/// What a panic said; empty where its payload was no string.
pub(crate) fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&str>() {
        return message;
    }
    payload.downcast_ref::<String>().map_or("", String::as_str)
}
