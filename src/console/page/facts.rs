//! Everything that a span says.

use maud::{Markup, html};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};

use crate::console::attribute;
use crate::console::id::{TraceId, hex};
use crate::console::page::clock;
use crate::console::page::waterfall::Axis;
use crate::console::trace::{Source, Span, Trace};

pub(super) fn facts(trace: &Trace, axis: Axis, span: &Span) -> Markup {
    let Source { service, resource, scope, .. } = &*span.source;
    html! {
        div.facts {
            h2 { (span.data.name) }
            p.about {
                span { (service) } span { (kind(span)) } span { (clock::duration(span.duration())) }
                span { "at +" (clock::duration(span.data.start_time_unix_nano.saturating_sub(axis.start))) }
            }
            (status(span))
            @for event in span.data.events.iter().filter(|event| is_exception(event)) { (self::event(span, event)) }
            (table("Attributes", &span.data.attributes, span.data.dropped_attributes_count))
            @for event in span.data.events.iter().filter(|event| !is_exception(event)) { (self::event(span, event)) }
            @if span.data.dropped_events_count > 0 { p.quiet { (span.data.dropped_events_count) " events were dropped" } }
            (links(&span.data.links))
            (ids(trace, span))
            (table("Resource", &resource.attributes, resource.dropped_attributes_count))
            h3 { "Scope" }
            p.scope { code { (scope.name) } " " (scope.version) }
            @if !scope.attributes.is_empty() { (table("Scope attributes", &scope.attributes, scope.dropped_attributes_count)) }
        }
    }
}

pub(super) fn kind(span: &Span) -> &'static str {
    match SpanKind::try_from(span.data.kind).unwrap_or_default() {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal | SpanKind::Unspecified => "internal",
    }
}

fn status(span: &Span) -> Markup {
    let message = span.data.status.as_ref().map(|status| status.message.as_str()).unwrap_or_default();
    let message = if message.is_empty() { cause(span).unwrap_or_default() } else { message };
    html! {
        @if span.has_failed() {
            p.status.bad { b { "Error" } @if !message.is_empty() { ": " (message) } }
        } @else if span.data.status.as_ref().is_some_and(|status| status.code == 1) {
            p.status { "Set to ok" }
        }
    }
}

/// What the last exception says; the ones before it may have been caught.
fn cause(span: &Span) -> Option<&str> {
    let mut exceptions = span.data.events.iter().rev().filter(|event| is_exception(event));
    exceptions.find_map(|event| attribute::text(&event.attributes, &["exception.message", "exception.type"]))
}

fn is_exception(event: &Event) -> bool {
    event.name == "exception"
}

fn table(title: &str, attributes: &[KeyValue], dropped: u32) -> Markup {
    html! {
        h3 { (title) " " span.quiet { (attributes.len()) } }
        (rows(attributes, dropped))
    }
}

fn rows(attributes: &[KeyValue], dropped: u32) -> Markup {
    html! {
        @if !attributes.is_empty() {
            table.attributes { @for attribute in attributes { (row(attribute)) } }
        }
        @if dropped > 0 { p.quiet { (dropped) " more were dropped" } }
    }
}

/// A name, a value and its type; text of several lines gets the whole width.
fn row(attribute: &KeyValue) -> Markup {
    let value = attribute::value(attribute);
    let (shown, kind) = (attribute::show(value), attribute::kind(value));
    html! {
        @if shown.contains('\n') {
            tr.tall { th scope="row" colspan="2" { (key(&attribute.key)) } td.type { (kind) } }
            tr { td colspan="3" { pre tabindex="0" { (shown) } } }
        } @else {
            tr { th scope="row" { (key(&attribute.key)) } td { (shown) } td.type { (kind) } }
        }
    }
}

/// A key that is too long for its column breaks where its parts meet.
pub(super) fn key(key: &str) -> Markup {
    html! {
        @if key.len() < COLUMN { (key) }
        @else { @for part in key.split_inclusive(['.', '_']) { (part) wbr; } }
    }
}

fn event(span: &Span, event: &Event) -> Markup {
    let after = event.time_unix_nano.saturating_sub(span.data.start_time_unix_nano);
    html! {
        section.event.bad[is_exception(event)] {
            h3 { "Event " b { (event.name) } " " span.quiet { "+" (clock::duration(after)) } }
            (rows(&event.attributes, event.dropped_attributes_count))
        }
    }
}

fn links(links: &[Link]) -> Markup {
    html! {
        @for link in links {
            section.link {
                h3 { "Link" }
                p { @if let Some(id) = TraceId::from_bytes(&link.trace_id) { a href={ "/r/" (id) } { code { (id) } } } " span " code { (hex(&link.span_id)) } }
                @if !link.attributes.is_empty() { (table("Link attributes", &link.attributes, link.dropped_attributes_count)) }
            }
        }
    }
}

fn ids(trace: &Trace, span: &Span) -> Markup {
    let data = &span.data;
    html! {
        h3 { "Ids" }
        table.attributes {
            tr { th scope="row" { "span" } td { code { (hex(&data.span_id)) } } }
            @if !data.parent_span_id.is_empty() {
                tr {
                    th scope="row" { "parent" }
                    td { code { (hex(&data.parent_span_id)) } @if trace.parent(span).is_none() { span.quiet { " has not arrived" } } }
                }
            }
            @if !data.trace_state.is_empty() { tr { th scope="row" { "tracestate" } td { code { (data.trace_state) } } } }
            tr { th scope="row" { "flags" } td { code { (format!("{:02x}", data.flags & 0xff)) } } }
        }
    }
}

const COLUMN: usize = 24;
