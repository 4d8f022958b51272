//! What moves records from a lane's queue to the disk, and from there into flights.

use std::{
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};

use super::{
    Codec, Destination, OutboxEvent, Reason,
    blocking::{attempt, insist},
    flight::message,
    ledger::PANIC,
    queue::{Change, Taken},
    spool::{Loan, PutDown, REFUSED, Receipt, Record, Store, phrase},
    worker::{Step as Plain, Worker},
};

/// The one task that takes from a lane whose records go by the disk.
///
/// It keeps the rules of the [`Worker`] that it has: **W1**, since whatever changes the answer of [`step`](Self::step) is
/// a push, a landing, or an act of its own; **W2** and **W3** by that worker.
///
/// **W4, the disk is in nobody's way.** Its calls run where they may block, one at a time and lane. While the disk
/// does not take records, the lane is one in memory.
///
/// **W5, both ways are open.** Writing and reading take turns: what comes without a pause does not keep what is there
/// from being sent.
pub(super) struct SpooledWorker<D: Destination> {
    worker: Worker<D>,
    store: Arc<Mutex<Store>>,
    codec: Arc<Codec<D::Record>>,
    /// When what is queued has waited for company long enough.
    write_due: Option<Instant>,
    /// When what is on the disk has.
    read_due: Option<Instant>,
    /// When the disk is tried again that did not take records.
    off_until: Option<Instant>,
    /// When it is tried again that did not give any.
    unread_until: Option<Instant>,
    /// Whether what is new is next, while the disk does not take it.
    is_memory_next: bool,
    sync_due: Option<Instant>,
    adopt_due: Instant,
    put_down: UnboundedSender<PutDown>,
    to_put_down: UnboundedReceiver<PutDown>,
    /// Whether the last turn was to write (invariant W5).
    has_written: bool,
    /// How many flights had something delivered when the disk was last read.
    arrived: u64,
}

/// What to do now.
enum Step<R> {
    Write(Taken<R>),
    Read,
    Sync,
    Adopt,
    PutDown(PutDown),
    Send(Taken<R>),
    Wait(Option<Instant>),
    End,
}

/// What became of records that were to be written.
struct Written<R> {
    kept: usize,
    lost: Vec<(usize, Reason)>,
    /// What the disk did not take, and why.
    rest: Vec<R>,
    error: Option<io::Error>,
    change: Change,
    sync_at: Option<u64>,
}

/// What was read.
struct Read<R> {
    found: Option<Found<R>>,
    change: Change,
}

struct Found<R> {
    loan: Loan,
    records: Vec<R>,
    lost: Vec<(usize, Reason)>,
}

/// Records as bytes.
struct Encoded {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    panics: Option<(usize, Reason)>,
}

// ===== impl SpooledWorker =====

impl<D: Destination> SpooledWorker<D> {
    pub(super) fn new(worker: Worker<D>, store: Store, codec: Codec<D::Record>) -> Self {
        let (put_down, to_put_down) = unbounded_channel();
        Self {
            worker,
            put_down,
            to_put_down,
            store: Arc::new(Mutex::new(store)),
            codec: Arc::new(codec),
            write_due: None,
            read_due: None,
            off_until: None,
            unread_until: None,
            is_memory_next: false,
            sync_due: None,
            adopt_due: Instant::now(),
            has_written: false,
            arrived: 0,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.worker.attend();
            self.worker.prepare().await;
            match self.step() {
                Step::Write(taken) => self.write(taken).await,
                Step::Read => self.read().await,
                Step::Sync => self.sync().await,
                Step::Adopt => self.adopt().await,
                Step::PutDown(what) => self.put_down(what).await,
                Step::Send(taken) => self.worker.send(taken).await,
                Step::Wait(due) => self.worker.wait(due).await,
                Step::End => break,
            }
        }
        self.worker.ground().await;
        self.worker.settle_up().await;
        self.blocking(Store::close).await;
    }

