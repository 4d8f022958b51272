//! What stands in for Rollbar on a real socket, and answers as it is told.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    convert::Infallible,
    future::pending,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;

/// It runs on a thread of its own, so that a test may do with time what it likes.
#[derive(Clone)]
pub(crate) struct Rollbar {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    /// With the last of them it ends, and gives back its sockets.
    _open: Option<Arc<oneshot::Sender<Infallible>>>,
}

/// One request, decompressed.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How many came before it.
    pub(crate) number: usize,
}

pub(crate) type Answer = Response<Full<Bytes>>;

/// `None` is no answer.
type Script = Arc<dyn Fn(&Received) -> Option<Answer> + Send + Sync>;

// ===== impl Rollbar =====

impl Rollbar {
    pub(crate) fn start(script: impl Fn(&Received) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (open, closed) = oneshot::channel();
        let serving = Self { address: listener.local_addr().unwrap(), received: Arc::default(), _open: None };
        let rollbar = Self { _open: Some(Arc::new(open)), ..serving.clone() };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serving.serve(listener, Arc::new(script)) => {}
                    Err(_) = closed => {}
                }
            });
        });
        rollbar
    }

    /// It takes everything.
    pub(crate) fn content() -> Self {
        Self::start(|_| Some(accepted()))
    }

    /// The whole URL of items.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api/1/item/", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The `data` of all requests.
    pub(crate) fn items(&self) -> Vec<Value> {
        self.received().iter().map(Received::data).collect()
    }

    /// All bytes of all requests, with their headers.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let write = |one: &Received| {
            let headers =
                one.headers.iter().map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()].concat());
            [one.path.clone().into_bytes(), headers.collect::<Vec<_>>().concat(), one.body.to_vec()].concat()
        };
        self.received().iter().flat_map(write).collect()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Received> {
        for _ in 0..1_000 {
            if self.received().len() >= count {
                return self.received();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} requests should have arrived: {:#?}", self.received());
    }

    async fn serve(self, listener: std::net::TcpListener, script: Script) {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let (rollbar, script) = (self.clone(), script.clone());
            let service = service_fn(move |request| rollbar.clone().take(request, script.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn take(self, request: Request<Incoming>, script: Script) -> Result<Answer, Infallible> {
        let (parts, body) = request.into_parts();
        let sent = body.collect().await.unwrap().to_bytes();
        let mut plain = Vec::new();
        let body = match parts.headers.get("content-encoding").map(|value| value.to_str().unwrap()) {
            Some("gzip") => {
                GzDecoder::new(&*sent).read_to_end(&mut plain).unwrap();
                plain.into()
            }
            Some(other) => panic!("content-encoding {other}"),
            None => sent,
        };
        let one = {
            let mut received = self.received.lock().unwrap();
            let (path, number) = (parts.uri.to_string(), received.len());
            received.push(Received { method: parts.method, path, headers: parts.headers, body, number });
            received[number].clone()
        };
        match script(&one) {
            Some(answer) => Ok(answer),
            None => pending().await,
        }
    }
}

// ===== impl Received =====

impl Received {
    /// The text of a header, which must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name} in {:?}", self.headers)).to_str().unwrap()
    }

    /// The item, without what is around it.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        let mut json: Value = serde_json::from_slice(&self.body).unwrap();
        json["data"].take()
    }

    #[track_caller]
    pub(crate) fn uuid(&self) -> String {
        self.data()["uuid"].as_str().unwrap().to_owned()
    }
}

/// What Rollbar says when it has taken an item.
pub(crate) fn accepted() -> Answer {
    answer(200, r#"{"err":0,"result":{"uuid":"6b004e00-0000-4000-8000-000000000000","id":null}}"#)
}

/// What Rollbar says when it has not.
pub(crate) fn refused(status: u16, message: &str) -> Answer {
    answer(status, serde_json::json!({"err": 1, "message": message}).to_string())
}

/// What Rollbar says when there were too many.
pub(crate) fn limited(seconds: u64) -> Answer {
    let mut answer = refused(429, "too many");
    let headers =
        [("limit", 5_000), ("remaining", 0), ("remaining-seconds", seconds), ("reset", 1_795_200_000)];
    for (name, value) in headers {
        let name: http::HeaderName = format!("x-rate-limit-{name}").parse().unwrap();
        answer.headers_mut().insert(name, value.into());
    }
    answer
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}
