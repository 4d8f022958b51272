//! A lane whose every interleaving may be tried: the queue and the shards are the real ones, and so are the signals; the
//! threads and the locks are shuttle's.
//!
//! What is modelled, line by line, is who wakes whom: `Lane::push`, the `Inbox`, `Worker::run`, a flight that lands, a flush, a
//! close, an abandon. Time is not: a worker that waits with a timer may go on at once. So what is found here is a worker
//! or a flush that waits for ever, which shuttle tells as a deadlock, and books that do not balance.

use std::borrow::Cow;

use shuttle::{
    future::block_on,
    rand::{Rng as _, thread_rng},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::{Notify, watch};

use super::{
    Limits,
    queue::{Pushed, Queue, Taken},
    shard::{Left, Shard},
};

/// As `Shared`.
struct Model {
    shards: [Mutex<Shard<u64>>; 2],
    is_idle: AtomicBool,
    queue: Mutex<Queue<u64>>,
    wake: Notify,
    settled: watch::Sender<()>,
    /// What the backend took, in order.
    taken: Mutex<Vec<u64>>,
    flaw: Option<Flaw>,
}

/// A wake-up that is left out, to see that it is missed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flaw {
    Push,
    /// The first record in a shard.
    First,
    Landing,
    Close,
    Abandon,
    /// Whoever waits for room is not told of a landing.
    Settled,
}

enum Step {
    Send(Taken<u64>),
    /// Until it is woken.
    Sleep,
    /// Until it is woken, or for a time.
    Doze,
    End,
}

// ===== impl Model =====

