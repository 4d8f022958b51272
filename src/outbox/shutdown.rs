//! Waiting for lanes to empty, and ending them.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot, task::AbortHandle};

#[cfg(feature = "cloudwatch")]
use super::Unit;
use super::{
    Destination, Lane, Limits, Report,
    budget::{Bank, Clock, Meter},
    builder::Thread,
    deadline::{Deadline, block_on, either},
    event::Events,
    lane::{AnyLane, Shared},
    worker::{Worker, untraced},
};
#[cfg(feature = "spool")]
use super::{
    Spool,
    spool::{Root, Store},
    spooled_worker::SpooledWorker,
};
#[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
use super::{event::Reporter, sideline::Sideline};

/// All lanes of an outbox, and what they run on.
///
/// **S1, a limit is a limit.** What ends a shutdown is an entry in the books, made by whoever waits: it does not need
/// a worker, a destination or a thread that still answers. So nobody waits on the thread of the lanes; only on a runtime
/// of the user's, which has no other thread and perhaps a clock of its own, everything is waited for there.
///
/// **S2, one last report.** The first one to end the shutdown writes it; everyone gets the same.
///
/// **S3, no lane after the end.** Lanes are opened and ended under one lock, so a lane that is opened late is closed
/// from the start.
pub(super) struct Core {
    runtime: Handle,
    events: Option<Events>,
    bank: Option<Bank>,
    lanes: Mutex<Lanes>,
    /// Held while last words are said.
    saying: Mutex<()>,
    id: Option<thread::ThreadId>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    last: OnceLock<Report>,
}

#[derive(Default)]
struct Lanes {
    open: Vec<Arc<dyn AnyLane>>,
    /// What runs beside the lanes, until a shutdown begins.
    beside: Vec<AbortHandle>,
    /// What is still to be said when a shutdown begins.
    last_words: Vec<LastWords>,
    are_closed: bool,
    /// Until a shutdown begins: from then on the lanes that have something on the disk hold it, and whatever else holds
    /// this does not keep others from what they left there.
    #[cfg(feature = "spool")]
    spool: Option<Arc<Root>>,
}

type LastWords = Box<dyn FnOnce() + Send>;

/// How far a lane must get for those who wait.
type Mark = (Arc<dyn AnyLane>, u64);

// ===== impl Core =====

impl Core {
    pub(super) fn new(
        runtime: Handle,
        thread: Option<Thread>,
        events: Option<Events>,
        bank: Option<Bank>,
    ) -> Self {
        let (id, stop) = thread.map(|Thread { id, stop }| (id, stop)).unzip();
        let (lanes, saying) = (Mutex::default(), Mutex::default());
        let (stop, last) = (Mutex::new(stop), OnceLock::new());
        Self { runtime, events, bank, lanes, saying, id, stop, last }
    }

    #[cfg(feature = "spool")]
    pub(super) fn spool(self, spool: Option<Spool>) -> Self {
        self.lanes().spool = spool.map(Root::new);
        self
    }

    pub(super) fn lane<D: Destination>(&self, name: Arc<str>, destination: D) -> Lane<D::Record> {
        let destination = Arc::new(destination);
        let limits = destination.limits();
        let shared = Arc::new(Shared::new(name, destination.clone(), limits, self.events.clone()));
        let meter =
            self.bank.as_ref().and_then(|bank| Some((bank.meter(destination.tariff()?)?, bank.clock())));
        let mut lanes = self.lanes();
        lanes.open.push(shared.clone());
        if lanes.are_closed {
            shared.abandon();
        } else {
            self.start(&lanes, shared.clone(), destination, limits, meter);
        }
        Lane::new(shared)
    }

