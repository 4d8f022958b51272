//! CloudWatch Logs on a thread of its own, whose own server is not heard by any subscriber. It takes all that it is sent,
//! unless it is away.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use belvedere::{
    aws::{Client, Region, Service},
    cloudwatch::{Api, LogEvent},
    outbox::Limits,
};
use flate2::read::GzDecoder;
use serde_json::Value;
use tracing::subscriber::NoSubscriber;

use crate::aws::{Endpoint, Received, answer, refusal};

/// The service. It lives as long as the process.
#[derive(Clone)]
pub(crate) struct LogSink {
    endpoint: Endpoint,
    is_away: Arc<AtomicBool>,
}

// ===== impl LogSink =====

impl LogSink {
    pub(crate) fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let is_away = Arc::<AtomicBool>::default();
        let away = is_away.clone();
        thread::spawn(move || {
            let _unheard = tracing::subscriber::set_default(NoSubscriber::new());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let said = move |_: &Received| match away.load(Ordering::Relaxed) {
                    true => refusal(503, "ServiceUnavailableException"),
                    false => answer(200, "{}"),
                };
                tell.send(Endpoint::start(said).await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        Self { endpoint: told.recv().unwrap(), is_away }
    }

    /// Takes nothing, for as long as it is away.
    pub(crate) fn away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    pub(crate) fn api(&self) -> Api {
        api(&self.endpoint.url())
    }

    /// All events, in the order in which they arrived, each with its stream.
    pub(crate) fn events(&self) -> Vec<(String, LogEvent)> {
        self.endpoint.received().iter().flat_map(events).collect()
    }

    /// The messages, as JSON.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.events().iter().map(|(_, event)| serde_json::from_str(&event.message).unwrap()).collect()
    }
}

/// The way to an endpoint, whatever answers there.
pub(crate) fn api(url: &str) -> Api {
    let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse::<Region>().unwrap(), keys);
    let client = client.endpoint(url.parse().unwrap()).timeout(Duration::from_secs(1)).build().unwrap();
    Api::new(client, "/shop/test".parse().unwrap()).limits(Limits::default().records(10_000).in_flight(1))
}

fn events(received: &Received) -> Vec<(String, LogEvent)> {
    if received.header("x-amz-target") != "Logs_20140328.PutLogEvents" {
        return Vec::new();
    }
    let mut body = Vec::new();
    match received.headers.get("content-encoding") {
        Some(_) => drop(GzDecoder::new(&*received.body).read_to_end(&mut body).unwrap()),
        None => body.extend_from_slice(&received.body),
    }
    let mut put: Value = serde_json::from_slice(&body).unwrap();
    let stream = put["logStreamName"].as_str().unwrap().to_owned();
    let events: Vec<LogEvent> = serde_json::from_value(put["logEvents"].take()).unwrap();
    events.into_iter().map(|event| (stream.clone(), event)).collect()
}
