/// The beginning of a text, of at most so many bytes, which ends with a whole word where a word is not long.
///
/// What was cut in the middle of a secret, or of the URL around it, is no secret any more by its looks.
pub(crate) fn beginning(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let text = &text[..text.floor_char_boundary(longest)];
    match text.rfind(char::is_whitespace) {
        Some(end) if text.len() - end <= LONGEST_WORD => &text[..end],
        _ => text,
    }
}

const LONGEST_WORD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrub::Scrubber;

    #[test]
    fn it_ends_with_a_whole_word() {
        assert_eq!(beginning("one two", 7), "one two");
        assert_eq!(beginning("one two", 6), "one");
        assert_eq!(beginning("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}");
        assert_eq!(beginning("", 0), "");
    }

    #[test]
    fn what_is_cut_gives_no_secret_away() {
        let text = format!("{} https://worf:canary@shop.example/", "x".repeat(80));
        for longest in 80..text.len() {
            let shown = Scrubber::default().text(beginning(&text, longest)).into_owned();
            assert!(!shown.contains("can"), "{longest}: {shown}");
        }
    }
}
