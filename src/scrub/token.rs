//! Secrets that are known by their looks.

use std::ops::Range;

use super::{REDACTED, pair::is_scrubbed};

/// Whether one of them can begin with this byte.
pub(super) const fn is_first(byte: u8) -> bool {
    matches!(
        byte,
        b'A' | b'B' | b'F' | b'I' | b'b' | b'e' | b'g' | b'h' | b'n' | b'r' | b's' | b'w' | b'x' | b'y'
    )
}

/// Whether one of them can begin so: most words are known to be none by two letters.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [b'B' | b'b', b'E' | b'e' | b'A' | b'a', ..]
            | [b'A', b'B' | b'C' | b'I' | b'K' | b'Q' | b'S', ..]
            | [b'F', b'Q' | b'w', ..]
            | [b'I', b'Q', ..]
            | [b'e' | b'y', b'a' | b'y', ..]
            | [b'g', b'h' | b'i' | b'l', ..]
            | [b'h', b'c', ..]
            | [b'n', b'p', ..]
            | [b'r' | b's', b'k', ..]
            | [b'w', b'h', ..]
            | [b'x', b'o', ..]
    )
}

/// The secret that begins with this word, or follows it.
pub(super) fn token(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = &text[at..];
    let length = match rest.as_bytes()[0] {
        b'B' | b'b' => {
            return bearer(rest).or_else(|| basic(rest)).map(|range| at + range.start..at + range.end);
        }
        b'e' if rest.starts_with("eyJ") => jwt(rest),
        b'A' if AWS_KEYS.iter().any(|mark| rest.starts_with(mark)) => aws_key(rest),
        _ => marked(rest),
    };
    length.map(|length| at..at + length)
}

/// A private key in PEM, to its end or to that of the text.
pub(super) fn pem(text: &str, at: usize) -> Option<Range<usize>> {
    let rest = text[at..].strip_prefix(BEGIN)?;
    let label = &rest[..rest[..rest.floor_char_boundary(LABEL)].find(RULE)?];
    let is_label = label.split(' ').all(|word| LABELS.contains(&word));
    if !is_label || !label.contains("PRIVATE KEY") {
        return None;
    }
    let begun = at + BEGIN.len() + label.len() + RULE.len();
    let end = text[begun..].find(END).map(|end| begun + end + END.len());
    let end = end.and_then(|end| Some(end + text[end..].find(RULE)? + RULE.len()));
    Some(at..end.unwrap_or(text.len()))
}

fn bearer(text: &str) -> Option<Range<usize>> {
    let token = credentials(text, "bearer")?;
    let is_prose = PROSE.iter().any(|word| word.eq_ignore_ascii_case(&text[token.clone()]));
    let is_challenge = text[token.end..].starts_with("=\"");
    (!is_prose && !is_challenge).then_some(token)
}

/// Base64 has letters of both cases, or digits, where a word of a language has not.
fn basic(text: &str) -> Option<Range<usize>> {
    let token = credentials(text, "basic")?;
    let word = text[token.clone()].split(':').next()?;
    let token = token.start..token.start + word.len();
    let is_encoded = word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'=')
        || word.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
            && word.bytes().any(|byte| byte.is_ascii_lowercase());
    (is_encoded && word.len() >= SHORTEST_BASIC).then_some(token)
}

/// What follows the name of a scheme, as far as it goes.
fn credentials(text: &str, scheme: &str) -> Option<Range<usize>> {
    let (name, rest) = text.split_at_checked(scheme.len())?;
    let gap = match rest.as_bytes().first()? {
        b' ' => run(rest, |byte| byte == b' '),
        b'+' => 1,
        b'%' if rest.starts_with("%20") => 3,
        _ => return None,
    };
    let has_plus = !rest.starts_with('+');
    let start = scheme.len() + gap;
    if is_scrubbed(&text[start..]) {
        return name.eq_ignore_ascii_case(scheme).then_some(start..start + REDACTED.len());
    }
    let length = run(&text[start..], |byte| is_of_token(byte) && (has_plus || byte != b'+'));
    let (token, rest) = text[start..].split_at(length);
    let word = &token[..token.find("://").unwrap_or(length)];
    let length = if word.starts_with([':', '.']) { 0 } else { word.trim_end_matches(['.', ':']).len() };
    // What pads it is at its very end.
    let padding = run(rest, |byte| byte == b'=');
    let is_end =
        !rest[padding..].starts_with(|char: char| char.is_alphanumeric() || matches!(char, '"' | '-'));
    let length = if is_end && length == token.len() { length + padding } else { length };
    (name.eq_ignore_ascii_case(scheme) && length > 0).then_some(start..start + length)
}

