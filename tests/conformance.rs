//! The rules of the W3C's Trace Context recommendation, as a caller and a callee of `examples/conformance.rs` see them:
//! headers in, headers out, over real sockets.
#![cfg(feature = "full")]

mod support;

use std::sync::{Arc, LazyLock, Mutex};

use axum::{Router, extract::State, routing::post};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use proptest::prelude::*;
use support::example::Example;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "1234567890123456";

/// The service under test, and an endpoint that it calls and that keeps the headers it was called with.
struct Harness {
    service: String,
    callback: String,
    calls: Calls,
    _example: Example,
}

type Calls = Arc<Mutex<Vec<HeaderMap>>>;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

impl Harness {
    fn start() -> Self {
        let mut example = Example::start("conformance", &[("PORT", "0")]);
        let line = example.line_with("listening on ");
        let service = line.trim_start_matches("listening on ").to_owned();
        let calls = Calls::default();
        let app = Router::new().route("/callback/{number}", post(note)).with_state(calls.clone());
        let listener = RUNTIME.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let callback = format!("http://{}/callback", listener.local_addr().unwrap());
        RUNTIME.spawn(async { axum::serve(listener, app).await });
        Self { service, callback, calls, _example: example }
    }

    /// What a callee gets when a caller sends these header lines: one set of headers for each of `calls` calls.
    fn send_and_call(&self, lines: &[(&str, &[u8])], calls: usize) -> Vec<HeaderMap> {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let call = serde_json::json!({ "url": format!("{}/{number}", self.callback), "arguments": [] });
        let body = serde_json::Value::from(vec![call; calls]).to_string();
        let mut request = Request::post(&self.service).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in lines {
            request = request.header(*name, http::HeaderValue::from_bytes(value).unwrap());
        }
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let response = RUNTIME.block_on(client.request(request.body(Full::from(body)).unwrap())).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut made = self.calls.lock().unwrap().clone();
        made.retain(|headers| headers["x-number"] == *number);
        assert_eq!(made.len(), calls);
        made
    }

    fn send(&self, lines: &[(&str, &str)]) -> HeaderMap {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.send_and_call(&lines, 1).remove(0)
    }

    /// Sends a valid `traceparent` with these lines of `tracestate`.
    fn state_of(&self, lines: &[&str]) -> Option<String> {
        let traceparent_line = valid();
        let mut all = vec![("traceparent", traceparent_line.as_str())];
        all.extend(lines.iter().map(|line| ("tracestate", *line)));
        let headers = self.send(&all);
        assert_eq!(traceparent(&headers).0, TRACE, "a tracestate never spoils the traceparent");
        tracestate(&headers)
    }
}

async fn note(State(calls): State<Calls>, uri: http::Uri, mut headers: HeaderMap) {
    headers.insert("x-number", uri.path().rsplit('/').next().unwrap().parse().unwrap());
    calls.lock().unwrap().push(headers);
}

/// The parts of the one valid `traceparent`: trace id, parent id, flags.
#[track_caller]
fn traceparent(headers: &HeaderMap) -> (String, String, String) {
    assert_eq!(headers.get_all("traceparent").iter().count(), 1);
    let value = headers["traceparent"].to_str().unwrap();
    let parts: Vec<_> = value.split('-').map(str::to_owned).collect();
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let [version, trace, parent, flags] = <[String; 4]>::try_from(parts).unwrap();
    assert!(version == "00" && trace.len() == 32 && parent.len() == 16 && flags.len() == 2, "{value}");
    assert!(hex(&trace) && hex(&parent) && hex(&flags), "{value}");
    assert!(trace.bytes().any(|byte| byte != b'0') && parent.bytes().any(|byte| byte != b'0'), "{value}");
    (trace, parent, flags)
}

#[track_caller]
fn tracestate(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<_> = headers.get_all("tracestate").iter().map(|line| line.to_str().unwrap()).collect();
    assert!(lines.iter().all(|line| !line.is_empty()), "an empty tracestate is not sent");
    (!lines.is_empty()).then(|| lines.join(","))
}

fn valid() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

#[test]
fn without_headers_a_trace_begins_and_its_id_is_marked_as_random() {
    let harness = Harness::start();
    let (trace, _, flags) = traceparent(&harness.send(&[]));
    assert_ne!(trace, TRACE);
    assert_eq!(flags, "03");
}

