//! Hexadecimal digits, read and written on the stack.

/// Reads up to 16 digits of either case.
#[inline]
pub(super) fn read<const N: usize>(digits: &[u8; N]) -> Option<u64> {
    fold(digits, |word| number(word | (word & IS_LETTER) >> 1))
}

/// Reads up to 16 digits in lower case.
#[inline]
pub(super) fn read_lower<const N: usize>(digits: &[u8; N]) -> Option<u64> {
    fold(digits, number)
}

/// Reads 32 digits with what reads 16.
#[inline]
pub(super) fn wide(digits: &[u8; 32], read: impl Fn(&[u8; 16]) -> Option<u64>) -> Option<u128> {
    let (high, low) = digits.split_first_chunk()?;
    Some(u128::from(read(high)?) << 64 | u128::from(read(low.first_chunk()?)?))
}

/// Fills `into` with the lowest digits of `value`, in lower case.
#[inline]
pub(super) fn write(value: u128, into: &mut [u8]) {
    let (short, eights) = into.as_rchunks_mut::<8>();
    let mut rest = value;
    for eight in eights.iter_mut().rev() {
        *eight = spell(spread(rest as u32)).to_be_bytes();
        rest >>= 32;
    }
    let eight = spell(spread(rest as u32)).to_be_bytes();
    short.copy_from_slice(&eight[8 - short.len()..]);
}

/// What [`write`] wrote, as text.
pub(super) fn text(written: &[u8]) -> &str {
    std::str::from_utf8(written).expect("hexadecimal digits and dashes are ASCII")
}

/// Joins what `read` makes of each eight digits, the first in the highest byte.
#[inline]
fn fold<const N: usize>(digits: &[u8; N], read: impl Fn(u64) -> Option<u64>) -> Option<u64> {
    let (short, eights) = digits.as_rchunks::<8>();
    let mut value = 0;
    if !short.is_empty() {
        let mut eight = [b'0'; 8];
        eight[8 - short.len()..].copy_from_slice(short);
        value = read(u64::from_be_bytes(eight))?;
    }
    for eight in eights {
        value = value << 32 | read(u64::from_be_bytes(*eight))?;
    }
    Some(value)
}

/// The number that eight digits in lower case are: one that is spelt like them.
#[inline]
const fn number(word: u64) -> Option<u64> {
    let nibbles = ((word & LOW) + 9 * ((word & IS_LETTER) >> 6)) & LOW;
    if spell(nibbles) != word {
        return None;
    }
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    Some((pairs | pairs >> 16) & 0xffff_ffff)
}

/// Eight numbers below 16, a byte each.
#[inline]
const fn spread(number: u32) -> u64 {
    let pairs = (number as u64 | (number as u64) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    (bytes | bytes << 4) & LOW
}

/// The digits of eight numbers below 16.
#[inline]
const fn spell(nibbles: u64) -> u64 {
    let letters = (nibbles + 6 * ONES) >> 4 & ONES;
    nibbles + ONES * b'0' as u64 + letters * (b'a' - 10 - b'0') as u64
}

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The lower half of each byte.
const LOW: u64 = 0x0f * ONES;

/// The bit that letters have and digits have not.
const IS_LETTER: u64 = 0x40 * ONES;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_as_the_standard_library_reads_it() {
        for byte in 0..=u8::MAX {
            let expected = char::from(byte).to_digit(16).map(u64::from);
            assert_eq!(read(&[byte]), expected, "{byte}");
        }
    }

    #[test]
    fn where_capital_letters_are_refused_all_else_is_the_same() {
        for byte in 0..=u8::MAX {
            let expected = read(&[byte]).filter(|_| !byte.is_ascii_uppercase());
            for place in 0..8 {
                let mut digits = [b'0'; 8];
                digits[place] = byte;
                assert_eq!(read_lower(&digits), expected.map(|digit| digit << (28 - 4 * place)), "{byte}");
            }
        }
    }

    fn reads_back<const N: usize>() {
        let mut digits = [b'x'; N];
        write(0x4bf9_2f35_a3ce_929d, &mut digits);
        assert_eq!(text(&digits), &"4bf92f35a3ce929d"[16 - N..]);
        assert_eq!(read(&digits), u64::from_str_radix(text(&digits), 16).ok());
    }

    #[test]
    fn numbers_of_any_length_are_written_and_read() {
        reads_back::<1>();
        reads_back::<7>();
        reads_back::<8>();
        reads_back::<9>();
        reads_back::<15>();
        reads_back::<16>();
    }

    #[test]
    fn one_bad_digit_spoils_the_number_wherever_it_stands() {
        for place in 0..32 {
            let mut digits = [b'f'; 32];
            digits[place] = b'g';
            assert_eq!(wide(&digits, read), None, "{place}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut digits = [0; 32];
        write(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, &mut digits);
        assert_eq!(text(&digits), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(wide(&digits, read), Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
    }
}