/// <https://www.rfc-editor.org/rfc/rfc7519>: JSON in base64, a dot, and more of it.
fn jwt(text: &str) -> Option<usize> {
    let head = text.bytes().take(LONGEST_HEAD).take_while(|byte| is_of_word(*byte)).count();
    let has_more = text.as_bytes()[head..].first() == Some(&b'.');
    let length = || run(text, |byte| is_of_word(byte) || byte == b'.');
    (has_more && head >= SHORTEST_HEAD).then(|| text[..length()].trim_end_matches('.').len())
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn aws_key(text: &str) -> Option<usize> {
    let length = run(text, |byte| byte.is_ascii_alphanumeric());
    let is_key =
        length == 20 && text[..length].bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_key.then_some(length)
}

/// What begins with the mark of a vendor and goes on for a while.
fn marked(text: &str) -> Option<usize> {
    let (_, shortest) = MARKS.iter().find(|(mark, _)| text.starts_with(mark))?;
    let length = run(text, |byte| is_of_word(byte) || matches!(byte, b'+' | b'/' | b'=' | b'%'));
    (length >= *shortest).then_some(length)
}

fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// <https://www.rfc-editor.org/rfc/rfc9110#name-credentials>, and some more that is seen.
fn is_of_token(byte: u8) -> bool {
    is_of_word(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b':' | b'|')
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const RULE: &str = "-----";
const LABEL: usize = 64;

/// What a private key's label is made of.
const LABELS: [&str; 11] =
    ["ANY", "BLOCK", "DSA", "EC", "ED25519", "ENCRYPTED", "KEY", "OPENSSH", "PGP", "PRIVATE", "RSA"];

const AWS_KEYS: [&str; 4] = ["AKIA", "ASIA", "ABIA", "ACCA"];
const SHORTEST_BASIC: usize = 6;
const SHORTEST_HEAD: usize = 8;
const LONGEST_HEAD: usize = 512;

/// Each with the length from which on it is a secret.
const MARKS: [(&str, usize); 19] = [
    // The session tokens of AWS.
    ("AQoDYXdz", 40),
    ("FQoGZXIvYXdz", 40),
    ("FwoGZXIvYXdz", 40),
    ("IQoJb3JpZ2luX2Vj", 40),
    // Google, GitHub, GitLab, npm, Slack, Stripe, Honeycomb.
    ("AIza", 35),
    ("ya29.", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("npm_", 36),
    ("xoxb-", 15),
    ("xoxp-", 15),
    ("rk_live_", 15),
    ("sk_live_", 15),
    ("whsec_", 15),
    ("hcaik_", 20),
];

/// Words that follow "bearer" where nothing secret does.
const PROSE: [&str; 14] = [
    "and",
    "auth",
    "authentication",
    "authorization",
    "credential",
    "credentials",
    "header",
    "is",
    "not",
    "of",
    "or",
    "scheme",
    "token",
    "tokens",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_passed_over_for_its_first_letters() {
        let schemes = ["Bearer", "bearer", "BEARER", "bEaReR", "Basic", "basic", "BASIC", "bAsIc"];
        let marks = MARKS.iter().map(|(mark, _)| *mark);
        for mark in marks.chain(AWS_KEYS).chain(schemes).chain(["eyJ"]) {
            assert!(is_first(mark.as_bytes()[0]) && may_begin(mark.as_bytes()), "{mark}");
        }
    }
}
