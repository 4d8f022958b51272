//! The names of functions, as they are compared from build to build.

/// A function's name without what changes from build to build: hashes, generic arguments, the numbers of closures.
///
/// What remains can be read, `<X as Y>::z` too. It is cut after 255 bytes.
pub(super) fn plain(name: &str) -> String {
    let name = without_suffixes(name);
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    if name.len() <= LONGEST && name.bytes().all(is_path) {
        return name.to_owned();
    }
    let mut plain = String::with_capacity(name.len().min(LONGEST + CHAR));
    let mut rest = name;
    while let Some(char) = rest.chars().next() {
        if plain.len() >= LONGEST {
            break;
        }
        let after = &rest[char.len_utf8()..];
        rest = match char {
            '<' if is_generic(&plain) => {
                plain.truncate(plain.trim_end_matches("::").len());
                after_arguments(after)
            }
            '[' if plain.ends_with(is_name) => match after.split_once(']') {
                Some((hash, after)) if is_hash(hash) => after,
                _ => keep(&mut plain, char, after),
            },
            '{' => match numbered(after) {
                Some((kind, after)) => {
                    plain.extend(["{{", kind, "}}"]);
                    after
                }
                None => keep(&mut plain, char, after),
            },
            _ => keep(&mut plain, char, after),
        };
    }
    plain
}

/// The crate that a function is of: for `<X as Y>::z` that of `X`, unless that is a parameter. None for names of C and for
/// those that lost their path.
pub(super) fn package(name: &str) -> Option<&str> {
    let mut name = name;
    loop {
        let shorter = name.trim_start_matches(['<', '&', '*', '(', '[', ' ']);
        let shorter = WORDS.iter().fold(shorter, |name, word| name.strip_prefix(word).unwrap_or(name));
        if shorter == name {
            break;
        }
        name = shorter;
    }
    let end = name.find(|char| !is_name(char)).unwrap_or(name.len());
    if end > 0 && name[end..].starts_with("::") {
        return Some(&name[..end]);
    }
    let (_, of) = name.split_once(" as ")?;
    package(of)
}

/// The last part of a plain name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

fn keep<'a>(plain: &mut String, char: char, after: &'a str) -> &'a str {
    plain.push(char);
    after
}

fn without_suffixes(name: &str) -> &str {
    let name = name.find('.').and_then(|_| name.split_once(".llvm.")).map_or(name, |(name, _)| name);
    let hash = name.len().checked_sub(HASH).and_then(|at| name.get(at..)?.strip_prefix("::h"));
    if hash.is_some_and(is_hash) { &name[..name.len() - HASH] } else { name }
}

/// Whether a `<` that comes next opens arguments, and not `<X as Y>`.
fn is_generic(plain: &str) -> bool {
    plain.ends_with(|char| is_name(char) || char == '}') || plain.ends_with("::")
}

fn after_arguments(text: &str) -> &str {
    let (mut depth, mut before) = (1_usize, ' ');
    for (at, char) in text.char_indices() {
        match char {
            '<' => depth += 1,
            // An arrow closes nothing.
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
        before = char;
    }
    ""
}

/// What `{closure#3}` is, without its opening brace.
fn numbered(text: &str) -> Option<(&str, &str)> {
    let (inner, after) = text.split_once('}')?;
    let (kind, number) = inner.split_once('#')?;
    let is_numbered = kind.chars().all(|char| is_name(char) || char == ':');
    (is_numbered && number.bytes().all(|byte| byte.is_ascii_digit())).then_some((kind, after))
}

fn is_hash(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

const WORDS: [&str; 4] = ["mut ", "const ", "dyn ", "impl "];

/// What Rollbar's fields of a name take.
const LONGEST: usize = 255;

const CHAR: usize = 4;

const HASH: usize = "::h".len() + 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hashes_of_both_kinds_are_gone() {
        assert_eq!(plain("shop::carts::load::h0bf23e2488fa6425"), "shop::carts::load");
        assert_eq!(plain("std[e28293b1aa0f68bd]::rt::lang_start"), "std::rt::lang_start");
        assert_eq!(
            plain("<shop[5f3c2a1b09d8e7f6]::Cart as core[81d2a9f1c3b5e7a9]::fmt::Debug>::fmt"),
            "<shop::Cart as core::fmt::Debug>::fmt"
        );
        assert_eq!(plain("shop::load.llvm.1234567890"), "shop::load");
        assert_eq!(plain("shop::here::hash"), "shop::here::hash");
    }

    #[test]
    fn arguments_are_gone_and_the_type_of_a_method_stays() {
        assert_eq!(
            plain("tokio::runtime::Runtime::block_on::<shop::main::{closure#0}>"),
            "tokio::runtime::Runtime::block_on"
        );
        assert_eq!(
            plain("<alloc::boxed::Box<dyn core::ops::Fn(u8) -> u8> as core::ops::Fn<(u8,)>>::call"),
            "<alloc::boxed::Box as core::ops::Fn>::call"
        );
        assert_eq!(plain("deep<backtrace::capture::Backtrace>"), "deep");
        assert_eq!(plain("<[u8] as shop::Sum>::sum"), "<[u8] as shop::Sum>::sum");
    }

    #[test]
    fn closures_are_not_counted() {
        assert_eq!(plain("shop::boom::{closure#15}::{closure#0}"), "shop::boom::{{closure}}::{{closure}}");
        assert_eq!(plain("shop::boom::{{closure}}"), "shop::boom::{{closure}}");
        assert_eq!(plain("{async_fn_env#0}"), "{{async_fn_env}}");
        assert_eq!(plain("shop::{impl#2}::load"), "shop::{{impl}}::load");
    }

    #[test]
    fn a_function_is_of_the_crate_of_its_type() {
        for (name, of) in [
            ("shop::carts::load", Some("shop")),
            ("<shop::Cart as core::fmt::Debug>::fmt", Some("shop")),
            ("<F as axum::handler::Handler>::call", Some("axum")),
            ("<&mut dyn shop::Load as tower_service::Service>::call", Some("shop")),
            ("<[T] as shop::Sum>::sum", Some("shop")),
            ("start_thread", None),
            ("{{closure}}", None),
        ] {
            assert_eq!(package(name), of, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_made_plain_and_stays_so_in_its_bounds(name in "[<>:{}#\\[\\]a-f0-9 ñ-]{0,400}") {
            let plain = plain(&name);
            prop_assert!(plain.len() <= LONGEST + 2 * name.len().min(LONGEST));
            package(&plain);
        }
    }
}