    fn step(&mut self) -> Step<D::Record> {
        let now = Instant::now();
        self.off_until = self.off_until.filter(|until| now < *until);
        self.unread_until = self.unread_until.filter(|until| now < *until);
        if self.worker.lane.attended(|queue| queue.is_over()) {
            return Step::End;
        }
        if let Ok(what) = self.to_put_down.try_recv() {
            return Step::PutDown(what);
        }
        if self.adopt_due <= now {
            return Step::Adopt;
        }
        if self.sync_due.is_some_and(|due| due <= now) {
            return Step::Sync;
        }
        if self.has_written
            && let Some(step) = self.step_from_disk(now)
        {
            self.has_written = false;
            return step;
        }
        if let Some(step) = self.step_to_disk(now) {
            self.has_written = true;
            return step;
        }
        let due = match self.step_to_backend(now) {
            Ok(step) => return step,
            Err(due) => due,
        };
        let dues = [self.write_due, self.read_due, self.off_until, self.unread_until, self.sync_due, due];
        Step::Wait(dues.into_iter().flatten().filter(|due| now < *due).chain([self.adopt_due]).min())
    }

    /// While the disk takes nothing, what it has and what is new are sent in turn. `Err`: nothing is to be sent before that.
    fn step_to_backend(&mut self, now: Instant) -> Result<Step<D::Record>, Option<Instant>> {
        let is_disk_next = !self.is_memory_next;
        if is_disk_next && let Some(step) = self.step_from_disk(now) {
            self.is_memory_next = true;
            return Ok(step);
        }
        let due = match self.off_until.map(|_| self.worker.step()) {
            Some(Plain::Send(taken)) => {
                self.is_memory_next = false;
                return Ok(Step::Send(taken));
            }
            Some(Plain::End) => return Ok(Step::End),
            Some(Plain::Wait(due)) => due,
            None => None,
        };
        if is_disk_next { Err(due) } else { self.step_from_disk(now).ok_or(due) }
    }

    fn step_to_disk(&mut self, now: Instant) -> Option<Step<D::Record>> {
        let mut queue = self.worker.lane.queue();
        if self.off_until.is_some() || !queue.has_queued() {
            self.write_due = None;
            return None;
        }
        let due = *self.write_due.get_or_insert(now + LINGER);
        if now < due && !queue.is_ready() {
            return None;
        }
        self.write_due = None;
        queue.take_for_disk(RECORDS, BYTES).map(Step::Write)
    }

    fn step_from_disk(&mut self, now: Instant) -> Option<Step<D::Record>> {
        let queue = self.worker.lane.queue();
        if queue.kept() == 0 {
            self.read_due = None;
            return None;
        }
        let due = *self.read_due.get_or_insert(now + self.worker.limits.age);
        let is_ready = due <= now || queue.is_kept_ready();
        if !is_ready || !queue.can_fly() || self.unread_until.is_some() {
            return None;
        }
        drop(queue);
        if let Err(wait) = self.worker.next_request() {
            self.unread_until = Some(now + wait);
            return None;
        }
        // As in memory: what is overdue stays so, until nothing was left once.
        self.read_due = self.read_due.filter(|due| *due <= now);
        Some(Step::Read)
    }

    async fn write(&mut self, taken: Taken<D::Record>) {
        let Taken { flight, first, records, .. } = self.worker.admit(taken).await;
        if records.is_empty() {
            return;
        }
        let (store, codec, time) = (self.store.clone(), self.codec.clone(), now());
        let records = Arc::new(Mutex::new(records));
        let theirs = records.clone();
        let write = move || write(&store, &codec, mem::take(&mut lock(&theirs)), first, time);
        match attempt(write).await {
            Some(written) => self.book(flight, written),
            None => self.unwritten(flight, mem::take(&mut lock(&records))),
        }
        self.worker.lane.queue().told(flight);
        self.worker.lane.settle();
    }

    fn book(&mut self, flight: u64, written: Written<D::Record>) {
        let Written { kept, lost, rest, error, change, sync_at } = written;
        let lane = &self.worker.lane;
        for (records, reason) in lost {
            lane.queue().lose(flight, records, reason.count_under());
            lane.tell(|lane| OutboxEvent::Rejected { lane, records, reason });
        }
        self.tell_lost(&change);
        if kept > 0 && lane.queue().keep(flight, kept, change.clone()) {
            lane.tell(|lane| OutboxEvent::Spooled { lane, records: kept });
        } else if kept == 0 {
            lane.queue().change(change);
        }
        if let Some(error) = error {
            self.put_back(flight, rest, &error);
        }
        let wait = sync_at.map(|at| Duration::from_millis(at.saturating_sub(now())));
        self.sync_due = wait.map(|wait| Instant::now() + wait);
    }

