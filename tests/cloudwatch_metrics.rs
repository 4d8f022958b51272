//! Exchanges on axum and tonic, counted in log lines that CloudWatch makes metrics of. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
mod support;

use std::{collections::BTreeMap, io::Read as _, time::Duration};

use aws::{Endpoint, Received, answer};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request},
    http::StatusCode,
    routing::get,
};
use belvedere::{
    aws::{Client, Service},
    cloudwatch::{Api, CloudWatchLayer, LogLane, Metrics},
    outbox::Outbox,
};
use flate2::read::GzDecoder;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use support::{
    Server,
    client::{leave1, raw1},
    greeter::GreeterClient,
    shop,
};
use tower::ServiceExt as _;

/// What stands in for CloudWatch, and a layer whose lines it gets.
struct Watch {
    cloudwatch: Endpoint,
    outbox: Outbox,
    layer: CloudWatchLayer,
}

/// What was told of an operation: requests, errors, throttles, faults.
type Told = BTreeMap<String, [u64; 4]>;

// ===== impl Watch =====

impl Watch {
    async fn open(metrics: Metrics) -> Self {
        let cloudwatch = Endpoint::start(|_| answer(200, "{}")).await;
        let url = cloudwatch.url();
        let lookup = move |name: &str| match name {
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            "AWS_ENDPOINT_URL" => Some(url.clone()),
            _ => None,
        };
        let client = Client::lookup(Service::LOGS, lookup).unwrap();
        let outbox = Outbox::builder().start().unwrap();
        let lane = LogLane::new(&outbox, Api::new(client, "/shop".parse().unwrap()));
        Self { cloudwatch, outbox, layer: CloudWatchLayer::on(lane).metrics(metrics) }
    }

    fn with(self, layer: impl FnOnce(CloudWatchLayer) -> CloudWatchLayer) -> Self {
        Self { layer: layer(self.layer), ..self }
    }

    /// Waits until so many exchanges are over.
    async fn logged(&self, exchanges: usize) {
        let all_are_over = async {
            while self.cloudwatch.received().iter().flat_map(events).count() < exchanges {
                self.outbox.flush(Duration::from_secs(1)).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), all_are_over).await.unwrap();
    }

    /// All events, each with the name of its stream.
    async fn close(self) -> Vec<(String, Value)> {
        let report = self.outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(report.lost(), 0, "{report:?}");
        self.cloudwatch.received().iter().flat_map(events).collect()
    }

    async fn lines(self) -> Vec<Value> {
        let events = self.close().await.into_iter().map(|(_, event)| event);
        events.filter(|event| event.get("_aws").is_some()).collect()
    }

    async fn told(self) -> Told {
        self.lines().await.iter().fold(Told::new(), |mut told, line| {
            let counts = ["Request", "Error", "Throttle", "Fault"].map(|name| line[name].as_u64().unwrap());
            let sum = told.entry(line["Operation"].as_str().unwrap().to_owned()).or_default();
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            told
        })
    }
}

fn events(put: &Received) -> Vec<(String, Value)> {
    let mut body = Vec::new();
    match put.headers.get("content-encoding") {
        Some(_) => drop(GzDecoder::new(&*put.body).read_to_end(&mut body).unwrap()),
        None => body.extend_from_slice(&put.body),
    }
    let put: Value = serde_json::from_slice(&body).unwrap();
    let event = |event: &Value| {
        let stream = put["logStreamName"].as_str().unwrap().to_owned();
        (stream, serde_json::from_str(event["message"].as_str().unwrap()).unwrap())
    };
    put["logEvents"].as_array().into_iter().flatten().map(event).collect()
}

fn metrics() -> Metrics {
    Metrics::new("Shop").unwrap().service("checkout").unwrap()
}

fn router() -> Router {
    let cart = |Path(id): Path<u16>| async move { StatusCode::from_u16(id).unwrap() };
    Router::new().route("/carts/{id}", get(cart)).merge(shop::router())
}

fn told<const N: usize>(operations: [(&str, [u64; 4]); N]) -> Told {
    operations.map(|(operation, counts)| (operation.to_owned(), counts)).into()
}

#[track_caller]
fn assert_is_emf(line: &Value) {
    let metadata = line["_aws"].as_object().unwrap();
    assert!(metadata["Timestamp"].as_u64().unwrap() > 1_700_000_000_000, "in milliseconds");
    for directive in metadata["CloudWatchMetrics"].as_array().unwrap() {
        let keys: Vec<_> = directive.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["Dimensions", "Metrics", "Namespace"]);
        assert!((1..=1024).contains(&directive["Namespace"].as_str().unwrap().len()));
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            set.iter().for_each(|name| assert_is_dimension(line, name.as_str().unwrap()));
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        metrics.iter().for_each(|metric| assert_is_metric(line, metric));
    }
}

