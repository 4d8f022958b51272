//! What segments say about where the service runs. The doubles are on real sockets, the files in a folder of the test's.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/folder.rs"]
mod folder;
#[path = "support/http.rs"]
mod http_backend;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws::{Answer, Endpoint, Received, answer};
use belvedere::{
    Error,
    outbox::{Outbox, OutboxEvent},
    xray::{
        Sampler, XRayLayer,
        plugins::{Plugin, Plugins, PluginsBuilder},
        sampler::DaemonProxy,
    },
};
use folder::Folder;
use http::{Request, Response};
use http_backend::{Backend, Reply};
use http_body_util::BodyExt as _;
use segments::Traced;
use serde_json::{Value, json};
use support::Script;
use tokio::time::{Instant, sleep};
use tower::{Layer as _, ServiceExt as _, service_fn};

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn lookup(plugins: &[Plugin], variables: Pairs<'_>) -> Result<PluginsBuilder, Error> {
    let find =
        |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Plugins::lookup(plugins.iter().copied(), find)
}

/// The segment of a service that has these plugins, once they are done.
async fn segment(plugins: &[Plugin], variables: Pairs<'_>, root: &Folder) -> Value {
    let traced = Traced::new("shop").await;
    let plugins = lookup(plugins, variables).unwrap().root(root.path()).start(&traced.outbox);
    done(&plugins).await;
    serve(&traced.layer.clone().plugins(plugins)).await;
    last(traced).await
}

async fn last(traced: Traced) -> Value {
    segments::json(traced.documents().await.last().unwrap())
}

async fn done(plugins: &Plugins) {
    for _ in 0..2_000 {
        if plugins.is_done() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("the plugins never come to an end");
}

async fn serve(layer: &XRayLayer) {
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
    let response = layer.layer(service).oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    drop(response.into_body().collect().await);
}

/// What stands in the `aws` block besides the library.
fn aws(segment: &Value) -> Value {
    let mut aws = segment["aws"].clone();
    aws.as_object_mut().unwrap().remove("xray").unwrap();
    aws
}

// ===== EC2 =====

const DOCUMENT: &str = r#"{
    "accountId": "111122223333", "architecture": "x86_64", "availabilityZone": "eu-west-1b", "billingProducts": null,
    "imageId": "ami-0abc", "instanceId": "i-0123456789abcdef0", "instanceType": "t3.micro", "region": "eu-west-1"
}"#;

async fn instance(document: &'static str) -> Endpoint {
    Endpoint::start(move |asked| match asked.path.as_str() {
        "/latest/api/token" => answer(200, "imds-t0ken"),
        "/latest/dynamic/instance-identity/document" => answer(200, document),
        _ => answer(404, ""),
    })
    .await
}

fn expected_ec2() -> Value {
    json!({
        "instance_id": "i-0123456789abcdef0",
        "availability_zone": "eu-west-1b",
        "instance_size": "t3.micro",
        "ami_id": "ami-0abc",
    })
}

#[tokio::test]
async fn an_instance_is_known_by_its_identity_document_and_asked_with_a_token() {
    let endpoint = instance(DOCUMENT).await;
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*endpoint.url())];
    let segment = segment(&[Plugin::Ec2], &variables, &Folder::new()).await;
    assert_eq!(segment["origin"], "AWS::EC2::Instance");
    assert_eq!(aws(&segment), json!({ "account_id": "111122223333", "ec2": expected_ec2() }));
    let [token, document] = &endpoint.received()[..] else { panic!("{:?}", endpoint.received()) };
    assert_eq!((token.method.as_str(), token.header("x-aws-ec2-metadata-token-ttl-seconds")), ("PUT", "60"));
    assert_eq!(document.header("x-aws-ec2-metadata-token"), "imds-t0ken");
}

#[tokio::test]
async fn an_instance_that_may_not_be_asked_is_not() {
    let endpoint = instance(DOCUMENT).await;
    let url = endpoint.url();
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url), ("AWS_EC2_METADATA_DISABLED", "true")];
    let segment = segment(&[Plugin::Ec2], &variables, &Folder::new()).await;
    assert_eq!((segment.get("origin"), aws(&segment)), (None, json!({})));
    assert!(endpoint.received().is_empty());
}

