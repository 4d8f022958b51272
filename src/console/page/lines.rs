//! The log lines that belong to no trace, the latest on top.

use http::StatusCode;
use maud::html;

use crate::console::live;
use crate::console::page::{cloudwatch, shell};
use crate::console::reply::{self, Reply};
use crate::console::state::State;
use crate::console::store::Store;

pub(in crate::console) fn page(state: &State, store: &Store) -> Reply {
    let events = format!("/events?lines=1&after={}", live::event_id(state, store.version()));
    let loose = store.loose();
    let main = html! {
        main.one #main data-events=(events) {
            section.head {
                a.back href="/" { "Requests" }
                h1 { span.title { "Log lines without a trace" } }
                p.about {
                    span { (cloudwatch::count(loose.len())) }
                    @if loose.len() > SHOWN { span { "the latest " (SHOWN) " are here" } }
                    @if !loose.is_empty() { a href="/logs.json" { "CloudWatch JSON" } }
                }
            }
            div.panes {
                div.stack {
                    section.waterfall.cloudwatch aria-label="Logs" {
                        div.axis { span { "Log line" } span.when { "Written" } }
                        ol #logs.lines {
                            @for (number, line) in loose.newest().take(SHOWN) { (cloudwatch::line(number, line, None)) }
                        }
                        @if loose.is_empty() {
                            p.none { "None has come, or each was of a trace: those are with their request." }
                        }
                    }
                }
                aside #panel.panel aria-label="Details" aria-live="polite" hidden {}
            }
        }
    };
    reply::html(StatusCode::OK, shell::page("Log lines without a trace", html! {}, "", main))
}

const SHOWN: usize = 200;