#[track_caller]
fn assert_is_dimension(line: &Value, name: &str) {
    assert!((1..=250).contains(&name.len()));
    let value = line[name].as_str().unwrap();
    assert!((1..=1024).contains(&value.len()) && value.is_ascii() && !value.starts_with(':'));
    assert!(!value.bytes().any(|byte| byte.is_ascii_control()) && !value.trim().is_empty());
}

#[track_caller]
fn assert_is_metric(line: &Value, metric: &Value) {
    let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
    assert!((1..=1024).contains(&name.len()) && UNITS.contains(&unit), "{name} in {unit}");
    let Some(distribution) = line[name].as_object() else {
        return assert!(line[name].is_number(), "{name}: {}", line[name]);
    };
    let (values, counts) =
        (distribution["Values"].as_array().unwrap(), distribution["Counts"].as_array().unwrap());
    assert!((1..=100).contains(&values.len()) && values.len() == counts.len());
    assert!(values.iter().all(Value::is_f64) && counts.iter().all(|count| count.as_u64() > Some(0)));
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>, those of use here.
const UNITS: [&str; 5] = ["Seconds", "Microseconds", "Milliseconds", "Count", "None"];

#[tokio::test]
async fn each_operation_of_axum_has_a_line() {
    let watch = Watch::open(metrics()).await;
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    for id in [200, 302, 404, 429, 500, 503, 200] {
        drop(raw1(server.address, "GET", &format!("/carts/{id}")).await);
    }
    for path in ["/ok", "/panic", "/torn", "/panic-in-the-body", "/not/routed", "/not/either"] {
        drop(raw1(server.address, "POST", path).await);
    }
    drop(server);
    let expected =
        told([("GET /carts/{id}", [7, 2, 1, 2]), ("POST /{what}", [4, 0, 0, 3]), ("other", [2, 2, 0, 0])]);
    assert_eq!(watch.told().await, expected);
}

#[tokio::test]
async fn a_line_is_of_the_embedded_metric_format() {
    let watch = Watch::open(metrics()).await;
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    for path in ["/ok", "/stream", "/not/routed"] {
        drop(raw1(server.address, "GET", path).await);
    }
    drop(server);
    let lines = watch.lines().await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    lines.iter().for_each(assert_is_emf);
    let line = lines.iter().find(|line| line["Operation"] == "GET /{what}").unwrap();
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Shop");
    assert_eq!(directive["Dimensions"], json!([["Service", "Operation"]]));
    assert_eq!(line["Service"], "checkout");
    let values = line["Latency"]["Values"].as_array().unwrap();
    assert_eq!(line["Latency"]["Counts"], json!([1, 1]));
    let latencies = [&values[0], &values[1]].map(|value| value.as_f64().unwrap());
    assert!(latencies[0] < latencies[1] && latencies[1] > 490.0, "{values:?}");
}

#[tokio::test]
async fn each_method_of_grpc_that_exists_has_a_line() {
    let watch = Watch::open(metrics()).await;
    let server = Server::tonic(watch.layer.clone()).await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.address)).unwrap();
    let mut client = GreeterClient::of_channel(channel.connect().await.unwrap());
    // Nobody knows yet that there is such a method.
    client.hello("nobody").await.unwrap_err();
    for name in ["Ada", "nobody", "broken", "late", "Grace"] {
        drop(client.hello(name).await);
    }
    client.unheard_of().await.unwrap_err();
    let mut greetings = client.hellos("Ada").await.unwrap();
    while greetings.message().await.unwrap().is_some() {}
    // One that goes on is left, and one never gets as far as an answer.
    drop(client.hellos("forever").await.unwrap());
    client.hello("panic").await.unwrap_err();
    watch.logged(10).await;
    drop((client, server));
    let expected = told([
        ("/shop.Greeter/SayHello", [6, 1, 0, 3]),
        ("/shop.Greeter/SayHellos", [2, 0, 0, 0]),
        ("other", [2, 1, 0, 1]),
    ]);
    assert_eq!(watch.told().await, expected);
}

#[tokio::test]
async fn what_sampling_leaves_out_is_counted_and_what_is_skipped_is_not() {
    let watch = Watch::open(metrics()).await;
    let watch = watch.with(|layer| layer.sample(0.0).skip(|request| request.uri.path() == "/broken"));
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    for path in ["/ok", "/ok", "/ok", "/broken"] {
        drop(raw1(server.address, "GET", path).await);
    }
    drop(server);
    let events = watch.close().await;
    let [(_, line)] = &*events else { panic!("{events:?}") };
    assert_eq!((&line["Operation"], &line["Request"]), (&json!("GET /{what}"), &json!(3)));
}

