//! The end of a lane that records are pushed into.

use std::{
    collections::VecDeque,
    fmt, iter,
    panic::{AssertUnwindSafe, catch_unwind},
    process,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
};

use tokio::sync::{Notify, watch};

use super::{
    Destination, LaneReport, Limits, OutboxEvent,
    event::{Events, Reporter},
    queue::{Pushed, Queue},
};

/// Where a backend leaves its records. Made by [`Outbox::lane`](super::Outbox::lane); `R` is the record.
///
/// It is cheap to clone and does not keep the outbox alive: once the outbox has shut down, what is pushed is counted
/// as `closed` and dropped.
pub struct Lane<R> {
    shared: Arc<Shared<R>>,
}

/// What a lane, its worker and its flights have in common.
pub(super) struct Shared<R> {
    name: Arc<str>,
    queue: Mutex<Queue<R>>,
    /// What a child has that was forked while a thread of its parent had the lock: nobody gives that back to it.
    orphaned: OnceLock<Mutex<Queue<R>>>,
    process: u32,
    size: Box<dyn Fn(&R) -> usize + Send + Sync>,
    reporter: Reporter,
    /// Asks the worker to look again.
    pub(super) wake: Notify,
    /// Records have left: whoever waits for that looks again.
    settled: watch::Sender<()>,
    /// Whether the lane takes no more. Retries that wait for better times hear of it.
    pub(super) closing: watch::Sender<bool>,
}

/// A lane whose record type does not matter.
pub(super) trait AnyLane: Send + Sync {
    fn report(&self) -> LaneReport;
    /// See [`Queue::hurry`].
    fn hurry(&self) -> u64;
    fn is_past(&self, number: u64) -> bool;
    fn settled(&self) -> watch::Receiver<()>;
    /// Takes no more records, and drains what is there.
    fn close(&self);
    /// Takes no more records, and gives up what is there.
    fn abandon(&self);
}

// ===== impl Lane =====

impl<R> Lane<R> {
    pub(super) fn new(shared: Arc<Shared<R>>) -> Self {
        Self { shared }
    }

    /// Leaves a record to the outbox.
    ///
    /// It returns at once: it takes a short lock, and never waits, awaits or panics. It may be called from any
    /// thread, in a `Drop`, and while unwinding. When the lane is full the oldest queued records make room.
    pub fn push(&self, record: R) {
        let shared = &*self.shared;
        let Some(size) = shared.measure(&record) else {
            shared.queue().refuse();
            return discard(iter::once(record));
        };
        let Pushed { wake, settled, dropped } = shared.queue().push(record, size);
        if settled {
            shared.settle();
        } else if wake {
            shared.wake.notify_one();
        }
        discard(dropped);
    }

    /// The name it was opened with.
    pub fn name(&self) -> &str {
        &self.shared.name
    }
}

impl<R> Clone for Lane<R> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<R> fmt::Debug for Lane<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

// ===== impl Shared =====

impl<R: Send + 'static> Shared<R> {
    pub(super) fn new<D>(name: Arc<str>, destination: Arc<D>, limits: Limits, events: Option<Events>) -> Self
    where
        D: Destination<Record = R>,
    {
        Self {
            queue: Mutex::new(Queue::new(limits)),
            orphaned: OnceLock::new(),
            process: process::id(),
            reporter: Reporter::new(name.clone(), events),
            size: Box::new(move |record| destination.size(record)),
            name,
            wake: Notify::new(),
            settled: watch::Sender::new(()),
            closing: watch::Sender::new(false),
        }
    }
}

impl<R> Shared<R> {
    /// The lock. Nothing that could panic, block or push runs under it (invariant Q4), so it is never poisoned.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue<R>> {
        match self.queue.try_lock() {
            Ok(queue) => queue,
            Err(TryLockError::Poisoned(queue)) => queue.into_inner(),
            Err(TryLockError::WouldBlock) => self.contended(),
        }
    }

    /// The lock that somebody has, or, if that somebody is in another process, one behind which the lane is closed.
    #[cold]
    fn contended(&self) -> MutexGuard<'_, Queue<R>> {
        let queue = match process::id() == self.process {
            true => &self.queue,
            false => self.orphaned.get_or_init(|| Mutex::new(Queue::closed())),
        };
        queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "spool")]
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The size of a record, unless measuring it panics.
    pub(super) fn measure(&self, record: &R) -> Option<usize> {
        catch_unwind(AssertUnwindSafe(|| (self.size)(record))).ok()
    }

    /// Tells of an event. Not under the lock.
    pub(super) fn tell(&self, event: impl FnOnce(Arc<str>) -> OutboxEvent) {
        self.reporter.tell(event);
    }

    /// Tells whom it concerns that records have left. To be called after every change of the queue that may have
    /// moved [`Queue::is_past`] or freed a place for a flight.
    pub(super) fn settle(&self) {
        self.settled.send_replace(());
        self.wake.notify_one();
    }

    /// Tells of the overflow that pushes have left behind, if there is some.
    pub(super) fn tell_overflow(&self) -> bool {
        let records = self.queue().untold();
        if records > 0 {
            self.tell(|lane| OutboxEvent::Overflowed { lane, records });
        }
        records > 0
    }
}

impl<R: Send + 'static> AnyLane for Shared<R> {
    fn report(&self) -> LaneReport {
        self.queue().report(self.name.clone())
    }

    fn hurry(&self) -> u64 {
        let number = self.queue().hurry();
        self.wake.notify_one();
        number
    }

    fn is_past(&self, number: u64) -> bool {
        self.queue().is_past(number)
    }

    fn settled(&self) -> watch::Receiver<()> {
        self.settled.subscribe()
    }

    fn close(&self) {
        self.queue().close();
        self.closing.send_replace(true);
        self.wake.notify_one();
    }

    fn abandon(&self) {
        let (records, left) = self.queue().abandon();
        self.closing.send_replace(true);
        self.settle();
        self.tell_overflow();
        if records > 0 {
            self.tell(|lane| OutboxEvent::Abandoned { lane, records });
        }
        discard::<VecDeque<_>>(left);
    }
}

/// Drops what came from a backend; should that panic, it is not the pusher's problem.
fn discard<I: IntoIterator>(records: I) {
    records.into_iter().for_each(|record| {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(record)));
    });
}
