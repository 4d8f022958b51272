use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::timeout;

use super::{
    Unit,
    bucket::{Bucket, Pace},
    month::Month,
    till::{Found, Till},
};
use crate::outbox::blocking::attempt;

/// What may be used of a unit by all lanes of an outbox.
///
/// **A1, nothing is used that was not taken.** Without a till, units are taken from the bucket as they are used. With one,
/// they are taken from the file beforehand, some at a time, into the purse; what is used is used from there.
///
/// **A2, a month is a month.** What is in the purse when a month ends was taken in that month, and goes with it.
#[derive(Debug)]
pub(super) struct Account {
    unit: Unit,
    pace: Pace,
    till: Option<Till>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// With a till, what was seen there last, and a guess at what has trickled in since.
    bucket: Bucket,
    purse: f64,
    /// When the till was last asked.
    asked: Option<SystemTime>,
    is_asking: bool,
    /// What was used without the till, because it could not be asked.
    owed: f64,
    is_alone: bool,
}

/// An account at one time.
pub(super) struct Open<'a> {
    account: &'a Account,
    state: MutexGuard<'a, State>,
    now: SystemTime,
}

/// A visit to the till. It blocks.
#[derive(Debug)]
#[must_use = "somebody must go"]
pub(crate) struct Errand {
    account: Arc<Account>,
    now: SystemTime,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// To take so many units.
    Take(f64),
    /// To put back what is left in the purse.
    PutBack,
}

// ===== impl Account =====

impl Account {
    pub(super) fn new(unit: Unit, pace: Pace, till: Option<Till>, now: SystemTime) -> Self {
        let bucket = if till.is_some() { Bucket::empty(now) } else { Bucket::fresh(&pace, now) };
        let state = State { bucket, purse: 0.0, asked: None, is_asking: false, owed: 0.0, is_alone: false };
        Self { unit, pace, till, state: Mutex::new(state) }
    }

    pub(super) fn unit(&self) -> &Unit {
        &self.unit
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(super) fn open(&self, now: SystemTime) -> Open<'_> {
        let mut state = self.state();
        if Month::of(now) > state.bucket.month {
            state.purse = 0.0;
        }
        state.bucket.refill(&self.pace, now);
        Open { account: self, state, now }
    }

    /// What must be done before so many units can be used, if something can be done.
    pub(super) fn errand(self: &Arc<Self>, units: f64, now: SystemTime) -> Option<Errand> {
        self.till.as_ref()?;
        let mut open = self.open(now);
        if !open.is_worth_asking(units) {
            return None;
        }
        open.state.is_asking = true;
        let what = What::Take(units.min(self.pace.depth).max(self.part()) - open.state.purse);
        Some(Errand { account: self.clone(), now, what })
    }

    /// What must be done so that the next process finds what this one has not used.
    pub(super) fn last_errand(self: &Arc<Self>, now: SystemTime) -> Option<Errand> {
        self.till.as_ref()?;
        let is_empty = self.open(now).state.purse <= 0.0;
        (!is_empty).then(|| Errand { account: self.clone(), now, what: What::PutBack })
    }

    /// How many units are taken from the till at a time.
    fn part(&self) -> f64 {
        (self.pace.depth / PARTS).floor().max(1.0)
    }

    /// What the till said is what counts from now on.
    fn take(&self, till: &Till, units: f64, now: SystemTime) {
        let owed = self.state().owed;
        let taken = till.visit(&self.pace, now, |bucket| {
            bucket.level = (bucket.level - owed).max(-self.pace.depth);
            bucket.spent += owed;
            bucket.take(&self.pace, units)
        });
        let mut state = self.state();
        state.asked = Some(now);
        match taken {
            Ok((taken, bucket, found)) => {
                state.owed -= owed;
                state.bucket = bucket;
                state.purse += taken;
                state.is_alone = false;
                drop(state);
                if found == Found::Damage {
                    self.warn(till, "what is in it is damaged");
                }
            }
            Err(error) => self.take_alone(state, till, units, now, &error),
        }
    }

