use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::text::{Text, texts};
use crate::scrub::{Scrubber, bytes};

/// A URL as a document may show it: protocol, host and path; no query, no fragment, no user and no password.
///
/// What is left out cannot leak; it is not counted as cut.
///
/// ```
/// use belvedere::xray::Url;
///
/// let url = Url::from("https://me:secret@shop.example/carts/7?token=secret#top");
/// assert_eq!(url.as_str(), "https://shop.example/carts/7");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Url(Text);

/// How a database is reached, in a driver's own words, without the password.
///
/// A URL is shown as [`Url`] shows it; any other text ends where it comes to a password.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct ConnectionString(Text);

// ===== impl Url =====

impl Url {
    /// The URL itself.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What of a URL is shown.
    pub(super) fn shown(url: &str) -> Cow<'_, str> {
        bare(url.into())
    }

    /// A URL that is scrubbed when it is written, and at once if it is to be cut.
    pub(super) fn whole(url: String, scrubber: &Scrubber) -> Self {
        if url.len() <= Text::MOST {
            Self::from(url)
        } else {
            Self(Text::whole(bare(url.into()), |url| scrubber.url(url)))
        }
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Url {
    fn from(url: T) -> Self {
        Self(bare(url.into()).into())
    }
}

impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

// ===== impl ConnectionString =====

impl ConnectionString {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for ConnectionString {
    fn from(text: T) -> Self {
        let text = text.into();
        let is_pairs = !text.contains("//") && text.contains('=');
        Self(before_password(if is_pairs { text } else { bare(text) }).into())
    }
}

impl<'de> Deserialize<'de> for ConnectionString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

texts! {
    Url: 0;
    ConnectionString: 0;
}

/// A URL without query, fragment and credentials.
fn bare(url: Cow<'_, str>) -> Cow<'_, str> {
    let shown = without_query(&url);
    match credentials(shown) {
        Some((start, end)) => Cow::Owned(format!("{}{}", &shown[..start], &shown[end..])),
        None if shown.len() < url.len() => Cow::Owned(shown.to_owned()),
        None => url,
    }
}

fn without_query(url: &str) -> &str {
    let end = bytes::position(url, |byte| (byte == b'?') | (byte == b'#'));
    &url[..end.unwrap_or(url.len())]
}

/// Where a URL has what must not be shown before its host, or instead of it.
fn credentials(url: &str) -> Option<(usize, usize)> {
    let slashes = url.as_bytes().windows(2).position(|two| two == b"//");
    let Some(start) = slashes.map(|at| at + 2).filter(|at| *at == 2 || !url.starts_with('/')) else {
        let end = url.rfind('@').filter(|_| !url.starts_with('/'))? + 1;
        return Some((0, end));
    };
    let ends = |byte: u8| matches!(byte, b'/' | b'\\');
    let authority = &url[start..start + url[start..].bytes().position(ends).unwrap_or(url.len() - start)];
    let host = authority.bytes().rposition(|byte| byte == b'@').map_or(0, |at| at + 1);
    if !is_host(&authority[host..]) {
        // The password of such a one had a slash or a question mark in it, and this is its beginning.
        return Some((start, url.len()));
    }
    (host > 0).then_some((start, start + host))
}

/// Whether it can be a host and a port, and not a user and the beginning of a password.
fn is_host(authority: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let after_brackets = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (_, port) =
        after_brackets.unwrap_or_else(|| authority.split_at(authority.find(':').unwrap_or(authority.len())));
    port.is_empty() || port.strip_prefix(':').is_some_and(is_port)
}

/// The text up to where a password is named.
fn before_password(text: Cow<'static, str>) -> Cow<'static, str> {
    let lower = text.to_ascii_lowercase();
    match PASSWORDS.iter().filter_map(|key| lower.find(key)).min() {
        Some(at) => Cow::Owned(text[..at].trim_end_matches([' ', ';', ',', '&']).to_owned()),
        None => text,
    }
}

const PASSWORDS: [&str; 3] = ["password", "passwd", "pwd"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_loses_its_query_fragment_and_credentials() {
        for (url, shown) in [
            ("http://shop.example/a/b", "http://shop.example/a/b"),
            ("http://shop.example:81/a?b=c#d", "http://shop.example:81/a"),
            ("http://shop.example/a#d?e", "http://shop.example/a"),
            ("https://me:secret@shop.example/a", "https://shop.example/a"),
            ("https://me@shop.example", "https://shop.example"),
            ("https://m@e:s@shop.example/@a", "https://shop.example/@a"),
            ("http://[::1]:80/@me", "http://[::1]:80/@me"),
            ("http://[::1]/", "http://[::1]/"),
            ("grpc://shop.example/shop.Carts/Get", "grpc://shop.example/shop.Carts/Get"),
            ("/a//b@c?d", "/a//b@c"),
            ("//me:secret@shop.example/a", "//shop.example/a"),
            ("", ""),
        ] {
            assert_eq!(Url::from(url).as_str(), shown, "{url}");
        }
    }

    #[test]
    fn a_password_with_a_slash_or_a_question_mark_is_not_shown_either() {
        for url in [
            "https://me:sec/ret@shop.example/a",
            "https://me:sec?ret@shop.example/a",
            "https://me:sec#ret@x",
            "https://me@you:sec/ret@x",
        ] {
            assert_eq!(Url::from(url).as_str(), "https://", "{url}");
        }
    }

    #[test]
    fn a_connection_string_ends_where_it_comes_to_a_password() {
        for (text, shown) in [
            ("postgres://me:secret@db.example:5432/shop?sslmode=off", "postgres://db.example:5432/shop"),
            ("jdbc:mysql://db.example/shop?user=me&password=secret", "jdbc:mysql://db.example/shop"),
            ("host=db.example user=me password='sec ret' dbname=shop", "host=db.example user=me"),
            ("Server=tcp:db,1433;User ID=me;PWD=secret;", "Server=tcp:db,1433;User ID=me"),
            ("jdbc:oracle:thin:scott/tiger@db.example:1521:shop", "db.example:1521:shop"),
            (":memory:", ":memory:"),
        ] {
            assert_eq!(ConnectionString::from(text).as_str(), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_url_shows_a_query_or_a_password(
            user in "[a-z]{0,3}",
            password in "[A-Z][A-Z0-9:/?#]{0,8}SECRET[A-Z0-9@:/?#]{0,8}",
            rest in "[a-z./@]{1,9}",
        ) {
            let url = format!("https://{user}:{password}@h{rest}");
            prop_assert!(!Url::from(url).as_str().contains("SECRET"));
        }

        #[test]
        fn any_text_makes_a_url(text in any::<String>()) {
            let url = Url::from(text);
            prop_assert!(!url.as_str().contains(['?', '#']));
            prop_assert_eq!(&Url::from(url.as_str().to_owned()), &url);
        }
    }
}
