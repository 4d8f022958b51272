//! W3C Trace Context, level 2, from headers in to headers out.
//!
//! Each rule that the conformance suite of the W3C asks about is one test here, at its strictest level. A service is
//! played by [`call`]: it extracts, puts a span of its own in the place of the parent, and injects.

use belvedere::trace::{
    SpanId, TraceId,
    w3c::{self, Flags, Traceparent},
};
use http::{HeaderMap, HeaderName, HeaderValue};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const VALUE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// ===== both headers =====

#[test]
fn without_any_header_a_new_trace_starts() {
    let sent = call(&[]);
    assert!(sent.is_new());
    assert_eq!(sent.tracestate, None);
}

#[test]
fn a_traceparent_alone_is_continued_with_a_new_parent() {
    let sent = call(&[("traceparent", VALUE)]);
    assert!(sent.is_continued());
    assert_ne!(sent.traceparent.parent_id.to_string(), PARENT);
    assert_eq!(sent.tracestate, None);
}

#[test]
fn a_tracestate_alone_is_discarded() {
    for state in ["foo=1", "foo=1,bar=2"] {
        let sent = call(&[("tracestate", state)]);
        assert!(sent.is_new(), "{state}");
        assert_eq!(sent.tracestate, None, "{state}");
    }
}

#[test]
fn both_headers_are_continued() {
    let sent = call(&[("traceparent", VALUE), ("tracestate", "foo=1,bar=2")]);
    assert!(sent.is_continued());
    assert_eq!(sent.tracestate.as_deref(), Some("foo=1,bar=2"));
}

#[test]
fn an_invalid_traceparent_takes_the_tracestate_with_it() {
    let sent = call(&[("traceparent", "00-nonsense"), ("tracestate", "foo=1")]);
    assert!(sent.is_new());
    assert_eq!(sent.tracestate, None);
}

// ===== traceparent: the header =====

#[test]
fn two_traceparents_are_none() {
    let other = "00-4bf92f3577b34da6a3ce929d0e0e4735-00f067aa0ba902b7-01";
    assert!(call(&[("traceparent", other), ("traceparent", VALUE)]).is_new());
    assert!(call(&[("traceparent", VALUE), ("traceparent", VALUE)]).is_new());
}

#[test]
fn a_traceparent_under_another_name_is_none() {
    assert_all_new_under(&["trace-parent", "trace.parent"]);
}

#[test]
fn the_name_of_traceparent_has_any_case() {
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert!(call(&[(name, VALUE)]).is_continued(), "{name}");
    }
}

#[test]
fn white_space_around_a_traceparent_is_dropped() {
    for (before, after) in [(" ", ""), ("\t", ""), ("", " "), ("", "\t"), ("\t ", " \t")] {
        let value = format!("{before}{VALUE}{after}");
        assert!(call(&[("traceparent", &value)]).is_continued(), "{value:?}");
    }
}

// ===== traceparent: the version =====

#[test]
fn version_00_has_nothing_after_the_flags() {
    assert_all_new(&[format!("{VALUE}."), format!("{VALUE}-"), format!("{VALUE}-what-the-future-brings")]);
}

#[test]
fn a_later_version_may_have_more_fields() {
    let later = VALUE.replacen("00", "cc", 1);
    for value in [later.clone(), format!("{later}-what-the-future-brings")] {
        let sent = call(&[("traceparent", &value)]);
        assert!(sent.is_continued(), "{value}");
        assert!(sent.traceparent.flags.is_sampled(), "{value}");
    }
    assert_all_new(&[format!("{later}.what-the-future-brings")]);
}

#[test]
fn version_ff_is_invalid() {
    assert_all_new(&[VALUE.replacen("00", "ff", 1)]);
}

#[test]
fn a_version_has_hexadecimal_digits() {
    assert_all_new(&[VALUE.replacen("00", ".0", 1), VALUE.replacen("00", "0.", 1)]);
}

#[test]
fn a_version_is_not_longer() {
    assert_all_new(&[VALUE.replacen("00", "000", 1), VALUE.replacen("00", "0000", 1)]);
}

#[test]
fn a_version_is_not_shorter() {
    assert_all_new(&[VALUE.replacen("00", "0", 1)]);
}

// ===== traceparent: the trace id =====

#[test]
fn a_trace_id_is_not_zero() {
    assert_all_new(&[with_trace(&"0".repeat(32))]);
}

#[test]
fn a_trace_id_has_hexadecimal_digits() {
    assert_all_new(&[with_trace(&format!(".{}", &TRACE[1..])), with_trace(&format!("{}.", &TRACE[..31]))]);
}

#[test]
fn a_trace_id_is_not_longer() {
    assert_all_new(&[with_trace(&format!("{TRACE}3")), with_trace(&format!("3{TRACE}"))]);
}

