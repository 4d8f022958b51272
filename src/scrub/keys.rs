use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{
    lists::ENDINGS,
    looks::{Last, Look, Looks},
};

/// A list of names that are secret.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// As they are compared, in order.
    whole: Vec<Box<[u8]>>,
    /// Those that stand for all that end so.
    endings: Vec<&'static str>,
    looks: Looks,
}

// ===== impl Keys =====

impl Keys {
    pub(super) fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut keys = Self { whole: Vec::new(), endings: Vec::new(), looks: Looks::default() };
        keys.add(names);
        keys
    }

    pub(super) fn add<S: AsRef<str>>(&mut self, names: impl IntoIterator<Item = S>) {
        self.whole.extend(names.into_iter().map(|name| plain(name.as_ref()).collect::<Box<[u8]>>()));
        self.whole.retain(|name| !name.is_empty());
        self.whole.sort_unstable();
        self.whole.dedup();
        self.endings = ENDINGS.into_iter().filter(|ending| self.lists(ending)).collect();
        let endings = self.endings.iter().map(|ending| ending.as_bytes());
        self.looks = Looks::of(self.whole.iter().map(|name| &**name), endings);
    }

    /// Whether a name, as somebody wrote it, is secret.
    pub(super) fn have(&self, name: &str) -> bool {
        any([self], name)
    }

    /// Whether a name without parts may be secret, by its last letters.
    pub(super) fn may_end(&self, last: Last) -> bool {
        self.looks.may_end(last)
    }

    /// Whether a name is secret, by all of its bytes.
    pub(super) fn confirm(&self, name: &str) -> bool {
        let name = decoded(name);
        self.fit(&name)
            || has_parts(&name) && name.split(divides).any(|part| !part.is_empty() && self.fit(part))
    }

    /// Whether a name, or a part of one, is secret.
    fn fit(&self, name: &str) -> bool {
        let base = name.trim_end_matches(|char: char| char.is_ascii_digit());
        self.lists(name) || base.len() < name.len() && self.lists(base) || self.ends(base)
    }

    fn lists(&self, name: &str) -> bool {
        self.whole.binary_search_by(|key| key.iter().copied().cmp(plain(name))).is_ok()
    }

    fn ends(&self, name: &str) -> bool {
        self.endings.iter().any(|ending| ending.bytes().rev().eq(plain(name).rev().take(ending.len())))
    }
}

/// Whether a name, as somebody wrote it, is secret by one of the lists.
pub(super) fn any<const N: usize>(lists: [&Keys; N], name: &str) -> bool {
    let look = Look::of(name.as_bytes());
    lists.into_iter().any(|keys| keys.looks.may_have(look, name) && keys.confirm(name))
}

pub(super) const fn counts(byte: &u8) -> bool {
    !matches!(byte, b'-' | b'_' | b'.' | b' ' | b'+')
}

/// A name as names are compared.
fn plain(name: &str) -> impl DoubleEndedIterator<Item = u8> {
    name.bytes().filter(counts).map(|byte| byte.to_ascii_lowercase())
}

/// Whether a name has a part before this and one behind it.
fn divides(char: char) -> bool {
    !char.is_alphanumeric() && !matches!(char, '-' | '_' | ' ' | '+')
}

fn has_parts(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b' ' | b'+');
    !name.bytes().all(is_plain) && name.contains(divides)
}

fn decoded(name: &str) -> Cow<'_, str> {
    if name.as_bytes().contains(&b'%') {
        percent_decode_str(name).decode_utf8_lossy()
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scrub::lists::FIELDS;

    #[test]
    fn a_name_is_secret_in_all_its_spellings() {
        let keys = Keys::new(FIELDS);
        for name in [
            "password",
            "PassWord",
            "pass%77ord",
            "%70%61%73%73",
            "user[password]",
            "user.password",
            "user%5Bpassword%5D",
            "users[0][pin]",
            "password[0]",
            "password2",
            "X-Api-Key",
            "api_key",
            "api key",
            "api+key",
            "db-password",
            "githubToken",
            "AWS_SECRET_ACCESS_KEY",
            "STRIPE_SECRET",
            "JSESSIONID",
            "set-cookie",
        ] {
            assert!(keys.have(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_not() {
        let keys = Keys::new(FIELDS);
        for name in [
            "",
            "%",
            "user",
            "passenger",
            "tokenizer",
            "max_tokens",
            "secretary",
            "spin",
            "author",
            "12",
            "-",
        ] {
            assert!(!keys.have(name), "{name}");
        }
    }

    #[test]
    fn an_ending_counts_where_it_is_on_the_list() {
        let keys = Keys::new(["Token", "iban"]);
        assert!(keys.have("access_token") && keys.have("i-ban"));
        assert!(!keys.have("password") && !keys.have("old_iban"));
    }

    #[test]
    fn no_name_allocates_but_an_encoded_one() {
        let keys = Keys::new(FIELDS);
        let info = allocation_counter::measure(|| {
            assert!(!keys.have("a.long[name]-of_many parts") && keys.have("user[password]"));
        });
        assert_eq!(info.count_total, 0);
    }
}
