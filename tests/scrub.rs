//! The scrubber: strange inputs, long inputs, and canaries.
#![cfg(feature = "rollbar")]
#![allow(clippy::disallowed_types, reason = "what grows too fast is measured by the real clock")]

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use belvedere::scrub::Scrubber;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

/// Pieces that mean something to the scrubber.
const PIECES: [&str; 62] = [
    "password",
    "pw",
    "token",
    "user",
    "x-api-key",
    "authorization",
    "cookie",
    "code",
    "=",
    "=",
    ":",
    "&",
    ",",
    ";",
    " ",
    " ",
    "\"",
    "\"",
    "'",
    "\\",
    "\\\"",
    "\n",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "%",
    "%3D",
    "%26",
    "%22",
    "%77",
    "+",
    "?",
    "#",
    "/",
    "//",
    "://",
    "http",
    "@",
    "-",
    "--",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "Bearer ",
    "Basic ",
    "eyJhbGciOi",
    ".",
    "AKIAIOSFODNN7EXAMPLE",
    "4111111111111111",
    "Some(",
    "None",
    "b\"",
    "a",
    "B7",
    "é",
    "\u{0}",
    "REDACTED",
    "=>",
    "https://me:x@h/",
];

fn pieces() -> impl Strategy<Value = String> {
    vec(select(PIECES.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

fn strange() -> impl Strategy<Value = String> {
    prop_oneof![4 => pieces(), 1 => any::<String>(), 1 => "[ -~]{0,80}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        strange().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let name = prop_oneof![select(PIECES.to_vec()).prop_map(str::to_owned), pieces()];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

type Way = fn(&Scrubber, &str) -> String;

/// The ways to scrub one text.
fn ways() -> [(&'static str, Way); 6] {
    [
        ("text", |scrubber, text| scrubber.text(text).into_owned()),
        ("url", |scrubber, text| scrubber.url(text).into_owned()),
        ("query", |scrubber, text| scrubber.query(text).into_owned()),
        ("form", |scrubber, text| scrubber.form(text).into_owned()),
        ("cookies", |scrubber, text| scrubber.cookies(text)),
        ("set_cookie", |scrubber, text| scrubber.set_cookie(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_scrubbed_again_only_loses_more(text in strange()) {
        let scrubber = Scrubber::default().card_numbers();
        for (name, way) in ways() {
            let once = way(&scrubber, &text);
            let twice = way(&scrubber, &once);
            prop_assert!(twice == once || twice.len() < once.len(), "{:?} by {} of {:?}", twice, name, text);
        }
    }

    #[test]
    fn it_grows_to_four_times_its_length_at_most(text in strange()) {
        let scrubber = Scrubber::default().card_numbers();
        for (name, way) in ways() {
            prop_assert!(way(&scrubber, &text).len() <= 4 * text.len() + 16, "{} of {:?}", name, text);
        }
    }

    #[test]
    fn json_that_is_scrubbed_again_only_loses_more(value in value()) {
        let scrubber = Scrubber::default();
        let (mut once, before) = (value.clone(), value.to_string().len());
        scrubber.json(&mut once);
        prop_assert!(once.to_string().len() <= 4 * before + 16);
        let mut twice = once.clone();
        scrubber.json(&mut twice);
        prop_assert!(twice == once || twice.to_string().len() < once.to_string().len(), "{:?}", twice);
    }

    #[test]
    fn no_value_of_a_secret_name_is_left_whatever_stands_around_it(
        before in strange(),
        after in strange(),
        name in select(vec!["password", "api_key", "user[token]", "Pass%77ord", "authorization"]),
        joint in select(vec!["=", ": ", "=\"", ": '", "\":\"", "\\\":\\\"", " => \"", " = ", "=Bearer ", ": Some(\""]),
    ) {
        // A quote that is open before it would end where its own begins.
        let before = before.replace(['"', '\'', '`', '\\'], " ");
        let text = format!("{before} {name}{joint}c4n4ry\"{after}");
        let shown = Scrubber::default().text(&text).into_owned();
        prop_assert!(!shown.contains("c4n4ry"), "{:?} of {:?}", shown, text);
    }

    #[test]
    fn no_value_of_a_secret_name_is_left_in_a_query(before in strange(), value in "[a-z%&=+]{0,6}", after in strange()) {
        let query = format!("{before}&client_secret=c4n4ry{}&{after}", value.replace('&', ""));
        for shown in [Scrubber::default().query(&query), Scrubber::default().form(&query)] {
            prop_assert!(!shown.contains("c4n4ry"), "{:?} of {:?}", shown, query);
        }
    }

    #[test]
    fn no_password_is_left_in_a_url(path in "[ -~]{0,40}", user in "[a-z]{0,8}") {
        let url = format!("https://{user}:c4n4ry@shop.example/{path}");
        let shown = Scrubber::default().url(&url).into_owned();
        prop_assert!(!shown.contains("c4n4ry"), "{:?} of {:?}", shown, url);
    }
}

#[test]
fn a_long_text_of_anything_is_read_in_time() {
    let scrubber = Scrubber::default().card_numbers();
    let began = Instant::now();
    let more = [
        "password=",
        "token:\"",
        "a=&",
        "%25",
        "eyJ",
        "eyJ-",
        "4 1 ",
        "[{",
        "://a:",
        "Basic+",
        "Basic%20",
        "x,\"",
    ];
    let texts = PIECES.into_iter().chain(more).map(|piece| piece.repeat((64 << 10) / piece.len()));
    for text in texts.chain([PIECES.concat().repeat((1 << 20) / 400)]) {
        assert!(scrubber.text(&text).len() <= 4 * text.len() + 16);
        scrubber.url(&text);
        scrubber.query(&text);
    }
    // What grows with the square of the length would take an hour.
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}

#[test]
fn a_url_in_a_url_in_a_url_is_read_in_time() {
    let scrubber = Scrubber::default();
    let began = Instant::now();
    for joint in ["x://h/?a=", "x://h/?a=1&b=", "x://h/#a=", "x://h/?x%3A%2F%2Fh%3F="] {
        let mut url = String::from("x://h/");
        while url.len() < 16 << 10 {
            url = format!("{joint}{}", encoded(&url));
        }
        assert!(scrubber.text(&url).len() <= 4 * url.len() + 16);
        scrubber.query(&format!("a={url}"));
    }
    // What doubles with each URL would take years.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

/// As it stands in the query of another.
fn encoded(url: &str) -> String {
    let encoded = |byte: u8| match char::from(byte) {
        char if char.is_ascii_alphanumeric() => char.to_string(),
        _ => format!("%{byte:02X}"),
    };
    url.bytes().map(encoded).collect()
}

#[test]
fn json_as_deep_as_it_is_read_is_scrubbed() {
    let mut deep = json!({"token": "c4n4ry"});
    for _ in 0..120 {
        deep = json!({"in": deep});
    }
    let scrubbed = Scrubber::default().text(&deep.to_string()).into_owned();
    assert!(!scrubbed.contains("c4n4ry") && scrubbed.contains("REDACTED"));
    Scrubber::default().json(&mut deep);
    assert!(!deep.to_string().contains("c4n4ry"));
}

#[test]
fn json_in_strings_of_json_is_scrubbed() {
    let mut text = r#"{"pass\u0077ord":"c4n4ry"}"#.to_owned();
    for _ in 0..2 {
        text = json!({ "inner": text }).to_string();
    }
    assert!(!Scrubber::default().text(&text).contains("c4n4ry"));
}

#[test]
fn lists_are_added_to_or_replaced() {
    let added = Scrubber::default().fields(["I-Ban"]).queries(["page"]);
    assert_eq!(
        added.query("iban=1&password=2&page=3&x=4"),
        "iban=REDACTED&password=REDACTED&page=REDACTED&x=4"
    );
    let replaced = Scrubber::default().only_fields(["iban"]).only_queries([""; 0]);
    assert_eq!(replaced.query("iban=1&password=2&code=3"), "iban=REDACTED&password=2&code=3");
    assert!(matches!(replaced.text("password=2"), Cow::Borrowed(_)));
    let of_headers = Scrubber::default().headers(["x-tenant"]).only_fields([""; 0]);
    let value = http::HeaderValue::from_static("7");
    assert_eq!(of_headers.header(&http::HeaderName::from_static("x-tenant"), &value), "REDACTED");
    assert_eq!(of_headers.header(&http::header::AUTHORIZATION, &value), "REDACTED");
}