#[tokio::test]
async fn nobody_is_asked_unless_its_plugin_is_named() {
    let endpoint = instance(DOCUMENT).await;
    let url = endpoint.url();
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url), ("ECS_CONTAINER_METADATA_URI_V4", &*url)];
    let segment = segment(&[Plugin::ElasticBeanstalk], &variables, &Folder::new()).await;
    assert_eq!((segment.get("origin"), aws(&segment)), (None, json!({})));
    assert!(endpoint.received().is_empty());
}

// ===== ECS =====

const CONTAINER: &str = r#"{
    "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66", "Name": "curl",
    "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271-b33f-47ab-86c6-a0ba208a70a9",
    "LogDriver": "awslogs",
    "LogOptions": { "awslogs-group": "/ecs/metadata", "awslogs-region": "us-east-1", "awslogs-stream": "ecs/curl/8f0" }
}"#;
const ID: &str = "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66";
const CGROUP: &str = "4:pids:/ecs/0206b271b33f49ab86c6401a0ee208a9/ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66\n";

fn container() -> Folder {
    Folder::new().file("proc/sys/kernel/hostname", "ip-10-0-0-7\n").file("proc/self/cgroup", CGROUP)
}

#[tokio::test]
async fn a_container_of_ecs_is_known_by_its_metadata_and_brings_its_log_group() {
    for variable in ["ECS_CONTAINER_METADATA_URI_V4", "ECS_CONTAINER_METADATA_URI"] {
        let endpoint = Endpoint::start(|asked| {
            assert_eq!(asked.path, "/v4/ea32");
            answer(200, CONTAINER)
        })
        .await;
        let uri = format!("{}/v4/ea32", endpoint.url());
        let segment = segment(&[Plugin::Ecs], &[(variable, &uri)], &container()).await;
        assert_eq!(segment["origin"], "AWS::ECS::Container");
        assert_eq!(
            aws(&segment),
            json!({
                "account_id": "111122223333",
                "cloudwatch_logs": [{
                    "log_group": "/ecs/metadata",
                    "arn": "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/metadata",
                }],
                "ecs": {
                    "container": "ip-10-0-0-7",
                    "container_id": ID,
                    "container_arn": "arn:aws:ecs:us-west-2:111122223333:container/0206b271-b33f-47ab-86c6-a0ba208a70a9",
                },
            })
        );
    }
}

#[tokio::test]
async fn what_the_metadata_does_not_tell_the_machine_does() {
    let endpoint = Endpoint::start(|_| answer(500, "")).await;
    let expected = json!({ "ecs": { "container": "ip-10-0-0-7", "container_id": ID } });
    let of_nobody = segment(&[Plugin::Ecs], &[], &container()).await;
    assert_eq!((&of_nobody["origin"], aws(&of_nobody)), (&json!("AWS::ECS::Container"), expected.clone()));
    let variables = [("ECS_CONTAINER_METADATA_URI_V4", &*endpoint.url())];
    assert_eq!(aws(&segment(&[Plugin::Ecs], &variables, &container()).await), expected);
}

#[tokio::test]
async fn a_container_of_nobody_is_none_of_ecs() {
    let root = Folder::new().file("proc/self/cgroup", format!("4:pids:/docker/{ID}"));
    let segment = segment(&[Plugin::Ecs], &[], &root).await;
    assert_eq!((segment.get("origin"), aws(&segment)), (None, json!({})));
}

// ===== EKS =====

const SERVICE_ACCOUNT: &str = "var/run/secrets/kubernetes.io/serviceaccount";

fn json_reply(status: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
}

fn pod(api: &Backend) -> Folder {
    Folder::new()
        .file("proc/sys/kernel/hostname", "shop-5d8c9-x2x7k\n")
        .file("proc/self/cgroup", format!("0::/kubepods/burstable/podab/cri-containerd-{ID}.scope\n"))
        .file(&format!("{SERVICE_ACCOUNT}/token"), "p0d-t0ken\n")
        .file(&format!("{SERVICE_ACCOUNT}/ca.crt"), api.root_pem())
}

