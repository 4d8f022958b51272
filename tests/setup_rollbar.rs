//! Rollbar as `from_env` starts it, alone and in one pass with the others: over real sockets. What each variable does is in
//! `variables.rs`. `cargo test --features rollbar --test setup_rollbar` is without any other backend.
#![cfg(feature = "rollbar")]

#[cfg(feature = "full")]
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/log.rs"]
mod log;
#[path = "support/rollbar.rs"]
mod rollbar;
#[cfg(feature = "full")]
mod support;

use std::{collections::HashMap, convert::Infallible, io, time::Duration};

use belvedere::{
    Belvedere, Setup,
    outbox::Report,
    rollbar::{Level, report_message},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use log::Log;
use rollbar::Rollbar;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// These variables, and no spans.
fn setup(variables: Pairs<'_>) -> Setup {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: HashMap<_, _> =
        [("OTEL_SDK_DISABLED", "true")].iter().chain(variables).map(owned).collect();
    Setup::lookup(move |name| variables.get(name).cloned()).global(false)
}

/// Started with a token, towards this double.
fn towards(rollbar: &Rollbar, variables: Pairs<'_>) -> Belvedere {
    let url = rollbar.url();
    setup(&[&[("ROLLBAR_ACCESS_TOKEN", TOKEN), ("ROLLBAR_ENDPOINT", &*url)], variables].concat())
        .start()
        .unwrap()
}

/// Serves a request that fails after it has called somebody, and gives what was heard there.
async fn fail(belvedere: &Belvedere, request: Request<()>) -> HeaderMap {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let client = belvedere.client_layer().layer(service_fn(move |call: Request<()>| {
        tell.send(call.headers().clone()).unwrap();
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    }));
    let service = belvedere.layer().layer(service_fn(move |_: Request<()>| {
        let client = client.clone();
        async move {
            drop(client.oneshot(Request::new(())).await);
            Err::<Response<Empty<Bytes>>, _>(io::Error::other("out of stock"))
        }
    }));
    assert!(service.oneshot(request).await.is_err());
    told.recv().await.unwrap()
}

async fn close(belvedere: Belvedere) -> Report {
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.lost(), 0, "{report}");
    report
}

fn message(item: &Value) -> &str {
    let body = &item["body"];
    let exception = body.pointer("/trace/exception/message");
    let exception = exception.or_else(|| body.pointer("/trace_chain/0/exception/message"));
    exception.or_else(|| body.pointer("/message/body")).unwrap().as_str().unwrap()
}

#[tokio::test]
async fn a_token_in_the_environment_is_enough() {
    let rollbar = Rollbar::content();
    let belvedere = towards(&rollbar, &[]);
    assert_eq!(belvedere.warnings(), [""; 0]);
    fail(&belvedere, Request::new(())).await;
    let report = close(belvedere).await;
    assert_eq!((report.lanes.len(), report.lanes[0].delivered), (1, 1), "{report}");
    let received = rollbar.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("x-rollbar-access-token"), TOKEN);
    assert!(!String::from_utf8_lossy(&received[0].body).contains(TOKEN), "the token is in the header alone");
    assert_eq!(message(&received[0].data()), "out of stock");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_one_line_says_so() {
    let log = Log::default();
    let start = || setup(&[("ROLLBAR_ENVIRONMENT", "staging")]).start().unwrap();
    let belvedere = tracing::subscriber::with_default(log.subscriber(), start);
    assert!(belvedere.rollbar_layer().is_none());
    for _ in 0..2 {
        fail(&belvedere, Request::new(())).await;
    }
    assert!(close(belvedere).await.lanes.is_empty());
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line.contains("items: ")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("off; ROLLBAR_ACCESS_TOKEN turns them on"), "{lines:?}");
}

#[tokio::test]
async fn a_further_endpoint_gets_the_same_items_with_a_token_that_is_not_yours() {
    let (rollbar, console) = (Rollbar::content(), Rollbar::content());
    let url = rollbar.url();
    let named = [("ROLLBAR_ACCESS_TOKEN", TOKEN), ("ROLLBAR_ENDPOINT", &*url)];
    for (variables, here) in [(&named[..], 1), (&[], 0)] {
        let (rollbar_before, console_before) = (rollbar.items().len(), console.items().len());
        let setup = setup(variables).rollbar_endpoint(console.url());
        assert_eq!(setup.names_rollbar(), here == 1);
        let belvedere = setup.start().unwrap();
        fail(&belvedere, Request::new(())).await;
        assert_eq!(close(belvedere).await.lanes.len(), here + 1);
        assert_eq!(rollbar.items().len() - rollbar_before, here);
        assert_eq!(console.items().len() - console_before, 1);
    }
    assert_eq!(rollbar.items()[0]["uuid"], console.items()[0]["uuid"]);
    assert!(!String::from_utf8_lossy(&console.bytes()).contains(TOKEN));
}

#[tokio::test]
async fn of_two_endpoints_one_that_is_down_does_not_hold_up_the_other() {
    let (down, console) = (Rollbar::start(|_| None), Rollbar::content());
    let url = down.url();
    let setup = setup(&[("ROLLBAR_ACCESS_TOKEN", TOKEN), ("ROLLBAR_ENDPOINT", &*url)]);
    let belvedere = setup.rollbar_endpoint(console.url()).start().unwrap();
    fail(&belvedere, Request::new(())).await;
    console.arrived(1).await;
    belvedere.shutdown(Duration::ZERO).await;
}