    /// What trickles in is used without the till, and told to it later.
    fn take_alone(
        &self,
        mut state: MutexGuard<'_, State>,
        till: &Till,
        units: f64,
        now: SystemTime,
        error: &io::Error,
    ) {
        let was_alone = state.is_alone;
        // Somebody was there before us: there is time.
        let is_busy = error.kind() == io::ErrorKind::WouldBlock;
        if is_busy && !was_alone {
            return;
        }
        if !was_alone {
            (state.bucket, state.is_alone) = (Bucket::empty(now), true);
        }
        let taken = state.bucket.take(&self.pace, units);
        state.purse += taken;
        state.owed += taken;
        drop(state);
        if !was_alone {
            self.warn(till, error);
        }
    }

    fn put_back(&self, till: &Till, now: SystemTime) {
        let (purse, owed) = {
            let mut state = self.open(now).state;
            (std::mem::take(&mut state.purse), std::mem::take(&mut state.owed))
        };
        // What cannot be put back counts as used.
        let _ = till.visit(&self.pace, now, |bucket| {
            bucket.level = (bucket.level - owed).max(-self.pace.depth);
            bucket.spent += owed;
            bucket.put_back(&self.pace, purse);
        });
    }

    fn warn(&self, till: &Till, why: impl std::fmt::Display) {
        let (unit, folder) = (&self.unit, till.folder().display());
        tracing::warn!(
            target: "belvedere::outbox",
            "the budget of {unit} in {folder} cannot be read or written: {why}; it counts as if all {unit} were used that may be"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// ===== impl Open =====

impl Open<'_> {
    /// How much is left of what could be, from 0 to 1. The first unit of an empty bucket is not taken for plenty.
    pub(super) fn fullness(&self) -> f64 {
        let pace = &self.account.pace;
        let top = self.state.bucket.top.max(pace.start);
        (self.left() / top).clamp(0.0, 1.0)
    }

    /// How many units are left for now.
    pub(super) fn left(&self) -> f64 {
        self.state.bucket.left(&self.account.pace) + self.state.purse
    }

    /// How long it takes until nothing is left out any more, if nothing is used.
    pub(super) fn quiet(&self) -> Duration {
        let pace = &self.account.pace;
        pace.time_for(PLENTY * self.state.bucket.top.max(pace.start) - self.left())
    }

    /// Uses so many units, if there are so many.
    pub(super) fn spend(&mut self, units: f64) -> bool {
        let State { bucket, purse, .. } = &mut *self.state;
        if self.account.till.is_some() {
            let has = *purse >= units;
            *purse -= if has { units } else { 0.0 };
            return has;
        }
        let has = bucket.left(&self.account.pace) >= units;
        if has {
            bucket.take(&self.account.pace, units);
        }
        has
    }

    /// Whether the till has what the purse lacks. It is asked now and then, even if it is not likely.
    fn is_worth_asking(&self, units: f64) -> bool {
        let State { bucket, purse, asked, is_asking, .. } = &*self.state;
        if *is_asking || *purse >= units {
            return false;
        }
        let is_time =
            asked.is_none_or(|asked| self.now.duration_since(asked).unwrap_or_default() >= PATIENCE);
        is_time || bucket.left(&self.account.pace) >= units.min(self.account.part() / 4.0)
    }
}

// ===== impl Errand =====

impl Errand {
    /// Goes there. It blocks as a disk does.
    pub(crate) fn run(self) {
        let Self { ref account, now, what } = self;
        let Some(till) = &account.till else { return };
        match what {
            What::Take(units) => account.take(till, units, now),
            What::PutBack => account.put_back(till, now),
        }
    }

    /// Has it done on a thread that may block, and waits for it, a second at most: what is taken later is there later.
    pub(crate) async fn send(self) {
        let _ = timeout(LONGEST, attempt(move || self.run())).await;
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if let What::Take(_) = self.what {
            self.account.state().is_asking = false;
        }
    }
}

/// Into how many parts a bucket is divided that are taken at a time. One that dies takes one of them along.
const PARTS: f64 = 32.0;

/// How full a bucket is of which all are kept.
const PLENTY: f64 = 0.95;

/// How long a till is not asked again that had nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long records wait for a disk.
const LONGEST: Duration = Duration::from_secs(1);
