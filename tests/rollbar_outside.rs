//! What happens in no request: reports by hand, and panics. Over real sockets.
//!
//! There is one reporter for all of the process, so it is all one test, and the rest are processes of their own.
#![cfg(feature = "full")]

#[path = "support/rollbar.rs"]
mod rollbar;

use std::{
    panic,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belvedere::{
    outbox::Outbox,
    rollbar::{Api, ItemLane, Level, RollbarLayer, report_error, report_message},
};
use rollbar::Rollbar;

fn layer(outbox: &Outbox, url: &str) -> RollbarLayer {
    let api = Api::new("a-token".parse().unwrap()).endpoint(url.parse().unwrap());
    RollbarLayer::on(ItemLane::new(outbox, api).unwrap()).environment("test")
}

#[tokio::test]
async fn outside_of_requests_the_installed_reporter_reports_and_the_old_hook_is_still_called() {
    let hooked = Arc::new(AtomicUsize::new(0));
    let counted = hooked.clone();
    panic::set_hook(Box::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    report_error("nobody is there to hear it");

    let (rollbar, outbox) = (Rollbar::content(), Outbox::builder().start().unwrap());
    layer(&outbox, &rollbar.url()).reporter().install();
    let uuid = report_error(&std::io::Error::other("the disk is gone")).to_string();
    report_message(Level::Info, "Hello World!");
    std::thread::Builder::new()
        .name("till".to_owned())
        .spawn(|| panic!("the till is on fire"))
        .unwrap()
        .join()
        .unwrap_err();
    tokio::spawn(async { panic!("the mail is on fire") }).await.unwrap_err();
    assert_eq!(outbox.shutdown(Duration::from_secs(10)).await.lost(), 0);

    let items = rollbar.items();
    assert_eq!(items.len(), 4, "{items:#?}");
    assert_eq!(items[0]["uuid"], uuid);
    assert_eq!(items[0]["body"]["trace"]["exception"]["message"], "the disk is gone");
    assert_eq!(
        (&items[1]["level"], &items[1]["body"]["message"]["body"]),
        (&"info".into(), &"Hello World!".into())
    );
    for (item, message) in [(&items[2], "the till is on fire"), (&items[3], "the mail is on fire")] {
        let trace = &item["body"]["trace"];
        assert_eq!((&item["level"], &trace["exception"]["class"]), (&"critical".into(), &"panic".into()));
        assert_eq!(trace["exception"]["message"], message);
        let place = trace["frames"].as_array().unwrap().last().unwrap();
        assert!(place["filename"].as_str().unwrap().ends_with("tests/rollbar_outside.rs"), "{place}");
        assert!(item.get("request").is_none() && item["environment"] == "test");
    }
    assert_eq!(hooked.load(Ordering::Relaxed), 2);
}

#[test]
fn a_panic_that_ends_the_process_is_out_before_it_does() {
    let rollbar = Rollbar::content();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "dies_while_it_unwinds", "--nocapture"])
        .env("ITEMS_GO_TO", rollbar.url())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let messages: Vec<_> = rollbar
        .items()
        .iter()
        .map(|item| item["body"]["trace"]["exception"]["message"].as_str().unwrap().to_owned())
        .collect();
    let expected =
        ["a stack", "the till is on fire", "and so is the shop", "panic in a destructor during cleanup"];
    assert_eq!(messages, expected, "{}", String::from_utf8_lossy(&output.stderr));
}

/// Does nothing unless another test runs it, in a process of its own.
#[tokio::test]
async fn dies_while_it_unwinds() {
    struct Burns;
    impl Drop for Burns {
        fn drop(&mut self) {
            panic!("and so is the shop")
        }
    }
    let Ok(endpoint) = std::env::var("ITEMS_GO_TO") else { return };
    let outbox = Outbox::builder().start().unwrap();
    layer(&outbox, &endpoint).reporter().install();
    // The first stack takes the longest, because all of the debug information has to be read.
    report_error("a stack");
    outbox.flush(Duration::from_secs(60)).await;
    let _burns = Burns;
    panic!("the till is on fire")
}

#[test]
fn a_panic_that_is_caught_while_a_thread_ends_ends_nothing_else() {
    let rollbar = Rollbar::content();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "panics_while_a_thread_ends", "--nocapture"])
        .env("ITEMS_GO_TO", rollbar.url())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages: Vec<_> =
        rollbar.items().iter().map(|item| item["body"]["trace"]["exception"]["message"].clone()).collect();
    assert_eq!(messages, ["the lights are out"]);
}

/// Does nothing unless another test runs it, in a process of its own.
#[tokio::test]
async fn panics_while_a_thread_ends() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            panic::catch_unwind(|| panic!("the lights are out")).unwrap_err();
        }
    }
    thread_local! {
        static LAST: Last = const { Last };
    }
    let Ok(endpoint) = std::env::var("ITEMS_GO_TO") else { return };
    let outbox = Outbox::builder().start().unwrap();
    let layer = layer(&outbox, &endpoint);
    layer.reporter().install();
    let exchange = async move {
        let service = tower::service_fn(|_: http::Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        tower::ServiceExt::oneshot(tower::Layer::layer(&layer, service), http::Request::new(())).await
    };
    let thread = std::thread::spawn(|| {
        LAST.with(|_| ());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(exchange).unwrap();
    });
    thread.join().unwrap();
    assert_eq!(outbox.shutdown(Duration::from_secs(60)).await.lost(), 0);
}
