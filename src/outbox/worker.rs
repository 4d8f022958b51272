//! What moves records from a lane's queue into flights.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use opentelemetry::{Context, context::FutureExt};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{
    Destination, Limits, OutboxEvent, Reason,
    budget::{Admitted, Clock, Meter, Thinning},
    flight::Flight,
    lane::{AnyLane, Shared},
    ledger::BUDGET,
    queue::{Queue, Taken},
};

/// The one task that takes from a lane.
///
/// **W1, no lost wake-up.** The worker sleeps only on the lane's `wake`, which keeps one permit, and looks at the
/// queue after each. So whoever changes the answer of [`step`](Self::step) must wake it, after the change: a push that
/// finds a lane without queued records or fills a batch, a flight that lands, a flush, a close, an abandon. All other
/// pushes find a worker that has a timer or all its flights out. What is still in the inbox is seen to by its
/// invariants I3 and I4, since the worker gathers it whenever it looks.
///
/// **W2, nothing waits for a worker that is gone.** Whichever way it ends, its last act is to abandon the lane.
///
/// **W3, overflow is cheap.** With a dead backend every push overflows, and waking a thread costs a hundred pushes. So
/// only the first one wakes the worker, which then looks by itself once a second until there was none.
pub(super) struct Worker<D: Destination> {
    pub(super) lane: Arc<Shared<D::Record>>,
    destination: Arc<D>,
    pub(super) limits: Limits,
    meter: Option<Meter<D::Record>>,
    clock: Clock,
    flights: JoinSet<()>,
    /// When the oldest queued record has waited for company long enough.
    due: Option<Instant>,
    /// When it last looked: all that came before was in the queue then.
    looked: Option<Instant>,
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
    pub(super) fn new(
        lane: Arc<Shared<D::Record>>,
        destination: Arc<D>,
        limits: Limits,
        meter: Option<(Meter<D::Record>, Clock)>,
    ) -> Self {
        let (meter, clock) =
            meter.map_or_else(|| (None, Clock::new()), |(meter, clock)| (Some(meter), clock));
        let flights = JoinSet::new();
        Self { lane, destination, limits, meter, clock, flights, due: None, looked: None, overflow_due: None }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.attend();
            self.prepare().await;
            match self.step() {
                Step::Send(taken) => self.send(taken).await,
                Step::Wait(due) => self.wait(due).await,
                Step::End => return self.settle_up().await,
            }
        }
    }

    /// Tells what pushes have left to tell, and forgets flights that have landed.
    pub(super) fn attend(&mut self) {
        self.tell_overflow();
        while self.flights.try_join_next().is_some() {}
    }

    pub(super) fn step(&mut self) -> Step<D::Record> {
        let lane = self.lane.clone();
        lane.attended(|queue| self.look(queue))
    }

    fn look(&mut self, queue: &mut Queue<D::Record>) -> Step<D::Record> {
        if queue.is_over() {
            return Step::End;
        }
        if !queue.has_queued() {
            (self.due, self.looked) = (None, None);
            return Step::Wait(None);
        }
        let now = Instant::now();
        let looked = self.looked.replace(now).unwrap_or(now);
        let due = *self.due.get_or_insert(now + self.limits.age);
        if !queue.can_fly() {
            return Step::Wait(None);
        }
        if now < due && !queue.is_ready() {
            return Step::Wait(Some(due));
        }
        // The queue is locked, so not by `next_request`, which has all of the worker.
        if let Err(wait) = self.meter.as_ref().map_or(Ok(()), |meter| meter.next_request(self.clock.now())) {
            return Step::Wait(Some(now + wait));
        }
        let Some(taken) = queue.take() else { return Step::Wait(None) };
        // What a full batch leaves behind has come since the last look. What is overdue stays so, until the queue was empty
        // once.
        self.due = self.due.filter(|due| *due <= now).or(Some(looked + self.limits.age));
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

    pub(super) async fn send(&mut self, taken: Taken<D::Record>) {
        let Taken { flight, records, .. } = self.admit(taken).await;
        if !records.is_empty() {
            let flight = self.flight(flight, records.len());
            self.launch(flight, records);
        }
    }

    pub(super) fn flight(&self, flight: u64, records: usize) -> Flight<D> {
        let requests = self.meter.as_ref().and_then(Meter::requests).map(|requests| (requests, self.clock));
        Flight::new(self.destination.clone(), self.lane.clone(), flight, records).requests(requests)
    }

    pub(super) fn launch(&mut self, flight: Flight<D>, records: Vec<D::Record>) {
        self.flights.spawn(untraced(flight.run(records.into(), self.limits)));
    }

    /// Makes a request, or says how long it is to wait before it asks again.
    #[cfg(feature = "spool")]
    pub(super) fn next_request(&self) -> Result<(), Duration> {
        self.meter.as_ref().map_or(Ok(()), |meter| meter.next_request(self.clock.now()))
    }

    /// Has done what must be done before there can be a request.
    pub(super) async fn prepare(&self) {
        let Some(requests) = self.meter.as_ref().and_then(Meter::requests) else { return };
        let errand = if self.lane.attended(|queue| queue.is_empty()) {
            None
        } else {
            requests.errand(self.clock.now())
        };
        if let Some(errand) = errand {
            errand.send().await;
        }
    }

    /// Leaves out what the budget does not reach for.
    pub(super) async fn admit(&mut self, taken: Taken<D::Record>) -> Taken<D::Record> {
        let Some(meter) = &mut self.meter else { return taken };
        let Taken { flight, first, mut records, admitted } = taken;
        let priced = meter.price(records.split_off(admitted));
        if let Some(errand) = meter.errand(&priced, self.clock.now()) {
            errand.send().await;
        }
        let now = self.clock.now();
        let Admitted { kept, thinned } = meter.admit(priced, now);
        let news = meter.news(now);
        records.extend(kept);
        if thinned > 0 {
            let size = |record| self.destination.size(record);
            let bytes =
                catch_unwind(AssertUnwindSafe(|| records.iter().map(size).fold(0, usize::saturating_add)));
            self.lane.queue().lose(flight, thinned, Cow::Borrowed(BUDGET));
            self.lane.queue().lighten(flight, bytes.unwrap_or(usize::MAX));
            self.tell_thinning(news);
            self.lane.queue().told(flight);
            self.lane.settle();
        }
        let admitted = records.len();
        Taken { flight, first, records, admitted }
    }

    fn tell_thinning(&self, thinning: Option<Thinning>) {
        if let Some(thinning) = thinning {
            let (records, one_in) = (thinning.records(), thinning.one_in());
            let reason = Reason::new(BUDGET).detail(thinning.to_string());
            self.lane.tell(|lane| OutboxEvent::Thinned { lane, records, one_in, reason });
        }
    }

    /// What was not told yet is told, and what was not used is there for the next process.
    pub(super) async fn settle_up(&mut self) {
        let now = self.clock.now();
        let news = self.meter.as_mut().and_then(|meter| meter.last_news(now));
        self.tell_thinning(news);
        let errands: Vec<_> = self.meter.iter().flat_map(|meter| meter.last_errands(now)).collect();
        for errand in errands {
            errand.send().await;
        }
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
