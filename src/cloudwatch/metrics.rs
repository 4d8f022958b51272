use std::{fmt, sync::Arc, time::Duration};

use super::{
    meter::{Meter, Settings},
    series::LONGEST,
};
use crate::Error;

/// Which metrics a layer makes, and where CloudWatch keeps them.
///
/// They need no call of their own: what was counted goes into the log as a line of
/// [Embedded Metric Format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html),
/// into the stream of the access records, and CloudWatch makes metrics of it. `logs:PutLogEvents` is all the permission
/// that takes.
///
/// ```no_run
/// use belvedere::{cloudwatch::{CloudWatchLayer, Metrics}, outbox::Outbox};
///
/// let outbox = Outbox::builder().start()?;
/// let layer = CloudWatchLayer::new("/shop/checkout", &outbox)?
///     .metrics(Metrics::new("Shop")?.service("checkout")?.series(20));
/// # Ok::<_, belvedere::Error>(())
/// ```
///
/// # What is counted
///
/// Every exchange that the layer does not [skip](super::CloudWatchLayer::skip), also those that
/// [sampling](super::CloudWatchLayer::sample) keeps out of the log. Of each operation:
///
/// | metric | unit | |
/// |---|---|---|
/// | `Request` | `Count` | how many there were |
/// | `Error` | `Count` | a 4xx; of gRPC, a code that is the caller's fault |
/// | `Throttle` | `Count` | those of the errors that are a 429, or `RESOURCE_EXHAUSTED` |
/// | `Fault` | `Count` | a 5xx, an error of the service or the body, a panic; of gRPC, a code that is the server's fault |
/// | `Latency` | `Milliseconds` | how long it took, its body included |
///
/// What a client gave up is a request, too, and neither an error nor a fault, unless its status says so. Its latency is
/// how long it was waited for: without it, a service would look the faster the more clients it loses. Streams and
/// WebSockets last for as long as somebody listens; [skip](super::CloudWatchLayer::skip) them if that is not what you
/// want to see.
///
/// Counts are exact. Latencies go as a distribution, of which CloudWatch has any percentile: each is off by 1.6 % at
/// most (or 1 µs), by 5 % if an interval's longest is thousands of times its shortest, and by 15 % in the worst case, since a
/// metric takes only 100 values.
///
/// # What is told apart
///
/// The dimensions are `Service`, where it was [given](Self::service), and `Operation`: the method and what the router has
/// matched, `GET /carts/{id}`, or gRPC's method, `/shop.Greeter/SayHello`; `_OTHER` is any method that the conventions
/// do not know. All that has no route (feature `axum` brings them) is in the operation `other`.
///
/// An operation has a series of its own from the first exchange on that shows that there is such an operation: for a route
/// one that has an answer other than a 4xx or 501, or fails; for gRPC one that is `OK`. What was before that is in `other`,
/// as is all that has no room [left](Self::series), so that no stranger can make up operations.
///
/// # What it costs
///
/// CloudWatch bills each metric with each of its dimensions' values as a
/// [custom metric](https://aws.amazon.com/cloudwatch/pricing/), for each hour in which it was sent. A series is five of them:
///
/// | [`series`](Self::series) | custom metrics, at most | at 0.30 USD a month each, as the first 10,000 cost in `us-east-1` |
/// |---|---|---|
/// | 2: one operation and `other` | 10 | nothing, if the account has no others: ten are free |
/// | 10, the default | 50 | 15 USD, or 12 without the free ones |
/// | 100 | 500 | 150 USD |
///
/// Processes that give the same namespace and service share their metrics, so that another instance of a service costs
/// nothing more. But the bound is one of each process: those that meet other operations first have more series
/// between them.
///
/// On top of that comes the log's own price, for a line of about 0.5 to 2 kB for each series and
/// [interval](Self::every) with an exchange: at most 2.9 MB a series and day.
///
/// In the process a series takes 16 KiB, and an exchange a look into a table and an atomic; no lock, and no allocation.
///
/// # When they are sent
///
/// At the end of each interval, and when the outbox is shut down; what ends after that is not counted. A line whose answer is
/// lost is sent again, and CloudWatch may then count it twice.
///
/// Clones share their series, so that the layers of several services may. They are sent by the lane of the layer that is the
/// first to see an exchange. A setter makes series of its own.
#[derive(Clone)]
pub struct Metrics {
    meter: Arc<Meter>,
}

