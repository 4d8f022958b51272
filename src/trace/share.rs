//! A share of all traces, by their ids or by what their `tracestate` has in the place of these.

/// Below which number the 56 random bits of a trace's id are so that this share of all is left, from 0 to 1: what is no number
/// leaves nothing.
///
/// It has four hexadecimal digits, as
/// [`th` of a `tracestate`](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#sampling-threshold-value-th).
pub(crate) fn threshold(share: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 2^56")]
    let kept = (share.clamp(0.0, 1.0) * RANGE as f64).round() as u64;
    rounded(RANGE - kept)
}

/// Four digits tell 1 in N apart; those that all thresholds of rare or of frequent traces begin with do not count.
fn rounded(threshold: u64) -> u64 {
    let top = threshold << 8;
    let same = top.leading_ones().max(top.leading_zeros()) / 4;
    let Some(dropped) = DIGITS.checked_sub(PRECISION + same).filter(|digits| *digits > 0) else {
        return threshold;
    };
    let unit = 1 << (4 * dropped);
    (threshold + unit / 2) / unit * unit
}

/// The explicit randomness of a trace, as the member `ot` of its `tracestate` has it, which counts in place of the id's:
/// [`rv`](https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/#explicit-randomness-value-rv).
pub(crate) fn randomness(member: &str) -> Option<u64> {
    subkey(member, "rv:").filter(|text| text.len() == DIGITS as usize).and_then(digits)
}

/// The value of a subkey of the member `ot`; the key ends with a colon.
pub(crate) fn subkey<'a>(member: &'a str, key: &str) -> Option<&'a str> {
    member.split(';').find_map(|pair| pair.strip_prefix(key))
}

/// Up to 14 hexadecimal digits, the first ones of a number of 56 bits.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let are_digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !are_digits || !(1..=DIGITS as usize).contains(&text.len()) {
        return None;
    }
    let number = u64::from_str_radix(text, 16).ok()?;
    Some(number << (4 * (DIGITS as usize - text.len())))
}

/// The member of `tracestate` that OpenTelemetry writes.
pub(crate) const MEMBER: &str = "ot";

/// One more than 56 bits hold.
pub(crate) const RANGE: u64 = 1 << 56;

/// What 56 bits are written with.
const DIGITS: u32 = 14;
const PRECISION: u32 = 4;
