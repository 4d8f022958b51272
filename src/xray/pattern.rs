use std::str::Chars;

/// A text with `*` for any characters, also none, and `?` for exactly one. Case does not count, and nothing is escaped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pattern(Box<str>);

// ===== impl Pattern =====

impl Pattern {
    pub(super) fn new(pattern: impl Into<Box<str>>) -> Self {
        Self(pattern.into())
    }

    /// What matches everything.
    pub(super) fn any() -> Self {
        Self::new(ANY)
    }

    /// Whether it stands for one text alone.
    pub(super) fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it matches all of `text`. It takes at most as many steps as the pattern has characters, for each of the
    /// text's.
    pub(super) fn matches(&self, text: &str) -> bool {
        if &*self.0 == ANY {
            return true;
        }
        let (mut pattern, mut text) = (self.0.chars(), text.chars());
        // Where the last `*` stands, and where the text goes on after what it has taken so far.
        let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
        loop {
            let (mut pattern_rest, mut text_rest) = (pattern.clone(), text.clone());
            match (pattern_rest.next(), text_rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    pattern = pattern_rest.clone();
                    star = Some((pattern_rest, text.clone()));
                }
                (Some(wanted), Some(found)) if wanted == '?' || are_same(wanted, found) => {
                    (pattern, text) = (pattern_rest, text_rest);
                }
                (Some(_), None) => return false,
                (_, Some(_)) => {
                    let Some((after, taken)) = &mut star else { return false };
                    taken.next();
                    (pattern, text) = (after.clone(), taken.clone());
                }
            }
        }
    }
}

fn are_same(one: char, other: char) -> bool {
    one == other || one.eq_ignore_ascii_case(&other) || are_same_letters(one, other)
}

fn are_same_letters(one: char, other: char) -> bool {
    !(one.is_ascii() && other.is_ascii()) && one.to_lowercase().eq(other.to_lowercase())
}

const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text)
    }

    /// By the definition, and by nothing else.
    fn naively(pattern: &[char], text: &[char]) -> bool {
        let lower = |char: char| char.to_lowercase().to_string();
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| naively(rest, &text[taken..])),
            (['?', rest @ ..], [_, text @ ..]) => naively(rest, text),
            ([wanted, rest @ ..], [found, text @ ..]) => {
                lower(*wanted) == lower(*found) && naively(rest, text)
            }
            (_, []) => false,
        }
    }

    #[test]
    fn what_matches() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "anything"),
            ("**", "anything"),
            ("?", "x"),
            ("*?", "x"),
            ("?*", "xyz"),
            ("abc", "abc"),
            ("a?c", "abc"),
            ("a*c", "ac"),
            ("a*c", "abcabc"),
            ("*b*", "abc"),
            ("*a*bc", "xaxbxbc"),
            ("/api/*/items?", "/api/users/7/items2"),
            ("*.example.com", "Shop.EXAMPLE.com"),
            ("/GRÜSSE", "/grüsse"),
            ("?", "ü"),
            ("[a](b).{c}\\", "[A](B).{C}\\"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_does_not_match() {
        for (pattern, text) in [
            ("", "x"),
            ("?", ""),
            ("?", "xy"),
            ("*?", ""),
            ("abc", "abcd"),
            ("abcd", "abc"),
            ("a?c", "ac"),
            ("a*c", "abcx"),
            ("*b*", "acd"),
            ("/ok", "/ok/"),
            ("a.c", "abc"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_almost_matches_again_and_again_does_not_take_forever() {
        let long = "a".repeat(8 * 1024);
        assert!(!matches("a*b", &long));
        assert!(!matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", &long));
        assert!(matches(&"*a".repeat(64), &long));
    }

    proptest! {
        #[test]
        fn it_matches_as_the_definition_says(pattern in "[abB*?ü]{0,7}", text in "[abBÜ]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), naively(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn no_pattern_and_no_text_make_it_panic(pattern: String, text: String) {
            matches(&pattern, &text);
        }
    }
}