async fn segment_in(pod: &Folder, api: &Backend) -> Value {
    let port = api.address.port().to_string();
    let variables = [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", &*port)];
    segment(&[Plugin::Eks], &variables, pod).await
}

#[tokio::test]
async fn a_pod_knows_its_cluster_from_the_api_that_its_own_authority_vouches_for() {
    let body = r#"{"kind":"ConfigMap","data":{"cluster.name":"tea","logs.region":"eu-west-1"}}"#;
    let api = Backend::tls("127.0.0.1", json_reply("200 OK", body)).await;
    let segment = segment_in(&pod(&api), &api).await;
    assert_eq!(segment["origin"], "AWS::EKS::Container");
    assert_eq!(
        aws(&segment),
        json!({
            "cloudwatch_logs": [{ "log_group": "/aws/containerinsights/tea/application" }],
            "eks": { "pod": "shop-5d8c9-x2x7k", "cluster_name": "tea", "container_id": ID },
        })
    );
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert!(request.starts_with("GET /api/v1/namespaces/amazon-cloudwatch/configmaps/cluster-info HTTP/1.1"));
    assert!(request.contains("authorization: Bearer p0d-t0ken"), "{request}");
}

#[tokio::test]
async fn a_pod_that_may_not_ask_is_still_one() {
    let api = Backend::tls("127.0.0.1", json_reply("403 Forbidden", "{}")).await;
    let without_token = Folder::new().file("proc/sys/kernel/hostname", "shop-5d8c9-x2x7k");
    for (pod, asked) in [(pod(&api), 1), (without_token, 1)] {
        let segment = segment_in(&pod, &api).await;
        assert_eq!(segment["origin"], "AWS::EKS::Container");
        assert_eq!(segment["aws"]["eks"]["pod"], "shop-5d8c9-x2x7k");
        assert!(segment["aws"]["eks"].get("cluster_name").is_none());
        assert!(segment["aws"].get("cloudwatch_logs").is_none());
        assert_eq!(api.requests().len(), asked);
    }
}

#[tokio::test]
async fn the_token_goes_to_no_stranger() {
    let body = r#"{"data":{"cluster.name":"tea"}}"#;
    let (api, stranger) = (
        Backend::tls("127.0.0.1", json_reply("200 OK", body)).await,
        Backend::tls("127.0.0.1", json_reply("200 OK", body)).await,
    );
    let segment = segment_in(&pod(&api), &stranger).await;
    assert!(segment["aws"]["eks"].get("cluster_name").is_none());
    assert!(stranger.requests().is_empty());
}

// ===== Elastic Beanstalk =====

const ENVIRONMENT: &str = "var/elasticbeanstalk/xray/environment.conf";

#[tokio::test]
async fn an_environment_is_known_by_its_file() {
    let json = r#"{"deployment_id":32,"version_label":"app-7","environment_name":"tea-prod","environment_id":"e-x"}"#;
    let root = Folder::new().file(ENVIRONMENT, json);
    let segment = segment(&[Plugin::ElasticBeanstalk], &[], &root).await;
    assert_eq!(segment["origin"], "AWS::ElasticBeanstalk::Environment");
    let expected = json!({ "environment_name": "tea-prod", "version_label": "app-7", "deployment_id": 32 });
    assert_eq!(aws(&segment), json!({ "elastic_beanstalk": expected }));
}

// ===== all of them =====

#[tokio::test]
async fn the_most_specific_is_the_origin_and_all_that_is_known_is_said() {
    let endpoint = Endpoint::start(|asked| match asked.path.as_str() {
        "/latest/api/token" => answer(200, "imds-t0ken"),
        "/latest/dynamic/instance-identity/document" => answer(200, DOCUMENT),
        _ => answer(200, CONTAINER),
    })
    .await;
    let (url, metadata) = (endpoint.url(), format!("{}/v4", endpoint.url()));
    let variables: Pairs<'_> =
        &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url), ("ECS_CONTAINER_METADATA_URI_V4", &metadata)];
    let environment = || container().file(ENVIRONMENT, r#"{"environment_name":"tea-prod"}"#);
    for (plugins, origin) in [
        (&[Plugin::Ec2, Plugin::Ecs, Plugin::ElasticBeanstalk][..], "AWS::ElasticBeanstalk::Environment"),
        (&[Plugin::Ec2, Plugin::Ecs][..], "AWS::ECS::Container"),
    ] {
        let segment = segment(plugins, variables, &environment()).await;
        assert_eq!(segment["origin"], origin);
        assert_eq!(segment["aws"]["ec2"], expected_ec2());
        assert_eq!(segment["aws"]["ecs"]["container"], "ip-10-0-0-7");
        assert_eq!(segment["aws"].get("elastic_beanstalk").is_some(), origin.contains("Beanstalk"));
    }
}

