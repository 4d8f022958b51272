/// Finds items in a list by their keys. To find one costs the same however many there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    len: usize,
    /// One more than where an item is, in the slot of its key's hash or the next that was free; 0 where there is none.
    /// Empty while there are few items.
    slots: Vec<usize>,
}

/// The slot for a key that was not found, until the next item is added.
#[derive(Debug)]
pub(crate) struct Vacancy(usize);

// ===== impl Index =====

impl Index {
    /// Made for a list of so many items.
    #[cfg(feature = "otel")]
    pub(crate) fn with_capacity(items: usize) -> Self {
        let mut index = Self::default();
        if items > FEW {
            index.slots = vec![0; (2 * items).next_power_of_two()];
        }
        index
    }

    /// Where the item with this key is, if one was added.
    #[inline]
    pub(crate) fn find<'a>(&self, key: &str, key_of: impl Fn(usize) -> &'a str) -> Result<usize, Vacancy> {
        if self.slots.is_empty() {
            return (0..self.len).find(|at| key_of(*at) == key).ok_or(Vacancy(0));
        }
        let mut slot = self.first(key);
        while let Some(at) = self.slots[slot].checked_sub(1) {
            if key_of(at) == key {
                return Ok(at);
            }
            slot = self.next(slot);
        }
        Err(Vacancy(slot))
    }

    /// Adds the next item of the list, whose key was not found.
    #[inline]
    pub(crate) fn push<'a>(&mut self, vacancy: Vacancy, key_of: impl Fn(usize) -> &'a str) {
        self.len += 1;
        if 2 * self.len <= self.slots.len() {
            self.slots[vacancy.0] = self.len;
        } else if self.len > FEW {
            self.rebuild(key_of);
        }
    }

    /// Makes room for as many items again.
    #[cold]
    fn rebuild<'a>(&mut self, key_of: impl Fn(usize) -> &'a str) {
        self.slots = vec![0; (4 * self.len).next_power_of_two()];
        for at in 0..self.len {
            let mut slot = self.first(key_of(at));
            while self.slots[slot] > 0 {
                slot = self.next(slot);
            }
            self.slots[slot] = at + 1;
        }
    }

    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    /// The first slot in which a key may be.
    fn first(&self, key: &str) -> usize {
        (hash(key) >> 32) as usize & (self.slots.len() - 1)
    }
}

/// A multiplicative hash. Who chooses keys that collide finds them as slowly as in a list.
fn hash(key: &str) -> u64 {
    let mut hash = key.len() as u64;
    for word in key.as_bytes().as_chunks().0 {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(GOLDEN).rotate_left(5);
    }
    // Of a longer key some bytes are in its last eight and in the word before.
    let last = match key.as_bytes().last_chunk() {
        Some(last) => u64::from_le_bytes(*last),
        None => key.bytes().fold(0, |last, byte| last << 8 | u64::from(byte)),
    };
    (hash ^ last).wrapping_mul(GOLDEN)
}

/// So many are found as fast without a table.
const FEW: usize = 4;

/// 2^64 divided by the golden ratio: what differs by little is put far apart.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_finds(
            keys in prop::collection::vec("[ab]{0,3}|[a-c]{7,9}|.{0,20}", 0..300),
            is_large: bool,
        ) {
            let mut index = if is_large { Index::with_capacity(keys.len()) } else { Index::default() };
            let mut list = Vec::<String>::new();
            for key in &keys {
                let found = index.find(key, |at| &list[at]);
                prop_assert_eq!(found.as_ref().ok().copied(), list.iter().position(|other| other == key));
                if let Err(vacancy) = found {
                    list.push(key.clone());
                    index.push(vacancy, |at| &list[at]);
                }
            }
            prop_assert!(index.find("another", |at| &list[at]).is_err());
        }
    }

    #[test]
    fn keys_that_differ_by_little_are_spread() {
        for slots in [16, 64, 256] {
            let index = Index { len: 0, slots: vec![0; slots] };
            let firsts = (0..slots / 2).map(|number| index.first(&format!("fact_{number}")));
            let distinct = firsts.collect::<std::collections::HashSet<_>>().len();
            assert!(distinct > slots / 4, "{distinct} of {slots}");
        }
    }
}
