//! A lane whose every interleaving may be tried: the queue is the real one, and so are the signals; the threads are
//! shuttle's.
//!
//! What is modelled, line by line, is who wakes whom: `Lane::push`, `Worker::run`, a flight that lands, a flush, a
//! close, an abandon. Time is not: a worker that waits with a timer may go on at once. So what is found here is a worker
//! or a flush that waits for ever, which shuttle tells as a deadlock, and books that do not balance.

use std::borrow::Cow;

use shuttle::{
    future::block_on,
    rand::{Rng as _, thread_rng},
    sync::{Arc, Mutex, MutexGuard},
    thread::{self, JoinHandle},
};
use tokio::sync::{Notify, watch};

use super::{
    Limits,
    queue::{Pushed, Queue, Taken},
};

/// As `Shared`.
struct Model {
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
        let (queue, settled) = (Mutex::new(Queue::new(limits)), watch::Sender::new(()));
        Arc::new(Self { queue, wake: Notify::new(), settled, taken: Mutex::default(), flaw })
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

    fn push(&self, number: u64) {
        let Pushed { wake, settled, .. } = self.queue().push(number, 1);
        if settled {
            self.settle(Flaw::Push);
        } else if wake {
            self.wake(Flaw::Push);
        }
    }

    /// It ends when all that was pushed before it has left.
    fn flush(&self) {
        let number = self.queue().hurry();
        self.wake.notify_one();
        let mut settled = self.settled.subscribe();
        while !self.queue().is_past(number) {
            let _ = block_on(settled.changed());
        }
    }

    fn shutdown(&self) {
        self.queue().close();
        self.wake(Flaw::Close);
        self.flush();
        self.abandon();
    }

    fn abandon(&self) {
        drop(self.queue().abandon());
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
        let mut queue = self.queue();
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

    /// All has left, once.
    fn assert_settled(&self, pushed: u64) {
        let report = self.queue().report("model".into());
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
fn everybody(flaw: Option<Flaw>) {
    let model = Model::new(Limits::default().records(2).queue_records(4).in_flight(2), flaw);
    let on = |run: fn(&Arc<Model>)| {
        let model = model.clone();
        thread::spawn(move || run(&model))
    };
    let worker = on(Model::work);
    let others = [
        on(|model| (0..3).for_each(|number| model.push(number))),
        on(|model| (10..13).for_each(|number| model.push(number))),
        on(|model| model.flush()),
    ];
    others.into_iter().for_each(|thread| thread.join().unwrap());
    model.flush();
    model.shutdown();
    worker.join().unwrap();
    model.assert_settled(6);
}

/// Two threads push, and nobody asks for anything.
fn left_alone(flaw: Option<Flaw>) {
    let model = Model::new(Limits::default().records(2).queue_records(4).in_flight(1), flaw);
    let on = |run: fn(&Arc<Model>)| {
        let model = model.clone();
        thread::spawn(move || run(&model))
    };
    let worker = on(Model::work);
    let pushing = [
        on(|model| (0..3).for_each(|number| model.push(number))),
        on(|model| (10..13).for_each(|number| model.push(number))),
    ];
    pushing.into_iter().for_each(|thread| thread.join().unwrap());
    let mut settled = model.settled.subscribe();
    while model.queue().report("model".into()).waiting > 0 {
        let _ = block_on(settled.changed());
    }
    model.shutdown();
    worker.join().unwrap();
    model.assert_settled(6);
}

/// The limit of a shutdown comes while records come and go.
fn given_up(flaw: Option<Flaw>) {
    let model = Model::new(Limits::default().records(2).queue_records(3).in_flight(1), flaw);
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
    model.queue().close();
    model.wake(Flaw::Close);
    worker.join().unwrap();
    model.assert_settled(0);
}

#[test]
fn nobody_waits_for_ever_and_the_books_balance() {
    shuttle::check_random(|| everybody(None), RUNS);
    shuttle::check_pct(|| everybody(None), RUNS, 4);
}

#[test]
fn what_nobody_asks_for_leaves_all_the_same() {
    shuttle::check_random(|| left_alone(None), RUNS);
    shuttle::check_pct(|| left_alone(None), RUNS, 4);
}

#[test]
fn nobody_waits_for_ever_when_all_is_given_up() {
    shuttle::check_random(|| given_up(None), RUNS);
    shuttle::check_pct(|| given_up(None), RUNS, 4);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_push_that_wakes_nobody_is_found() {
    shuttle::check_random(|| left_alone(Some(Flaw::Push)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_landing_that_wakes_nobody_is_found() {
    shuttle::check_random(|| everybody(Some(Flaw::Landing)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_close_that_wakes_nobody_is_found() {
    shuttle::check_random(|| closed(Some(Flaw::Close)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn giving_up_that_wakes_nobody_is_found() {
    shuttle::check_random(|| given_up(Some(Flaw::Abandon)), RUNS);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_landing_that_nobody_is_told_of_is_found() {
    shuttle::check_random(|| everybody(Some(Flaw::Settled)), RUNS);
}

const RUNS: usize = 1_000;
