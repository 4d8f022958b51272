//! Sampling through the whole layer: what callers are told, what the daemon gets, and what is reported of it.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, routing::get};
use belvedere::{
    outbox::{Limits, Outbox},
    xray::{
        Daemon, Sampler, SegmentLane, XRayLayer,
        sampler::{DaemonProxy, SamplingStatisticsDocument},
    },
};
use http::Request;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{Instant, advance, sleep},
};
use tower::ServiceExt as _;

use super::{
    daemon, file,
    requests::{ALWAYS, plain},
    rulebook::{Call, Reply, Rulebook},
    support::sink::Sink,
};

/// A service on paused time, and the daemon that gets its segments.
struct House {
    router: Router,
    daemon: daemon::Daemon,
    outbox: Outbox,
}

// ===== impl House =====

impl House {
    async fn open(name: &'static str, sampler: impl FnOnce(&Outbox) -> Sampler) -> Self {
        let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
        let daemon = daemon::Daemon::large().await;
        let way = Daemon::new(daemon.address.to_string().parse().unwrap()).pace(500, 2_000);
        let way = way.limits(Limits::default().records(50).in_flight(1));
        let layer = XRayLayer::on(name, SegmentLane::daemon(&outbox, way)).sample(sampler(&outbox));
        let layer = layer.peer(|_| Some("10.1.2.9:4711".parse().unwrap()));
        let router = Router::new().route("/tea", get("tea\n")).route("/warm", get("warm\n")).layer(layer);
        Self { router, daemon, outbox }
    }

    /// Serves a request whose caller asks whether it is recorded.
    async fn serve(&self, path: &str) -> bool {
        let request = Request::get(path)
            .header("host", "10.1.2.3:8080")
            .header("user-agent", "kettle/2.1")
            .header("x-amzn-trace-id", "Sampled=?");
        let answer: Result<_, Infallible> =
            self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let (head, body) = answer.unwrap().into_parts();
        axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let told = head.headers["x-amzn-trace-id"].to_str().unwrap().to_owned();
        assert!(told.starts_with("Root=1-") && !told.contains("Root=1-00000000-0000"), "{told}");
        told.ends_with(";Sampled=1")
    }

    /// How many of 25 requests, so far apart, are recorded.
    async fn of_25(&self, apart: Duration) -> usize {
        let mut recorded = 0;
        for _ in 0..25 {
            recorded += usize::from(self.serve("/tea").await);
            advance(apart).await;
        }
        recorded
    }

    /// The segments of all that was served.
    async fn close(self) -> Vec<Value> {
        assert!(self.outbox.flush(Duration::from_secs(60)).await);
        let delivered = usize::try_from(self.outbox.report().lanes[0].delivered).unwrap();
        until(|| self.daemon.documents().len() >= delivered).await;
        let report = self.outbox.shutdown(Duration::from_secs(5)).await;
        assert_eq!(report.lost(), 0, "{report}");
        let documents = self.daemon.documents();
        documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
    }
}

// ===== counts of 25 =====

