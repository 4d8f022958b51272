//! Hexadecimal digits, read and written on the stack.

/// Reads up to 16 digits of either case.
pub(super) fn read(digits: &[u8]) -> Option<u64> {
    let mut value = 0;
    let mut seen = 0;
    for &byte in digits {
        let digit = DIGITS[usize::from(byte)];
        seen |= digit;
        value = value << 4 | u64::from(digit & 0x0f);
    }
    (seen != INVALID).then_some(value)
}

/// Reads 32 digits of either case.
pub(super) fn read_wide(digits: &[u8; 32]) -> Option<u128> {
    let (high, low) = digits.split_at(16);
    Some(u128::from(read(high)?) << 64 | u128::from(read(low)?))
}

/// Fills `into` with the lowest digits of `value`, in lower case.
pub(super) fn write(value: u128, into: &mut [u8]) {
    let mut rest = value;
    let (few, eights) = into.as_rchunks_mut();
    for eight in eights.iter_mut().rev() {
        *eight = digits_of(rest as u32);
        rest >>= 32;
    }
    if !few.is_empty() {
        few.copy_from_slice(&digits_of(rest as u32)[8 - few.len()..]);
    }
}

/// All eight at once, in a byte each.
fn digits_of(value: u32) -> [u8; 8] {
    let mut each = u64::from(value);
    each = (each | each << 16) & 0x0000_ffff_0000_ffff;
    each = (each | each << 8) & 0x00ff_00ff_00ff_00ff;
    each = (each | each << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Those from ten on carry into the half above.
    let is_letter = (each + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (each + 0x3030_3030_3030_3030 + is_letter * u64::from(b'a' - b'9' - 1)).to_be_bytes()
}

/// What [`write`] wrote, as text.
pub(super) fn text(written: &[u8]) -> &str {
    std::str::from_utf8(written).expect("hexadecimal digits and dashes are ASCII")
}

const INVALID: u8 = 0xff;

const DIGITS: [u8; 256] = digits();

const fn digits() -> [u8; 256] {
    let mut digits = [INVALID; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
}

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
    fn one_bad_digit_spoils_the_number_wherever_it_stands() {
        for place in 0..32 {
            let mut digits = [b'f'; 32];
            digits[place] = b'g';
            assert_eq!(read_wide(&digits), None, "{place}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut digits = [0; 32];
        write(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, &mut digits);
        assert_eq!(text(&digits), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read_wide(&digits), Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736));
    }

    #[test]
    fn each_digit_is_written_in_each_place_of_any_number() {
        for value in (0..=u8::MAX).map(|byte| u128::from_ne_bytes([byte; 16])) {
            for length in 1..=32 {
                let mut digits = vec![0; length];
                write(value, &mut digits);
                assert_eq!(text(&digits), &format!("{value:032x}")[32 - length..]);
            }
        }
    }
}
