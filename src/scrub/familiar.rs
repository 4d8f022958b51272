use std::cell::RefCell;

use super::{Scrubber, is_plain};

/// A text that was found to be shown as it is.
#[derive(Clone, Copy, Debug)]
struct Familiar {
    /// The [number](Scrubber::number) of who has found that.
    number: u32,
    length: usize,
    text: [u8; LONGEST],
}

thread_local! {
    /// None before the first text.
    static FAMILIAR: RefCell<Vec<Familiar>> = const { RefCell::new(Vec::new()) };
}

// ===== impl Scrubber =====

impl Scrubber {
    /// Whether a text that comes again and again, such as a user agent, is [plain](is_plain) and shown as it is. A thread
    /// remembers some that are, in 12 KiB: one that falls on the place of another one takes it.
    pub(crate) fn leaves_familiar(&self, text: &[u8]) -> bool {
        let look = || is_plain(text) && self.leaves_ascii(text);
        if text.len() > LONGEST || self.number() == 0 {
            return look();
        }
        let place = place(text);
        let is_known = |familiar: &RefCell<Vec<Familiar>>| {
            let familiar = familiar.borrow();
            familiar.get(place).is_some_and(|familiar| familiar.is(self.number(), text))
        };
        // A thread that ends remembers nothing.
        if FAMILIAR.try_with(is_known).unwrap_or(false) {
            return true;
        }
        let is_left = look();
        if is_left {
            let remember = |familiar: &RefCell<Vec<Familiar>>| {
                let mut familiar = familiar.borrow_mut();
                familiar.resize(PLACES, Familiar::NONE);
                familiar[place] = Familiar::of(self.number(), text);
            };
            _ = FAMILIAR.try_with(remember);
        }
        is_left
    }
}

// ===== impl Familiar =====

impl Familiar {
    const NONE: Self = Self { number: 0, length: 0, text: [0; LONGEST] };

    fn of(number: u32, text: &[u8]) -> Self {
        let mut familiar = Self { number, length: text.len(), ..Self::NONE };
        familiar.text[..text.len()].copy_from_slice(text);
        familiar
    }

    fn is(&self, number: u32, text: &[u8]) -> bool {
        self.number == number && self.text[..self.length] == *text
    }
}

/// By its length and by what stands in a few places of it: many user agents begin alike, or end alike.
fn place(text: &[u8]) -> usize {
    let eight = |at: usize| {
        text.get(at..).and_then(|text| text.first_chunk()).map_or(0, |eight| u64::from_le_bytes(*eight))
    };
    let last = text.len().saturating_sub(8);
    let parts = [eight(0), eight(last / 2), eight(last - last / 4), eight(last)];
    let mixed =
        parts.iter().fold(text.len() as u64, |hash, part| (hash.rotate_left(23) ^ part).wrapping_mul(MIX));
    (mixed >> (u64::BITS - PLACES.ilog2())) as usize
}

const PLACES: usize = 64;

/// As long as most user agents are.
const LONGEST: usize = 176;

/// 2^64 by the golden ratio: in the high bits of what it is multiplied with, all bits have their say.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn agent(version: usize) -> String {
        format!("Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
    }

    #[test]
    fn what_one_scrubber_leaves_is_nothing_to_another() {
        let text = b"curl/8 iban=canary";
        for _ in 0..3 {
            assert!(Scrubber::default().leaves_familiar(text));
            assert!(!Scrubber::default().fields(["iban"]).leaves_familiar(text));
        }
    }

    #[test]
    fn many_texts_take_no_more_than_their_places() {
        let scrubber = Scrubber::default();
        let meet =
            || (100..4_000).for_each(|version| assert!(scrubber.leaves_familiar(agent(version).as_bytes())));
        meet();
        let info = allocation_counter::measure(meet);
        assert_eq!(info.bytes_current, 0);
    }

    #[test]
    fn the_versions_of_one_agent_lie_apart() {
        let places: HashSet<_> = (100..132).map(|version| place(agent(version).as_bytes())).collect();
        // By chance it would be 25 of 32.
        assert!(places.len() > 18, "{}", places.len());
    }

    proptest! {
        #[test]
        fn a_text_is_left_if_it_is_plain_and_has_no_secret(
            texts in vec("((a|token|=|[a-z\"]|é| ){0,4}|x{170,180})", 0..100), cards: bool,
        ) {
            let scrubber = if cards { Scrubber::default().card_numbers() } else { Scrubber::default() };
            for text in texts.iter().chain(&texts) {
                let is_left = is_plain(text.as_bytes()) && scrubber.text(text) == *text;
                prop_assert_eq!(scrubber.leaves_familiar(text.as_bytes()), is_left, "{}", text);
            }
        }
    }
}
