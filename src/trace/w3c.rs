//! `traceparent` and `tracestate`, read and written as
//! [W3C Trace Context, level 2](https://www.w3.org/TR/trace-context-2/) says.
//!
//! Whoever takes part in a trace keeps its id, puts the id of a span of its own in the place of the parent, and hands
//! the state of the others on:
//!
//! ```
//! use belvedere::trace::{SpanId, w3c};
//! use http::HeaderMap;
//!
//! let mut headers = HeaderMap::new();
//! headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?);
//! headers.insert("tracestate", "congo=t61rcWkgMzE".parse()?);
//!
//! let (mut traceparent, tracestate) = w3c::extract(&headers).expect("a caller that traces");
//! traceparent.parent_id = SpanId::generate();
//!
//! let mut outgoing = HeaderMap::new();
//! w3c::inject(&mut outgoing, traceparent, tracestate.as_ref());
//! # Ok::<_, http::header::InvalidHeaderValue>(())
//! ```
//!
//! # What is read
//!
//! Reading is strict. A `traceparent` that breaks a rule, or of which there are two, is no `traceparent`, and the
//! `tracestate` beside it goes with it. A `tracestate` that breaks a rule is no `tracestate`; the `traceparent` stays.
//! Of a version above `00` the fields of version `00` are read, and what follows them is dropped.
//!
//! The recommendation leaves three things open. Decided here: white space around a header and around a member is
//! dropped; empty members are dropped and do not count towards the 32; a key that comes twice stays twice, for it is
//! the sender's to clean up.

use std::{
    fmt,
    ops::{BitOr, BitOrAssign, Range},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace as otel;

use super::{SpanId, TraceId, hex};

/// What `traceparent` says: which trace, which span of the caller, and how the caller treats it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Traceparent {
    /// The trace that the caller is in.
    pub trace_id: TraceId,
    /// The caller's span, the parent of what happens here.
    pub parent_id: SpanId,
    /// What the caller decided about the trace.
    pub flags: Flags,
}

/// The [flags](https://www.w3.org/TR/trace-context-2/#trace-flags) of a trace: those that level 2 defines.
///
/// ```
/// use belvedere::trace::w3c::Flags;
///
/// let flags = Flags::SAMPLED | Flags::RANDOM;
/// assert!(flags.is_sampled() && flags.is_random());
/// assert!(!flags.sampled(false).is_sampled());
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Flags(u8);

/// What `tracestate` says: the notes of each tracing system on the way, in their order.
///
/// It is valid, has at least one member, and is cheap to clone. As it comes from strangers it is bounded: no more than
/// 32 members, none longer than 513 bytes. All of it is handed on.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Tracestate(Arc<str>);

/// Reads both headers, as the recommendation couples them.
pub fn extract(headers: &HeaderMap) -> Option<(Traceparent, Option<Tracestate>)> {
    let traceparent = Traceparent::read(headers)?;
    Some((traceparent, Tracestate::read(headers)))
}

/// Writes both headers in the place of whatever was there.
pub fn inject(headers: &mut HeaderMap, traceparent: Traceparent, tracestate: Option<&Tracestate>) {
    // A map that is full refuses; telemetry does without, rather than panic.
    let _ = headers.try_insert(TRACEPARENT.clone(), traceparent.to_value());
    match tracestate {
        Some(tracestate) => drop(headers.try_insert(TRACESTATE.clone(), tracestate.to_value())),
        None => drop(headers.remove(&TRACESTATE)),
    }
}

// ===== impl Traceparent =====

