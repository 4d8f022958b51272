//! A panic that ends the process is reported before it does.
#![cfg(feature = "rollbar")]

#[path = "support/rollbar.rs"]
mod rollbar;

use std::{env, process::Command};

use belvedere::{
    outbox::Outbox,
    rollbar::{Api, ItemLane, RollbarLayer},
};
use rollbar::Rollbar;

/// What the process that panics is told.
const ENDPOINT: &str = "BELVEDERE_TEST_ENDPOINT";

/// A value whose drop panics while the thread unwinds, which aborts.
struct Fatal;

impl Drop for Fatal {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

#[test]
fn a_panic_that_ends_the_process_is_reported_before_it_does() {
    if let Ok(endpoint) = env::var(ENDPOINT) {
        end_by_a_panic(&endpoint);
    }
    let sink = Rollbar::content();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_panic_that_ends_the_process_is_reported_before_it_does", "--nocapture"])
        .env(ENDPOINT, sink.url())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let items = sink.items();
    let said = |item: &serde_json::Value| item["body"]["trace"]["exception"]["message"].clone();
    let said: Vec<_> = items.iter().map(said).collect();
    assert!(said.contains(&"the first panic".into()), "{said:?}");
    assert!(said.len() > 1, "the one that ends it is told, too: {said:?}");
    assert!(items.iter().all(|item| item["level"] == "critical"), "{items:#?}");
}

fn end_by_a_panic(endpoint: &str) {
    let outbox = Outbox::builder().start().unwrap();
    let api = Api::new("token".parse().unwrap()).endpoint(endpoint.parse().unwrap());
    RollbarLayer::on(ItemLane::new(&outbox, api).unwrap()).reporter().install();
    let _fatal = Fatal;
    panic!("the first panic");
}
