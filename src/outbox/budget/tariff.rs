#[cfg(feature = "otel")]
use std::borrow::Cow;
use std::fmt;

use super::{Price, Unit};

/// What the records of a destination cost. `R` is the record.
///
/// ```
/// use belvedere::outbox::{Price, Tariff, Unit};
///
/// struct Line {
///     text: String,
///     is_error: bool,
///     stands_for: u64,
/// }
///
/// let tariff = Tariff::new(Unit::LOG_BYTES, |line: &Line| {
///     let price = Price::units(line.text.len() as u64 + 26);
///     if line.is_error { price.failed(&line.text) } else { price }
/// })
/// .requests(Unit::LOG_REQUESTS)
/// .weigh(|line, weight| line.stands_for *= u64::from(weight));
/// # let _ = tariff;
/// ```
///
/// The closures run on the outbox's thread, and must be cheap. Should one panic, the record is taken for one unit of
/// something that went well, without a trace, and keeps its weight.
pub struct Tariff<R> {
    pub(super) unit: Unit,
    pub(super) price: Box<dyn Fn(&R) -> Price + Send + Sync>,
    pub(super) weigh: Option<Weigh<R>>,
    pub(super) requests: Option<Unit>,
    pub(super) is_by_trace: bool,
}

type Weigh<R> = Box<dyn Fn(&mut R, u32) + Send + Sync>;

// ===== impl Tariff =====

impl<R> Tariff<R> {
    /// What a record costs of a unit.
    pub fn new(unit: Unit, price: impl Fn(&R) -> Price + Send + Sync + 'static) -> Self {
        Self { unit, price: Box::new(price), weigh: None, requests: None, is_by_trace: false }
    }

    /// How a record is told that it stands for so many: for itself, and for those that were left out. It is called for
    /// those that are kept where others are not, with two at least. Default: it is not told.
    #[must_use]
    pub fn weigh(mut self, weigh: impl Fn(&mut R, u32) + Send + Sync + 'static) -> Self {
        self.weigh = Some(Box::new(weigh));
        self
    }

    /// The unit of which each request costs one, those that are tried again included. Default: requests cost nothing.
    #[must_use]
    pub fn requests(mut self, unit: Unit) -> Self {
        self.requests = Some(unit);
        self
    }

    /// The same for records of another type.
    #[cfg(feature = "otel")]
    pub(crate) fn of<T: 'static>(
        self,
        read: impl Fn(&T) -> Cow<'_, R> + Send + Sync + 'static,
        write: impl Fn(&mut T) -> &mut R + Send + Sync + 'static,
    ) -> Tariff<T>
    where
        R: Clone + 'static,
    {
        let Self { unit, price, weigh, requests, is_by_trace } = self;
        Tariff {
            unit,
            price: Box::new(move |record| price(&read(record))),
            weigh: weigh
                .map(|weigh| -> Weigh<T> { Box::new(move |record, weight| weigh(write(record), weight)) }),
            requests,
            is_by_trace,
        }
    }

    /// What is billed is the trace, not the record: of a trace that was paid for all that comes later is free, and is kept.
    /// The last few thousand traces are known.
    #[must_use]
    pub fn by_trace(mut self) -> Self {
        self.is_by_trace = true;
        self
    }
}

impl<R> fmt::Debug for Tariff<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, price: _, weigh: _, requests, is_by_trace } = self;
        f.debug_struct("Tariff")
            .field("unit", unit)
            .field("requests", requests)
            .field("is_by_trace", is_by_trace)
            .finish_non_exhaustive()
    }
}