impl Traceparent {
    /// Reads the header; none if there is none, if it is invalid, and if there are two.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&TRACEPARENT).into_iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        Self::of(value)
    }

    /// Reads a header that is the only one of its name.
    pub(super) fn of(value: &HeaderValue) -> Option<Self> {
        Self::parse(value.as_bytes().trim_ascii())
    }

    /// The header as version `00` writes it.
    pub fn to_value(&self) -> HeaderValue {
        let Self { trace_id, parent_id, flags } = self;
        let mut value = *b"00-................................-................-..";
        hex::write(trace_id.to_u128(), &mut value[TRACE_ID]);
        hex::write(parent_id.to_u64().into(), &mut value[PARENT_ID]);
        hex::write(flags.to_u8().into(), &mut value[FLAGS]);
        HeaderValue::from_bytes(&value).expect("hexadecimal digits and dashes are visible ASCII")
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let (fields, rest) = value.split_first_chunk::<LEN>()?;
        let has_dashes = [fields[2], fields[35], fields[52]] == [b'-'; 3];
        if !has_dashes || !may_follow(hex::read_lower::<2>(fields.first_chunk()?)?, rest) {
            return None;
        }
        Some(Self {
            trace_id: TraceId::new(hex::wide(fields[TRACE_ID].first_chunk()?, hex::read_lower)?)?,
            parent_id: SpanId::new(hex::read_lower::<16>(fields[PARENT_ID].first_chunk()?)?)?,
            flags: Flags::new(hex::read_lower::<2>(fields[FLAGS].first_chunk()?)? as u8),
        })
    }
}

/// Whether a `traceparent` of this version may have this `rest` after the fields of version `00`.
fn may_follow(version: u64, rest: &[u8]) -> bool {
    match version {
        0x00 => rest.is_empty(),
        0xff => false,
        _ => matches!(rest, [] | [b'-', ..]),
    }
}

// ===== impl Flags =====

impl Flags {
    /// The caller may have recorded its part of the trace.
    pub const SAMPLED: Self = Self(0b01);

    /// The right-most 7 bytes of the trace id are random. Who starts a trace with [`TraceId::generate`] may say so;
    /// who continues one must leave the flag as it is.
    pub const RANDOM: Self = Self(0b10);

    /// The flags in these bits. Bits that level 2 does not define are dropped, because it wants them sent as zero.
    pub const fn new(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The bits.
    pub const fn to_u8(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded its part of the trace.
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the right-most 7 bytes of the trace id are random.
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags, but sampled or not.
    #[must_use]
    pub const fn sampled(self, sampled: bool) -> Self {
        let others = self.0 & !Self::SAMPLED.0;
        if sampled { Self(others | Self::SAMPLED.0) } else { Self(others) }
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.is_sampled(), self.is_random()) {
            (false, false) => "Flags(none)",
            (true, false) => "Flags(sampled)",
            (false, true) => "Flags(random)",
            (true, true) => "Flags(sampled, random)",
        })
    }
}

impl From<otel::TraceFlags> for Flags {
    fn from(flags: otel::TraceFlags) -> Self {
        Self::new(flags.to_u8())
    }
}

impl From<Flags> for otel::TraceFlags {
    fn from(flags: Flags) -> Self {
        Self::new(flags.to_u8())
    }
}

// ===== impl Tracestate =====

impl Tracestate {
    /// Reads the header, or all of them as one; none if nothing is in them or something in them is invalid.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(&TRACESTATE).into_iter();
        Self::collect(values.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')))
    }

    /// Reads a header that is the only one of its name.
    pub(super) fn of(value: &HeaderValue) -> Option<Self> {
        Self::collect(value.as_bytes().split(|&byte| byte == b','))
    }

    /// The state of an OpenTelemetry context; none if nothing is in it.
    pub fn from_otel(state: &otel::TraceState) -> Option<Self> {
        Self::collect(state.header().as_bytes().split(|&byte| byte == b','))
    }

    /// The state for an OpenTelemetry context; none if that is stricter than level 2 and refuses a key.
    ///
    /// It takes one `@` in a key, and no more than 14 characters from there on, as level 1 did.
    pub fn to_otel(&self) -> Option<otel::TraceState> {
        otel::TraceState::from_key_value(self.members()).ok()
    }

