//! Exactly the counts of the algorithm, with time paused and dice that fall as they are told.

use std::{cell::Cell, sync::Arc, thread, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use super::{
    GetSamplingRulesOutput, GetSamplingTargetsOutput, Request, Sampler,
    central::Central,
    rule::{Counts, Moment},
    sampler::Random,
};

// ===== local =====

#[tokio::test(start_paused = true)]
async fn of_25_requests_the_default_takes_one_a_second_and_a_twentieth_of_the_others() {
    for (pause, expected) in [(Duration::ZERO, 1 + 2), (MILLIS_200, 5 + 2), (SECOND, 25)] {
        let sampler = Sampler::default().random(dice());
        assert_eq!(sampled_of_25(&sampler, pause).await, expected, "{pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_a_fixed_rate_takes_those_below_it() {
    for (rate, expected) in [(0.0, 0), (0.04, 1), (0.041, 2), (0.5, 13), (1.0, 25), (7.0, 25), (f64::NAN, 0)]
    {
        let sampler = Sampler::reservoir(0, rate).random(dice());
        assert_eq!(sampled_of_25(&sampler, Duration::ZERO).await, expected, "{rate}");
    }
}

#[test]
fn a_rate_is_never_reached_by_what_equals_it() {
    for (random, expected) in [(0.05, true), (0.06, false), (0.07, false)] {
        let sampler = Sampler::reservoir(0, 0.06).random(fixed(random));
        assert_eq!(sampler.sample(&Request::default()).sampled, expected, "{random}");
    }
}

#[test]
fn a_rate_of_nothing_takes_nothing_even_when_the_dice_fall_lowest() {
    let sampler = Sampler::reservoir(0, 0.0).random(|| 0.0);
    assert!(!sampler.sample(&Request::default()).sampled);
}

#[tokio::test(start_paused = true)]
async fn clones_share_a_reservoir() {
    let sampler = Sampler::reservoir(3, 0.0);
    let taken = (0..10).filter(|_| sampler.clone().sample(&Request::default()).sampled).count();
    assert_eq!(taken, 3);
}

#[tokio::test(start_paused = true)]
async fn a_decision_of_the_callers_stands_and_costs_nothing() {
    let sampler = Sampler::reservoir(1, 0.0);
    let request = Request::default();
    for decided in [true, false, true] {
        assert_eq!(sampler.decide(Some(decided), &request).sampled, decided);
    }
    assert!(sampler.decide(None, &request).sampled, "the reservoir is untouched");
    assert!(!sampler.decide(None, &request).sampled);
}

#[test]
fn a_share_of_many_is_about_that_share() {
    fastrand::seed(1);
    for (rate, low, high) in [(0.05, 4_700, 5_300), (0.5, 49_300, 50_700), (0.9, 89_500, 90_500)] {
        let sampler = Sampler::reservoir(0, rate);
        let sampled = (0..100_000).filter(|_| sampler.sample(&Request::default()).sampled).count();
        assert!((low..high).contains(&sampled), "{rate}: {sampled}");
    }
}

// ===== central: one rule =====

#[tokio::test(start_paused = true)]
async fn the_rule_of_the_course_borrows_one_a_second_and_takes_a_tenth_of_the_others() {
    let sampler = Centrally::new(json!([cruddur(), default()]));
    for (service, rule) in
        [("backend-flask", "Cruddur"), ("Backend-Flask", "Cruddur"), ("frontend", "Default")]
    {
        let sampling = sampler.ask(&Request::default().service(service));
        assert_eq!(sampling, (true, Some(rule.to_owned())), "{service}: each rule borrows one");
    }
    let sampler = Centrally::new(json!([cruddur(), default()]));
    let of = |seconds| sampler.of_25(Request::default().service("backend-flask"), seconds);
    assert_eq!(of(Duration::ZERO).await, 1 + 3);
    assert_eq!(sampler.reported("Cruddur"), Some(Counts { requests: 25, sampled: 4, borrowed: 1 }));
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_a_live_quota_takes_that_many_a_second_and_borrows_nothing() {
    for (quota, pause, expected) in [
        (3, Duration::ZERO, 3),
        (3, MILLIS_200, 3 * 5),
        (0, Duration::ZERO, 0),
        (5, MILLIS_200, 25),
        (1000, Duration::ZERO, 25),
    ] {
        let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
        sampler
            .aim(json!({"RuleName": "res5", "ReservoirQuota": quota, "ReservoirQuotaTTL": epoch() + 30.0}));
        assert_eq!(sampler.of_25(Request::default(), pause).await, expected, "{quota} {pause:?}");
        let counts = Counts { requests: 25, sampled: expected as u64, borrowed: 0 };
        advance(Duration::from_secs(10)).await;
        assert_eq!(sampler.reported("res5"), Some(counts));
    }
}

#[tokio::test(start_paused = true)]
async fn of_25_requests_an_expired_quota_takes_one_a_second_on_credit() {
    for (pause, expected) in [(Duration::ZERO, 1), (MILLIS_200, 5)] {
        let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
        sampler.aim(json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": epoch() + 30.0}));
        advance(Duration::from_secs(31)).await;
        assert_eq!(sampler.of_25(Request::default(), pause).await, expected, "{pause:?}");
        let counts = Counts { requests: 25, sampled: expected as u64, borrowed: expected as u64 };
        assert_eq!(sampler.reported("res5"), Some(counts));
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_lives_until_its_last_second() {
    for (waited, expected) in [(0, 3), (9_999, 3), (10_000, 3), (10_001, 1)] {
        let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
        sampler.aim(json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": epoch() + 10.0}));
        advance(Duration::from_millis(waited)).await;
        assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, expected, "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_without_an_end_or_with_one_that_has_passed_is_none() {
    for target in [
        json!({"RuleName": "res5", "ReservoirQuota": 3}),
        json!({"RuleName": "res5", "ReservoirQuotaTTL": epoch() + 10.0}),
        json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": epoch() - 1.0}),
        json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": -1e300}),
    ] {
        let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
        sampler.aim(target.clone());
        assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 1, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_would_never_end_ends_in_a_day() {
    let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
    sampler.aim(json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": 1e300}));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 3);
    advance(Duration::from_secs(24 * 60 * 60 + 1)).await;
    sampler.replace(json!([rule("res5", 20, 0.0, 5)]));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_reservoir_never_borrows() {
    let sampler = Centrally::new(json!([rule("rate", 20, 0.5, 0)]));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 13);
    assert_eq!(sampler.reported("rate"), Some(Counts { requests: 25, sampled: 13, borrowed: 0 }));
}

#[tokio::test(start_paused = true)]
async fn what_a_target_does_not_say_stays() {
    let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
    let end = epoch() + 600.0;
    sampler.aim(json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": end, "Interval": 20}));
    sampler.aim(json!({"RuleName": "res5", "FixedRate": 1.0}));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 25);
    advance(SECOND).await;
    sampler.aim(json!({"RuleName": "res5", "FixedRate": 0.0}));
    sampler.aim(json!({"RuleName": "res5"}));
    sampler.aim(json!({"RuleName": "another", "FixedRate": 1.0}));
    sampler.aim(json!({"FixedRate": 1.0}));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 3);
}

// ===== central: reports =====

#[tokio::test(start_paused = true)]
async fn a_report_starts_the_counts_anew_and_is_due_again_after_its_interval() {
    let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5)]));
    assert_eq!(sampler.reported("res5"), None, "nothing has happened");
    sampler.ask(&Request::default());
    assert_eq!(sampler.reported("res5"), Some(Counts { requests: 1, sampled: 1, borrowed: 1 }));
    assert_eq!(sampler.reported("res5"), None);
    for interval in [10, 30] {
        sampler.aim(json!({"RuleName": "res5", "Interval": interval}));
        sampler.ask(&Request::default());
        advance(Duration::from_secs(interval - 1)).await;
        assert_eq!(sampler.reported("res5"), None, "fresh");
        advance(SECOND).await;
        assert_eq!(sampler.reported("res5").map(|counts| counts.requests), Some(1), "stale");
    }
}

#[tokio::test(start_paused = true)]
async fn only_rules_that_had_requests_are_reported() {
    let mut health = rule("health", 10, 1.0, 0);
    health["SamplingRule"]["URLPath"] = json!("/health");
    let sampler = Centrally::new(json!([health, default()]));
    sampler.ask(&Request::default().path("/carts"));
    sampler.ask(&Request::default().path("/carts"));
    assert_eq!(sampler.reports(), [("Default".to_owned(), Counts { requests: 2, sampled: 2, borrowed: 1 })]);
}

// ===== central: all rules =====

#[tokio::test(start_paused = true)]
async fn rules_are_asked_by_priority_then_by_name_and_the_default_last() {
    let mut default = rule("Default", 1, 0.0, 1);
    default["SamplingRule"]["Host"] = json!("no-such-host");
    let mut rules = vec![
        default,
        rule("b", 4, 0.0, 0),
        rule("aa", 4, 0.0, 0),
        rule("a", 4, 0.0, 0),
        rule("z", 3, 0.0, 0),
    ];
    for expected in ["z", "a", "aa", "b", "Default"] {
        let sampler = Centrally::new(json!(rules));
        let (_, name) = sampler.ask(&Request::default().host("shop.example"));
        assert_eq!(name.as_deref(), Some(expected));
        rules.retain(|rule| rule["SamplingRule"]["RuleName"] != expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_is_for_what_all_its_patterns_match() {
    let mut only = rule("only", 1, 0.0, 0);
    for (key, pattern) in [
        ("ServiceName", "backend-*"),
        ("ServiceType", "AWS::ECS::*"),
        ("Host", "*.example:8?"),
        ("HTTPMethod", "post"),
        ("URLPath", "/carts/*"),
    ] {
        only["SamplingRule"][key] = json!(pattern);
    }
    let sampler = Centrally::new(json!([only, default()]));
    let request = Request::default()
        .service("backend-flask")
        .service_type("AWS::ECS::Container")
        .host("shop.example:80")
        .method("POST")
        .path("/carts/7");
    for (request, expected) in [
        (request, "only"),
        (Request::default(), "only"),
        (Request { path: None, ..request }, "only"),
        (request.service("frontend"), "Default"),
        (request.service_type("AWS::EC2::Instance"), "Default"),
        (request.host("shop.example"), "Default"),
        (request.method("GET"), "Default"),
        (request.path("/carts"), "Default"),
        (request.path(""), "Default"),
    ] {
        assert_eq!(sampler.ask(&request).1.as_deref(), Some(expected), "{request:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_lacks_something_or_is_not_for_us_does_not_count() {
    let change = |key: &str, value: Value| {
        let mut rule = rule("x", 1, 0.0, 1);
        rule["SamplingRule"][key] = value;
        rule
    };
    let needed = [
        "RuleName",
        "Priority",
        "FixedRate",
        "ReservoirSize",
        "Host",
        "HTTPMethod",
        "URLPath",
        "ServiceName",
        "ServiceType",
        "Version",
        "ResourceARN",
    ];
    let lacking = needed.map(|key| change(key, Value::Null));
    let others = [
        change("Version", json!(2)),
        change("ResourceARN", json!("arn:aws:x")),
        change("Attributes", json!({"a": "b"})),
        change("Priority", json!("first")),
        json!({"SamplingRule": null}),
        json!({}),
        json!(null),
        json!(7),
        change("RuleName", json!("x".repeat(257))),
        change("URLPath", json!("*a".repeat(129))),
    ];
    for wrong in lacking.into_iter().chain(others) {
        let sampler = Centrally::new(json!([wrong, rule("right", 2, 0.0, 1)]));
        let (_, name) = sampler.ask(&Request::default());
        assert_eq!(name.as_deref(), Some("right"), "{wrong}");
    }
    for right in
        [change("Attributes", Value::Null), change("Attributes", json!({})), change("New", json!([1]))]
    {
        let sampler = Centrally::new(json!([right, rule("right", 2, 0.0, 1)]));
        assert_eq!(sampler.ask(&Request::default()).1.as_deref(), Some("x"), "{right}");
    }
}

#[tokio::test(start_paused = true)]
async fn rules_are_fresh_for_an_hour_after_they_were_asked_for() {
    let sampler = Centrally::new(json!([default()]));
    advance(Duration::from_secs(3600)).await;
    assert_eq!(sampler.ask(&Request::default()).1.as_deref(), Some("Default"));
    advance(SECOND).await;
    assert_eq!(sampler.ask(&Request::default()), (true, None), "the fallback's one a second");
    assert_eq!(sampler.ask(&Request::default()), (false, None));
    sampler.replace(json!([default()]));
    assert_eq!(sampler.ask(&Request::default()).1.as_deref(), Some("Default"));
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_stays_keeps_its_counts_its_quota_and_its_reservoir() {
    let sampler = Centrally::new(json!([rule("res5", 20, 0.0, 5), rule("gone", 1, 0.0, 0)]));
    sampler.replace(json!([rule("res5", 20, 0.0, 5)]));
    sampler.aim(json!({"RuleName": "res5", "ReservoirQuota": 3, "ReservoirQuotaTTL": epoch() + 30.0}));
    assert!(sampler.ask(&Request::default()).0);
    sampler.replace(json!([rule("new", 90, 1.0, 1), rule("res5", 30, 0.0, 6)]));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 2, "of three, one was taken before");
    let counts = Counts { requests: 26, sampled: 3, borrowed: 0 };
    advance(Duration::from_secs(10)).await;
    assert_eq!(sampler.reports(), [("res5".to_owned(), counts)]);
    sampler.replace(json!([rule("res5", 30, 1.0, 6)]));
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 25, "the rate is the new rule's");
    sampler.replace(json!([rule("new", 90, 1.0, 1)]));
    sampler.replace(json!([rule("res5", 20, 0.0, 5)]));
    advance(SECOND).await;
    assert_eq!(sampler.of_25(Request::default(), Duration::ZERO).await, 1, "what was gone starts anew");
}

#[tokio::test(start_paused = true)]
async fn what_no_rule_is_for_is_left_to_the_fallback() {
    let mut rule = rule("x", 1, 1.0, 1);
    rule["SamplingRule"]["URLPath"] = json!("/x");
    for rules in [json!([rule]), json!([]), Value::Null] {
        let sampler = Centrally::new(rules);
        assert_eq!(sampler.ask(&Request::default().path("/y")), (true, None));
        assert_eq!(sampler.ask(&Request::default().path("/y")), (false, None));
    }
}

#[test]
fn whatever_threads_ask_at_once_every_request_is_counted_once() {
    let sampler = Centrally::new(json!([rule("res5", 20, 0.3, 5)]));
    let ask =
        || (0..2_000).filter(|_| sampler.central.sample(&Request::default(), fastrand::f64).sampled).count();
    let sampled: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let counts = sampler.reported("res5").unwrap();
    assert_eq!((counts.requests, counts.sampled), (8_000, sampled as u64));
}

#[tokio::test(start_paused = true)]
async fn deciding_allocates_nothing() {
    let sampler = Centrally::new(json!([cruddur(), default()])).sampler();
    let file = json!({"version": 2, "default": {"fixed_target": 1, "rate": 0.5}, "rules": [
        {"host": "*.example", "http_method": "G*", "url_path": "/Ü*/x?", "fixed_target": 1, "rate": 0.5},
    ]});
    let local = Sampler::rules(&file.to_string()).unwrap();
    for sampler in [sampler, local, Sampler::all(), Sampler::none()] {
        let request =
            Request::default().service("frontend").host("Shop.example").method("GET").path("/ü/y/x1");
        sampler.sample(&request);
        let info = allocation_counter::measure(|| {
            for _ in 0..100 {
                sampler.decide(None, &request);
            }
        });
        assert_eq!(info.count_total, 0, "{sampler:?}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_answered_makes_it_panic(rules in answer(), targets in answer()) {
        let sampler = Centrally::new(json!([default()]));
        if let Ok(rules) = serde_json::from_value::<GetSamplingRulesOutput>(rules) {
            sampler.central.replace(rules.sampling_rule_records, Instant::now());
        }
        if let Ok(targets) = serde_json::from_value::<GetSamplingTargetsOutput>(targets) {
            sampler.central.aim(&targets.sampling_target_documents, Instant::now(), moment());
        }
        sampler.ask(&Request::default().path("/x"));
        sampler.reports();
    }
}

// ===== the doubles' work =====

/// A central sampler without polling: rules and targets come when the test says so. Its dice are those of [`dice`], and
/// its fallback takes one a second.
struct Centrally {
    central: Arc<Central>,
    dice: Random,
}

impl Centrally {
    fn new(records: Value) -> Self {
        let central = Arc::new(Central::new(Sampler::reservoir(1, 0.0), |_| {}));
        let sampler = Self { central, dice: dice() };
        sampler.replace(records);
        sampler
    }

    fn replace(&self, records: Value) {
        let rules = json!({"NextToken": null, "SamplingRuleRecords": records});
        let rules: GetSamplingRulesOutput = serde_json::from_value(rules).unwrap();
        self.central.replace(rules.sampling_rule_records, Instant::now());
    }

    fn aim(&self, target: Value) {
        let targets = json!({"SamplingTargetDocuments": [target]});
        let targets: GetSamplingTargetsOutput = serde_json::from_value(targets).unwrap();
        self.central.aim(&targets.sampling_target_documents, Instant::now(), moment());
    }

    fn ask(&self, request: &Request<'_>) -> (bool, Option<String>) {
        let sampling = self.central.sample(request, self.dice);
        (sampling.sampled, sampling.rule.map(|rule| rule.to_string()))
    }

    async fn of_25(&self, request: Request<'_>, pause: Duration) -> usize {
        let mut sampled = 0;
        for _ in 0..25 {
            sampled += usize::from(self.ask(&request).0);
            advance(pause).await;
        }
        sampled
    }

    fn reports(&self) -> Vec<(String, Counts)> {
        let reports = self.central.reports(Instant::now()).into_iter();
        reports.map(|(name, counts)| (name.to_string(), counts)).collect()
    }

    fn reported(&self, name: &str) -> Option<Counts> {
        self.reports().into_iter().find(|(reported, _)| reported == name).map(|(_, counts)| counts)
    }

    fn sampler(self) -> Sampler {
        Sampler::centrally(self.central)
    }
}

async fn sampled_of_25(sampler: &Sampler, pause: Duration) -> usize {
    let mut sampled = 0;
    for _ in 0..25 {
        sampled += usize::from(sampler.sample(&Request::default()).sampled);
        advance(pause).await;
    }
    sampled
}

/// Dice that fall 0.00, 0.04, 0.08, up to 0.96, and so on from there.
fn dice() -> Random {
    FALLEN.set(0);
    || f64::from(FALLEN.replace((FALLEN.get() + 1) % 25)) / 25.0
}

/// Dice that always fall the same.
fn fixed(random: f64) -> Random {
    DRAW.set(random);
    || DRAW.get()
}

thread_local! {
    static FALLEN: Cell<u8> = const { Cell::new(0) };
    static DRAW: Cell<f64> = const { Cell::new(0.0) };
}

fn rule(name: &str, priority: i64, rate: f64, reservoir: u64) -> Value {
    json!({"CreatedAt": 0.0, "ModifiedAt": 1.7e9, "SamplingRule": {
        "RuleName": name, "RuleARN": format!("arn:aws:xray:eu-west-1:000000000000:sampling-rule/{name}"),
        "ResourceARN": "*", "Priority": priority, "FixedRate": rate, "ReservoirSize": reservoir,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
        "Version": 1, "Attributes": {},
    }})
}

/// The account's last rule, with AWS's own values.
fn default() -> Value {
    rule("Default", 10_000, 0.05, 1)
}

fn cruddur() -> Value {
    let mut cruddur = rule("Cruddur", 9_000, 0.1, 5);
    cruddur["SamplingRule"]["ServiceName"] = json!("backend-flask");
    cruddur
}

/// The wall clock when a target comes. After that, only the other one counts.
fn epoch() -> f64 {
    1.7e9
}

fn moment() -> Moment {
    Moment { now: Instant::now(), epoch: epoch() }
}

/// Any JSON that is a little like an answer.
fn answer() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[*?a-z/]{0,8}".prop_map(Value::from),
        Just(json!("Default")),
        Just(json!("*")),
    ];
    let key = prop::sample::select(vec![
        "SamplingRuleRecords",
        "SamplingRule",
        "SamplingTargetDocuments",
        "RuleName",
        "ResourceARN",
        "Priority",
        "FixedRate",
        "ReservoirSize",
        "ReservoirQuota",
        "ReservoirQuotaTTL",
        "Interval",
        "Host",
        "Version",
        "Attributes",
    ]);
    leaf.prop_recursive(4, 32, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner.clone(), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            inner.prop_map(|value| {
                let mut record = rule("Default", 1, 0.5, 1);
                record["SamplingRule"]["ReservoirSize"] = value.clone();
                json!({"SamplingRuleRecords": [record], "SamplingTargetDocuments": [
                    {"RuleName": "Default", "ReservoirQuotaTTL": value, "Interval": value},
                ]})
            }),
        ]
    })
}

const MILLIS_200: Duration = Duration::from_millis(200);
const SECOND: Duration = Duration::from_secs(1);
