//! Bytes of a few kinds, looked for many at a time: most texts have none of them.

/// Whether there is a byte of a kind. `is` should have no branch (`|`, not `||`), so that it is asked of sixteen at once.
#[inline]
pub(crate) fn any(bytes: impl AsRef<[u8]>, is: impl Fn(u8) -> bool) -> bool {
    let bytes = bytes.as_ref();
    // The last block overlaps the one before it, rather than its bytes being asked one by one.
    match bytes.last_chunk::<WIDTH>() {
        Some(last) => bytes.as_chunks::<WIDTH>().0.iter().any(|block| has(block, &is)) || has(last, &is),
        None => few::<8>(bytes, &is)
            .or_else(|| few::<4>(bytes, &is))
            .unwrap_or_else(|| bytes.iter().any(|byte| is(*byte))),
    }
}

/// The same for up to twice as many bytes as a block has, and no less than that.
#[inline]
fn few<const BLOCK: usize>(bytes: &[u8], is: &impl Fn(u8) -> bool) -> Option<bool> {
    Some(has(bytes.first_chunk::<BLOCK>()?, is) | has(bytes.last_chunk::<BLOCK>()?, is))
}

#[inline(always)]
fn has<const BLOCK: usize>(block: &[u8; BLOCK], is: &impl Fn(u8) -> bool) -> bool {
    block.iter().fold(false, |any, byte| any | is(*byte))
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
