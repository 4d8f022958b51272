//! [B3](https://github.com/openzipkin/b3-propagation), the headers of Zipkin, of Envoy and of older Spring.
//!
//! ```text
//! b3: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1
//!
//! X-B3-TraceId: 4bf92f3577b34da6a3ce929d0e0e4736
//! X-B3-SpanId: 00f067aa0ba902b7
//! X-B3-Sampled: 1
//! ```
//!
//! A service reads either form, and passes the trace on with a span of its own as the parent:
//!
//! ```
//! use belvedere::trace::{SpanId, b3};
//! use http::HeaderMap;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert(&b3::NAME, "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-d".parse()?);
//!
//! let mut header = b3::Header::read(&headers).expect("a caller that traces");
//! assert_eq!(header.decision, Some(b3::Decision::Debug));
//! if let Some(ids) = &mut header.ids {
//!     ids.span_id = SpanId::generate();
//! }
//! header.inject(&mut headers);
//! # Ok::<_, http::header::InvalidHeaderValue>(())
//! ```
//!
//! # What is read
//!
//! The single header, and where there is none that can be read, the five others, as [OpenTelemetry] asks. Trace ids of
//! 64 bits are filled with zeros on the left. Digits may be of either case, `true` and `false` stand for `1` and `0` as
//! old tracers write them.
//!
//! A single header that breaks a rule is not there, nor are ids of which one is missing or breaks a rule, or of which a
//! header came twice; the decision beside them counts. Without a decision, the callee decides.
//!
//! [OpenTelemetry]: https://opentelemetry.io/docs/specs/otel/context/api-propagators/#b3-requirements

use std::str;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{SpanId, TraceId, hex};

/// The name of the single header.
pub static NAME: HeaderName = HeaderName::from_static("b3");

/// What the headers of B3 say.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Header {
    /// Where the caller is; none where it sends a decision alone.
    pub ids: Option<Ids>,
    /// Whether the trace is recorded; none where that is left to the callee.
    pub decision: Option<Decision>,
}

/// The caller's place in a trace.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ids {
    /// The trace that the caller is in.
    pub trace_id: TraceId,
    /// The caller's span, the parent of what happens here.
    pub span_id: SpanId,
    /// The parent of the caller's span. OpenTelemetry neither uses it nor sends it.
    pub parent_id: Option<SpanId>,
}

/// Whether a trace is recorded.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Decision {
    /// `1`: it is.
    Accept,
    /// `0`: it is not.
    Deny,
    /// `d`: it is, and no sampler on the way should leave it out.
    Debug,
}

// ===== impl Header =====

