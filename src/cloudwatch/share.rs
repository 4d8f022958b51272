use crate::trace::{
    Identity, TraceId,
    share::{self, MEMBER, RANGE},
};

/// A share of all traces, by their ids, or by the explicit randomness that a caller who may decide has given them: whoever
/// keeps a share by the same rule has the same traces, as
/// [OpenTelemetry's probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    share: f64,
    /// Traces whose 56 random bits are below it are left out.
    threshold: u64,
}

// ===== impl Share =====

impl Share {
    pub(super) const ALL: Self = Self { share: 1.0, threshold: 0 };

    /// From 0 to 1; what lies beyond is taken for the nearer end, what is no number for 0.
    pub(super) fn new(share: f64) -> Self {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        Self { share, threshold: share::threshold(share) }
    }

    /// Whether the trace is kept. Where its caller `may_decide`, by what that one wrote into `tracestate`.
    pub(super) fn keeps(self, identity: &Identity, may_decide: bool) -> bool {
        let told = || randomness(identity).filter(|_| may_decide);
        self == Self::ALL || told().unwrap_or_else(|| of_id(identity.trace_id())) >= self.threshold
    }

    /// How many one that is kept stands for, unless that is one.
    pub(super) fn rate(self) -> Option<f64> {
        (self != Self::ALL).then(|| 1.0 / self.share)
    }
}

fn randomness(identity: &Identity) -> Option<u64> {
    let mut members = identity.state()?.members();
    members.find(|(key, _)| *key == MEMBER).and_then(|(_, value)| share::randomness(value))
}

#[allow(clippy::cast_possible_truncation, reason = "these are the random bits")]
fn of_id(trace_id: TraceId) -> u64 {
    trace_id.to_u128() as u64 % RANGE
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::trace::Propagation;

    fn identity(random: u64, state: &'static str) -> Identity {
        let parent = format!("00-{:032x}-00f067aa0ba902b7-00", 1_u128 << 96 | u128::from(random));
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", parent.parse().unwrap());
        headers.insert("tracestate", state.parse().unwrap());
        Propagation::default().identify(&headers, None)
    }

    fn keeps(share: Share, random: u64) -> bool {
        share.keeps(&identity(random, ""), true)
    }

    #[test]
    fn a_half_is_the_upper_half() {
        let half = Share::new(0.5);
        assert!(!keeps(half, RANGE / 2 - 1) && keeps(half, RANGE / 2) && keeps(half, RANGE - 1));
        assert_eq!(half.rate(), Some(2.0));
    }

    #[test]
    fn all_is_all_and_nothing_is_nothing() {
        for random in [0, 1, RANGE / 2, RANGE - 1] {
            assert!(keeps(Share::ALL, random) && keeps(Share::new(7.0), random));
            assert!(!keeps(Share::new(0.0), random) && !keeps(Share::new(f64::NAN), random));
        }
        assert_eq!(Share::new(1.0).rate(), None);
    }
    #[test]
    fn explicit_randomness_counts_in_place_of_the_id_where_the_caller_may_decide() {
        let (half, high) = (Share::new(0.5), identity(0, "vendor=a,ot=th:8;rv:80000000000000"));
        assert!(half.keeps(&high, true) && !half.keeps(&high, false));
        let low = identity(RANGE - 1, "ot=rv:7fffffffffffff");
        assert!(!half.keeps(&low, true) && half.keeps(&low, false));
        assert!(half.keeps(&identity(RANGE - 1, "ot=rv:7f"), true), "what is no randomness does not count");
    }
}
