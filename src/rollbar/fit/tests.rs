use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::{collection, prelude::*};
use serde_json::json;
use tokio::time::Instant;

use super::{
    super::item::{CodeContext, Exception, Level, Message, Person, Request, Telemetry, Trace, TraceChain},
    *,
};

const MOST: usize = 512 * 1024;

#[test]
fn an_item_that_fits_stays_whole() {
    let mut item = error(80);
    let before = item.clone();
    let json = fit(&mut item, MOST);
    assert_eq!(item, before);
    assert_eq!(read(&json), before);
    assert!(!json.contains(&b'\n'));
}

#[test]
fn a_deep_stack_loses_its_middle_first() {
    let mut item = error(100_000);
    item.data.custom.insert("long", "x".repeat(5_000));
    let read = read(&fit(&mut item, MOST));
    assert_eq!(read, item);
    let lines: Vec<_> = frames_of(&read).iter().filter_map(|frame| frame.lineno).collect();
    let expected: Vec<_> = (0..50).chain(99_950..100_000).collect();
    assert_eq!(lines, expected);
    assert_eq!(read.data.custom["long"], "x".repeat(5_000));
    assert_eq!(notes(&read), ["frames: 99900 are left out"]);
}

#[test]
fn then_the_oldest_breadcrumbs_go() {
    let mut item = error(3);
    let crumb = |second| Telemetry::log(Level::Info, at(second), "x".repeat(1_000));
    item.data.body.telemetry = (0..1_000).map(crumb).collect();
    let read = read(&fit(&mut item, MOST));
    let times: Vec<_> =
        read.data.body.telemetry.iter().map(|crumb| crumb.timestamp_ms.unwrap() / 1000).collect();
    assert_eq!(times, (990..1_000).collect::<Vec<_>>());
    assert_eq!(notes(&read), ["telemetry: 990 are left out"]);
}

#[test]
fn then_texts_are_cut_wherever_they_are_as_far_as_need_be() {
    let mut item = error(3);
    let long = "ü".repeat(2_000);
    let mut request = Request::default();
    (request.url, request.body) = (Some(long.clone()), Some(json!({"a": [long, {"b": long}]})));
    request.post.insert("field".to_owned(), json!(long));
    item.data.request = Some(Box::new(request));
    item.data.custom.extend((0..600).map(|n| (format!("k{n}"), long.clone())));
    item.data.custom.insert(long.clone(), 1);
    let read = read(&fit(&mut item, MOST));
    let cut = |most| json!("ü".repeat(most));
    assert_eq!(read.data.custom["k599"], cut(256));
    assert!(read.data.custom.keys().all(|key| key.chars().count() <= 256));
    let request = read.data.request.as_ref().unwrap();
    assert_eq!(request.body, Some(json!({"a": [cut(256), {"b": cut(256)}]})));
    assert_eq!((&request.url, &request.post["field"]), (&Some("ü".repeat(256)), &cut(256)));
    assert_eq!(notes(&read).len(), 3, "{:?}", notes(&read));
    assert_eq!(frames_of(&read), frames_of(&error(3)));
}

#[test]
fn then_the_requests_body_and_headers_go() {
    let mut item = error(3);
    let (url, body) = (Some("https://tea.example.org/".to_owned()), Some(Value::from_iter(0..200_000)));
    let mut request = Request { url, body, ..Request::default() };
    request.headers.insert("Accept".to_owned(), json!("*/*"));
    item.data.request = Some(Box::new(request));
    let read = read(&fit(&mut item, MOST));
    let request = read.data.request.as_ref().unwrap();
    assert_eq!(request.url.as_deref(), Some("https://tea.example.org/"));
    assert!(request.body.is_none() && request.headers.is_empty());
    assert_eq!(frames_of(&read).len(), 3);
    assert_eq!(notes(&read), ["request: 2 headers and parts of the body are left out"]);
}

#[test]
fn then_the_body_is_what_an_item_is_known_by() {
    let mut item = error(3);
    let Content::Trace(outer) = item.data.body.content else { unreachable!() };
    let mut chain = TraceChain::new(outer);
    for _ in 0..100 {
        let mut trace = Trace::new(Exception::new("Cause", "x"));
        trace.frames = (0..100).map(frame).collect();
        trace.frames.iter_mut().for_each(|frame| frame.method = Some("m".repeat(200)));
        chain.push(trace);
    }
    item.data.body.content = chain.into();
    item.data.custom.insert("order", 7);
    let read = read(&fit(&mut item, 128 * 1024));
    let [trace] = read.data.body.content.traces() else { panic!("one") };
    assert_eq!((trace.exception.class.as_str(), frames_of(&read).len()), ("TeaError", 2));
    assert_eq!(read.data.custom["order"], 7);
    assert_eq!(notes(&read), ["body: only its beginning is left"]);
}

