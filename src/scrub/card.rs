use std::ops::Range;

/// The number of a card that begins here: 13 to 19 digits, each perhaps behind a space or a hyphen.
pub(super) fn number(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    if at > 0 && is_near(bytes[at - 1]) {
        return None;
    }
    let (mut digits, mut end) = (Vec::with_capacity(LONGEST), at);
    while let Some(digit) = bytes.get(end).filter(|byte| byte.is_ascii_digit()) {
        if digits.len() == LONGEST {
            return None;
        }
        digits.push(digit - b'0');
        end += 1;
        let gap = matches!(bytes.get(end), Some(b' ' | b'-'));
        end += usize::from(gap && bytes.get(end + 1).is_some_and(u8::is_ascii_digit));
    }
    let is_apart = bytes.get(end).is_none_or(|byte| !is_near(*byte));
    (is_apart && digits.len() >= SHORTEST && is_right(&digits)).then_some(at..end)
}

fn is_near(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Luhn's check, <https://www.iso.org/standard/70484.html>.
fn is_right(digits: &[u8]) -> bool {
    let counted = digits.iter().rev().enumerate().map(|(at, digit)| match (at % 2, digit * 2) {
        (0, _) => *digit,
        (_, doubled) => doubled / 10 + doubled % 10,
    });
    counted.map(u32::from).sum::<u32>() % 10 == 0
}

const SHORTEST: usize = 13;
const LONGEST: usize = 19;
