//! Secrets that are known by their looks.

use std::ops::Range;

use super::{REDACTED, pair::is_scrubbed};

/// How far a byte is from giving one of them away, by the one before it: the first letter of a scheme is at 0, and what can
/// complete a [beginning](begun), but for a `-`.
#[inline(always)]
pub(super) fn distance(before: u8, byte: u8) -> u8 {
    // A capital or `_`, behind a letter.
    let in_word = ((byte & 0xe0) ^ 0x40) | ((before & 0x40) ^ 0x40);
    ((byte | 0x20) ^ b'b').min(in_word)
}

/// Whether a byte can give one away, by those around it.
#[inline(always)]
pub(super) fn tells(bytes: &[u8], at: usize) -> bool {
    let byte = bytes[at];
    let before = if at > 0 { letter(bytes[at - 1]) } else { 0 };
    let begins = || matches!(bytes.get(at + 1), Some(b'A' | b'E' | b'a' | b'e'));
    ENDS[usize::from(byte)] & before > 0 && begun(&bytes[..=at]).is_some() || byte | 0x20 == b'b' && begins()
}

/// The bit of a letter, or none.
#[inline(always)]
const fn letter(byte: u8) -> u64 {
    if byte.wrapping_sub(b'@') < 64 { 1 << (byte - b'@') } else { 0 }
}

/// The secret that a byte gives away, if it does not begin before `read`.
pub(super) fn token(text: &str, read: usize, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = begun(&bytes[..=at]).map(|length| at + 1 - length).filter(|start| *start >= read);
    let marked = start.and_then(|start| marked(text, start));
    marked.or_else(|| if matches!(bytes[at], b'B' | b'b') { scheme(text, at) } else { None })
}

/// Whether a text ends in the beginning of a secret.
#[cfg(any(feature = "cloudwatch", feature = "otel", feature = "xray"))]
pub(super) fn begins(text: &[u8]) -> bool {
    begun(text).is_some()
}

/// The length of the beginning of a secret in which a text ends: of each no more than tells it from most words.
fn begun(text: &[u8]) -> Option<usize> {
    Some(match text {
        [.., b'A', b'B' | b'C' | b'I' | b'K' | b'Q' | b'S'] | [.., b'F' | b'I', b'Q'] => 2,
        [.., b'e', b'y', b'J'] | [.., b'r' | b's', b'k', b'_'] => 3,
        [.., b'F', b'w', b'o', b'G'] | [.., b'n', b'p', b'm', b'_'] => 4,
        [.., b'g', b'h', b'o' | b'p' | b's' | b'u', b'_'] => 4,
        [.., b'x', b'o', b'x', b'b' | b'p', b'-'] => 5,
        [.., b'g', b'l', b'p', b'a', b't', b'-'] => 6,
        [.., b'h', b'c', b'a', b'i', b'k', b'_'] | [.., b'w', b'h', b's', b'e', b'c', b'_'] => 6,
        [.., b'g', b'i', b't', b'h', b'u', b'b', b'_'] => 7,
        _ => return None,
    })
}

/// The secret that begins here with a mark.
pub(super) fn marked(text: &str, at: usize) -> Option<Range<usize>> {
    if !begins_word(text, at) {
        return None;
    }
    let rest = &text[at..];
    let length = match rest.as_bytes()[0] {
        b'e' if rest.starts_with("eyJ") => jwt(rest),
        b'A' if AWS_KEYS.iter().any(|mark| rest.starts_with(mark)) => aws_key(rest),
        _ => of_vendor(rest),
    };
    length.map(|length| at..at + length)
}

/// What follows the name of a scheme that begins here.
pub(super) fn scheme(text: &str, at: usize) -> Option<Range<usize>> {
    let begins =
        matches!(text.as_bytes().get(at + 1), Some(b'A' | b'E' | b'a' | b'e')) && begins_word(text, at);
    let rest = if begins { &text[at..] } else { return None };
    let token = bearer(rest).or_else(|| basic(rest))?;
    Some(at + token.start..at + token.end)
}

fn begins_word(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at];
    let is_encoded = |before: &[u8]| matches!(before, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    match before.last() {
        Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'_' => is_encoded(before),
        _ => true,
    }
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
fn of_vendor(text: &str) -> Option<usize> {
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
const MARKS: [(&str, usize); 18] = [
    // The session tokens of AWS.
    ("AQoDYXdz", 40),
    ("FQoGZXIvYXdz", 40),
    ("FwoGZXIvYXdz", 40),
    ("IQoJb3JpZ2luX2Vj", 40),
    // Google, GitHub, GitLab, npm, Slack, Stripe, Honeycomb.
    ("AIza", 35),
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

/// The letters before the last byte of a [beginning](begun), a bit each.
static ENDS: [u64; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < ENDINGS.len() {
        let (last, before) = ENDINGS[at];
        let mut of = 0;
        while of < before.len() {
            table[last as usize] |= letter(before[of]);
            of += 1;
        }
        at += 1;
    }
    table
};

const ENDINGS: [(u8, &[u8]); 10] = [
    (b'-', b"bpt"),
    (b'B', b"A"),
    (b'C', b"A"),
    (b'G', b"o"),
    (b'I', b"A"),
    (b'J', b"y"),
    (b'K', b"A"),
    (b'Q', b"AFI"),
    (b'S', b"A"),
    (b'_', b"bckmopsu"),
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
        for scheme in schemes {
            assert!(is_found(scheme.as_bytes(), 0) && tells(scheme.as_bytes(), 0), "{scheme}");
        }
        for mark in MARKS
            .iter()
            .map(|(mark, _)| mark.as_bytes())
            .chain(AWS_KEYS.map(str::as_bytes))
            .chain([&b"eyJ"[..]])
        {
            let begins = |at: &usize| begun(&mark[..=*at]) == Some(at + 1);
            let at =
                (0..mark.len()).find(begins).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(mark)));
            assert!(is_found(mark, at) && tells(mark, at), "{}", String::from_utf8_lossy(mark));
        }
    }

    fn is_found(bytes: &[u8], at: usize) -> bool {
        let before = if at > 0 { bytes[at - 1] } else { 0 };
        bytes[at] == b'-' || distance(before, bytes[at]) == 0
    }
}
