//! What comes from outside, in any shape: the properties that `fuzz/` asks for with more patience.
#![cfg(all(feature = "rollbar", feature = "xray"))]

#[path = "support/inputs.rs"]
mod inputs;

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #[test]
    fn an_amzn_header_says_what_a_simple_reader_finds_in_it(bytes in made_of(AMZN, 24)) {
        inputs::amzn(&bytes);
    }

    #[test]
    fn trace_context_is_sent_on_as_it_was_read(bytes in made_of(W3C, 24)) {
        inputs::w3c(&bytes);
    }

    #[test]
    fn an_address_is_written_as_it_is_read(bytes in made_of(ADDRESS, 9)) {
        inputs::address(&bytes);
    }

    #[test]
    fn a_rules_file_is_taken_or_refused(bytes in changed("fuzz/seeds/rules", RULES)) {
        inputs::rules(&bytes);
    }

    #[test]
    fn a_document_is_read_written_and_split(bytes in changed("tests/golden/xray", DOCUMENT)) {
        inputs::document(&bytes);
    }

    #[test]
    fn a_text_is_scrubbed_in_every_way(bytes in made_of(SCRUB, 24)) {
        inputs::scrub(&bytes);
    }

    #[test]
    fn an_item_is_read_and_written(bytes in changed("tests/golden/rollbar", ITEM)) {
        inputs::item(&bytes);
    }
}

/// Bytes that are put together of these pieces and of others.
fn made_of(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
        1 => "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

/// A file of the folder in which one of these pieces, or nothing, stands in some places of what was there.
fn changed(folder: &str, pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files =
        fs::read_dir(folder).into_iter().flatten().map(|file| fs::read(file.unwrap().path()).unwrap());
    let mut files: Vec<_> = files.collect();
    files.push(pieces.concat().into_bytes());
    files.sort();
    let change = (any::<prop::sample::Index>(), 0..12_usize, select(pieces));
    (select(files), vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (at, length, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        bytes
    })
}

const AMZN: &[&str] = &[
    "Root",
    "root",
    "ROOT",
    "Parent",
    "pArEnT",
    "Sampled",
    "sampled",
    "Self",
    "Lineage",
    "CalledFrom",
    "=",
    "=",
    "=",
    ";",
    ";",
    ";",
    " ",
    "\t",
    "\n",
    "1-5759e988-bd862e3fe1be46a994272793",
    "1-5759E988-BD862E3FE1BE46A994272793",
    "1-00000000-000000000000000000000000",
    "53995c3f42cd8ad8",
    "0000000000000000",
    "0",
    "1",
    "?",
    "25:a87bd80c:0|68fd508a:5",
    "Root=1-5759e988-bd862e3fe1be46a994272793",
    "Parent=53995c3f42cd8ad8",
    "Sampled=1",
];

const W3C: &[&str] = &[
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
    "00",
    "cc",
    "ff",
    "-",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00f067aa0ba902b7",
    "01",
    "02",
    "\n",
    ",",
    "=",
    "foo=1",
    "bar@baz=2",
    "a-b*c/d=3",
    " ",
    "\t",
];

const ADDRESS: &[&str] = &[
    "tcp:",
    "udp:",
    "TCP:",
    "127.0.0.1",
    "[::1]",
    "::1",
    "xray-daemon",
    "localhost",
    ":",
    "2000",
    "65536",
    "0",
    " ",
    "\n",
    "[",
    "]",
    "/",
    "@",
    "://",
    "ü",
];

const RULES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "2",
    "-1",
    "0.5",
    "1e400",
    "null",
    "\"*\"",
    "\"host\":",
    "\"service_name\":",
    "\"rules\":",
    "\"default\":",
    "\"version\":2,",
    "\\u0000",
];

const DOCUMENT: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "-1",
    "1e308",
    "null",
    "true",
    "{}",
    "[]",
    "\"subsegments\":[",
    "\"id\":",
    "\"cause\":",
    "\"annotations\":{",
    "\"metadata\":{",
    "\"type\":\"subsegment\",",
    "\\u0000",
    "\\ud800",
    "ü",
];

const SCRUB: &[&str] = &[
    "password",
    "token=",
    "Authorization: ",
    "Bearer ",
    "Basic ",
    "https://me:x@h/",
    "%3A%2F%2F",
    "%2540",
    "-----BEGIN PRIVATE KEY-----",
    "{\"pass\\u0077ord\": ",
    "Some(",
    "\"",
    "\\",
    "=",
    ":",
    "&",
    ";",
    "\n",
    "4111111111111111",
];

const ITEM: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "1",
    "-1",
    "1e308",
    "null",
    "true",
    "{}",
    "[]",
    "\"body\":{",
    "\"trace_chain\":[",
    "\"frames\":",
    "\"level\":",
    "\"access_token\":",
    "\"custom\":{",
    "\\u0000",
    "\\ud800",
    "ü",
];
