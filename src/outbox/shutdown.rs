//! Waiting for lanes to empty, and ending them.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use super::{
    Destination, Lane, Report,
    builder::Thread,
    event::Events,
    lane::{AnyLane, Shared},
    worker::{Worker, untraced},
};

/// All lanes of an outbox, and what they run on.
///
/// **S1, a limit is a limit.** What ends a shutdown is an entry in the books, made by whoever waits: it does not need
/// a worker, a destination or a thread that still answers.
///
/// **S2, one last report.** The first one to end the shutdown writes it; everyone gets the same.
///
/// **S3, no lane after the end.** Lanes are opened and ended under one lock, so a lane that is opened late is closed
/// from the start.
pub(super) struct Core {
    runtime: Handle,
    events: Option<Events>,
    lanes: Mutex<Lanes>,
    id: Option<thread::ThreadId>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    last: OnceLock<Report>,
}

#[derive(Default)]
struct Lanes {
    open: Vec<Arc<dyn AnyLane>>,
    are_closed: bool,
}

/// How far a lane must get for those who wait.
type Mark = (Arc<dyn AnyLane>, u64);

// ===== impl Core =====

impl Core {
    pub(super) fn new(runtime: Handle, thread: Option<Thread>, events: Option<Events>) -> Arc<Self> {
        let (id, stop) = thread.map(|Thread { id, stop }| (id, stop)).unzip();
        let (lanes, stop, last) = (Mutex::default(), Mutex::new(stop), OnceLock::new());
        Arc::new(Self { runtime, events, lanes, id, stop, last })
    }

    pub(super) fn lane<D: Destination>(&self, name: Arc<str>, destination: D) -> Lane<D::Record> {
        let destination = Arc::new(destination);
        let limits = destination.limits();
        let shared = Arc::new(Shared::new(name, destination.clone(), limits, self.events.clone()));
        let mut lanes = self.lanes();
        lanes.open.push(shared.clone());
        if lanes.are_closed {
            shared.abandon();
        } else {
            self.runtime.spawn(untraced(Worker::new(shared.clone(), destination, limits).run()));
        }
        Lane::new(shared)
    }

    pub(super) fn report(&self) -> Report {
        Report { lanes: self.lanes().open.iter().map(|lane| lane.report()).collect() }
    }

    pub(super) async fn flush(&self, limit: Duration) -> bool {
        let marks = self.marks();
        let (tell, told) = oneshot::channel();
        self.once_past(marks.clone(), limit, move || tell.send(()));
        let _ = told.await;
        are_past(&marks)
    }

    pub(super) fn flush_blocking(&self, limit: Duration) -> bool {
        let marks = self.marks();
        self.block_until_past(marks.clone(), limit);
        are_past(&marks)
    }

    pub(super) async fn shutdown(self: &Arc<Self>, limit: Duration) -> Report {
        if let Some(last) = self.last.get() {
            return last.clone();
        }
        let (tell, told) = oneshot::channel();
        let core = self.clone();
        self.once_past(self.close(), limit, move || tell.send(core.end()));
        told.await.unwrap_or_else(|_| self.end())
    }

    pub(super) fn shutdown_blocking(&self, limit: Duration) -> Report {
        if let Some(last) = self.last.get() {
            return last.clone();
        }
        self.block_until_past(self.close(), limit);
        self.end()
    }

    /// What dropping the last handle does: waits, unless that would hold up the lanes themselves.
    pub(super) fn shutdown_dropped(self: &Arc<Self>, limit: Duration) {
        let has_other_thread = self.id.is_some() && !self.is_here();
        if has_other_thread {
            self.shutdown_blocking(limit);
        } else if self.last.get().is_none() {
            let core = self.clone();
            self.once_past(self.close(), limit, move || core.end());
        }
    }

    /// Takes no more records on any lane.
    fn close(&self) -> Vec<Mark> {
        let mut lanes = self.lanes();
        lanes.are_closed = true;
        lanes.open.iter().for_each(|lane| lane.close());
        drop(lanes);
        self.marks()
    }

    /// Ends what a shutdown has begun, whatever is left.
    fn end(&self) -> Report {
        let lanes = self.lanes().open.clone();
        lanes.iter().for_each(|lane| lane.abandon());
        let last = self.last.get_or_init(|| self.report()).clone();
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        last
    }

    fn marks(&self) -> Vec<Mark> {
        self.lanes().open.iter().map(|lane| (lane.clone(), lane.hurry())).collect()
    }

    /// Calls `then` on the runtime of the lanes once they are past their marks, or at the limit. If that runtime is
    /// gone, `then` is dropped.
    fn once_past<T>(&self, marks: Vec<Mark>, limit: Duration, then: impl FnOnce() -> T + Send + 'static) {
        self.runtime.spawn(untraced(async move {
            let _ = timeout(limit, past(marks)).await;
            then();
        }));
    }

    fn block_until_past(&self, marks: Vec<Mark>, limit: Duration) {
        // The lanes run on this very thread: they get nowhere while it waits.
        if self.is_here() {
            return;
        }
        let (tell, told) = mpsc::sync_channel(1);
        self.once_past(marks, limit, move || tell.send(()));
        let _ = told.recv_timeout(limit);
    }

    fn is_here(&self) -> bool {
        self.id == Some(thread::current().id())
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn are_past(marks: &[Mark]) -> bool {
    marks.iter().all(|(lane, number)| lane.is_past(*number))
}

async fn past(marks: Vec<Mark>) {
    for (lane, number) in marks {
        let mut settled = lane.settled();
        while !lane.is_past(number) {
            let _ = settled.changed().await;
        }
    }
}
