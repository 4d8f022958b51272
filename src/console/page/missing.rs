//! What there is no page for.

use http::StatusCode;
use http::header::{ACCEPT, HeaderMap};
use maud::html;

use crate::console::page::shell;
use crate::console::reply::{self, Reply};

pub(in crate::console) fn page(headers: &HeaderMap) -> Reply {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("json") && !accept.contains("html") {
        return json();
    }
    let main = html! {
        main.message #main {
            h1 { "No such page" }
            p { "There is nothing at this address. A trace id goes into the search box, in any spelling." }
            p { a href="/" { "All requests" } }
        }
    };
    reply::html(StatusCode::NOT_FOUND, shell::page("No such page", html! {}, "", main))
}

pub(in crate::console) fn json() -> Reply {
    reply::json(StatusCode::NOT_FOUND, serde_json::json!({ "error": "not found" }).to_string())
}
