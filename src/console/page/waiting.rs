//! A trace that is not here: a link was quicker than the exporter, or the trace is gone.

use http::StatusCode;
use maud::html;

use crate::console::id::TraceId;
use crate::console::live;
use crate::console::page::shell;
use crate::console::reply::{self, Reply};
use crate::console::state::State;
use crate::console::store::Store;

pub(in crate::console) fn page(state: &State, store: &Store, id: TraceId) -> Reply {
    let events = format!("/events?trace={id}&after={}", live::event_id(state, store.version()));
    let again = html! { noscript { meta http-equiv="refresh" content="2"; } };
    let main = html! {
        main.message.waiting #main data-events=(events) {
            h1 { "Not here yet" }
            p.trace-id { code { (id) } }
            p { "This page opens by itself when the first span, segment, item or log line of this trace arrives. Exporters send in batches: those of this crate within a second, most others every five." }
            ul {
                li { "It may never come if the request was not sampled, or its exporter sends elsewhere." }
                li { "It may have been here: the oldest trace goes when memory is full, and all go when the console stops." }
            }
            p { a href="/" { "All requests" } }
        }
    };
    reply::html(StatusCode::NOT_FOUND, shell::page("Not here yet", again, &id.to_string(), main))
}
