//! What asks a console for its pages.
#![allow(dead_code, reason = "each test uses what it needs")]

use std::time::Duration;

use belvedere::console::Console;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A page that listens.
pub(crate) struct Events {
    body: Incoming,
    text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a text")
    }
}

impl Events {
    pub(crate) async fn listen(console: &Console, path: &str, headers: &[(&str, &str)]) -> Self {
        let response =
            request(&console.address().to_string(), Method::GET, path, headers, Bytes::new()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Self { body: response.into_body(), text: String::new() };
        while !events.text.contains("retry:") {
            events.read().await;
        }
        events
    }

    /// The next event of a name, in full.
    pub(crate) async fn next(&mut self, name: &str) -> String {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.contains(&format!("event: {name}\n")) {
                    return event;
                }
            } else {
                self.read().await;
            }
        }
    }

    async fn read(&mut self) {
        let frame =
            tokio::time::timeout(Duration::from_secs(5), self.body.frame()).await.expect("an event in time");
        let data = frame.expect("more events").expect("a connection").into_data().expect("data");
        self.text.push_str(std::str::from_utf8(&data).expect("a text"));
    }
}

pub(crate) fn start() -> Console {
    Console::builder().address(any()).no_xray().start().expect("a console")
}

pub(crate) fn any() -> std::net::SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

pub(crate) async fn get(console: &Console, path: &str) -> Answer {
    send(console, Method::GET, path, &[], "").await
}

pub(crate) async fn get_head(console: &Console, path: &str) -> StatusCode {
    request(&console.address().to_string(), Method::GET, path, &[], Bytes::new()).await.status()
}

pub(crate) async fn send(
    console: &Console,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    send_to(&console.address().to_string(), method, path, headers, body).await
}

pub(crate) async fn send_to(
    address: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let (head, body) = request(address, method, path, headers, body.into()).await.into_parts();
    let body = body.collect().await.expect("a body").to_bytes().to_vec();
    Answer { status: head.status, headers: head.headers, body }
}

async fn request(
    address: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> http::Response<Incoming> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.request(request.body(Full::new(body)).expect("a request")).await.expect("an answer")
}
