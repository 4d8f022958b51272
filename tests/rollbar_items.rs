//! Rollbar's items beside those of other SDKs, and at the edges of what Rollbar takes.
#![cfg(feature = "rollbar")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use belvedere::rollbar::{
    Attribute, Content, Custom, Data, Exception, Frame, Item, Level, Message, Notifier, Person, Request,
    Server, Telemetry, TelemetryType, Text, Trace, TraceChain,
};
use serde_json::{Value, json};

/// What is written otherwise than it was read, and why.
#[derive(Clone, Debug)]
enum Difference {
    /// A token in a document is never kept.
    Token,
    /// Frames have no local variables and no arguments: they hold secrets.
    Locals,
    /// Another value: where it is, and which.
    Changed(&'static str, Value),
    /// What says nothing, is no such field, or is not what Rollbar would take there.
    Dropped(&'static str),
}

use Difference::{Changed, Dropped, Locals, Token};

/// All files, and what is different.
fn table() -> Vec<(&'static str, Vec<Difference>)> {
    vec![
        ("browser", vec![Changed("/data/timestamp", json!(1_795_200_004))]),
        ("crash-report", vec![]),
        ("failsafe", vec![]),
        ("message", vec![Token]),
        ("message-with-request", vec![]),
        (
            "odd-values",
            vec![
                Dropped("/data/level"),
                Dropped("/data/timestamp"),
                Dropped("/data/context"),
                Dropped("/data/title"),
                Changed(
                    "/data/body",
                    json!({
                        "message": { "body": "" },
                        "telemetry": [{ "type": "log", "level": "info", "source": "server", "body": {} }],
                    }),
                ),
                Dropped("/data/request"),
                Changed("/data/person", json!({ "id": "17", "username": "5" })),
                Changed("/data/server", json!({ "root": "/srv/tea" })),
                Dropped("/data/client"),
                Dropped("/data/custom"),
                Changed("/data/attributes", json!([{ "key": "depth", "value": "3" }])),
                Changed("/data/notifier", json!({ "name": "odd" })),
            ],
        ),
        (
            "too-long",
            vec![
                Changed("/data/code_version", json!("0123456789012345678901234567890123456789")),
                Changed("/data/person/id", json!("ä".repeat(40))),
                Changed("/data/uuid", json!("7d1b0c52-7a3e-4b45-9c57-9f2f6f0a3c17")),
                Changed("/data/custom", json!({ "data_": { "nested": { "data": 1 } }, "date": 2 })),
            ],
        ),
        ("trace-chain", vec![]),
        ("trace-with-locals", vec![Locals]),
    ]
}

// ===== impl Difference =====

impl Difference {
    /// Makes what was read what is to be written.
    fn apply(self, item: &mut Value) {
        match self {
            Token => remove(item, "access_token"),
            Locals => {
                let frames = item.pointer_mut("/data/body/trace/frames").unwrap().as_array_mut().unwrap();
                frames
                    .iter_mut()
                    .for_each(|frame| ["argspec", "locals"].iter().for_each(|name| remove(frame, name)));
            }
            Changed(at, value) => *item.pointer_mut(at).unwrap() = value,
            Dropped(at) => {
                let (part, name) = at.rsplit_once('/').unwrap();
                remove(item.pointer_mut(part).unwrap(), name);
            }
        }
    }
}

#[test]
fn what_the_sdks_write_is_read_and_written_again_but_for_named_differences() {
    for (name, differences) in table() {
        let json = file(name);
        let read: Item =
            serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut expected = json;
        for difference in differences {
            let before = expected.clone();
            difference.clone().apply(&mut expected);
            assert_ne!(expected, before, "{name}: {difference:?} is none");
        }
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, expected, "{name}");
        let read: Item = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "{name}: written twice");
    }
}

#[test]
fn the_table_has_each_file_once() {
    let listed: BTreeSet<_> = table().iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<_> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(listed, there);
}

#[test]
fn no_item_has_a_token_wherever_it_was() {
    for name in ["message", "odd-values"] {
        let item: Item = serde_json::from_value(file(name)).unwrap();
        assert!(!serde_json::to_string(&item).unwrap().contains("0000feedfacecafe"), "{name}");
    }
    let mut data = Data::new("production", Message::new("tea"));
    data.insert("access_token", "chosen");
    let json = serde_json::to_value(Item::from(data)).unwrap();
    assert_eq!((json.get("access_token"), &json["data"]["access_token_"]), (None, &json!("chosen")));
}

#[test]
fn an_item_of_ours_says_who_tells_it_and_in_what_language() {
    let mut data = Data::new("production", Message::new("Hello World!"));
    data.level = Some(Level::Warning);
    data.at(UNIX_EPOCH + Duration::from_millis(1_795_200_000_999));
    let json = serde_json::to_value(Item::from(data)).unwrap();
    let expected = json!({ "data": {
        "environment": "production",
        "body": { "message": { "body": "Hello World!" } },
        "level": "warning",
        "timestamp": 1_795_200_000,
        "language": "rust",
        "notifier": { "name": "belvedere", "version": env!("CARGO_PKG_VERSION") },
    } });
    assert_eq!(json, expected);
}

