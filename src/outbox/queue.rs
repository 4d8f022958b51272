//! What one lane holds.

use std::{borrow::Cow, mem, sync::Arc};

use super::{
    LaneReport, Limits,
    ledger::{Ledger, PANIC, SHUTDOWN},
    line::Line,
    shard::{Shard, Share},
};

/// What waits, what is in flight, what is on the disk, and the books. It lives behind the lane's mutex. `R` is the record.
///
/// Invariants, kept here and relied on everywhere:
///
/// - **Q1, the books balance.** A record enters, moves or leaves in the same call that writes it into the ledger, so
///   `accepted = delivered + lost + waiting + spooled` holds whenever the lock is free.
/// - **Q2, numbers go up.** Records are numbered from 1 as they come, without gaps, and leave the queue at the front only.
///   What others left on the disk has the number 0.
/// - **Q3, a flight lands once.** It is in `flights` while it has records left. What is said about a flight that is
///   not there changes nothing.
/// - **Q4, no foreign code.** Nothing here calls, clones or drops a record: what must go is handed out, to be dropped
///   after the lock.
#[derive(Debug)]
pub(super) struct Queue<R> {
    limits: Limits,
    phase: Phase,
    /// How many shards lie in front of it, and what each may hold.
    shards: usize,
    granted: Share,
    queued: Line<(R, usize)>,
    queued_bytes: usize,
    /// How many of the oldest were paid for already, before the disk refused them.
    admitted: usize,
    flights: Vec<Aloft>,
    /// Flights that have landed, and of which nobody has heard yet, with the numbers of their first records.
    landing: Vec<(u64, u64)>,
    next_flight: u64,
    /// How many flights had something delivered.
    arrived: u64,
    kept: Kept,
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
enum Phase {
    /// Records come and go.
    Open,
    /// No more come; what is there is drained.
    Closing,
    /// The lane is empty and stays so.
    Closed,
}

#[derive(Debug)]
struct Aloft {
    flight: u64,
    /// The number of its first record.
    first: u64,
    records: usize,
    bytes: usize,
    way: Way,
}

/// Where a flight comes from, and where it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "without a spool there is one way"))]
pub(super) enum Way {
    /// From the queue to the backend.
    Out,
    /// From the queue to the disk.
    ToDisk,
    /// From the disk to the backend. Until it has landed, its records are on the disk, too.
    FromDisk,
}

/// What of a lane is on the disk and not in flight.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Kept {
    /// How many records.
    pub(super) records: u64,
    /// The number of the oldest.
    pub(super) first: u64,
}

/// How that changed.
#[cfg(feature = "spool")]
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// What is there now.
    pub(super) kept: Kept,
    /// What was there, or was to be, and is not any more, by reason.
    pub(super) lost: Vec<(u64, &'static str)>,
}

/// What records that came ask of whoever let them in, once the lock is free.
pub(super) struct Pushed<R> {
    /// Whether the worker must look again (invariant W1 in `worker`).
    pub(super) wake: bool,
    /// Whether it must look for overflow (invariant W3).
    pub(super) overflowed: bool,
    /// Whether the last record that a flush waits for has just given way.
    pub(super) settled: bool,
    /// Records to drop.
    pub(super) dropped: Vec<R>,
}

/// A batch as it leaves the queue.
pub(super) struct Taken<R> {
    pub(super) flight: u64,
    /// The number of the first record.
    #[cfg_attr(not(feature = "spool"), allow(dead_code, reason = "that is the spool"))]
    pub(super) first: u64,
    pub(super) records: Vec<R>,
    /// How many of the first were paid for already.
    pub(super) admitted: usize,
}

// ===== impl Pushed =====

impl<R> Default for Pushed<R> {
    fn default() -> Self {
        Self { wake: false, overflowed: false, settled: false, dropped: Vec::new() }
    }
}

// ===== impl Queue =====