#[test]
fn at_last_the_largest_fields_go_and_are_told() {
    let mut item = error(3);
    item.data.custom.insert("numbers", Value::from_iter(0..200_000));
    item.data.person = Some(Person::new("worf"));
    let read = read(&fit(&mut item, MOST));
    assert!(read.data.custom.is_empty() && read.data.person.is_some());
    let last = notes(&read).pop().unwrap();
    assert!(last.starts_with("fields: custom (1288") && last.ends_with("left out"), "{last}");
}

#[test]
fn with_every_field_at_its_limit_what_an_item_is_known_by_stays() {
    let long = "\u{1}".repeat(255);
    let mut trace = Trace::new(Exception::new(long.clone(), long.clone()));
    trace.frames = (0..9).map(frame).collect();
    trace.frames.iter_mut().for_each(|frame| frame.filename = long.clone());
    let mut data = Data::new(long.clone(), trace);
    (data.fingerprint, data.uuid) = (Some(long.clone().into()), Some(UUID.into()));
    (data.title, data.context, data.framework) =
        (Some(long.clone().into()), Some(long.clone().into()), Some(long.clone().into()));
    (data.platform, data.language) = (Some(long.clone().into()), Some(long.clone().into()));
    (0..60).for_each(|n| data.insert(format!("field{n}"), long.clone()));
    let read = read(&fit(&mut data.into(), LEAST)).data;
    assert_eq!((read.fingerprint.as_deref(), &*read.environment), (Some(&*long), &*long));
    assert_eq!((read.uuid.as_deref(), read.body.content.traces().len()), (Some(UUID), 1));
}

#[test]
fn of_a_message_its_beginning_is_kept() {
    let mut message = Message::new("\u{1}".repeat(3_000_000));
    message.insert("list", Vec::from_iter(0..300_000));
    let mut item = Item::from(Data::new("production", message));
    let read = read(&fit(&mut item, MOST));
    let Content::Message(message) = &read.data.body.content else { panic!("a message") };
    assert!(message.body.starts_with("\u{1}\u{1}") && message.extra().is_empty());
}

#[test]
fn what_is_nested_too_deep_is_cut_even_if_it_is_small() {
    let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let mut item = error(1);
    item.data.custom.insert("deep", deep(500));
    item.data.custom.insert("flat", deep(20));
    let mut request = Request::default();
    (request.body, request.url) =
        (Some(json!({"deep": deep(500), "flat": 1})), Some("https://tea.example.org".to_owned()));
    item.data.request = Some(Box::new(request));
    let read = read(&fit(&mut item, MOST));
    assert_eq!(read.data.custom["deep"], TOO_DEEP);
    assert_eq!(read.data.custom["flat"], deep(20));
    let request = read.data.request.as_ref().unwrap();
    assert!(
        request.body.as_ref().unwrap().to_string().contains(TOO_DEEP)
            && request.body.as_ref().unwrap()["flat"] == 1
    );
    assert_eq!(notes(&read), ["levels: 1 values are nested too deep"]);
}

#[test]
fn what_was_cut_once_is_cut_further_and_both_are_told() {
    let mut item = error(200);
    item.data.custom.extend((0..400).map(|n| (format!("k{n}"), "x".repeat(1_000))));
    item.data.custom.insert("more", Vec::from_iter(std::iter::repeat_n("y".repeat(900), 200)));
    assert!(fit(&mut item, MOST).len() <= MOST);
    let first: Vec<_> = notes(&item).into_iter().map(str::to_owned).collect();
    let json = fit(&mut item, 128 * 1024);
    assert!(json.len() <= 128 * 1024);
    let second = notes(&item);
    assert!(second.len() > first.len() && second[..first.len()] == first, "{first:?} {second:?}");
    assert_eq!(read(&json), item);
}

