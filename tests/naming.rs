//! What segments are called: by the service, or by the host that was asked for. Over real sockets.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use belvedere::{
    outbox::Reason,
    xray::{
        Document, Sampler, Segment, XRayLayer,
        sampler::{
            GetSamplingRulesOutput, GetSamplingTargetsOutput, SamplingSource, SamplingStatisticsDocument,
        },
    },
};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use segments::Traced;
use serde_json::{Value, json};
use support::{
    Script, Server,
    client::{connect2, request2},
    shop,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};

/// Asks over HTTP/1.1 and hears the answer to its end.
async fn ask1(address: SocketAddr, host: &str, path: &str) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

/// Asks over HTTP/2, where the host is the `:authority`.
async fn ask2(address: SocketAddr, method: &str, authority: &str, path: &str) {
    let mut request = request2(address, method, path);
    *request.uri_mut() = format!("http://{authority}{path}").parse().unwrap();
    let response = connect2(address).await.send_request(request).await.unwrap();
    drop(response.into_body().collect().await);
}

/// The name of the segment of one request, which goes by no socket.
async fn name(set: impl FnOnce(XRayLayer) -> XRayLayer, request: http::request::Builder) -> String {
    let traced = Traced::new("shops").await;
    serve(&set(traced.layer.clone()), request).await;
    let names = names(traced).await;
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().unwrap()
}

async fn all(traced: Traced) -> Vec<Segment> {
    let segment = |document| match document {
        Document::Segment(segment) => *segment,
        Document::Subsegment(subsegment) => panic!("{subsegment:#?}"),
    };
    traced.documents().await.into_iter().map(segment).collect()
}

async fn names(traced: Traced) -> Vec<String> {
    all(traced).await.into_iter().map(|segment| segment.entity.name.to_string()).collect()
}

async fn serve(layer: &XRayLayer, request: http::request::Builder) {
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
    let response = layer.layer(service).oneshot(request.body(()).unwrap()).await.unwrap();
    drop(response.into_body().collect().await);
}

fn get(host: &str) -> http::request::Builder {
    Request::get("/ok").header("host", host)
}

/// A segment of the Python SDK, with the pattern `*.example.org` and the fallback `by-variable`.
fn golden(file: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/xray/");
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}{file}")).unwrap()).unwrap()
}

// ===== on servers =====

#[tokio::test]
async fn names_are_those_of_the_sdk_for_the_same_hosts_and_pattern() {
    for file in ["60-dynamic-match.json", "61-dynamic-fallback.json"] {
        let (golden, traced) = (golden(file), Traced::new("by-variable").await);
        let layer = traced.layer.clone().hosts("*.example.org");
        let server = Server::axum(shop::router().layer(layer)).await;
        let url: http::Uri = golden["http"]["request"]["url"].as_str().unwrap().parse().unwrap();
        ask1(server.address, url.host().unwrap(), url.path()).await;
        let segment = segments::json(&traced.segment().await);
        assert_eq!(segment["name"], golden["name"]);
        assert_eq!(segment["http"]["request"]["url"], golden["http"]["request"]["url"]);
    }
}

#[tokio::test]
async fn the_authority_of_http2_is_the_host() {
    let traced = Traced::new("shops").await;
    let layer = ServiceBuilder::new().layer(traced.layer.clone().hosts("*.example.com"));
    let server = Server::hyper2(layer.service_fn(shop::shop)).await;
    ask2(server.address, "GET", "Tea.example.com:8443", "/ok").await;
    ask2(server.address, "GET", "elsewhere.test", "/ok").await;
    assert_eq!(names(traced).await, ["tea.example.com", "shops"]);
}

#[tokio::test]
async fn a_call_of_grpc_is_named_by_its_authority() {
    let traced = Traced::new("shops").await;
    let server = Server::tonic(traced.layer.clone().hosts("*.example.com")).await;
    ask2(server.address, "POST", "tea.example.com", "/shop.Greeter/SayHello").await;
    assert_eq!(names(traced).await, ["tea.example.com"]);
}

// ===== which host, and how =====

#[tokio::test]
async fn without_a_pattern_every_host_has_the_services_name() {
    assert_eq!(name(|layer| layer, get("tea.example.com")).await, "shops");
}

#[tokio::test]
async fn a_request_without_a_host_has_the_services_name() {
    assert_eq!(name(|layer| layer.hosts("*"), Request::get("/ok")).await, "shops");
}

