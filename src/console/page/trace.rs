//! One request: its head, its waterfall, its segments, its log lines, and what each of them says.

use http::StatusCode;
use maud::{Markup, html};

use crate::console::id::hex;
use crate::console::live;
use crate::console::page::waterfall::{Axis, waterfall};
use crate::console::page::{clock, cloudwatch, mark, rollbar, row, shell, xray};
use crate::console::part::Parts;
use crate::console::reply::{self, Reply};
use crate::console::row::Row;
use crate::console::state::State;
use crate::console::store::Store;
use crate::console::trace::Trace;

pub(in crate::console) fn page(state: &State, store: &Store, trace: &Trace) -> Reply {
    let row = trace.row();
    let events = format!("/events?trace={}&after={}", trace.id(), live::event_id(state, store.version()));
    let parts = Parts::of(trace.segments().documents());
    let (spans, segments) = axes(trace, &parts);
    let main = html! {
        main.one #main data-events=(events) {
            (head(store, trace, row))
            div.panes {
                div.stack {
                    @if !trace.items().is_empty() { (rollbar::pane(trace)) }
                    @if !trace.spans().is_empty() { (waterfall(store, trace, spans)) }
                    @if !parts.is_empty() { (xray::pane(state, store, trace, &parts, segments)) }
                    @else if store.has_segments() && !trace.spans().is_empty() { (xray::nothing()) }
                    @if !trace.lines().is_empty() { (cloudwatch::pane(trace, start(trace, spans, segments))) }
                }
                aside #panel.panel aria-label="Details" aria-live="polite" hidden {}
            }
        }
    };
    let title = format!("{} {}", row.method.as_deref().unwrap_or_default(), row.title);
    reply::html(StatusCode::OK, shell::page(title.trim(), html! {}, "", main))
}

/// The axis of the spans and that of the segments, which is the same one unless their clocks differ.
fn axes(trace: &Trace, parts: &Parts) -> (Axis, Axis) {
    let spans = Axis::of_spans(trace);
    let Some(segments) = parts.range().map(Axis::of) else { return (spans, spans) };
    spans.joined(segments).map_or((spans, segments), |both| (both, both))
}

/// When its spans began, or else its segments.
fn start(trace: &Trace, spans: Axis, segments: Axis) -> Option<u64> {
    if !trace.spans().is_empty() {
        return Some(spans.start);
    }
    (!trace.segments().is_empty()).then_some(segments.start)
}

fn head(store: &Store, trace: &Trace, row: &Row) -> Markup {
    let failed = trace.spans().iter().filter(|span| span.has_failed()).count();
    let first = if trace.spans().is_empty() { "segment" } else { "span" };
    html! {
        section.head.(mark::class(row.health)) {
            a.back href="/" { "Requests" }
            h1 {
                (mark::mark(row.health))
                @if let Some(method) = &row.method { span.method { (method) } }
                span.title { (row.title) }
                @if let Some(status) = &row.status { span.code { (status) } }
                @if trace.is_timed() { span.duration { (clock::duration(row.duration)) } }
            }
            p.about {
                (clock::instant(row.start))
                @for service in &row.services { span.service { (row::dot(store, service)) (service) } }
                @if !trace.spans().is_empty() { span { (trace.spans().len()) " span" @if trace.spans().len() != 1 { "s" } } }
                @if row.segments > 0 { span { (row.segments) " segment" @if row.segments != 1 { "s" } } }
                @if row.items > 0 { span { (row.items) " item" @if row.items != 1 { "s" } } }
                @if row.lines > 0 { span { (cloudwatch::count(row.lines)) } }
                @if failed > 0 { span.bad { (failed) " failed" } }
                @if row.rootless { span.quiet { "its first " (first) " is elsewhere, or still to come" } }
                @if !trace.spans().is_empty() { a href={ "/r/" (trace.id()) ".json" } { "OTLP JSON" } }
                @if !trace.segments().is_empty() { a href={ "/r/" (trace.id()) ".xray.json" } { "X-Ray JSON" } }
                @if !trace.items().is_empty() { a href={ "/r/" (trace.id()) ".rollbar.json" } { "Rollbar JSON" } }
                @if !trace.lines().is_empty() { a href={ "/r/" (trace.id()) ".cloudwatch.json" } { "CloudWatch JSON" } }
            }
            (ids(trace))
        }
    }
}

/// The id in each of its spellings.
fn ids(trace: &Trace) -> Markup {
    let id = trace.id();
    let traceparent = trace
        .root()
        .map(|root| format!("00-{id}-{}-{:02x}", hex(&root.data.span_id), root.data.flags & 0xff));
    html! {
        dl.ids {
            @if trace.items().has(id) { (spelling("Rollbar uuid", &id.uuid())) }
            @else {
                (spelling("Trace", &id.to_string()))
                (spelling("X-Ray", &id.xray()))
            }
            @if let Some(traceparent) = traceparent { (spelling("traceparent", &traceparent)) }
        }
    }
}

fn spelling(name: &str, value: &str) -> Markup {
    html! {
        div {
            dt { (name) }
            dd {
                code { (value) }
                button.copy type="button" data-copy=(value) aria-label={ "Copy " (name) } title="Copy" {
                    svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" {
                        rect.hollow x="5.5" y="5.5" width="8" height="8" rx="1.5" {}
                        path.hollow d="M3.5 10.5h-1v-8h8v1" {}
                    }
                }
            }
        }
    }
}
