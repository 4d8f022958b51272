use std::{borrow::Cow, fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::shorten;

/// The name of a segment or a subsegment: 1 to 200 letters, numbers, white space and `_ . : / % & # = + - @`.
///
/// Other characters are left out, a longer name is cut, and where nothing is left the name is
/// [`FALLBACK`](Self::FALLBACK). The [guide] also allows a backslash, but AWS's own schema does not.
///
/// ```
/// use belvedere::xray::Name;
///
/// assert_eq!(Name::from("shop (eu-west-1)?").as_str(), "shop eu-west-1");
/// assert_eq!(Name::from("???").as_str(), Name::FALLBACK);
/// ```
///
/// [guide]: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Cow<'static, str>);

// ===== impl Name =====

impl Name {
    /// How many characters a name may have.
    pub const MOST: usize = 200;

    /// What stands for a name without any good character.
    pub const FALLBACK: &'static str = "unnamed";

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn shorten(&mut self, characters: usize) {
        shorten(&mut self.0, characters);
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Name {
    fn from(name: T) -> Self {
        let mut name = name.into();
        let trimmed = name.trim();
        if trimmed.len() < name.len() || !name.chars().all(is_good) {
            let good: String = trimmed.chars().filter_map(good).collect();
            name = Cow::Owned(good.trim().to_owned());
        }
        if name.is_empty() {
            name = Cow::Borrowed(Self::FALLBACK);
        }
        shorten(&mut name, Self::MOST);
        Self(name)
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// The character as a name may have it: what is no line but breaks one becomes a space.
fn good(char: char) -> Option<char> {
    let char = if char.is_whitespace() && char.is_control() { ' ' } else { char };
    is_good(char).then_some(char)
}

fn is_good(char: char) -> bool {
    let is_space = char.is_whitespace() && !char.is_control();
    char.is_alphanumeric() || is_space || "_.:/%&#=+-@".contains(char)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_that_the_schema_refuses_are_left_out() {
        assert_eq!(Name::from("bad?name*x").as_str(), "badnamex");
        assert_eq!(Name::from(r"a\b|c(d)").as_str(), "abcd");
        assert_eq!(Name::from("a_b.c:d/e%f&g#h=i+j-k@l 1").as_str(), "a_b.c:d/e%f&g#h=i+j-k@l 1");
        assert_eq!(Name::from("Zoë 東京 Ж").as_str(), "Zoë 東京 Ж");
        assert_eq!(Name::from(" a\tb\n").as_str(), "a b");
    }

    #[test]
    fn a_name_is_never_empty_and_never_too_long() {
        for empty in ["", "  ", "\u{0}", "*?"] {
            assert_eq!(Name::from(empty).as_str(), Name::FALLBACK);
        }
        assert_eq!(Name::from("ü".repeat(300)).chars().count(), Name::MOST);
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_name_that_stays_as_it_is(text in any::<String>()) {
            let name = Name::from(text);
            prop_assert!((1..=Name::MOST).contains(&name.chars().count()));
            prop_assert!(name.chars().all(is_good));
            prop_assert_eq!(&Name::from(name.as_str().trim().to_owned()), &Name::from(name.as_str().to_owned()));
        }

        #[test]
        fn what_the_schema_allows_is_kept(text in r"[\p{L}\p{N}_.:/%&#=+\-@]{1,200}") {
            let name = Name::from(text.clone());
            prop_assert_eq!(name.as_str(), text.as_str());
        }
    }
}
