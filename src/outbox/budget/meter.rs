use std::{
    collections::{HashMap, HashSet},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    Price, Tariff,
    account::{Account, Errand, Open},
    month::Month,
    requests::Requests,
    seen::Seen,
    thinning::{Counts, Thinning},
    worth::{Worth, is_one},
};

/// What keeps a lane within its budget. `R` is the record.
///
/// A lane's worker asks it about each batch, in three steps: [`price`](Self::price); the [`errand`](Self::errand), if there
/// is one, on a thread that may block; [`admit`](Self::admit). No step blocks but the errand.
#[derive(Debug)]
pub(crate) struct Meter<R> {
    tariff: Tariff<R>,
    units: Option<Arc<Account>>,
    requests: Option<Arc<Requests>>,
    slow: Duration,
    month: Month,
    /// Kinds of failures that were kept this month.
    kinds: Seen,
    /// Traces of which a failure was kept: what else is of them is worth as much.
    failed: Seen,
    /// Traces that were paid for.
    paid: Seen,
    /// Tells records without a trace apart.
    number: u64,
    counts: Counts,
    told: Option<SystemTime>,
}

/// A batch with its prices.
#[derive(Debug)]
pub(crate) struct Priced<R> {
    records: Vec<R>,
    prices: Vec<Price>,
}

/// What is left of a batch.
#[derive(Debug)]
pub(crate) struct Admitted<R> {
    /// In the order in which they came.
    pub(crate) kept: Vec<R>,
    /// How many are not to be sent.
    pub(crate) thinned: usize,
}

// ===== impl Meter =====

impl<R> Meter<R> {
    pub(super) fn new(
        tariff: Tariff<R>,
        units: Option<Arc<Account>>,
        requests: Option<Arc<Account>>,
        slow: Duration,
    ) -> Self {
        Self {
            tariff,
            units,
            requests: requests.map(|account| Arc::new(Requests::new(account))),
            slow,
            month: Month::default(),
            kinds: Seen::default(),
            failed: Seen::default(),
            paid: Seen::default(),
            number: 0,
            counts: Counts::default(),
            told: None,
        }
    }

    /// When the lane may make a request, if that is bounded.
    pub(crate) fn requests(&self) -> Option<Arc<Requests>> {
        self.requests.clone()
    }

    /// Makes a request, or says how long it is to wait before it asks again.
    pub(crate) fn next_request(&self, now: SystemTime) -> Result<(), Duration> {
        self.requests.as_ref().map_or(Ok(()), |requests| requests.next(now))
    }

    /// What each record costs. It is asked once of each.
    pub(crate) fn price(&self, records: Vec<R>) -> Priced<R> {
        let price = |record| {
            let price = catch_unwind(AssertUnwindSafe(|| (self.tariff.price)(record)));
            price.unwrap_or_else(|_| Price::units(1))
        };
        // Without an account there is nothing to be known.
        let prices = match self.units {
            Some(_) => records.iter().map(price).collect(),
            None => Vec::new(),
        };
        Priced { records, prices }
    }

    /// What must be done before all of it can be paid for.
    pub(crate) fn errand(&self, priced: &Priced<R>, now: SystemTime) -> Option<Errand> {
        let units = priced.prices.iter().map(|price| price.units).fold(0, u64::saturating_add);
        self.units.as_ref()?.errand(units as f64, now)
    }