#[test]
fn time_grows_with_the_bytes_and_not_faster() {
    let took = |fields: usize| {
        let mut item = error(fields);
        item.data.custom.extend((0..fields).map(|n| (format!("{n}{}", "k".repeat(200)), n)));
        for n in 0..fields {
            item.data.insert(format!("field{n}"), "some text that is not too short");
        }
        let start = Instant::now();
        assert!(fit(&mut item, MOST).len() <= MOST);
        start.elapsed()
    };
    let (small, large) = (took(4_000), took(64_000));
    assert!(large < small * 16 * 8 + Duration::from_millis(500), "{small:?} {large:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_it_holds_it_fits_and_keeps_what_it_is_known_by(
        values in collection::vec((text(), value()), 0..8),
        (class, message, method, environment) in (text(), text(), text(), text()),
        (frames, crumbs, causes) in (0..300_u32, 0..40_u64, 0..4_usize),
        most in LEAST..200_000_usize,
    ) {
        let mut trace = Trace::new(Exception::new(class, message.clone()));
        trace.frames = (0..frames).map(frame).collect();
        for frame in &mut trace.frames {
            (frame.filename, frame.method) = (method.clone() + &frame.filename, Some(method.clone()));
            frame.code = Some(message.clone());
            frame.context = Some(CodeContext { pre: vec![message.clone(); 4], ..CodeContext::default() });
        }
        trace.insert("more", &values);
        let mut chain = TraceChain::new(trace.clone());
        (0..causes).for_each(|_| chain.push(trace.clone()));
        let mut data = Data::new(environment, Content::from(chain));
        (data.level, data.uuid, data.fingerprint) = (Some(Level::Critical), Some(UUID.into()), Some(method.into()));
        data.title = Some(message.clone().into());
        data.body.telemetry = (0..crumbs).map(|n| Telemetry::log(Level::Info, at(n), message.clone())).collect();
        let mut request = Request::default();
        for (name, value) in values {
            request.headers.insert(name.clone(), value.clone());
            request.body = Some(value.clone());
            data.insert(name.clone(), value.clone());
            data.notifier.as_mut().unwrap().diagnostic.insert(name.clone(), value.clone());
            data.notifier.as_mut().unwrap().insert(name.clone(), value.clone());
            data.custom.insert(name, value);
        }
        data.request = Some(Box::new(request));
        let before = data.clone();

        let mut item = Item::from(data);
        let json = fit(&mut item, most);
        prop_assert!(json.len() <= most, "{} {most}", json.len());
        let data = read(&json).data;
        prop_assert_eq!(&data.uuid, &before.uuid);
        prop_assert_eq!(&data.level, &before.level);
        prop_assert_eq!(&data.environment, &before.environment);
        prop_assert_eq!(&data.fingerprint, &before.fingerprint);
        let (trace, trace_before) = (&data.body.content.traces()[0], &before.body.content.traces()[0]);
        prop_assert_eq!(&trace.exception.class, &trace_before.exception.class);
        let said = trace.exception.message.clone().unwrap();
        prop_assert!(message.starts_with(&said) && said.chars().count() >= message.chars().count().min(128));
        let newest = |trace: &Trace| trace.frames.last().map(|frame| frame.lineno);
        prop_assert_eq!(newest(trace), newest(trace_before));
        prop_assert_eq!(fit(&mut read(&json), most), json);
    }
}

/// From nothing to far too much, of characters that take one byte or six.
fn text() -> impl Strategy<Value = String> {
    ("[a-z\u{1}ü\u{1F600}]{1,6}", prop_oneof![Just(1_usize), 1..600_usize, Just(20_000)])
        .prop_map(|(word, times)| word.repeat(times))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![text().prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
    let tree = leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::vec((text(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    (tree, prop_oneof![Just(0_usize), 0..300_usize])
        .prop_map(|(value, levels)| (0..levels).fold(value, |inner, _| Value::Array(vec![inner])))
}

fn error(frames: usize) -> Item {
    let mut trace = Trace::new(Exception::new("TeaError", "too hot"));
    trace.frames = (0..u32::try_from(frames).unwrap()).map(frame).collect();
    let mut data = Data::new("production", trace);
    (data.level, data.uuid) = (Some(Level::Error), Some(UUID.into()));
    data.into()
}

fn frame(line: u32) -> Frame {
    let mut frame = Frame::new("/srv/tea/src/pot.rs");
    (frame.lineno, frame.method) = (Some(line), Some("tea::pot::brew".to_owned()));
    frame
}

fn frames_of(item: &Item) -> &[Frame] {
    &item.data.body.content.traces()[0].frames
}

fn notes(item: &Item) -> Vec<&str> {
    let notes = item.data.notifier.as_ref().and_then(|notifier| notifier.diagnostic.get(TRUNCATION));
    notes.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(second)
}

fn read(json: &[u8]) -> Item {
    serde_json::from_slice(json).unwrap()
}

const UUID: &str = "6b004e00-0123-4567-89ab-cdef01234567";
