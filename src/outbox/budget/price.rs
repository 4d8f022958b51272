use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// What a record costs, and what it is worth.
///
/// ```
/// use belvedere::outbox::Price;
/// use std::time::Duration;
///
/// let good = Price::units(1).trace(0x4bf9).took(Duration::from_millis(12));
/// let failed = Price::units(2).trace(0x4bf9).failed(("TypeError", "GET /carts/{id}"));
/// # let _ = (good, failed);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a price is for a tariff to say"]
pub struct Price {
    pub(super) units: u64,
    pub(super) trace: Option<u64>,
    pub(super) took: Duration,
    pub(super) fingerprint: Option<u64>,
    pub(super) has_failed: bool,
    pub(super) is_idle: bool,
}

// ===== impl Price =====

impl Price {
    /// So many units of what the tariff spends, for something that went well.
    pub fn units(units: u64) -> Self {
        Self {
            units,
            trace: None,
            took: Duration::ZERO,
            fingerprint: None,
            has_failed: false,
            is_idle: false,
        }
    }

    /// It costs so many units more.
    pub fn plus(mut self, units: u64) -> Self {
        self.units = self.units.saturating_add(units);
        self
    }

    /// The trace that it is of: the lower half of its id. Of one trace all lanes keep the records, or none; what has no
    /// trace is kept or not by itself.
    pub fn trace(mut self, id: u64) -> Self {
        self.trace = Some(id);
        self
    }

    /// How long it took.
    pub fn took(mut self, duration: Duration) -> Self {
        self.took = duration;
        self
    }

    /// It went wrong, in a way that is told from others by `kind`: of these the first is worth more than the next ones.
    ///
    /// A kind is what somebody would call the same fault: a class and a route. It must not have what differs from one
    /// failure to the next, such as a message with a number in it, or all are kinds of their own.
    pub fn failed(mut self, kind: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        self.fingerprint = Some(hasher.finish());
        self.has_failed = true;
        self
    }

    /// It counts like something that went wrong, and is of no kind.
    pub fn important(mut self) -> Self {
        self.has_failed = true;
        self
    }

    /// It is the first that can be done without: the details that are there for debugging.
    pub fn idle(mut self) -> Self {
        self.is_idle = true;
        self
    }
}
