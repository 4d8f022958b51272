use std::{borrow::Cow, ops::Range};

use serde_json::Value;

use super::{
    REDACTED, Scrubber, card, copy::Copy, json, pair, query::LAYERS, scrubber::Rules, tells, token, url,
};

// ===== impl Scrubber =====

impl Scrubber {
    /// Whether a text of ASCII is shown as it is: most have no byte that gives something away, and that is all there is to see.
    pub(crate) fn leaves_ascii(&self, text: &[u8]) -> bool {
        let rules = self.rules();
        let may_be_json = matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['));
        let tells = |at| tells(rules, text, at);
        !may_be_json && next(rules, text, 0, tells).is_none()
            || str::from_utf8(text).is_ok_and(|text| matches!(self.text(text), Cow::Borrowed(_)))
    }

    /// The same for the path of a URL, which begins with one slash, and has neither a query nor a fragment.
    #[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
    pub(crate) fn leaves_path(&self, path: &[u8]) -> bool {
        let rules = self.rules();
        next(rules, path, 0, |at| tells_in_path(rules, path, at)).is_none()
            || str::from_utf8(path).is_ok_and(|path| matches!(self.url(path), Cow::Borrowed(_)))
    }

    /// A text of any kind: a message, a line of a log, JSON. See [the module](super) for what is found.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        scrub(self.rules(), text, NESTED)
    }

    /// The value of something that has a name, such as an annotation.
    pub fn value<'a>(&self, name: &str, value: &'a str) -> Cow<'a, str> {
        if !value.is_empty() && self.is_secret(name) { Cow::Borrowed(REDACTED) } else { self.text(value) }
    }
}

/// A text that may be JSON, in which strings may be JSON, so often.
pub(super) fn scrub<'a>(rules: &Rules, text: &'a str, nested: usize) -> Cow<'a, str> {
    // Read as JSON for the names that are written with escapes, and read once more for what JSON hides: of two members
    // with one name it knows the last.
    match json(rules, text, nested) {
        Some(scrubbed) => Cow::Owned(scan(rules, &scrubbed, LAYERS).into_owned()),
        None => scan(rules, text, LAYERS),
    }
}

/// The text without its secrets, where it is JSON and has some.
fn json(rules: &Rules, text: &str, nested: usize) -> Option<String> {
    let nested = nested.checked_sub(1)?;
    let begins = text.bytes().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(begins, Some(b'{' | b'[')) {
        return None;
    }
    let mut value: Value = serde_json::from_str(text).ok()?;
    json::scrub(rules, &mut value, 0, nested).then(|| value.to_string())
}

/// One reading, from the front to the back. What is in the query of a URL is decoded so often at most, all URLs in it
/// included: each layer may be another URL with a query.
pub(super) fn scan<'a>(rules: &Rules, text: &'a str, layers: usize) -> Cow<'a, str> {
    read(rules, text, layers, |at| tells(rules, text.as_bytes(), at))
}

/// The same for the path of a URL, in which a colon is nothing special unless it begins another URL.
pub(super) fn scan_path<'a>(rules: &Rules, path: &'a str, layers: usize) -> Cow<'a, str> {
    read(rules, path, layers, |at| tells_in_path(rules, path.as_bytes(), at))
}

fn tells_in_path(rules: &Rules, path: &[u8], at: usize) -> bool {
    let is_plain = path[at] == b':' && !path[at + 1..].starts_with(b"//");
    !is_plain && tells(rules, path, at)
}

fn read<'a>(rules: &Rules, text: &'a str, layers: usize, tells: impl Fn(usize) -> bool) -> Cow<'a, str> {
    let next = |from| next(rules, text.as_bytes(), from, &tells);
    let Some(mut at) = next(0) else { return Cow::Borrowed(text) };
    let (mut copy, mut read) = (Copy::of(text), 0);
    loop {
        let mut after = at + 1;
        if let Some((range, with)) = secret(rules, text, Place { at, read }, layers) {
            (read, after) = (range.end, range.end);
            copy.replace(range, &with);
        }
        let Some(next) = next(after) else { return copy.finish() };
        at = next;
    }
}

/// Whether the names and the values of a query may have secrets in them, where no value has a `=` in it.
pub(super) fn may_leak(rules: &Rules, query: &str) -> bool {
    let tells = |at| match query.as_bytes()[at] {
        b'=' => false,
        // What is encoded may be anything.
        b'%' => true,
        _ => tells(rules, query.as_bytes(), at),
    };
    next(rules, query.as_bytes(), 0, tells).is_some()
}