    /// There was no thread to write them, or none of them came back from it.
    fn unwritten(&mut self, flight: u64, records: Vec<D::Record>) {
        if records.is_empty() {
            self.worker.lane.queue().lose(flight, usize::MAX, PANIC.into());
        } else {
            self.put_back(flight, records, &io::Error::other("the system has no thread for it"));
        }
    }

    /// The lane is one in memory for a while.
    fn put_back(&mut self, flight: u64, rest: Vec<D::Record>, error: &io::Error) {
        let lane = &self.worker.lane;
        let records = rest.len();
        let sizes = rest.into_iter().map(|record| (lane.measure(&record).unwrap_or(0), record));
        let rest = sizes.map(|(size, record)| (record, size)).collect();
        // Those of a lane that was given up are lost in the books.
        let given_up = lane.queue().put_back(flight, rest);
        drop(given_up);
        let reason = Reason::new(phrase(error)).detail(error.to_string());
        lane.tell(|lane| OutboxEvent::SpoolFailed { lane, records, reason });
        self.off_until = Some(Instant::now() + PAUSE);
    }

    async fn read(&mut self) {
        let arrived = self.worker.lane.queue().arrived();
        let limits = self.worker.limits;
        let is_flowing = mem::replace(&mut self.arrived, arrived) < arrived;
        let (store, codec, time) = (self.store.clone(), self.codec.clone(), now());
        let (records, bytes) = (limits.records, limits.bytes);
        let read = move || {
            let mut store = lock(&store);
            if is_flowing && store.newest() > (MANY * records) as u64 {
                store.part();
            }
            let lifted = store.read(records, bytes, time);
            let change = store.change();
            drop(store);
            let found = lifted.map(|lifted| {
                let payloads = lifted.records.iter().map(|record| &*record.payload);
                let (records, lost) = decode(&codec, payloads);
                Found { loan: lifted.loan, records, lost }
            });
            Read { found, change }
        };
        let Some(Read { found, change }) = attempt(read).await else {
            self.unread_until = Some(Instant::now() + PAUSE);
            return;
        };
        self.tell_lost(&change);
        match found {
            Some(found) => self.lift(found, change, arrived).await,
            None => {
                self.worker.lane.queue().change(change);
                self.unread_until = Some(Instant::now() + PAUSE);
            }
        }
    }

    async fn lift(&mut self, found: Found<D::Record>, change: Change, arrived: u64) {
        let Found { loan, records, lost } = found;
        let lane = &self.worker.lane;
        let bytes = records.iter().filter_map(|record| lane.measure(record)).fold(0, usize::saturating_add);
        let lifted = lane.queue().lift(loan.first, loan.records as usize, bytes, change);
        let Some(flight) = lifted else {
            // The lane was given up: they are on the disk.
            let give_back = move |store: &mut Store| store.give_back(loan);
            self.blocking(give_back).await;
            return;
        };
        for (records, reason) in lost {
            lane.queue().lose(flight, records, reason.count_under());
            lane.tell(|lane| OutboxEvent::Rejected { lane, records, reason });
        }
        let (store, put_down) = (self.store.clone(), self.put_down.clone());
        let receipt = Receipt { store, loan, arrived, put_down };
        if records.is_empty() {
            receipt.sign().await;
            lane.queue().told(flight);
            return lane.settle();
        }
        let aloft = self.worker.flight(flight, records.len()).spooled(receipt);
        self.worker.launch(aloft, records);
    }

    async fn sync(&mut self) {
        let synced = self.blocking(|store| store.tick(now())).await;
        self.sync_due = if synced.is_none() { Some(Instant::now() + PAUSE) } else { None };
        if let Some(Err(error)) = synced {
            let reason = Reason::new(phrase(&error)).detail(error.to_string());
            self.worker.lane.tell(|lane| OutboxEvent::SpoolFailed { lane, records: 0, reason });
        }
    }

    async fn adopt(&mut self) {
        self.adopt_due = Instant::now() + ADOPT_PAUSE;
        let adopted = self.blocking(|store| (store.adopt(now()), store.change())).await;
        let Some((records, change)) = adopted else {
            self.adopt_due = Instant::now() + PAUSE;
            return;
        };
        self.tell_lost(&change);
        self.worker.lane.queue().adopt(records, change);
        if records > 0 {
            self.worker.lane.tell(|lane| OutboxEvent::Adopted { lane, records });
        }
    }

