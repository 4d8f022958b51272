//! A share of all traces, by their ids.

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

/// One more than 56 bits hold.
pub(crate) const RANGE: u64 = 1 << 56;

const DIGITS: u32 = 14;
const PRECISION: u32 = 4;
