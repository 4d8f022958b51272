//! One batch on its way, until it has landed.

use std::{
    any::Any,
    borrow::Cow,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    Batch, Destination, Limits, OutboxEvent, Reason, SendError,
    budget::{Clock, Requests},
    lane::Shared,
    ledger::{EXPIRED, PANIC, SHUTDOWN},
    retry::{Backoff, Wait},
};

/// A batch in flight, as the books see it. It lands exactly once: by one of its methods or, when it is dropped on its
/// way, as lost to the shutdown. After the lane was abandoned it has already landed, and says nothing any more
/// (invariant Q3 of the queue).
pub(super) struct Flight<D: Destination> {
    destination: Arc<D>,
    lane: Arc<Shared<D::Record>>,
    first: u64,
    records: usize,
    attempts: u32,
    requests: Option<(Arc<Requests>, Clock)>,
}

// ===== impl Flight =====

impl<D: Destination> Flight<D> {
    pub(super) fn new(destination: Arc<D>, lane: Arc<Shared<D::Record>>, first: u64, records: usize) -> Self {
        Self { destination, lane, first, records, attempts: 0, requests: None }
    }

    /// Each attempt but the first asks whether there may be one.
    pub(super) fn requests(mut self, requests: Option<(Arc<Requests>, Clock)>) -> Self {
        self.requests = requests;
        self
    }

    /// Sends the batch, again and again if need be.
    pub(super) async fn run(mut self, mut batch: Batch<D::Record>, limits: Limits) {
        let mut backoff = Backoff::new(limits.retry_for);
        // Not `loop`: what was abandoned is lost in the books, and must not be sent after that.
        while self.lane.queue().is_aloft(self.first) {
            self.attempts += 1;
            let aloft = self.records;
            let (rest, after, reason) = match self.send(batch).await {
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
            let Some(wait) = backoff.next(after) else { return self.expired(reason) };
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
        self.lane.queue().lighten(self.first, bytes.unwrap_or(usize::MAX));
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

    fn delivered(&mut self, records: usize) {
        let attempts = self.attempts;
        let is_aloft = records > 0 && self.lane.queue().deliver(self.first, records);
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
        let is_aloft = self.lane.queue().lose(self.first, records, reason.count_under());
        self.landed(records, is_aloft, |lane| OutboxEvent::Rejected { lane, records, reason });
    }

    /// The backend took all, and has something to say. It is told while the flight is still in the air: one that has
    /// landed says nothing.
    fn warned(&mut self, reason: Reason) {
        if self.lane.queue().is_aloft(self.first) {
            self.lane.tell(|lane| OutboxEvent::Rejected { lane, records: 0, reason });
        }
        self.delivered(self.records);
    }

    fn expired(&mut self, reason: Reason) {
        let records = self.records;
        let is_aloft = self.lane.queue().lose(self.first, records, Cow::Borrowed(EXPIRED));
        self.landed(records, is_aloft, |lane| OutboxEvent::Expired { lane, records, reason });
    }

    fn panicked(&mut self, panic: Box<dyn Any + Send>) {
        let records = self.records;
        let reason = Reason::new(PANIC).detail(message(&*panic));
        let is_aloft = self.lane.queue().lose(self.first, records, Cow::Borrowed(PANIC));
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
            self.lane.queue().told(self.first);
            self.lane.settle();
        }
    }
}

impl<D: Destination> Drop for Flight<D> {
    fn drop(&mut self) {
        let is_aloft = self.lane.queue().lose(self.first, self.records, Cow::Borrowed(SHUTDOWN));
        if is_aloft {
            self.lane.queue().told(self.first);
            self.lane.settle();
        }
    }
}

pub(super) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}
