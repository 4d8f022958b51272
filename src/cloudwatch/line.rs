/// A text that is one line, whatever is put into it.
pub(super) struct Line<'a>(pub(super) &'a mut String);

// ===== impl Line =====

impl Line<'_> {
    /// Adds a text; control characters but the tabulator, and what Unicode ends lines with, are escaped as Rust does.
    pub(super) fn push(&mut self, text: &str) {
        let breaks = |letter: char| {
            (letter.is_control() && letter != '\t') || matches!(letter, '\u{2028}' | '\u{2029}')
        };
        let mut rest = text;
        while let Some(at) = rest.find(breaks) {
            let (before, after) = rest.split_at(at);
            let letter = after.chars().next().expect("it was found");
            self.0.push_str(before);
            self.0.extend(letter.escape_default());
            rest = &after[letter.len_utf8()..];
        }
        self.0.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_a_line() {
        let mut line = String::new();
        Line(&mut line).push("a\tb\r\nGET /forged 200\u{1b}[31m\u{85}\u{2028}\u{e4}");
        assert_eq!(line, "a\tb\\r\\nGET /forged 200\\u{1b}[31m\\u{85}\\u{2028}\u{e4}");
    }
}
