use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::scrub::beginning;

/// A string of a document: at most [250 characters](Self::MOST), as the [guide] asks; what is longer is cut.
///
/// [guide]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Default)]
pub struct Text {
    text: Cow<'static, str>,
    cut: bool,
}

/// What has texts in it.
pub(super) trait Texts {
    fn each(&self, visit: &mut dyn FnMut(&Text));
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text));
}

// ===== impl Text =====

impl Text {
    /// How many characters a text may have.
    pub const MOST: usize = 250;

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it was longer once.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// A text that is scrubbed when it is written. One that is to be cut is scrubbed before that, since the half of a secret
    /// is none by its looks.
    pub(super) fn whole(
        text: impl Into<Cow<'static, str>>,
        scrub: impl FnOnce(&str) -> Cow<'_, str>,
    ) -> Self {
        let text = text.into();
        if text.len() <= Self::MOST {
            return Self::from(text);
        }
        let mut shown = Self::from(scrub(beginning(&text, LONGEST)).into_owned());
        shown.cut |= text.len() > LONGEST;
        shown
    }

    /// Puts another one in its place, if that differs.
    pub(super) fn replace(&mut self, with: impl FnOnce(&str) -> Cow<'_, str>) {
        let shown = with(&self.text);
        if *shown != *self.text {
            let cut = self.cut;
            *self = Self::from(shown.into_owned());
            self.cut |= cut;
        }
    }

    pub(super) fn shorten(&mut self, characters: usize) {
        self.cut |= shorten(&mut self.text, characters);
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Text {
    fn from(text: T) -> Self {
        let mut text = Self { text: text.into(), cut: false };
        text.shorten(Self::MOST);
        text
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

// ===== impl Texts =====

impl Texts for Text {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        visit(self);
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        visit(self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        self.iter().for_each(|part| part.each(visit));
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.iter_mut().for_each(|part| part.each_mut(visit));
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        self.iter().for_each(|part| part.each(visit));
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        self.iter_mut().for_each(|part| part.each_mut(visit));
    }
}

impl<T: Texts> Texts for Box<T> {
    fn each(&self, visit: &mut dyn FnMut(&Text)) {
        (**self).each(visit);
    }

    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        (**self).each_mut(visit);
    }
}

/// Says in which fields of a part the texts are.
macro_rules! texts {
    ($($part:ty: $($field:tt),+;)+) => {$(
        impl $crate::xray::text::Texts for $part {
            fn each(&self, visit: &mut dyn FnMut(&$crate::xray::text::Text)) {
                $(self.$field.each(visit);)+
            }

            fn each_mut(&mut self, visit: &mut dyn FnMut(&mut $crate::xray::text::Text)) {
                $(self.$field.each_mut(visit);)+
            }
        }
    )+};
}

pub(super) use texts;

/// Cuts a text to so many characters, and tells whether that took anything from it.
pub(super) fn shorten(text: &mut Cow<'static, str>, characters: usize) -> bool {
    let Some(end) = end_of(text, characters) else { return false };
    match text {
        Cow::Borrowed(text) => *text = &text[..end],
        Cow::Owned(text) => {
            text.truncate(end);
            text.shrink_to_fit();
        }
    }
    true
}

/// How many bytes a text takes as JSON, with its quotes.
pub(super) fn json_len(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => 1,
        0..0x20 => 5,
        _ => 0,
    });
    2 + text.len() + escapes.sum::<usize>()
}

/// Where the text is to be cut, if it has more characters.
fn end_of(text: &str, characters: usize) -> Option<usize> {
    if text.len() <= characters {
        return None;
    }
    text.char_indices().nth(characters).map(|(end, _)| end)
}

/// How much of a text is read that is to be cut.
const LONGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_after_characters_and_not_inside_one() {
        let text = Text::from("ü".repeat(251));
        assert_eq!(text, *"ü".repeat(250));
        assert!(text.is_cut());
        assert!(!Text::from("ü".repeat(250)).is_cut());
    }

    proptest! {
        #[test]
        fn the_length_as_json_is_never_too_small_and_at_most_what_escapes_may_take(text in any::<String>()) {
            let truth = serde_json::to_string(&text).unwrap().len();
            let told = json_len(&text);
            prop_assert!(told >= truth && told <= 6 * truth, "{told} {truth}");
        }
    }
}
