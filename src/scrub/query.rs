use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{
    REDACTED, Scrubber,
    copy::Copy,
    scrubber::Rules,
    text::{may_leak, scan},
};

// ===== impl Scrubber =====

impl Scrubber {
    /// A query, without its `?`: what has a secret name, and what has a secret in it, is replaced. Names, their order and
    /// repeated ones stay.
    pub fn query<'a>(&self, query: &'a str) -> Cow<'a, str> {
        pairs(self.rules(), query, Rules::hide_query, LAYERS)
    }

    /// Whether a name in a query may be a secret itself, by its looks: most queries have not a byte of what it takes.
    #[cfg(feature = "otel")]
    pub(crate) fn may_leak(&self, query: &str) -> bool {
        // A name may be JSON, in which names are secret.
        may_leak(self.rules(), query) || query.bytes().any(|byte| matches!(byte, b'{' | b'['))
    }

    /// A body of `application/x-www-form-urlencoded`, by the names of fields.
    pub fn form<'a>(&self, form: &'a str) -> Cow<'a, str> {
        pairs(self.rules(), form, |rules, name| rules.fields.have(name), LAYERS)
    }

    /// The pairs of a query, decoded and scrubbed, in their order. Bytes that are no text are replaced.
    pub fn query_pairs<'a>(&self, query: &'a str) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let parts = query.split('&').filter(|part| !part.is_empty());
        parts.map(|part| self.decoded(part, Rules::hide_query))
    }

    /// The pairs of a form, decoded and scrubbed, in their order. Bytes that are no text are replaced.
    pub fn form_pairs<'a>(&self, form: &'a str) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let parts = form.split('&').filter(|part| !part.is_empty());
        parts.map(|part| self.decoded(part, |rules, name| rules.fields.have(name)))
    }

    fn decoded<'a>(&self, part: &'a str, hides: Hides) -> (Cow<'a, str>, Cow<'a, str>) {
        let rules = self.rules();
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let is_secret = !value.is_empty() && (hides(rules, name) || leaks(rules, value, LAYERS));
        let name = if leaks(rules, name, LAYERS) { Cow::Borrowed(REDACTED) } else { decode(name) };
        (name, if is_secret { Cow::Borrowed(REDACTED) } else { decode(value) })
    }
}

pub(super) type Hides = fn(&Rules, &str) -> bool;

pub(super) fn pairs<'a>(rules: &Rules, text: &'a str, hides: Hides, layers: usize) -> Cow<'a, str> {
    let (mut copy, mut at) = (Copy::of(text), 0);
    let may_leak = may_leak(rules, text);
    let leaks = |part: &str| (may_leak || part.contains('=')) && leaks(rules, part, layers);
    for part in text.split('&') {
        let equals = part.bytes().position(|byte| byte == b'=').unwrap_or(part.len());
        let (name, value) = (&part[..equals], part.get(equals + 1..).unwrap_or_default());
        if leaks(name) {
            copy.replace(at..at + equals, REDACTED);
        }
        if !value.is_empty() && (hides(rules, name) || leaks(value)) {
            copy.replace(at + equals + 1..at + part.len(), REDACTED);
        }
        at += part.len() + 1;
    }
    copy.finish()
}

/// Whether there is a secret in an encoded value, such as a URL with a token.
fn leaks(rules: &Rules, value: &str, layers: usize) -> bool {
    let (mut value, mut layers) = (Cow::Borrowed(value), layers);
    loop {
        layers = layers.saturating_sub(1);
        if matches!(scan(rules, &value, layers), Cow::Owned(_)) {
            return true;
        }
        match decode(&value) {
            Cow::Owned(decoded) if layers > 0 && decoded != *value => value = Cow::Owned(decoded),
            _ => return false,
        }
    }
}

/// What a form or a query has encoded.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned())
}

/// How often a value may be encoded. One that is encoded more often is not read by many either.
pub(super) const LAYERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_lose_their_values_and_all_else_stays_as_it_was_written() {
        let scrubber = Scrubber::default();
        for (query, shown) in [
            ("", ""),
            ("a", "a"),
            ("x=1&x=2&token=canary&x=3", "x=1&x=2&token=REDACTED&x=3"),
            ("pass%77ord=canary", "pass%77ord=REDACTED"),
            ("user[password]=canary&user[name]=worf", "user[password]=REDACTED&user[name]=worf"),
            ("X-Amz-Signature=canary&X-Amz-Date=7", "X-Amz-Signature=REDACTED&X-Amz-Date=7"),
            ("token=a=b&token=", "token=REDACTED&token="),
            ("&&=&==&%", "&&=&==&%"),
            ("next=https%3A%2F%2Fx%2F%3Ftoken%3Dcanary", "next=REDACTED"),
            ("next=https%253A%252F%252Fme%253Acanary%2540x", "next=REDACTED"),
            ("code=canary&state=canary", "code=REDACTED&state=REDACTED"),
        ] {
            assert_eq!(scrubber.query(query), shown, "{query}");
        }
    }

    #[test]
    fn a_form_has_fields_and_no_signatures() {
        let shown = Scrubber::default().form("state=CA&Pass_Word=canary&note=token%3Dcanary");
        assert_eq!(shown, "state=CA&Pass_Word=REDACTED&note=REDACTED");
    }

    #[test]
    fn pairs_are_decoded() {
        let scrubber = Scrubber::default();
        let pairs: Vec<_> = scrubber.query_pairs("q=a+b%21&q=%ff&token=canary&flag").collect();
        let shown: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(shown, [("q", "a b!"), ("q", "\u{fffd}"), ("token", REDACTED), ("flag", "")]);
    }

    #[test]
    fn a_query_without_secrets_is_not_copied() {
        let scrubber = Scrubber::default();
        let info = allocation_counter::measure(|| {
            assert!(matches!(scrubber.query("page=2&sort=name"), Cow::Borrowed(_)));
        });
        assert_eq!(info.count_total, 0);
    }
}
