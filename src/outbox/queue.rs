//! What one lane holds.

use std::{borrow::Cow, collections::VecDeque, mem, sync::Arc};

use super::{
    LaneReport, Limits,
    ledger::{Ledger, PANIC, SHUTDOWN},
};

/// What waits, what is in flight, and the books. It lives behind the lane's mutex. `R` is the record.
///
/// Invariants, kept here and relied on everywhere:
///
/// - **Q1, the books balance.** A record enters, moves or leaves in the same call that writes it into the ledger, so
///   `accepted = delivered + lost + waiting` holds whenever the lock is free.
/// - **Q2, numbers without gaps.** Records are numbered as they come and leave the queue at the front only, so the
///   queued ones are `next - queued.len() .. next`, and a flight is known by its first number.
/// - **Q3, a flight lands once.** It is in `flights` while it has records left. What is said about a flight that is
///   not there changes nothing.
/// - **Q4, no foreign code.** Nothing here calls, clones or drops a record: what must go is handed out, to be dropped
///   after the lock.
#[derive(Debug)]
pub(super) struct Queue<R> {
    limits: Limits,
    phase: Phase,
    queued: VecDeque<(R, usize)>,
    queued_bytes: usize,
    flights: Vec<Aloft>,
    /// Flights that have landed, and of which nobody has heard yet.
    landing: Vec<u64>,
    next: u64,
    /// Records numbered below it are not to wait for company.
    hurry: u64,
    /// Overflow that no event has told yet.
    untold: usize,
    /// Whether the worker wants to be woken by the next overflow.
    is_worker_curious: bool,
    ledger: Ledger,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Records come and go.
    Open,
    /// No more come; what is there is drained.
    Closing,
    /// The lane is empty and stays so.
    Closed,
}

#[derive(Debug)]
struct Aloft {
    first: u64,
    records: usize,
    bytes: usize,
}

/// What a push asks of its caller, once the lock is free.
pub(super) struct Pushed<R> {
    /// Whether the worker must look again (invariant W1 in `worker`).
    pub(super) wake: bool,
    /// Whether the last record that a flush waits for has just given way.
    pub(super) settled: bool,
    /// Records to drop.
    pub(super) dropped: Vec<R>,
}

/// A batch as it leaves the queue.
pub(super) struct Taken<R> {
    pub(super) first: u64,
    pub(super) records: Vec<R>,
}

// ===== impl Queue =====

