//! Texts of strangers, in which what is not seen is written out.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A text without colours of terminals, whose other control characters, and those that turn the direction of writing, are
/// escaped as Rust does. Lines stay lines.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_hidden) {
        let (before, after) = rest.split_at(at);
        shown.push_str(before);
        rest = match color(after) {
            Some(length) => &after[length..],
            None => {
                let letter = after.chars().next().expect("it was found");
                shown.extend(letter.escape_unicode());
                &after[letter.len_utf8()..]
            }
        };
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The same in one line.
pub(super) fn title(text: &str) -> String {
    let words: Vec<_> = text
        .split(['\n', '\r', '\u{2028}', '\u{2029}'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    plain(&words.join(" ⏎ ")).into_owned()
}

/// An object whose names and texts are plain.
pub(super) fn fields(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(key, field)| (plain(key).into_owned(), value(field))).collect()
}

fn value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(plain(text).into_owned()),
        Value::Array(items) => items.iter().map(self::value).collect(),
        Value::Object(object) => Value::Object(fields(object)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// How long a sequence is that sets a colour: `ESC [ 1 ; 31 m`.
fn color(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("\u{1b}[")?;
    let end = digits.find(|letter: char| !letter.is_ascii_digit() && letter != ';' && letter != ':')?;
    digits[end..].starts_with('m').then_some(2 + end + 1)
}

fn is_hidden(letter: char) -> bool {
    let breaks = matches!(letter, '\n' | '\t');
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let nothing = matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{2028}' | '\u{2029}');
    (letter.is_control() && !breaks) || turns || nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        for (text, shown) in [
            ("a\tb\nc é 漢 👍🏽", "a\tb\nc é 漢 👍🏽"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}", "\\u{1b}[2J\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[", "\\u{1b}["),
            ("user \u{202e}nimda", "user \\u{202e}nimda"),
            ("a\0b\u{85}\u{feff}", "a\\u{0}b\\u{85}\\u{feff}"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn a_title_is_a_line() {
        assert_eq!(title("one\r\n\n  two\u{2028}three\n"), "one ⏎ two ⏎ three");
    }
}
