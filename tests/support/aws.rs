//! An endpoint of AWS on a real socket, which answers as it is told.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The endpoint. It lives as long as the runtime of the test.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// One request.
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

type Script = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

// ===== impl Endpoint =====

impl Endpoint {
    pub(crate) async fn start(script: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        tokio::spawn(endpoint.clone().serve(listener, Arc::new(script)));
        endpoint
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn serve(self, listener: TcpListener, script: Script) {
        while let Ok((stream, _)) = listener.accept().await {
            let (endpoint, script) = (self.clone(), script.clone());
            let service = service_fn(move |request| endpoint.clone().take(request, script.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn take(self, request: Request<Incoming>, script: Script) -> Result<Answer, Infallible> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut received = self.received.lock().unwrap();
        let (path, number) = (parts.uri.to_string(), received.len());
        let one = Received { method: parts.method, path, headers: parts.headers, body, number };
        received.push(one.clone());
        Ok(script(&one))
    }
}

// ===== impl Received =====

impl Received {
    /// The text of a header, which must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name} in {:?}", self.headers)).to_str().unwrap()
    }

    /// The key that it was signed with.
    #[track_caller]
    pub(crate) fn key(&self) -> &str {
        let authorization = self.header("authorization");
        let credential = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").unwrap();
        credential.split('/').next().unwrap()
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

/// What a service says about a request that it does not take.
pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    answer(status, format!(r#"{{"__type":"{code}","message":"s3cret words"}}"#))
}
