//! The places in a text that can give a secret away.

use super::token;

/// The next place, from one on, that can give a secret away, and of which the same is said by `tells`. Most texts have few
/// of them, so they are looked for sixteen bytes at a time. With `CARDS`, each digit is one.
pub(super) fn next<const CARDS: bool>(
    bytes: &[u8],
    from: usize,
    tells: impl Fn(usize) -> bool,
) -> Option<usize> {
    if from == 0 && !bytes.is_empty() && tells(0) {
        return Some(0);
    }
    let mut at = from.max(1);
    while at < bytes.len() {
        let (skipped, found) = skip::<CARDS>(&bytes[at - 1..]);
        at += skipped;
        if let Some(place) = ones(found).map(|one| at + one).find(|place| tells(*place)) {
            return Some(place);
        }
        at += WIDTH;
    }
    None
}

/// How many bytes are none of them for sure, and which of the next ones may be, behind the first byte.
// Not inlined: all by itself it is compiled to a few instructions for all bytes of a window.
#[inline(never)]
fn skip<const CARDS: bool>(bytes: &[u8]) -> (usize, u128) {
    let mut rest = bytes;
    while let Some(window) = rest.first_chunk() {
        let found = found::<CARDS>(window);
        if found != 0 {
            return (bytes.len() - rest.len(), found);
        }
        rest = &rest[WIDTH..];
    }
    let skipped = bytes.len() - rest.len();
    // The last window, without what is known of it.
    match bytes.last_chunk() {
        Some(window) => {
            let known = u32::try_from(8 * (window.len() - rest.len())).unwrap_or(u32::MAX);
            (skipped, found::<CARDS>(window).checked_shr(known).unwrap_or(0))
        }
        None => (skipped, short::<CARDS>(rest)),
    }
}

fn short<const CARDS: bool>(bytes: &[u8]) -> u128 {
    let mut window = [0; WIDTH + 1];
    window[..bytes.len()].copy_from_slice(bytes);
    found::<CARDS>(&window)
}

/// The bytes to look at, behind the one before them.
type Window = [u8; WIDTH + 1];

/// For each byte whether it may be a place: 1, or 0.
#[inline(always)]
fn found<const CARDS: bool>(window: &Window) -> u128 {
    let mut found = [0; WIDTH];
    for ((found, before), byte) in found.iter_mut().zip(&window[..WIDTH]).zip(&window[1..]) {
        *found = u8::from(distance::<CARDS>(*before, *byte) == 0);
    }
    u128::from_le_bytes(found)
}

/// How far a byte is from giving a secret away, by the one before it. There is no condition in it, for [`found`].
#[inline(always)]
fn distance<const CARDS: bool>(before: u8, byte: u8) -> u8 {
    // `%` and `-` differ by one bit.
    let separator = (byte ^ b'=').min(byte ^ b':').min((byte | 8) ^ b'-');
    let digit = if CARDS { byte.wrapping_sub(b'0').saturating_sub(9) } else { u8::MAX };
    separator.min(digit).min(token::distance(before, byte))
}

/// Which bytes are not 0.
#[inline]
fn ones(bytes: u128) -> impl Iterator<Item = usize> {
    // Gathers the lowest bits of eight bytes in the highest one.
    let bits = |eight: u64| eight.wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut bits = bits(bytes as u64) | bits((bytes >> 64) as u64) << 8;
    std::iter::from_fn(move || {
        let one = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(one)
    })
}

const WIDTH: usize = 16;
