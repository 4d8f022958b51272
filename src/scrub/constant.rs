use std::cell::RefCell;

use super::{Scrubber, bytes};

/// What is known of a name that the program has as a constant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Constant {
    /// Whether a field of this name is [secret](Scrubber::is_secret).
    pub(crate) is_secret: bool,
    /// Whether it is [plain](is_plain).
    pub(crate) is_plain: bool,
}

/// A constant that was looked at: it stays what it is where it is, for as long as no library that is unloaded had it.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    address: usize,
    length: usize,
    /// The [number](Scrubber::number) of who has looked.
    number: u32,
    constant: Constant,
}

thread_local! {
    /// By where they are; none before the first. One that falls on the place of another one takes it.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

// ===== impl Scrubber =====

impl Scrubber {
    /// What is to be known of a name. A thread looks once at those that it meets often.
    pub(crate) fn constant(&self, name: &'static str) -> Constant {
        let (address, length, number) = (name.as_ptr().addr(), name.len(), self.number());
        let place = (address ^ length << 3).wrapping_mul(MIX) >> (usize::BITS - PLACES.ilog2());
        // A thread that ends has no places any more.
        let look = || Constant { is_secret: self.is_secret(name), is_plain: is_plain(name.as_bytes()) };
        let is_it = |known: &&Known| {
            number > 0 && (known.address, known.length, known.number) == (address, length, number)
        };
        let find = |places: &RefCell<Vec<Known>>| {
            if let Some(known) = places.borrow().get(place).filter(is_it) {
                return known.constant;
            }
            let constant = look();
            let mut places = places.borrow_mut();
            places.resize(PLACES, Known::default());
            places[place] = Known { address, length, number, constant };
            constant
        };
        KNOWN.try_with(find).unwrap_or_else(|_| look())
    }
}

/// Whether it is printable ASCII in which JSON escapes nothing.
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let is_special = |byte: u8| !(b' '..=b'~').contains(&byte) | (byte == b'"') | (byte == b'\\');
    !bytes::any(text, is_special)
}

/// In 6 KiB of each thread that writes records.
const PLACES: usize = 256;

/// 2 to the power of a word's bits by the golden ratio: in the high bits of what it is multiplied with, all bits have their
/// say.
const MIX: usize = (0x9e37_79b9_7f4a_7c15_u64 >> (u64::BITS - usize::BITS)) as usize | 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_whom_it_is_asked() {
        let (usual, other) = (Scrubber::default(), Scrubber::default().fields(["cart"]));
        for _ in 0..3 {
            for (name, is_secret, is_plain) in [
                ("cart", false, true),
                ("password", true, true),
                ("caf\u{e9}", false, false),
                ("a\"", false, false),
            ] {
                assert_eq!(usual.constant(name), Constant { is_secret, is_plain }, "{name}");
                assert_eq!(other.constant(name).is_secret, is_secret || name == "cart", "{name}");
            }
        }
    }

    #[test]
    fn parts_of_a_constant_are_other_ones() {
        let (name, scrubber) = ("password\u{e9}", Scrubber::default());
        for _ in 0..2 {
            assert!(scrubber.constant(&name[..8]).is_secret && scrubber.constant(&name[..8]).is_plain);
            assert!(!scrubber.constant(&name[..7]).is_secret && !scrubber.constant(name).is_plain);
            assert!(scrubber.constant(&name[4..8]) == Constant { is_secret: false, is_plain: true });
        }
    }

    #[test]
    fn more_names_than_there_are_places_are_known_as_they_are() {
        let names: Vec<&'static str> = (0..1_000)
            .map(|name: usize| {
                &*if name.is_multiple_of(7) { format!("token{name}") } else { format!("cart{name}") }.leak()
            })
            .collect();
        let scrubber = Scrubber::default();
        for name in names.iter().chain(&names) {
            assert_eq!(scrubber.constant(name).is_secret, name.starts_with("token"), "{name}");
        }
    }
}