#[tokio::test]
async fn ports_capitals_and_a_last_dot_are_not_part_of_a_name() {
    for host in ["TEA.Example.com:8080", "tea.example.com.", "tea.example.com"] {
        assert_eq!(name(|layer| layer.hosts("*.example.com"), get(host)).await, "tea.example.com", "{host}");
    }
    assert_eq!(name(|layer| layer.hosts("*"), get("[::1]:8080")).await, "::1");
}

#[tokio::test]
async fn each_pattern_counts() {
    for host in ["tea.example.com", "localhost"] {
        assert_eq!(name(|layer| layer.hosts("*.example.com").hosts("local*"), get(host)).await, host);
    }
}

#[tokio::test]
async fn a_proxy_says_the_host_only_if_it_is_trusted() {
    let request = || get("inner.test").header("x-forwarded-host", "tea.example.com");
    assert_eq!(name(|layer| layer.hosts("*"), request()).await, "inner.test");
    assert_eq!(name(|layer| layer.hosts("*").trusted_hops(1), request()).await, "tea.example.com");
}

// ===== what strangers send =====

#[tokio::test]
async fn what_is_no_whole_name_is_no_name() {
    let long = format!("{}.example.com", "a".repeat(200));
    for host in ["tea<script>.example.com", "tea,coffee.example.com", &long] {
        assert_eq!(name(|layer| layer.hosts("*"), get(host)).await, "shops", "{host}");
    }
}

#[tokio::test]
async fn after_two_hundred_hosts_no_other_becomes_a_name() {
    let traced = Traced::new("shops").await;
    let layer = traced.layer.clone().hosts("*");
    for n in 0..250 {
        serve(&layer, get(&format!("h{n}.test"))).await;
    }
    serve(&layer, get("h7.test")).await;
    let names = names(traced).await;
    assert_eq!(names.iter().filter(|name| *name == "shops").count(), 50);
    assert_eq!(names.iter().filter(|name| *name == "h7.test").count(), 2);
}

#[tokio::test]
async fn a_host_that_is_spelled_out_has_its_name_however_many_strangers_came_before() {
    let traced = Traced::new("shops").await;
    let layer = traced.layer.clone().hosts("*.example.com").hosts("tea.example.com");
    for n in 0..250 {
        serve(&layer, get(&format!("stranger{n}.example.com"))).await;
    }
    serve(&layer, get("TEA.example.com")).await;
    serve(&layer, get("coffee.example.com")).await;
    assert_eq!(names(traced).await[250..], ["tea.example.com", "shops"]);
}

// ===== the sampler =====

/// One rule for the service `tea.example.com`, and nothing else.
struct Rules(Arc<Mutex<Vec<SamplingStatisticsDocument>>>);

impl SamplingSource for Rules {
    async fn rules(&self, _: Option<&str>) -> Result<GetSamplingRulesOutput, Reason> {
        let rule = json!({ "SamplingRuleRecords": [{ "SamplingRule": {
            "RuleName": "tea", "ResourceARN": "*", "Priority": 1, "FixedRate": 1.0, "ReservoirSize": 0,
            "ServiceName": "tea.*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
            "Version": 1, "Attributes": {},
        }}]});
        Ok(serde_json::from_value(rule).unwrap())
    }

    async fn targets(
        &self,
        documents: &[SamplingStatisticsDocument],
    ) -> Result<GetSamplingTargetsOutput, Reason> {
        self.0.lock().unwrap().extend_from_slice(documents);
        Ok(GetSamplingTargetsOutput::default())
    }
}

#[tokio::test]
async fn rules_are_asked_about_the_name_that_the_segment_gets() {
    let traced = Traced::new("shops").await;
    let sampler = Sampler::central(Rules(Arc::default()), Sampler::none(), &traced.outbox);
    let layer = traced.layer.clone().hosts("*.example.com").sample(sampler);
    for _ in 0..100 {
        serve(&layer, get("tea.example.com:8080")).await;
        serve(&layer, get("coffee.example.com")).await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let all = all(traced).await;
    assert!(!all.is_empty());
    for segment in all {
        assert_eq!(segment.entity.name.as_str(), "tea.example.com");
        let xray = segment.entity.aws.unwrap().xray.unwrap();
        assert_eq!(xray.sampling_rule_name.unwrap(), "tea");
    }
}
