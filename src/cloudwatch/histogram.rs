use std::{
    array,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use serde::Serialize;

/// How many durations there were of each length. Threads add to it without a lock, and it takes 4 KiB.
///
/// Buckets are 1 µs wide up to 32 µs; from there on 32 of them share the way to the next power of two, up to 19 hours.
#[derive(Debug)]
pub(super) struct Histogram {
    /// An interval has an hour at most: more than a million in each of its seconds would have to be of one length.
    counts: Box<[AtomicU32; BUCKETS]>,
}

/// What a histogram had, or several of them together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Counts(Box<[u64; BUCKETS]>);

/// A distribution, as CloudWatch takes it: values, and how often there was each of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Distribution {
    /// In milliseconds, from the lowest to the highest.
    values: Vec<f64>,
    counts: Vec<u64>,
}

/// Durations from `low` to `high`, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bin {
    low: f64,
    high: f64,
    count: u64,
}

// ===== impl Histogram =====

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: Box::new(array::from_fn(|_| AtomicU32::new(0))) }
    }

    /// Counts a duration in. Each is in one bucket, so that of two who [drain](Self::drain) only one gets it.
    pub(super) fn record(&self, duration: Duration) {
        self.counts[bucket(duration)].fetch_add(1, Relaxed);
    }

    /// Moves what there is, and says how many that were.
    pub(super) fn drain(&self, into: &mut Counts) -> u64 {
        let taken = |count: &AtomicU32| if count.load(Relaxed) == 0 { 0 } else { count.swap(0, Relaxed) };
        let moved = self.counts.iter().zip(&mut *into.0).map(|(count, sum)| {
            let taken = u64::from(taken(count));
            *sum += taken;
            taken
        });
        moved.sum()
    }
}

// ===== impl Counts =====

impl Counts {
    /// In no more than a hundred values, which is what a metric may have. Each is off by 1.6 % at most, or by 1 µs; where
    /// there would be more of them neighbours are merged, as evenly as can be.
    pub(super) fn distribution(&self) -> Distribution {
        let bins: Vec<_> = self.bins().collect();
        let (mut merged, mut ratio) = (bins.clone(), 1.0);
        while merged.len() > VALUES {
            ratio *= FINER;
            merged = merge(&bins, ratio);
        }
        let values = merged.iter().map(|bin| milliseconds(bin.value())).collect();
        Distribution { values, counts: merged.iter().map(|bin| bin.count).collect() }
    }

    fn bins(&self) -> impl Iterator<Item = Bin> {
        let seen = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        seen.map(|(index, count)| Bin { low: lowest(index), high: lowest(index + 1), count: *count })
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self(Box::new([0; BUCKETS]))
    }
}

// ===== impl Bin =====

impl Bin {
    /// The value that is off by the same share from both of its ends.
    fn value(self) -> f64 {
        2.0 * self.low * self.high / (self.low + self.high)
    }
}

fn bucket(duration: Duration) -> usize {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(LONGEST);
    let magnitude = (microseconds | LINEAR).ilog2() - LINEAR.ilog2();
    let within = usize::try_from(microseconds >> magnitude).expect("it is below 64");
    magnitude as usize * STEPS + within
}

/// The lowest number of microseconds that is in a bucket.
#[allow(clippy::cast_precision_loss, reason = "it is a small number, shifted")]
fn lowest(bucket: usize) -> f64 {
    let magnitude = (bucket / STEPS).saturating_sub(1);
    let within = bucket - magnitude * STEPS;
    ((within as u64) << magnitude) as f64
}

/// To a tenth of a microsecond: more digits would say nothing.
fn milliseconds(microseconds: f64) -> f64 {
    (microseconds * 10.0).round() / 10.0 / MILLISECOND
}

/// As few as there are if none of them is to be wider than the ratio, unless it was so before.
fn merge(bins: &[Bin], ratio: f64) -> Vec<Bin> {
    let mut merged: Vec<Bin> = Vec::new();
    for bin in bins {
        match merged.last_mut() {
            Some(last) if bin.high <= last.low * ratio => {
                last.high = bin.high;
                last.count += bin.count;
            }
            _ => merged.push(*bin),
        }
    }
    merged
}

/// Buckets below it are one microsecond wide.
const LINEAR: u64 = 32;
const STEPS: usize = 32;
const BUCKETS: usize = 1024;

/// One microsecond less than what would have no bucket.
const LONGEST: u64 = (1 << 36) - 1;

/// What EMF allows for a metric's value:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
const VALUES: usize = 100;