impl<R> Queue<R> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Open,
            queued: VecDeque::new(),
            queued_bytes: 0,
            flights: Vec::new(),
            landing: Vec::new(),
            next: 0,
            hurry: 0,
            untold: 0,
            is_worker_curious: true,
            ledger: Ledger::default(),
        }
    }

    pub(super) fn push(&mut self, record: R, size: usize) -> Pushed<R> {
        if self.phase != Phase::Open {
            self.ledger.turn_away();
            return Pushed { wake: false, settled: false, dropped: vec![record] };
        }
        self.ledger.accept();
        if !self.can_ever_hold(size) {
            return Pushed { wake: self.overflow(1), settled: false, dropped: vec![record] };
        }
        let (was_idle, was_full, was_hurried) =
            (self.queued.is_empty(), self.has_full_batch(), self.is_hurried());
        let dropped = self.make_room(size);
        let settled = was_hurried && !self.is_hurried();
        let overflowed = self.overflow(dropped.len());
        self.queued.push_back((record, size));
        self.queued_bytes += size;
        self.next += 1;
        let wake = was_idle || overflowed || (!was_full && self.has_full_batch());
        Pushed { wake, settled, dropped }
    }

    /// Books a record that could not even be measured.
    pub(super) fn refuse(&mut self) {
        if self.phase != Phase::Open {
            return self.ledger.turn_away();
        }
        self.ledger.accept();
        self.ledger.lose(1, Cow::Borrowed(PANIC));
    }

    /// Moves the oldest records that fit one request from the queue into a flight.
    pub(super) fn take(&mut self) -> Option<Taken<R>> {
        let records = self.batch_length();
        if records == 0 {
            return None;
        }
        let first = self.front();
        let mut bytes = 0;
        let records: Vec<R> = self
            .queued
            .drain(..records)
            .map(|(record, size)| {
                bytes += size;
                record
            })
            .collect();
        self.queued_bytes -= bytes;
        self.flights.push(Aloft { first, records: records.len(), bytes });
        Some(Taken { first, records })
    }

    /// Books `records` of a flight as delivered. `false`: that flight is no more. Whoever waits for it goes on waiting
    /// until it is [`told`](Self::told).
    pub(super) fn deliver(&mut self, first: u64, records: usize) -> bool {
        let landed = self.land(first, records);
        self.ledger.deliver(landed.unwrap_or(0));
        landed.is_some()
    }

    /// Books `records` of a flight as lost. `false`: that flight is no more. Whoever waits for it goes on waiting until
    /// it is [`told`](Self::told).
    pub(super) fn lose(&mut self, first: u64, records: usize, reason: Cow<'static, str>) -> bool {
        let landed = self.land(first, records);
        self.ledger.lose(landed.unwrap_or(0), reason);
        landed.is_some()
    }

    /// What has landed of a flight was told.
    pub(super) fn told(&mut self, first: u64) {
        self.landing.retain(|landing| *landing != first);
    }

    /// Whether a flight has not landed yet.
    pub(super) fn is_aloft(&self, first: u64) -> bool {
        self.flights.iter().any(|flight| flight.first == first)
    }

    /// What is left of a flight has fewer bytes now.
    pub(super) fn lighten(&mut self, first: u64, bytes: usize) {
        if let Some(flight) = self.flights.iter_mut().find(|flight| flight.first == first) {
            flight.bytes = bytes.min(flight.bytes);
        }
    }

    /// Whatever is queued now is not to wait for company. Gives the number to wait for with
    /// [`is_past`](Self::is_past).
    pub(super) fn hurry(&mut self) -> u64 {
        self.hurry = self.next;
        self.next
    }

    /// Whether every record numbered below `number` has left, one way or the other, and its flight was told.
    pub(super) fn is_past(&self, number: u64) -> bool {
        let aloft = self.flights.iter().map(|flight| flight.first).chain(self.landing.iter().copied()).min();
        aloft.unwrap_or(u64::MAX).min(self.front()) >= number
    }

    /// Takes no more records.
    pub(super) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Gives up whatever is left, and says how much it was.
    pub(super) fn abandon(&mut self) -> (usize, VecDeque<(R, usize)>) {
        let left = self.waiting();
        self.phase = Phase::Closed;
        self.flights.clear();
        self.landing.clear();
        self.queued_bytes = 0;
        self.ledger.lose(left, Cow::Borrowed(SHUTDOWN));
        (left, mem::take(&mut self.queued))
    }

    /// Overflow since this was last asked. Whoever hears of some asks again after a while; whoever hears of none is
    /// woken by the next.
    pub(super) fn untold(&mut self) -> usize {
        self.is_worker_curious = self.untold == 0;
        mem::take(&mut self.untold)
    }

    pub(super) fn report(&self, name: Arc<str>) -> LaneReport {
        self.ledger.report(name, self.waiting())
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    pub(super) fn can_fly(&self) -> bool {
        self.flights.len() < self.limits.in_flight
    }

    pub(super) fn waiting(&self) -> usize {
        self.queued.len() + self.flights.iter().map(|flight| flight.records).sum::<usize>()
    }

    /// Whether the oldest records should go without waiting for more.
    pub(super) fn is_ready(&self) -> bool {
        self.has_full_batch() || self.phase != Phase::Open || self.is_hurried()
    }

    fn is_hurried(&self) -> bool {
        self.front() < self.hurry
    }

    fn has_full_batch(&self) -> bool {
        self.queued.len() >= self.limits.records || self.queued_bytes >= self.limits.bytes
    }

    /// Whether a record of that size has a place once every queued one has given way.
    fn can_ever_hold(&self, size: usize) -> bool {
        let (records, bytes) = self.aloft();
        records < self.limits.queue_records && bytes.saturating_add(size) <= self.limits.queue_bytes
    }

    fn make_room(&mut self, size: usize) -> Vec<R> {
        let (records, bytes) = self.aloft();
        let mut dropped = Vec::new();
        while records + self.queued.len() >= self.limits.queue_records
            || bytes + self.queued_bytes + size > self.limits.queue_bytes
        {
            let (record, size) =
                self.queued.pop_front().expect("a record that can be held fits an empty queue");
            self.queued_bytes -= size;
            dropped.push(record);
        }
        dropped
    }

    /// `true` asks for the worker, which tells the events: `push` must not call foreign code.
    fn overflow(&mut self, records: usize) -> bool {
        self.untold += records;
        self.ledger.overflow(records);
        records > 0 && mem::take(&mut self.is_worker_curious)
    }

    fn aloft(&self) -> (usize, usize) {
        self.flights
            .iter()
            .fold((0, 0), |(records, bytes), flight| (records + flight.records, bytes + flight.bytes))
    }

    fn front(&self) -> u64 {
        self.next - self.queued.len() as u64
    }

    /// How many of the oldest records one request takes; one at least, if there is one.
    fn batch_length(&self) -> usize {
        let mut bytes = 0_usize;
        let fitting = self.queued.iter().take(self.limits.records).take_while(|(_, size)| {
            bytes = bytes.saturating_add(*size);
            bytes <= self.limits.bytes
        });
        fitting.count().max(1).min(self.queued.len())
    }

    fn land(&mut self, first: u64, records: usize) -> Option<usize> {
        let place = self.flights.iter().position(|flight| flight.first == first)?;
        let flight = &mut self.flights[place];
        let landed = records.min(flight.records);
        flight.records -= landed;
        if flight.records == 0 {
            self.flights.swap_remove(place);
            self.landing.push(first);
        }
        Some(landed)
    }
}