#[tokio::test(start_paused = true)]
async fn of_25_requests_a_local_rule_records_its_target_and_its_share() {
    for (target, rate, apart, expected) in [
        (1, 0.0, AT_ONCE, 1),
        (1, 0.0, FIFTH, 5),
        (3, 0.0, AT_ONCE, 3),
        (3, 0.0, FIFTH, 15),
        (0, 0.0, FIFTH, 0),
        (0, 1.0, AT_ONCE, 25),
        (1, 0.0, SECOND, 25),
    ] {
        let house = House::open("tea-house", |_| Sampler::reservoir(target, rate)).await;
        assert_eq!(house.of_25(apart).await, expected, "{target} {rate} {apart:?}");
        let segments = house.close().await;
        assert_eq!(segments.len(), expected);
        assert!(segments.iter().all(|segment| rule_of(segment).is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_the_default_records_one_a_second_and_few_others() {
    for (apart, least) in [(AT_ONCE, 1), (FIFTH, 5)] {
        let house = House::open("tea-house", |_| Sampler::default()).await;
        let recorded = house.of_25(apart).await;
        // Of 24 others 11 would be a day of days: less than one in a hundred million.
        assert!((least..least + 11).contains(&recorded), "{recorded}");
        assert_eq!(house.close().await.len(), recorded);
    }
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_a_central_rule_records_what_its_quota_says_and_reports_it() {
    for (reservoir, rate, quota, apart, recorded, borrowed) in [
        // A live quota, which nothing is borrowed beside.
        (5, 0.0, Some((3, 600.0)), AT_ONCE, 3, 0),
        (5, 0.0, Some((3, 600.0)), FIFTH, 15, 0),
        (5, 0.0, Some((0, 600.0)), FIFTH, 0, 0),
        (5, 1.0, Some((3, 600.0)), AT_ONCE, 25, 0),
        // One that has expired, and none: one a second on credit.
        (5, 0.0, Some((3, -1.0)), AT_ONCE, 1, 1),
        (5, 0.0, Some((3, -1.0)), FIFTH, 5, 5),
        (5, 0.0, None, FIFTH, 5, 5),
        (5, 1.0, None, FIFTH, 25, 5),
        // Nothing to borrow from.
        (0, 0.0, None, FIFTH, 0, 0),
        (0, 1.0, None, FIFTH, 25, 0),
    ] {
        let rules = json!([rule("only", 1, rate, reservoir, "*", "*")]);
        let target = quota.map(|(quota, lives)| {
            json!({"RuleName": "only", "FixedRate": rate, "ReservoirQuota": quota, "ReservoirQuotaTTL": epoch() + lives})
        });
        let source = Rulebook::new(move |call| match call {
            Call::Rules(_) => Reply::Json(json!({ "SamplingRuleRecords": rules })),
            Call::Targets(_) => Reply::Json(json!({"SamplingTargetDocuments": target.as_slice()})),
        });
        let polled = source.clone();
        let house =
            House::open("tea-house", |outbox| Sampler::central(source, Sampler::none(), outbox)).await;
        assert!(!house.serve("/tea").await, "there are no rules yet");
        settle().await;
        // The first report brings the quota.
        house.serve("/tea").await;
        sleep(Duration::from_millis(10_200)).await;
        // The next one begins a second of the rule's.
        sleep(Duration::from_millis(800)).await;
        let start = Instant::now();
        let known = polled.reports(start).len();
        assert_eq!(known, 1);

        let case = format!("{reservoir} {rate} {quota:?} {apart:?}");
        assert_eq!(house.of_25(apart).await, recorded, "{case}");
        sleep(Duration::from_secs(11)).await;
        let reports: Vec<_> =
            polled.reports(start).into_iter().skip(known).flat_map(|(_, all)| all).collect();
        assert_eq!(summed(&reports), (25, recorded as u64, borrowed), "{case}");
        let segments = house.close().await;
        assert!(segments.iter().all(|segment| rule_of(segment) == Some("only")), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_a_lost_daemon_leaves_one_a_second_to_the_fallback() {
    for (apart, expected) in [(AT_ONCE, 1), (FIFTH, 5)] {
        let source = Rulebook::new(|_| Reply::Fails);
        let fallback = Sampler::reservoir(1, 0.0);
        let house = House::open("tea-house", |outbox| Sampler::central(source, fallback, outbox)).await;
        assert_eq!(house.of_25(apart).await, expected);
        assert_eq!(house.close().await.len(), expected);
    }
}

// ===== the rule of the course =====

#[tokio::test(start_paused = true)]
async fn the_rule_of_the_course_records_one_a_second_and_a_tenth_of_the_others_of_its_service() {
    fastrand::seed(7);
    let (source, polled) = course();
    let house =
        House::open("backend-flask", |outbox| Sampler::central(source, Sampler::none(), outbox)).await;
    house.serve("/tea").await;
    settle().await;
    let mut recorded = 0_u64;
    for _ in 0..2_000 {
        recorded += u64::from(house.serve("/tea").await);
        advance(Duration::from_millis(10)).await;
    }
    sleep(Duration::from_secs(11)).await;
    let reports: Vec<_> = polled.reports(Instant::now()).into_iter().flat_map(|(_, all)| all).collect();
    let (requests, sampled, borrowed) = summed(&reports);
    assert_eq!((requests, sampled), (2_000, recorded));
    assert!((20..=21).contains(&borrowed), "one a second: {borrowed}");
    assert_share(sampled - borrowed, 2_000 - borrowed, 0.1);
    let segments = house.close().await;
    assert_eq!(segments.len() as u64, recorded);
    assert!(segments.iter().all(|segment| rule_of(segment) == Some("Cruddur")));
}

#[tokio::test(start_paused = true)]
async fn the_rule_of_the_course_is_for_no_other_service() {
    let (source, _) = course();
    let house = House::open("frontend", |outbox| Sampler::central(source, Sampler::none(), outbox)).await;
    house.serve("/tea").await;
    settle().await;
    assert!(house.serve("/tea").await, "the one that each rule borrows");
    assert_eq!(rule_of(&house.close().await[0]), Some("Default"));
}

fn course() -> (Rulebook, Rulebook) {
    let rules = json!([
        rule("Cruddur", 9_000, 0.1, 5, "backend-flask", "*"),
        rule("Default", 10_000, 0.05, 1, "*", "*")
    ]);
    let source = Rulebook::new(move |call| match call {
        Call::Rules(_) => Reply::Json(json!({ "SamplingRuleRecords": rules })),
        Call::Targets(_) => Reply::Json(json!({})),
    });
    (source.clone(), source)
}

// ===== distributions =====

#[test]
fn shares_are_those_that_were_asked_for() {
    fastrand::seed(11);
    for rate in [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.95, 0.999] {
        let sampler = Sampler::reservoir(0, rate);
        let sampled = (0..50_000).filter(|_| sampler.sample(&Default::default()).sampled).count();
        assert_share(sampled as u64, 50_000, rate);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_share_is_about_what_was_asked_for(rate in 0.0..=1.0, seed: u64) {
        fastrand::seed(seed);
        let sampler = Sampler::reservoir(0, rate);
        let sampled = (0..10_000).filter(|_| sampler.sample(&Default::default()).sampled).count();
        assert_share(sampled as u64, 10_000, rate);
    }
}

#[test]
fn one_decision_says_nothing_about_the_next() {
    fastrand::seed(13);
    let sampler = Sampler::reservoir(0, 0.3);
    let drawn: Vec<_> = (0..50_000).map(|_| sampler.sample(&Default::default()).sampled).collect();
    let after = |first: bool| drawn.windows(2).filter(move |pair| pair[0] == first);
    for first in [true, false] {
        let both = after(first).filter(|pair| pair[1]).count();
        assert_share(both as u64, after(first).count() as u64, 0.3);
    }
}

/// Within six standard deviations of a binomial distribution: one in five hundred millions is not.
#[track_caller]
fn assert_share(sampled: u64, of: u64, rate: f64) {
    let (sampled, of) = (sampled as f64, of as f64);
    let off = (sampled - of * rate).abs();
    assert!(off <= 6.0 * (of * rate * (1.0 - rate)).sqrt() + 6.0, "{sampled} of {of} for {rate}");
}

// ===== as it was recorded with a daemon's proxy =====

/// The decisions, the documents and the reports that AWS's SDK for Python made with the same rules and targets.
#[tokio::test(start_paused = true)]
pub(crate) async fn what_was_recorded_with_central_rules_is_decided_and_sent_alike() {
    let proxy = Sink::start();
    let records = json!([
        rule("Default", 10_000, 0.05, 1, "*", "*"),
        rule("tea-all", 10, 1.0, 0, "*", "/tea*"),
        rule("five", 20, 0.0, 5, "*", "/warm*"),
    ]);
    proxy.answer(200, &[], json!({"NextToken": null, "SamplingRuleRecords": records}).to_string());
    for _ in 0..2 {
        let targets = json!([
            {"RuleName": "tea-all", "FixedRate": 1.0, "Interval": 10},
            {"RuleName": "five", "FixedRate": 0.0, "Interval": 10, "ReservoirQuota": 3, "ReservoirQuotaTTL": epoch() + 30.6},
        ]);
        let answer = json!({"LastRuleModification": 1.7e9, "UnprocessedStatistics": [], "SamplingTargetDocuments": targets});
        proxy.answer(200, &[], answer.to_string());
    }
    let address = proxy.base().strip_prefix("http://").unwrap().parse().unwrap();
    let source = DaemonProxy::new(&address).unwrap();
    let house =
        House::open("tea-house", |outbox| Sampler::central(source, Sampler::reservoir(1, 0.05), outbox))
            .await;
    let warm = async |second: &[bool]| {
        for expected in second {
            assert_eq!(house.serve("/warm").await, *expected);
        }
        advance(SECOND).await;
    };

    assert!(house.serve("/tea").await, "the fallback takes one a second");
    until(|| proxy.received().len() == 1).await;
    settle().await;
    advance(SECOND).await;
    assert!(house.serve("/tea").await);
    warm(&[true, false, false, false]).await;
    warm(&[true, false]).await;
    advance(Duration::from_secs(8)).await;
    until(|| proxy.received().len() == 2).await;
    settle().await;
    warm(&[true, true]).await;
    warm(&[true, true, true, false]).await;
    warm(&[true, true]).await;
    advance(Duration::from_secs(8)).await;
    until(|| proxy.received().len() == 3).await;

    let received = proxy.received();
    let reports: Vec<_> = received[1..].iter().map(|request| documents(&request.body)).collect();
    let of = |report: &[SamplingStatisticsDocument], name: &str| {
        let of_rule: Vec<_> = report.iter().filter(|one| one.rule_name == name).cloned().collect();
        (!of_rule.is_empty()).then(|| summed(&of_rule))
    };
    assert_eq!(of(&reports[0], "tea-all"), Some((1, 1, 0)));
    // The SDK's say that 0 were sampled: it does not count what it borrowed, as the API says.
    assert_eq!(of(&reports[0], "five"), Some((6, 2, 2)));
    assert_eq!((of(&reports[1], "tea-all"), of(&reports[1], "five")), (None, Some((8, 7, 0))));

    let recorded = ["70-central-first", "71-central-rule"]
        .into_iter()
        .chain(["72-central-borrow"; 2])
        .chain(["73-central-quota"; 7]);
    let segments = house.close().await;
    assert_eq!(segments.len(), 11);
    for (name, ours) in recorded.zip(segments) {
        let mut expected = plain(file(name));
        ALWAYS.iter().for_each(|difference| difference.apply(&mut expected, name));
        assert_eq!(plain(ours), expected, "{name}");
    }
}

// ===== what the tests are made of =====

fn rule(name: &str, priority: i64, rate: f64, reservoir: u64, service: &str, path: &str) -> Value {
    json!({"SamplingRule": {
        "RuleName": name, "RuleARN": format!("arn:aws:xray:eu-west-1:000000000000:sampling-rule/{name}"),
        "ResourceARN": "*", "Priority": priority, "FixedRate": rate, "ReservoirSize": reservoir,
        "ServiceName": service, "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": path,
        "Version": 1, "Attributes": {},
    }})
}

fn rule_of(segment: &Value) -> Option<&str> {
    segment.pointer("/aws/xray/sampling_rule_name").and_then(Value::as_str)
}

/// Requests, sampled ones, borrowed ones.
fn summed(reports: &[SamplingStatisticsDocument]) -> (u64, u64, u64) {
    reports.iter().fold((0, 0, 0), |(requests, sampled, borrowed), report| {
        (requests + report.request_count, sampled + report.sampled_count, borrowed + report.borrow_count)
    })
}

fn documents(body: &[u8]) -> Vec<SamplingStatisticsDocument> {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    serde_json::from_value(body["SamplingStatisticsDocuments"].take()).unwrap()
}

/// Lets what is ready run, without letting time go on.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

/// Waits without letting time go on: it stands still while something runs.
async fn until(is_so: impl Fn() -> bool) {
    #[allow(clippy::disallowed_types, reason = "what comes over a socket comes by the real clock")]
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it should have come");
        yield_now().await;
    }
}

fn epoch() -> f64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

const AT_ONCE: Duration = Duration::ZERO;
const FIFTH: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
