//! The scrubber without its shortcuts, against which it is tested: each byte of a text may begin a secret, and each name is
//! compared with the lists.

use std::borrow::Cow;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    REDACTED, Scrubber,
    copy::Copy,
    keys, pair,
    query::LAYERS,
    scrubber::Rules,
    text::{self, Secret},
    token,
};

fn scan<'a>(rules: &Rules, text: &'a str) -> Cow<'a, str> {
    let (mut copy, mut at) = (Copy::of(text), 0);
    while at < text.len() {
        let Some((range, with)) = secret(rules, text, at) else {
            at += 1;
            continue;
        };
        at = range.end.max(at + 1);
        copy.replace(range, &with);
    }
    copy.finish()
}

fn secret<'a>(rules: &Rules, text: &'a str, at: usize) -> Option<Secret<'a>> {
    let hidden = |range| (range, Cow::Borrowed(REDACTED));
    match text.as_bytes()[at] {
        b':' if text[at + 1..].starts_with("//") => text::link(rules, text, at, LAYERS),
        b'=' | b':' | b'%' => pair::value(rules, text, at).map(hidden),
        b'-' if text[at..].starts_with("--") => text::dashes(rules, text, at).map(hidden),
        b'0'..=b'9' if rules.cards => super::card::number(text, at).map(hidden),
        b'B' | b'b' => token::scheme(text, at).map(hidden),
        byte if byte.is_ascii() => token::marked(text, at).map(hidden),
        _ => None,
    }
}

/// Pieces of names and of secrets.
const PIECES: [&str; 78] = [
    "password",
    "PASSWORD",
    "pw",
    "xpw",
    "p-w",
    "_pw",
    "pin",
    "12pin",
    "pin12",
    "token7-",
    "x-api-key",
    "authorization",
    "session_id",
    "user.password",
    "password.name",
    "users[0][pin]",
    "customer",
    "status",
    "sha256",
    "=",
    "=",
    ":",
    ":",
    "::",
    "://",
    "&",
    ",",
    " ",
    " ",
    "\"",
    "'",
    "\\",
    "\n",
    "(",
    "[",
    "{",
    "}",
    "%",
    "%3D",
    "%3a",
    "%26",
    "%1e",
    "%BA",
    "%77",
    "+",
    "/",
    "@",
    ".",
    "_",
    "--",
    "-----BEGIN PRIVATE KEY-----",
    "Bearer ",
    "bearer%20",
    "BASIC+",
    "eyJhbGciOi",
    "AKIAIOSFODNN7EXAMPLE",
    "ABIA",
    "ACCA",
    "4111111111111111",
    "ghp_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "npm_",
    "xoxb-",
    "rk_live_",
    "sk_live_",
    "whsec_",
    "hcaik_",
    "AIza",
    "AQoDYXdz",
    "FQoGZXIvYXdz",
    "FwoGZXIvYXdz",
    "IQoJb3JpZ2luX2Vj",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "\u{e9}",
    "REDACTED",
    "b",
];

fn strange() -> impl Strategy<Value = String> {
    let pieces = || vec(select(PIECES.to_vec()), 0..16).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => pieces(), 1 => any::<String>(), 2 => "[ -~]{0,80}", 1 => "[%0-9A-Fa-f]{0,9}(ghp_|eyJ|AKIA|b)[A-Za-z0-9]{9,40}"]
}

fn scrubbers() -> [Scrubber; 3] {
    let strange = ["sha256", "12", "x.y", "\u{e9}", "customer"];
    let few = Scrubber::default().only_fields(["iban", "Token", "pw"]).only_headers([""; 0]);
    [Scrubber::default(), Scrubber::default().fields(strange).card_numbers(), few]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_text_loses_what_it_loses_byte_by_byte(text in strange()) {
        for scrubber in scrubbers() {
            prop_assert_eq!(text::scan(scrubber.rules(), &text, LAYERS), scan(scrubber.rules(), &text));
        }
    }

    #[test]
    fn a_name_is_secret_if_it_is_by_all_of_its_bytes(name in strange()) {
        for scrubber in scrubbers() {
            let Rules { fields, headers, queries, .. } = scrubber.rules();
            let is_secret = [fields, headers, queries].iter().any(|keys| keys.confirm(&name));
            prop_assert_eq!(keys::any([fields, headers, queries], &name), is_secret);
        }
    }
}
