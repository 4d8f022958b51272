use std::{collections::HashSet, mem};

/// What was seen of late: the last few thousand for certain, and up to twice as many.
#[derive(Debug, Default)]
pub(super) struct Seen {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

// ===== impl Seen =====

impl Seen {
    /// Whether it was seen. If so, it has been seen of late.
    pub(super) fn has(&mut self, what: u64) -> bool {
        if self.young.contains(&what) {
            return true;
        }
        let has = self.old.contains(&what);
        if has {
            self.add(what);
        }
        has
    }

    pub(super) fn add(&mut self, what: u64) {
        if self.young.len() >= MOST {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(what);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_again_and_again_is_not_forgotten_among_many() {
        let mut seen = Seen::default();
        (0..1_000_000).for_each(|what| {
            seen.add(what);
            if what % 1000 == 0 {
                assert!(what == 0 || seen.has(0), "{what}");
            }
            assert!(seen.young.len() + seen.old.len() <= 2 * MOST);
        });
        assert!(!seen.has(1) && seen.has(999_999 - MOST as u64 + 1));
    }
}
