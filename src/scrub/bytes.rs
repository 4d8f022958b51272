//! Bytes of a few kinds, looked for many at a time: most texts have none of them.

/// Whether a text has a byte of a kind. `is` should have no branch (`|`, not `||`), so that it is asked of sixteen at once.
#[inline]
pub(crate) fn any(text: &str, is: impl Fn(u8) -> bool) -> bool {
    let has = |bytes: &[u8]| bytes.iter().fold(false, |any, byte| any | is(*byte));
    let (blocks, rest) = text.as_bytes().as_chunks::<WIDTH>();
    if blocks.iter().any(|block| has(block)) {
        return true;
    }
    // The last block once more in part, rather than its last bytes one by one.
    match text.as_bytes().last_chunk::<WIDTH>() {
        Some(last) => !rest.is_empty() && has(last),
        None => has(rest),
    }
}

/// Where the first byte of a kind is, as in [`any`]. A kind has ASCII alone.
#[inline]
pub(crate) fn position(text: &str, is: impl Fn(u8) -> bool) -> Option<usize> {
    if any(text, &is) { text.bytes().position(is) } else { None }
}

const WIDTH: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn each_byte_is_found_wherever_it_stands(text in "[a-z?#]{0,70}") {
            let is = |byte: u8| (byte == b'?') | (byte == b'#');
            prop_assert_eq!(any(&text, is), text.bytes().any(is));
            prop_assert_eq!(position(&text, is), text.bytes().position(is));
        }
    }

    #[test]
    fn the_last_byte_of_a_block_counts() {
        for length in 0..50 {
            let text = format!("{}?", "x".repeat(length));
            assert!(
                any(&text, |byte| byte == b'?') && !any(&text[..length], |byte| byte == b'?'),
                "{length}"
            );
        }
    }
}