#[test]
fn a_trace_id_is_not_shorter() {
    assert_all_new(&[with_trace(&TRACE[..31])]);
}

// ===== traceparent: the parent id =====

#[test]
fn a_parent_id_is_not_zero() {
    assert_all_new(&[with_parent(&"0".repeat(16))]);
}

#[test]
fn a_parent_id_has_hexadecimal_digits() {
    assert_all_new(&[
        with_parent(&format!(".{}", &PARENT[1..])),
        with_parent(&format!("{}.", &PARENT[..15])),
    ]);
}

#[test]
fn a_parent_id_is_not_longer() {
    assert_all_new(&[with_parent(&format!("{PARENT}7"))]);
}

#[test]
fn a_parent_id_is_not_shorter() {
    assert_all_new(&[with_parent(&PARENT[..15])]);
}

// ===== traceparent: the flags =====

#[test]
fn flags_have_hexadecimal_digits() {
    assert_all_new(&[with_flags(".0"), with_flags("0.")]);
}

#[test]
fn flags_are_not_longer() {
    assert_all_new(&[with_flags("001")]);
}

#[test]
fn flags_are_not_shorter() {
    assert_all_new(&[with_flags("1")]);
}

#[test]
fn the_flag_for_a_random_trace_id_is_handed_on() {
    let sent = call(&[("traceparent", &with_flags("02"))]);
    assert!(sent.is_continued());
    assert_eq!(sent.traceparent.flags, Flags::RANDOM);
}

#[test]
fn flags_that_are_not_defined_are_sent_as_zero() {
    let sent = call(&[("traceparent", &with_flags("ff"))]);
    assert_eq!(sent.traceparent.flags.to_u8(), 0x03);
}

// ===== several calls =====

#[test]
fn each_call_of_a_continued_trace_has_its_own_parent() {
    let sent = [(); 3].map(|()| call(&[("traceparent", VALUE)]));
    assert!(sent.iter().all(Sent::is_continued));
    assert_parents_differ(&sent);
}

#[test]
fn each_call_without_a_trace_has_its_own_parent() {
    assert_parents_differ(&[(); 3].map(|()| call(&[])));
}

#[test]
fn each_call_with_an_invalid_traceparent_starts_a_trace() {
    let zero = with_trace(&"0".repeat(32));
    let sent = [(); 3].map(|()| call(&[("traceparent", &zero)]));
    assert!(sent.iter().all(Sent::is_new));
    assert_parents_differ(&sent);
}

// ===== tracestate: the header =====

#[test]
fn a_tracestate_under_another_name_is_none() {
    for name in ["trace-state", "trace.state"] {
        assert_eq!(call(&[("traceparent", VALUE), (name, "foo=1")]).tracestate, None, "{name}");
    }
}

#[test]
fn the_name_of_tracestate_has_any_case() {
    for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        let sent = call(&[("traceparent", VALUE), (name, "foo=1")]);
        assert_eq!(sent.tracestate.as_deref(), Some("foo=1"), "{name}");
    }
}

#[test]
fn an_empty_tracestate_is_accepted_and_not_sent() {
    assert_state(&[""], None);
    assert_state(&["foo=1", ""], Some("foo=1"));
    assert_state(&["", "foo=1"], Some("foo=1"));
}

#[test]
fn several_tracestates_are_one_in_their_order() {
    let values = ["foo=1,bar=2", "rojo=1,congo=2", "baz=3"];
    assert_state(&values, Some("foo=1,bar=2,rojo=1,congo=2,baz=3"));
}

#[test]
fn white_space_around_members_is_dropped() {
    assert_state(&["foo=1 \t , \t bar=2, \t baz=3"], Some("foo=1,bar=2,baz=3"));
    assert_state(&["foo=1\t \t,\t \tbar=2,\t \tbaz=3"], Some("foo=1,bar=2,baz=3"));
    for value in [" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"] {
        assert_state(&[value], Some("foo=1"));
    }
}

#[test]
fn a_tracestate_has_32_members_and_no_more() {
    let members: Vec<_> = (1..=33).map(|at| format!("bar{at:02}={at:02}")).collect();
    let headers = |count| members[..count].chunks(10).map(|chunk| chunk.join(",")).collect::<Vec<_>>();
    let (allowed, too_many) = (headers(32), headers(33));
    assert_state(&as_strs(&allowed), Some(&allowed.join(",")));
    assert_state(&as_strs(&too_many), None);
}

// The recommendation leaves it to the sender that keys are unique, and the suite asks that the state is kept.
#[test]
fn a_key_that_comes_twice_is_handed_on() {
    assert_state(&["foo=1,foo=1"], Some("foo=1,foo=1"));
    assert_state(&["foo=1,foo=2"], Some("foo=1,foo=2"));
    assert_state(&["foo=1", "foo=1"], Some("foo=1,foo=1"));
    assert_state(&["foo=1", "foo=2"], Some("foo=1,foo=2"));
}

