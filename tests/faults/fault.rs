//! What may go wrong, with a call and with the way to it.

use std::{sync::Mutex, time::Duration};

use super::dialect::Kind;

/// A call, before anything is done about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) kind: Kind,
    /// How many calls of its kind came before it.
    pub(crate) number: usize,
    /// How many records it has.
    pub(crate) records: usize,
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing is stored, and the answer has this status, in the words of the backend.
    Status(u16),
    /// Nothing is stored, and the backend asks for patience in its own way.
    Throttled,
    /// Nothing is stored: the keys are over.
    Expired,
    /// Nothing is stored: the keys are good, and not for this.
    Denied,
    /// Nothing is stored, and the connection is reset.
    Reset,
    /// All is stored, and the connection is reset.
    StoreAndReset,
    /// Nothing is stored, and there is never an answer.
    Hang,
    /// All is stored, and the answer takes its time.
    Slow(Duration),
    /// All is stored, and the answer is a success that makes no sense.
    Lie(Lie),
    /// The first so many are refused one by one, and the others are stored: a partial success.
    Part(usize),
}

/// A success that makes no sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lie {
    /// There is nothing in it.
    Empty,
    /// It is a page for people.
    Page,
    /// It has the right type, and is no such thing.
    Noise,
    /// It refuses a million records.
    TooMany,
    /// It refuses fewer than none.
    Negative,
}

/// How the way to the backend is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Door {
    Open,
    /// Whoever knocks is refused.
    Closed,
    /// Whoever knocks gets no answer: packets vanish.
    Walled,
    /// Connections come about, and nobody reads from them.
    Deaf,
}

// ===== impl Fault =====

impl Fault {
    pub(super) fn stores(&self) -> bool {
        matches!(self, Self::StoreAndReset | Self::Slow(_) | Self::Lie(_) | Self::Part(_))
    }
}

// ===== impl Lie =====

impl Lie {
    pub(crate) const ALL: [Self; 5] = [Self::Empty, Self::Page, Self::Noise, Self::TooMany, Self::Negative];
}

/// For a share of all calls, by a seed.
pub(crate) fn by_chance(
    seed: u64,
    share: f64,
    fault: impl Fn(&mut fastrand::Rng) -> Fault + Send + Sync + 'static,
) -> impl Fn(&Call) -> Option<Fault> + Send + Sync + 'static {
    let chance = Mutex::new(fastrand::Rng::with_seed(seed));
    move |_| {
        let mut chance = chance.lock().unwrap();
        (chance.f64() < share).then(|| fault(&mut chance))
    }
}