impl Header {
    /// Reads either form, the single header first; none if there is nothing that can be used.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        Self::single(headers).or_else(|| Self::multi(headers))
    }

    /// The single header; none if there is nothing to say.
    pub fn to_value(&self) -> Option<HeaderValue> {
        let Self { ids, decision } = self;
        let mut line = String::with_capacity(LONGEST);
        let mut field = |text: &str| {
            line.push_str(if line.is_empty() { "" } else { "-" });
            line.push_str(text);
        };
        if let Some(Ids { trace_id, span_id, .. }) = ids {
            field(hex::text(&digits::<32>(trace_id.to_u128())));
            field(hex::text(&digits::<16>(span_id.to_u64().into())));
        }
        if let Some(decision) = decision {
            field(decision.state());
        }
        if let Some(parent_id) = ids.and_then(|ids| ids.parent_id) {
            field(hex::text(&digits::<16>(parent_id.to_u64().into())));
        }
        HeaderValue::try_from(line).ok().filter(|line| !line.is_empty())
    }

    /// Writes the single header in the place of whatever was there, in both forms.
    pub fn inject(&self, headers: &mut HeaderMap) {
        remove(headers);
        if let Some(value) = self.to_value() {
            insert(headers, &NAME, value);
        }
    }

    /// Writes the five headers, as far as there is something to say, in the place of whatever was there, in both forms.
    pub fn inject_multi(&self, headers: &mut HeaderMap) {
        remove(headers);
        self.add_multi(headers);
    }

    /// Writes the five headers beside the single one.
    pub(super) fn add_multi(&self, headers: &mut HeaderMap) {
        let Self { ids, decision } = *self;
        if let Some(Ids { trace_id, span_id, parent_id }) = ids {
            insert(headers, &TRACE_ID, value(&digits::<32>(trace_id.to_u128())));
            insert(headers, &SPAN_ID, value(&digits::<16>(span_id.to_u64().into())));
            if let Some(parent_id) = parent_id {
                insert(headers, &PARENT_ID, value(&digits::<16>(parent_id.to_u64().into())));
            }
        }
        // Debug implies that the trace is recorded, and is sent without saying so.
        match decision {
            Some(Decision::Debug) => insert(headers, &FLAGS, HeaderValue::from_static("1")),
            Some(decision) => insert(headers, &SAMPLED, HeaderValue::from_static(decision.state())),
            None => {}
        }
    }

    fn single(headers: &HeaderMap) -> Option<Self> {
        Self::parse(only(headers, &NAME)?)
    }

    fn multi(headers: &HeaderMap) -> Option<Self> {
        let is_debug = only(headers, &FLAGS) == Some(b"1");
        let sampled = || Decision::read(only(headers, &SAMPLED)?);
        let decision = if is_debug { Some(Decision::Debug) } else { sampled() };
        let ids = Ids::read(headers);
        (ids.is_some() || decision.is_some()).then_some(Self { ids, decision })
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let mut fields = value.split(|&byte| byte == b'-');
        let (first, second) = (fields.next()?, fields.next());
        let Some(second) = second else {
            return Some(Self { ids: None, decision: Some(Decision::read(first)?) });
        };
        let (trace_id, span_id) = (trace_id(first)?, span_id(second)?);
        let (decision, parent_id) = match (fields.next(), fields.next(), fields.next()) {
            (None, ..) => (None, None),
            // Zipkin's own tracers leave an open decision out before a parent, too.
            (Some(last), None, _) if last.len() == 16 => (None, Some(self::span_id(last)?)),
            (Some(state), None, _) => (Some(Decision::read(state)?), None),
            (Some(state), Some(parent), None) => (Some(Decision::read(state)?), Some(self::span_id(parent)?)),
            _ => return None,
        };
        Some(Self { ids: Some(Ids { trace_id, span_id, parent_id }), decision })
    }
}

/// Removes all headers of B3.
fn remove(headers: &mut HeaderMap) {
    for name in FIELDS {
        headers.remove(*name);
    }
}

fn insert(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) {
    // A map that is full refuses; telemetry does without, rather than panic.
    let _ = headers.try_insert(name.clone(), value);
}

/// The header's value, if it came once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value.as_bytes().trim_ascii())
}

fn digits<const N: usize>(id: u128) -> [u8; N] {
    let mut digits = [0; N];
    hex::write(id, &mut digits);
    digits
}

fn value(digits: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(digits).expect("hexadecimal digits are visible ASCII")
}

// ===== impl Ids =====

impl Ids {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let trace_id = trace_id(only(headers, &TRACE_ID)?)?;
        let span_id = span_id(only(headers, &SPAN_ID)?)?;
        let parent_id = only(headers, &PARENT_ID).and_then(self::span_id);
        Some(Self { trace_id, span_id, parent_id })
    }
}

fn trace_id(digits: &[u8]) -> Option<TraceId> {
    match digits.len() {
        16 => TraceId::new(hex::read::<16>(digits.first_chunk()?)?.into()),
        32 => TraceId::new(hex::wide(digits.first_chunk()?, hex::read)?),
        _ => None,
    }
}

fn span_id(digits: &[u8]) -> Option<SpanId> {
    let digits: &[u8; 16] = digits.try_into().ok()?;
    SpanId::new(hex::read(digits)?)
}

// ===== impl Decision =====

impl Decision {
    /// Whether the trace is recorded.
    pub const fn is_sampled(self) -> bool {
        matches!(self, Self::Accept | Self::Debug)
    }

    const fn state(self) -> &'static str {
        match self {
            Self::Accept => "1",
            Self::Deny => "0",
            Self::Debug => "d",
        }
    }

    fn read(state: &[u8]) -> Option<Self> {
        match str::from_utf8(state).ok()? {
            "1" => Some(Self::Accept),
            "0" => Some(Self::Deny),
            "d" => Some(Self::Debug),
            word if word.eq_ignore_ascii_case("true") => Some(Self::Accept),
            word if word.eq_ignore_ascii_case("false") => Some(Self::Deny),
            _ => None,
        }
    }
}

