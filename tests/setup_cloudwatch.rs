//! CloudWatch Logs as `from_env` starts it, alone and in one pass with the others: over real sockets. What each variable does is
//! in `variables.rs`. `cargo test --features cloudwatch --test setup_cloudwatch` is without any other backend.
#![cfg(feature = "cloudwatch")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/lines.rs"]
mod lines;
#[path = "support/log.rs"]
mod log;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws::Endpoint;
use belvedere::{
    Belvedere, Setup,
    cloudwatch::{Format, LogEvent},
    outbox::{Limits, Report},
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use lines::Lines;
use log::Log;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _, service_fn};

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// What the process logs, also on threads of its own: each test looks for its own lines.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).init();
        log
    })
}

/// These variables, and no spans.
fn setup(variables: Pairs<'_>) -> Setup {
    log();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: HashMap<_, _> =
        [("OTEL_SDK_DISABLED", "true")].iter().chain(variables).map(owned).collect();
    Setup::lookup(move |name| variables.get(name).cloned()).global(false)
}

/// With a group, towards this double.
fn towards(lines: &Lines, group: &str, variables: Pairs<'_>) -> Setup {
    let url = lines.url();
    let named = [("CLOUDWATCH_LOG_GROUP", group), ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &*url)];
    setup(&[&named, &ACCOUNT[..], variables].concat())
}

/// Serves a request that calls somebody, and gives what was heard there.
async fn serve(belvedere: &Belvedere, request: Request<()>) -> HeaderMap {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let client = belvedere.client_layer().layer(service_fn(move |call: Request<()>| {
        tell.send(call.headers().clone()).unwrap();
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    }));
    let service = belvedere.layer().layer(service_fn(move |_: Request<()>| {
        let client = client.clone();
        async move {
            drop(client.oneshot(Request::new(())).await);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
        }
    }));
    drop(service.oneshot(request).await.unwrap().into_body().collect().await);
    told.recv().await.unwrap()
}

async fn close(belvedere: Belvedere) -> Report {
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.lost(), 0, "{report}");
    report
}

#[tokio::test]
async fn a_group_and_an_account_in_the_environment_are_enough() {
    let lines = Lines::start().await;
    let belvedere = towards(&lines, "/shop/enough", &[]).start().unwrap();
    assert_eq!(belvedere.warnings(), [""; 0]);
    serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    let report = close(belvedere).await;
    assert_eq!((report.lanes.len(), report.lanes[0].delivered), (1, 1), "{report}");
    let all = lines.all();
    assert_eq!(all.len(), 1);
    assert_eq!((&*all[0].group, &*all[0].key), ("/shop/enough", ACCOUNT[1].1));
    assert!(all[0].stream.ends_with(&format!("/{}", std::process::id())), "{all:?}");
    let line = &lines.json()[0];
    assert_eq!((&line["path"], &line["status"], &line["bytes"]), (&"/carts".into(), &200.into(), &5.into()));
}

#[tokio::test]
async fn one_line_says_where_they_go() {
    let lines = Lines::start().await;
    let belvedere = towards(&lines, "/shop/told", &[("CLOUDWATCH_LOG_STREAM", "web-1")]).start().unwrap();
    close(belvedere).await;
    let said: Vec<_> = log().lines().into_iter().filter(|line| line.contains("/shop/told")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let to = format!("lines: on to=cloudwatch {} /shop/told stream=web-1", lines.address());
    assert!(said[0].contains(&to), "{said:?}");
}

#[test]
fn what_is_printed_alone_has_no_stream_and_no_retention() {
    let about_a_group = ["CLOUDWATCH_LOG_STREAM", "BELVEDERE_CLOUDWATCH_RETENTION_DAYS"];
    let variables = about_a_group.map(|name| (name, "printed-alone"));
    let printed = [("BELVEDERE_CLOUDWATCH_STDOUT", "true"), ("BELVEDERE_CLOUDWATCH_FORMAT", "text")];
    let belvedere = setup(&[&variables[..], &printed].concat()).start().unwrap();
    let unused =
        about_a_group.map(|name| format!("{name} is not used, because there is no CLOUDWATCH_LOG_GROUP"));
    assert_eq!(belvedere.warnings(), unused);
    let said: Vec<_> = log().lines().into_iter().filter(|line| line.contains("lines: on")).collect();
    assert!(said.iter().any(|line| line.trim_end().ends_with("lines: on to=stdout")), "{said:?}");
}

#[tokio::test]
async fn without_a_group_there_is_no_layer_and_nothing_of_aws_is_asked_for() {
    let belvedere = setup(&[("AWS_ENDPOINT_URL", "nowhere")]).start().unwrap();
    assert!(belvedere.cloudwatch_layer().is_none() && belvedere.log_lane().is_none());
    serve(&belvedere, Request::new(())).await;
    assert!(close(belvedere).await.lanes.is_empty());
}

#[tokio::test]
async fn a_group_of_the_program_counts_where_the_environment_names_none() {
    for (group, expected) in [("", "/by/code"), ("/by/environment", "/by/environment")] {
        let lines = Lines::start().await;
        let setup = towards(&lines, group, &[]).cloudwatch("/by/code");
        assert_eq!(setup.names_log_group(), !group.is_empty());
        let belvedere = setup.start().unwrap();
        serve(&belvedere, Request::new(())).await;
        close(belvedere).await;
        assert_eq!(lines.all()[0].group, expected);
    }
    let error = setup(&ACCOUNT).cloudwatch("a shop").start().map(drop).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("a shop"), "{error}");
}

