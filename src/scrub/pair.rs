//! Names with values, in any of the ways in which texts have them.

use std::ops::Range;

use super::{REDACTED, looks::Last, scrubber::Rules, token};

/// Whether the byte can be the separator behind the name of a secret, by the last letters of the name: most are not.
#[inline]
pub(super) fn tells(rules: &Rules, bytes: &[u8], at: usize) -> bool {
    if bytes[at] == b'%' {
        return bytes.get(at + 1) == Some(&b'3');
    }
    let start = at - count_back(&bytes[..at], LONGEST, is_of_part);
    let is_whole = start < at && (start == 0 || !is_of_name(bytes[start - 1]));
    match Last::of(&bytes[start..at]) {
        Some(last) if is_whole => rules.headers.may_end(last) || rules.fields.may_end(last),
        _ => true,
    }
}

/// Where the value is that the name before a `=`, a `:`, or one of them in percent-encoding makes secret.
pub(super) fn value(rules: &Rules, text: &str, at: usize) -> Option<Range<usize>> {
    let (separator, name) = secret(rules, text, at)?;
    let is_header = rules.headers.have(name.text);
    let start = separator.end + count(&text.as_bytes()[separator.end..], |byte| matches!(byte, b' ' | b'\t'));
    let is_line = is_header && text.as_bytes()[at] == b':' && !name.is_quoted && !is_quote(text, start);
    // A key has spaces and lines.
    let key = token::pem(text, start);
    key.or_else(|| if is_line { line(text, start, name.opened) } else { one(rules, text, start) })
}

/// The separator that stands there, and the name before it, if it is one of a secret.
fn secret<'a>(rules: &Rules, text: &'a str, at: usize) -> Option<(Separator, Name<'a>)> {
    let pair = (Separator::at(text.as_bytes(), at)?, Name::before(text, at)?);
    rules.hide_header(pair.1.text).then_some(pair)
}

/// Where the value is of an argument such as `--password x`.
pub(super) fn flag(rules: &Rules, text: &str, at: usize) -> Option<Range<usize>> {
    if text[..at].ends_with('-') {
        return None;
    }
    let name = &text[at + 2..];
    let name = &name[..count(&name.as_bytes()[..name.len().min(LONGEST)], |byte| {
        is_of_name(byte) && byte.is_ascii() && byte != b'%'
    })];
    let start = at + 2 + name.len();
    let is_apart = text[start..].starts_with(' ') && !text[start + 1..].starts_with(['-', ' ']);
    (is_apart && !name.is_empty() && rules.fields.have(name)).then(|| one(rules, text, start + 1)).flatten()
}

struct Separator {
    end: usize,
}

struct Name<'a> {
    text: &'a str,
    start: usize,
    /// Whether a quote stands between it and the separator.
    is_quoted: bool,
    /// The quote before it that is not closed behind it.
    opened: Option<u8>,
}

// ===== impl Separator =====

impl Separator {
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let follows = |byte| bytes.get(at + 1) == Some(&byte);
        let end = match bytes[at] {
            // The path of a Rust item, and not a name with its value.
            b':' if follows(b':') || at > 0 && bytes[at - 1] == b':' => return None,
            b'%' => match bytes.get(at + 1..at + 3)? {
                [b'3', b'D' | b'd' | b'A' | b'a'] => return Some(Self { end: at + 3 }),
                _ => return None,
            },
            _ => at + 1,
        };
        // `==`, `=>`, `:=`.
        Some(Self {
            end: end
                + count(&bytes[end..bytes.len().min(end + 2)], |byte| matches!(byte, b'=' | b'>' | b'~')),
        })
    }
}

// ===== impl Name =====

impl<'a> Name<'a> {
    fn before(text: &'a str, at: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let end = at - count_back(&bytes[..at], SPACES, |byte| byte == b' ');
        let unquoted = end - count_back(&bytes[..end], QUOTES, is_quoting);
        let start = unquoted - count_back(&bytes[..unquoted], LONGEST, is_of_name);
        // The longest name may begin within a character.
        let start = (start..unquoted).find(|start| text.is_char_boundary(*start))?;
        // What an encoded separator ends is another name, or a value.
        let ends = || ENCODED.iter().filter_map(|end| Some(start + text[start..unquoted].rfind(end)? + 3));
        let is_encoded = bytes[start..unquoted].contains(&b'%');
        let start = if is_encoded { ends().max().unwrap_or(start) } else { start };
        let opened = bytes[..start].last().copied().filter(|byte| matches!(byte, b'"' | b'\''));
        let is_quoted = unquoted < end;
        Some(Self { text: &text[start..unquoted], start, is_quoted, opened: opened.filter(|_| !is_quoted) })
    }
}

/// The value of a header, up to the end of its line.
fn line(text: &str, start: usize, quote: Option<u8>) -> Option<Range<usize>> {
    let ends = |byte: u8| matches!(byte, b'\r' | b'\n') || Some(byte) == quote;
    range(start, text[start..].bytes().position(ends).unwrap_or(text.len() - start))
}

/// One value, whatever it looks like.
fn one(rules: &Rules, text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    if let Some((opening, quote)) = opening(rest) {
        let start = start + opening + 1;
        return range(start, closing(&text.as_bytes()[start..], opening, quote));
    }
    if is_scrubbed(rest) {
        return range(start, REDACTED.len());
    }
    if is_bracketed(rest) {
        let end = balanced(rest.as_bytes());
        let more = rest[end..].find(|char: char| !char.is_alphanumeric()).unwrap_or(rest.len() - end);
        return range(start, end + more);
    }
    let word = start..start + word(rest);
    let is_nothing = NOTHING.contains(&&text[word.clone()]);
    if is_nothing { None } else { range(start, credentials(rules, text, word) - start) }
}

