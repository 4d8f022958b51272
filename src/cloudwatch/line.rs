use std::fmt::Write as _;

/// A text that is one line, whatever is put into it.
pub(super) struct Line<'a>(pub(super) &'a mut String);

// ===== impl Line =====

impl Line<'_> {
    /// Adds a text; control characters but the tabulator, and what Unicode ends lines or turns the direction of writing with,
    /// are escaped as JSON does, so that JSON stays JSON.
    pub(super) fn push(&mut self, text: &str) {
        let breaks = |letter: char| {
            let ends = matches!(letter, '\u{2028}' | '\u{2029}');
            let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            (letter.is_control() && letter != '\t') || ends || turns
        };
        let mut rest = text;
        while let Some(at) = rest.find(breaks) {
            let (before, after) = rest.split_at(at);
            let letter = after.chars().next().expect("it was found");
            self.0.push_str(before);
            self.escape(letter);
            rest = &after[letter.len_utf8()..];
        }
        self.0.push_str(rest);
    }

    fn escape(&mut self, letter: char) {
        match letter {
            '\n' => self.0.push_str("\\n"),
            '\r' => self.0.push_str("\\r"),
            // All of them have four digits.
            _ => _ = write!(self.0, "\\u{:04x}", u32::from(letter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line() {
        let mut line = String::new();
        Line(&mut line).push("a\tb\r\nGET /forged 200\u{1b}[31m\u{85}\u{2028}\u{e4}\u{202e}002");
        assert_eq!(line, "a\tb\\r\\nGET /forged 200\\u001b[31m\\u0085\\u2028\u{e4}\\u202e002");
    }

    #[test]
    fn json_stays_what_it_is() {
        let text = "\0\r\n\t\u{1b}[31m\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\"\\\u{e4}";
        let (json, mut line) = (serde_json::to_string(text).unwrap(), String::new());
        Line(&mut line).push(&json);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        assert!(
            !line.contains(['\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']),
            "{line}"
        );
    }
}
