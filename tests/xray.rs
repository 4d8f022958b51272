//! X-Ray's documents beside those of AWS's own SDKs, and at the edges of what X-Ray takes.
#![cfg(feature = "xray")]

#[cfg(feature = "full")]
#[path = "xray/bursts.rs"]
mod bursts;
#[cfg(feature = "full")]
#[path = "support/daemon.rs"]
mod daemon;
#[cfg(feature = "full")]
#[path = "support/inputs.rs"]
mod inputs;
#[cfg(feature = "full")]
#[path = "xray/requests.rs"]
mod requests;
#[cfg(feature = "full")]
#[path = "support/rulebook.rs"]
mod rulebook;
#[cfg(feature = "full")]
#[path = "xray/sampling.rs"]
mod sampling;
#[cfg(feature = "full")]
mod support;
#[cfg(feature = "full")]
#[path = "xray/untraced.rs"]
mod untraced;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use belvedere::{
    trace::{SpanId, TraceId},
    xray::{
        Annotations, Cause, Document, Exception, Http, Independent, Link, Losses, Namespace, Request,
        Segment, Sql, StackFrame, Status, Subsegment,
    },
};
use serde_json::{Value, json};

/// What is written otherwise than it was read, and why.
#[derive(Clone, Copy, Debug)]
enum Difference {
    /// `"in_progress": false` says nothing beside an `end_time`.
    Over,
    /// Seven decimals are six: the guide recommends microseconds.
    Rounded,
    /// What is embedded needs no `trace_id`, `parent_id` and `type`: it has them by where it is.
    Embedded,
    /// `"remote": false`, `"truncated": 0` and `"skipped": 0` are what a reader takes for granted.
    Defaults,
    /// The guide's name of a field that one SDK calls otherwise: where it is, its name, the guide's.
    Named(&'static str, &'static str, &'static str),
    /// `traced` is written where AWS's schema has it and not where its guide does.
    Traced,
    /// Another value: where it is, and which. Because a URL loses its secrets, because X-Ray refuses it.
    Changed(&'static str, Option<&'static str>),
    /// A trace id that is none is refused, since X-Ray would refuse the document.
    Refused,
}

use Difference::{Changed, Defaults, Embedded, Named, Over, Refused, Rounded, Traced};

/// All files, and what is different.
const TABLE: [(&str, &[Difference]); 56] = [
    ("01-ok", &[Over, Rounded]),
    ("02-incoming-sampled", &[Over, Rounded]),
    ("04-incoming-ask", &[Over, Rounded]),
    ("05-incoming-extra-fields", &[Over, Rounded, Embedded]),
    ("06-incoming-spaces", &[Over, Rounded]),
    ("07-incoming-garbage", &[Over, Rounded]),
    ("08-incoming-bad-root", &[Refused]),
    ("09-x-forwarded-for", &[Over, Rounded]),
    ("10-query-stripped", &[Over, Rounded]),
    ("11-404", &[Over, Rounded]),
    ("12-429", &[Over, Rounded]),
    ("13-503", &[Over, Rounded]),
    ("14-exception", &[Over, Rounded, Defaults]),
    ("15-exception-chained", &[Over, Rounded, Defaults]),
    ("16-capture", &[Over, Rounded, Embedded]),
    ("17-manual", &[Over, Rounded, Embedded]),
    ("18-sub-error-caught", &[Over, Rounded, Embedded, Defaults]),
    ("19-sub-error-bubbles", &[Over, Rounded, Embedded, Defaults]),
    ("20-downstream-200", &[Over, Rounded, Embedded]),
    ("21-downstream-404", &[Over, Rounded, Embedded]),
    ("22-downstream-429", &[Over, Rounded, Embedded]),
    ("23-downstream-500", &[Over, Rounded, Embedded]),
    ("24-downstream-refused", &[Over, Rounded, Embedded, Defaults]),
    ("25-aws", &[Over, Rounded, Embedded]),
    ("26-aws-error", &[Over, Rounded, Embedded]),
    ("27-sql", &[Over, Rounded, Embedded]),
    ("28-many-45.0", &[Over, Rounded]),
    ("28-many-45.1", &[Over, Rounded]),
    ("28-many-45.2", &[Over, Rounded, Embedded]),
    ("29-many-nested-45.0", &[Over, Rounded]),
    ("29-many-nested-45.1", &[Over, Rounded, Embedded]),
    ("30-stream", &[Over, Rounded]),
    ("31-stream-breaks", &[Over, Rounded]),
    ("32-stream-aborted", &[Over, Rounded]),
    ("33-post", &[Over, Rounded]),
    ("34-head", &[Over, Rounded]),
    ("35-redirect", &[Over, Rounded]),
    ("38-template", &[Over, Rounded, Embedded]),
    ("39-lowercase-keys", &[Over, Rounded]),
    ("51-local-rule-default", &[Over, Rounded]),
    ("60-dynamic-match", &[Over, Rounded]),
    ("61-dynamic-fallback", &[Over, Rounded]),
    ("66-env-daemon-double-form", &[Over, Rounded]),
    ("70-central-first", &[Over, Rounded]),
    ("71-central-rule", &[Over, Rounded]),
    ("72-central-borrow", &[Over, Rounded]),
    ("73-central-quota", &[Over, Rounded]),
    ("django-query-in-url", &[Changed("/http/request/url", Some("https://tea.example.org/cups"))]),
    ("guide-everything", &[]),
    ("guide-in-progress", &[]),
    ("guide-traced-in-request", &[Traced]),
    ("java-cause-chain", &[Defaults]),
    ("node-rule-name", &[Named("/aws/xray", "rule_name", "sampling_rule_name")]),
    (
        "odd-values",
        &[
            // Nothing is not written.
            Changed("/annotations", None),
            Changed("/metadata", None),
            Changed("/links", None),
            Changed("/subsegments/0/subsegments", None),
            // No body has fewer bytes than none, and X-Ray knows two namespaces.
            Changed("/http/response/content_length", None),
            Changed("/subsegments/0/namespace", None),
        ],
    ),
    ("python-instance-type", &[Named("/aws/ec2", "instance_type", "instance_size")]),
    (
        "unknown-fields",
        &[
            // Fields that the guide does not have.
            Changed("/inferred", None),
            Changed("/http/request/color", None),
            Changed("/aws/bucket", None),
            // An annotation is a text, a number or a flag, and its key has no dot.
            Changed("/annotations/bad", None),
            Named("/annotations", "a.b", "a_b"),
            // The namespace is reserved.
            Named("/metadata", "AWS.own", "AWS_own"),
        ],
    ),
];

/// Requests of which AWS's SDK for Python sends no document.
const SILENT: [&str; 7] = [
    "03-incoming-not-sampled",
    "03b-not-sampled-downstream",
    "03c-not-sampled-noop-id-false",
    // Larger than a datagram: below, in parts.
    "37-big-70k",
    "50-local-rule-drop",
    "65-sdk-disabled",
    // Larger than a file that one likes to read: below.
    "36-big-60k",
];

// ===== impl Difference =====

impl Difference {
    /// Makes what was read what is to be written.
    fn apply(self, document: &mut Value) {
        match self {
            Over => each(document, &mut |entity| remove_if(entity, "in_progress", &json!(false))),
            Rounded => each(document, &mut |entity| {
                ["start_time", "end_time"].iter().for_each(|name| round(entity, name))
            }),
            Embedded => inner(document, &mut |entity| {
                ["trace_id", "parent_id", "type"].into_iter().for_each(|name| remove(entity, name))
            }),
            Defaults => each(document, &mut defaults),
            Named(at, name, other) => {
                let part = document.pointer_mut(at).unwrap().as_object_mut().unwrap();
                let value = part.remove(name).unwrap();
                part.insert(other.to_owned(), value);
            }
            Traced => inner(document, &mut |entity| {
                let request = entity.pointer_mut("/http/request").unwrap().as_object_mut().unwrap();
                let traced = request.remove("traced").unwrap();
                entity["traced"] = traced;
            }),
            Changed(at, Some(value)) => *document.pointer_mut(at).unwrap() = json!(value),
            Changed(at, None) => {
                let (part, name) = at.rsplit_once('/').unwrap();
                remove(document.pointer_mut(part).unwrap(), name);
            }
            Refused => {}
        }
    }
}

#[test]
fn what_the_sdks_write_is_read_and_written_again_but_for_named_differences() {
    for (name, differences) in TABLE {
        let json = file(name);
        let read = serde_json::from_value::<Document>(json.clone());
        if matches!(differences, [Refused]) {
            assert!(read.is_err(), "{name}");
            continue;
        }
        let read = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut expected = json;
        for difference in differences {
            let before = expected.clone();
            difference.apply(&mut expected);
            assert_ne!(expected, before, "{name}: {difference:?} is none");
        }
        assert_eq!(serde_json::to_value(&read).unwrap(), expected, "{name}");
        if name != "unknown-fields" {
            let split = read.split(MOST);
            assert_eq!(split.losses, Losses::default(), "{name}");
            assert_eq!(serde_json::from_slice::<Value>(&split.documents[0]).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn the_table_has_each_file_once() {
    let listed: BTreeSet<_> = TABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeSet<_> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(listed, there);
    assert!(SILENT.iter().all(|name| !there.contains(*name)));
}

#[test]
fn a_document_of_sixty_thousand_bytes_stays_whole() {
    let mut segment = segment();
    segment.entity.metadata.insert("default", "blob", "x".repeat(60_000));
    let split = Document::from(segment).split(MOST);
    assert_eq!((split.documents.len(), split.losses), (1, Losses::default()));
}

#[test]
fn one_fact_of_seventy_thousand_bytes_is_cut_and_the_segment_arrives() {
    let mut segment = segment();
    segment.entity.metadata.insert("default", "blob", "x".repeat(70_000));
    segment.entity.annotations.insert("route", "/big");
    let split = Document::from(segment).split(MOST);
    let read = only(&split.documents);
    assert!(split.documents[0].len() > 60_000);
    assert_eq!(read["annotations"], json!({ "route": "/big" }));
    assert_eq!(read["metadata"]["belvedere"], json!({ "shortened": split.losses.shortened }));
}

#[test]
fn an_annotation_of_two_hundred_thousand_characters_is_cut_to_a_thousand() {
    let mut segment = segment();
    segment.entity.annotations.insert("long", "ü".repeat(200_000));
    let split = Document::from(segment).split(MOST);
    let read = only(&split.documents);
    assert_eq!(read["annotations"]["long"], json!("ü".repeat(1_000)));
    assert_eq!(split.losses.shortened, 1);
}

#[test]
fn the_fifty_first_annotation_becomes_metadata() {
    let mut segment = segment();
    segment.entity.annotations.extend((0..60).map(|n| (format!("n{n:02}"), n)));
    let split = Document::from(segment).split(MOST);
    let read = only(&split.documents);
    assert_eq!(read["annotations"].as_object().unwrap().len(), Annotations::INDEXED);
    assert_eq!(read["metadata"][Annotations::NAMESPACE]["n59"], 59);
    assert_eq!(split.losses.moved, 10);
}

#[test]
fn the_twenty_first_link_is_dropped_and_counted() {
    let mut segment = segment();
    segment.links.extend((0..25).map(|_| Link::new(TraceId::generate(), SpanId::generate())));
    let split = Document::from(segment).split(MOST);
    assert_eq!(only(&split.documents)["links"].as_array().unwrap().len(), 20);
    assert_eq!(split.losses.dropped, 5);
}

#[test]
fn a_document_is_compact_and_has_its_id_where_the_daemon_looks_for_it() {
    let json = String::from_utf8(Document::from(segment()).split(MOST).documents.remove(0)).unwrap();
    assert!(json.contains(r#""id":"00000000000000aa""#), "{json}");
    assert!(!json.contains([' ', '\n']), "{json}");
}

#[test]
fn a_segment_that_is_not_over_is_in_progress() {
    let segment = Segment::new(trace_id(), id(), "tea-house", UNIX_EPOCH + Duration::from_secs(7));
    let json = serde_json::to_value(&segment).unwrap();
    assert_eq!((&json["in_progress"], json.get("end_time")), (&json!(true), None));
}

#[test]
fn times_are_seconds_with_microseconds() {
    let start = SystemTime::UNIX_EPOCH + Duration::new(1_795_200_000, 123_456_789);
    let mut segment = Segment::new(trace_id(), id(), "tea-house", start);
    segment.entity.end(Duration::from_nanos(1_000_000_711));
    let json = serde_json::to_string(&segment).unwrap();
    assert!(json.contains(r#""start_time":1795200000.123457,"end_time":1795200001.123458"#), "{json}");
}

#[test]
fn a_subsegment_by_itself_has_its_type_its_trace_and_its_parent() {
    let parent_id = SpanId::new(0xbb).unwrap();
    let mut subsegment = Subsegment::new(id(), "late", UNIX_EPOCH);
    subsegment.entity.end(Duration::from_millis(5));
    subsegment.namespace = Some(Namespace::Remote);
    let document = Document::from(Independent { trace_id: trace_id(), parent_id, subsegment });
    let json = only(&document.split(MOST).documents);
    assert_eq!(json["type"], "subsegment");
    assert_eq!(json["trace_id"], "1-6b004e00-0123456789abcdef01234567");
    assert_eq!(json["parent_id"], "00000000000000bb");
    assert_eq!(json, serde_json::to_value(&document).unwrap());
    assert_eq!(serde_json::from_value::<Document>(json).unwrap(), document);
}

#[test]
fn a_subsegment_by_itself_without_a_parent_is_refused() {
    let mut json = file("28-many-45.0");
    remove(&mut json, "parent_id");
    assert!(serde_json::from_value::<Document>(json).is_err());
}

#[test]
fn no_document_shows_a_query_or_a_password() {
    let mut subsegment = Subsegment::new(id(), "db", UNIX_EPOCH);
    let mut sql = Sql::default();
    sql.url = Some("postgres://me:SECRET@db.example.org/tea?password=SECRET".into());
    sql.connection_string = Some("host=db user=me password=SECRET".into());
    subsegment.sql = Some(Box::new(sql));
    let mut segment = segment();
    let mut http = Http::default();
    http.request =
        Some(Request::new(&http::Method::GET, "https://me:SECRET@tea.example.org/a?token=SECRET#SECRET"));
    segment.entity.http = Some(http);
    segment.subsegments.push(subsegment);
    let json = serde_json::to_string(&segment).unwrap();
    assert!(!json.contains("SECRET") && json.contains("https://tea.example.org/a"), "{json}");
}

#[test]
fn an_inner_exception_is_told_once_and_the_outer_parts_refer_to_it() {
    let error = std::io::Error::other("the pot is gone");
    let mut inner = Subsegment::new(SpanId::generate(), "steep", UNIX_EPOCH);
    inner.entity.fault(Cause::error(&error));
    let id = inner.entity.cause.as_ref().and_then(Cause::id).unwrap();
    let mut segment = segment();
    segment.entity.fault(Cause::Id(id));
    segment.subsegments.push(inner);
    let json = serde_json::to_value(&segment).unwrap();
    assert_eq!(json["cause"], json["subsegments"][0]["cause"]["exceptions"][0]["id"]);
    assert_eq!((&json["fault"], &json["subsegments"][0]["fault"]), (&json!(true), &json!(true)));
}

#[test]
fn a_stack_that_is_too_deep_says_how_much_is_missing() {
    let mut exception = Exception::new("TeaError", "too hot");
    exception.stack = (0..5_000).map(|line| StackFrame::new("brew", "src/pot.rs", line)).collect();
    let mut segment = segment();
    segment.entity.fault(exception.into());
    let json = only(&Document::from(segment).split(MOST).documents);
    let exception = &json["cause"]["exceptions"][0];
    assert_eq!((exception["stack"].as_array().unwrap().len(), &exception["truncated"]), (8, &json!(4_992)));
    assert_eq!(exception["stack"][0]["line"], 0);
}

#[test]
fn flags_are_written_only_if_they_are_up() {
    let mut segment = segment();
    segment.entity.status = Status::http(http::StatusCode::TOO_MANY_REQUESTS);
    let json = serde_json::to_value(&segment).unwrap();
    assert_eq!((&json["error"], &json["throttle"], json.get("fault")), (&json!(true), &json!(true), None));
}

fn segment() -> Segment {
    let mut segment =
        Segment::new(trace_id(), id(), "tea-house", UNIX_EPOCH + Duration::from_secs(1_795_200_000));
    segment.entity.end(Duration::from_millis(12));
    segment
}

fn trace_id() -> TraceId {
    TraceId::new(0x6b00_4e00_0123_4567_89ab_cdef_0123_4567).unwrap()
}

fn id() -> SpanId {
    SpanId::new(0xaa).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/xray")
}

fn file(name: &str) -> Value {
    let text = fs::read_to_string(folder().join(name).with_added_extension("json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn only(documents: &[Vec<u8>]) -> Value {
    let [document] = documents else { panic!("{} documents", documents.len()) };
    serde_json::from_slice(document).unwrap()
}

/// Visits a segment or subsegment and all in it.
fn each(entity: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    visit(entity);
    inner(entity, visit);
}

/// Visits all that is in a segment or subsegment.
fn inner(entity: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let list = entity.get_mut("subsegments").and_then(Value::as_array_mut);
    list.into_iter().flatten().for_each(|entity| each(entity, visit));
}

fn defaults(entity: &mut Value) {
    let list = entity.pointer_mut("/cause/exceptions").and_then(Value::as_array_mut);
    for exception in list.into_iter().flatten() {
        remove_if(exception, "remote", &json!(false));
        remove_if(exception, "truncated", &json!(0));
        remove_if(exception, "skipped", &json!(0));
    }
}

fn round(entity: &mut Value, name: &str) {
    if let Some(time) = entity.get(name).and_then(Value::as_f64) {
        entity[name] = format!("{time:.6}").parse::<f64>().unwrap().into();
    }
}

fn remove_if(part: &mut Value, name: &str, value: &Value) {
    if part.get(name) == Some(value) {
        remove(part, name);
    }
}

fn remove(part: &mut Value, name: &str) {
    part.as_object_mut().unwrap().remove(name);
}

/// A datagram to the daemon has this for a document.
const MOST: usize = 65_477;