#[test]
fn a_valid_parent_is_gone_on_with_under_an_id_of_our_own() {
    let harness = Harness::start();
    let (trace, parent, _) = traceparent(&harness.send(&[("traceparent", &valid())]));
    assert_eq!(trace, TRACE);
    assert_ne!(parent, PARENT);
}

#[test]
fn each_call_has_a_parent_of_its_own_in_the_one_trace() {
    let harness = Harness::start();
    let line = valid();
    let calls = harness.send_and_call(&[("traceparent", line.as_bytes())], 3);
    let parts: Vec<_> = calls.iter().map(traceparent).collect();
    assert!(parts.iter().all(|(trace, ..)| trace == TRACE));
    let parents: std::collections::HashSet<_> = parts.into_iter().map(|(_, parent, _)| parent).collect();
    assert_eq!(parents.len(), 3);
}

#[test]
fn the_sampling_and_random_flags_are_passed_on() {
    let harness = Harness::start();
    for (sent, expected) in
        [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("08", "00")]
    {
        let line = format!("00-{TRACE}-{PARENT}-{sent}");
        let (trace, _, flags) = traceparent(&harness.send(&[("traceparent", &line)]));
        assert_eq!((trace.as_str(), flags.as_str()), (TRACE, expected), "{sent}");
    }
}

#[test]
fn a_parent_that_breaks_a_rule_is_not_there() {
    let harness = Harness::start();
    let state = ("tracestate", "foo=1");
    for line in [
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("0-{TRACE}-{PARENT}-01"),
        format!("000-{TRACE}-{PARENT}-01"),
        format!(".0-{TRACE}-{PARENT}-01"),
        format!("0.-{TRACE}-{PARENT}-01"),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-.{}-{PARENT}-01", &TRACE[1..]),
        format!("00-{TRACE}2-{PARENT}-01"),
        format!("00-{}-{PARENT}-01", &TRACE[1..]),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-{}.-01", &PARENT[1..]),
        format!("00-{TRACE}-{PARENT}2-01"),
        format!("00-{TRACE}-{}-01", &PARENT[1..]),
        format!("00-{TRACE}-{PARENT}-.0"),
        format!("00-{TRACE}-{PARENT}-0."),
        format!("00-{TRACE}-{PARENT}-001"),
        format!("00-{TRACE}-{PARENT}-1"),
        format!("00-{TRACE}-{PARENT}-01-extra"),
        format!("00-{TRACE}-{PARENT}-01-"),
        format!("00-{TRACE}-{PARENT}-01."),
        format!("00-{TRACE}-{PARENT}"),
        format!("00-{TRACE}-{PARENT}-+1"),
        format!("00-{}-{PARENT}-01", "ABCDEF78901234567890123456789012"),
        format!("cc-{TRACE}-{PARENT}-01.what-the-future-will-be-like"),
        "junk".to_owned(),
        String::new(),
    ] {
        let headers = harness.send(&[("traceparent", &line), state]);
        assert_ne!(traceparent(&headers).0, TRACE, "{line}");
        assert_eq!(tracestate(&headers), None, "a state without its parent is dropped: {line}");
    }
}

