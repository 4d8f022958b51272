use std::{
    cell::Cell,
    fmt,
    hash::{BuildHasher, RandomState},
    num::{NonZeroU64, NonZeroU128},
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace as otel;

use super::hex;
use crate::error::Error;

/// The id of a whole trace: 128 bits, never all zero.
///
/// It prints as 32 lower-case hexadecimal digits, which is how `traceparent` and every OpenTelemetry backend write
/// it; [`amzn`](Self::amzn) prints it as AWS X-Ray does. [`from_str`](Self::from_str) reads both, and what people
/// copy around them.
///
/// ```
/// use belvedere::trace::TraceId;
///
/// let id: TraceId = r#""trace_id": "4bf92f3577b34da6a3ce929d0e0e4736""#.parse()?;
/// assert_eq!(id.amzn().to_string(), "1-4bf92f35-77b34da6a3ce929d0e0e4736");
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TraceId(NonZeroU128);

/// The id of one span in a trace: 64 bits, never all zero.
///
/// It prints as 16 lower-case hexadecimal digits. AWS X-Ray calls it the id of a segment and writes it the same way.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SpanId(NonZeroU64);

/// A [`TraceId`] that prints as AWS X-Ray writes it: `1-`, 8 digits, `-`, 24 digits.
///
/// The 8 digits are meant to be [seconds since 1970]; those of [`TraceId::generate`] are.
///
/// [seconds since 1970]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amzn(TraceId);

// ===== impl TraceId =====

impl TraceId {
    /// Makes a new id: 32 bits of the current time in seconds, then 96 random bits.
    ///
    /// X-Ray takes such an id everywhere, also where it insists on the time, and the random part is on the right as
    /// the [random flag](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag) of `traceparent` promises. The
    /// random numbers are good for telling traces apart; they are not secrets.
    pub fn generate() -> Self {
        loop {
            let time = u128::from(seconds_since_epoch()) << 96;
            let (middle, low) = random(|rng| (rng.u32(..), rng.u64(..)));
            if let Some(id) = Self::new(time | u128::from(middle) << 64 | u128::from(low)) {
                return id;
            }
        }
    }

    /// The id with these bits; none if they are all zero, which stands for "no trace" in every protocol.
    pub const fn new(bits: u128) -> Option<Self> {
        match NonZeroU128::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The id of an OpenTelemetry context; none if it is the invalid one.
    pub fn from_otel(id: otel::TraceId) -> Option<Self> {
        Self::new(u128::from_be_bytes(id.to_bytes()))
    }

    /// The bits, the first digit in the highest.
    pub const fn to_u128(self) -> u128 {
        self.0.get()
    }

    /// The same id, to be printed as AWS X-Ray writes it.
    pub const fn amzn(self) -> Amzn {
        Amzn(self)
    }
}

#[cfg(feature = "cloudwatch")]
impl TraceId {
    /// The digits that it prints.
    pub(crate) fn digits(self) -> [u8; 32] {
        let mut digits = [0; 32];
        hex::write(self.to_u128(), &mut digits);
        digits
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::write(self.to_u128(), &mut digits);
        f.pad(hex::text(&digits))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads any spelling that a person may paste.
///
/// These are 32 digits of either case, X-Ray's `1-8-24`, a whole `traceparent` or `X-Amzn-Trace-Id`, with or without
/// the name of the header, and a piece of a log line or of JSON that has one of them in it, with quotes and white
/// space around. Where there are several, the one named `trace_id`, `traceparent` or `Root` is meant; if none is
/// named so and they differ, that is an error, and so is a text without an id.
impl FromStr for TraceId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = ["traceid", "traceparent00", "root"];
        let is_named = |before: &str| names.iter().any(|name| ends_as(before, name));
        pick(text, read_trace_id, is_named).ok_or_else(|| {
            let advice = "paste one id of 32 hexadecimal digits, 1-8-24, or a header that has one";
            Error::invalid("the trace id", text, advice)
        })
    }
}

impl From<TraceId> for otel::TraceId {
    fn from(id: TraceId) -> Self {
        Self::from(id.to_u128())
    }
}

// ===== impl SpanId =====

impl SpanId {
    /// Makes a new id of 64 random bits.
    pub fn generate() -> Self {
        loop {
            if let Some(id) = Self::new(random(|rng| rng.u64(..))) {
                return id;
            }
        }
    }

    /// The id with these bits; none if they are all zero, which stands for "no span" in every protocol.
    pub const fn new(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The id of an OpenTelemetry context; none if it is the invalid one.
    pub fn from_otel(id: otel::SpanId) -> Option<Self> {
        Self::new(u64::from_be_bytes(id.to_bytes()))
    }

    /// The bits, the first digit in the highest.
    pub const fn to_u64(self) -> u64 {
        self.0.get()
    }
}

#[cfg(any(feature = "cloudwatch", feature = "xray"))]
impl SpanId {
    /// The digits that it prints.
    pub(crate) fn digits(self) -> [u8; 16] {
        let mut digits = [0; 16];
        hex::write(self.to_u64().into(), &mut digits);
        digits
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 16];
        hex::write(self.to_u64().into(), &mut digits);
        f.pad(hex::text(&digits))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads any spelling that a person may paste.
///
/// These are 16 digits of either case, and the headers, log lines and JSON that [`TraceId`] is read from. Where there
/// are several ids, the one named `span_id` is meant; if none is named so and they differ, that is an error.
impl FromStr for SpanId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_named = |before: &str| ends_as(before, "spanid") && !ends_as(before, "parentspanid");
        pick(text, read_span_id, is_named).ok_or_else(|| {
            let advice = "paste one id of 16 hexadecimal digits, or a header that has one";
            Error::invalid("the span id", text, advice)
        })
    }
}

impl From<SpanId> for otel::SpanId {
    fn from(id: SpanId) -> Self {
        Self::from(id.to_u64())
    }
}

// ===== impl Amzn =====

impl Amzn {
    pub(crate) const LEN: usize = 35;

    pub(super) fn read(text: &[u8; Self::LEN]) -> Option<TraceId> {
        let is_spelt_so = text[..2] == *b"1-" && text[10] == b'-';
        let time = hex::read::<8>(text[2..].first_chunk()?)?;
        let high = hex::read::<8>(text[11..].first_chunk()?)?;
        let low = hex::read::<16>(text[19..].first_chunk()?)?;
        let id = TraceId::new(u128::from(time) << 96 | u128::from(high) << 64 | u128::from(low));
        id.filter(|_| is_spelt_so)
    }

    /// The text that it prints.
    #[cfg(any(feature = "cloudwatch", feature = "xray"))]
    pub(crate) fn digits(self) -> [u8; Self::LEN] {
        let mut digits = [0; Self::LEN];
        self.write(&mut digits);
        digits
    }

    pub(super) fn write(self, into: &mut [u8; Self::LEN]) {
        let bits = self.0.to_u128();
        into[..2].copy_from_slice(b"1-");
        hex::write(bits >> 96, &mut into[2..10]);
        into[10] = b'-';
        hex::write(bits, &mut into[11..]);
    }
}

impl fmt::Display for Amzn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::LEN];
        self.write(&mut text);
        f.pad(hex::text(&text))
    }
}

