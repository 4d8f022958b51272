//! Everything that a segment or a subsegment says.

use std::borrow::Cow;

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::console::id::TraceId;
use crate::console::page::waterfall::Axis;
use crate::console::page::{clock, facts, xray};
use crate::console::part::{Part, Parts};
use crate::console::segment;

pub(super) fn facts(parts: &Parts, axis: Axis, part: &Part) -> Markup {
    let Part { head, fields, .. } = part;
    html! {
        div.facts {
            h2 { (xray::name(head)) }
            p.about {
                span { (xray::kind(part)) }
                span { @if head.end.is_some() { (clock::duration(head.duration())) } @else { "in progress" } }
                span { "at +" (clock::duration(head.start.saturating_sub(axis.start))) }
                (xray::flags(head))
            }
            (cause(parts, part))
            (table("Who and where", Some(&Value::Object(picked(fields, |key| WHO.contains(&key))))))
            @for (key, title) in TABLES { (table(title, fields.get(*key))) }
            @if let Some(Value::Object(metadata)) = fields.get("metadata") {
                @for (namespace, values) in metadata { (table(&format!("Metadata, {namespace}"), Some(values))) }
            }
            (links(fields))
            (ids(parts, part))
            (table("More", Some(&Value::Object(rest(fields)))))
            details.raw {
                summary { "Raw JSON" }
                pre tabindex="0" { (pretty(&Value::Object(fields.clone()))) }
            }
        }
    }
}

/// The exceptions, each followed by what caused it.
fn cause(parts: &Parts, part: &Part) -> Markup {
    html! {
        @for one in part.chain() { (exception(one)) }
        @if let Some(id) = part.passed_on() {
            @match parts.exception(id) {
                Some((from, one)) => {
                    p.status.bad {
                        b { (text(one, "type")) } ": " (text(one, "message")) ", recorded on "
                        a href={ "#x-" (hex(from.head.id)) } { (xray::name(&from.head)) }
                    }
                }
                None => p.status.bad { "The exception " code { (hex(id)) } " has not arrived." }
            }
        }
    }
}

fn exception(one: &Value) -> Markup {
    let caused = one.get("cause").is_some_and(|cause| segment::id(cause).is_some());
    let count = |key: &str| one.get(key).and_then(Value::as_u64).filter(|count| *count > 0);
    let stack = one.get("stack").and_then(Value::as_array).filter(|stack| !stack.is_empty());
    html! {
        section.event.bad {
            h3 { "Exception " b { (text(one, "type")) } @if one.get("remote") == Some(&Value::Bool(true)) { " " span.quiet { "remote" } } }
            p.said { (text(one, "message")) }
            @if let Some(stack) = stack { pre tabindex="0" { (frames(stack)) } }
            @if let Some(count) = count("truncated") { p.quiet { (count) " more frames were left out" } }
            @if let Some(count) = count("skipped") { p.quiet { (count) " exceptions between were left out" } }
            @if caused { p.quiet { "caused by" } }
        }
    }
}

fn frames(stack: &[Value]) -> String {
    let frame = |frame: &Value| {
        let line = frame.get("line").map(Value::to_string).unwrap_or_default();
        format!("{} ({}:{line})\n", text(frame, "label"), text(frame, "path"))
    };
    stack.iter().map(frame).collect()
}

pub(super) fn table(title: &str, values: Option<&Value>) -> Markup {
    let mut rows = Vec::new();
    flatten(String::new(), values.unwrap_or(&Value::Null), &mut rows);
    html! {
        @if !rows.is_empty() {
            h3 { (title) }
            table.attributes { @for (key, value) in rows { (self::row(&key, value)) } }
        }
    }
}

/// A name, a value and its type; what has several lines gets the whole width.
fn row(key: &str, value: &Value) -> Markup {
    let shown = show(value);
    html! {
        @if shown.contains('\n') {
            tr.tall { th scope="row" colspan="2" { (facts::key(key)) } td.type { (kind(value)) } }
            tr { td colspan="3" { pre tabindex="0" { (shown) } } }
        } @else {
            tr { th scope="row" { (facts::key(key)) } td { (shown) } td.type { (kind(value)) } }
        }
    }
}

/// Objects of objects as `request.method`; what is deeper or a list stays JSON.
fn flatten<'a>(key: String, value: &'a Value, into: &mut Vec<(String, &'a Value)>) {
    let depth = key.matches('.').count() + usize::from(!key.is_empty());
    match value {
        Value::Object(fields) if depth < 2 && !fields.is_empty() => {
            for (name, field) in fields {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(key, field, into);
            }
        }
        // Where nothing is said at all.
        Value::Null | Value::Object(_) if key.is_empty() => {}
        _ => into.push((key, value)),
    }
}

fn links(fields: &Map<String, Value>) -> Markup {
    let links = fields.get("links").and_then(Value::as_array).into_iter().flatten();
    html! {
        @for link in links {
            section.link {
                h3 { "Link" }
                p {
                    @if let Some(id) = TraceId::from_any_spelling(&text(link, "trace_id")) { a href={ "/r/" (id) } { code { (id.xray()) } } }
                    " segment " code { (text(link, "id")) }
                }
                (table("Link attributes", link.get("attributes")))
            }
        }
    }
}

fn ids(parts: &Parts, part: &Part) -> Markup {
    let parent = part.head.parent;
    html! {
        h3 { "Ids" }
        table.attributes {
            @if part.head.id > 0 { tr { th scope="row" { "id" } td { code { (hex(part.head.id)) } } } }
            @if let Some(parent) = parent {
                tr {
                    th scope="row" { "parent" }
                    td { code { (hex(parent)) } @if parts.parent(part).is_none() { span.quiet { " has not arrived" } } }
                }
            }
        }
    }
}

/// What has no place of its own.
fn rest(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_shown = |key: &str| {
        SHOWN.contains(&key) || WHO.contains(&key) || TABLES.iter().any(|(shown, _)| *shown == key)
    };
    picked(fields, |key| !is_shown(key))
}

pub(super) fn picked(fields: &Map<String, Value>, picks: impl Fn(&str) -> bool) -> Map<String, Value> {
    let picked = fields.iter().filter(|(key, _)| picks(key));
    picked.map(|(key, value)| (key.clone(), value.clone())).collect()
}

pub(super) fn show(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            value.to_string().into()
        }
        Value::Array(_) | Value::Object(_) => pretty(value).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string().into(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> Cow<'a, str> {
    value.get(key).map_or(Cow::Borrowed(""), show)
}

pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn hex(id: u64) -> String {
    format!("{id:016x}")
}

/// The members that have a table each, and what it is called.
const TABLES: &[(&str, &str)] = &[
    ("http", "HTTP"),
    ("annotations", "Annotations"),
    ("sql", "SQL"),
    ("aws", "AWS"),
    ("service", "Service"),
];
const WHO: &[&str] = &["user", "origin", "resource_arn"];
/// The members that are shown elsewhere.
const SHOWN: &[&str] = &[
    "cause",
    "end_time",
    "error",
    "fault",
    "id",
    "in_progress",
    "links",
    "metadata",
    "name",
    "namespace",
    "parent_id",
    "start_time",
    "throttle",
    "trace_id",
    "type",
];