    /// Pays for what is kept, and leaves out the rest.
    pub(crate) fn admit(&mut self, priced: Priced<R>, now: SystemTime) -> Admitted<R> {
        let Priced { records, prices } = priced;
        let Some(account) = self.units.clone() else {
            return Admitted { kept: records, thinned: 0 };
        };
        self.turn(now);
        let worths = self.worths(&prices);
        let (mut open, all) = (account.open(now), records.len());
        let mut kept = Vec::with_capacity(all);
        for ((mut record, price), worth) in records.into_iter().zip(prices).zip(worths) {
            match self.pay(&price, worth, &mut open) {
                Some(power) => {
                    self.weigh(&mut record, power);
                    self.counts.keep(worth);
                    kept.push(record);
                }
                None => {
                    self.counts.thin(worth);
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(record)));
                }
            }
        }
        let thinned = all - kept.len();
        Admitted { kept, thinned }
    }

    /// What was left out, if it is time to tell.
    pub(crate) fn news(&mut self, now: SystemTime) -> Option<Thinning> {
        let is_time = |told| now.duration_since(told).unwrap_or_default() >= SILENCE;
        if self.told.is_some_and(|told| !is_time(told)) {
            return None;
        }
        let news = self.last_news(now);
        if news.is_some() {
            self.told = Some(now);
        }
        news
    }

    /// What was left out, if something was.
    pub(crate) fn last_news(&mut self, now: SystemTime) -> Option<Thinning> {
        let account = self.units.as_ref().filter(|_| self.counts.has_thinned())?;
        let counts = mem::take(&mut self.counts);
        let (unit, month) = (account.unit().clone(), account.pace().month);
        Some(Thinning { counts, unit, month, quiet: account.open(now).quiet() })
    }

    /// What must be done at the end of the lane.
    pub(crate) fn last_errands(&self, now: SystemTime) -> impl Iterator<Item = Errand> {
        let requests = self.requests.iter().filter_map(move |requests| requests.last_errand(now));
        self.units.iter().filter_map(move |account| account.last_errand(now)).chain(requests)
    }

    /// What was not seen this month is new.
    fn turn(&mut self, now: SystemTime) {
        let month = Month::of(now);
        if month > self.month {
            self.month = month;
            self.kinds.clear();
        }
    }

    /// What each record is worth: as much as the one of its trace that is worth most, so that who looks at a failure has what
    /// led to it.
    fn worths(&mut self, prices: &[Price]) -> Vec<Worth> {
        let mut fresh = HashSet::new();
        let mut worths: Vec<_> = prices.iter().map(|price| self.worth(price, &mut fresh)).collect();
        let mut traces = HashMap::new();
        for (price, worth) in prices.iter().zip(&worths) {
            if let Some(trace) = price.trace.filter(|_| *worth > Worth::Good) {
                let most = traces.entry(trace).or_insert(*worth);
                *most = (*most).max(*worth);
            }
        }
        for (price, worth) in prices.iter().zip(&mut worths) {
            let most = price.trace.and_then(|trace| traces.get(&trace).copied());
            *worth = most.unwrap_or(*worth).max(*worth);
        }
        worths
    }

    fn worth(&mut self, price: &Price, fresh: &mut HashSet<u64>) -> Worth {
        match (price.has_failed, price.fingerprint) {
            (true, Some(kind)) if !self.kinds.has(kind) && fresh.insert(kind) => Worth::Novel,
            (true, _) => Worth::Failed,
            _ if price.trace.is_some_and(|trace| self.failed.has(trace)) => Worth::Failed,
            _ if price.took >= self.slow => Worth::Slow,
            _ if price.is_idle => Worth::Idle,
            _ => Worth::Good,
        }
    }

    /// Pays for a record, and says of how many it is one, as a power of two. `None`: it is left out.
    fn pay(&mut self, price: &Price, worth: Worth, open: &mut Open<'_>) -> Option<u32> {
        let is_paid = self.tariff.is_by_trace && price.trace.is_some_and(|trace| self.paid.has(trace));
        if is_paid {
            return Some(0);
        }
        let power = worth.one_in(open.fullness())?;
        if !is_one(price.trace.unwrap_or_else(|| self.next_number()), power)
            || !open.spend(price.units as f64)
        {
            return None;
        }
        self.remember(price);
        Some(power)
    }

    fn remember(&mut self, price: &Price) {
        if let Some(kind) = price.fingerprint {
            self.kinds.add(kind);
        }
        if let Some(trace) = price.trace {
            if price.has_failed {
                self.failed.add(trace);
            }
            if self.tariff.is_by_trace {
                self.paid.add(trace);
            }
        }
    }

    fn weigh(&self, record: &mut R, power: u32) {
        if let Some(weigh) = self.tariff.weigh.as_ref().filter(|_| power > 0) {
            let _ = catch_unwind(AssertUnwindSafe(|| weigh(record, 1 << power)));
        }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}

/// A person needs to read it once.
const SILENCE: Duration = Duration::from_secs(10);
