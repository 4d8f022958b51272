//! Where pushes leave their records.

use std::{
    cell::Cell,
    num::NonZero,
    ops::Deref,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    Limits,
    process::Process,
    queue::{Pushed, Queue},
    shard::Shard,
};

/// What lies in front of a lane's queue, so that threads which push do not meet at its lock: a few shards, each with a
/// lock of its own. A thread keeps to one shard, so its records stay in order.
///
/// **I1, one order of locks.** Whoever has the queue may lock a shard; whoever has a shard locks nothing.
///
/// **I2, nothing is overlooked.** Whoever asks what the queue holds [gathers](Self::gather) first, under the queue's lock.
/// So the books are exact, and a record is numbered before anyone waits for the numbers of what was pushed before.
///
/// **I3, all is noticed in time.** What the shards may hold together never fills a batch nor, unless the worker knows
/// that it overflows, the lane: their [shares](super::shard::Share) are parts of what is missing. So it is noticed by
/// the very push that does it. What the worker changes counts from its next look on.
///
/// **I4, who sleeps is woken.** `is_idle` is true before the shards of an empty queue are looked at. So the first record
/// in a shard is either seen by who looks, or sees that nobody will.
pub(super) struct Inbox<R> {
    shards: Box<[Padded<Mutex<Shard<R>>>]>,
    /// Whether nothing is queued: the worker sleeps until it is told, or is about to.
    is_idle: Padded<AtomicBool>,
}

/// What shares no cache line with anything else. Two lines, because some processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

// ===== impl Inbox =====

impl<R> Inbox<R> {
    /// With so many shards, a power of two.
    pub(super) fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| Padded(Mutex::new(Shard::new()))).collect();
        Self { shards, is_idle: Padded(AtomicBool::new(true)) }
    }

    /// This thread's shard, unless records go straight to the queue.
    #[inline]
    pub(super) fn open(&self, process: &Process) -> Option<MutexGuard<'_, Shard<R>>> {
        process.lock(self.shard()).filter(|shard| shard.is_open())
    }

    /// Whether the worker sleeps and has not been told. It counts as told from then on.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.is_idle.load(Ordering::Relaxed) && self.is_idle.swap(false, Ordering::Relaxed)
    }

    /// Moves the records of this thread's shard to the queue.
    pub(super) fn hand_over(&self, queue: &mut Queue<R>, pushed: &mut Pushed<R>, process: &Process) {
        if let Some(mut shard) = process.lock(self.shard()) {
            queue.receive(&mut shard, pushed);
        }
        self.regrant(queue, pushed, process);
    }

    /// Moves all records to the queue.
    pub(super) fn gather(&self, queue: &mut Queue<R>, pushed: &mut Pushed<R>, process: &Process) {
        if !queue.has_queued() {
            self.is_idle.store(true, Ordering::Relaxed);
        }
        self.each(process, &mut |shard| queue.receive(shard, pushed));
        self.regrant(queue, pushed, process);
    }

    /// Tells the shards what they may hold, after a change of the queue.
    pub(super) fn regrant(&self, queue: &mut Queue<R>, pushed: &mut Pushed<R>, process: &Process) {
        queue.regrant(pushed, |act| self.each(process, act));
        if queue.has_queued() && self.is_idle.load(Ordering::Relaxed) {
            self.is_idle.store(false, Ordering::Relaxed);
        }
    }

    /// What a thread of the parent has locked is the parent's.
    fn each(&self, process: &Process, act: &mut dyn FnMut(&mut Shard<R>)) {
        self.shards.iter().filter_map(|shard| process.lock(shard)).for_each(|mut shard| act(&mut shard));
    }

    fn shard(&self) -> &Mutex<Shard<R>> {
        &self.shards[seat() & (self.shards.len() - 1)]
    }
}

// ===== impl Padded =====

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// How many shards a lane has: as many as threads can push at once, unless a batch is too small to be shared by so many.
pub(super) fn shards(limits: &Limits) -> usize {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let most = (limits.records / SMALLEST_SHARE).clamp(1, MOST_SHARDS);
    threads.next_power_of_two().min(1 << most.ilog2())
}

/// More of them would only take longer to gather.
const MOST_SHARDS: usize = 16;

/// Below it a shard spares little.
const SMALLEST_SHARE: usize = 8;

static SEATS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// One more than this thread's seat; 0 as long as it has none.
    static SEAT: Cell<usize> = const { Cell::new(0) };
}

/// Threads take their seats as they come, so that the first ones share none.
#[inline]
fn seat() -> usize {
    match SEAT.get() {
        0 => take_seat(),
        taken => taken - 1,
    }
}