impl<R> Queue<R> {
    pub(super) fn new(limits: Limits, shards: usize) -> Self {
        Self {
            limits,
            phase: Phase::Open,
            shards,
            granted: Share::NONE,
            queued: Line::new(),
            queued_bytes: 0,
            admitted: 0,
            flights: Vec::new(),
            landing: Vec::new(),
            next_flight: 0,
            arrived: 0,
            kept: Kept::default(),
            next: 1,
            hurry: 0,
            untold: 0,
            is_worker_curious: true,
            ledger: Ledger::default(),
        }
    }

    /// One that takes nothing.
    pub(super) fn closed() -> Self {
        Self { phase: Phase::Closed, ..Self::new(Limits::default(), 1) }
    }

    pub(super) fn push(&mut self, record: R, size: usize, pushed: &mut Pushed<R>) {
        self.let_in(pushed, |queue, dropped| queue.enter(record, size, dropped));
    }

    /// Takes what a shard holds.
    pub(super) fn receive(&mut self, shard: &mut Shard<R>, pushed: &mut Pushed<R>) {
        if shard.records.is_empty() {
            return;
        }
        let bytes = mem::take(&mut shard.bytes);
        self.let_in(pushed, |queue, dropped| {
            // Larger than the room that there can be, one of them may have to be lost itself.
            if queue.is_open() && queue.can_ever_hold(bytes) {
                return queue.enter_all(&mut shard.records, bytes, dropped);
            }
            shard.records.drain(..).map(|(record, size)| queue.enter(record, size, dropped)).sum()
        });
    }

    /// Tells the shards what they may hold from now on, if that has changed. `each` runs its argument on every shard.
    pub(super) fn regrant(&mut self, pushed: &mut Pushed<R>, each: impl Fn(&mut dyn FnMut(&mut Shard<R>))) {
        let share = self.share();
        if share == self.granted {
            return;
        }
        let mut grant = |queue: &mut Self, share| {
            each(&mut |shard| {
                queue.receive(shard, pushed);
                shard.grant(share);
            });
            queue.granted = share;
        };
        grant(self, share);
        // Until a shard had heard of it, it went by what it was told before.
        if !share.is_within(self.share()) {
            grant(self, Share::NONE);
        }
    }

    /// Lets records in, and says what has changed for others. `enter` says how many were lost to overflow.
    fn let_in(&mut self, pushed: &mut Pushed<R>, enter: impl FnOnce(&mut Self, &mut Vec<R>) -> usize) {
        let (was_idle, was_full, was_hurried) =
            (self.queued.is_empty(), self.has_full_batch(), self.is_hurried());
        let lost = enter(self, &mut pushed.dropped);
        pushed.overflowed |= self.overflow(lost);
        pushed.wake |= (was_idle && self.has_queued()) || (!was_full && self.has_full_batch());
        pushed.settled |= was_hurried && !self.is_hurried();
    }

    /// As one by one: what is left is the newest either way.
    fn enter_all(&mut self, records: &mut Vec<(R, usize)>, bytes: usize, dropped: &mut Vec<R>) -> usize {
        self.ledger.accept(records.len());
        self.next += records.len() as u64;
        self.queued_bytes += bytes;
        self.queued.append(records);
        self.make_room(0, 0, dropped)
    }

    /// Gives how many were lost to overflow.
    fn enter(&mut self, record: R, size: usize, dropped: &mut Vec<R>) -> usize {
        if self.phase != Phase::Open {
            self.ledger.turn_away();
            dropped.push(record);
            return 0;
        }
        self.ledger.accept(1);
        if !self.can_ever_hold(size) {
            dropped.push(record);
            return 1;
        }
        let given_way = self.make_room(1, size, dropped);
        self.queued.push_back((record, size));
        self.queued_bytes += size;
        self.next += 1;
        given_way
    }