#[tokio::test]
async fn a_further_endpoint_gets_the_same_lines_signed_with_keys_that_are_nobody_s() {
    let (account, console) = (Lines::start().await, Lines::start().await);
    for (group, here) in [("/shop/both", 1), ("", 0)] {
        let (account_before, console_before) = (account.all().len(), console.all().len());
        let setup = towards(&account, group, &[("OTEL_SERVICE_NAME", "the shop:1")]);
        let belvedere = setup.cloudwatch_endpoint(console.url()).start().unwrap();
        serve(&belvedere, Request::new(())).await;
        assert_eq!(close(belvedere).await.lanes.len(), here + 1);
        assert_eq!(account.all().len() - account_before, here);
        assert_eq!(console.all().len() - console_before, 1);
    }
    let groups: Vec<_> = console.all().into_iter().map(|line| line.group).collect();
    assert_eq!(groups, ["/shop/both", "the_shop_1"]);
    assert_eq!(account.all()[0].message, console.all()[0].message);
    assert!(!String::from_utf8_lossy(&console.bytes()).contains("canary"), "whose keys are these?");
}

#[tokio::test]
async fn a_further_endpoint_needs_no_account_and_must_be_a_url() {
    let console = Lines::start().await;
    let off = [("AWS_EC2_METADATA_DISABLED", "true")];
    let belvedere = setup(&off).cloudwatch_endpoint(console.url()).start().unwrap();
    serve(&belvedere, Request::new(())).await;
    close(belvedere).await;
    assert_eq!(console.all().len(), 1);

    let error = setup(&[]).cloudwatch_endpoint("console").start().map(drop).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("console"), "{error}");
}

#[tokio::test]
async fn of_two_endpoints_one_that_is_down_does_not_hold_up_the_other() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (down, console) = (format!("http://{}", socket.local_addr().unwrap()), Lines::start().await);
    let named = [("CLOUDWATCH_LOG_GROUP", "/shop/down"), ("AWS_ENDPOINT_URL", &*down)];
    let setup = setup(&[&named, &ACCOUNT[..]].concat()).cloudwatch_endpoint(console.url());
    let belvedere = setup.start().unwrap();
    serve(&belvedere, Request::new(())).await;
    console.arrived(1).await;
    belvedere.shutdown(Duration::ZERO).await;
}

