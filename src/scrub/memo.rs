use std::borrow::Cow;

use super::Scrubber;

/// What texts that come again and again were scrubbed to, such as user agents and hosts.
///
/// It holds at most 128 texts of at most 512 bytes, each with what became of it: 350 kB at most, and 20 kB with nothing but
/// user agents. A text takes the place of another one that falls on the same; so a stranger who sends a new one with each
/// request costs the scrubbing, and no more memory. It has no lock: whoever writes records has one of their own.
///
/// What it holds is of one scrubber. With another one it begins anew.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// Kept, so that no other one can come to lie where its rules do.
    scrubber: Option<Scrubber>,
    /// None before the first text.
    slots: Box<[Slot]>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    text: Box<str>,
    /// What became of it, if it is not the same.
    scrubbed: Option<Box<str>>,
}

// ===== impl Memo =====

impl Memo {
    /// The same as [`Scrubber::text`].
    pub(crate) fn text<'a>(&'a mut self, scrubber: &Scrubber, text: &'a str) -> Cow<'a, str> {
        if text.is_empty() || text.len() > LONGEST {
            return scrubber.text(text);
        }
        if !self.scrubber.as_ref().is_some_and(|known| known.is_same(scrubber)) {
            self.forget(scrubber);
        }
        let slot = &mut self.slots[place(text.as_bytes())];
        if *slot.text != *text {
            slot.take(scrubber, text);
        }
        Cow::Borrowed(slot.scrubbed.as_deref().unwrap_or(text))
    }

    /// Forgets what another scrubber made.
    #[cold]
    fn forget(&mut self, scrubber: &Scrubber) {
        *self = Self { scrubber: Some(scrubber.clone()), slots: vec![Slot::default(); SLOTS].into() };
    }
}

// ===== impl Slot =====

impl Slot {
    #[inline(never)]
    fn take(&mut self, scrubber: &Scrubber, text: &str) {
        let scrubbed = match scrubber.text(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(scrubbed) => Some(scrubbed.into()),
        };
        *self = Self { text: text.into(), scrubbed };
    }
}

/// Where a text is, by its length and by what stands in four places of it: many user agents begin alike, or end alike.
fn place(text: &[u8]) -> usize {
    let Some(last) = text.len().checked_sub(8) else {
        return text.iter().fold(text.len(), |hash, byte| hash.wrapping_mul(31) ^ usize::from(*byte)) % SLOTS;
    };
    let mut hash = text.len() as u64;
    for at in [last / 4, last / 2, last - last / 4, last] {
        let eight = text[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        hash = (hash.rotate_left(23) ^ eight).wrapping_mul(MIX);
    }
    (hash >> 32) as usize % SLOTS
}

const SLOTS: usize = 128;
const LONGEST: usize = 512;

/// 2^64 by the golden ratio: in the high bits of what it is multiplied with, all bits have their say.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, ptr};

    use proptest::{collection::vec, prelude::*};

    use super::*;

    const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";

    fn agent(version: usize) -> String {
        AGENT.replace("132", &version.to_string())
    }

    #[test]
    fn a_text_that_comes_again_is_not_scrubbed_again() {
        let (mut memo, scrubber) = (Memo::default(), Scrubber::default());
        let secret = "curl/8.5 token=canary";
        for text in [AGENT, secret, AGENT, secret] {
            assert_eq!(memo.text(&scrubber, text), scrubber.text(text));
        }
        let before = memo.text(&scrubber, secret).as_ptr();
        let info = allocation_counter::measure(|| {
            assert!(ptr::eq(memo.text(&scrubber, secret).as_ptr(), before));
            assert!(ptr::eq(memo.text(&scrubber, AGENT).as_ptr(), AGENT.as_ptr()));
        });
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn what_one_scrubber_made_is_nothing_to_another() {
        let mut memo = Memo::default();
        let text = "iban=canary";
        for _ in 0..3 {
            // Each would lie where the last one did, if nobody kept that.
            assert_eq!(memo.text(&Scrubber::default(), text), text);
            assert_eq!(memo.text(&Scrubber::default().fields(["iban"]), text), "iban=REDACTED");
        }
    }

    #[test]
    fn many_texts_take_no_more_than_their_slots() {
        let (mut memo, scrubber) = (Memo::default(), Scrubber::default());
        let warm =
            |memo: &mut Memo| (1_000..4_000).for_each(|version| drop(memo.text(&scrubber, &agent(version))));
        warm(&mut memo);
        let info = allocation_counter::measure(|| warm(&mut memo));
        assert!(info.bytes_current.abs() < 1_024, "{info:?}");
        let long = "x".repeat(LONGEST + 1);
        let info = allocation_counter::measure(|| drop(memo.text(&scrubber, &long)));
        assert_eq!(info.count_total, 0);
    }

    #[test]
    fn the_versions_of_one_agent_lie_apart() {
        let places: HashSet<_> = (100..164).map(|version| place(agent(version).as_bytes())).collect();
        // By chance it would be 50 of 64.
        assert!(places.len() > 40, "{}", places.len());
    }

    proptest! {
        #[test]
        fn a_text_is_scrubbed_as_without_a_memo(texts in vec("(a|b|token|=|[a-z]|é| ){0,4}", 0..200)) {
            let (mut memo, scrubber) = (Memo::default(), Scrubber::default());
            for text in &texts {
                prop_assert_eq!(memo.text(&scrubber, text), scrubber.text(text));
            }
        }
    }
}