    /// Books a record that could not even be measured.
    pub(super) fn refuse(&mut self) {
        if self.phase != Phase::Open {
            return self.ledger.turn_away();
        }
        self.ledger.accept(1);
        self.ledger.lose(1, Cow::Borrowed(PANIC));
    }

    /// Moves the oldest records that fit one request from the queue into a flight.
    pub(super) fn take(&mut self) -> Option<Taken<R>> {
        self.take_up_to(self.limits.records, self.limits.bytes, Way::Out)
    }

    /// The same for the disk, which takes more at once.
    #[cfg(feature = "spool")]
    pub(super) fn take_for_disk(&mut self, records: usize, bytes: usize) -> Option<Taken<R>> {
        self.take_up_to(records, bytes, Way::ToDisk)
    }

    fn take_up_to(&mut self, records: usize, bytes: usize, way: Way) -> Option<Taken<R>> {
        let records = self.batch_length(records, bytes);
        if records == 0 {
            return None;
        }
        let first = self.front();
        let mut bytes = 0;
        let mut taken = Vec::with_capacity(records);
        taken.extend(self.queued.by_ref().take(records).map(|(record, size)| {
            bytes += size;
            record
        }));
        let records = taken;
        self.queued_bytes -= bytes;
        let admitted = self.admitted.min(records.len());
        self.admitted -= admitted;
        let flight = self.launch(first, records.len(), bytes, way);
        Some(Taken { flight, first, records, admitted })
    }

    fn launch(&mut self, first: u64, records: usize, bytes: usize, way: Way) -> u64 {
        let flight = self.next_flight;
        self.next_flight += 1;
        self.flights.push(Aloft { flight, first, records, bytes, way });
        flight
    }

    /// Books `records` of a flight as delivered. `false`: that flight is no more. Whoever waits for it goes on waiting
    /// until it is [`told`](Self::told).
    pub(super) fn deliver(&mut self, flight: u64, records: usize) -> bool {
        let landed = self.land(flight, records);
        self.ledger.deliver(landed.unwrap_or(0));
        self.arrived += u64::from(landed.is_some());
        landed.is_some()
    }

    /// Books `records` of a flight as lost. `false`: that flight is no more. Whoever waits for it goes on waiting until
    /// it is [`told`](Self::told).
    pub(super) fn lose(&mut self, flight: u64, records: usize, reason: Cow<'static, str>) -> bool {
        let landed = self.land(flight, records);
        self.ledger.lose(landed.unwrap_or(0), reason);
        landed.is_some()
    }

    /// Books what is left of a flight as lost to the shutdown, or as still on the disk. `false`: that flight is no more.
    pub(super) fn give_up(&mut self, flight: u64) -> bool {
        let Some(aloft) = self.flights.iter().find(|aloft| aloft.flight == flight) else { return false };
        let (records, first) = (aloft.records, aloft.first);
        if aloft.way != Way::FromDisk {
            return self.lose(flight, records, Cow::Borrowed(SHUTDOWN));
        }
        self.land(flight, records);
        self.leave(records, first);
        true
    }

    /// What has landed of a flight was told.
    pub(super) fn told(&mut self, flight: u64) {
        self.landing.retain(|(landing, _)| *landing != flight);
    }

    /// Whether a flight has not landed yet.
    pub(super) fn is_aloft(&self, flight: u64) -> bool {
        self.flights.iter().any(|aloft| aloft.flight == flight)
    }