impl fmt::Debug for Amzn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// ===== random numbers =====

/// Lends this thread's generator.
// fastrand's own generator is seeded from the clock and the thread's number, which two machines that start from one
// image may share. `RandomState` takes its keys from the operating system.
fn random<T>(draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
    thread_local! {
        static GENERATOR: Cell<u64> = Cell::new(RandomState::new().hash_one(SystemTime::now()));
    }
    GENERATOR.with(|seed| {
        let mut rng = fastrand::Rng::with_seed(seed.get());
        let drawn = draw(&mut rng);
        seed.set(rng.get_seed());
        drawn
    })
}

fn seconds_since_epoch() -> u32 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    age.as_secs() as u32
}

// ===== pasted text =====

/// Finds the id that `text` is about: the first that `is_named` by what stands before it, else the only one.
fn pick<T: Copy + PartialEq>(
    text: &str,
    read: impl Fn(&[u8]) -> Option<T>,
    is_named: impl Fn(&str) -> bool,
) -> Option<T> {
    let found = |&start: &usize| Some((start, read(&text.as_bytes()[start..])?));
    let ids = || words(text).filter_map(|start| found(&start));
    if let Some((_, id)) = ids().find(|&(start, _)| is_named(&text[..start])) {
        return Some(id);
    }
    let (_, first) = ids().next()?;
    ids().all(|(_, id)| id == first).then_some(first)
}