// ===== impl Metrics =====

impl Metrics {
    /// In a namespace, which is what CloudWatch lists metrics under. Without a service.
    ///
    /// # Errors
    ///
    /// When CloudWatch would not
    /// [take](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Namespace) the name: it
    /// has 1 to 255 letters, digits, spaces and `. - _ / # :`, and begins neither with `:` nor with `AWS/`.
    pub fn new(namespace: impl AsRef<str>) -> Result<Self, Error> {
        let namespace = namespace.as_ref();
        if !is_namespace(namespace) {
            return Err(Error::invalid("namespace of metrics", namespace, NAMESPACE));
        }
        Ok(Self::of(Settings { namespace: namespace.into(), service: None, series: SERIES, every: EVERY }))
    }

    /// The service's name, as the dimension `Service`. Default: there is no such dimension.
    ///
    /// # Errors
    ///
    /// When CloudWatch would not [take](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html)
    /// it: it has 1 to 1024 characters of ASCII, one of which is to be seen, and does not begin with `:`.
    pub fn service(self, name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        if !is_dimension(name) {
            return Err(Error::invalid("service of metrics", name, SERVICE));
        }
        Ok(Self::of(Settings { service: Some(name.into()), ..self.settings() }))
    }

    /// How many series there are at most in the life of the process, that of all `other` operations among them. Default: 10;
    /// at least 1, which tells nothing apart, and at most 10,000. Each costs five custom metrics.
    #[must_use]
    pub fn series(self, series: usize) -> Self {
        Self::of(Settings { series, ..self.settings() })
    }

    /// How long an interval is, from 10 seconds to an hour. Default: a minute, which is as fine as CloudWatch keeps it. A
    /// shorter one shows sooner what happens, for more lines.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        Self::of(Settings { every: interval.clamp(SHORTEST, LONGEST_INTERVAL), ..self.settings() })
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// They, and all clones, are so many custom metrics at most, but one series is always there.
    pub(super) fn cap(&self, most: u64) {
        self.meter.cap(usize::try_from(most / METRICS).unwrap_or(usize::MAX));
    }

    fn of(settings: Settings) -> Self {
        Self { meter: Arc::new(Meter::new(settings)) }
    }

    fn settings(&self) -> Settings {
        self.meter.settings.clone()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { namespace, service, series, every } = &self.meter.settings;
        f.debug_struct("Metrics")
            .field("namespace", namespace)
            .field("service", service)
            .field("series", series)
            .field("every", every)
            .finish_non_exhaustive()
    }
}

fn is_namespace(text: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b" .-_/#:".contains(&byte);
    let is_reserved = text.starts_with(':') || text.starts_with("AWS/");
    (1..=LONGEST_NAMESPACE).contains(&text.len())
        && text.bytes().all(is_taken)
        && !text.trim().is_empty()
        && !is_reserved
}

fn is_dimension(text: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(is_taken)
        && !text.trim().is_empty()
        && !text.starts_with(':')
}

const SERIES: usize = 10;
const EVERY: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html>
const LONGEST_NAMESPACE: usize = 255;

const NAMESPACE: &str =
    "use up to 255 letters, digits, spaces and . - _ / # :, not beginning with : or AWS/, as in Shop";
const SERVICE: &str = "use up to 1024 characters of ASCII, not beginning with :, as in checkout";