    /// All members, with a comma between them and nothing else.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Key and value of each member, the latest system's first.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(',').filter_map(|member| member.split_once('='))
    }

    /// These members, and those of the other state that have another key, as far as there is room.
    pub(super) fn before(&self, other: &Self) -> Self {
        let is_ours = |key: &str| self.members().any(|(ours, _)| ours == key);
        let theirs =
            other.0.split(',').filter(|member| !is_ours(member.split('=').next().unwrap_or_default()));
        let members = self.0.split(',').chain(theirs).take(MAX_MEMBERS);
        Self(members.collect::<Vec<_>>().join(",").into())
    }

    /// The header, in one piece.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("keys and values are visible ASCII")
    }

    fn collect<'a>(members: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut text = String::new();
        let mut count = 0;
        for member in members.map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
            count += 1;
            if count > MAX_MEMBERS || !is_member(member) {
                return None;
            }
            if count > 1 {
                text.push(',');
            }
            text.push_str(std::str::from_utf8(member).ok()?);
        }
        (count > 0).then(|| Self(text.into()))
    }
}

impl fmt::Debug for Tracestate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tracestate").field(&self.as_str()).finish()
    }
}

fn is_member(member: &[u8]) -> bool {
    let Some(equals) = member.iter().position(|&byte| byte == b'=') else { return false };
    let (key, value) = (&member[..equals], &member[equals + 1..]);
    is_key(key) && is_value(value)
}

/// <https://www.w3.org/TR/trace-context-2/#key>
fn is_key(key: &[u8]) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_next = |byte: &u8| is_first(byte) || b"_-*/@".contains(byte);
    key.len() <= MAX_KEY && key.first().is_some_and(is_first) && key.iter().all(is_next)
}

/// <https://www.w3.org/TR/trace-context-2/#value>; the space that it must not end with is trimmed already.
fn is_value(value: &[u8]) -> bool {
    let is_allowed = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    !value.is_empty() && value.len() <= MAX_VALUE && value.iter().all(is_allowed)
}

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

const LEN: usize = 55;
const TRACE_ID: Range<usize> = 3..35;
const PARENT_ID: Range<usize> = 36..52;
const FLAGS: Range<usize> = 53..55;