#[tokio::test]
async fn where_no_file_has_the_name_of_the_host_a_variable_does() {
    let variables = [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("HOSTNAME", "shop-5d8c9-x2x7k")];
    let path = "proc/sys/kernel/hostname";
    let folder_of_that_name = Folder::new().file(&format!("{path}/x"), "");
    let too_long = Folder::new().file(path, "x".repeat(70_000));
    for root in [Folder::new(), Folder::new().file(path, " \n"), folder_of_that_name, too_long] {
        let segment = segment(&[Plugin::Eks], &variables, &root).await;
        assert_eq!(segment["aws"]["eks"]["pod"], "shop-5d8c9-x2x7k");
    }
}

// ===== what goes wrong =====

#[tokio::test]
async fn answers_that_are_wrong_or_endless_leave_no_trace_and_no_panic() {
    let huge = format!(r#"{{"instanceId":"i-1","padding":"{}"}}"#, "x".repeat(100_000));
    let wrong = ["", "[]", "{", "null", r#"{"instanceId":7}"#, "{}", &huge].map(str::to_owned);
    for body in wrong {
        let script = {
            let body = body.clone();
            move |asked: &Received| -> Answer {
                let is_token = asked.path == "/latest/api/token";
                answer(200, if is_token { "imds-t0ken".to_owned() } else { body.clone() })
            }
        };
        let endpoint = Endpoint::start(script).await;
        let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*endpoint.url())];
        let root = Folder::new().file(ENVIRONMENT, &body);
        let segment = segment(&[Plugin::Ec2, Plugin::ElasticBeanstalk], &variables, &root).await;
        let shown = &body[..body.len().min(40)];
        assert_eq!((segment.get("origin"), aws(&segment)), (None, json!({})), "{shown}");
    }
}

#[tokio::test]
async fn metadata_of_ecs_that_is_wrong_costs_only_what_it_would_have_told() {
    for body in
        ["", "[]", "null", r#"{"DockerId":7}"#, r#"{"ContainerARN":"arn:aws"}"#, r#"{"LogOptions":{}}"#]
    {
        let endpoint = Endpoint::start(move |_| answer(200, body)).await;
        let variables = [("ECS_CONTAINER_METADATA_URI_V4", &*endpoint.url())];
        let segment = segment(&[Plugin::Ecs], &variables, &container()).await;
        assert_eq!(segment["aws"]["ecs"]["container_id"], ID, "{body}");
        assert!(segment["aws"].get("cloudwatch_logs").is_none(), "{body}");
        assert!(segment["aws"].get("account_id").is_none(), "{body}");
    }
}

#[tokio::test]
async fn who_does_not_answer_delays_neither_the_start_nor_a_request_and_is_asked_once() {
    let silent = Backend::plain(Reply::Silence).await;
    let url = format!("http://{}", silent.address);
    let variables: Pairs<'_> =
        &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url), ("ECS_CONTAINER_METADATA_URI_V4", &url)];
    let (traced, root, begun) = (Traced::new("shop").await, container(), Instant::now());
    let builder = lookup(&[Plugin::Ec2, Plugin::Ecs], variables).unwrap().root(root.path());
    let plugins = builder.start(&traced.outbox);
    let layer = traced.layer.clone().plugins(plugins.clone());
    serve(&layer).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(!plugins.is_done() && plugins.origin().is_none());
    done(&plugins).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    serve(&layer).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(silent.requests().len(), 2);
    let origins = traced.documents().await.into_iter().map(|one| segments::json(&one)["origin"].clone());
    assert_eq!(origins.collect::<Vec<_>>(), [Value::Null, "AWS::ECS::Container".into()]);
}

