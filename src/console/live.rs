//! What changed, as server-sent events.
//!
//! A page has a cursor: the version of the store that it has seen. It is told what changed since, at most four times
//! a second. There is no queue for each page, so one that reads slowly, sleeps or comes back costs nothing, misses
//! the states in between, and never the last.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{sleep, timeout};

use crate::console::page::{Query, requests};
use crate::console::reply::{self, Reply};
use crate::console::state::State;

/// The answer to `GET /events`.
pub(super) fn stream(state: Arc<State>, query: Query, headers: &HeaderMap) -> Reply {
    let Ok(permit) = state.listening.clone().try_acquire_owned() else {
        let mut reply = reply::text(StatusCode::SERVICE_UNAVAILABLE, "32 pages listen already; close some.");
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return reply;
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let cursor = last.or(query.after.as_deref()).map_or(Cursor::Fresh, |id| Cursor::read(&state, id));
    // One message at most waits for the socket.
    let (sender, receiver) = mpsc::channel(1);
    drop(tokio::spawn(Feed { state, query, sender, _permit: permit }.run(cursor)));
    reply::stream("text/event-stream", receiver)
}

/// Names a version of the store in the id of an event.
pub(super) fn event_id(state: &State, version: u64) -> String {
    format!("{}-{version}", state.epoch)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cursor {
    /// Wants only what comes from now on.
    Fresh,
    Seen(u64),
    /// Saw another console, which ran here before.
    Stranger,
}

struct Feed {
    state: Arc<State>,
    query: Query,
    sender: mpsc::Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

/// The page is gone.
struct Gone;

// ===== impl Cursor =====

impl Cursor {
    fn read(state: &State, id: &str) -> Self {
        let seen = id.split_once('-').filter(|(epoch, _)| *epoch == state.epoch.to_string());
        seen.and_then(|(_, version)| version.parse().ok()).map_or(Self::Stranger, Self::Seen)
    }
}

// ===== impl Feed =====

impl Feed {
    /// Tells until the page is gone, which is noticed at once and not with the next heartbeat.
    async fn run(self, cursor: Cursor) {
        let page = self.sender.clone();
        let told = tokio::spawn(async move { self.tell(cursor).await });
        page.closed().await;
        told.abort();
    }

    async fn tell(&self, cursor: Cursor) -> Result<Infallible, Gone> {
        let mut changed = self.state.changed.subscribe();
        let version = self.state.store().version();
        let mut seen = if let Cursor::Seen(version) = cursor { version } else { version };
        self.send(RETRY.to_owned()).await?;
        if cursor == Cursor::Stranger {
            self.send(RESET.to_owned()).await?;
        }
        loop {
            let (version, message) = self.news(seen);
            seen = version;
            if let Some(message) = message {
                self.send(message).await?;
                sleep(PACE).await;
            }
            while timeout(HEARTBEAT, changed.changed()).await.is_err() {
                self.send(":\n\n".to_owned()).await?;
            }
        }
    }

    async fn send(&self, message: String) -> Result<(), Gone> {
        self.sender.send(message.into()).await.map_err(|_| Gone)
    }

    /// What is new to one who has seen a version.
    fn news(&self, seen: u64) -> (u64, Option<String>) {
        let store = self.state.store();
        let version = store.version();
        let (event, data) = match self.query.trace {
            None if self.query.lines => {
                let changed = store.loose().version() > seen;
                ("trace", changed.then(|| json!({ "lines": true })))
            }
            Some(id) => {
                let changed = store.trace(id).is_some_and(|trace| trace.version() > seen);
                ("trace", changed.then(|| json!({ "trace": id.to_string() })))
            }
            None => ("rows", requests::news(&store, &self.query, seen)),
        };
        let id = event_id(&self.state, version);
        (version, data.map(|data| format!("event: {event}\nid: {id}\ndata: {data}\n\n")))
    }
}

const RETRY: &str = "retry: 1000\n\n";
const RESET: &str = "event: reset\ndata: {}\n\n";
const PACE: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);