impl Model {
    fn new(limits: Limits, flaw: Option<Flaw>) -> Arc<Self> {
        let shards = [Mutex::new(Shard::new()), Mutex::new(Shard::new())];
        Arc::new(Self {
            queue: Mutex::new(Queue::new(limits, shards.len())),
            shards,
            is_idle: AtomicBool::new(true),
            wake: Notify::new(),
            settled: watch::Sender::new(()),
            taken: Mutex::default(),
            flaw,
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue<u64>> {
        self.queue.lock().unwrap()
    }

    fn wake(&self, reason: Flaw) {
        if self.flaw != Some(reason) {
            self.wake.notify_one();
        }
    }

    fn settle(&self, reason: Flaw) {
        if self.flaw != Some(Flaw::Settled) {
            self.settled.send_replace(());
        }
        self.wake(reason);
    }

    /// Which shard is the thread's is not up to chance here: each of two has one.
    fn push(&self, number: u64) {
        let mut shard = self.shard(number).lock().unwrap();
        if !shard.is_open() {
            drop(shard);
            return self.let_in(|queue, pushed| {
                queue.push(number, 1, pushed);
                self.regrant(queue, pushed);
            });
        }
        let left = shard.push((number, 1));
        drop(shard);
        match left {
            Left::Among => {}
            Left::First => self.tell_worker(),
            Left::Last => self.let_in(|queue, pushed| {
                queue.receive(&mut self.shard(number).lock().unwrap(), pushed);
                self.regrant(queue, pushed);
            }),
        }
    }

    fn shard(&self, number: u64) -> &Mutex<Shard<u64>> {
        &self.shards[usize::from(number >= OTHER)]
    }

    fn tell_worker(&self) {
        if self.is_idle.load(Ordering::Relaxed) && self.is_idle.swap(false, Ordering::Relaxed) {
            self.wake(Flaw::First);
        }
    }

    fn let_in(&self, enter: impl FnOnce(&mut Queue<u64>, &mut Pushed<u64>)) {
        let mut pushed = Pushed::default();
        enter(&mut self.queue(), &mut pushed);
        self.follow(pushed);
    }

    fn follow(&self, Pushed { wake, overflowed, settled, .. }: Pushed<u64>) {
        if settled {
            self.settle(Flaw::Push);
        } else if wake || overflowed {
            self.wake(Flaw::Push);
        }
    }

    fn gathered<T>(&self, look: impl FnOnce(&mut Queue<u64>) -> T) -> T {
        let (seen, pushed) = self.gather(look);
        self.follow(pushed);
        seen
    }

    fn attended<T>(&self, look: impl FnOnce(&mut Queue<u64>) -> T) -> T {
        let (seen, pushed) = self.gather(look);
        self.follow(Pushed { wake: false, ..pushed });
        seen
    }

    fn gather<T>(&self, look: impl FnOnce(&mut Queue<u64>) -> T) -> (T, Pushed<u64>) {
        let mut pushed = Pushed::default();
        let mut queue = self.queue();
        if !queue.has_queued() {
            self.is_idle.store(true, Ordering::Relaxed);
        }
        self.each(&mut |shard| queue.receive(shard, &mut pushed));
        self.regrant(&mut queue, &mut pushed);
        let seen = look(&mut queue);
        if !queue.is_open() {
            self.regrant(&mut queue, &mut pushed);
        }
        (seen, pushed)
    }

    fn regrant(&self, queue: &mut Queue<u64>, pushed: &mut Pushed<u64>) {
        queue.regrant(pushed, |act| self.each(act));
        if queue.has_queued() && self.is_idle.load(Ordering::Relaxed) {
            self.is_idle.store(false, Ordering::Relaxed);
        }
    }

    fn each(&self, act: &mut dyn FnMut(&mut Shard<u64>)) {
        self.shards.iter().for_each(|shard| act(&mut shard.lock().unwrap()));
    }

    /// It ends when all that was pushed before it has left.
    fn flush(&self) {
        let number = self.gathered(Queue::hurry);
        self.wake.notify_one();
        let mut settled = self.settled.subscribe();
        while !self.queue().is_past(number) {
            let _ = block_on(settled.changed());
        }
    }

    fn shutdown(&self) {
        self.gathered(Queue::close);
        self.wake(Flaw::Close);
        self.flush();
        self.abandon();
    }

    fn abandon(&self) {
        drop(self.gathered(Queue::abandon));
        self.settle(Flaw::Abandon);
    }

    fn work(self: &Arc<Self>) {
        let mut flights = Vec::new();
        loop {
            self.queue().untold();
            match self.step() {
                Step::Send(taken) => flights.push(self.fly(taken)),
                Step::Sleep => block_on(self.wake.notified()),
                Step::Doze => thread::yield_now(),
                Step::End => break,
            }
        }
        self.abandon();
        flights.into_iter().for_each(|flight| flight.join().unwrap());
    }

    fn step(&self) -> Step {
        self.attended(|queue| self.look(queue))
    }

    fn look(&self, queue: &mut Queue<u64>) -> Step {
        if queue.is_over() {
            return Step::End;
        }
        if !queue.has_queued() || !queue.can_fly() {
            return Step::Sleep;
        }
        // Its time has come, or has not.
        if !queue.is_ready() && thread_rng().gen_bool(0.5) {
            return Step::Doze;
        }
        queue.take().map_or(Step::Sleep, Step::Send)
    }

    /// Of each flight some is taken, some is lost, and some is tried again and taken then.
    fn fly(self: &Arc<Self>, Taken { flight, records, .. }: Taken<u64>) -> JoinHandle<()> {
        let lane = self.clone();
        thread::spawn(move || {
            let lost = thread_rng().gen_range(0..=1);
            let (refused, others) = records.split_at(lost);
            lane.land(flight, refused, |queue| queue.lose(flight, refused.len(), Cow::Borrowed("no")));
            others.iter().for_each(|record| {
                thread::yield_now();
                lane.land(flight, &[*record], |queue| {
                    let is_aloft = queue.deliver(flight, 1);
                    if is_aloft {
                        lane.taken.lock().unwrap().push(*record);
                    }
                    is_aloft
                });
            });
        })
    }

    fn land(&self, flight: u64, records: &[u64], land: impl FnOnce(&mut Queue<u64>) -> bool) {
        let is_aloft = !records.is_empty() && land(&mut self.queue());
        if is_aloft {
            self.queue().told(flight);
            self.settle(Flaw::Landing);
        }
    }

    fn has_done(&self, pushed: u64) -> bool {
        let report = self.queue().report("model".into());
        (report.accepted, report.waiting) == (pushed, 0)
    }

    /// All has left, once.
    fn assert_settled(&self, pushed: u64) {
        let report = self.gathered(|queue| queue.report("model".into()));
        assert_eq!((report.accepted, report.waiting), (pushed, 0), "{report}");
        assert_eq!(report.accepted, report.delivered + report.lost(), "{report}");
        let mut taken = self.taken.lock().unwrap().clone();
        assert_eq!(report.delivered, taken.len() as u64, "{report}");
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(report.delivered, taken.len() as u64, "none is taken twice");
    }
}

/// Two threads push, a third one flushes, a worker works, and somebody shuts down.
fn everybody(limits: Limits, flaw: Option<Flaw>) {
    let model = Model::new(limits.in_flight(2), flaw);
    let on = |run: fn(&Arc<Model>)| {
        let model = model.clone();
        thread::spawn(move || run(&model))
    };
    let worker = on(Model::work);
    let others = [
        on(|model| (0..3).for_each(|number| model.push(number))),
        on(|model| (OTHER..OTHER + 3).for_each(|number| model.push(number))),
        on(|model| model.flush()),
    ];
    others.into_iter().for_each(|thread| thread.join().unwrap());
    model.flush();
    model.shutdown();
    worker.join().unwrap();
    model.assert_settled(6);
}

/// Two threads push, and nobody asks for anything.
fn left_alone(limits: Limits, flaw: Option<Flaw>) {
    let model = Model::new(limits.in_flight(1), flaw);
    let on = |run: fn(&Arc<Model>)| {
        let model = model.clone();
        thread::spawn(move || run(&model))
    };
    let worker = on(Model::work);
    let pushing = [
        on(|model| (0..3).for_each(|number| model.push(number))),
        on(|model| (OTHER..OTHER + 3).for_each(|number| model.push(number))),
    ];
    pushing.into_iter().for_each(|thread| thread.join().unwrap());
    let mut settled = model.settled.subscribe();
    // Of what is in the shards nobody but the worker is to hear.
    while !model.has_done(6) {
        let _ = block_on(settled.changed());
    }
    model.shutdown();
    worker.join().unwrap();
    model.assert_settled(6);
}

/// Each record comes when the one before has left, so the worker sleeps or is about to.
fn one_by_one(flaw: Option<Flaw>) {
    let model = Model::new(shared(), flaw);
    let working = model.clone();
    let worker = thread::spawn(move || working.work());
    let mut settled = model.settled.subscribe();
    for number in 0..4 {
        model.push(number);
        while !model.has_done(number + 1) {
            let _ = block_on(settled.changed());
        }
    }
    model.shutdown();
    worker.join().unwrap();
    model.assert_settled(4);
}

/// The limit of a shutdown comes while records come and go.
fn given_up(limits: Limits, flaw: Option<Flaw>) {
    let model = Model::new(limits.in_flight(1), flaw);
    let on = |run: fn(&Arc<Model>)| {
        let model = model.clone();
        thread::spawn(move || run(&model))
    };
    let threads = [
        on(Model::work),
        on(|model| (0..4).for_each(|number| model.push(number))),
        on(|model| model.flush()),
        on(|model| model.abandon()),
    ];
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    model.assert_settled(4);
}

/// The lane is closed with nothing in it: nothing else ends its worker.
fn closed(flaw: Option<Flaw>) {
    let model = Model::new(Limits::default(), flaw);
    let working = model.clone();
    let worker = thread::spawn(move || working.work());
    model.gathered(Queue::close);
    model.wake(Flaw::Close);
    worker.join().unwrap();
    model.assert_settled(0);
}

#[test]
fn nobody_waits_for_ever_and_the_books_balance() {
    shuttle::check_random(|| everybody(any(), None), RUNS);
    shuttle::check_pct(|| everybody(any(), None), RUNS, 4);
}

#[test]
fn what_nobody_asks_for_leaves_all_the_same() {
    shuttle::check_random(|| left_alone(any(), None), RUNS);
    shuttle::check_pct(|| left_alone(any(), None), RUNS, 4);
}

#[test]
fn what_comes_while_the_worker_falls_asleep_leaves_all_the_same() {
    shuttle::check_random(|| one_by_one(None), RUNS);
    shuttle::check_pct(|| one_by_one(None), RUNS, 4);
}

#[test]
fn nobody_waits_for_ever_when_all_is_given_up() {
    shuttle::check_random(|| given_up(any(), None), RUNS);
    shuttle::check_pct(|| given_up(any(), None), RUNS, 4);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_push_that_wakes_nobody_is_found() {
    shuttle::check_random(|| left_alone(small(), Some(Flaw::Push)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_first_record_in_a_shard_that_wakes_nobody_is_found() {
    shuttle::check_random(|| one_by_one(Some(Flaw::First)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_landing_that_wakes_nobody_is_found() {
    shuttle::check_random(|| everybody(small(), Some(Flaw::Landing)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_close_that_wakes_nobody_is_found() {
    shuttle::check_random(|| closed(Some(Flaw::Close)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn giving_up_that_wakes_nobody_is_found() {
    shuttle::check_random(|| given_up(small(), Some(Flaw::Abandon)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_landing_that_nobody_is_told_of_is_found() {
    shuttle::check_random(|| everybody(small(), Some(Flaw::Settled)), RUNS);
}

/// All goes straight to the queue, which overflows.
fn small() -> Limits {
    Limits::default().records(2).queue_records(4)
}

/// Two shards hold two records each, while a batch is not nearly full.
fn shared() -> Limits {
    Limits::default().records(5).queue_records(32)
}

fn any() -> Limits {
    if thread_rng().gen_bool(0.5) { small() } else { shared() }
}

/// From it on, records are another thread's.
const OTHER: u64 = 10;

const RUNS: usize = 1_000;