#[test]
fn a_further_endpoint_that_is_no_url_is_an_error_without_its_secrets() {
    for (url, shown) in [("console", "console"), ("http://user:canary@console/?token=canary", "credentials")]
    {
        let error = setup(&[]).rollbar_endpoint(url).start().map(drop).unwrap_err();
        assert!(error.is_invalid(), "{error}");
        assert!(error.to_string().contains(shown) && !error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn alone_it_joins_the_caller_s_trace_and_lets_its_headers_through() {
    let rollbar = Rollbar::content();
    let belvedere = towards(&rollbar, &[]);
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
    let heard = fail(&belvedere, request).await;
    let trace_id = |header: &http::HeaderValue| header.to_str().unwrap()[3..35].to_owned();
    assert_eq!(trace_id(&heard["traceparent"]), "4bf92f3577b34da6a3ce929d0e0e4736");
    close(belvedere).await;
    assert_eq!(rollbar.items()[0]["custom"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn more_is_set_on_the_layer_in_it() {
    let rollbar = Rollbar::content();
    let belvedere = towards(&rollbar, &[("ROLLBAR_ENVIRONMENT", "staging")]);
    let layer = belvedere.layer().rollbar(|layer| layer.framework("hyper"));
    let service =
        layer.layer(service_fn(|_: Request<()>| async { Err::<Response<Empty<Bytes>>, _>("lost") }));
    assert!(service.oneshot(Request::new(())).await.is_err());
    close(belvedere).await;
    let item = &rollbar.items()[0];
    assert_eq!((&item["framework"], &item["environment"]), (&"hyper".into(), &"staging".into()));
}

/// The one for what happens outside of requests belongs to the whole process: no other test here may set it.
#[tokio::test]
async fn what_happens_outside_of_requests_is_reported_unless_the_setup_leaves_the_process_alone() {
    for (global, expected) in [(false, 0), (true, 2)] {
        let rollbar = Rollbar::content();
        let url = rollbar.url();
        let setup = setup(&[("ROLLBAR_ACCESS_TOKEN", TOKEN), ("ROLLBAR_ENDPOINT", &*url)]);
        let belvedere = setup.global(global).start().unwrap();
        report_message(Level::Warning, "Hello World!");
        drop(belvedere.layer().rollbar(|layer| layer.framework("hyper")));
        report_message(Level::Warning, "Hello framework!");
        close(belvedere).await;
        let items = rollbar.items();
        let said: Vec<_> = items
            .iter()
            .map(|item| (message(item), item["framework"].as_str().unwrap_or_default()))
            .collect();
        assert_eq!(said, [("Hello World!", ""), ("Hello framework!", "hyper")][..expected]);
    }
    // Nobody is left to take it, and nobody minds.
    report_message(Level::Warning, "too late");
}

#[tokio::test]
async fn the_token_is_in_no_line_and_in_no_debug() {
    let log = Log::default();
    let rollbar = Rollbar::start(|_| Some(rollbar::refused(401, &format!("invalid token {TOKEN}"))));
    let belvedere = tracing::subscriber::with_default(log.subscriber(), || towards(&rollbar, &[]));
    let shown = format!("{belvedere:?}{:?}{:?}", belvedere.layer(), belvedere.rollbar_layer());
    fail(&belvedere, Request::new(())).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.lost(), 1, "{report}");
    let lines = log.lines().concat();
    assert!(lines.contains("items: on") && lines.contains("production"), "{lines}");
    assert!(![shown, lines, format!("{report}{report:?}")].concat().contains(TOKEN));
}

/// In one pass with the others.
#[cfg(feature = "full")]
mod beside {
    use belvedere::xray::Segment;

    use super::{daemon::Daemon, support::sink::Sink, *};

    /// A file with a rule that keeps everything.
    struct Rules(std::path::PathBuf);

    impl Rules {
        fn write() -> Self {
            let path = std::env::temp_dir().join(format!("belvedere-rollbar-{}.json", std::process::id()));
            let rules = r#"{"version": 2, "default": {"fixed_target": 1, "rate": 1.0}, "rules": []}"#;
            std::fs::write(&path, rules).unwrap();
            Self(path)
        }
    }

    impl Drop for Rules {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[tokio::test]
    async fn one_pass_makes_one_span_one_segment_and_one_item_with_the_same_ids() {
        let (sink, daemon, rollbar) = (Sink::start(), Daemon::large().await, Rollbar::content());
        let (rules, base, url) = (Rules::write(), sink.base(), rollbar.url());
        let address = daemon.address.to_string();
        let belvedere = setup(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &base),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_SDK_DISABLED", "false"),
            ("AWS_XRAY_DAEMON_ADDRESS", &address),
            ("BELVEDERE_XRAY_SAMPLING_RULES", rules.0.to_str().unwrap()),
            ("ROLLBAR_ACCESS_TOKEN", TOKEN),
            ("ROLLBAR_ENDPOINT", &url),
        ])
        .start()
        .unwrap();
        fail(&belvedere, Request::get("/carts").body(()).unwrap()).await;
        close(belvedere).await;

        let items = rollbar.items();
        assert_eq!(items.len(), 1);
        let documents = daemon.arrived(1).await;
        let segment: Segment = serde_json::from_str(&documents[0]).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let spans = sink.spans();
        let span = spans.iter().find(|span| span.parent_span_id.is_empty()).unwrap();
        let custom = &items[0]["custom"];
        assert_eq!(custom["trace_id"], hex(&span.trace_id));
        assert_eq!(custom["span_id"], hex(&span.span_id));
        assert_eq!(custom["trace_id"], segment.trace_id.to_string());
        let trace_id = hex(&span.trace_id);
        let (time, random) = trace_id.split_at(8);
        assert_eq!(custom["xray_trace_id"], format!("1-{time}-{random}"));
        assert_eq!(custom["span_id"], segment.entity.id.to_string());
    }
}

const TOKEN: &str = "canary0123456789canary0123456789";
