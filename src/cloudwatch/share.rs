use crate::trace::{
    TraceId,
    share::{self, RANGE},
};

/// A share of all traces, by their ids: whoever keeps a share by the same rule has the same traces, as
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

    pub(super) fn keeps(self, trace_id: TraceId) -> bool {
        #[allow(clippy::cast_possible_truncation, reason = "these are the random bits")]
        let random = trace_id.to_u128() as u64 % RANGE;
        random >= self.threshold
    }

    /// How many one that is kept stands for, unless that is one.
    pub(super) fn rate(self) -> Option<f64> {
        (self != Self::ALL).then(|| 1.0 / self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(random: u64) -> TraceId {
        TraceId::new(1 << 96 | u128::from(random)).unwrap()
    }

    #[test]
    fn a_half_is_the_upper_half() {
        let half = Share::new(0.5);
        assert!(!half.keeps(id(RANGE / 2 - 1)) && half.keeps(id(RANGE / 2)) && half.keeps(id(RANGE - 1)));
        assert_eq!(half.rate(), Some(2.0));
    }

    #[test]
    fn all_is_all_and_nothing_is_nothing() {
        for random in [0, 1, RANGE / 2, RANGE - 1] {
            assert!(Share::ALL.keeps(id(random)) && Share::new(7.0).keeps(id(random)));
            assert!(!Share::new(0.0).keeps(id(random)) && !Share::new(f64::NAN).keeps(id(random)));
        }
        assert_eq!(Share::new(1.0).rate(), None);
    }
}