// ===== tracestate: keys and values =====

#[test]
fn every_allowed_character_is_handed_on() {
    let value: String = (' '..='~').filter(|letter| !",=".contains(*letter)).collect();
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    for member in [format!("{key}={value}"), format!("{key}@a-z0-9_-*/={value}")] {
        assert_state(&[&member], Some(&member));
    }
}

#[test]
fn a_key_with_another_character_discards_the_state() {
    for member in ["foo =1", "FOO=1", "foo.bar=1"] {
        assert_state(&[member], None);
        assert_state(&["bar=2", member], None);
    }
}

#[test]
fn a_key_may_have_an_at_sign_anywhere_but_in_front() {
    assert_state(&["@foo=1,bar=2"], None);
    for state in ["foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2"] {
        assert_state(&[state], Some(state));
    }
}

#[test]
fn a_key_has_256_characters_and_no_more() {
    let (tenant, vendor) = ("t".repeat(241), "v".repeat(14));
    let allowed =
        ["z".repeat(256), format!("{tenant}@{vendor}"), format!("{tenant}t@v"), format!("t@{vendor}v")];
    for key in allowed {
        assert_state(&["foo=1", &format!("{key}=1")], Some(&format!("foo=1,{key}=1")));
    }
    assert_state(&["foo=1", &format!("{}=1", "z".repeat(257))], None);
}

#[test]
fn a_value_that_is_empty_or_has_an_equals_sign_discards_the_state() {
    assert_state(&["foo=bar=baz"], None);
    assert_state(&["foo=,bar=3"], None);
}

// ===== the service =====

/// What a service sends to the next one.
struct Sent {
    traceparent: Traceparent,
    tracestate: Option<String>,
}

impl Sent {
    fn is_continued(&self) -> bool {
        self.traceparent.trace_id.to_string() == TRACE
    }

    fn is_new(&self) -> bool {
        // Whatever part of the id was read, a new one starts with the time.
        let digits = self.traceparent.trace_id.to_string();
        !digits.contains(&TRACE[1..31]) && self.traceparent.flags == Flags::RANDOM
    }
}

/// Calls a service with these headers, and reads what it sends on the wire.
fn call(headers: &[(&str, &str)]) -> Sent {
    let parsed = |(name, value): &(&str, &str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a token");
        (name, HeaderValue::from_bytes(value.as_bytes()).expect("visible bytes"))
    };
    let outgoing = serve(&headers.iter().map(parsed).collect());

    let values: Vec<_> = outgoing.get_all("traceparent").iter().collect();
    let [value] = values[..] else { panic!("sent {values:?}") };
    assert_eq!((value.len(), &value.as_bytes()[..3]), (55, &b"00-"[..]));
    let tracestate = outgoing.get("tracestate").map(|value| value.to_str().unwrap().to_owned());
    assert_ne!(tracestate.as_deref(), Some(""), "an empty state was sent");
    Sent { traceparent: Traceparent::read(&outgoing).expect("what is sent is valid"), tracestate }
}

fn serve(incoming: &HeaderMap) -> HeaderMap {
    let (traceparent, tracestate) = w3c::extract(incoming).unwrap_or_else(|| (start(), None));
    let traceparent = Traceparent { parent_id: SpanId::generate(), ..traceparent };
    let mut outgoing = HeaderMap::new();
    w3c::inject(&mut outgoing, traceparent, tracestate.as_ref());
    outgoing
}

fn start() -> Traceparent {
    Traceparent { trace_id: TraceId::generate(), parent_id: SpanId::generate(), flags: Flags::RANDOM }
}

// ===== what the tests say =====

fn assert_all_new(values: &[String]) {
    for value in values {
        assert!(call(&[("traceparent", value)]).is_new(), "{value}");
    }
}

fn assert_all_new_under(names: &[&str]) {
    for name in names {
        assert!(call(&[(name, VALUE)]).is_new(), "{name}");
    }
}

fn assert_parents_differ(sent: &[Sent; 3]) {
    let [a, b, c] = sent.each_ref().map(|sent| sent.traceparent.parent_id);
    assert!(a != b && b != c && c != a);
}

/// A `tracestate`, good or bad, never keeps the trace from being continued.
fn assert_state(values: &[&str], expected: Option<&str>) {
    let states = values.iter().map(|value| ("tracestate", *value));
    let headers: Vec<_> = [("traceparent", VALUE)].into_iter().chain(states).collect();
    let sent = call(&headers);
    assert!(sent.is_continued(), "{values:?}");
    assert_eq!(sent.tracestate.as_deref(), expected, "{values:?}");
}

fn with_trace(id: &str) -> String {
    VALUE.replace(TRACE, id)
}

fn with_parent(id: &str) -> String {
    VALUE.replace(PARENT, id)
}

fn with_flags(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
