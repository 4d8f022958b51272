//! Calls that may block.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::{JoinHandle, spawn_blocking};

/// Does something where it may block. `None`: the system refused a thread for it, and it was dropped; or it panicked; or
/// the runtime has ended.
pub(super) async fn attempt<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn(work).ok()?.await.ok()?
}

/// The same, again and again until there is a thread for it.
#[cfg(feature = "spool")]
pub(super) async fn insist<T: Send + 'static>(mut work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    loop {
        match spawn(work) {
            Ok(done) => return done.await.ok()?,
            Err(refused) => work = refused?,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `Err`: there is no thread for it. Tokio panics then, which would end the lane, and keeps what it did not do for a later
/// thread: so it is taken back.
fn spawn<T, W>(work: W) -> Result<JoinHandle<Option<T>>, Option<W>>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let ours = Arc::new(Mutex::new(Some(work)));
    let theirs = ours.clone();
    let run = move || {
        let work = take(&theirs);
        drop(theirs);
        work.map(|work| work())
    };
    catch_unwind(AssertUnwindSafe(|| spawn_blocking(run))).map_err(|_| take(&ours))
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(feature = "spool")]
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::runtime;

    use super::*;

    #[test]
    fn what_no_thread_is_there_for_is_told_and_not_done_later() {
        // No system has room for such a stack.
        let runtime = runtime::Builder::new_current_thread().thread_stack_size(1 << 60).build().unwrap();
        let kept = Arc::new(());
        let theirs = kept.clone();
        assert_eq!(runtime.block_on(attempt(move || drop(theirs))), None);
        assert_eq!(Arc::strong_count(&kept), 1);
    }

    #[tokio::test]
    async fn what_panics_gives_nothing() {
        assert_eq!(attempt(|| panic!("it happens")).await, None::<()>);
        assert_eq!(attempt(|| 5).await, Some(5));
    }
}