/// Where a run of ASCII letters and digits starts.
fn words(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    (0..bytes.len()).filter(|&at| is_word(bytes[at]) && (at == 0 || !is_word(bytes[at - 1])))
}

fn read_trace_id(text: &[u8]) -> Option<TraceId> {
    read_amzn(text).or_else(|| {
        let digits = whole_word(text, 32)?.first_chunk()?;
        TraceId::new(hex::wide(digits, hex::read)?)
    })
}

fn read_span_id(text: &[u8]) -> Option<SpanId> {
    SpanId::new(hex::read::<16>(whole_word(text, 16)?.first_chunk()?)?)
}

fn read_amzn(text: &[u8]) -> Option<TraceId> {
    let id = Amzn::read(text.first_chunk()?)?;
    let is_whole = !text.get(Amzn::LEN).is_some_and(|&byte| is_word(byte));
    is_whole.then_some(id)
}

/// The first `len` bytes, if no letter or digit follows.
fn whole_word(text: &[u8], len: usize) -> Option<&[u8]> {
    let (word, rest) = text.split_at_checked(len)?;
    let ends = !rest.first().is_some_and(|&byte| is_word(byte));
    ends.then_some(word)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// Whether the last letters and digits of `before` are `name`, whatever their case and whatever stands between them.
fn ends_as(before: &str, name: &str) -> bool {
    let mut letters = before.bytes().rev().filter(u8::is_ascii_alphanumeric);
    name.bytes().rev().all(|letter| letters.next().is_some_and(|byte| byte.to_ascii_lowercase() == letter))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const ID: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;

    fn read(text: &str) -> Option<u128> {
        text.parse::<TraceId>().ok().map(TraceId::to_u128)
    }

    #[test]
    fn every_spelling_of_a_trace_id_is_read() {
        for text in [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "  \"4bf92f3577b34da6a3ce929d0e0e4736\"\r\n",
            "'4bf92f3577b34da6a3ce929d0e0e4736',",
            "“4bf92f3577b34da6a3ce929d0e0e4736”",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "1-4BF92F35-77B34DA6A3CE929D0E0E4736",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736@00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
            "X-Amzn-Trace-Id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "Self=1-67891234-12456789abcdef0123456789;Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "trace_id=4bf92f3577b34da6a3ce929d0e0e4736",
            "level=info trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 done",
            "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\"",
            "{\"traceId\" : \"1-4bf92f35-77b34da6a3ce929d0e0e4736\", \"id\": 1}",
            "{\\\"custom.trace_id\\\": \\\"4bf92f3577b34da6a3ce929d0e0e4736\\\"}",
            "Trace ID: 4bf92f3577b34da6a3ce929d0e0e4736",
            "request=ffffffffffffffffffffffffffffffff trace.id=4bf92f3577b34da6a3ce929d0e0e4736",
            "a=ffffffffffffffffffffffffffffffff traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "https://ui.example/trace/4bf92f3577b34da6a3ce929d0e0e4736?tab=spans",
        ] {
            assert_eq!(read(text), Some(ID), "{text}");
        }
    }

    #[test]
    fn what_is_not_one_trace_id_is_refused() {
        for text in [
            "",
            "trace_id",
            "00000000000000000000000000000000",
            "1-00000000-000000000000000000000000",
            "4bf92f3577b34da6a3ce929d0e0e473",
            "4bf92f3577b34da6a3ce929d0e0e47366",
            "x4bf92f3577b34da6a3ce929d0e0e4736",
            "1-4bf92f35-77b34da6a3ce929d0e0e473",
            "21-4bf92f35-77b34da6a3ce929d0e0e4736",
            "1-4bf92f357-7b34da6a3ce929d0e0e4736",
            "4bf92f3577b34da6a3ce929d0e0e4736 ffffffffffffffffffffffffffffffff",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_that_is_said_twice_is_one_id() {
        let text = "4bf92f3577b34da6a3ce929d0e0e4736 1-4bf92f35-77b34da6a3ce929d0e0e4736";
        assert_eq!(read(text), Some(ID));
    }

    #[test]
    fn the_error_says_what_was_pasted_and_what_to_paste() {
        let error = "nonsense".parse::<TraceId>().unwrap_err();
        assert!(error.is_invalid());
        assert!(error.to_string().starts_with("the trace id is \"nonsense\": paste"), "{error}");
    }

    #[test]
    fn every_spelling_of_a_span_id_is_read() {
        for text in [
            "00f067aa0ba902b7",
            " \"00F067AA0BA902B7\" ",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
            "\"parent_span_id\":\"1111111111111111\",\"span_id\":\"00f067aa0ba902b7\"",
        ] {
            let id: SpanId = text.parse().unwrap();
            assert_eq!(id.to_u64(), 0x00f0_67aa_0ba9_02b7, "{text}");
        }
        for text in ["", "0000000000000000", "00f067aa0ba902b", "00f067aa0ba902b7 1111111111111111"] {
            assert!(text.parse::<SpanId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_trace_id_starts_with_the_time() {
        let before = seconds_since_epoch();
        let time = (TraceId::generate().to_u128() >> 96) as u32;
        assert!((before..=seconds_since_epoch()).contains(&time), "{time}");
    }

    #[test]
    fn new_ids_differ_also_between_threads() {
        let make = || (0..1000).map(|_| (TraceId::generate(), SpanId::generate())).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(make)).collect();
        let ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ids.iter().map(|(trace, _)| trace).collect::<HashSet<_>>().len(), 4000);
        assert_eq!(ids.iter().map(|(_, span)| span).collect::<HashSet<_>>().len(), 4000);
    }

    #[test]
    fn making_an_id_allocates_nothing() {
        TraceId::generate();
        let info = allocation_counter::measure(|| {
            TraceId::generate();
            SpanId::generate();
        });
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn an_optional_id_is_as_small_as_an_id() {
        assert_eq!(size_of::<Option<TraceId>>(), 16);
        assert_eq!(size_of::<Option<SpanId>>(), 8);
    }

    proptest! {
        #[test]
        fn every_trace_id_reads_back_from_each_spelling(bits in 1..=u128::MAX, span in 1..=u64::MAX) {
            let (id, span) = (TraceId::new(bits).unwrap(), SpanId::new(span).unwrap());
            for text in [
                id.to_string(),
                id.to_string().to_uppercase(),
                id.amzn().to_string(),
                format!("00-{id}-{span}-01"),
                format!("Root={};Parent={span}", id.amzn()),
                format!("{{\"span_id\":\"{span}\",\"trace_id\":\"{id}\"}}"),
            ] {
                prop_assert_eq!(text.parse::<TraceId>().unwrap(), id, "{}", text);
            }
            prop_assert_eq!(id.to_string(), format!("{bits:032x}"));
        }

        #[test]
        fn every_span_id_reads_back(bits in 1..=u64::MAX) {
            let id = SpanId::new(bits).unwrap();
            prop_assert_eq!(id.to_string(), format!("{bits:016x}"));
            prop_assert_eq!(id.to_string().parse::<SpanId>().unwrap(), id);
        }

        #[test]
        fn the_ids_of_opentelemetry_are_the_same_ids(trace: u128, span: u64) {
            let (trace, span) = (otel::TraceId::from(trace), otel::SpanId::from(span));
            prop_assert_eq!(TraceId::from_otel(trace).map_or(otel::TraceId::INVALID, Into::into), trace);
            prop_assert_eq!(SpanId::from_otel(span).map_or(otel::SpanId::INVALID, Into::into), span);
            prop_assert_eq!(TraceId::from_otel(trace).map(|id| id.to_string()).unwrap_or_default(),
                if trace == otel::TraceId::INVALID { String::new() } else { trace.to_string() });
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".*", id in "[0-9a-f-]{0,80}") {
            let _ = text.parse::<TraceId>();
            let _ = text.parse::<SpanId>();
            let _ = id.parse::<TraceId>();
            let _ = format!("é{id}…").parse::<TraceId>();
        }
    }
}
