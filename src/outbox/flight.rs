//! One batch on its way, until it has landed.

use std::{
    any::Any,
    borrow::Cow,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until, timeout};

#[cfg(feature = "spool")]
use super::spool::{REFUSED, Receipt};

use super::{
    Batch, Destination, Limits, OutboxEvent, Reason, SendError,
    budget::{Clock, Requests},
    lane::Shared,
    ledger::{EXPIRED, PANIC},
    retry::{Backoff, Wait},
};

/// A batch in flight, as the books see it. It lands exactly once: by one of its methods or, when it is dropped on its
/// way, as lost to the shutdown. After the lane was abandoned it has already landed, and says nothing any more
/// (invariant Q3 of the queue).
pub(super) struct Flight<D: Destination> {
    destination: Arc<D>,
    lane: Arc<Shared<D::Record>>,
    flight: u64,
    records: usize,
    attempts: u32,
    requests: Option<(Arc<Requests>, Clock)>,
    #[cfg(feature = "spool")]
    receipt: Option<Receipt>,
    is_handed_over: bool,
}

// ===== impl Flight =====

impl<D: Destination> Flight<D> {
    pub(super) fn new(
        destination: Arc<D>,
        lane: Arc<Shared<D::Record>>,
        flight: u64,
        records: usize,
    ) -> Self {
        Self {
            destination,
            lane,
            flight,
            records,
            attempts: 0,
            requests: None,
            #[cfg(feature = "spool")]
            receipt: None,
            is_handed_over: false,
        }
    }

    /// Each attempt but the first asks whether there may be one.
    pub(super) fn requests(mut self, requests: Option<(Arc<Requests>, Clock)>) -> Self {
        self.requests = requests;
        self
    }

