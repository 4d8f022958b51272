//! Sentry, which is the nearest there is to Rollbar in Rust: the vendor's own crate was never published.

use std::time::Duration;

use sentry::{
    ClientInitGuard, ClientOptions, Hub,
    integrations::tower::{NewSentryLayer, SentryHttpLayer},
};
use tower::{ServiceBuilder, service_fn};

use super::{BURST, Variant};
use crate::{
    exchange::{Body, handle},
    records::Records,
    running::Running,
    sinks::Sinks,
};

pub const VARIANT: Variant = Variant {
    name: "sentry-tower",
    title: "{sentry-tower} with transactions",
    records: Records::TRANSACTION,
    notes: "the transaction ends with the head: no end, failure or drop of the body, no trailers. Each is a request of its own to \
            the server. The queue is widened from 30 to a burst, or most would be lost.",
    start: |sinks| {
        let guard = client(sinks, 1.0);
        let service = ServiceBuilder::new()
            .layer(hub())
            .layer(SentryHttpLayer::new().enable_transaction())
            .service(service_fn(handle));
        Running::new(service).flush(flush).end(move || drop(guard))
    },
};

/// Sentry's client, with so many of the transactions.
pub fn client(sinks: &Sinks, transactions: f32) -> ClientInitGuard {
    let options = ClientOptions::new()
        .dsn(&format!("http://key@{}/1", sinks.http))
        .release("shop@1.0.0")
        .traces_sample_rate(transactions)
        .transport_channel_capacity(2 * BURST);
    sentry::init(options)
}

pub fn hub() -> NewSentryLayer<http::Request<Body>> {
    NewSentryLayer::new_from_top()
}

/// Sends what there is.
pub fn flush() {
    let client = Hub::main().client().expect("a client");
    assert!(client.flush(Some(Duration::from_secs(900))), "not flushed");
}