    /// A flight is back, because the backend refuses who sends. Others would fare no better.
    async fn put_down(&mut self, PutDown { flight, loan }: PutDown) {
        let records = loan.records;
        let put_down = move |store: &mut Store| {
            store.give_back(loan);
            store.change()
        };
        let store = self.store.clone();
        let Some(change) = insist(move || put_down(&mut lock(&store))).await else { return };
        self.tell_lost(&change);
        self.unread_until = Some(Instant::now() + REFUSED);
        let lane = &self.worker.lane;
        if lane.queue().put_down(flight, records, change) {
            lane.queue().told(flight);
            lane.settle();
        }
    }

    fn tell_lost(&self, change: &Change) {
        for (records, reason) in &change.lost {
            let (records, reason) = (*records, Reason::new(*reason));
            self.worker.lane.tell(|lane| OutboxEvent::SpoolLost { lane, records, reason });
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Option<T> {
        let store = self.store.clone();
        attempt(move || work(&mut lock(&store))).await
    }
}

// ===== impl Encoded =====

impl Encoded {
    fn of<R>(codec: &Codec<R>, records: Vec<R>) -> Self {
        let mut encoded = Self { bytes: Vec::new(), ends: Vec::with_capacity(records.len()), panics: None };
        for record in records {
            let start = encoded.bytes.len();
            let bytes = &mut encoded.bytes;
            match catch_unwind(AssertUnwindSafe(|| codec.encode(record, bytes))) {
                Ok(()) => encoded.ends.push(encoded.bytes.len()),
                Err(panic) => {
                    encoded.bytes.truncate(start);
                    let reason = || Reason::new(PANIC).detail(message(&*panic));
                    encoded.panics.get_or_insert_with(|| (0, reason())).0 += 1;
                }
            }
        }
        encoded
    }

    fn payloads(&self) -> Vec<&[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]).collect()
    }
}

/// Writes what the disk takes. What it will never take is lost.
fn write<R>(store: &Mutex<Store>, codec: &Codec<R>, records: Vec<R>, first: u64, now: u64) -> Written<R> {
    let encoded = Encoded::of(codec, records);
    let payloads = encoded.payloads();
    let records: Vec<_> = payloads.iter().map(|payload| Record { at: now, payload }).collect();
    let mut lost: Vec<_> = encoded.panics.iter().cloned().collect();
    let (mut taken, mut too_large) = (0, 0);
    let mut store = lock(store);
    let error = loop {
        let appended = store.append(&records[taken..], first + taken as u64, now);
        taken += appended.taken;
        match appended.error {
            Some(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                taken += 1;
                too_large += 1;
            }
            error => break error,
        }
    };
    let (change, sync_at) = (store.change(), store.sync_at());
    drop(store);
    let (rest, unreadable) = decode(codec, payloads[taken..].iter().copied());
    lost.extend(unreadable);
    if too_large > 0 {
        lost.push((too_large, Reason::new("too large")));
    }
    Written { kept: taken - too_large, lost, rest, error, change, sync_at }
}

/// What can be read, and how much cannot.
fn decode<'a, R>(
    codec: &Codec<R>,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> (Vec<R>, Vec<(usize, Reason)>) {
    let (mut records, mut unreadable, mut panics) = (Vec::new(), 0, None);
    for payload in payloads {
        match catch_unwind(AssertUnwindSafe(|| codec.decode(payload))) {
            Ok(Some(record)) => records.push(record),
            Ok(None) => unreadable += 1,
            Err(panic) => {
                let reason = || Reason::new(PANIC).detail(message(&*panic));
                panics.get_or_insert_with(|| (0, reason())).0 += 1;
            }
        }
    }
    let unreadable = (unreadable > 0).then(|| (unreadable, Reason::new(UNREADABLE)));
    (records, unreadable.into_iter().chain(panics).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis().try_into().unwrap_or(u64::MAX)
}

/// How long a record may wait for company on its way to the disk.
const LINGER: Duration = Duration::from_millis(10);

/// What is written at once, at most.
const RECORDS: usize = 4096;
const BYTES: usize = 4 << 20;

/// How long the disk is left alone that has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How often it looks for what others have left.
const ADOPT_PAUSE: Duration = Duration::from_secs(61);

/// From how many full requests on what is new does not wait behind what is old.
const MANY: usize = 16;

const UNREADABLE: &str = "unreadable";
