use std::{borrow::Cow, fmt::Write as _};

/// A text as one line, whatever is in it: control characters but the tabulator, and what Unicode ends lines or turns the
/// direction of writing with, are escaped as JSON does, so that JSON stays JSON.
pub(super) fn line(text: &str) -> Cow<'_, str> {
    if !may_break(text) {
        return Cow::Borrowed(text);
    }
    let (mut line, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(breaks) {
        let (before, after) = rest.split_at(at);
        let letter = after.chars().next().expect("it was found");
        line.push_str(before);
        escape(letter, &mut line);
        rest = &after[letter.len_utf8()..];
    }
    line.push_str(rest);
    Cow::Owned(line)
}

/// Whether a letter breaks a line. Behind U+FFFF there is none.
pub(super) fn breaks(letter: char) -> bool {
    let ends = matches!(letter, '\u{2028}' | '\u{2029}');
    let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (letter.is_control() && letter != '\t') || ends || turns
}

/// Whether there is a byte in it that something may begin with that breaks a line: by blocks, without a branch for each.
fn may_break(text: &str) -> bool {
    let may = |byte: u8| (byte < b' ') & (byte != b'\t') | FIRSTS.map(|first| byte == first).contains(&true);
    text.as_bytes().chunks(64).any(|block| block.iter().fold(false, |may_break, byte| may_break | may(*byte)))
}

fn escape(letter: char, line: &mut String) {
    match letter {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        // All of them have four digits.
        _ => _ = write!(line, "\\u{:04x}", u32::from(letter)),
    }
}

/// What letters begin with in UTF-8 that break a line, besides those below the space: DEL, the further control characters, and
/// U+2028 and those that turn the direction.
pub(super) const FIRSTS: [u8; 3] = [0x7f, 0xc2, 0xe2];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line() {
        let line = line("a\tb\r\nGET /forged 200\u{1b}[31m\u{85}\u{2028}\u{e4}\u{202e}002");
        assert_eq!(line, "a\tb\\r\\nGET /forged 200\\u001b[31m\\u0085\\u2028\u{e4}\\u202e002");
    }

    #[test]
    fn each_letter_that_breaks_a_line_is_found_wherever_it_stands() {
        for letter in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let text = format!("{}{letter}", "x".repeat(letter as usize % 70));
            assert_eq!(matches!(line(&text), Cow::Owned(line) if line != text), breaks(letter), "{letter:?}");
        }
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "\0\r\n\t\u{1b}[31m\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\"\\\u{e4}";
        let json = serde_json::to_string(text).unwrap();
        let line = line(&json);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert!(
            !line.contains(['\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']),
            "{line}"
        );
    }
}
