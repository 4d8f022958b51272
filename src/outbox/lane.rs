//! The end of a lane that records are pushed into.

use std::{
    fmt, iter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio::sync::{Notify, watch};

use super::{
    Destination, LaneReport, Limits, OutboxEvent,
    event::{Events, Reporter},
    inbox::{self, Inbox, Padded},
    process::Process,
    queue::{Pushed, Queue},
    shard::Left,
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
    inbox: Inbox<R>,
    queue: Padded<Mutex<Queue<R>>>,
    /// What a child has that was forked while a thread of its parent had the lock: nobody gives that back to it.
    orphaned: OnceLock<Mutex<Queue<R>>>,
    process: Process,
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
    /// It returns at once: it takes a short lock that few threads share, now and then also the queue's, and never awaits
    /// or panics. It may be called from any thread, in a `Drop`, and while unwinding. When the lane is full the oldest
    /// queued records make room. Records of one thread keep their order.
    #[inline]
    pub fn push(&self, record: R) {
        let shared = &*self.shared;
        let Some(size) = shared.measure(&record) else {
            shared.queue().refuse();
            return discard(iter::once(record));
        };
        let Some(mut shard) = shared.inbox.open(&shared.process) else {
            return shared.push_straight(record, size);
        };
        let left = shard.push((record, size));
        drop(shard);
        match left {
            Left::Among => {}
            Left::First => shared.tell_worker(),
            Left::Last => shared.hand_over(),
        }
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
        let shards = inbox::shards(&limits);
        Self {
            inbox: Inbox::new(shards),
            queue: Padded(Mutex::new(Queue::new(limits, shards))),
            orphaned: OnceLock::new(),
            process: Process::current(),
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
    /// The queue as it is: without what is in the inbox. Nothing that could panic, block or push runs under its lock
    /// (invariant Q4). In a child that was forked while a thread of its parent had that lock, it is one that is closed.
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue<R>> {
        self.process.lock(&self.queue).unwrap_or_else(|| {
            let queue = self.orphaned.get_or_init(|| Mutex::new(Queue::closed()));
            queue.lock().unwrap_or_else(PoisonError::into_inner)
        })
    }

    /// Looks at the queue with all in it that was pushed so far.
    pub(super) fn gathered<T>(&self, look: impl FnOnce(&mut Queue<R>) -> T) -> T {
        let (seen, pushed) = self.gather(look);
        self.follow(pushed);
        seen
    }

    /// The same for the worker, which need not be told to look.
    pub(super) fn attended<T>(&self, look: impl FnOnce(&mut Queue<R>) -> T) -> T {
        let (seen, pushed) = self.gather(look);
        self.follow(Pushed { wake: false, ..pushed });
        seen
    }

    fn gather<T>(&self, look: impl FnOnce(&mut Queue<R>) -> T) -> (T, Pushed<R>) {
        let mut pushed = Pushed::default();
        let mut queue = self.queue();
        self.inbox.gather(&mut queue, &mut pushed, &self.process);
        let seen = look(&mut queue);
        if !queue.is_open() {
            self.inbox.regrant(&mut queue, &mut pushed, &self.process);
        }
        (seen, pushed)
    }

    fn tell_worker(&self) {
        if self.inbox.is_to_be_told() {
            self.wake.notify_one();
        }
    }

    #[inline(never)]
    fn hand_over(&self) {
        self.let_in(|queue, pushed| self.inbox.hand_over(queue, pushed, &self.process));
    }

    #[inline(never)]
    fn push_straight(&self, record: R, size: usize) {
        self.let_in(|queue, pushed| {
            queue.push(record, size, pushed);
            self.inbox.regrant(queue, pushed, &self.process);
        });
    }

    fn let_in(&self, enter: impl FnOnce(&mut Queue<R>, &mut Pushed<R>)) {
        let mut pushed = Pushed::default();
        enter(&mut self.queue(), &mut pushed);
        self.follow(pushed);
    }

    /// Does what is left to do for records that came. Not under the lock.
    fn follow(&self, Pushed { wake, overflowed, settled, dropped }: Pushed<R>) {
        if settled {
            self.settle();
        } else if wake || overflowed {
            self.wake.notify_one();
        }
        discard(dropped);
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
        self.gathered(|queue| queue.report(self.name.clone()))
    }

    fn hurry(&self) -> u64 {
        let number = self.gathered(Queue::hurry);
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
        self.gathered(Queue::close);
        self.closing.send_replace(true);
        self.wake.notify_one();
    }

    fn abandon(&self) {
        let (records, left) = self.gathered(Queue::abandon);
        self.closing.send_replace(true);
        self.settle();
        self.tell_overflow();
        if records > 0 {
            self.tell(|lane| OutboxEvent::Abandoned { lane, records });
        }
        discard(left);
    }
}

/// Drops what came from a backend; should that panic, it is not the pusher's problem.
fn discard<I: IntoIterator>(records: I) {
    records.into_iter().for_each(|record| {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(record)));
    });
}