/// A container whose credentials come late: nothing is refused, one line says what is missing, and what has waited is sent.
#[tokio::test]
async fn missing_credentials_are_waited_for_which_is_said_once() {
    static READY: AtomicBool = AtomicBool::new(false);
    let container = Endpoint::start(|_| {
        if READY.load(Ordering::SeqCst) {
            aws::answer(200, r#"{"AccessKeyId": "LATE", "SecretAccessKey": "canary"}"#)
        } else {
            aws::answer(404, "not yet")
        }
    })
    .await;
    let (lines, keys) = (Lines::start().await, container.url() + "/keys");
    let (url, region) = (lines.url(), ("AWS_REGION", "eu-west-1"));
    let named = [
        ("CLOUDWATCH_LOG_GROUP", "/shop/late"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", &*url),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*keys),
        region,
    ];
    let limits = Limits::default().records(1).in_flight(1).queue_records(4).age(Duration::ZERO);
    let belvedere = setup(&named).cloudwatch_settings(move |api| api.limits(limits)).start().unwrap();
    assert_eq!(belvedere.warnings(), [""; 0]);
    let lane = belvedere.log_lane().unwrap();
    for number in 0..10 {
        lane.push(LogEvent::new(SystemTime::now(), number.to_string()));
    }
    while container.received().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let said: Vec<_> = log().lines().into_iter().filter(|line| line.contains("credentials")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(lines.all().len(), 0);

    READY.store(true, Ordering::SeqCst);
    assert!(belvedere.flush(Duration::from_secs(20)).await);
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    // What the bound allows was kept: the last of them, and what was on its way.
    let sent: Vec<_> = lines.all().into_iter().map(|line| line.message).collect();
    assert_eq!(report.lanes[0].accepted, report.lanes[0].delivered + report.lost(), "{report}");
    assert_eq!(sent.len() as u64, report.lanes[0].delivered);
    assert!((4..=5).contains(&sent.len()) && sent.ends_with(&["9".to_owned()]), "{sent:?}");
    assert!(lines.all().iter().all(|line| line.key == "LATE"));
}

#[tokio::test]
async fn a_client_of_the_program_is_used_as_it_is() {
    use aws_credential_types::Credentials;
    use belvedere::aws::{Client, Region, Service};

    let lines = Lines::start().await;
    let keys = Credentials::new("OWN", "canary", None, None, "the program");
    let client = Client::builder(Service::LOGS, "eu-west-1".parse::<Region>().unwrap(), keys);
    let client = client.endpoint(lines.url().parse().unwrap()).build().unwrap();
    let belvedere = setup(&[("CLOUDWATCH_LOG_GROUP", "/shop/own")]).cloudwatch_api(client).start().unwrap();
    serve(&belvedere, Request::new(())).await;
    close(belvedere).await;
    assert_eq!(lines.all()[0].key, "OWN");
}

#[tokio::test]
async fn alone_it_joins_the_caller_s_trace_and_lets_its_headers_through() {
    let lines = Lines::start().await;
    let belvedere = towards(&lines, "/shop/alone", &[]).start().unwrap();
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = Request::get("/").header("traceparent", traceparent).body(()).unwrap();
    let heard = serve(&belvedere, request).await;
    assert_eq!(heard["traceparent"].to_str().unwrap()[3..35], traceparent[3..35]);
    close(belvedere).await;
    let line = &lines.json()[0];
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(line["xray_trace_id"], "1-4bf92f35-77b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn more_is_set_on_the_layer_in_it_and_events_of_one_s_own_go_the_same_way() {
    let lines = Lines::start().await;
    let belvedere = towards(&lines, "/shop/more", &[("CLOUDWATCH_LOG_STREAM", "web-1")]).start().unwrap();
    let layer =
        belvedere.layer().cloudwatch(|layer| layer.format(Format::of(|record| record.path.to_string())));
    let service = layer.layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let response = service.oneshot(Request::get("/carts").body(()).unwrap()).await.unwrap();
    drop(response.into_body().collect().await);
    belvedere.log_lane().unwrap().push(LogEvent::new(SystemTime::now(), "the shop is open"));
    close(belvedere).await;
    let mut all: Vec<_> = lines.all().into_iter().map(|line| (line.stream, line.message)).collect();
    all.sort_unstable();
    let expected = ["/carts", "the shop is open"].map(|line| ("web-1".to_owned(), line.to_owned()));
    assert_eq!(all, expected);
}

#[tokio::test]
async fn keys_are_in_no_line_and_in_no_debug() {
    let lines = Lines::start().await;
    let setup = towards(&lines, "/shop/keys", &[]);
    let shown = format!("{setup:?}");
    let belvedere = setup.start().unwrap();
    let shown = format!(
        "{shown}{belvedere:?}{:?}{:?}{:?}",
        belvedere.layer(),
        belvedere.cloudwatch_layer(),
        belvedere.log_lane()
    );
    serve(&belvedere, Request::new(())).await;
    let report = close(belvedere).await;
    let logged = log().lines().concat();
    assert!(![shown, logged, format!("{report}{report:?}")].concat().contains("canary"));
    let line: Value = lines.json().remove(0);
    assert!(!line.to_string().contains("canary"));
}

/// An account: a region and keys.
const ACCOUNT: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-west-1"),
    ("AWS_ACCESS_KEY_ID", "canary0ID"),
    ("AWS_SECRET_ACCESS_KEY", "canary0123456789"),
];