impl From<bool> for Decision {
    fn from(is_sampled: bool) -> Self {
        if is_sampled { Self::Accept } else { Self::Deny }
    }
}

/// All headers of B3.
pub(super) const FIELDS: &[&str] =
    &["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];

static TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
static SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
static PARENT_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
static SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
static FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

const LONGEST: usize = 32 + "-".len() + 16 + "-1-".len() + 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    const PARENT: &str = "05e3ac9a4f6e3b90";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn single(value: &str) -> Option<Header> {
        Header::read(&headers(&[("b3", value)]))
    }

    fn header(decision: Option<Decision>, parent_id: Option<SpanId>) -> Header {
        let (trace_id, span_id) = (TRACE.parse().unwrap(), SPAN.parse().unwrap());
        Header { ids: Some(Ids { trace_id, span_id, parent_id }), decision }
    }

    fn sent(headers: &HeaderMap) -> Vec<String> {
        let pair =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut sent: Vec<_> = headers.iter().map(pair).collect();
        sent.sort();
        sent
    }

    #[test]
    fn every_form_of_the_single_header_is_read() {
        let parent = PARENT.parse().ok();
        for (value, decision, parent) in [
            (format!("{TRACE}-{SPAN}"), None, None),
            (format!("{TRACE}-{SPAN}-1"), Some(Decision::Accept), None),
            (format!("{TRACE}-{SPAN}-0"), Some(Decision::Deny), None),
            (format!("{TRACE}-{SPAN}-d"), Some(Decision::Debug), None),
            (format!("{TRACE}-{SPAN}-true"), Some(Decision::Accept), None),
            (format!("{TRACE}-{SPAN}-False"), Some(Decision::Deny), None),
            (format!("{TRACE}-{SPAN}-1-{PARENT}"), Some(Decision::Accept), parent),
            (format!("{TRACE}-{SPAN}-{PARENT}"), None, parent),
            (format!(" {}-{SPAN}-1\t", TRACE.to_uppercase()), Some(Decision::Accept), None),
        ] {
            assert_eq!(single(&value), Some(header(decision, parent)), "{value}");
        }
    }

    #[test]
    fn a_decision_may_come_alone() {
        for (value, decision) in [("0", Decision::Deny), ("1", Decision::Accept), ("d", Decision::Debug)] {
            assert_eq!(single(value), Some(Header { ids: None, decision: Some(decision) }), "{value}");
        }
    }

    #[test]
    fn a_single_header_that_breaks_a_rule_is_not_there() {
        let zeros = "0".repeat(32);
        for value in [
            "",
            "-",
            "2",
            "x",
            "1-",
            TRACE,
            &format!("{TRACE}-"),
            &format!("{TRACE}-{SPAN}-"),
            &format!("{TRACE}-{SPAN}-2"),
            &format!("{TRACE}-{SPAN}-1-"),
            &format!("{TRACE}-{SPAN}-1-{PARENT}-"),
            &format!("{TRACE}-{SPAN}-{PARENT}-1"),
            &format!("{TRACE}-{SPAN}-1-{PARENT}-1"),
            &format!("{zeros}-{SPAN}-1"),
            &format!("{TRACE}-{}-1", &zeros[..16]),
            &format!("{}-{SPAN}-1", &TRACE[..31]),
            &format!("{TRACE}-{}-1", &SPAN[..15]),
            &format!("{TRACE}0-{SPAN}-1"),
            &format!("{}g-{SPAN}-1", &TRACE[..31]),
        ] {
            assert_eq!(single(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_trace_id_of_64_bits_is_filled_with_zeros() {
        let header = single("a3ce929d0e0e4736-00f067aa0ba902b7-1").unwrap();
        assert_eq!(header.to_value().unwrap(), "0000000000000000a3ce929d0e0e4736-00f067aa0ba902b7-1");
    }

    #[test]
    fn the_five_headers_are_read_where_the_single_one_cannot_be() {
        let five = [
            ("x-b3-traceid", TRACE),
            ("x-b3-spanid", SPAN),
            ("x-b3-parentspanid", PARENT),
            ("x-b3-sampled", "0"),
        ];
        let expected = Some(header(Some(Decision::Deny), PARENT.parse().ok()));
        assert_eq!(Header::read(&headers(&five)), expected);

        let mut both = headers(&five);
        both.insert(&NAME, HeaderValue::from_static("junk"));
        assert_eq!(Header::read(&both), expected);
        both.insert(&NAME, HeaderValue::from_static("1"));
        assert_eq!(Header::read(&both), single("1"));
    }

    #[test]
    fn the_flag_for_debug_outweighs_the_decision() {
        let read = |flags, sampled| {
            let pairs = [("x-b3-flags", flags), ("x-b3-sampled", sampled)];
            Header::read(&headers(&pairs)).and_then(|header| header.decision)
        };
        assert_eq!(read("1", "0"), Some(Decision::Debug));
        assert_eq!(read("0", "0"), Some(Decision::Deny));
        assert_eq!(read("0", "d"), Some(Decision::Debug));
        assert_eq!(read("0", "x"), None);
    }

    #[test]
    fn ids_of_which_one_is_bad_or_comes_twice_leave_the_decision() {
        let alone = Some(Header { ids: None, decision: Some(Decision::Accept) });
        for pairs in [
            &[("x-b3-traceid", TRACE)][..],
            &[("x-b3-spanid", SPAN)],
            &[("x-b3-traceid", "x"), ("x-b3-spanid", SPAN)],
            &[("x-b3-traceid", TRACE), ("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)],
        ] {
            let mut headers = headers(pairs);
            assert_eq!(Header::read(&headers), None);
            headers.insert(&SAMPLED, HeaderValue::from_static("1"));
            assert_eq!(Header::read(&headers), alone);
        }
    }

    #[test]
    fn injecting_replaces_what_was_there_in_both_forms() {
        let before = headers(&[("b3", "0"), ("x-b3-flags", "1"), ("x-b3-parentspanid", PARENT)]);
        let mut after = before.clone();
        header(None, None).inject(&mut after);
        assert_eq!(sent(&after), [format!("b3: {TRACE}-{SPAN}")]);

        let mut after = before.clone();
        header(Some(Decision::Accept), None).inject_multi(&mut after);
        let ids = [format!("x-b3-spanid: {SPAN}"), format!("x-b3-traceid: {TRACE}")];
        assert_eq!(sent(&after), [&["x-b3-sampled: 1".to_owned()], &ids[..]].concat());

        let mut after = before;
        header(Some(Decision::Debug), None).inject_multi(&mut after);
        assert_eq!(sent(&after), [&["x-b3-flags: 1".to_owned()], &ids[..]].concat());
        Header::default().inject(&mut after);
        assert!(after.is_empty());
    }

    fn any_header() -> impl Strategy<Value = Header> {
        let span = || (1..=u64::MAX).prop_map(|bits| SpanId::new(bits).unwrap());
        let trace = (1..=u128::MAX).prop_map(|bits| TraceId::new(bits).unwrap());
        let ids = (trace, span(), proptest::option::of(span()));
        let ids = ids.prop_map(|(trace_id, span_id, parent_id)| Ids { trace_id, span_id, parent_id });
        let decisions = [Decision::Accept, Decision::Deny, Decision::Debug];
        let decision = proptest::option::of(proptest::sample::select(decisions.to_vec()));
        (proptest::option::of(ids), decision).prop_map(|(ids, decision)| Header { ids, decision })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(header in any_header()) {
            let expected = (header != Header::default()).then_some(header);
            let mut headers = HeaderMap::new();
            header.inject(&mut headers);
            prop_assert_eq!(Header::read(&headers), expected);
            header.inject_multi(&mut headers);
            prop_assert_eq!(Header::read(&headers), expected);
        }

        #[test]
        fn no_bytes_panic(
            values in proptest::collection::vec(
                (0..FIELDS.len(), prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..80),
                    "[0-9a-f]{0,33}-[0-9a-f]{0,17}-?[01dx]?-?[0-9a-f]{0,17}".prop_map(String::into_bytes),
                ]),
                0..8,
            )
        ) {
            let mut headers = HeaderMap::new();
            for (field, value) in values {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.append(FIELDS[field], value);
                }
            }
            if let Some(header) = Header::read(&headers) {
                header.inject(&mut headers);
                prop_assert_eq!(Header::read(&headers), Some(header));
            }
        }
    }
}
