//! A month of fifty requests a second, within all that is free.

use super::{thinning::Count, worth::Worth, *};

/// Some requests of which one is like the other.
#[derive(Clone, Copy)]
struct Same {
    requests: u64,
    trace: u64,
    kind: Option<u16>,
    took: Duration,
}

/// A lane that is simulated.
struct Lane {
    name: &'static str,
    unit: Unit,
    meter: Meter<Same>,
    used: Bill,
    kinds: std::collections::BTreeSet<u16>,
    per_request: u64,
}

// ===== impl Same =====

impl Same {
    fn price(&self, per_request: u64) -> Price {
        let Self { requests, trace, kind, took } = *self;
        let price = Price::units(requests * per_request).trace(trace).took(took);
        kind.map_or(price, |kind| price.failed(kind))
    }
}

// ===== impl Lane =====

impl Lane {
    fn new(bank: &Bank, unit: Unit, name: &'static str, per_request: u64) -> Self {
        let tariff = Tariff::new(unit.clone(), move |same: &Same| same.price(per_request));
        let meter = bank.meter(tariff).unwrap();
        Self { name, unit, meter, used: Bill::default(), kinds: [].into(), per_request }
    }

    fn admit(&mut self, records: Vec<Same>, now: SystemTime) {
        let priced = self.meter.price(records);
        let kept = self.meter.admit(priced, now).kept;
        self.kinds.extend(kept.iter().filter_map(|same| same.kind));
        self.used.add(now, kept.iter().map(|same| (same.requests * self.per_request) as f64).sum());
    }

    fn count(&self, worth: Worth) -> Count {
        self.meter.counts().of(worth)
    }
}

/// What comes in a minute: 3,000 requests, 1 % of which fail in one of 200 ways, some of them often and some of them hardly
/// ever, and 3 % of which are slow.
fn minute(random: &mut fastrand::Rng) -> Vec<Same> {
    let mut same = |requests, kind, took| Same { requests, trace: random.u64(..), kind, took };
    let good = (0..12).map(|_| (240, false, Duration::from_millis(20)));
    let slow = (0..1).map(|_| (90, false, Duration::from_secs(2)));
    let failed = (0..6).map(|_| (5, true, Duration::from_millis(20)));
    let mut records: Vec<_> = good
        .chain(slow)
        .chain(failed)
        .map(|(requests, failed, took)| same(requests, failed.then_some(0), took))
        .collect();
    for record in records.iter_mut().filter(|record| record.kind.is_some()) {
        let often = random.f64() * random.f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 200")]
        let kind = (often * 200.0) as u16;
        record.kind = Some(kind);
    }
    random.shuffle(&mut records);
    records
}

#[test]
fn a_month_of_fifty_requests_a_second_is_free_and_shows_every_kind_of_failure() {
    let bank = Bank::new(Budget::free_tier(), Clock::at(november()));
    let mut lanes = [
        Lane::new(&bank, Unit::SPANS, "spans", 1),
        Lane::new(&bank, Unit::TRACES, "traces", 1),
        Lane::new(&bank, Unit::LOG_BYTES, "log bytes", 476),
    ];
    let mut items = Lane::new(&bank, Unit::ITEMS, "items", 1);
    let requests =
        bank.meter(Tariff::new(Unit::new("none"), |_: &()| Price::units(1)).requests(Unit::LOG_REQUESTS));
    let requests = requests.unwrap().requests().unwrap();
    let (mut random, mut calls) = (fastrand::Rng::with_seed(17), Bill::default());
    let mut came = [].into_iter().collect::<std::collections::BTreeSet<_>>();
    for minute_of_month in 0..31 * 24 * 60 {
        let now = november() + Duration::from_secs(60 * minute_of_month);
        let records = minute(&mut random);
        let failed = records.iter().filter(|record| record.kind.is_some());
        let failed: Vec<_> = failed.flat_map(|record| [Same { requests: 1, ..*record }; 5]).collect();
        came.extend(failed.iter().filter_map(|record| record.kind));
        items.admit(failed, now);
        lanes.iter_mut().for_each(|lane| lane.admit(records.clone(), now));
        // The log lane would make one a second.
        let called =
            (0..60).filter(|second| requests.next(now + Duration::from_secs(*second)).is_ok()).count();
        calls.add(now, called as f64);
    }
    assert_eq!(came.len(), 200);
    for lane in lanes.iter().chain([&items]) {
        let used: f64 = lane.used.0.iter().map(|(_, units)| units).sum();
        let counts = [Worth::Good, Worth::Slow, Worth::Failed, Worth::Novel].map(|worth| lane.count(worth));
        println!("{}: {used} used, {counts:?}", lane.name);
        assert_eq!(lane.kinds.len(), 200, "{} show each kind", lane.name);
        let free = bank.budget().units(&lane.unit).unwrap() as f64;
        assert!((0.8 * free..=free).contains(&used), "{}: {used} of {free}", lane.name);
        let shares = counts.map(Count::share);
        // What is kept in the first minutes is a part of a part.
        assert!(shares.is_sorted_by(|less, more| *less <= more + 1e-4), "{}: {shares:?}", lane.name);
    }
    let [spans, traces, bytes] = lanes;
    for lane in [&spans, &bytes] {
        assert_eq!(lane.count(Worth::Failed).thinned, 0, "{} have room for all failures", lane.name);
        assert!(lane.count(Worth::Good).kept > 10_000, "{} show good ones, too", lane.name);
    }
    assert!(traces.count(Worth::Failed).share() > 0.05, "failures take what there is of traces");
    let calls = calls.0.iter().map(|(_, calls)| calls).sum::<f64>();
    println!("log requests: {calls}");
    assert!((800_000.0..=1_000_000.0).contains(&calls), "{calls}");
}
