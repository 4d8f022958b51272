//! Clients by what AWS's SDK for Rust has loaded.
#![cfg(all(feature = "aws-config", feature = "full"))]

#[path = "support/aws.rs"]
mod endpoint;
#[path = "support/http.rs"]
mod http_backend;
mod support;

use std::{convert::Infallible, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_types::{
    sdk_config::Builder,
    service_config::{LoadServiceConfig, ServiceConfigKey},
};
use belvedere::{
    aws::{Client, Service},
    outbox::Outbox,
    xray::{Api, Sampler, SegmentLane, XRayLayer},
};
use endpoint::{Endpoint, answer};
use http::{HeaderMap, Request, Response};
use http_backend::{Backend, Reply};
use support::Script;
use tower::{Layer as _, ServiceExt as _, service_fn};

/// What a user might have built by hand.
fn by_hand() -> Builder {
    let credentials = Credentials::new("AKIAHAND", "s3cret", None, None, "test");
    SdkConfig::builder()
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
}

fn client(config: Builder) -> Client {
    Client::from_sdk_config(Service::XRAY, &config.build()).unwrap().build().unwrap()
}

#[track_caller]
fn refusal(config: Builder) -> String {
    let error = Client::from_sdk_config(Service::XRAY, &config.build()).unwrap_err();
    assert!(error.is_invalid());
    error.to_string()
}

/// What the SDK loads with a file of profiles, of which one is `shop`. Its own chains of regions and credentials want a
/// client of HTTP, also for what is in a file.
#[expect(deprecated, reason = "the new names are those of a crate that users need not know")]
async fn load(profiles: String) -> SdkConfig {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    aws_config::defaults(BehaviorVersion::latest())
        .profile_files(ProfileFiles::builder().with_contents(ProfileFileKind::Config, profiles).build())
        .profile_name("shop")
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIALOADED", "s3cret", None, None, "test"))
        .load()
        .await
}

/// What the SDK finds for one service alone.
#[derive(Debug)]
struct OfOne(&'static str, &'static str);

impl LoadServiceConfig for OfOne {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let asked = (key.service_id(), key.env(), key.profile());
        (asked == (self.0, "AWS_ENDPOINT_URL", "endpoint_url")).then(|| self.1.to_owned())
    }
}

#[tokio::test]
async fn segments_arrive_where_a_profile_says_by_the_region_and_the_keys_that_were_loaded() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let url = endpoint.url();
    let profiles =
        format!("[profile shop]\nservices = local\n[services local]\nxray =\n  endpoint_url = {url}\n");
    let config = load(profiles).await;
    let client = Client::from_sdk_config(Service::XRAY, &config).unwrap().build().unwrap();
    let outbox = Outbox::builder().start().unwrap();
    let layer = XRayLayer::on("shop", SegmentLane::api(&outbox, Api::new(client))).sample(Sampler::all());
    let service =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Script::new().last())) });
    drop(layer.layer(service).oneshot(Request::get("/").body(()).unwrap()).await.unwrap());
    let report = outbox.shutdown(Duration::from_secs(10)).await;
    assert_eq!(report.lost(), 0, "{report}");
    let [request] = &endpoint.received()[..] else { panic!("{:?}", endpoint.received()) };
    assert_eq!((request.path.as_str(), request.key()), ("/TraceSegments", "AKIALOADED"));
    assert!(request.header("authorization").contains("/eu-central-1/xray/aws4_request"));
}

#[test]
fn without_an_endpoint_it_is_where_aws_has_it() {
    let client = client(by_hand());
    assert_eq!(client.endpoint().to_string(), "https://xray.eu-west-1.amazonaws.com/");
    assert_eq!(client.region().as_str(), "eu-west-1");
}

#[test]
fn what_the_code_says_goes_before_the_services_own_and_that_before_the_one_for_all() {
    let own = || OfOne("XRAY", "http://localhost:1");
    let all = || by_hand().endpoint_url("http://localhost:2");
    let endpoint = |config: Builder| client(config).endpoint().to_string();
    assert_eq!(endpoint(by_hand().service_config(own())), "http://localhost:1/");
    assert_eq!(endpoint(all()), "http://localhost:2/");
    assert_eq!(endpoint(all().service_config(own())), "http://localhost:1/");
    assert_eq!(endpoint(all().service_config(OfOne("S3", "http://localhost:1"))), "http://localhost:2/");
    let mut by_code = all().service_config(own());
    by_code.insert_origin("endpoint_url", aws_types::origin::Origin::shared_config());
    assert_eq!(endpoint(by_code), "http://localhost:2/");
}

#[test]
fn what_is_missing_or_cannot_be_used_is_said() {
    let mut nowhere = by_hand();
    nowhere.set_region(None);
    assert!(refusal(nowhere).contains("region"));
    let mut nobody = by_hand();
    nobody.set_credentials_provider(None);
    assert!(refusal(nobody).contains("credentials_provider"));
    assert!(refusal(by_hand().region(Region::new("eu west"))).contains("eu west"));
    assert!(refusal(by_hand().endpoint_url("localhost")).contains("endpoint_url"));
}

#[test]
fn endpoints_of_another_kind_are_not_passed_over_in_silence() {
    assert!(refusal(by_hand().use_fips(true)).contains("use_fips"));
    assert!(refusal(by_hand().use_dual_stack(true)).contains("use_dual_stack"));
    let fips = "https://xray-fips.us-east-1.amazonaws.com/";
    assert_eq!(client(by_hand().use_fips(true).endpoint_url(fips)).endpoint(), fips);
    assert_eq!(client(by_hand().use_fips(false)).endpoint(), "https://xray.eu-west-1.amazonaws.com/");
}

#[tokio::test]
async fn the_limit_of_one_attempt_is_that_of_one_request() {
    let silent = Backend::plain(Reply::Silence).await;
    let limit = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(100));
    let limit = limit.operation_timeout(Duration::from_secs(60)).build();
    let config = by_hand().endpoint_url(format!("http://{}", silent.address)).timeout_config(limit);
    let asked = client(config);
    let headers = HeaderMap::new();
    let asked = asked.post("/", &headers, "{}".into());
    let error = tokio::time::timeout(Duration::from_secs(5), asked).await.unwrap().unwrap_err();
    assert_eq!(error.reason(), "timeout");
}
