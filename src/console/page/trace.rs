//! One request: its head, its waterfall, and what each span says.

use http::StatusCode;
use maud::{Markup, html};

use crate::console::id::hex;
use crate::console::live;
use crate::console::page::waterfall::waterfall;
use crate::console::page::{clock, mark, row, shell};
use crate::console::reply::{self, Reply};
use crate::console::row::Row;
use crate::console::state::State;
use crate::console::store::Store;
use crate::console::trace::Trace;

pub(in crate::console) fn page(state: &State, store: &Store, trace: &Trace) -> Reply {
    let row = trace.row();
    let events = format!("/events?trace={}&after={}", trace.id(), live::event_id(state, store.version()));
    let main = html! {
        main.one #main data-events=(events) {
            (head(store, trace, row))
            (waterfall(store, trace))
        }
    };
    let title = format!("{} {}", row.method.as_deref().unwrap_or_default(), row.title);
    reply::html(StatusCode::OK, shell::page(title.trim(), html! {}, "", main))
}

fn head(store: &Store, trace: &Trace, row: &Row) -> Markup {
    let failed = trace.spans().iter().filter(|span| span.has_failed()).count();
    html! {
        section.head.(mark::class(row.health)) {
            a.back href="/" { "Requests" }
            h1 {
                (mark::mark(row.health))
                @if let Some(method) = &row.method { span.method { (method) } }
                span.title { (row.title) }
                @if let Some(status) = &row.status { span.code { (status) } }
                span.duration { (clock::duration(row.duration)) }
            }
            p.about {
                (clock::instant(row.start))
                @for service in &row.services { span.service { (row::dot(store, service)) (service) } }
                span { (trace.spans().len()) " span" @if trace.spans().len() != 1 { "s" } }
                @if failed > 0 { span.bad { (failed) " failed" } }
                @if row.rootless { span.quiet { "its first span is elsewhere, or still to come" } }
                a href={ "/r/" (trace.id()) ".json" } { "OTLP JSON" }
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
            (spelling("Trace", &id.to_string()))
            (spelling("X-Ray", &id.xray()))
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