#[tokio::test]
async fn lines_go_into_the_stream_of_the_records() {
    let watch = Watch::open(metrics()).await.with(|layer| layer.stream("web-1").unwrap());
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    drop(raw1(server.address, "GET", "/ok").await);
    drop(server);
    let events = watch.close().await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events.iter().all(|(stream, _)| stream == "web-1"), "{events:?}");
}

#[tokio::test]
async fn what_a_client_gave_up_is_a_request_and_no_fault() {
    let watch = Watch::open(metrics()).await;
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    drop(raw1(server.address, "GET", "/ok").await);
    leave1(server.address, "GET", "/endless", Duration::from_millis(200)).await;
    leave1(server.address, "GET", "/slow", Duration::from_millis(200)).await;
    // The server hears of it a moment later.
    watch.logged(3).await;
    let lines = watch.lines().await;
    let [line] = &*lines else { panic!("{lines:?}") };
    assert_eq!((&line["Request"], &line["Fault"], &line["Error"]), (&json!(3), &json!(0), &json!(0)));
    assert!(line["Latency"]["Values"].as_array().unwrap().last().unwrap().as_f64().unwrap() > 150.0);
}

#[tokio::test]
async fn what_finds_no_room_is_other() {
    let watch = Watch::open(metrics().series(2)).await;
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    for path in ["/ok", "/carts/200", "/carts/500", "/ok"] {
        drop(raw1(server.address, "GET", path).await);
    }
    drop(server);
    let lines = watch.told().await;
    assert_eq!(lines, told([("GET /{what}", [2, 0, 0, 0]), ("other", [2, 0, 0, 1])]));
}

#[tokio::test]
async fn a_stranger_makes_no_series() {
    let watch = Watch::open(metrics()).await;
    let server = Server::axum(router().layer(watch.layer.clone())).await;
    for method in ["DELETE", "PUT", "PATCH", "POST", "BREW", "get"] {
        drop(raw1(server.address, method, "/carts/200").await);
    }
    for n in 0..20 {
        drop(raw1(server.address, "GET", &format!("/wp-admin/{n}")).await);
    }
    drop(raw1(server.address, "BREW", "/ok").await);
    drop(server);
    let expected = told([("_OTHER /{what}", [1, 0, 0, 0]), ("other", [26, 26, 0, 0])]);
    assert_eq!(watch.told().await, expected);
}

#[tokio::test]
async fn two_layers_share_what_clones_have() {
    let watch = Watch::open(metrics()).await;
    let one = Server::axum(router().layer(watch.layer.clone())).await;
    let two = Server::axum(router().layer(watch.layer.clone().sample(0.0))).await;
    for server in [&one, &two] {
        drop(raw1(server.address, "GET", "/ok").await);
    }
    drop((one, two));
    assert_eq!(watch.told().await, told([("GET /{what}", [2, 0, 0, 0])]));
}

#[tokio::test]
async fn what_is_left_is_told_when_the_last_handle_is_dropped() {
    let Watch { cloudwatch, outbox, layer } = Watch::open(metrics()).await;
    let server = Server::axum(router().layer(layer)).await;
    drop(raw1(server.address, "GET", "/ok").await);
    drop(server);
    tokio::task::spawn_blocking(move || drop(outbox)).await.unwrap();
    let lines: Vec<_> = cloudwatch.received().iter().flat_map(events).map(|(_, event)| event).collect();
    assert_eq!(lines.iter().filter(|line| line.get("_aws").is_some()).count(), 1, "{lines:?}");
}

#[tokio::test]
async fn without_metrics_there_are_none() {
    let watch = Watch::open(metrics()).await;
    let layer = CloudWatchLayer::on(watch.layer.lane().clone());
    let server = Server::axum(router().layer(layer)).await;
    drop(raw1(server.address, "GET", "/ok").await);
    drop(server);
    assert_eq!(watch.lines().await, [json!(null); 0]);
}

#[tokio::test]
async fn an_exchange_that_is_counted_allocates_no_more_than_one_that_is_not() {
    let watch = Watch::open(metrics()).await.with(|layer| layer.sample(0.0));
    let without = CloudWatchLayer::on(watch.layer.lane().clone()).sample(0.0);
    let allocations = |layer: &CloudWatchLayer| {
        let router = router().layer(layer.clone());
        let ask = || {
            let request = Request::get("/carts/204").body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).now_or_never().expect("nothing waits");
            assert_eq!(response.unwrap().status(), StatusCode::NO_CONTENT);
        };
        ask();
        allocation_counter::measure(ask).count_total
    };
    assert_eq!(allocations(&watch.layer), allocations(&without));
    assert_eq!(watch.told().await, told([("GET /carts/{id}", [2, 0, 0, 0])]));
}
