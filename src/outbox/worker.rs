//! What moves records from a lane's queue into flights.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, context::FutureExt};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    Destination, Limits,
    flight::Flight,
    lane::{AnyLane, Shared},
    queue::Taken,
};

/// The one task that takes from a lane.
///
/// **W1, no lost wake-up.** The worker sleeps only on the lane's `wake`, which keeps one permit, and looks at the
/// queue after each. So whoever changes the answer of [`step`](Self::step) must wake it, after the change: a push that
/// finds the queue empty or fills a batch, a flight that lands, a flush, a close, an abandon. All other pushes find a
/// worker that has a timer or all its flights out.
///
/// **W2, nothing waits for a worker that is gone.** Whichever way it ends, its last act is to abandon the lane.
///
/// **W3, overflow is cheap.** With a dead backend every push overflows, and waking a thread costs a hundred pushes. So
/// only the first one wakes the worker, which then looks by itself once a second until there was none.
pub(super) struct Worker<D: Destination> {
    pub(super) lane: Arc<Shared<D::Record>>,
    destination: Arc<D>,
    pub(super) limits: Limits,
    flights: JoinSet<()>,
    /// When the oldest queued record has waited for company long enough.
    due: Option<Instant>,
    /// When to look for overflow again (invariant W3).
    overflow_due: Option<Instant>,
}

/// What to do now.
pub(super) enum Step<R> {
    Send(Taken<R>),
    Wait(Option<Instant>),
    End,
}

// ===== impl Worker =====

impl<D: Destination> Worker<D> {
    pub(super) fn new(lane: Arc<Shared<D::Record>>, destination: Arc<D>, limits: Limits) -> Self {
        Self { lane, destination, limits, flights: JoinSet::new(), due: None, overflow_due: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.attend();
            match self.step() {
                Step::Send(taken) => self.send(taken),
                Step::Wait(due) => self.wait(due).await,
                Step::End => return,
            }
        }
    }

    /// Tells what pushes have left to tell, and forgets flights that have landed.
    pub(super) fn attend(&mut self) {
        self.tell_overflow();
        while self.flights.try_join_next().is_some() {}
    }

    pub(super) fn step(&mut self) -> Step<D::Record> {
        let mut queue = self.lane.queue();
        if queue.is_over() {
            return Step::End;
        }
        if !queue.has_queued() {
            self.due = None;
            return Step::Wait(None);
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + self.limits.age);
        if !queue.can_fly() {
            return Step::Wait(None);
        }
        if now < due && !queue.is_ready() {
            return Step::Wait(Some(due));
        }
        let Some(taken) = queue.take() else { return Step::Wait(None) };
        // What a full batch leaves behind has just come. What is overdue stays so, until the queue was empty once.
        self.due = self.due.filter(|due| *due <= now);
        Step::Send(taken)
    }

    pub(super) async fn wait(&self, due: Option<Instant>) {
        let woken = self.lane.wake.notified();
        match due.into_iter().chain(self.overflow_due).min() {
            Some(due) => drop(timeout_at(due, woken).await),
            None => woken.await,
        }
    }

    fn tell_overflow(&mut self) {
        let now = Instant::now();
        if self.overflow_due.is_none_or(|due| due <= now) {
            self.overflow_due = self.lane.tell_overflow().then_some(now + OVERFLOW_PAUSE);
        }
    }

    pub(super) fn send(&mut self, Taken { flight, records, .. }: Taken<D::Record>) {
        let flight = self.flight(flight, records.len());
        self.launch(flight, records);
    }

    pub(super) fn flight(&self, flight: u64, records: usize) -> Flight<D> {
        Flight::new(self.destination.clone(), self.lane.clone(), flight, records)
    }

    pub(super) fn launch(&mut self, flight: Flight<D>, records: Vec<D::Record>) {
        self.flights.spawn(untraced(flight.run(records.into(), self.limits)));
    }

    /// Gives up what is in flight.
    #[cfg(feature = "spool")]
    pub(super) async fn ground(&mut self) {
        self.flights.shutdown().await;
    }
}

impl<D: Destination> Drop for Worker<D> {
    fn drop(&mut self) {
        self.lane.abandon();
    }
}

/// An exporter that traces itself never comes to rest: each poll of `future` has telemetry suppressed.
pub(super) fn untraced<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_context(Context::new().with_telemetry_suppressed())
}

const OVERFLOW_PAUSE: Duration = Duration::from_secs(1);
