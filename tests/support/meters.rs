use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belvedere::otel::Metrics;
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    metrics::{
        Histogram, HistogramBuilder, InstrumentBuilder, InstrumentProvider, Meter, MeterProvider,
        SyncInstrument, UpDownCounter,
    },
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData},
};

/// The SDK's provider, whose metrics stay in memory.
pub struct Meters {
    pub provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
}

/// A metric as it was last exported.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: String,
    pub unit: String,
    pub description: String,
    pub points: Vec<Point>,
}

/// One set of attributes of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// `key=value`, sorted, with spaces between them.
    pub attributes: String,
    /// How many were measured; 1 for a counter.
    pub count: u64,
    pub sum: f64,
    pub bounds: Vec<f64>,
}

// ===== impl Meters =====

impl Meters {
    pub fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        Self { provider: SdkMeterProvider::builder().with_reader(reader).build(), exporter }
    }

    /// The metrics that are on without being asked for.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(&self.provider)
    }

    /// All metrics that there are.
    pub fn all_metrics(&self) -> Metrics {
        self.metrics().active_requests(true).body_sizes(true)
    }

    /// Every metric that was measured, by name.
    pub fn seen(&self) -> Vec<Seen> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let exported = self.exporter.get_finished_metrics().unwrap();
        let scopes = exported.iter().flat_map(|resource| resource.scope_metrics());
        let mut seen: Vec<_> = scopes.flat_map(|scope| scope.metrics()).map(Seen::of).collect();
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        seen
    }

    /// The names of all metrics that were measured.
    pub fn names(&self) -> Vec<String> {
        self.seen().into_iter().map(|metric| metric.name).collect()
    }

    /// One metric. Panics if it was not measured.
    #[track_caller]
    pub fn named(&self, name: &str) -> Seen {
        let seen = self.seen();
        let found = seen.iter().find(|metric| metric.name == name);
        found.unwrap_or_else(|| panic!("{name}: {seen:#?}")).clone()
    }

    /// The points of one metric, none if it was not measured.
    pub fn points(&self, name: &str) -> Vec<Point> {
        let seen = self.seen().into_iter().find(|metric| metric.name == name);
        seen.map(|metric| metric.points).unwrap_or_default()
    }

    /// The one point of one metric.
    #[track_caller]
    pub fn point(&self, name: &str) -> Point {
        let mut points = self.named(name).points;
        assert_eq!(points.len(), 1, "{points:#?}");
        points.remove(0)
    }

    /// How many measurements a histogram has in all.
    pub fn count(&self, name: &str) -> u64 {
        self.points(name).iter().map(|point| point.count).sum()
    }

    /// What a counter or a histogram sums up to.
    pub fn sum(&self, name: &str) -> f64 {
        self.points(name).iter().map(|point| point.sum).sum()
    }

    /// Waits until a histogram has `count` measurements, for tests over sockets.
    pub async fn measured(&self, name: &str, count: u64) {
        for _ in 0..500 {
            if self.count(name) >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{name} should have been measured {count} times: {:#?}", self.seen());
    }
}

// ===== impl Seen =====

impl Seen {
    fn of(metric: &Metric) -> Self {
        let points = match metric.data() {
            AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
                .data_points()
                .map(|point| Point {
                    attributes: text(point.attributes()),
                    count: point.count(),
                    sum: point.sum(),
                    bounds: point.bounds().collect(),
                })
                .collect(),
            AggregatedMetrics::I64(MetricData::Sum(sum)) => sum
                .data_points()
                .map(|point| Point {
                    attributes: text(point.attributes()),
                    count: 1,
                    sum: point.value() as f64,
                    bounds: Vec::new(),
                })
                .collect(),
            other => panic!("nothing here is {other:?}"),
        };
        let (name, unit, description) = (metric.name(), metric.unit(), metric.description());
        let mut seen = Self { name: name.into(), unit: unit.into(), description: description.into(), points };
        seen.points.sort_by(|one, other| one.attributes.cmp(&other.attributes));
        seen
    }
}

fn text<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
    let mut pairs: Vec<_> = attributes.map(|pair| format!("{}={}", pair.key, pair.value)).collect();
    pairs.sort();
    pairs.join(" ")
}

/// A provider that is not the SDK's: it writes down each measurement, and the trace that it finds current.
#[derive(Clone, Default)]
pub struct Scribe {
    written: Arc<Mutex<Vec<String>>>,
    /// How many measurements it takes before it breaks.
    holds: Option<usize>,
    measured: Arc<AtomicUsize>,
}

/// One instrument of a [`Scribe`].
struct Pen {
    scribe: Scribe,
    name: String,
}

// ===== impl Scribe =====

impl Scribe {
    /// It takes so many measurements, and panics at each one after these.
    pub fn breaking(holds: usize) -> Self {
        Self { holds: Some(holds), ..Self::default() }
    }

    /// `name value trace_id`, in the order in which they were measured.
    pub fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    /// How often it panicked.
    pub fn panicked(&self) -> usize {
        self.measured.load(Ordering::Relaxed).saturating_sub(self.holds.unwrap_or(usize::MAX))
    }

    fn pen(&self, name: &str) -> Pen {
        Pen { scribe: self.clone(), name: name.to_owned() }
    }
}

impl MeterProvider for Scribe {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        assert_eq!(scope.name(), "belvedere");
        Meter::new(Arc::new(self.clone()))
    }
}

impl InstrumentProvider for Scribe {
    fn f64_histogram(&self, builder: HistogramBuilder<'_, Histogram<f64>>) -> Histogram<f64> {
        Histogram::new(Arc::new(self.pen(&builder.name)))
    }

    fn i64_up_down_counter(&self, builder: InstrumentBuilder<'_, UpDownCounter<i64>>) -> UpDownCounter<i64> {
        UpDownCounter::new(Arc::new(self.pen(&builder.name)))
    }
}

impl<T: fmt::Display> SyncInstrument<T> for Pen {
    fn measure(&self, value: T, _attributes: &[KeyValue]) {
        let measured = self.scribe.measured.fetch_add(1, Ordering::Relaxed);
        assert!(self.scribe.holds.is_none_or(|holds| measured < holds), "the ink is out");
        let trace = Context::current().span().span_context().trace_id();
        self.scribe.written.lock().unwrap().push(format!("{} {value} {trace}", self.name));
    }
}