fn next(rules: &Rules, text: &[u8], from: usize, tells: impl Fn(usize) -> bool) -> Option<usize> {
    if rules.cards {
        return tells::next::<true>(text, from, tells);
    }
    tells::next::<false>(text, from, tells)
}

/// Whether a byte can give a secret away, by those around it.
#[inline]
fn tells(rules: &Rules, bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b':' if bytes[at + 1..].starts_with(b"//") => true,
        b'=' | b':' | b'%' => pair::tells(rules, bytes, at),
        b'-' if bytes[at + 1..].first() == Some(&b'-') => true,
        b'0'..=b'9' => rules.cards,
        _ => token::tells(bytes, at),
    }
}

/// What stands in a text, and what is to stand there.
pub(super) type Secret<'a> = (Range<usize>, Cow<'a, str>);

/// A place that can give a secret away.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    /// Up to where the text is read: no secret begins before that.
    read: usize,
}

/// The secret that a byte gives away, and what stands for it. It ends behind that byte.
fn secret<'a>(rules: &Rules, text: &'a str, place: Place, layers: usize) -> Option<Secret<'a>> {
    let hidden = |range| (range, Cow::Borrowed(REDACTED));
    let Place { at, read } = place;
    match text.as_bytes()[at] {
        b':' if text[at + 1..].starts_with("//") => link(rules, text, at, layers),
        b'=' | b':' | b'%' => pair::value(rules, text, at).map(hidden),
        b'0'..=b'9' if rules.cards => card::number(text, at).map(hidden),
        byte => {
            let token = token::token(text, read, at);
            let is_double = byte == b'-' && text.as_bytes().get(at + 1) == Some(&b'-');
            token.or_else(|| if is_double { dashes(rules, text, at) } else { None }).map(hidden)
        }
    }
}

/// What two dashes begin: a key, or an argument.
pub(super) fn dashes(rules: &Rules, text: &str, at: usize) -> Option<Range<usize>> {
    token::pem(text, at).or_else(|| pair::flag(rules, text, at))
}

/// A URL, by the colon behind its scheme.
pub(super) fn link<'a>(rules: &Rules, text: &'a str, colon: usize, layers: usize) -> Option<Secret<'a>> {
    let is_of_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme =
        |colon: usize| text.as_bytes()[..colon].iter().rev().take_while(|byte| is_of_scheme(byte)).count();
    let rest = &text[colon + 3..];
    // Another URL may follow without a gap.
    let end = rest.find("://").map_or(rest.len(), |next| next - scheme(colon + 3 + next).min(next));
    let end = rest[..end].find(ends_url).unwrap_or(end);
    // Its scheme is no secret, and may be copied already.
    let range = colon..colon + 3 + end;
    let scrubbed = url::scrub(rules, &text[range.clone()], layers);
    Some((range, scrubbed))
}

fn ends_url(char: char) -> bool {
    char.is_whitespace() || char.is_control() || matches!(char, '"' | '<' | '>' | '`')
}