const FINER: f64 = 1.005;
const MILLISECOND: f64 = 1000.0;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(microseconds: &[u64]) -> Counts {
        let (histogram, mut counts) = (Histogram::new(), Counts::default());
        microseconds.iter().for_each(|each| histogram.record(Duration::from_micros(*each)));
        assert_eq!(histogram.drain(&mut counts), microseconds.len() as u64);
        assert_eq!(histogram.drain(&mut counts), 0);
        counts
    }

    /// The value at a rank, in microseconds.
    fn at(distribution: &Distribution, rank: usize) -> f64 {
        let mut seen = 0;
        let pairs = distribution.values.iter().zip(&distribution.counts);
        let mut from = pairs.skip_while(|(_, count)| {
            seen += **count;
            seen <= rank as u64
        });
        *from.next().unwrap().0 * MILLISECOND
    }

    #[track_caller]
    fn assert_percentiles(microseconds: &mut [u64], error: f64) {
        let distribution = counts(microseconds).distribution();
        assert!(distribution.values.len() <= VALUES && distribution.values.is_sorted());
        assert_eq!(distribution.counts.iter().sum::<u64>(), microseconds.len() as u64);
        microseconds.sort_unstable();
        for percent in [0, 1, 10, 50, 75, 90, 95, 99, 100] {
            let rank = (microseconds.len() - 1) * percent / 100;
            let (exact, told) = (microseconds[rank] as f64, at(&distribution, rank));
            assert!((told - exact).abs() <= (exact * error).max(1.0), "p{percent}: {exact} told as {told}");
        }
    }

    #[test]
    fn buckets_join_without_gaps_from_nothing_to_the_longest() {
        assert_eq!((bucket(Duration::ZERO), bucket(Duration::MAX)), (0, BUCKETS - 1));
        assert_eq!(lowest(BUCKETS), (LONGEST + 1) as f64);
        for index in 0..BUCKETS {
            let (first, next) = (lowest(index) as u64, lowest(index + 1) as u64);
            assert!(first < next);
            assert_eq!(bucket(Duration::from_micros(first)), index);
            assert_eq!(bucket(Duration::from_micros(next - 1)), index);
        }
    }

    #[test]
    fn a_value_is_off_by_less_than_its_share() {
        for index in 32..BUCKETS {
            let bin = Bin { low: lowest(index), high: lowest(index + 1), count: 1 };
            let (value, error) = (bin.value(), 1.0 / 65.0 + 1e-9);
            assert!(value - bin.low <= bin.low * error && bin.high - value <= bin.high * error, "{bin:?}");
        }
    }

    #[test]
    fn nothing_is_no_values() {
        assert_eq!(counts(&[]).distribution(), Distribution { values: vec![], counts: vec![] });
    }

    #[test]
    fn all_buckets_at_once_are_a_hundred_values_at_most() {
        let mut all: Vec<_> = (0..BUCKETS).map(|index| lowest(index) as u64).collect();
        assert_percentiles(&mut all, 0.15);
    }

    #[test]
    fn several_histograms_add_up() {
        let (one, other, mut sum) = (Histogram::new(), Histogram::new(), Counts::default());
        one.record(Duration::from_millis(5));
        other.record(Duration::from_millis(5));
        assert_eq!((one.drain(&mut sum), other.drain(&mut sum)), (1, 1));
        assert_eq!(sum.distribution().counts, [2]);
    }

    #[test]
    fn whoever_drains_meanwhile_loses_none_and_gets_none_twice() {
        const EACH: u64 = 1_000_000;
        let histogram = Histogram::new();
        let drained = std::thread::scope(|scope| {
            let record = |thread: u64| {
                let histogram = &histogram;
                move || (0..EACH).for_each(|n| histogram.record(Duration::from_micros(thread * 7 + n % 40)))
            };
            let recording: Vec<_> = (0..4).map(|thread| scope.spawn(record(thread))).collect();
            let drain = || {
                let (mut sum, mut total) = (Counts::default(), 0);
                while !recording.iter().all(|thread| thread.is_finished()) {
                    total += histogram.drain(&mut sum);
                }
                (total, sum)
            };
            let other = scope.spawn(|| {
                let mut sum = Counts::default();
                (0..5_000).map(|_| histogram.drain(&mut sum)).sum::<u64>()
            });
            drain().0 + other.join().unwrap()
        });
        let mut rest = Counts::default();
        assert_eq!(drained + histogram.drain(&mut rest), 4 * EACH);
    }

    proptest! {
        #[test]
        fn percentiles_are_right_to_two_percent_within_a_factor_of_eight(
            mut durations in prop::collection::vec(5_000_u64..40_000, 1..2_000),
        ) {
            assert_percentiles(&mut durations, 0.016);
        }

        #[test]
        fn percentiles_are_right_to_five_percent_within_a_factor_of_five_thousand(
            durations in prop::collection::vec(0.0_f64..=1.0, 1..4_000),
            least in 1_u64..100_000,
        ) {
            let spread = |at: f64| (least as f64 * 5_000_f64.powf(at)) as u64;
            assert_percentiles(&mut durations.into_iter().map(spread).collect::<Vec<_>>(), 0.05);
        }

        #[test]
        fn percentiles_are_right_to_fifteen_percent_wherever_they_are(
            mut durations in prop::collection::vec(prop_oneof![0..=LONGEST, 0_u64..1_000_000], 1..2_000),
        ) {
            assert_percentiles(&mut durations, 0.15);
        }
    }
}
