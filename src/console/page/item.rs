//! Everything that an item of Rollbar says.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::console::item::{Item, chain};
use crate::console::page::part::{picked, pretty, show, table, text};
use crate::console::page::{clock, rollbar};
use crate::console::trace::Trace;

pub(super) fn facts(trace: &Trace, item: &Item) -> Markup {
    let (head, data) = (&item.head, item.data());
    let body = data.get("body").unwrap_or(&Value::Null);
    let project = data.get("server").and_then(|server| server.get("root")).and_then(Value::as_str);
    html! {
        div.facts {
            h2 { (head.title()) }
            p.about {
                (rollbar::grade(head.level)) (clock::instant(head.at))
                @for key in ["environment", "context", "framework"] {
                    @if data.contains_key(key) { span { (field(&data, key)) } }
                }
            }
            @if let Some(title) = data.get("title") { p.status { b { "Title " } (show(title)) } }
            @for (place, one) in chain(&data).iter().enumerate() { (exception(one, place > 0, project.unwrap_or_default())) }
            @if let Some(message) = body.get("message") { (self::message(message)) }
            @if let Some(report) = body.get("crash_report") { pre tabindex="0" { (text(report, "raw")) } }
            @for (key, title) in TABLES { (table(title, data.get(*key))) }
            (telemetry(body))
            (table("Item", Some(&Value::Object(picked(&data, |key| !is_shown(key))))))
            details.raw {
                summary { "Raw JSON" }
                @if item.text().len() <= RAW { pre tabindex="0" { (pretty(&Value::Object(data.clone()))) } }
                @else { p.quiet { "It is long: see " a href={ "/r/" (trace.id()) ".rollbar.json" } { "the items" } "." } }
            }
        }
    }
}

/// What failed, or what caused that.
fn exception(one: &Value, caused: bool, root: &str) -> Markup {
    let exception = one.get("exception").unwrap_or(&Value::Null);
    let frames = one.get("frames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        section.event.bad {
            h3 { @if caused { "caused by " } b { (text(exception, "class")) } }
            p.said { (text(exception, "message")) }
            @if exception.get("description").is_some() { p.quiet { (text(exception, "description")) } }
            @if !frames.is_empty() {
                ol.frames aria-label="Stack, the last call on top" {
                    @for one in frames.iter().rev().take(FRAMES) { (frame(one, root)) }
                }
            }
            @if frames.len() > FRAMES { p.quiet { (frames.len() - FRAMES) " more frames are in the raw JSON" } }
            (table("Extra", one.get("extra")))
        }
    }
}

fn frame(frame: &Value, root: &str) -> Markup {
    let file = text(frame, "filename");
    let own = is_within(&file, root);
    let shown = if own { file[root.len()..].trim_start_matches(['/', '\\']) } else { &*file };
    let code = frame.get("code").and_then(Value::as_str);
    html! {
        li.own[own] {
            code.place title=(file) {
                (shown) @if let Some(line) = frame.get("lineno").and_then(Value::as_u64) { ":" (line) }
            }
            @if own { " " span.tag { "in project" } }
            @if frame.get("method").is_some() { " " span.function { (text(frame, "method")) } }
            @if let Some(code) = code { pre tabindex="0" { (lines(frame, "pre")) b { (code) "\n" } (lines(frame, "post")) } }
        }
    }
}

fn is_within(file: &str, root: &str) -> bool {
    let root = root.trim_end_matches(['/', '\\']);
    !root.is_empty() && file.strip_prefix(root).is_some_and(|rest| rest.starts_with(['/', '\\']))
}

/// The lines before or after a frame's own.
fn lines(frame: &Value, which: &str) -> String {
    let lines = frame.get("context").and_then(|context| context.get(which)).and_then(Value::as_array);
    lines.into_iter().flatten().map(|line| format!("{}\n", show(line))).collect()
}

fn message(message: &Value) -> Markup {
    let more = message.as_object().map(|fields| picked(fields, |key| key != "body")).unwrap_or_default();
    html! {
        p.status { (text(message, "body")) }
        (table("With the message", Some(&Value::Object(more))))
    }
}

/// What had happened before.
fn telemetry(body: &Value) -> Markup {
    let crumbs = body.get("telemetry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        @if !crumbs.is_empty() {
            h3 { "Before it " span.quiet { (crumbs.len()) } }
            ol.crumbs { @for crumb in crumbs { (self::crumb(crumb)) } }
        }
    }
}

fn crumb(crumb: &Value) -> Markup {
    let millis = crumb.get("timestamp_ms").and_then(Value::as_u64);
    let body = crumb.get("body").unwrap_or(&Value::Null);
    let message = body.get("message").and_then(Value::as_str);
    html! {
        li {
            @if let Some(millis) = millis { (clock::instant(millis.saturating_mul(1_000_000))) " " }
            b { (text(crumb, "level")) } " " span.quiet { (text(crumb, "type")) } " "
            @match message {
                Some(message) => (message),
                None => code { (body.to_string()) },
            }
        }
    }
}

fn field(data: &Map<String, Value>, key: &str) -> String {
    data.get(key).map(|value| show(value).into_owned()).unwrap_or_default()
}

fn is_shown(key: &str) -> bool {
    SHOWN.contains(&key) || TABLES.iter().any(|(shown, _)| *shown == key)
}

/// The members that have a table each, and what it is called.
const TABLES: &[(&str, &str)] = &[
    ("request", "Request"),
    ("person", "Person"),
    ("custom", "Custom"),
    ("server", "Server"),
    ("client", "Client"),
];
/// The members that are shown elsewhere.
const SHOWN: &[&str] = &["body", "context", "environment", "framework", "level", "timestamp", "title"];
const FRAMES: usize = 100;
const RAW: usize = 64 << 10;
