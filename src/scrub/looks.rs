//! What names look like: enough to know of most that they are on no list.

use super::keys::counts;

/// What the names of a list look like.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    /// By the first byte, a bit for each length and last byte.
    wholes: [u64; 32],
    /// The last four bytes of the endings.
    endings: Vec<u32>,
    /// A bit for each of the last three letters.
    lasts: [u64; 32],
}

/// What a name looks like, as names are compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    first: u8,
    whole: Tail,
    /// Without the digits at the end.
    base: Tail,
    /// What its bytes are, all together.
    kinds: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tail {
    length: u32,
    /// The last four bytes.
    end: u32,
}

/// The last three letters of a name, as a bit of some: others may have the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    row: usize,
    bit: u64,
}

// ===== impl Looks =====

impl Looks {
    pub(super) fn of<'a>(
        names: impl Iterator<Item = &'a [u8]>,
        endings: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let mut looks =
            Self { endings: endings.map(|ending| Look::of(ending).whole.end).collect(), ..Self::default() };
        for name in names {
            let Look { first, whole, base, .. } = Look::of(name);
            looks.wholes[usize::from(first % 32)] |= whole.bit();
            match Last::of(name).filter(|_| whole == base) {
                Some(Last { row, bit }) => looks.lasts[row] |= bit,
                // A name that ends in something else than letters is looked for by all of its bytes.
                None => looks.lasts = [u64::MAX; 32],
            }
        }
        looks
    }

    /// Whether a name without parts may be secret, by its [last](Last::of) letters.
    #[inline]
    pub(super) fn may_end(&self, last: Last) -> bool {
        self.lasts[last.row] & last.bit > 0
    }

    /// Whether a name that looks so may be secret, or a part of it.
    pub(super) fn may_have(&self, look: Look, name: &str) -> bool {
        let parts = || name.as_bytes().split(|byte| BYTES[usize::from(*byte)].1 & DIVIDES > 0);
        look.kinds & OTHER > 0
            || self.may_fit(look)
            || look.kinds & DIVIDES > 0 && parts().any(|part| self.may_fit(Look::of(part)))
    }

    fn may_fit(&self, look: Look) -> bool {
        let Look { first, whole, base, .. } = look;
        let lengths = self.wholes[usize::from(first % 32)];
        let may_list = |tail: Tail| lengths & tail.bit() > 0 && self.may_end(tail.last());
        may_list(whole) || may_list(base) || self.endings.contains(&base.end)
    }
}

// ===== impl Look =====

impl Look {
    pub(super) fn of(name: &[u8]) -> Self {
        let mut look = Self::default();
        for byte in name {
            look.push(*byte);
        }
        look
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        let (lower, kind) = BYTES[usize::from(byte)];
        self.kinds |= kind;
        if kind & COUNTS > 0 {
            let Tail { length, end } = self.whole;
            self.first = if length == 0 { lower } else { self.first };
            self.whole = Tail { length: length + 1, end: end << 8 | u32::from(lower) };
        }
        if !byte.is_ascii_digit() {
            self.base = self.whole;
        }
    }
}

// ===== impl Tail =====

impl Tail {
    fn bit(self) -> u64 {
        // The last byte, so that names of one length are told from each other.
        1 << ((self.length + 2 * self.end) % 64)
    }

    fn last(self) -> Last {
        let [_, letters @ ..] = self.end.to_be_bytes();
        Last::new(letters.map(|letter| letter.max(NONE)))
    }
}

const fn divides_name(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b' ' | b'+')
}

// ===== impl Last =====

impl Last {
    /// Those of a name without parts, before the digits at its end, if they are letters.
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let mut end = name.len();
        while end > 0 && name[end - 1].is_ascii_digit() {
            end -= 1;
        }
        let letters = match &name[..end] {
            [.., first, middle, last] => [*first, *middle, *last],
            [middle, last] => [NONE, *middle, *last],
            [last] => [NONE, NONE, *last],
            [] => [NONE; 3],
        };
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Self::new(letters))
    }

    #[inline]
    fn new(letters: [u8; 3]) -> Self {
        let [first, middle, last] = letters.map(|letter| u32::from(letter % 32));
        let hash = (first | middle << 5 | last << 10).wrapping_mul(0x9e37_79b1) >> 21;
        Self { row: hash as usize / 64, bit: 1 << (hash % 64) }
    }
}

/// What stands for a letter that a short name has not.
const NONE: u8 = b'a';

const COUNTS: u8 = 1;
const DIVIDES: u8 = 2;
/// Encoded, or none of ASCII's signs: not known by its looks.
const OTHER: u8 = 4;

/// Each byte as it is compared, and what it is in a name.
static BYTES: [(u8, u8); 256] = {
    let mut table = [(0, OTHER); 256];
    let mut byte: u8 = b' ';
    while byte < 0x7f {
        let kind = if counts(&byte) { COUNTS } else { 0 } | if divides_name(byte) { DIVIDES } else { 0 };
        table[byte as usize] = (byte.to_ascii_lowercase(), kind);
        byte += 1;
    }
    table[b'%' as usize] = (0, OTHER);
    table
};