#[cold]
fn take_seat() -> usize {
    let seat = SEATS.fetch_add(1, Ordering::Relaxed);
    SEAT.set(seat + 1);
    seat
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::outbox::{queue::Taken, shard::Left};

    /// One thing that happens to a lane. What is pushed is pushed by one thread of several.
    #[derive(Clone, Debug)]
    enum Act {
        Push { thread: usize, size: usize },
        Take,
        Land,
        Report,
        Hurry,
        Untold,
    }

    /// A queue with shards before it, which are pushed to as `Lane::push` does.
    struct Sharded {
        queue: Queue<(usize, u64)>,
        shards: Vec<Mutex<Shard<(usize, u64)>>>,
    }

    // ===== impl Sharded =====

    impl Sharded {
        fn new(limits: Limits, shards: usize) -> Self {
            let queue = Queue::new(limits, shards);
            Self { queue, shards: (0..shards).map(|_| Mutex::new(Shard::new())).collect() }
        }

        fn push(&mut self, thread: usize, number: u64, size: usize) -> Pushed<(usize, u64)> {
            let mut pushed = Pushed::default();
            let (shard, record) = (&self.shards[thread % self.shards.len()], (thread, number));
            let mut shard = shard.lock().unwrap();
            if !shard.is_open() {
                self.queue.push(record, size, &mut pushed);
            } else if shard.push((record, size)) == Left::Last {
                self.queue.receive(&mut shard, &mut pushed);
            } else {
                return pushed;
            }
            drop(shard);
            self.regrant(&mut pushed);
            pushed
        }

        fn gather(&mut self) -> Pushed<(usize, u64)> {
            let mut pushed = Pushed::default();
            let Self { queue, shards, .. } = self;
            shards.iter().for_each(|shard| queue.receive(&mut shard.lock().unwrap(), &mut pushed));
            self.regrant(&mut pushed);
            pushed
        }

        fn regrant(&mut self, pushed: &mut Pushed<(usize, u64)>) {
            let Self { queue, shards, .. } = self;
            let each = |act: &mut dyn FnMut(&mut Shard<_>)| {
                shards.iter().for_each(|shard| act(&mut shard.lock().unwrap()));
            };
            queue.regrant(pushed, each);
        }

        fn held(&self) -> (usize, usize) {
            self.shards
                .iter()
                .map(|shard| shard.lock().unwrap())
                .fold((0, 0), |(records, bytes), shard| (records + shard.records.len(), bytes + shard.bytes))
        }
    }

    proptest! {
        /// By one thread, so that the order is one: nobody can tell that there are shards.
        #[test]
        fn a_lane_with_shards_does_what_one_without_does(
            (limits, acts, shards) in (limits(), acts(1), shards()),
        ) {
            let (mut plain, mut sharded) = (Queue::new(limits, 1), Sharded::new(limits, shards));
            let (mut flights, mut dropped) = (VecDeque::new(), [Vec::new(), Vec::new()]);
            for (number, act) in (0..).zip(acts) {
                if let Act::Push { thread, size } = act {
                    let mut pushed = Pushed::default();
                    plain.push((thread, number), size, &mut pushed);
                    dropped[0].append(&mut pushed.dropped);
                    dropped[1].append(&mut sharded.push(thread, number, size).dropped);
                    continue;
                }
                dropped[1].append(&mut sharded.gather().dropped);
                match act {
                    Act::Take => {
                        let (one, other) = (plain.take(), sharded.queue.take());
                        let records = |taken: Option<_>| taken.map(|Taken { records, .. }| records);
                        flights.extend(one.as_ref().map(|taken| (taken.flight, taken.records.len())));
                        prop_assert_eq!(records(one), records(other));
                    }
                    Act::Land => {
                        if let Some((flight, records)) = flights.pop_front() {
                            prop_assert!(plain.deliver(flight, records));
                            prop_assert!(sharded.queue.deliver(flight, records));
                        }
                    }
                    Act::Hurry => prop_assert_eq!(plain.hurry(), sharded.queue.hurry()),
                    Act::Untold => prop_assert_eq!(plain.untold(), sharded.queue.untold()),
                    Act::Push { .. } | Act::Report => {}
                }
                prop_assert_eq!(plain.report("lane".into()), sharded.queue.report("lane".into()));
                prop_assert_eq!(plain.is_ready(), sharded.queue.is_ready());
                prop_assert_eq!(&dropped[0], &dropped[1]);
            }
        }

        /// Invariant I3, and what the shards hold above the bounds.
        #[test]
        fn a_full_batch_and_the_first_overflow_are_noticed_at_once(
            (limits, acts, shards) in (limits(), acts(6), shards()),
        ) {
            let mut lane = Sharded::new(limits, shards);
            let mut last = [None; 6];
            for (number, act) in (0..).zip(acts) {
                match act {
                    Act::Push { thread, size } => drop(lane.push(thread, number, size)),
                    // The worker looks again after whatever it does.
                    Act::Take => {
                        lane.gather();
                        for (thread, number) in lane.queue.take().into_iter().flat_map(|taken| taken.records) {
                            prop_assert!(last[thread].replace(number) < Some(number), "in order");
                        }
                        lane.gather();
                    }
                    Act::Untold => {
                        lane.queue.untold();
                        lane.gather();
                    }
                    _ => {}
                }
                let (records, bytes) = lane.held();
                prop_assert!(records <= limits.queue_records / 8 && bytes <= limits.queue_bytes / 8);
                if let Act::Report = act {
                    let was_ready = lane.queue.is_ready();
                    let pushed = lane.gather();
                    prop_assert!(was_ready || !lane.queue.is_ready(), "a full batch that was not noticed");
                    prop_assert!(!pushed.overflowed, "a first overflow that was not noticed");
                }
            }
        }
    }

    fn acts(threads: usize) -> impl Strategy<Value = Vec<Act>> {
        let push = (0..threads, prop_oneof![9 => 0..20_usize, 1 => 0..2_000_usize]);
        let act = prop_oneof![
            40 => push.prop_map(|(thread, size)| Act::Push { thread, size }),
            2 => Just(Act::Take),
            2 => Just(Act::Land),
            1 => Just(Act::Report),
            1 => Just(Act::Hurry),
            1 => Just(Act::Untold),
        ];
        proptest::collection::vec(act, 0..400)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        (1..100_usize, 1..1_000_usize, 1..300_usize, 0..3_000_usize).prop_map(
            |(records, bytes, queue_records, queue_bytes)| {
                let limits = Limits::default().records(records).bytes(bytes);
                limits.queue_records(queue_records).queue_bytes(queue_bytes)
            },
        )
    }

    fn shards() -> impl Strategy<Value = usize> {
        (0..4_u32).prop_map(|power| 1 << power)
    }
}