/// How deep JSON is read that stands in strings of JSON.
pub(super) const NESTED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_in_texts() {
        let scrubber = Scrubber::default();
        for (text, shown) in [
            ("", ""),
            ("no route for GET /carts/7", "no route for GET /carts/7"),
            ("password=canary", "password=REDACTED"),
            ("password = canary and more", "password = REDACTED and more"),
            ("(password: canary), next", "(password: REDACTED), next"),
            ("password=a;b,c)d", "password=REDACTED"),
            ("token=canary&page=2", "token=REDACTED&page=2"),
            ("user=worf, token=canary, page=2", "user=worf, token=REDACTED, page=2"),
            (r#"{"api_key":"can\"ary","page":2"#, r#"{"api_key":"REDACTED","page":2"#),
            (
                r#"said {\"password\":\"canary\",\"page\":2}"#,
                r#"said {\"password\":\"REDACTED\",\"page\":2}"#,
            ),
            (
                "Login { user: \"worf\", password: \"can ary\" }",
                "Login { user: \"worf\", password: \"REDACTED\" }",
            ),
            ("Login { pin: 1701, page: 2 }", "Login { pin: REDACTED, page: 2 }"),
            ("Login { password: Some(\"can ary\"), page: 2 }", "Login { password: REDACTED, page: 2 }"),
            (
                "Login { password: Some(\n    \"canary\",\n), page: 2 }",
                "Login { password: REDACTED, page: 2 }",
            ),
            ("Login { password: None, page: 2 }", "Login { password: None, page: 2 }"),
            ("key: b\"x\", secret_key: b\"can ary\"", "key: b\"x\", secret_key: REDACTED"),
            ("{:password=>\"canary\"}", "{:password=>\"REDACTED\"}"),
            ("if password == \"canary\"", "if password == \"REDACTED\""),
            ("auth::login failed for token::Kind", "auth::login failed for token::Kind"),
            ("pass%77ord=canary", "pass%77ord=REDACTED"),
            ("to https%3A%2F%2Fx%3Fpin%3D1701%26page%3D2 x", "to https%3A%2F%2Fx%3Fpin%3DREDACTED x"),
            ("user[password]=canary", "user[password]=REDACTED"),
            ("psql --password canary --host db", "psql --password REDACTED --host db"),
            ("--token=canary", "--token=REDACTED"),
            (
                "GET https://me:canary@x/?token=canary failed",
                "GET https://REDACTED:REDACTED@x/?token=REDACTED failed",
            ),
            (
                "https://a:canary@x,https://b:canary@y",
                "https://REDACTED:REDACTED@x,https://REDACTED:REDACTED@y",
            ),
            ("Authorization: Digest a=\"canary\", b=\"canary\"\nHost: x", "Authorization: REDACTED\nHost: x"),
            ("curl -H 'Cookie: a=canary; b=canary' x", "curl -H 'Cookie: REDACTED' x"),
            ("{\"authorization\": \"Bearer canary\", \"x\": 1", "{\"authorization\": \"REDACTED\", \"x\": 1"),
            ("authorization=Bearer canary x", "authorization=REDACTED x"),
            ("authorization=Bearer Bearer canary x", "authorization=REDACTED x"),
            ("kind.token=token password=Bearer canary", "kind.token=REDACTED password=REDACTED"),
            ("kind.token=token (password=\"can ary\")", "kind.token=REDACTED(password=\"REDACTED\")"),
            ("password=token a=Bearer canary x", "password=REDACTED x"),
            ("got Bearer canary; bearer token missing", "got Bearer REDACTED; bearer token missing"),
            ("Basic bWU6Y2FuYXJ5 and basic authentication", "Basic REDACTED and basic authentication"),
            ("key AKIAIOSFODNN7EXAMPLE.", "key REDACTED."),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln, x", "jwt REDACTED, x"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\nmore",
                "REDACTED\nmore",
            ),
            ("-----BEGIN PRIVATE KEY-----\ncanary", "REDACTED"),
            (
                "tls.private_key=-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\nmore",
                "tls.private_key=REDACTED\nmore",
            ),
            ("x-api-key: -----BEGIN PRIVATE KEY-----\ncanary", "x-api-key: REDACTED"),
            ("-----BEGIN CERTIFICATE-----\nshown", "-----BEGIN CERTIFICATE-----\nshown"),
            (
                "session token FwoGZXIvYXdzEBYaDKcanarycanarycanarycanarycanary//w== x",
                "session token REDACTED x",
            ),
            ("{\"pass\\u0077ord\": \"canary\"}", "{\"password\":\"REDACTED\"}"),
            ("{\"token\": \"canary\", \"token\": \"\"}", "{\"token\": \"REDACTED\", \"token\": \"\"}"),
        ] {
            assert_eq!(scrubber.text(text), shown, "{text}");
            assert_eq!(scrubber.text(shown), shown, "once more");
        }
    }

    #[test]
    fn numbers_of_cards_are_found_where_asked_for() {
        let text = "paid by 4111 1111 1111 1111, order 4111111111111112";
        assert_eq!(Scrubber::default().text(text), text);
        let shown = Scrubber::default().card_numbers().text(text).into_owned();
        assert_eq!(shown, "paid by REDACTED, order 4111111111111112");
    }

    #[test]
    fn a_named_value_is_hidden_by_its_name_or_read() {
        let scrubber = Scrubber::default();
        assert_eq!(scrubber.value("db.password", "canary"), REDACTED);
        assert_eq!(scrubber.value("db.url", "x://a:canary@h"), "x://REDACTED:REDACTED@h");
        assert_eq!(scrubber.value("db.name", "shop"), "shop");
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        let scrubber = Scrubber::default();
        let text =
            "GET https://shop.example/carts/7?page=2 took 17 ms: status = 503, Basic authentication; {a: b}";
        let info = allocation_counter::measure(|| {
            assert!(matches!(scrubber.text(text), Cow::Borrowed(_)));
        });
        assert_eq!(info.count_total, 0);
    }
}
