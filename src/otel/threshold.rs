use opentelemetry::trace::{TraceId, TraceState};

use crate::trace::share::{self, MEMBER, RANGE, digits};

/// From which value of a trace's randomness on the trace is kept, out of 2⁵⁶: `th` in the member `ot` of `tracestate`,
/// <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Threshold(u64);

// ===== impl Threshold =====

impl Threshold {
    /// Everything is kept.
    pub(super) const ALL: Self = Self(0);

    /// What keeps this share, from 0 to 1, to four hexadecimal digits.
    pub(super) fn of_share(share: f64) -> Self {
        Self(share::threshold(share))
    }

    /// What the caller, or a sampler, has written.
    pub(super) fn read(state: &TraceState) -> Option<Self> {
        subkey(state, "th:").and_then(digits).map(Self)
    }

    /// The state with this threshold in it, and all else that was in it. One without room for it stays as it is.
    pub(super) fn write(self, state: &TraceState) -> TraceState {
        let digits = format!("{:014x}", self.0);
        let digits = digits.trim_end_matches('0');
        replace(state, Some(if digits.is_empty() { "0" } else { digits }))
    }

    /// The state without a threshold.
    pub(super) fn erase(state: &TraceState) -> TraceState {
        if subkey(state, "th:").is_none() { state.clone() } else { replace(state, None) }
    }

    /// Whether a trace is kept: by its explicit randomness, or else by the lower 56 bits of its id.
    pub(super) fn keeps(self, trace_id: TraceId, state: &TraceState) -> bool {
        let explicit = state.get(MEMBER).and_then(share::randomness);
        let by_id = || u64::from_be_bytes(low(trace_id)) & (RANGE - 1);
        explicit.unwrap_or_else(by_id) >= self.0
    }

    /// How many traces each kept one stands for: N where 1 in N is kept.
    pub(super) fn weight(self) -> f64 {
        RANGE as f64 / (RANGE - self.0) as f64
    }

    pub(super) fn keeps_all(self) -> bool {
        self == Self::ALL
    }
}

fn low(trace_id: TraceId) -> [u8; 8] {
    *trace_id.to_bytes().last_chunk().expect("a trace id has 16 bytes")
}

/// The value of a subkey of `ot`.
fn subkey<'a>(state: &'a TraceState, key: &str) -> Option<&'a str> {
    share::subkey(state.get(MEMBER)?, key)
}

fn replace(state: &TraceState, threshold: Option<&str>) -> TraceState {
    let others = state.get(MEMBER).unwrap_or_default().split(';');
    let others = others.filter(|pair| !pair.is_empty() && !pair.starts_with("th:")).map(str::to_owned);
    let pairs: Vec<_> = threshold.map(|digits| format!("th:{digits}")).into_iter().chain(others).collect();
    let changed = if pairs.is_empty() { state.delete(MEMBER) } else { state.insert(MEMBER, pairs.join(";")) };
    changed.unwrap_or_else(|_| state.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(header: &str) -> TraceState {
        header.parse().unwrap()
    }

    fn written(share: f64) -> String {
        Threshold::of_share(share).write(&TraceState::default()).header()
    }

    #[test]
    fn a_share_is_written_with_as_few_digits_as_tell_it_apart() {
        for (share, header) in [
            (1.0, "ot=th:0"),
            (0.5, "ot=th:8"),
            (0.25, "ot=th:c"),
            (1.0 / 3.0, "ot=th:aaab"),
            (0.1, "ot=th:e666"),
            (0.01, "ot=th:fd70a"),
            (0.000_01, "ot=th:ffff583a"),
        ] {
            assert_eq!(written(share), header, "{share}");
        }
    }

    #[test]
    fn a_share_of_nothing_keeps_not_even_the_largest_randomness() {
        for share in [0.0, -1.0, f64::NAN] {
            let threshold = Threshold::of_share(share);
            assert!(!threshold.keeps(TraceId::from(u128::MAX), &TraceState::default()), "{share}");
        }
    }

    #[test]
    fn the_weight_of_one_in_n_is_n() {
        for n in [1, 2, 3, 7, 10, 100, 1_000, 12_345] {
            let weight = Threshold::of_share(1.0 / f64::from(n)).weight();
            assert_eq!(weight.round(), f64::from(n));
        }
    }

    #[test]
    fn other_members_and_other_subkeys_stay() {
        let before = state("vendor=a,ot=rv:0123456789abcd;th:8;x:y,z=1");
        let after = Threshold::of_share(0.25).write(&before);
        assert_eq!(after.header(), "ot=th:c;rv:0123456789abcd;x:y,vendor=a,z=1");
        assert_eq!(Threshold::erase(&after).header(), "ot=rv:0123456789abcd;x:y,vendor=a,z=1");
        assert_eq!(Threshold::erase(&state("ot=th:8,z=1")).header(), "z=1");
    }

    #[test]
    fn what_is_no_threshold_is_not_read() {
        for header in ["ot=th:", "ot=th:C", "ot=th:123456789abcdef", "ot=th:+1", "ot=x:1", "other=th:8", ""] {
            assert_eq!(Threshold::read(&state(header)), None, "{header}");
        }
    }

    #[test]
    fn explicit_randomness_counts_in_place_of_the_id() {
        let half = Threshold::of_share(0.5);
        let (low, high) = (TraceId::from(1), TraceId::from(u128::from(u64::MAX)));
        assert!(half.keeps(high, &TraceState::default()) && !half.keeps(low, &TraceState::default()));
        assert!(half.keeps(low, &state("ot=rv:80000000000000")));
        assert!(!half.keeps(high, &state("ot=rv:7fffffffffffff")));
        assert!(half.keeps(high, &state("ot=rv:7f")), "what is no randomness does not count");
    }

    proptest! {
        #[test]
        fn a_threshold_reads_back(share in 0.000_000_1..=1.0) {
            let threshold = Threshold::of_share(share);
            prop_assert_eq!(Threshold::read(&threshold.write(&TraceState::default())), Some(threshold));
            prop_assert!((threshold.weight() * share - 1.0).abs() < 0.001);
        }

        #[test]
        fn no_member_makes_reading_panic(value in "[ -+--<>-~]{1,60}", id: u128) {
            if let Ok(state) = format!("ot={value}").parse::<TraceState>() {
                let threshold = Threshold::read(&state).unwrap_or(Threshold::ALL);
                threshold.keeps(TraceId::from(id), &state);
                threshold.write(&Threshold::erase(&state));
            }
        }
    }
}
