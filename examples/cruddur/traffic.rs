use std::{sync::Arc, time::Duration};

use axum::http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::user::{self, USERS};

/// Requests that nobody makes, so that there is something to look at. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Traffic {
    task: Option<JoinHandle<()>>,
}

/// A caller from outside: without layers, so that each request begins a trace.
type Caller = Client<HttpConnector, Full<Bytes>>;

/// What is asked for.
enum Visit {
    Get(String),
    Post(&'static str, &'static str),
}

// ===== impl Traffic =====

impl Traffic {
    /// So many requests in a second; none for 0.
    pub(crate) fn start(url: &str, rate: u32) -> Self {
        let base = url.trim_end_matches('/').to_owned();
        Self { task: (rate > 0).then(|| tokio::spawn(visit_often(base, rate))) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Where the server does not keep up, fewer requests are made, not more of them at once.
async fn visit_often(base: String, rate: u32) {
    let caller: Caller = Client::builder(TokioExecutor::new()).build_http();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut ticks = interval(Duration::from_secs(1) / rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let visit = visit(caller.clone(), request(&base, Visit::choose()));
        tokio::spawn(async {
            visit.await;
            drop(place);
        });
    }
}

async fn visit(caller: Caller, request: Request<Full<Bytes>>) {
    if let Ok(response) = caller.request(request).await {
        drop(response.into_body().collect().await);
    }
}

fn request(base: &str, visit: Visit) -> Request<Full<Bytes>> {
    let user = USERS[fastrand::usize(..USERS.len())].handle;
    let builder = Request::builder().header(user::HEADER, user);
    let request = match visit {
        Visit::Get(path) => builder.uri(format!("{base}{path}")).body(Full::default()),
        Visit::Post(path, body) => builder
            .method("POST")
            .uri(format!("{base}{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body)),
    };
    request.expect("the paths and handles are our own")
}

// ===== impl Visit =====

impl Visit {
    /// Of a hundred: three fail, five are slow, and one of those is very slow.
    fn choose() -> Self {
        let get = |path: &str| Self::Get(path.to_owned());
        match fastrand::u8(..100) {
            0..3 => get("/rollbar/error"),
            3..7 => Self::Get(format!("/api/slow?ms={}", fastrand::u16(150..600))),
            7 => Self::Get(format!("/api/slow?ms={}", fastrand::u16(1000..2500))),
            8..11 => Self::Post("/api/activities", r#"{"message":"","ttl":"1-day"}"#),
            11..14 => Self::Post("/api/messages", r#"{"message":"Hello!","user_receiver_handle":"worf"}"#),
            14..16 => get("/api/activities/nobody-wrote-this"),
            16..17 => get("/api/activities/stream"),
            17..30 => get("/api/activities/notifications"),
            30..40 => Self::Get(format!("/api/activities/@{}", USERS[fastrand::usize(..USERS.len())].handle)),
            40..50 => get("/api/activities/search?term=cloud"),
            50..58 => get("/api/message_groups"),
            58..64 => get("/api/messages/@worf"),
            _ => get("/api/activities/home"),
        }
    }
}

const AT_ONCE: usize = 64;