/// Where the secret ends that a scheme such as `Bearer` announces, if a word ends with one: behind the next word, or
/// before what has a name of its own there.
fn credentials(rules: &Rules, text: &str, mut word: Range<usize>) -> usize {
    while announces(&text[word.clone()]) && text[word.end..].starts_with(' ') {
        let start = word.end + 1;
        let next = start..start + self::word(&text[start..]);
        let named = |at| Some(secret(rules, text, at)?.1.start).filter(|name| *name >= start);
        match next.clone().filter(|at| is_separator(text.as_bytes()[*at])).find_map(named) {
            Some(name) => return name - joint(&text[word.end..name]),
            None => word = next,
        }
    }
    word.end
}

/// The length of what divides a pair from what stands before it.
fn joint(before: &str) -> usize {
    let is_encoded = ENCODED.iter().any(|separator| before.ends_with(separator));
    if is_encoded { 3 } else { before.chars().next_back().map_or(0, char::len_utf8) }
}

/// Whether a word ends with the scheme of a header.
fn announces(word: &str) -> bool {
    let last = word.rsplit(['=', ':']).next().unwrap_or_default();
    SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(last))
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'=' | b':' | b'%')
}

fn range(start: usize, length: usize) -> Option<Range<usize>> {
    (length > 0).then_some(start..start + length)
}

/// Whether a value was replaced before, whatever follows it.
pub(super) fn is_scrubbed(value: &str) -> bool {
    value.strip_prefix(REDACTED).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

/// How many backslashes a value begins with, and the quote behind them.
fn opening(value: &str) -> Option<(usize, u8)> {
    let escapes = count(value.as_bytes(), |byte| byte == b'\\');
    let quote = *value.as_bytes().get(escapes)?;
    matches!(quote, b'"' | b'\'' | b'`').then_some((escapes, quote))
}

/// The length of what is quoted, without the closing quote and its backslashes.
fn closing(bytes: &[u8], escapes: usize, quote: u8) -> usize {
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == quote && (before <= escapes || escapes == 0 && before % 2 == 0) {
            return at - before.min(escapes);
        }
        before = if *byte == b'\\' { before + 1 } else { 0 };
    }
    bytes.len()
}

/// Whether a value is a list, an object, or a value of a Rust type such as `Some("x")` and `b"x"`.
fn is_bracketed(value: &str) -> bool {
    let name = count(value.as_bytes(), |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match value.as_bytes().get(name) {
        Some(b'(' | b'{' | b'[') => name == 0 || value.starts_with(|char: char| char.is_ascii_uppercase()),
        Some(b'"') => matches!(&value[..name], "b" | "r" | "br" | "c"),
        _ => false,
    }
}

/// The length up to the bracket that closes the first one, or up to the end of a string with a prefix.
fn balanced(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = (at + closing(&bytes[at..], 0, b'"') + 1).min(bytes.len()),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a value without quotes: up to a space, or to what looks like the next pair.
fn word(value: &str) -> usize {
    let bytes = value.as_bytes();
    let ends = |at: &usize| match bytes[*at] {
        byte if byte.is_ascii_whitespace() => true,
        b'&' | b',' | b';' => begins_pair(&bytes[at + 1..]),
        _ => false,
    };
    let end = (0..bytes.len()).find(ends).unwrap_or(bytes.len());
    let trimmed = value[..end].trim_end_matches(TRAILING).len();
    if trimmed == 0 { end } else { trimmed }
}

fn begins_pair(bytes: &[u8]) -> bool {
    let skipped = count(bytes, |byte| byte == b' ' || is_quoting(byte)).min(QUOTES);
    let bytes = &bytes[skipped..];
    let name = count(&bytes[..bytes.len().min(LONGEST)], is_of_name);
    let bytes = &bytes[name..];
    let quotes = count(bytes, |byte| byte == b' ' || is_quoting(byte)).min(QUOTES);
    name > 0 && matches!(bytes.get(quotes), Some(b'=' | b':'))
}

fn is_quote(text: &str, at: usize) -> bool {
    opening(&text[at..]).is_some()
}

fn is_quoting(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\')
}

/// Whether a byte can be one of a name.
fn is_of_name(byte: u8) -> bool {
    NAMES[usize::from(byte)] > 0
}

/// Whether a byte can be one of a name without parts.
fn is_of_part(byte: u8) -> bool {
    NAMES[usize::from(byte)] == PART
}

fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(**byte)).count()
}

fn count_back(bytes: &[u8], most: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().rev().take(most).take_while(|byte| is(**byte)).count()
}

const NAME: u8 = 1;
const PART: u8 = 2;

static NAMES: [u8; 256] = {
    let mut table = [NAME; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' => PART,
            b'.' | b'[' | b']' | b'%' => NAME,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// How much of a name is read, from its end on.
const LONGEST: usize = 64;

/// `=`, `:`, `&`, `?`.
const ENCODED: [&str; 7] = ["%3D", "%3d", "%3A", "%3a", "%26", "%3F", "%3f"];
const SPACES: usize = 8;
const QUOTES: usize = 8;

/// What a value does not end with, if it ends with it.
const TRAILING: [char; 13] = [',', ':', '=', ';', '.', ')', ']', '}', '>', '"', '\'', '`', '\\'];

/// What precedes the secret of a header.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "negotiate", "token", "apikey"];

/// Values that say that there is none.
const NOTHING: [&str; 7] = ["None", "none", "null", "nil", "true", "false", "undefined"];
