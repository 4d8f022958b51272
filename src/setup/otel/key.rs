use std::fmt;

use http::HeaderValue;

/// A Honeycomb key. It shows itself to nobody but the header that it is sent in.
#[derive(Clone)]
pub(super) struct Key(String);

/// What a key is, by its looks: <https://docs.honeycomb.io/api/authentication>.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// From before there were environments: it needs a dataset.
    Classic,
    /// It may send events, and nothing else.
    Ingest,
    /// It may be allowed to send events, and more.
    Configuration,
    /// It is for the management API, and may not send events.
    Management,
    /// The part of a key that names it, without its secret.
    Id,
    /// None of these; it may be a kind that came later.
    Unknown,
}

// ===== impl Key =====

impl Key {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn kind(&self) -> Kind {
        let key = self.0.as_str();
        let is_hex = key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_word = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match (self.prefix(), key.len()) {
            (Some(b"ic"), WHOLE) => Kind::Classic,
            (Some(b"ik"), WHOLE) => Kind::Ingest,
            (Some(b"mk"), _) => Kind::Management,
            (Some(b"ic" | b"ik" | b"lk"), ..WHOLE) => Kind::Id,
            (None, 32) if is_hex => Kind::Classic,
            (None, 22 | 23) if is_word => Kind::Configuration,
            _ => Kind::Unknown,
        }
    }

    /// As a header, marked as a secret; none if it holds bytes that no header may.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What is said of it in place of it: `hcaik_… (64 characters)`.
    pub(super) fn masked(&self) -> String {
        let shown = if self.prefix().is_some() { &self.0[..PREFIX] } else { "" };
        format!("{shown}… ({} characters)", self.0.chars().count())
    }

    pub(super) fn has_space(&self) -> bool {
        self.0.contains(char::is_whitespace)
    }

    /// The kind in the prefix of later keys: `ik` of `hcaik_`.
    fn prefix(&self) -> Option<&[u8]> {
        let [b'h', b'c', b'a'..=b'z', b'a'..=b'z', b'a'..=b'z', b'_', ..] = self.0.as_bytes() else {
            return None;
        };
        Some(&self.0.as_bytes()[3..5])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.masked()).finish()
    }
}

const PREFIX: usize = 6;
const WHOLE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_its_looks() {
        let later =
            |prefix: &str, length: usize| format!("{prefix}{}", "0a".repeat(length))[..length].to_owned();
        for (key, kind) in [
            ("0123456789abcdef".repeat(2), Kind::Classic),
            (later("hcaic_", 64), Kind::Classic),
            (later("hcaik_", 64), Kind::Ingest),
            (later("hcbik_", 64), Kind::Ingest),
            (later("hcaik_", 26), Kind::Id),
            (later("hcalk_", 32), Kind::Id),
            (later("hcamk_", 64), Kind::Management),
            ("aB3dE6gH9jK2mN5pQ8sT1v".to_owned(), Kind::Configuration),
            ("aB3dE6gH9jK2mN5pQ8sT1vW".to_owned(), Kind::Configuration),
            ("0123456789ABCDEF".repeat(2), Kind::Unknown),
            ("YOUR_API_KEY".to_owned(), Kind::Unknown),
            ("hcéik_".to_owned(), Kind::Unknown),
        ] {
            assert_eq!(Key::new(key.clone()).kind(), kind, "{key}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        for secret in ["hcaik_canary", "canary", "hcécanary"] {
            let key = Key::new(secret.to_owned());
            assert!(!format!("{key:?} {}", key.masked()).contains("canary"));
        }
    }
}