#[test]
fn an_item_has_every_part_where_rollbar_looks_for_it() {
    let mut trace = Trace::new(Exception::new("TeaError", "no tea"));
    let mut frame = Frame::new("/srv/tea/src/pot.rs");
    (frame.lineno, frame.colno, frame.method) = (Some(9), Some(5), Some("tea::pot::brew".to_owned()));
    trace.frames.push(frame);
    let mut chain = TraceChain::new(trace);
    chain.push(Trace::new(Exception::new("Error", "connection refused")));
    let mut data = Data::new("production", Content::from(chain));
    let crumb = Telemetry::log(Level::Info, UNIX_EPOCH + Duration::from_millis(1_500), "boiling");
    data.body.telemetry.push(crumb);
    let mut request = Request::default();
    request.method = Some("GET".to_owned());
    request.get.insert("size".to_owned(), json!(["l", "xl"]));
    data.request = Some(Box::new(request));
    let mut server = Server::default();
    server.root = Some("/srv/tea/".to_owned());
    data.server = Some(server);
    data.person = Some(Person::new("worf"));
    data.attributes.push(Attribute::new("span_id", "00000000000000aa"));
    data.custom = Custom::from_iter([("order", 7)]);
    let json = serde_json::to_value(Item::from(data)).unwrap();
    let data = &json["data"];
    let expected = json!({
        "trace_chain": [
            {
                "frames": [{ "filename": "/srv/tea/src/pot.rs", "lineno": 9, "colno": 5, "method": "tea::pot::brew" }],
                "exception": { "class": "TeaError", "message": "no tea" },
            },
            { "frames": [], "exception": { "class": "Error", "message": "connection refused" } },
        ],
        "telemetry": [
            { "level": "info", "type": "log", "source": "server", "timestamp_ms": 1_500, "body": { "message": "boiling" } },
        ],
    });
    assert_eq!(data["body"], expected);
    assert_eq!(data["request"], json!({ "method": "GET", "GET": { "size": ["l", "xl"] } }));
    assert_eq!(
        (&data["server"], &data["person"]),
        (&json!({ "root": "/srv/tea" }), &json!({ "id": "worf" }))
    );
    assert_eq!(data["attributes"], json!([{ "key": "span_id", "value": "00000000000000aa" }]));
    assert_eq!(data["custom"], json!({ "order": 7 }));
}

#[test]
fn a_chain_of_one_is_a_trace() {
    let chain = TraceChain::new(Trace::new(Exception::new("TeaError", "no tea")));
    assert!(matches!(Content::from(chain), Content::Trace(_)));
}

#[test]
fn a_body_needs_content_and_a_chain_a_trace() {
    for body in [json!({}), json!({ "telemetry": [] }), json!({ "trace_chain": [] })] {
        let item = json!({ "data": { "environment": "production", "body": body } });
        assert!(serde_json::from_value::<Item>(item).is_err());
    }
}

#[test]
fn what_has_a_limit_is_cut_in_characters() {
    let mut data = Data::new("ü".repeat(300), Trace::new(Exception::new("ü".repeat(300), "ü".repeat(300))));
    data.title = Some("ü".repeat(300).into());
    data.person = Some(Person::new("ü".repeat(300)));
    data.code_version = Some("ü".repeat(300).into());
    data.uuid = Some("ü".repeat(300).into());
    let json = serde_json::to_value(Item::from(data)).unwrap();
    let characters = |at: &str| json.pointer(at).unwrap().as_str().unwrap().chars().count();
    for (at, most) in [
        ("/data/environment", 255),
        ("/data/title", 255),
        ("/data/person/id", 40),
        ("/data/code_version", 40),
        ("/data/uuid", 36),
        ("/data/body/trace/exception/class", 255),
        ("/data/body/trace/exception/message", 300),
    ] {
        assert_eq!(characters(at), most, "{at}");
    }
}

#[test]
fn no_name_is_there_twice() {
    let mut message = Message::new("tea");
    message.insert("body", "another");
    let mut data = Data::new("production", message);
    data.insert("level", "another");
    let mut notifier = Notifier::belvedere();
    notifier.insert("name", "another");
    data.notifier = Some(notifier);
    data.level = Some(Level::Info);
    let text = serde_json::to_string(&Item::from(data)).unwrap();
    for name in [r#""body":"another""#, r#""level":"another""#, r#""name":"another""#] {
        assert!(!text.contains(name), "{text}");
    }
    for name in [r#""body_":"another""#, r#""level_":"another""#, r#""name_":"another""#] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn a_breadcrumb_of_an_unknown_type_keeps_it() {
    let kind = serde_json::from_str::<TelemetryType>(r#""connectivity""#).unwrap();
    assert_eq!(kind, TelemetryType::Other(Text::from("connectivity")));
    assert_eq!(serde_json::to_value(TelemetryType::Network).unwrap(), "network");
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rollbar")
}

fn file(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name).with_added_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn remove(part: &mut Value, name: &str) {
    part.as_object_mut().unwrap().remove(name);
}
