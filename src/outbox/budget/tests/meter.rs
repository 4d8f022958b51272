//! What is kept, and how much it stands for.

use proptest::prelude::*;

use super::{worth::Worth, *};

#[derive(Clone, Debug, PartialEq)]
struct Record {
    price: Price,
    weight: u64,
}

fn record(price: Price) -> Record {
    Record { price, weight: 1 }
}

fn tariff() -> Tariff<Record> {
    let weigh = |record: &mut Record, weight: u32| record.weight *= u64::from(weight);
    Tariff::new(Unit::SPANS, |record: &Record| record.price).weigh(weigh)
}

/// One whose bucket begins with so many units, and gets next to nothing in an hour.
fn meter(units: u64, tariff: Tariff<Record>) -> Meter<Record> {
    let budget = Budget::new().allowance(Unit::SPANS, Allowance::month(300 * units).burst(units));
    Bank::new(budget, Clock::at(november() - Duration::from_secs(1))).meter(tariff).unwrap()
}

fn admit(meter: &mut Meter<Record>, records: Vec<Record>) -> Admitted<Record> {
    let priced = meter.price(records);
    assert!(meter.errand(&priced, november()).is_none(), "there is no folder");
    meter.admit(priced, november())
}

#[test]
fn what_has_no_allowance_has_no_meter() {
    let bank = Bank::new(Budget::new().allowance(Unit::ITEMS, Allowance::month(5)), Clock::at(november()));
    assert!(bank.meter(tariff()).is_none());
    assert!(bank.meter(tariff().requests(Unit::ITEMS)).is_some());
}

#[test]
fn failures_are_kept_when_nothing_else_is_and_new_ones_when_no_other_is() {
    let mut meter = meter(1_000, tariff());
    let kinds = |meter: &mut Meter<Record>, trace: u64| {
        let price = |id: u64| Price::units(1).trace(id);
        let records = vec![
            record(price(trace)),
            record(price(trace + 1).took(Duration::from_secs(3))),
            record(price(trace + 2).failed("known")),
            record(price(trace + 3).failed(trace)),
        ];
        admit(meter, records)
    };
    (0..1_000).for_each(|round| drop(kinds(&mut meter, round * 4)));
    let counts = meter.counts();
    let kept = [Worth::Good, Worth::Slow, Worth::Failed, Worth::Novel].map(|worth| counts.of(worth).kept);
    assert!(kept.is_sorted() && kept[0] > 30 && kept[3] > 400, "{kept:?}");
    assert!((990..=1_000).contains(&kept.iter().sum::<usize>()), "{kept:?}");
}

#[test]
fn a_failure_that_was_left_out_is_still_new() {
    let mut meter = meter(2, tariff());
    let failed = |kind: u32| vec![record(Price::units(2).failed(kind))];
    assert_eq!(admit(&mut meter, failed(1)).kept.len(), 1);
    assert_eq!(admit(&mut meter, failed(2)).kept.len(), 0);
    let priced = meter.price(failed(2));
    assert_eq!(meter.admit(priced, november() + hours(24 * 3)).kept.len(), 1);
    assert_eq!(meter.counts().of(Worth::Novel), thinning::Count { kept: 2, thinned: 1 });
}

#[test]
fn of_a_batch_of_one_new_failure_the_first_is_new() {
    let mut meter = meter(1_000, tariff());
    admit(&mut meter, (0..100).map(|trace| record(Price::units(1).trace(trace).failed("kind"))).collect());
    let counts = meter.counts();
    assert_eq!((counts.of(Worth::Novel).kept, counts.of(Worth::Failed).kept), (1, 99));
}

#[test]
fn what_is_of_the_trace_of_a_failure_is_worth_as_much() {
    let mut meter = meter(1_000, tariff());
    // Until no good one is kept.
    admit(&mut meter, (0..100_000).map(|trace| record(Price::units(1).trace(trace))).collect());
    let good = |trace| record(Price::units(1).trace(trace));
    let failed = record(Price::units(1).trace(1 << 40).failed("kind"));
    let kept = admit(&mut meter, vec![good(1 << 40), good(1 << 41), failed.clone(), good(1 << 40)]).kept;
    assert_eq!(kept, [good(1 << 40), failed, good(1 << 40)]);
    assert_eq!(admit(&mut meter, vec![good(1 << 41), good(1 << 40)]).kept, [good(1 << 40)], "later, too");
}