    /// Its records are on the disk until they have landed.
    #[cfg(feature = "spool")]
    pub(super) fn spooled(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    /// Sends the batch, again and again if need be.
    pub(super) async fn run(mut self, mut batch: Batch<D::Record>, limits: Limits) {
        let mut backoff = self.backoff(limits);
        // Not `loop`: what was abandoned is lost in the books, and must not be sent after that.
        while self.lane.queue().is_aloft(self.flight) {
            self.attempts += 1;
            let aloft = self.records;
            let answer = self.send(batch).await;
            #[cfg(feature = "spool")]
            if self.is_put_down(&answer) {
                return;
            }
            if is_last(&answer) {
                self.acknowledge().await;
            }
            let (rest, after, reason) = match answer {
                Ok(Ok(())) => return self.delivered(self.records),
                Ok(Err(SendError::Reject { lost, reason })) => return self.rejected(lost, reason),
                Ok(Err(SendError::Retry { rest, after, reason })) => (rest, after, reason),
                Ok(Err(SendError::Mixed { lost, rest, after, reason })) => {
                    lost.into_iter().for_each(|(lost, reason)| self.lost(lost, reason));
                    (rest, after, reason)
                }
                Err(panic) => return self.panicked(panic),
            };
            batch = rest;
            self.keep(&mut batch, aloft);
            if batch.is_empty() {
                return;
            }
            let Some(wait) = self.next(&mut backoff, after, limits) else {
                self.acknowledge().await;
                return self.expired(reason);
            };
            self.retrying(wait, reason);
            self.pause(wait, &mut backoff).await;
            if let Some((requests, clock)) = &self.requests {
                requests.pass(*clock).await;
            }
        }
    }

    /// Sends once. A panic, in the call or in a poll, is an answer too.
    async fn send(
        &self,
        batch: Batch<D::Record>,
    ) -> Result<Result<(), SendError<D::Record>>, Box<dyn Any + Send>> {
        let mut sending = pin!(async { self.destination.send(batch).await });
        poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| sending.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Err(panic).into(),
        })
        .await
    }

    /// Books what is missing from the rest as delivered, and what is left of those that were aloft with its own size.
    fn keep(&mut self, rest: &mut Batch<D::Record>, aloft: usize) {
        rest.truncate(self.records);
        if rest.len() == aloft {
            return;
        }
        self.delivered(self.records - rest.len());
        let size = |record| self.destination.size(record);
        let bytes = catch_unwind(AssertUnwindSafe(|| rest.iter().map(size).fold(0, usize::saturating_add)));
        self.lane.queue().lighten(self.flight, bytes.unwrap_or(usize::MAX));
    }

    /// Waits for the next try. A shutdown has no time for a long backoff: it cuts the wait down to what the backend
    /// asked for, and starts the doubling over.
    async fn pause(&self, wait: Wait, backoff: &mut Backoff) {
        let mut closing = self.lane.closing.subscribe();
        if *closing.borrow_and_update() {
            return sleep(wait.total).await;
        }
        let start = Instant::now();
        if timeout(wait.total, closing.changed()).await.is_ok() {
            backoff.reset();
            sleep_until(start + wait.at_least).await;
        }
    }

    /// What is on the disk is safe there: it is tried for as long as the backend has nothing from anyone.
    #[cfg(feature = "spool")]
    fn backoff(&self, limits: Limits) -> Backoff {
        Backoff::new(if self.receipt.is_some() { Duration::MAX } else { limits.retry_for })
    }

    #[cfg(not(feature = "spool"))]
    fn backoff(&self, limits: Limits) -> Backoff {
        Backoff::new(limits.retry_for)
    }

    #[cfg(feature = "spool")]
    fn next(&self, backoff: &mut Backoff, after: Option<Duration>, limits: Limits) -> Option<Wait> {
        let arrived = self.lane.queue().arrived();
        let is_hopeless =
            |receipt: &Receipt| backoff.elapsed() >= limits.retry_for && receipt.was_overtaken_by(arrived);
        if self.receipt.as_ref().is_some_and(is_hopeless) { None } else { backoff.next(after) }
    }

    #[cfg(not(feature = "spool"))]
    fn next(&self, backoff: &mut Backoff, after: Option<Duration>, _: Limits) -> Option<Wait> {
        backoff.next(after)
    }

    /// Leaves the records on the disk if it is the sender that is refused.
    #[cfg(feature = "spool")]
    fn is_put_down<P>(&mut self, answer: &Result<Result<(), SendError<D::Record>>, P>) -> bool {
        let Ok(Err(SendError::Reject { reason, .. })) = answer else { return false };
        let Some(receipt) = self.receipt.take_if(|_| reason.is_of_sender()) else { return false };
        self.retrying(Wait { total: REFUSED, at_least: REFUSED }, reason.clone());
        receipt.put_down(self.flight);
        self.lane.wake.notify_one();
        // It lands when the worker has put it down.
        self.is_handed_over = true;
        true
    }

    /// Has the disk forget the records, before the books have them as landed: who waits for that may end the process.
    async fn acknowledge(&mut self) {
        #[cfg(feature = "spool")]
        if let Some(receipt) = self.receipt.take() {
            receipt.sign().await;
        }
    }

    fn delivered(&mut self, records: usize) {
        let attempts = self.attempts;
        let is_aloft = records > 0 && self.lane.queue().deliver(self.flight, records);
        self.landed(records, is_aloft, |lane| OutboxEvent::Sent { lane, records, attempts });
    }

    fn rejected(&mut self, lost: usize, reason: Reason) {
        let records = lost.min(self.records);
        if records == 0 {
            return self.warned(reason);
        }
        self.delivered(self.records - records);
        self.lost(records, reason);
    }

    fn lost(&mut self, lost: usize, reason: Reason) {
        let records = lost.min(self.records);
        if records == 0 {
            return;
        }
        let is_aloft = self.lane.queue().lose(self.flight, records, reason.count_under());
        self.landed(records, is_aloft, |lane| OutboxEvent::Rejected { lane, records, reason });
    }

    /// The backend took all, and has something to say. It is told while the flight is still in the air: one that has
    /// landed says nothing.
    fn warned(&mut self, reason: Reason) {
        if self.lane.queue().is_aloft(self.flight) {
            self.lane.tell(|lane| OutboxEvent::Rejected { lane, records: 0, reason });
        }
        self.delivered(self.records);
    }

    fn expired(&mut self, reason: Reason) {
        let records = self.records;
        let is_aloft = self.lane.queue().lose(self.flight, records, Cow::Borrowed(EXPIRED));
        self.landed(records, is_aloft, |lane| OutboxEvent::Expired { lane, records, reason });
    }

    fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        let records = self.records;
        let reason = Reason::new(PANIC).detail(message(&*panic));
        let is_aloft = self.lane.queue().lose(self.flight, records, Cow::Borrowed(PANIC));
        self.landed(records, is_aloft, |lane| OutboxEvent::Panicked { lane, records, reason });
    }

    fn retrying(&self, wait: Wait, reason: Reason) {
        let Self { records, attempts, .. } = *self;
        let wait = wait.total;
        self.lane.tell(|lane| OutboxEvent::Retrying { lane, records, attempts, wait, reason });
    }

    /// Tells of it first, so that whoever waits for the records has heard of them.
    fn landed(&mut self, records: usize, is_aloft: bool, event: impl FnOnce(Arc<str>) -> OutboxEvent) {
        self.records -= records;
        if is_aloft {
            self.lane.tell(event);
            self.lane.queue().told(self.flight);
            self.lane.settle();
        }
    }
}

impl<D: Destination> Drop for Flight<D> {
    fn drop(&mut self) {
        let is_aloft = !self.is_handed_over && self.lane.queue().give_up(self.flight);
        if is_aloft {
            self.lane.queue().told(self.flight);
            self.lane.settle();
        }
    }
}

/// Whether nothing is left to be sent after it.
fn is_last<R, P>(answer: &Result<Result<(), SendError<R>>, P>) -> bool {
    match answer {
        Ok(Err(SendError::Retry { rest, .. } | SendError::Mixed { rest, .. })) => rest.is_empty(),
        _ => true,
    }
}

pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}
