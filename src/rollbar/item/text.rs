use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string of at most `MOST` characters; what is longer is cut.
///
/// ```
/// use belvedere::rollbar::Text;
///
/// assert_eq!(Text::<3>::from("größer"), "grö");
/// ```
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text<const MOST: usize>(Cow<'static, str>);

// ===== impl Text =====

impl<const MOST: usize> Text<MOST> {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize, T: Into<Cow<'static, str>>> From<T> for Text<MOST> {
    fn from(text: T) -> Self {
        Self(match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(beginning(text, MOST)),
            Cow::Owned(mut text) => {
                shorten(&mut text, MOST);
                Cow::Owned(text)
            }
        })
    }
}

impl<const MOST: usize> Deref for Text<MOST> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MOST: usize> PartialEq<str> for Text<MOST> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const MOST: usize> PartialEq<&str> for Text<MOST> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl<const MOST: usize> fmt::Display for Text<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const MOST: usize> fmt::Debug for Text<MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const MOST: usize> Serialize for Text<MOST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A number is its digits: some write ids so.
impl<'de, const MOST: usize> Deserialize<'de> for Text<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl serde::de::Visitor<'_> for Word {
            type Value = String;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }

            fn visit_str<E>(self, text: &str) -> Result<String, E> {
                Ok(text.to_owned())
            }

            fn visit_string<E>(self, text: String) -> Result<String, E> {
                Ok(text)
            }

            fn visit_u64<E>(self, number: u64) -> Result<String, E> {
                Ok(number.to_string())
            }

            fn visit_i64<E>(self, number: i64) -> Result<String, E> {
                Ok(number.to_string())
            }
        }
        deserializer.deserialize_any(Word).map(Self::from)
    }
}

/// The first characters of a text.
pub(in crate::rollbar) fn beginning(text: &str, characters: usize) -> &str {
    // A text of so few bytes has no more characters.
    let end = (text.len() > characters).then(|| text.char_indices().nth(characters)).flatten();
    end.map_or(text, |(end, _)| &text[..end])
}

/// Cuts a text to so many characters, and tells whether that took anything from it.
pub(in crate::rollbar) fn shorten(text: &mut String, characters: usize) -> bool {
    let end = beginning(text, characters).len();
    let is_longer = end < text.len();
    if is_longer {
        text.truncate(end);
        text.shrink_to_fit();
    }
    is_longer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_read_as_its_digits() {
        assert_eq!(serde_json::from_str::<Text<40>>("42").unwrap(), "42");
        assert_eq!(serde_json::from_str::<Text<40>>("-1").unwrap(), "-1");
        assert!(serde_json::from_str::<Text<40>>("[1]").is_err());
    }

    proptest! {
        #[test]
        fn it_is_the_beginning_in_whole_characters(text in any::<String>()) {
            let characters: String = text.chars().take(7).collect();
            prop_assert_eq!(Text::<7>::from(text), characters.as_str());
        }
    }
}
