//! The floors of the house: a floor may see those above it in the list, never below and never sideways.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each floor, and what it may see besides itself.
const FLOORS: [(&str, &[&str]); 17] = [
    ("error", &[]),
    // Texts alone.
    ("scrub", &["error"]),
    // One floor: facts and identity see each other. A head remembers what of it a scrubber leaves as it is, for all backends.
    ("exchange", &["error", "scrub", "trace"]),
    ("trace", &["error", "exchange"]),
    ("observe", &["error", "exchange", "trace"]),
    // It makes a service of a client, and knows of no backend.
    ("adapter", &["error", "exchange", "trace"]),
    ("outbox", &["error"]),
    ("transport", &["error", "exchange", "outbox"]),
    // Regions, credentials, signatures: a transport that AWS understands.
    ("aws", &["error", "transport"]),
    ("otel", &["error", "scrub", "exchange", "trace", "observe", "outbox", "transport"]),
    ("xray", &["error", "scrub", "exchange", "trace", "observe", "outbox", "transport", "aws"]),
    ("rollbar", &["error", "scrub", "exchange", "trace", "observe", "outbox", "transport"]),
    ("cloudwatch", &["error", "scrub", "exchange", "trace", "observe", "outbox", "transport", "aws"]),
    (
        "setup",
        &[
            "error",
            "scrub",
            "exchange",
            "trace",
            "observe",
            "outbox",
            "transport",
            "aws",
            "otel",
            "xray",
            "rollbar",
            "cloudwatch",
        ],
    ),
    // It stands in for a backend, so it sees nothing of what sends.
    ("console", &["error", "exchange", "trace"]),
    // Prose.
    ("guide", &[]),
    (
        "lib",
        &[
            "error",
            "scrub",
            "exchange",
            "trace",
            "observe",
            "adapter",
            "outbox",
            "transport",
            "aws",
            "otel",
            "xray",
            "rollbar",
            "cloudwatch",
            "setup",
            "console",
        ],
    ),
];

/// What the crate's root hands on, and the floor that it is from.
const HANDED_ON: [(&str, &str); 6] = [
    ("Error", "error"),
    ("Belvedere", "setup"),
    ("BelvedereClientLayer", "setup"),
    ("BelvedereLayer", "setup"),
    ("Setup", "setup"),
    ("from_env", "setup"),
];

#[test]
fn no_floor_sees_one_below_or_beside_it() {
    let wrong: Vec<_> = sources()
        .iter()
        .flat_map(|(path, text)| {
            wrongs(&modules(path), text).into_iter().map(move |what| (path.clone(), what))
        })
        .map(|(path, what)| format!("src/{}: {what}", path.display()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_sources_are_really_read() {
    let sees = |floor: &str, other: &str| {
        let files = sources().into_iter().map(|(path, text)| (modules(&path), text));
        let seen =
            files.filter(|(modules, _)| modules[0] == floor).flat_map(|(path, text)| seen(&path, &text));
        seen.into_iter().any(|name| name == other)
    };
    for (floor, other) in [("observe", "trace"), ("otel", "observe"), ("setup", "otel"), ("outbox", "error")]
    {
        assert!(sees(floor, other), "{floor} sees {other}");
        assert!(!sees(other, floor), "{other} does not see {floor}");
    }
}

#[test]
fn a_line_that_looks_down_is_found() {
    let wrong = |modules: &[&str], text: &str| !wrongs(&own(modules), text).is_empty();
    for text in [
        "use crate::setup::Setup;",
        "use crate::{\n    exchange::{End, Failure},\n    otel::OtelLayer,\n};",
        "use crate::{exchange::{self, Code}, outbox};",
        "pub use crate::console;",
        "fn start() { crate::setup::start() }",
        "use crate::from_env;",
        "use crate::NewAndUnheardOf;",
        "use super::super::outbox::Lane;",
    ] {
        assert!(wrong(&["observe", "watch"], text), "{text}");
    }
    assert!(wrong(&["observe"], "use super::outbox::Lane;"), "a folder's mod.rs is one step from the root");
    assert!(wrong(&["attic", "dust"], ""), "a folder without a floor");
}

#[test]
fn a_line_that_looks_up_is_let_through() {
    for text in [
        "use crate::{\n    Error,\n    exchange::{End, Failure},\n    trace::Scope,\n};",
        "pub(in crate::observe) fn watch() {}",
        "use super::outbox_of_our_own;",
        "use super::*;",
        "//! See [`setup`](crate::setup).",
        "use opentelemetry::trace::Span; // not crate::setup",
    ] {
        assert_eq!(wrongs(&own(&["observe", "watch"]), text), Vec::<String>::new(), "{text}");
    }
}

/// What a file sees and may not.
fn wrongs(modules: &[String], text: &str) -> Vec<String> {
    let floor = modules[0].as_str();
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == floor) else {
        return vec![format!("`{floor}` has no floor")];
    };
    let seen = seen(modules, text).into_iter();
    let wrong = seen.filter(|name| name != floor && !allowed.contains(&name.as_str()));
    wrong.map(|name| format!("`{floor}` sees `{name}`")).collect()
}

/// The floors that a file names.
fn seen(modules: &[String], text: &str) -> Vec<String> {
    let text = code(text);
    let by_root = paths(&text, "crate::").flat_map(roots).map(|name| {
        HANDED_ON.iter().find(|(handed, _)| *handed == name).map_or(name, |(_, floor)| (*floor).to_owned())
    });
    let is_floor = |name: &String| FLOORS.iter().any(|(floor, _)| floor == name);
    let out = "super::".repeat(modules.len());
    by_root.chain(paths(&text, &out).flat_map(roots).filter(is_floor)).collect()
}

/// What follows each `prefix` that begins a path.
fn paths<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix)
        .filter(|(at, _)| !text[..*at].ends_with(|char: char| char == ':' || is_name(char)))
        .map(|(at, _)| text[at + prefix.len()..].trim_start())
}

/// The first name of a path, or of each path in a group.
fn roots(path: &str) -> Vec<String> {
    let name = |path: &str| path.trim_start().chars().take_while(|char| is_name(*char)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut names) = (0_usize, 0, Vec::new());
    for (at, char) in group.char_indices() {
        if depth == 0 && matches!(char, ',' | '}') {
            names.push(name(&group[start..at]));
            start = at + 1;
        }
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The text without its comments. Blocks are left in: the house has none.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The module that a file is, from the root down.
fn modules(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let mut names: Vec<_> = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

fn own(modules: &[&str]) -> Vec<String> {
    modules.iter().map(|name| (*name).to_owned()).collect()
}

/// All sources, by their paths below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut sources, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    sources
}