    #[cfg_attr(
        not(feature = "spool"),
        allow(unused_variables, reason = "without a spool they have nothing in common")
    )]
    fn start<D: Destination>(
        &self,
        lanes: &Lanes,
        lane: Arc<Shared<D::Record>>,
        destination: Arc<D>,
        limits: Limits,
        meter: Option<(Meter<D::Record>, Clock)>,
    ) {
        #[cfg(feature = "spool")]
        if let Some((root, codec)) = lanes.spool.clone().zip(destination.codec()) {
            let store = Store::new(root, lane.name());
            let worker = Worker::new(lane, destination, limits, meter);
            self.runtime.spawn(untraced(SpooledWorker::new(worker, store, codec).run()));
            return;
        }
        self.runtime.spawn(untraced(Worker::new(lane, destination, limits, meter).run()));
    }

    #[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
    pub(super) fn sideline(self: &Arc<Self>, name: Arc<str>) -> Sideline {
        Sideline::new(self.clone(), Reporter::new(name, self.events.clone()))
    }

    #[cfg(feature = "cloudwatch")]
    pub(super) fn allowed(&self, unit: &Unit) -> Option<u64> {
        self.bank.as_ref()?.budget().units(unit)
    }

    /// Runs `work` beside the lanes; by invariant S3 not after the end.
    #[cfg(any(feature = "cloudwatch", feature = "rollbar", feature = "xray"))]
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut lanes = self.lanes();
        if !lanes.are_closed {
            lanes.beside.retain(|work| !work.is_finished());
            lanes.beside.push(self.runtime.spawn(untraced(work)).abort_handle());
        }
    }

    /// Has `words` said when a shutdown begins, while the lanes still take records; by invariant S3 not after the end.
    #[cfg(any(feature = "cloudwatch", feature = "rollbar"))]
    pub(super) fn at_end(&self, words: LastWords) {
        let mut lanes = self.lanes();
        if !lanes.are_closed {
            lanes.last_words.push(words);
        }
    }

    pub(super) fn report(&self) -> Report {
        Report { lanes: self.lanes().open.iter().map(|lane| lane.report()).collect() }
    }

    pub(super) async fn flush(&self, limit: Duration) -> bool {
        let marks = self.marks();
        if !are_past(&marks) {
            let (mut tell, told) = oneshot::channel::<()>();
            let past = past(marks.clone());
            // Whoever no longer waits is not waited for.
            self.keep(async move { either(past, tell.closed()).await }, limit, || ());
            let _ = told.await;
        }
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
        let marks = self.close();
        // A budget may have to be written down, which blocks.
        if are_past(&marks) && self.bank.is_none() {
            return self.end();
        }
        let (tell, told) = oneshot::channel();
        let core = self.clone();
        self.keep(past(marks), limit, move || drop(tell.send(core.end())));
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
            self.keep(past(self.close()), limit, move || drop(core.end()));
        }
    }

    /// Takes no more records on any lane.
    fn close(&self) -> Vec<Mark> {
        self.say_last_words();
        let mut lanes = self.lanes();
        lanes.are_closed = true;
        lanes.open.iter().for_each(|lane| lane.close());
        lanes.beside.drain(..).for_each(|work| work.abort());
        #[cfg(feature = "spool")]
        let _spool = lanes.spool.take();
        drop(lanes);
        self.marks()
    }

    /// Whoever comes second waits until all is said, or it would close the lanes before that.
    fn say_last_words(&self) {
        let _saying = self.saying.lock().unwrap_or_else(PoisonError::into_inner);
        // Without the lock of the lanes: they push to them.
        let last_words = mem::take(&mut self.lanes().last_words);
        last_words.into_iter().for_each(|say| say());
    }

    /// Ends what a shutdown has begun, whatever is left.
    fn end(&self) -> Report {
        let lanes = self.lanes().open.clone();
        lanes.iter().for_each(|lane| lane.abandon());
        // On a runtime of the user's the workers do it.
        if let Some(bank) = self.bank.as_ref().filter(|_| self.id.is_some()) {
            bank.close();
        }
        let last = self.last.get_or_init(|| self.report()).clone();
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
        last
    }

    fn marks(&self) -> Vec<Mark> {
        self.lanes().open.iter().map(|lane| (lane.clone(), lane.hurry())).collect()
    }

    /// Calls `then` after `until`, or at the limit (invariant S1).
    fn keep<F, T>(&self, until: F, limit: Duration, then: T)
    where
        F: Future<Output = ()> + Send + 'static,
        T: FnOnce() + Send + 'static,
    {
        let deadline = Deadline { until, limit, then };
        match self.id {
            Some(_) => deadline.keep_on_a_thread(&self.runtime),
            None => deadline.keep_on(&self.runtime),
        }
    }

    fn block_until_past(&self, marks: Vec<Mark>, limit: Duration) {
        // The lanes run on this very thread: they get nowhere while it waits.
        if !self.is_here() {
            block_on(past(marks), limit);
        }
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
