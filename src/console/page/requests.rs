//! The list of requests, newest on top.

use http::StatusCode;
use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::console::live;
use crate::console::page::row::row;
use crate::console::page::skyline::{self, skyline};
use crate::console::page::{Query, asset, clock, cloudwatch, shell};
use crate::console::reply::{self, Reply};
use crate::console::state::State;
use crate::console::store::{Door, Store};
use crate::console::trace::Trace;

pub(in crate::console) fn page(state: &State, query: &Query) -> Reply {
    let store = state.store();
    let after = Some(live::event_id(state, store.version()));
    let events = Query { after, before: None, ..query.clone() }.address("/events");
    let live = query.before.is_none().then_some(events);
    let view: Vec<&Trace> = matching(&store, query).collect();
    let traces = &view[..view.len().min(PAGE)];
    let main = html! {
        main.requests #main data-events=[live] {
            @if store.is_empty() { (empty(state, &store.door)) }
            div.filled hidden[store.is_empty()] {
                (controls(&store, query, &view))
                div.view { div #view { (skyline(&view)) } (skyline::levels()) }
                (table(&store, traces))
                @if let (Some(last), PAGE) = (traces.last(), traces.len()) {
                    a.older href=(Query { before: Some(last.order()), ..query.clone() }.address("/")) { "Older requests" }
                }
            }
        }
    };
    reply::html(StatusCode::OK, shell::page("Requests", html! {}, &query.text, main))
}

/// What a list that has seen a version of the store is to show now.
pub(in crate::console) fn news(store: &Store, query: &Query, seen: u64) -> Option<Value> {
    let changed = store.changed_since(seen).filter(|trace| query.matches(trace)).take(NEWS);
    let mut changed: Vec<&Trace> = changed.collect();
    if changed.is_empty() && store.loose().version() <= seen {
        return None;
    }
    changed.sort_by_key(|trace| trace.order());
    let told = |trace: &&Trace| json!({ "id": trace.id().to_string(), "order": trace.order(), "html": row(store, trace).into_string() });
    let rows: Vec<Value> = changed.iter().map(told).collect();
    let view: Vec<&Trace> = matching(store, query).collect();
    Some(
        json!({ "rows": rows, "view": skyline(&view).into_string(), "summary": summary(store, &view).into_string() }),
    )
}

fn matching<'a>(store: &'a Store, query: &'a Query) -> impl Iterator<Item = &'a Trace> {
    store.newest(query.before).filter(|trace| query.matches(trace)).take(VIEW)
}

fn table(store: &Store, traces: &[&Trace]) -> Markup {
    html! {
        table.list {
            thead {
                tr {
                    th.when scope="col" { "Time" }
                    th.state scope="col" { "Status" }
                    th.what scope="col" { "Request" }
                    th.took scope="col" colspan="2" { "Duration" }
                    th.who scope="col" { "Services" }
                    th.got scope="col" { "X-Ray" }
                    th.got scope="col" { "Rollbar" }
                    th.got scope="col" { "Logs" }
                    th.count scope="col" { "Spans" }
                }
            }
            tbody #rows { @for trace in traces { (row(store, trace)) } }
        }
        @if traces.is_empty() {
            p.none #none { @if store.has_traces() { "Nothing of what arrived matches." } @else { "No request has arrived." } }
        }
    }
}

fn controls(store: &Store, query: &Query, traces: &[&Trace]) -> Markup {
    let list = |errors| Query { errors, before: None, after: None, ..query.clone() }.address("/");
    let current = |errors| (query.errors == errors).then_some("page");
    html! {
        div.controls {
            nav.tabs aria-label="Filter" {
                a #all href=(list(false)) aria-current=[current(false)] { "All" }
                a #errors href=(list(true)) aria-current=[current(true)] { "Errors" }
            }
            @if !query.text.is_empty() {
                a.chip href=(Query { text: String::new(), before: None, ..query.clone() }.address("/")) title="Search no more" {
                    "“" (query.text) "”" span aria-hidden="true" { " ×" }
                }
            }
            @if query.before.is_some() { a.chip href=(list(query.errors)) { "older ones" span aria-hidden="true" { " ×" } } }
            span #summary { (summary(store, traces)) }
            button #pause.live type="button" aria-pressed="false" title="Pause (p)" hidden {
                span.beat aria-hidden="true" {} span.word { "live" }
            }
        }
        button #fresh.fresh type="button" hidden {}
    }
}

/// Figures of the latest requests.
fn summary(store: &Store, traces: &[&Trace]) -> Markup {
    // What only Rollbar knows of took no time that is known.
    let timed = traces.iter().filter(|trace| trace.is_timed());
    let mut durations: Vec<u64> = timed.map(|trace| trace.row().duration).collect();
    durations.sort_unstable();
    let quantile =
        |tenths: usize| durations.get(durations.len() * tenths / 10).map(|nanos| clock::duration(*nanos));
    let errors = traces.iter().filter(|trace| trace.row().is_error()).count();
    html! {
        b { (traces.len()) } @if traces.len() == VIEW { " latest" } @else { " requests" }
        span.sep { b { (errors) } " with errors" }
        @if let (Some(median), Some(slow)) = (quantile(5), quantile(9)) {
            span.sep { "p50 " b { (median) } }
            span.sep { "p90 " b { (slow) } }
        }
        @if !store.loose().is_empty() {
            a.sep href="/logs" { (cloudwatch::count(store.loose().len())) " without a trace" }
        }
    }
}

fn empty(state: &State, door: &Door) -> Markup {
    html! {
        section #empty.empty {
            (PreEscaped(asset::MARK))
            h1 { "Nothing to see yet" }
            p { "The console listens, and " (reason(door)) }
            p { "Point an exporter here, then make a request:" }
            pre { code { "OTEL_EXPORTER_OTLP_ENDPOINT=" (state.endpoint) "\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" } }
            p.quiet {
                "Spans are sent in batches, so the first may take a few seconds. " code { "http/json" } " is read as well, "
                code { "grpc" } " is not."
            }
            @if let Some(daemon) = &state.daemon {
                p { "For X-Ray it is a daemon, with sampling rules:" }
                pre { code { "AWS_XRAY_DAEMON_ADDRESS=" (daemon) } }
            }
            p { "For Rollbar it takes items, with any token:" }
            pre { code { "ROLLBAR_ENDPOINT=" (state.endpoint) "/api/1/item/\nROLLBAR_ACCESS_TOKEN=any" } }
            p { "For CloudWatch Logs it takes log events, with any region and keys:" }
            pre { code { "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=" (state.endpoint) "\nCLOUDWATCH_LOG_GROUP=any" } }
        }
    }
}

/// Why there is nothing.
fn reason(door: &Door) -> Markup {
    html! {
        @if let (1.., Some(reason)) = (door.refused, &door.reason) {
            "has refused what came: " b.why { (reason) } "."
        } @else if door.empty > 0 {
            "what came had no spans in it that could be kept."
        } @else if door.ignored > 0 {
            "has got logs or metrics, which it does not keep, but no spans."
        } @else if door.garbage > 0 {
            "what came for X-Ray was no document that it takes, " b { (door.garbage) } " times."
        } @else {
            "no exporter has sent anything."
        }
    }
}

/// How many have a row, and how many a house.
const PAGE: usize = 60;
const VIEW: usize = 100;
/// How many rows the script keeps; more at once would be thrown away.
const NEWS: usize = 500;