#[tokio::test]
async fn only_if_nothing_is_found_at_all_it_is_an_event() {
    for (root, expected) in [(container(), 0), (Folder::new(), 1)] {
        let events = Arc::<Mutex<Vec<OutboxEvent>>>::default();
        let keep = events.clone();
        let outbox = Outbox::builder().events(move |event| keep.lock().unwrap().push(event.clone()));
        let outbox = outbox.start().unwrap();
        let builder = lookup(&[Plugin::Ecs, Plugin::ElasticBeanstalk], &[]).unwrap();
        done(&builder.root(root.path()).start(&outbox)).await;
        let events = events.lock().unwrap();
        assert_eq!(events.len(), expected, "{events:?}");
        for event in &*events {
            let OutboxEvent::Failed { lane, reason, .. } = event else { panic!("{event:?}") };
            assert_eq!((&**lane, reason.phrase()), ("xray plugins", "nothing found"));
            assert_eq!(reason.words(), Some("elastic_beanstalk not there, ecs not there"));
        }
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_them() {
    let silent = Backend::plain(Reply::Silence).await;
    let url = format!("http://{}", silent.address);
    let outbox = Outbox::builder().start().unwrap();
    let plugins =
        lookup(&[Plugin::Ec2], &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]).unwrap().start(&outbox);
    sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    outbox.shutdown(Duration::from_secs(10)).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(!plugins.is_done());
}

#[test]
fn a_variable_that_cannot_be_used_is_named() {
    for (plugin, name, value) in [
        (Plugin::Ec2, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"),
        (Plugin::Ecs, "ECS_CONTAINER_METADATA_URI_V4", "/v4/ea32"),
        (Plugin::Ecs, "ECS_CONTAINER_METADATA_URI", "ftp://x"),
        (Plugin::Eks, "KUBERNETES_SERVICE_HOST", "not a host"),
    ] {
        let error = lookup(&[plugin], &[(name, value)]).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains(name), "{error}");
    }
    let port: Pairs<'_> = &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "many")];
    let error = lookup(&[Plugin::Eks], port).unwrap_err();
    assert!(error.to_string().contains("KUBERNETES_SERVICE_PORT"), "{error}");
}

// ===== what needs no plugin =====

#[tokio::test]
async fn log_groups_and_a_version_are_said_without_any_plugin() {
    let traced = Traced::new("shop").await;
    let layer = traced.layer.clone().version("1.2.3").log_group("/shop/web");
    serve(&layer.log_group("arn:aws:logs:eu-west-1:111122223333:log-group:/shop/db:*")).await;
    let segment = last(traced).await;
    assert_eq!(segment["service"], json!({ "version": "1.2.3", "compiler": "rustc" }));
    assert_eq!(
        segment["aws"]["cloudwatch_logs"],
        json!([
            { "log_group": "/shop/web" },
            { "log_group": "/shop/db", "arn": "arn:aws:logs:eu-west-1:111122223333:log-group:/shop/db" },
        ])
    );
}

#[tokio::test]
async fn a_log_group_that_is_known_twice_is_said_once() {
    let endpoint = Endpoint::start(|_| answer(200, CONTAINER)).await;
    let (traced, root) = (Traced::new("shop").await, container());
    let builder = lookup(&[Plugin::Ecs], &[("ECS_CONTAINER_METADATA_URI_V4", &endpoint.url())]).unwrap();
    let plugins = builder.root(root.path()).start(&traced.outbox);
    done(&plugins).await;
    serve(&traced.layer.clone().plugins(plugins).log_group("/shop/web").log_group("/ecs/metadata")).await;
    let logs = last(traced).await["aws"]["cloudwatch_logs"].clone();
    assert_eq!(logs, json!([{ "log_group": "/shop/web" }, { "log_group": "/ecs/metadata" }]));
}

// ===== the sampler =====

/// A rule for services on instances, which are all recorded.
const RULES: &str = r#"{ "SamplingRuleRecords": [{ "SamplingRule": {
    "RuleName": "instances", "ResourceARN": "*", "Priority": 1, "FixedRate": 1.0, "ReservoirSize": 0,
    "ServiceName": "*", "ServiceType": "AWS::EC2::*", "Host": "*", "HTTPMethod": "*", "URLPath": "*",
    "Version": 1, "Attributes": {}
}}]}"#;

#[tokio::test]
async fn rules_are_asked_about_the_origin() {
    let endpoint =
        Endpoint::start(|asked| answer(200, if asked.path == "/GetSamplingRules" { RULES } else { "{}" }))
            .await;
    let (traced, root) = (Traced::new("shop").await, container());
    let proxy = DaemonProxy::new(&endpoint.address.to_string().parse().unwrap()).unwrap();
    let sampler = Sampler::central(proxy, Sampler::none(), &traced.outbox);
    let plugins = lookup(&[Plugin::Ecs], &[]).unwrap().root(root.path()).start(&traced.outbox);
    done(&plugins).await;
    // What is not known matches every rule.
    let unknown = traced.layer.clone().sample(sampler.clone()).version("unknown");
    let container = traced.layer.clone().sample(sampler).version("container").plugins(plugins);
    for _ in 0..100 {
        serve(&unknown).await;
        serve(&container).await;
        sleep(Duration::from_millis(5)).await;
    }
    let versions = traced.documents().await;
    let mut versions = versions.iter().map(|document| segments::json(document)["service"]["version"].clone());
    assert!(versions.len() > 0 && versions.all(|version| version == "unknown"));
}