const MAX_MEMBERS: usize = 32;
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VALUE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
        let value = |value: &&[u8]| (name.clone(), HeaderValue::from_bytes(value).unwrap());
        values.iter().map(value).collect()
    }

    fn state(value: &[u8]) -> Option<String> {
        Tracestate::read(&headers(&TRACESTATE, &[value])).map(|state| state.as_str().to_owned())
    }

    #[test]
    fn reading_a_traceparent_allocates_nothing() {
        let headers = headers(&TRACEPARENT, &[VALUE.as_bytes()]);
        let info = allocation_counter::measure(|| assert!(Traceparent::read(&headers).is_some()));
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn capital_digits_are_refused_in_every_field() {
        for value in [
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "CC-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Traceparent::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_traceparent_without_one_of_its_dashes_or_its_end_is_refused() {
        let length = VALUE.len();
        for at in (0..length).filter(|at| VALUE.as_bytes()[*at] == b'-') {
            let mut value = VALUE.as_bytes().to_vec();
            value[at] = b'0';
            assert_eq!(Traceparent::parse(&value), None, "{at}");
        }
        for end in 0..length {
            assert_eq!(Traceparent::parse(&VALUE.as_bytes()[..end]), None, "{end}");
        }
    }

    #[test]
    fn flags_that_are_not_defined_are_neither_kept_nor_sent() {
        for (bits, sent) in [(0x00, "00"), (0x01, "01"), (0x02, "02"), (0x09, "01"), (0xff, "03")] {
            let value = format!("{}{bits:02x}", &VALUE[..53]);
            let traceparent = Traceparent::parse(value.as_bytes()).unwrap();
            assert_eq!(traceparent.to_value(), format!("{}{sent}", &VALUE[..53]));
        }
    }

    #[test]
    fn flags_combine_and_say_what_they_are() {
        let mut flags = Flags::default();
        assert_eq!(format!("{flags:?}"), "Flags(none)");
        flags |= Flags::RANDOM;
        assert_eq!(format!("{:?}", flags.sampled(true)), "Flags(sampled, random)");
        assert_eq!(flags.sampled(true).sampled(false), flags);
        assert_eq!(otel::TraceFlags::from(Flags::SAMPLED), otel::TraceFlags::SAMPLED);
        assert_eq!(Flags::from(otel::TraceFlags::new(0xfe)), Flags::RANDOM);
    }

    #[test]
    fn a_value_keeps_its_leading_spaces_and_loses_its_trailing_ones() {
        assert_eq!(state(b"a=  1 \t,b= 2").as_deref(), Some("a=  1,b= 2"));
    }

    #[test]
    fn a_member_that_breaks_a_rule_discards_the_state() {
        for member in [
            &b"a"[..],
            b"=1",
            b"a=",
            b"a= ",
            b"a=1=2",
            b"A=1",
            b"_a=1",
            b"a\t=1",
            b"a=1\t2",
            b"a=\xe9",
            b"\xe9=1",
        ] {
            assert_eq!(state(&[member, b",b=2"].concat()), None, "{member:?}");
        }
        let long = |length| [b"a=", "v".repeat(length).as_bytes()].concat();
        assert!(state(&long(256)).is_some());
        assert!(state(&long(257)).is_none());
    }

    #[test]
    fn empty_members_do_not_count() {
        let value = format!(" ,,{}\t,", (0..32).map(|at| format!("a{at}=1, ,")).collect::<String>());
        assert_eq!(state(value.as_bytes()).unwrap().split(',').count(), 32);
        assert_eq!(state(b" , ,\t,"), None);
    }

    #[test]
    fn opentelemetry_takes_what_it_can() {
        let read = |value: &[u8]| Tracestate::read(&headers(&TRACESTATE, &[value])).unwrap();
        let state = read(b"a= 1,t@v=2");
        let theirs = state.to_otel().unwrap();
        assert_eq!(theirs.get("t@v"), Some("2"));
        assert_eq!(Tracestate::from_otel(&theirs), Some(state));
        assert_eq!(Tracestate::from_otel(&otel::TraceState::NONE), None);
        assert_eq!(read(b"a@b@c=1").to_otel(), None);
    }

    #[test]
    fn a_full_map_is_left_as_it_is() {
        let mut headers = HeaderMap::new();
        let name = |at: usize| HeaderName::try_from(format!("x-{at}")).unwrap();
        while headers.try_insert(name(headers.len()), HeaderValue::from_static("")).is_ok() {}
        let length = headers.len();
        inject(&mut headers, Traceparent::parse(VALUE.as_bytes()).unwrap(), None);
        assert_eq!(headers.len(), length);
    }

    fn traceparent() -> impl Strategy<Value = Traceparent> {
        (1..=u128::MAX, 1..=u64::MAX, any::<u8>()).prop_map(|(trace, parent, flags)| Traceparent {
            trace_id: TraceId::new(trace).unwrap(),
            parent_id: SpanId::new(parent).unwrap(),
            flags: Flags::new(flags),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            traceparent in traceparent(),
            members in prop::collection::vec("[a-z0-9][a-z0-9_*/@-]{0,9}=[ -+\\--<>-~]{0,9}[!-+\\--<>-~]", 0..=32),
        ) {
            let mut map = headers(&TRACEPARENT, &[b"old", b"older"]);
            let tracestate = Tracestate::read(&headers(&TRACESTATE, &[members.join(" , ").as_bytes()]));
            prop_assert_eq!(tracestate.as_ref().map_or("", Tracestate::as_str), members.join(","));
            inject(&mut map, traceparent, tracestate.as_ref());
            prop_assert_eq!(extract(&map), Some((traceparent, tracestate)));
        }

        #[test]
        fn no_bytes_make_it_panic(
            parent in prop::collection::vec(any::<u8>(), 0..70),
            state in prop::collection::vec(any::<u8>(), 0..70),
            at in 0..55usize,
            byte: u8,
        ) {
            let mut nearly = VALUE.as_bytes().to_vec();
            nearly[at] = byte;
            for parent in [parent, nearly] {
                let (Ok(parent), Ok(state)) = (HeaderValue::from_bytes(&parent), HeaderValue::from_bytes(&state))
                else { continue };
                let map = HeaderMap::from_iter([(TRACEPARENT.clone(), parent), (TRACESTATE.clone(), state)]);
                if let Some((parent, state)) = extract(&map) {
                    prop_assert_eq!(Traceparent::parse(parent.to_value().as_bytes()), Some(parent));
                    drop(state.map(|state| (state.to_value(), state.to_otel(), state.members().count())));
                }
            }
        }
    }
}
