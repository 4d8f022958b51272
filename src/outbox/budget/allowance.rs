/// How much of a unit may be used: in a month, and in one go.
///
/// ```
/// use belvedere::outbox::Allowance;
///
/// let allowance = Allowance::month(100_000).burst(5_000);
/// assert_eq!(allowance, Allowance::month(100_000).burst(5_000));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allowance {
    pub(super) month: u64,
    pub(super) burst: u64,
}

// ===== impl Allowance =====

impl Allowance {
    /// So many units in a month, whichever day it begins: not more than that are used in any 31 days. A thirtieth of them
    /// may be used in one go.
    ///
    /// What a day leaves over is there on the next, up to the [`burst`](Self::burst). Zero is nothing at all.
    pub const fn month(units: u64) -> Self {
        let burst = units / 30;
        Self { month: units, burst: if burst == 0 { 1 } else { burst } }
    }

    /// How many units may be used in one go, after a quiet time. Default: a thirtieth of the month's, which is about a day's.
    ///
    /// More of it keeps more of a bad hour, and makes what comes without a pause less by as much: burst and trickle are the
    /// month's units together. It is a half of these at most, so that there is a trickle.
    #[must_use]
    pub const fn burst(mut self, units: u64) -> Self {
        let most = self.month / 2;
        self.burst = if units > most { most } else { units };
        if self.burst == 0 {
            self.burst = 1;
        }
        self
    }
}