#[test]
fn of_a_trace_that_was_paid_for_all_is_kept_and_free() {
    let mut meter = meter(10, tariff().by_trace());
    let segment = |trace| record(Price::units(1).trace(trace));
    let admitted = admit(&mut meter, vec![segment(7); 1_000]);
    assert_eq!((admitted.kept.len(), admitted.thinned), (1_000, 0));
    let kept = admit(&mut meter, (8..1_000).map(segment).collect()).kept;
    assert!((1..10).contains(&kept.len()), "{}", kept.len());
}

#[test]
fn all_lanes_keep_the_same_traces() {
    let traces = |units| {
        let mut meter = meter(units, tariff());
        let records = (0..100_000).map(|trace| record(Price::units(1).trace(trace))).collect();
        admit(&mut meter, records).kept.into_iter().filter(|record| record.weight >= 1 << 6)
    };
    let (few, many): (Vec<_>, Vec<_>) = (traces(500).collect(), traces(5_000).collect());
    let is_in = |record: &&Record| many.iter().any(|other| other.price.trace == record.price.trace);
    let early = many.iter().map(|record| record.price.trace).min().unwrap();
    let both: Vec<_> =
        few.iter().filter(|record| record.price.trace >= early && record.weight >= 1 << 12).collect();
    assert!(both.iter().all(is_in), "{} of them", both.len());
}

#[test]
fn closures_that_panic_cost_nobody_a_record() {
    let tariff = Tariff::new(Unit::SPANS, |record: &Record| {
        assert!(record.price.trace.is_some(), "no trace");
        record.price
    })
    .weigh(|_, _| panic!("no weight"));
    let mut meter = meter(100, tariff);
    let records: Vec<_> = (0..40)
        .map(|id| record(if id % 2 == 0 { Price::units(1) } else { Price::units(1).trace(id) }))
        .collect();
    let Admitted { kept, thinned } = admit(&mut meter, records);
    assert_eq!(kept.len() + thinned, 40);
    assert!(kept.len() > 15, "{}", kept.len());
}

#[test]
fn what_was_left_out_is_told_once_in_ten_seconds_and_all_of_it() {
    let mut meter = meter(100, tariff());
    let (mut told, mut times) = (0, 0);
    for second in 0..100 {
        let now = november() + Duration::from_secs(second);
        let priced = meter.price((0..50).map(|_| record(Price::units(1))).collect());
        meter.admit(priced, now);
        if let Some(news) = meter.news(now) {
            (told, times) = (told + news.records(), times + 1);
            assert!(news.to_string().starts_with("kept "), "{news}");
            assert!(news.to_string().contains("; 30000 spans a month are not enough"), "{news}");
        }
    }
    told += meter.last_news(november()).unwrap().records();
    assert_eq!(times, 10);
    assert!((4_900..5_000).contains(&told), "{told}");
    assert!(meter.last_news(november()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn what_is_kept_stands_for_all_that_came(seed: u64, per_hour in 50..3_000_usize, has_traces: bool) {
        let mut meter = meter(500, tariff());
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut came, mut stood) = (0, 0);
        for minute in 0..24 * 60 {
            let record = |_| {
                let price = Price::units(1);
                record(if has_traces { price.trace(random.u64(..)) } else { price })
            };
            let records: Vec<_> = (0..per_hour / 60 + 1).map(record).collect();
            came += records.len() as u64;
            let priced = meter.price(records);
            let kept = meter.admit(priced, november() + Duration::from_secs(60 * minute)).kept;
            stood += kept.iter().map(|record| record.weight).sum::<u64>();
        }
        let ratio = stood as f64 / came as f64;
        prop_assert!((0.8..1.25).contains(&ratio), "{stood} for {came}");
    }
}
