//! Which request gets which answer.

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::console::id::TraceId;
use crate::console::live;
use crate::console::page::{self, Query, asset};
use crate::console::receive;
use crate::console::reply::{self, Body, Reply};
use crate::console::state::State;

/// Which of the console's ports was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Door {
    /// Everything is here.
    Page,
    /// What samplers ask, and nothing else.
    Daemon,
}

pub(super) async fn route(state: Arc<State>, door: Door, request: Request<Incoming>) -> Reply {
    if !state.guard.expects(request.uri(), request.headers()) {
        return reply::text(StatusCode::MISDIRECTED_REQUEST, MISDIRECTED);
    }
    if let Some(call) = receive::Call::of(request.uri().path()) {
        return receive::call(&state, call, request).await;
    }
    if door == Door::Daemon {
        return receive::unknown();
    }
    if receive::takes_items(request.uri().path()) {
        return receive::item(&state, request).await;
    }
    if receive::takes_logs(&request) {
        return receive::log(&state, request).await;
    }
    if let Some(signal) = receive::Signal::of(request.uri().path()) {
        return receive::receive(&state, signal, request).await;
    }
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        return reply::not_allowed("GET, HEAD");
    }
    let mut reply = read(state, &request);
    if head {
        *reply.body_mut() = Body::empty();
    }
    reply
}

fn read(state: Arc<State>, request: &Request<Incoming>) -> Reply {
    let query = Query::of(request.uri().query().unwrap_or_default());
    let path = request.uri().path();
    match path {
        "/" => list(&state, &query),
        "/logs" => page::lines::page(&state, &state.store()),
        "/logs.json" => page::raw::loose(&state.store()),
        "/events" => live::stream(state, query, request.headers()),
        _ if asset::find(path).is_some() => asset::reply(path),
        _ => match path.strip_prefix("/r/") {
            Some(rest) => one(&state, rest, request),
            None => page::missing::page(request.headers()),
        },
    }
}

fn list(state: &State, query: &Query) -> Reply {
    let id = TraceId::from_any_spelling(&query.text);
    match id.map(|id| state.store().trace_of_item(id).unwrap_or(id)) {
        Some(id) => reply::redirect(&format!("/r/{id}")),
        None => page::requests::page(state, query),
    }
}

/// As what a trace is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Page,
    Spans,
    Segments,
    Items,
    Lines,
}

fn one(state: &State, rest: &str, request: &Request<Incoming>) -> Reply {
    let (spelling, form) = Form::of(rest);
    let Some(id) = TraceId::from_any_spelling(spelling) else {
        return page::missing::page(request.headers());
    };
    if spelling != id.to_string() {
        return reply::redirect(&format!("/r/{id}{}", form.ending()));
    }
    let store = state.store();
    match (store.trace(id), form) {
        (Some(trace), Form::Page) => page::trace::page(state, &store, trace),
        (Some(trace), Form::Spans) => page::raw::spans(trace),
        (Some(trace), Form::Segments) => page::raw::segments(trace),
        (Some(trace), Form::Items) => page::raw::items(trace),
        (Some(trace), Form::Lines) => page::raw::lines(trace),
        (None, Form::Page) => page::waiting::page(state, &store, id),
        (None, Form::Spans | Form::Segments | Form::Items | Form::Lines) => page::missing::json(),
    }
}

// ===== impl Form =====

impl Form {
    fn of(path: &str) -> (&str, Self) {
        let forms = [Self::Lines, Self::Items, Self::Segments, Self::Spans];
        let form = forms.into_iter().find_map(|form| Some((path.strip_suffix(form.ending())?, form)));
        form.unwrap_or((path, Self::Page))
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Page => "",
            Self::Spans => ".json",
            Self::Segments => ".xray.json",
            Self::Items => ".rollbar.json",
            Self::Lines => ".cloudwatch.json",
        }
    }
}

const MISDIRECTED: &str = "This is a console of belvedere, and the Host of the request is none of its names. If the \
    name is yours, add it: Console::builder().host(\"that-name\").";