/// How many custom metrics a series is.
const METRICS: u64 = 5;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::StatusCode;
    use serde_json::Value;

    use super::*;
    use crate::{
        cloudwatch::{
            CloudWatchLayer, LogLane, lane::Entry, message::Message, meter::Measured, table::Operation,
        },
        exchange::{Code, End},
        outbox::{Allowance, Batch, Budget, Destination, Limits, Outbox, SendError, Unit},
    };

    /// Keeps the lines.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<Value>>>);

    impl Destination for Lines {
        type Record = Entry;

        fn limits(&self) -> Limits {
            Limits::default().age(Duration::ZERO)
        }

        fn size(&self, entry: &Entry) -> usize {
            entry.size()
        }

        async fn send(&self, batch: Batch<Entry>) -> Result<(), SendError<Entry>> {
            for entry in &batch {
                let mut line = Vec::new();
                entry.write(&mut Message::plain(&mut line));
                self.0.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
            }
            Ok(())
        }
    }

    impl Lines {
        fn lane(&self, outbox: &Outbox) -> LogLane {
            LogLane::of(outbox, outbox.lane("lines", self.clone()))
        }

        fn take(&self) -> Vec<Value> {
            std::mem::take(&mut self.0.lock().unwrap())
        }

        fn requests(&self) -> Vec<(String, u64)> {
            let request = |line: &Value| {
                (line["Operation"].as_str().unwrap().into(), line["Request"].as_u64().unwrap())
            };
            self.take().iter().map(request).collect()
        }
    }

    fn get(path: &'static str) -> Measured<'static> {
        Measured {
            operation: Some(Operation { method: "GET", path }),
            end: End::Complete { trailers: None },
            status: Some(StatusCode::OK),
            code: None,
            duration: Duration::from_millis(7),
        }
    }

    fn open() -> (Outbox, Lines) {
        let outbox = Outbox::builder().runtime(tokio::runtime::Handle::current()).start().unwrap();
        (outbox, Lines::default())
    }

    #[test]
    fn a_namespace_is_what_cloudwatch_takes() {
        for name in ["S", "Shop", "Shop/Check-out_1 #2:3.4", "aws/x", &"a".repeat(255)] {
            assert!(Metrics::new(name).is_ok(), "{name}");
        }
        for name in ["", " ", ":Shop", "AWS/EC2", "Sh\u{f6}p", "a\nb", "a*b", &"a".repeat(256)] {
            let refused = Metrics::new(name).unwrap_err();
            assert!(refused.is_invalid() && refused.to_string().starts_with("namespace of metrics is "));
        }
    }

    #[test]
    fn a_service_is_what_a_dimension_takes() {
        let metrics = Metrics::new("Shop").unwrap();
        for name in ["a", "check out*", &"a".repeat(1024)] {
            assert!(metrics.clone().service(name).is_ok(), "{name}");
        }
        for name in ["", " ", ":a", "k\u{e4}se", "a\tb", &"a".repeat(1025)] {
            assert!(metrics.clone().service(name).unwrap_err().is_invalid(), "{name}");
        }
    }

    #[test]
    fn an_interval_has_its_bounds() {
        let every = |interval| Metrics::new("Shop").unwrap().every(interval).settings().every;
        assert_eq!(every(Duration::ZERO), SHORTEST);
        assert_eq!(every(Duration::from_secs(30)), Duration::from_secs(30));
        assert_eq!(every(Duration::MAX), LONGEST_INTERVAL);
        assert_eq!(Metrics::new("Shop").unwrap().settings().every, EVERY);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_is_told_at_its_end_and_nothing_is_not_told() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        metrics.meter().record(&get("/a"), &lane);
        metrics.meter().record(&get("/a"), &lane);
        tokio::time::sleep(Duration::from_secs(59)).await;
        assert_eq!(lines.requests(), []);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(lines.requests(), [("GET /a".to_owned(), 2)]);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(lines.requests(), []);
        metrics.meter().record(&get("/b"), &lane);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(lines.requests(), [("GET /b".to_owned(), 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_tells_the_rest_before_the_lanes_close() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        metrics.meter().record(&get("/a"), &lane);
        let report = outbox.shutdown(Duration::from_secs(1)).await;
        assert_eq!(lines.requests(), [("GET /a".to_owned(), 1)]);
        assert_eq!(report.lost(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_outbox_tells_the_rest_too() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        metrics.meter().record(&get("/a"), &lane);
        drop(outbox);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(lines.requests(), [("GET /a".to_owned(), 1)]);
        assert_eq!(Arc::strong_count(metrics.meter()), 1, "nobody else holds it any more");
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_their_series_and_a_setter_makes_others() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        metrics.meter().record(&get("/a"), &lane);
        metrics.clone().meter().record(&get("/a"), &lane);
        metrics.clone().series(2).meter().record(&get("/a"), &lane);
        outbox.shutdown(Duration::from_secs(1)).await;
        let mut requests = lines.requests();
        requests.sort();
        assert_eq!(requests, [("GET /a".to_owned(), 1), ("GET /a".to_owned(), 2)]);
    }

    #[test]
    fn no_exchange_is_lost_or_told_twice_while_intervals_end() {
        let (outbox, lines) = (Outbox::builder().start().unwrap(), Lines::default());
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap().series(3));
        let paths = ["/a", "/b", "/c", "/d"];
        std::thread::scope(|scope| {
            let (lane, metrics) = (&lane, &metrics);
            let record = move |_| (0..20_000).for_each(|n| metrics.meter().record(&get(paths[n % 4]), lane));
            let recording: Vec<_> = (0..4).map(|thread| scope.spawn(move || record(thread))).collect();
            scope.spawn(move || {
                while !recording.iter().all(|thread| thread.is_finished()) {
                    metrics.meter().tell(lane);
                }
            });
        });
        let report = outbox.shutdown_blocking(Duration::from_secs(10));
        assert_eq!(report.lost(), 0, "{report:?}");
        let lines = lines.take();
        let sum = |of: fn(&Value) -> u64| lines.iter().map(of).sum::<u64>();
        assert_eq!(sum(|line| line["Request"].as_u64().unwrap()), 80_000);
        let counts = |line: &Value| line["Latency"]["Counts"].as_array().unwrap().clone();
        for line in &lines {
            let counted: u64 = counts(line).iter().map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(counted, line["Request"], "a line has an exchange whole or not at all");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exchange_allocates_nothing_once_its_series_is_there() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap().series(2));
        metrics.meter().record(&get("/a"), &lane);
        let unmatched = Measured { operation: None, ..get("/") };
        let info = allocation_counter::measure(|| {
            for measured in [get("/a"), get("/without/room"), unmatched] {
                metrics.meter().record(&measured, &lane);
            }
        });
        assert_eq!(info.count_total, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_exists_takes_room() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        let answered = |path, status| Measured { status: StatusCode::from_u16(status).ok(), ..get(path) };
        for (path, status) in [("/a", 404), ("/b", 405), ("/c", 429), ("/d", 501), ("/e", 500), ("/f", 302)] {
            metrics.meter().record(&answered(path, status), &lane);
        }
        metrics.meter().record(&Measured { end: End::Canceled, status: None, ..get("/g") }, &lane);
        outbox.shutdown(Duration::from_secs(1)).await;
        let mut requests = lines.requests();
        requests.sort();
        let expected = [("GET /e", 1), ("GET /f", 1), ("other", 5)];
        assert_eq!(requests, expected.map(|(name, count)| (name.to_owned(), count)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_room_when_it_went_well_and_no_sooner() {
        let (outbox, lines) = open();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        let operation = Some(Operation { method: "", path: "/made.Up/Call" });
        let call = |end, status, code| Measured { operation, end, status, code, ..get("/") };
        let (complete, ok) = (End::Complete { trailers: None }, Some(StatusCode::OK));
        let record = |measured| metrics.meter().record(&measured, &lane);
        record(call(End::Panicked { message: "" }, None, None));
        record(call(End::Canceled, ok, None));
        record(call(complete, ok, Some(Code::INTERNAL)));
        record(call(complete, ok, Some(Code::OK)));
        record(call(End::Panicked { message: "" }, None, None));
        outbox.shutdown(Duration::from_secs(1)).await;
        let mut requests = lines.requests();
        requests.sort();
        assert_eq!(requests, [("/made.Up/Call".to_owned(), 2), ("other".to_owned(), 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_of_custom_metrics_bounds_the_series_of_all_clones() {
        let budget = Budget::new().allowance(Unit::METRICS, Allowance::month(10));
        let outbox =
            Outbox::builder().runtime(tokio::runtime::Handle::current()).budget(budget).start().unwrap();
        let lines = Lines::default();
        let (lane, metrics) = (lines.lane(&outbox), Metrics::new("Shop").unwrap());
        let _layers = [metrics.clone(), metrics.clone()]
            .map(|metrics| CloudWatchLayer::on(lane.clone()).metrics(metrics));
        for path in ["/a", "/b", "/c"] {
            metrics.meter().record(&get(path), &lane);
        }
        outbox.shutdown(Duration::from_secs(1)).await;
        let mut requests = lines.requests();
        requests.sort();
        assert_eq!(requests, [("GET /a".to_owned(), 1), ("other".to_owned(), 2)]);
    }
}