#[test]
fn a_version_of_the_future_is_read_as_far_as_it_is_known() {
    let harness = Harness::start();
    for line in
        [format!("cc-{TRACE}-{PARENT}-01"), format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like")]
    {
        assert_eq!(traceparent(&harness.send(&[("traceparent", &line)])).0, TRACE, "{line}");
    }
}

#[test]
fn white_space_around_the_parent_is_no_part_of_it() {
    let harness = Harness::start();
    for line in [format!(" {}", valid()), format!("\t{}", valid()), format!("{} \t", valid())] {
        assert_eq!(traceparent(&harness.send(&[("traceparent", &line)])).0, TRACE, "{line:?}");
    }
}

#[test]
fn header_names_are_read_in_any_case() {
    let harness = Harness::start();
    for (parent, state) in [("TraceParent", "TraceState"), ("TRACEPARENT", "TRACESTATE")] {
        let headers = harness.send(&[(parent, &valid()), (state, "foo=1")]);
        assert_eq!(traceparent(&headers).0, TRACE);
        assert_eq!(tracestate(&headers).as_deref(), Some("foo=1"));
    }
}

#[test]
fn two_parents_are_no_parent() {
    let harness = Harness::start();
    let other = format!("00-{}-{PARENT}-01", TRACE.replace("12", "34"));
    for second in [other.as_str(), &valid()] {
        let (trace, ..) = traceparent(&harness.send(&[("traceparent", &valid()), ("traceparent", second)]));
        assert!(trace != TRACE && !other.contains(&trace), "{trace}");
    }
}

#[test]
fn a_state_without_a_parent_is_dropped() {
    let harness = Harness::start();
    assert_eq!(tracestate(&harness.send(&[("tracestate", "foo=1")])), None);
}

#[test]
fn a_state_is_passed_on_in_its_order() {
    let harness = Harness::start();
    assert_eq!(harness.state_of(&["foo=1,bar=2"]).as_deref(), Some("foo=1,bar=2"));
    assert_eq!(harness.state_of(&["bar=2,foo=1"]).as_deref(), Some("bar=2,foo=1"));
}

#[test]
fn several_lines_of_state_are_one_list() {
    let harness = Harness::start();
    assert_eq!(harness.state_of(&["foo=1", "bar=2"]).as_deref(), Some("foo=1,bar=2"));
    assert_eq!(
        harness.state_of(&["foo=1,bar=2", "rojo=3", "congo=4"]).as_deref(),
        Some("foo=1,bar=2,rojo=3,congo=4")
    );
}

#[test]
fn empty_members_and_white_space_are_no_members() {
    let harness = Harness::start();
    for lines in
        [&["foo=1", ""][..], &["", "foo=1"], &["foo=1,"], &[",foo=1"], &["foo=1 \t , \t "], &["\tfoo=1 "]]
    {
        assert_eq!(harness.state_of(lines).as_deref(), Some("foo=1"), "{lines:?}");
    }
    assert_eq!(harness.state_of(&["foo=1 \t , \t bar=2, \t baz=3"]).as_deref(), Some("foo=1,bar=2,baz=3"));
    assert_eq!(harness.state_of(&[""]), None);
}

#[test]
fn a_state_that_breaks_a_rule_is_dropped_whole() {
    let harness = Harness::start();
    for line in [
        "foo=1,bar",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1,bar=2",
        "foo=bar=baz",
        "foo=,bar=3",
        "=1",
        "foo=\t1",
    ] {
        assert_eq!(harness.state_of(&[line]), None, "{line}");
    }
    let key = |length| format!("{}=1", "z".repeat(length));
    assert_eq!(harness.state_of(&[&key(257)]), None);
    assert_eq!(harness.state_of(&[&key(256)]), Some(key(256)));
    let value = |length| format!("foo={}", "v".repeat(length));
    assert_eq!(harness.state_of(&[&value(257)]), None);
    assert_eq!(harness.state_of(&[&value(256)]), Some(value(256)));
}

#[test]
fn thirty_two_members_are_passed_on_and_thirty_three_are_not() {
    let harness = Harness::start();
    let members = |count| (1..=count).map(|n| format!("bar{n:02}={n}")).collect::<Vec<_>>().join(",");
    assert_eq!(harness.state_of(&[&members(32)]), Some(members(32)));
    assert_eq!(harness.state_of(&[&members(33)]), None);
}

#[test]
fn every_character_that_a_key_and_a_value_may_have_is_passed_on() {
    let harness = Harness::start();
    let values: String = (' '..='~').filter(|char| !",=".contains(*char)).collect();
    let line = format!("0123456789abcdefghijklmnopqrstuvwxyz_-*/@a-z={}", values.trim());
    assert_eq!(harness.state_of(&[&line]), Some(line.clone()));
    assert_eq!(
        harness.state_of(&["fw529a3039@dt=FfD_1;x,foo= 1"]).as_deref(),
        Some("fw529a3039@dt=FfD_1;x,foo= 1")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn whatever_strangers_send_something_valid_goes_out(
        pairs in proptest::collection::vec((line(), line()), 64),
    ) {
        let harness = Harness::start();
        for (parent, state) in pairs {
            let calls = harness.send_and_call(&[("traceparent", &parent), ("tracestate", &state)], 1);
            traceparent(&calls[0]);
        }
    }
}

/// Any bytes that a header line may have.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let byte = (0x20u8..=0xff).prop_filter("no header may have it", |byte| *byte != 0x7f);
    proptest::collection::vec(byte, 0..80)
}
