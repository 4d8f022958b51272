//! Waiting for something, and no longer than that.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, mpsc},
    task::{self, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use opentelemetry::Context;
use tokio::{runtime::Handle, task::coop::unconstrained, time::timeout};

use super::worker::untraced;

/// What is waited for, for how long, and what comes then, in time or not.
pub(super) struct Deadline<F, T> {
    pub(super) until: F,
    pub(super) limit: Duration,
    pub(super) then: T,
}

/// Wakes the thread that waits at the other end.
struct Alarm(mpsc::SyncSender<()>);

// ===== impl Deadline =====

impl<F, T> Deadline<F, T>
where
    F: Future<Output = ()> + Send + 'static,
    T: FnOnce() + Send + 'static,
{
    /// Waits on a thread that lives as long as this takes, so that nothing that another one does can hold it up.
    pub(super) fn keep_on_a_thread(self, otherwise: &Handle) {
        let (give, given) = mpsc::channel::<Self>();
        let keep = move || {
            let _untraced = Context::enter_telemetry_suppressed_scope();
            let _ = given.recv().map(Self::keep_here);
        };
        match thread::Builder::new().name(NAME.into()).spawn(keep) {
            Ok(_) => drop(give.send(self)),
            // Where the system refuses a thread, the one of the lanes is better than none.
            Err(_) => self.keep_on(otherwise),
        }
    }

    /// Waits on a runtime, by its clock. If that runtime is gone, everything is dropped.
    pub(super) fn keep_on(self, runtime: &Handle) {
        let Self { until, limit, then } = self;
        runtime.spawn(untraced(async move {
            let _ = timeout(limit, until).await;
            then();
        }));
    }

    fn keep_here(self) {
        let Self { until, limit, then } = self;
        block_on(until, limit);
        then();
    }
}

// ===== impl Alarm =====

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let _ = self.0.try_send(());
    }
}

/// Polls `until` on this thread, whatever that one is: it needs no runtime, and does not mind to be inside of one.
pub(super) fn block_on(until: impl Future<Output = ()>, limit: Duration) {
    let (wake, woken) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Alarm(wake)));
    // Inside a task, the budget of that task would not be renewed while it blocks.
    let mut until = pin!(unconstrained(until));
    let start = Instant::now();
    while until.as_mut().poll(&mut task::Context::from_waker(&waker)).is_pending() {
        if woken.recv_timeout(limit.saturating_sub(start.elapsed())).is_err() {
            return;
        }
    }
}

/// Waits for the first of two.
pub(super) async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| match one.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => other.as_mut().poll(cx),
    })
    .await;
}

#[expect(clippy::disallowed_types, reason = "a thread that blocks is held up by the real clock")]
type Instant = std::time::Instant;

const NAME: &str = "belvedere-limit";
