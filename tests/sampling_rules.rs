//! X-Ray's sampling: AWS's own rules file, and the central rules as they are polled.
#![cfg(all(feature = "otel", feature = "xray"))]

#[path = "support/log.rs"]
mod log;
#[path = "support/rulebook.rs"]
mod rulebook;
mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use belvedere::{
    aws::{Client, Service},
    otel::{Ids, OtelLayer, Undecided},
    outbox::{Outbox, OutboxEvent},
    trace::{Propagation, Propagator},
    xray::{
        Sampler,
        sampler::{DaemonProxy, Request, SamplingSource as _, SamplingStatisticsDocument, SpanSampler},
    },
};
use opentelemetry::{
    Context, KeyValue,
    trace::{
        SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _,
        TracerProvider as _,
    },
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use proptest::prelude::*;
use rulebook::{Call, Reply, Rulebook};
use serde_json::{Value, json};
use support::{Script, sink::Sink};
use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{Instant, advance, sleep},
};
use tower::{Layer as _, ServiceExt as _, service_fn};

// ===== the file =====

#[test]
fn the_first_rule_that_matches_decides_in_both_versions() {
    for (version, host) in [(1, "service_name"), (2, "host")] {
        let rule = |pattern: &str, path: &str, rate: f64| json!({host: pattern, "http_method": "GET", "url_path": path, "fixed_target": 0, "rate": rate});
        let rules = [rule("*", "/health*", 0.0), rule("*.example", "/*", 1.0), rule("*", "/carts", 0.0)];
        let default = json!({"fixed_target": 0, "rate": 1});
        let file = json!({"version": version, "default": default, "rules": rules});
        let sampler = Sampler::rules(&file.to_string()).unwrap();
        let request = Request::default().host("shop.example").method("get");
        for (request, expected) in [
            (request.path("/health"), false),
            (request.path("/HEALTHZ"), false),
            (request.path("/carts"), true),
            (request.path("/carts").host("localhost"), false),
            (request.path("/carts").host("localhost").method("POST"), true),
        ] {
            let sampling = sampler.sample(&request);
            assert_eq!((sampling.sampled, sampling.rule), (expected, None), "version {version}: {request:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_rule_of_a_file_has_a_reservoir_of_its_own() {
    let rule = json!({"host": "*", "http_method": "*", "url_path": "/a", "fixed_target": 2, "rate": 0});
    let file = json!({"version": 2, "default": {"fixed_target": 3, "rate": 0}, "rules": [rule]});
    let sampler = Sampler::rules(&file.to_string()).unwrap();
    for _ in 0..2 {
        for (path, expected) in [("/a", 2), ("/b", 3)] {
            let sampled = (0..10).filter(|_| sampler.sample(&Request::default().path(path)).sampled);
            assert_eq!(sampled.count(), expected, "{path}");
        }
        advance(Duration::from_secs(1)).await;
    }
}

#[test]
fn a_file_that_is_wrong_is_refused_with_its_place() {
    let rule = json!({"host": "*", "http_method": "*", "url_path": "*", "fixed_target": 1, "rate": 0.5});
    let with = |key: &str, value: Value| {
        let mut rule = rule.clone();
        rule[key] = value;
        rule
    };
    let without = |key: &str| {
        let mut rule = rule.clone();
        rule.as_object_mut().unwrap().remove(key);
        rule
    };
    let default = json!({"fixed_target": 1, "rate": 0.05});
    let rules = |second: Value| json!({"version": 2, "default": default, "rules": [rule, second]});
    for (file, place, advice) in [
        (json!([]), "the sampling rules file is \"[]\"", "needs a member `version`"),
        (json!({"default": default}), "file is", "needs a member `version`"),
        (json!({"version": 3, "default": default}), "version in the sampling rules file is \"3\"", "1 and 2"),
        (json!({"version": 2}), "file is", "needs a member `default`"),
        (json!({"version": 2, "default": 1}), "default in", "needs a member `fixed_target`"),
        (json!({"version": 2, "default": {"rate": 0.5}}), "default in", "needs a member `fixed_target`"),
        (
            json!({"version": 2, "default": {"host": "*", "fixed_target": 1, "rate": 0.5}}),
            "default in",
            "no member `host`",
        ),
        (json!({"version": 2, "default": default, "rules": {}}), "rules in", "must be a list"),
        (rules(json!("x")), "rules[1] in", "needs a member `host`"),
        (rules(without("host")), "rules[1] in", "needs a member `host`"),
        (rules(without("http_method")), "rules[1] in", "needs a member `http_method`"),
        (rules(without("url_path")), "rules[1] in", "needs a member `url_path`"),
        (rules(without("fixed_target")), "rules[1] in", "needs a member `fixed_target`"),
        (rules(without("rate")), "rules[1] in", "needs a member `rate`"),
        (rules(with("host", json!(7))), "rules[1].host in", "must be a text"),
        (rules(with("url_path", Value::Null)), "rules[1].url_path in", "must be a text"),
        (rules(with("fixed_target", json!(-1))), "rules[1].fixed_target in", "whole number"),
        (rules(with("fixed_target", json!(1.5))), "rules[1].fixed_target in", "whole number"),
        (rules(with("fixed_target", json!("1"))), "rules[1].fixed_target in", "whole number"),
        (rules(with("rate", json!(-0.1))), "rules[1].rate in", "from 0 to 1"),
        (rules(with("rate", json!(5))), "rules[1].rate in the sampling rules file is \"5\"", "from 0 to 1"),
        (rules(with("service_name", json!("*"))), "rules[1] in", "it is `host`"),
        (json!({"version": 1, "default": default, "rules": [rule]}), "rules[0] in", "it is `service_name`"),
    ] {
        let error = Sampler::rules(&file.to_string()).unwrap_err();
        let message = error.to_string();
        assert!(
            error.is_invalid() && message.contains(place) && message.contains(advice),
            "{file}: {message}"
        );
    }
}

#[test]
fn a_file_that_is_no_json_is_refused_with_its_line() {
    let message = Sampler::rules("{\n  \"version\": 2,\n  oops\n}").unwrap_err().to_string();
    assert!(message.starts_with("the sampling rules file is \"oops\": it is not JSON: "), "{message}");
    assert!(message.contains("line 3"), "{message}");
    let cut = Sampler::rules("{\n  \"version\": 2,\n\n").unwrap_err().to_string();
    assert!(cut.starts_with(r#"the sampling rules file is "\"version\": 2,": it is not JSON: EOF"#), "{cut}");
    assert!(Sampler::rules("").is_err());
    let long = Sampler::rules(&"ü".repeat(10_000)).unwrap_err().to_string();
    assert!(long.len() < 300, "{long}");
}

#[test]
fn a_rule_for_the_account_is_no_file_of_rules_which_is_told() {
    let rule = include_str!("../examples/cruddur/aws/json/xray.json");
    let message = Sampler::rules(rule).unwrap_err().to_string();
    assert!(message.contains("`SamplingRule`") && message.contains("create-sampling-rule"), "{message}");
}

#[test]
fn what_a_file_says_beyond_the_rules_is_passed_over() {
    let file = json!({
        "version": 2.0,
        "default": {"fixed_target": 1.0, "rate": 0, "description": "all others"},
        "note": [null],
    });
    assert!(Sampler::rules(&file.to_string()).unwrap().sample(&Request::default()).sampled);
}

proptest! {
    #[test]
    fn no_text_makes_the_file_panic(text in "\\PC{0,80}") {
        let _ = Sampler::rules(&text);
    }

    #[test]
    fn no_json_makes_the_file_panic(file in file()) {
        if let Ok(sampler) = Sampler::rules(&file.to_string()) {
            sampler.sample(&Request::default().host("x").method("GET").path("/"));
        }
    }
}

// ===== when it is polled =====

#[tokio::test(start_paused = true)]
async fn nothing_is_polled_before_the_first_request() {
    let (central, start) = (Central::new(|_| rules(&[default()])), Instant::now());
    sleep(HOUR).await;
    assert_eq!(central.source.calls(), []);
    central.ask();
    sleep(SECOND).await;
    assert_eq!(central.source.rules_at(start), [3600.0]);
    assert_eq!(central.ask(), (true, Some("Default".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_decision_of_the_callers_starts_no_polling() {
    let central = Central::new(|_| rules(&[default()]));
    central.sampler.decide(Some(true), &Request::default());
    sleep(SECOND).await;
    assert_eq!(central.source.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn rules_are_had_at_once_and_then_every_300_to_305_seconds() {
    let (central, start) = (Central::new(|_| rules(&[default()])), Instant::now());
    central.ask();
    sleep(HOUR).await;
    let times = central.source.rules_at(start);
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(times[0], 0.0);
    assert!(gaps.len() >= 11 && gaps.iter().all(|gap| (300.0..305.1).contains(gap)), "{gaps:?}");
    let apart: BTreeSet<_> = gaps.iter().map(|gap| (gap * 1000.0) as u64).collect();
    assert!(apart.len() > 1, "a random part keeps processes apart: {gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_happened_is_reported_every_10_seconds_and_a_little() {
    let (central, start) = (Central::new(both(&[rule("all", 1, 1.0, 0)])), Instant::now());
    central.settled().await;
    for second in 0..100 {
        if second < 50 {
            central.ask();
        }
        sleep(SECOND).await;
    }
    let reports = central.source.reports(start);
    assert_eq!(reports.len(), 5, "nothing to report is not reported: {reports:?}");
    for (at, (time, documents)) in reports.iter().enumerate() {
        let ten = 10.0 * (at + 1) as f64;
        assert!((ten..ten + 0.1 * (at + 1) as f64 + 0.01).contains(time), "{time}");
        let [SamplingStatisticsDocument { rule_name, request_count, sampled_count, borrow_count, .. }] =
            &documents[..]
        else {
            panic!("{documents:?}")
        };
        assert_eq!((&**rule_name, *borrow_count), ("all", 0));
        assert!((9..=11).contains(request_count) && request_count == sampled_count, "{documents:?}");
    }
    let count: u64 = reports.iter().map(|(_, documents)| documents[0].request_count).sum();
    assert_eq!(count, 50, "every request is reported once");
}

#[tokio::test(start_paused = true)]
async fn a_longer_interval_is_kept() {
    let target = json!({"RuleName": "all", "FixedRate": 1.0, "Interval": 25});
    let central = Central::new(move |call| match call {
        Call::Rules(_) => rules(&[rule("all", 1, 1.0, 0)]),
        Call::Targets(_) => Reply::Json(json!({"SamplingTargetDocuments": [target]})),
    });
    let start = Instant::now();
    central.settled().await;
    for _ in 0..90 {
        central.ask();
        sleep(SECOND).await;
    }
    let times: Vec<_> = central.source.reports(start).iter().map(|(at, _)| *at as u64).collect();
    assert_eq!(times, [10, 40, 70], "at the first tick that is 25 s or more after the last");
}

#[tokio::test(start_paused = true)]
async fn at_most_25_rules_are_reported_at_once_and_a_failure_costs_only_its_own() {
    let all: Vec<_> = (0..60).map(|number| path_rule(number, 1.0)).collect();
    let fails = Arc::new(AtomicBool::new(true));
    let central = Central::new(move |call| match call {
        Call::Rules(_) => rules(&all),
        Call::Targets(_) if fails.swap(false, Ordering::Relaxed) => Reply::Fails,
        Call::Targets(documents) => {
            let target = |document: &SamplingStatisticsDocument| json!({"RuleName": document.rule_name, "FixedRate": 0.0});
            Reply::Json(json!({"SamplingTargetDocuments": documents.iter().map(target).collect::<Vec<_>>()}))
        }
    });
    let start = Instant::now();
    central.settled().await;
    let sampled = || {
        let ask = |number| central.sampler.sample(&Request::default().path(&format!("/{number:02}"))).sampled;
        (0..60).map(ask).collect::<Vec<_>>()
    };
    assert_eq!(sampled(), [true; 60]);
    sleep(Duration::from_secs(11)).await;
    let sizes: Vec<_> = central.source.reports(start).iter().map(|(_, documents)| documents.len()).collect();
    assert_eq!(sizes, [25, 25, 10]);
    let rates: Vec<_> = [true; 25].into_iter().chain([false; 35]).collect();
    assert_eq!(sampled(), rates);
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_the_rules_are_read() {
    let central = Central::new(|call| match call {
        Call::Rules(None) => Reply::Json(json!({"NextToken": "2", "SamplingRuleRecords": [default()]})),
        Call::Rules(Some(token)) if token == "2" => {
            Reply::Json(json!({"NextToken": "3", "SamplingRuleRecords": null}))
        }
        Call::Rules(_) => {
            Reply::Json(json!({"NextToken": "", "SamplingRuleRecords": [rule("on-page-3", 1, 1.0, 0)]}))
        }
        Call::Targets(_) => Reply::Fails,
    });
    central.settled().await;
    assert_eq!(central.ask(), (true, Some("on-page-3".to_owned())));
    let tokens: Vec<_> = central.source.calls().into_iter().map(|(_, call)| call).collect();
    assert_eq!(tokens, [None, Some("2".to_owned()), Some("3".to_owned())].map(Call::Rules));
}

#[tokio::test(start_paused = true)]
async fn pages_that_lead_nowhere_are_not_read_forever() {
    let central =
        Central::new(|_| Reply::Json(json!({"NextToken": "again", "SamplingRuleRecords": [default()]})));
    central.settled().await;
    assert_eq!(central.source.calls().len(), 100);
    assert_eq!(central.failures(), ["endless: one page of the rules led to another"]);
    assert_eq!(central.ask().1, None);
}

#[tokio::test(start_paused = true)]
async fn more_rules_than_an_account_can_have_are_not_kept() {
    for (count, expected) in [(1_000, Some("0")), (1_001, None)] {
        let all: Vec<_> = (0..count).map(|n| rule(&n.to_string(), n, 1.0, 0)).collect();
        let central = Central::new(move |_| rules(&all));
        central.settled().await;
        assert_eq!(central.ask().1.as_deref(), expected);
        assert_eq!(central.failures().len(), usize::from(expected.is_none()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_tells_of_more_failures_than_there_were_reports() {
    let central = Central::new(move |call| match call {
        Call::Rules(_) => rules(&[default()]),
        Call::Targets(_) => Reply::Json(json!({"UnprocessedStatistics": vec![json!({}); 10_000]})),
    });
    central.settled().await;
    central.ask();
    sleep(Duration::from_secs(15)).await;
    assert_eq!(central.failures().len(), 25);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_leaves_the_rules_as_they_were() {
    let has_failed = Arc::new(AtomicBool::new(false));
    let fails = has_failed.clone();
    let central = Central::new(move |call| match call {
        Call::Rules(None) if fails.load(Ordering::Relaxed) => {
            Reply::Json(json!({"NextToken": "2", "SamplingRuleRecords": [rule("half", 1, 1.0, 0)]}))
        }
        Call::Rules(None) => rules(&[default()]),
        _ => Reply::Fails,
    });
    central.settled().await;
    has_failed.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(310)).await;
    assert!(central.source.calls().len() >= 3);
    assert_eq!(central.ask().1.as_deref(), Some("Default"));
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_was_changed_has_the_rules_read_at_once_and_once() {
    let modified = Arc::new(AtomicU64::new(0));
    let told = modified.clone();
    let central = Central::new(move |call| match call {
        Call::Rules(_) => rules(&[default()]),
        Call::Targets(_) => {
            let modified = told.load(Ordering::Relaxed) as f64;
            Reply::Json(json!({"LastRuleModification": modified, "SamplingTargetDocuments": []}))
        }
    });
    let start = Instant::now();
    central.settled().await;
    let polls = async |seconds| {
        for _ in 0..seconds {
            central.ask();
            sleep(SECOND).await;
        }
        central.source.rules_at(start).len()
    };
    assert_eq!(polls(25).await, 1, "it was changed before they were read");
    modified.store(epoch() + 3600, Ordering::Relaxed);
    assert_eq!(polls(25).await, 2, "also where this clock is behind, it is not read after every report");
    modified.store(epoch() + 3601, Ordering::Relaxed);
    assert_eq!(polls(25).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_not_understood_has_the_rules_read_and_is_told() {
    for (code, expected) in [("400", 2), ("InternalFailure", 1), ("500", 1)] {
        let central = Central::new(move |call| match call {
            Call::Rules(_) => rules(&[default()]),
            Call::Targets(_) => Reply::Json(json!({"UnprocessedStatistics": [
                {"RuleName": "Default", "ErrorCode": code, "Message": "unknown"},
            ]})),
        });
        let start = Instant::now();
        central.settled().await;
        central.ask();
        sleep(Duration::from_secs(15)).await;
        assert_eq!(central.source.rules_at(start).len(), expected, "{code}");
        assert_eq!(central.failures(), [format!("unprocessed: Default {code} unknown")]);
    }
}

// ===== when it fails =====

#[tokio::test(start_paused = true)]
async fn a_lost_daemon_leaves_it_to_the_fallback_and_is_asked_ever_more_rarely() {
    let central = Central::new(|_| Reply::Fails);
    let start = Instant::now();
    let sampled = (0..25).filter(|_| central.ask() == (true, None)).count();
    assert_eq!(sampled, 1, "the fallback takes one a second");
    sleep(Duration::from_secs(1300)).await;
    let times: Vec<_> = central.source.rules_at(start).iter().map(|at| *at as u64).collect();
    assert_eq!(times, [0, 10, 30, 70, 150, 310, 610, 910, 1210]);
    assert_eq!(central.failures().len(), times.len());
}

#[tokio::test(start_paused = true)]
async fn rules_outlive_a_lost_daemon_for_an_hour() {
    let is_lost = Arc::new(AtomicBool::new(false));
    let lost = is_lost.clone();
    let central = Central::new(move |_| match lost.load(Ordering::Relaxed) {
        true => Reply::Fails,
        false => rules(&[rule("all", 1, 1.0, 0)]),
    });
    central.settled().await;
    is_lost.store(true, Ordering::Relaxed);
    sleep(HOUR - SECOND * 2).await;
    assert_eq!(central.ask(), (true, Some("all".to_owned())));
    sleep(SECOND * 3).await;
    let sampled = (0..25).filter(|_| central.ask() == (true, None)).count();
    assert_eq!(sampled, 1, "the fallback's");
    is_lost.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(301)).await;
    assert_eq!(central.ask(), (true, Some("all".to_owned())), "it is back");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_or_never_answers_is_asked_again() {
    let turn = AtomicU64::new(0);
    let central = Central::new(move |_| match turn.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Panics,
        1 => Reply::Silence,
        _ => rules(&[default()]),
    });
    central.settled().await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(central.failures(), ["panic", "timeout"]);
    assert_eq!(central.ask().1.as_deref(), Some("Default"));
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_and_the_log_hears_of_them_once_in_a_while() {
    let log = log::Log::default();
    let _subscriber = tracing::subscriber::set_default(log.subscriber());
    let central = Central::new(|call| match call {
        Call::Rules(_) => rules(&[default()]),
        Call::Targets(_) => Reply::Json(json!({"UnprocessedStatistics": [{}, {}, {}, {}]})),
    });
    central.settled().await;
    central.ask();
    sleep(Duration::from_secs(12)).await;
    assert_eq!(central.counts(), [1, 2, 3, 4]);
    let warnings: Vec<_> = log.lines().into_iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("xray sampling") && warnings[0].contains("unprocessed"), "{warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_the_polling_and_ends_it() {
    for reply in [|| Reply::Silence, || rules(&[default()])] {
        let central = Central::new(move |_| reply());
        central.settled().await;
        let start = Instant::now();
        central.outbox.shutdown(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        let calls = central.source.calls().len();
        sleep(HOUR).await;
        central.ask();
        assert_eq!(central.source.calls().len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_no_polling_begins() {
    let central = Central::new(|_| rules(&[default()]));
    central.outbox.shutdown(SECOND).await;
    assert_eq!(central.ask(), (true, None), "the fallback's");
    sleep(HOUR).await;
    assert_eq!(central.source.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn polling_ends_with_the_last_clone_of_the_sampler() {
    let Central { sampler, source, outbox: _outbox, .. } = Central::new(|_| rules(&[default()]));
    let clone = sampler.clone();
    sampler.sample(&Request::default());
    drop(sampler);
    sleep(HOUR).await;
    let calls = source.calls().len();
    assert!(calls > 5);
    drop(clone);
    sleep(HOUR).await;
    assert_eq!(source.calls().len(), calls);
}

#[test]
fn a_sampler_does_not_keep_its_outbox_alive() {
    let outbox = Outbox::builder().start().unwrap();
    let weak = outbox.downgrade();
    let source = Rulebook::new(|_| Reply::Silence);
    let sampler = Sampler::central(source, Sampler::all(), &outbox);
    sampler.sample(&Request::default());
    drop(outbox);
    assert!(weak.upgrade().is_none());
    assert!(sampler.sample(&Request::default()).sampled);
}

// ===== over a real socket =====

/// The requests and rules of an exchange that AWS's SDK for Python had with a daemon's proxy, and what it reported, but that
/// the borrowed requests are among the sampled ones.
#[tokio::test(start_paused = true)]
async fn the_exchange_with_a_daemons_proxy() {
    let proxy = Sink::start();
    let records = json!([
        default(),
        pattern_rule("ok-all", 10, 1.0, 0, "/ok*"),
        pattern_rule("res5", 20, 0.0, 5, "/health*"),
        pattern_rule("told", 30, 0.0, 0, "/told"),
    ]);
    proxy.answer(200, &[], json!({"NextToken": null, "SamplingRuleRecords": records}).to_string());
    for _ in 0..2 {
        let end = epoch() as f64 + 30.6;
        let targets = json!([
            {"RuleName": "ok-all", "FixedRate": 1.0, "Interval": 10},
            {"RuleName": "res5", "FixedRate": 0.0, "Interval": 10, "ReservoirQuota": 3, "ReservoirQuotaTTL": end},
            // What the test knows by that the answer has come.
            {"RuleName": "told", "FixedRate": 1.0},
        ]);
        let modified = 1_700_000_000.0;
        let answer = json!({"LastRuleModification": modified, "UnprocessedStatistics": [], "SamplingTargetDocuments": targets});
        proxy.answer(200, &[], answer.to_string());
    }

    let outbox = Outbox::builder().runtime(Handle::current()).start().unwrap();
    let source = daemon(&proxy);
    let sampler = Sampler::central(source, Sampler::none(), &outbox);
    let ask = |path| {
        let sampling = sampler.sample(&Request::default().service("golden-flask").method("GET").path(path));
        (sampling.sampled, sampling.rule.map(|rule| rule.to_string()))
    };
    let health = async |expected: &[bool]| {
        for expected in expected {
            assert_eq!(ask("/health"), (*expected, Some("res5".to_owned())));
        }
        advance(SECOND).await;
    };

    assert_eq!(ask("/ok"), (false, None), "there are no rules yet");
    until(|| ask("/told").1.is_some()).await;
    assert_eq!(ask("/ok"), (true, Some("ok-all".to_owned())));
    health(&[true, false, false, false]).await;
    health(&[true, false]).await;

    advance(Duration::from_secs(9)).await;
    until(|| ask("/told").0).await;
    health(&[true]).await;
    health(&[true, true, true, false]).await;
    health(&[true, true, true]).await;

    advance(Duration::from_secs(9)).await;
    until(|| proxy.received().len() == 3).await;
    let received = proxy.received();
    let paths: Vec<_> = received.iter().map(|request| &*request.path).collect();
    assert_eq!(paths, ["/GetSamplingRules", "/SamplingTargets", "/SamplingTargets"]);
    assert!(received.iter().all(|request| request.headers["content-type"] == "application/json"));
    assert_eq!(received[0].body, b"{}");
    let [first, second] = [1, 2].map(|at| documents(&received[at].body));
    let of = |documents: &[SamplingStatisticsDocument], name: &str| {
        let document = documents.iter().find(|document| document.rule_name == name)?;
        Some((document.request_count, document.borrow_count, document.sampled_count))
    };
    assert_eq!(of(&first, "ok-all"), Some((1, 0, 1)));
    assert_eq!(of(&first, "res5"), Some((6, 2, 2)), "AWS's SDKs report 0 as sampled, the API says otherwise");
    assert_eq!(of(&second, "ok-all"), None);
    assert_eq!(of(&second, "res5"), Some((8, 0, 7)));
    for document in first.iter().chain(&second) {
        let id = &document.client_id;
        assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(*id, first[0].client_id, "the same for the life of the process");
        assert!(document.timestamp.abs_diff(epoch()) < 60);
    }
    outbox.shutdown(SECOND).await;
}

#[test]
fn rules_come_on_the_outboxs_own_thread_to_where_no_runtime_is() {
    let proxy = Sink::start();
    proxy.answer(200, &[], json!({"SamplingRuleRecords": [rule("all", 1, 1.0, 0)]}).to_string());
    let outbox = Outbox::builder().start().unwrap();
    let source = daemon(&proxy);
    let sampler = Sampler::central(source, Sampler::none(), &outbox);
    #[allow(clippy::disallowed_types, reason = "what comes over a socket comes by the real clock")]
    let start = std::time::Instant::now();
    while !sampler.sample(&Request::default()).sampled {
        assert!(start.elapsed() < Duration::from_secs(20), "it should have come");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn what_a_proxy_answers_badly_is_told_with_its_reason() {
    let proxy = Sink::start();
    let source = daemon(&proxy);
    for (status, body, expected) in [
        (500, "broken\n", "http 500: broken"),
        (403, "", "http 403"),
        (200, "<html>", "unreadable: expected value at line 1 column 1"),
        (200, "", "unreadable: EOF while parsing a value at line 1 column 0"),
    ] {
        proxy.answer(status, &[], body);
        assert_eq!(source.rules(None).await.unwrap_err().to_string(), expected);
        proxy.answer(status, &[], body);
        assert_eq!(source.targets(&[]).await.unwrap_err().to_string(), expected);
    }
    proxy.answer(200, &[], "{}");
    source.rules(Some("page \"2\"")).await.unwrap();
    let last = proxy.received().pop().unwrap();
    assert_eq!(last.body, br#"{"NextToken":"page \"2\""}"#);
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_refused() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let source = DaemonProxy::new(&closed.to_string().parse().unwrap()).unwrap();
    assert_eq!(source.rules(None).await.unwrap_err().phrase(), "refused");
}

/// The proxy of a daemon whose answers a sink gives.
fn daemon(sink: &Sink) -> DaemonProxy {
    DaemonProxy::new(&sink.base().strip_prefix("http://").unwrap().parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_page_of_rules_may_be_long() {
    let proxy = Sink::start();
    let records: Vec<_> = (0..2_000).map(|number| rule(&format!("rule {number}"), number, 1.0, 0)).collect();
    let page = json!({ "SamplingRuleRecords": records }).to_string();
    assert!(page.len() > 256 * 1024, "{}", page.len());
    proxy.answer(200, &[], page);
    assert_eq!(daemon(&proxy).rules(None).await.unwrap().sampling_rule_records.len(), 2_000);
}

#[tokio::test]
async fn x_ray_itself_is_asked_with_signed_requests() {
    let xray = Sink::start();
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("AWS_ENDPOINT_URL_XRAY", &*xray.base()),
    ];
    let lookup =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let client = Client::lookup(Service::XRAY, lookup).unwrap();
    xray.answer(200, &[], json!({"SamplingRuleRecords": [rule("all", 1, 1.0, 0)]}).to_string());
    assert_eq!(client.rules(None).await.unwrap().sampling_rule_records.len(), 1);
    xray.answer(403, &[], "no");
    assert_eq!(client.targets(&[]).await.unwrap_err().to_string(), "http 403: no");
    let received = xray.received();
    assert_eq!(received[0].path, "/GetSamplingRules");
    assert_eq!(received.last().unwrap().path, "/SamplingTargets");
    let signature = received[0].headers["authorization"].to_str().unwrap();
    assert!(signature.contains("/eu-west-1/xray/aws4_request"), "{signature}");
    assert!(!String::from_utf8_lossy(&xray.bytes()).contains("canary"));
}

// ===== for the OpenTelemetry SDK =====

#[tokio::test(start_paused = true)]
async fn a_span_that_begins_a_trace_is_sampled_by_the_rules() {
    let rule = |path: &str, rate: f64| json!({"host": "shop.example", "http_method": "GET", "url_path": path, "fixed_target": 0, "rate": rate});
    let file = json!({"version": 2, "default": {"fixed_target": 0, "rate": 0}, "rules": [rule("/health", 0.0), rule("/*", 1.0)]});
    let sampler = SpanSampler::new(Sampler::rules(&file.to_string()).unwrap(), "backend-flask");
    let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
    for (attributes, expected) in [
        ([("http.request.method", "GET"), ("url.path", "/carts"), ("server.address", "shop.example")], true),
        (
            [("http.request.method", "GET"), ("url.path", "/health"), ("server.address", "shop.example")],
            false,
        ),
        ([("http.request.method", "PUT"), ("url.path", "/carts"), ("server.address", "shop.example")], false),
        ([("http.request.method", "GET"), ("url.path", "/carts"), ("server.address", "localhost")], false),
        ([("http.request.method", "GET"), ("url.path", "/carts"), ("other", "x")], true),
    ] {
        let tracer = provider.tracer("test");
        let attributes = attributes.map(|(key, value)| KeyValue::new(key, value));
        let span = tracer.span_builder("GET").with_attributes(attributes.clone()).start(&tracer);
        assert_eq!(opentelemetry::trace::Span::span_context(&span).is_sampled(), expected, "{attributes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_central_rule_sees_the_services_name_and_kind() {
    let mut only = rule("only", 1, 1.0, 0);
    only["SamplingRule"]["ServiceName"] = json!("backend-*");
    only["SamplingRule"]["ServiceType"] = json!("AWS::ECS::*");
    let mut last = default();
    (last["SamplingRule"]["FixedRate"], last["SamplingRule"]["ReservoirSize"]) = (json!(0.0), json!(0));
    let central = Central::new(move |_| rules(&[only.clone(), last.clone()]));
    central.settled().await;
    for (service, kind, expected) in [
        ("backend-flask", Some("AWS::ECS::Container"), true),
        ("backend-flask", None, true),
        ("backend-flask", Some("AWS::EC2::Instance"), false),
        ("frontend", None, false),
    ] {
        let mut sampler = SpanSampler::new(central.sampler.clone(), service);
        if let Some(kind) = kind {
            sampler = sampler.service_type(kind);
        }
        let provider = SdkTracerProvider::builder().with_sampler(sampler).build();
        let span = provider.tracer("test").start("GET");
        assert_eq!(
            opentelemetry::trace::Span::span_context(&span).is_sampled(),
            expected,
            "{service} {kind:?}"
        );
    }
}

#[test]
fn a_span_with_a_parent_is_sampled_as_its_parent_and_keeps_its_state() {
    for (sampler, is_remote, sampled) in [
        (Sampler::all(), true, false),
        (Sampler::none(), true, true),
        (Sampler::all(), false, false),
        (Sampler::none(), false, true),
    ] {
        let provider = SdkTracerProvider::builder().with_sampler(SpanSampler::new(sampler, "a")).build();
        let flags = TraceFlags::default().with_sampled(sampled);
        let state: TraceState = "vendor=1".parse().unwrap();
        let parent = SpanContext::new(TraceId::from(7), SpanId::from(7), flags, is_remote, state);
        let context = Context::new().with_remote_span_context(parent);
        let tracer = provider.tracer("test");
        let span = tracer.start_with_context("GET", &context);
        let context = opentelemetry::trace::Span::span_context(&span);
        assert_eq!((context.is_sampled(), context.trace_state().header()), (sampled, "vendor=1".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn behind_a_load_balancer_that_leaves_it_open_the_rules_decide() {
    let spans = InMemorySpanExporter::default();
    let sampler = Undecided(SpanSampler::new(Sampler::reservoir(2, 0.0), "shop"));
    let provider = SdkTracerProvider::builder()
        .with_id_generator(Ids)
        .with_sampler(sampler)
        .with_simple_exporter(spans.clone())
        .build();
    let layer = OtelLayer::new().tracer_provider(&provider).propagation(Propagation::new([Propagator::XRay]));
    for (header, expected) in [
        ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736", 1),
        ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=0", 1),
        ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1", 2),
        ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?", 3),
        ("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=?", 3),
    ] {
        let service = layer.layer(service_fn(async |_: http::Request<()>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(Script::new().last()))
        }));
        let request = http::Request::get("/carts").header("x-amzn-trace-id", header).body(()).unwrap();
        drop(service.oneshot(request).await);
        assert_eq!(spans.get_finished_spans().unwrap().len(), expected, "{header}");
    }
}

// ===== the request =====

#[test]
fn a_request_is_told_by_its_host_its_method_and_its_path() {
    for (uri, host, expected) in [
        ("/carts?x=1", Some("shop.example:80"), Some("shop.example:80")),
        ("/carts", None, None),
        ("https://user:secret@shop.example:8443/carts", Some("other"), Some("shop.example:8443")),
    ] {
        let mut request = http::Request::put(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let mut wanted = Request::default().method("PUT").path("/carts");
        if let Some(host) = expected {
            wanted = wanted.host(host);
        }
        assert_eq!(Request::of(&parts), wanted, "{uri}");
    }
}

// ===== what the tests are made of =====

/// A central sampler on paused time, whose fallback takes one a second.
struct Central {
    sampler: Sampler,
    source: Rulebook,
    outbox: Outbox,
    events: Arc<Mutex<Vec<OutboxEvent>>>,
}

impl Central {
    fn new(play: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let events = Arc::<Mutex<Vec<OutboxEvent>>>::default();
        let heard = events.clone();
        let outbox = Outbox::builder()
            .runtime(Handle::current())
            .events(move |event| heard.lock().unwrap().push(event.clone()))
            .start()
            .unwrap();
        let source = Rulebook::new(play);
        let sampler = Sampler::central(source.clone(), Sampler::reservoir(1, 0.0), &outbox);
        Self { sampler, source, outbox, events }
    }

    /// Waits until the first poll is over. The request that began it was the fallback's.
    async fn settled(&self) {
        self.ask();
        for _ in 0..1000 {
            yield_now().await;
        }
    }

    fn ask(&self) -> (bool, Option<String>) {
        let sampling = self.sampler.sample(&Request::default());
        (sampling.sampled, sampling.rule.map(|rule| rule.to_string()))
    }

    fn failures(&self) -> Vec<String> {
        self.failed().into_iter().map(|(_, reason)| reason).collect()
    }

    fn counts(&self) -> Vec<u64> {
        self.failed().into_iter().map(|(failures, _)| failures).collect()
    }

    fn failed(&self) -> Vec<(u64, String)> {
        let events = self.events.lock().unwrap();
        let failed = events.iter().map(|event| match event {
            OutboxEvent::Failed { lane, failures, reason, .. } => {
                assert_eq!((&**lane, event.lane()), ("xray sampling", "xray sampling"));
                (*failures, reason.to_string())
            }
            event => panic!("{event:?}"),
        });
        failed.collect()
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

fn rules(records: &[Value]) -> Reply {
    Reply::Json(json!({"NextToken": null, "SamplingRuleRecords": records}))
}

/// Rules, and targets that change nothing.
fn both(records: &[Value]) -> impl Fn(&Call) -> Reply + Send + Sync + 'static {
    let records = records.to_vec();
    move |call| match call {
        Call::Rules(_) => rules(&records),
        Call::Targets(_) => Reply::Json(json!({})),
    }
}

fn rule(name: &str, priority: i64, rate: f64, reservoir: u64) -> Value {
    pattern_rule(name, priority, rate, reservoir, "*")
}

fn path_rule(number: i64, rate: f64) -> Value {
    pattern_rule(&format!("rule-{number:02}"), number, rate, 0, &format!("/{number:02}"))
}

fn pattern_rule(name: &str, priority: i64, rate: f64, reservoir: u64, path: &str) -> Value {
    json!({"CreatedAt": 0.0, "ModifiedAt": 1.7e9, "SamplingRule": {
        "RuleName": name, "RuleARN": format!("arn:aws:xray:eu-west-1:000000000000:sampling-rule/{name}"),
        "ResourceARN": "*", "Priority": priority, "FixedRate": rate, "ReservoirSize": reservoir,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": path,
        "Version": 1, "Attributes": {},
    }})
}

/// The account's last rule, with AWS's own values.
fn default() -> Value {
    rule("Default", 10_000, 0.05, 1)
}

fn documents(body: &[u8]) -> Vec<SamplingStatisticsDocument> {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    let members = body.as_object().unwrap().keys().collect::<Vec<_>>();
    assert_eq!(members, ["SamplingStatisticsDocuments"]);
    serde_json::from_value(body["SamplingStatisticsDocuments"].take()).unwrap()
}

fn epoch() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// Any JSON that is a little like a rules file.
fn file() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1)),
        Just(json!(2)),
        Just(json!(0.5)),
        "[*?a-z/]{0,8}".prop_map(Value::from),
    ];
    let keys = [
        "version",
        "default",
        "rules",
        "host",
        "service_name",
        "http_method",
        "url_path",
        "fixed_target",
        "rate",
    ];
    let key = prop::sample::select(keys.to_vec());
    leaf.prop_recursive(4, 32, 9, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner.clone(), 0..9)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            (inner.clone(), inner).prop_map(|(rate, path)| json!({
                "version": 2,
                "default": {"fixed_target": 1, "rate": 0.5},
                "rules": [{"host": "*", "http_method": "*", "url_path": path, "fixed_target": 0, "rate": rate}],
            })),
        ]
    })
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
