/// What a record is worth. What is worth least is the first to be left out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Worth {
    /// Details for debugging.
    Idle,
    /// It went well.
    Good,
    /// It went well, and took its time.
    Slow,
    /// It went wrong.
    Failed,
    /// It went wrong in a way that was not seen yet.
    Novel,
}

// ===== impl Worth =====

impl Worth {
    /// Of how many one is kept, as a power of two, while a bucket is so full: from 0 to 1. `None`: none is.
    pub(super) fn one_in(self, fullness: f64) -> Option<u32> {
        let (start, floor) = match self {
            Self::Idle => (0.95, 0.70),
            Self::Good => (0.85, 0.50),
            Self::Slow => (0.50, 0.25),
            Self::Failed => (0.25, 0.05),
            Self::Novel => return Some(0),
        };
        if fullness >= start {
            return Some(0);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 20")]
        let power = ((start - fullness) / (start - floor) * STEPS).ceil() as u32;
        (fullness > floor).then_some(power)
    }
}

/// Whether it is among the one in 2^`power` by its number: those of a greater power are among those of a smaller one.
pub(super) fn is_one(number: u64, power: u32) -> bool {
    power == 0 || mixed(number) >> (u64::BITS - power.min(STEPS as u32)) == 0
}

/// Who has sampled by the bits of an id before has left none to go by: these are others, made of them by
/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The last power before nothing is kept: one in a million.
const STEPS: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Worth; 5] = [Worth::Idle, Worth::Good, Worth::Slow, Worth::Failed, Worth::Novel];

    #[test]
    fn what_is_worth_more_is_never_thinned_more() {
        for fullness in (0..=1000).map(|part| f64::from(part) / 1000.0) {
            let powers = ALL.map(|worth| worth.one_in(fullness).unwrap_or(u32::MAX));
            assert!(powers.is_sorted_by(|less, more| less >= more), "{fullness}: {powers:?}");
        }
    }

    #[test]
    fn a_fuller_bucket_never_thins_more() {
        for worth in ALL {
            let powers = (0..=1000).map(|part| worth.one_in(f64::from(part) / 1000.0).unwrap_or(u32::MAX));
            assert!(powers.is_sorted_by(|emptier, fuller| emptier >= fuller), "{worth:?}");
        }
    }

    #[test]
    fn the_powers_go_from_all_to_one_in_a_million_and_none() {
        assert_eq!(Worth::Good.one_in(1.0), Some(0));
        assert_eq!(Worth::Good.one_in(0.849), Some(1));
        assert_eq!(Worth::Good.one_in(0.501), Some(20));
        assert_eq!(Worth::Good.one_in(0.5), None);
        assert_eq!(Worth::Novel.one_in(-1.0), Some(0));
    }

    #[test]
    fn of_a_thousand_traces_one_in_eight_is_kept_and_all_rarer_ones_are_among_them() {
        let kept = |power| (0..100_000).filter(|id| is_one(*id, power)).count();
        for (power, expected) in [(0, 100_000), (1, 50_000), (3, 12_500), (8, 390)] {
            assert!(kept(power).abs_diff(expected) <= expected / 8, "{power}: {}", kept(power));
        }
        for id in (0..100_000).filter(|id| is_one(*id, 8)) {
            assert!((0..8).all(|power| is_one(id, power)));
        }
    }

    #[test]
    fn it_goes_by_other_bits_than_samplers_do() {
        let sampled: Vec<u64> = (0..1_000_000_u64).map(|id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let upper = sampled.iter().filter(|id| **id % (1 << 56) >= 9 * ((1 << 56) / 10));
        let (all, kept) = upper.fold((0, 0), |(all, kept), id| (all + 1, kept + usize::from(is_one(*id, 1))));
        assert!(kept * 2 > all * 9 / 10 && kept * 2 < all * 11 / 10, "{kept} of {all}");
    }
}
