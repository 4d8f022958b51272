//! What stands in for CloudWatch Logs where only what arrives counts: it takes everything, and checks nothing.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{io::Read as _, time::Duration};

use bytes::Bytes;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::aws::{self, Endpoint, Received};

/// It lives as long as the runtime of the test.
#[derive(Clone)]
pub(crate) struct Lines(Endpoint);

/// A line, and where it went.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) group: String,
    pub(crate) stream: String,
    pub(crate) message: String,
    /// The id of the key that it was signed with.
    pub(crate) key: String,
}

// ===== impl Lines =====

impl Lines {
    pub(crate) async fn start() -> Self {
        Self(Endpoint::start(|_| aws::answer(200, "{}")).await)
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.0.address
    }

    pub(crate) fn all(&self) -> Vec<Line> {
        self.0.received().iter().filter(|received| is_put(received)).flat_map(lines).collect()
    }

    /// All that are JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.all().iter().filter_map(|line| serde_json::from_str(&line.message).ok()).collect()
    }

    /// Waits until so many have arrived.
    pub(crate) async fn arrived(&self, count: usize) -> Vec<Line> {
        for _ in 0..2_000 {
            if self.all().len() >= count {
                return self.all();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{count} lines should have arrived: {:#?}", self.all());
    }

    /// The heads and bodies of all requests.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let write =
            |one: &Received| [format!("{:?}", one.headers).into_bytes(), plain(one).to_vec()].concat();
        self.0.received().iter().flat_map(write).collect()
    }
}

fn is_put(received: &Received) -> bool {
    received.header("x-amz-target") == "Logs_20140328.PutLogEvents"
}

fn lines(received: &Received) -> Vec<Line> {
    let put: Value = serde_json::from_slice(&plain(received)).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (group, stream) = (text(&put["logGroupName"]), text(&put["logStreamName"]));
    let events = put["logEvents"].as_array().unwrap().iter();
    let line = |event: &Value| Line {
        group: group.clone(),
        stream: stream.clone(),
        message: text(&event["message"]),
        key: received.key().to_owned(),
    };
    events.map(line).collect()
}

fn plain(received: &Received) -> Bytes {
    if !received.headers.contains_key("content-encoding") {
        return received.body.clone();
    }
    assert_eq!(received.header("content-encoding"), "gzip");
    let mut plain = Vec::new();
    GzDecoder::new(&*received.body).read_to_end(&mut plain).unwrap();
    plain.into()
}