    /// What is left of a flight has fewer bytes now.
    pub(super) fn lighten(&mut self, flight: u64, bytes: usize) {
        if let Some(aloft) = self.flights.iter_mut().find(|aloft| aloft.flight == flight) {
            aloft.bytes = bytes.min(aloft.bytes);
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
        let aloft = self.flights.iter().map(|aloft| aloft.first);
        let oldest = aloft.chain(self.landing.iter().map(|(_, first)| *first)).chain(self.first_kept());
        oldest.fold(self.front(), u64::min) >= number
    }

    /// Takes no more records.
    pub(super) fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    /// Gives up whatever is left, and says how much it was.
    pub(super) fn abandon(&mut self) -> (usize, Line<(R, usize)>) {
        let safe = |aloft: &Aloft| aloft.way == Way::FromDisk;
        let kept: usize = self.flights.iter().filter(|aloft| safe(aloft)).map(|aloft| aloft.records).sum();
        let left = self.waiting() - kept;
        self.phase = Phase::Closed;
        self.leave(kept, 0);
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
        self.ledger.report(name, self.waiting(), self.kept.records)
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    pub(super) fn can_fly(&self) -> bool {
        self.flights.iter().filter(|aloft| aloft.way != Way::ToDisk).count() < self.limits.in_flight
    }

    /// Whether nothing waits for a request.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.kept.records == 0
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether no record comes any more, and none is left.
    pub(super) fn is_over(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing => self.waiting() == 0 && self.kept.records == 0,
            Phase::Closed => true,
        }
    }

    fn waiting(&self) -> usize {
        self.queued.len() + self.flights.iter().map(|aloft| aloft.records).sum::<usize>()
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

    /// Makes room for more, and gives how many had to give way.
    fn make_room(&mut self, records: usize, bytes: usize, dropped: &mut Vec<R>) -> usize {
        let (aloft, aloft_bytes) = self.aloft();
        let too_many = (aloft + self.queued.len() + records).saturating_sub(self.limits.queue_records);
        let mut too_large = (aloft_bytes + self.queued_bytes + bytes).saturating_sub(self.limits.queue_bytes);
        let mut giving_way = 0;
        for (_, size) in self.queued.iter() {
            if giving_way >= too_many && too_large == 0 {
                break;
            }
            giving_way += 1;
            too_large = too_large.saturating_sub(*size);
            self.queued_bytes -= size;
        }
        self.admitted = self.admitted.saturating_sub(giving_way);
        dropped.reserve(giving_way);
        dropped.extend(self.queued.by_ref().take(giving_way).map(|(record, _)| record));
        giving_way
    }

    fn room(&self) -> (usize, usize) {
        let (records, bytes) = self.aloft();
        let (records, bytes) = (records + self.queued.len(), bytes.saturating_add(self.queued_bytes));
        let Limits { queue_records, queue_bytes, .. } = self.limits;
        (queue_records.saturating_sub(records), queue_bytes.saturating_sub(bytes))
    }

    /// What a shard may hold: a part of what is missing to a full batch and to a full lane (invariant I3 of the inbox).
    /// What is full already, and known to be, is not waited for.
    fn share(&self) -> Share {
        if self.phase != Phase::Open {
            return Share::NONE;
        }
        let Limits { records, bytes, queue_records, queue_bytes, .. } = self.limits;
        let mut most =
            ((MOST_RECORDS * self.shards).min(queue_records / EXCESS), MOST_BYTES.min(queue_bytes / EXCESS));
        if !self.has_full_batch() {
            let (queued_records, queued_bytes) = (self.queued.len(), self.queued_bytes);
            most = (most.0.min(records - queued_records), most.1.min(bytes - queued_bytes));
        }
        if self.is_worker_curious {
            let (free_records, free_bytes) = self.room();
            most = (most.0.min(free_records), most.1.min(free_bytes));
        }
        Share::of(most.0, most.1, self.shards)
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
            .fold((0, 0), |(records, bytes), aloft| (records + aloft.records, bytes + aloft.bytes))
    }

    fn front(&self) -> u64 {
        self.next - self.queued.len() as u64
    }

    fn first_kept(&self) -> Option<u64> {
        (self.kept.records > 0).then_some(self.kept.first)
    }

    /// Records that were in flight are on the disk and nowhere else.
    fn leave(&mut self, records: usize, first: u64) {
        self.kept.first = self.first_kept().map_or(first, |kept| kept.min(first));
        self.kept.records += records as u64;
    }

    /// How many of the oldest records are not too many, and have not too many bytes; one at least, if there is one.
    fn batch_length(&self, records: usize, most: usize) -> usize {
        let mut bytes = 0_usize;
        let fitting = self.queued.iter().take(records).take_while(|(_, size)| {
            bytes = bytes.saturating_add(*size);
            bytes <= most
        });
        fitting.count().max(1).min(self.queued.len())
    }

    fn land(&mut self, flight: u64, records: usize) -> Option<usize> {
        let place = self.flights.iter().position(|aloft| aloft.flight == flight)?;
        let aloft = &mut self.flights[place];
        let landed = records.min(aloft.records);
        aloft.records -= landed;
        if aloft.records == 0 {
            let Aloft { first, .. } = self.flights.swap_remove(place);
            self.landing.push((flight, first));
        }
        Some(landed)
    }
}

/// What a spool does with it.
#[cfg(feature = "spool")]
impl<R> Queue<R> {
    /// Adds records to the books that others had left on the disk.
    pub(super) fn adopt(&mut self, records: u64, change: Change) {
        if self.phase != Phase::Closed {
            self.ledger.adopt(records);
            self.change(change);
        }
    }

    /// Moves `records` of a flight to the disk. `false`: that flight is no more.
    pub(super) fn keep(&mut self, flight: u64, records: usize, change: Change) -> bool {
        let landed = self.land(flight, records).is_some();
        if landed {
            self.change(change);
        }
        landed
    }

    /// Moves the records of a flight back to where they came from, in front of all others, paid for. They are the last it
    /// had.
    /// `Err`: that flight is no more.
    pub(super) fn put_back(&mut self, flight: u64, records: Vec<(R, usize)>) -> Result<(), Vec<(R, usize)>> {
        if self.land(flight, records.len()).is_none() {
            return Err(records);
        }
        self.admitted += records.len();
        for (record, size) in records.into_iter().rev() {
            self.queued_bytes += size;
            self.queued.push_front((record, size));
        }
        Ok(())
    }

    /// Moves what is left of a flight back to the disk, which has all of the `records` that it began with: those that were
    /// delivered come again. `false`: that flight is no more.
    pub(super) fn put_down(&mut self, flight: u64, records: u64, change: Change) -> bool {
        let Some(left) = self.land(flight, usize::MAX) else { return false };
        self.ledger.adopt(records.saturating_sub(left as u64));
        self.change(change);
        true
    }

    /// Moves records from the disk into a flight, unless the lane was given up.
    pub(super) fn lift(&mut self, first: u64, records: usize, bytes: usize, change: Change) -> Option<u64> {
        if self.phase == Phase::Closed {
            return None;
        }
        self.change(change);
        Some(self.launch(first, records, bytes, Way::FromDisk))
    }

    /// Books what the disk has, and what it lost.
    pub(super) fn change(&mut self, Change { kept, lost }: Change) {
        if self.phase != Phase::Closed {
            self.kept = kept;
            lost.into_iter().for_each(|(records, reason)| self.ledger.lose(records as usize, reason.into()));
        }
    }

    pub(super) fn kept(&self) -> u64 {
        self.kept.records
    }

    /// Whether what is on the disk should go without waiting for more.
    pub(super) fn is_kept_ready(&self) -> bool {
        let is_hurried = self.first_kept().is_some_and(|first| first < self.hurry);
        self.kept.records >= self.limits.records as u64 || self.phase != Phase::Open || is_hurried
    }

    /// How many flights had something delivered so far.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }
}

/// What a shard holds at most, so that taking it to the queue does not take long.
const MOST_RECORDS: usize = 64;

/// What all shards of a lane hold at most.
const MOST_BYTES: usize = 1 << 20;

/// Which part of the bounds of a lane its shards hold at most.
const EXCESS: usize = 8;
