//! What moves records from a lane's queue into flights.

use std::sync::Arc;

use opentelemetry::{Context, context::FutureExt};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    Destination, Limits,
    flight::Flight,
    lane::{AnyLane, Shared},
    queue::{Phase, Taken},
};

/// The one task that takes from a lane.
///
/// **W1, no lost wake-up.** The worker sleeps only on the lane's `wake`, which keeps one permit, and looks at the
/// queue after each. So whoever changes the answer of [`step`](Self::step) must wake it, after the change: a push that
/// finds the queue empty, that fills a batch, or that overflows the first time since it was told; a flight that lands;
/// a flush; a close; an abandon. All other pushes find a worker that has a timer or all its flights out.
///
/// **W2, nothing waits for a worker that is gone.** Whichever way it ends, its last act is to abandon the lane.
pub(super) struct Worker<D: Destination> {
    lane: Arc<Shared<D::Record>>,
    destination: Arc<D>,
    limits: Limits,
    flights: JoinSet<()>,
    /// When the oldest queued record has waited for company long enough.
    due: Option<Instant>,
}

/// What to do now.
enum Step<R> {
    Send(Taken<R>),
    WaitUntil(Instant),
    Wait,
    End,
}

// ===== impl Worker =====

impl<D: Destination> Worker<D> {
    pub(super) fn new(lane: Arc<Shared<D::Record>>, destination: Arc<D>, limits: Limits) -> Self {
        Self { lane, destination, limits, flights: JoinSet::new(), due: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.lane.tell_overflow();
            while self.flights.try_join_next().is_some() {}
            match self.step() {
                Step::Send(taken) => self.send(taken),
                Step::WaitUntil(due) => drop(timeout_at(due, self.lane.wake.notified()).await),
                Step::Wait => self.lane.wake.notified().await,
                Step::End => return,
            }
        }
    }

    fn step(&mut self) -> Step<D::Record> {
        let mut queue = self.lane.queue();
        if queue.phase() != Phase::Open && queue.waiting() == 0 {
            return Step::End;
        }
        if !queue.has_queued() {
            self.due = None;
            return Step::Wait;
        }
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + self.limits.age);
        if !queue.can_fly() {
            return Step::Wait;
        }
        if now < due && !queue.is_ready() {
            return Step::WaitUntil(due);
        }
        let Some(taken) = queue.take() else { return Step::Wait };
        // What a full batch leaves behind has just come. What is overdue stays so, until the queue was empty once.
        self.due = self.due.filter(|due| *due <= now);
        Step::Send(taken)
    }

    fn send(&mut self, taken: Taken<D::Record>) {
        let Taken { first, records } = taken;
        let flight = Flight::new(self.destination.clone(), self.lane.clone(), first, records.len());
        self.flights.spawn(untraced(flight.run(records.into(), self.limits)));
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
