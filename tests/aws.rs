//! Requests to AWS: whose keys, whose clock, and where to.
#![cfg(feature = "aws")]

#[path = "support/aws.rs"]
mod endpoint;
#[path = "support/log.rs"]
mod log;

use std::{
    collections::HashMap,
    error::Error as _,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use belvedere::aws::{Client, CredentialsChain, Region, Service, ServiceError};
use endpoint::{Answer, Endpoint, Received, answer, refusal};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::advance;

type Pairs<'a> = &'a [(&'a str, &'a str)];

// ===== regions and endpoints =====

#[test]
fn the_region_is_the_first_of_its_two_variables() {
    let region =
        |pairs: Pairs<'_>| Region::lookup(variables(pairs)).unwrap().map(|region| region.to_string());
    assert_eq!(region(&[]), None);
    assert_eq!(region(&[("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap(), "eu-west-1");
    let both = [("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "eu-west-1")];
    assert_eq!(region(&both).unwrap(), "us-east-1");
}

#[test]
fn what_cannot_be_a_region_is_an_error_that_names_its_variable() {
    for text in
        ["EU-WEST-1", "eu west", "eu-west-1.evil.example/", "-eu", "eu-", "eu_west", "é", &"a".repeat(64)]
    {
        let error = Region::lookup(variables(&[("AWS_DEFAULT_REGION", text)])).unwrap_err();
        assert!(error.is_invalid() && error.to_string().contains("AWS_DEFAULT_REGION"), "{text}: {error}");
    }
}

#[test]
fn a_service_is_where_its_partition_is() {
    for (region, host) in [
        ("eu-central-1", "xray.eu-central-1.amazonaws.com"),
        ("us-gov-west-1", "xray.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "xray.cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", "xray.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "xray.us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "xray.eusc-de-east-1.amazonaws.eu"),
    ] {
        let client = lookup(&[("AWS_REGION", region)]).unwrap();
        assert_eq!(client.endpoint().to_string(), format!("https://{host}/"));
    }
}

#[test]
fn an_endpoint_of_the_services_own_goes_before_the_one_for_all() {
    let own = ("AWS_ENDPOINT_URL_XRAY", "http://localhost:1");
    let all = ("AWS_ENDPOINT_URL", "http://localhost:2/base");
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let other = ("AWS_ENDPOINT_URL_S3", "http://localhost:3");
    for (pairs, expected) in [
        (vec![own, all], "http://localhost:1/"),
        (vec![all, other], "http://localhost:2/base"),
        (vec![other], "https://xray.eu-west-1.amazonaws.com/"),
        (vec![own, all, ignore], "https://xray.eu-west-1.amazonaws.com/"),
    ] {
        let pairs = [&[("AWS_REGION", "eu-west-1")], &*pairs].concat();
        assert_eq!(lookup(&pairs).unwrap().endpoint().to_string(), expected, "{pairs:?}");
    }
}

#[test]
fn what_cannot_be_used_is_an_error_that_names_its_variable_and_shows_no_secret() {
    for (pairs, name) in [
        (&[("AWS_REGION", "")][..], "AWS_REGION"),
        (&[("AWS_REGION", "a"), ("AWS_ENDPOINT_URL", "localhost:4566")], "AWS_ENDPOINT_URL"),
        (&[("AWS_REGION", "a"), ("AWS_ENDPOINT_URL_XRAY", "ftp://localhost")], "AWS_ENDPOINT_URL_XRAY"),
        (&[("AWS_REGION", "a"), ("AWS_ACCESS_KEY_ID", "s3cret")], "AWS_SECRET_ACCESS_KEY"),
        (&[("AWS_REGION", "a"), ("AWS_SECRET_ACCESS_KEY", "s3cret")], "AWS_ACCESS_KEY_ID"),
        (&[("AWS_REGION", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")], "AWS_WEB_IDENTITY_TOKEN_FILE"),
        (&[("AWS_REGION", "a"), (RELATIVE, "credentials")], RELATIVE),
        (&[("AWS_REGION", "a"), (FULL, "not a url")], FULL),
        (&[("AWS_REGION", "a"), (FULL, "http://192.0.2.1/role")], FULL),
        (&[("AWS_REGION", "a"), (FULL, "http://169.254.169.254/role")], FULL),
        (&[("AWS_REGION", "a"), (FULL, "http://[2001:db8::1]/role")], FULL),
        (&[("AWS_REGION", "a"), (RELATIVE, "/role"), (TOKEN, "s3c\nret")], TOKEN),
        (&[("AWS_REGION", "a"), (IMDS, "169.254.169.254")], IMDS),
        (&[("AWS_REGION", "a"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5")], "ENDPOINT_MODE"),
    ] {
        let error = lookup(pairs).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(error.is_invalid() && text.contains(name), "{pairs:?}: {text}");
        assert!(!text.contains("s3c"), "{text}");
    }
}

#[test]
fn a_container_may_be_asked_in_clear_on_its_own_machine_and_by_tls_anywhere() {
    for uri in [
        "http://127.0.0.1:1234/role",
        "http://[::1]/role",
        "http://169.254.170.2/role",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://192.0.2.1/role",
        "https://vault.example/role",
    ] {
        CredentialsChain::lookup(variables(&[(FULL, uri)])).unwrap_or_else(|error| panic!("{uri}: {error}"));
    }
}

// ===== credentials =====

#[tokio::test]
async fn keys_of_the_environment_go_before_all_others() {
    let pairs =
        [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "s3cret"), ("AWS_SESSION_TOKEN", "t0ken")];
    let chain =
        chain(&[&pairs[..], &[(RELATIVE, "/role"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]].concat());
    let credentials = chain.provide_credentials().await.unwrap();
    assert_eq!(credentials.access_key_id(), "AKID");
    assert_eq!(credentials.session_token(), Some("t0ken"));
    let text = format!("{chain:?}");
    assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{text}");
}

#[tokio::test]
async fn a_container_shows_its_token_and_gets_credentials() {
    let endpoint = Endpoint::start(|_| answer(200, keys("ASIACONTAINER", Duration::from_secs(3600)))).await;
    let uri = format!("{}/v2/credentials/1?a=b", endpoint.url());
    let chain = chain(&[(FULL, &uri), (TOKEN, "t0ken")]);
    let credentials = chain.provide_credentials().await.unwrap();
    assert_eq!(credentials.access_key_id(), "ASIACONTAINER");
    assert!(credentials.expiry().is_some());
    let received = &endpoint.received()[0];
    assert_eq!((received.method.clone(), &*received.path), (Method::GET, "/v2/credentials/1?a=b"));
    assert_eq!(received.header("authorization"), "t0ken");
    assert!(!format!("{chain:?}").contains("t0ken"));
}

#[tokio::test]
async fn a_token_in_a_file_is_read_each_time_and_goes_before_the_variable() {
    let file = std::env::temp_dir().join(format!("belvedere-token-{}", std::process::id()));
    let endpoint = Endpoint::start(|_| answer(200, keys("ASIAPOD", Duration::from_secs(3600)))).await;
    let (uri, path) = (format!("{}/v1/credentials", endpoint.url()), file.to_str().unwrap());
    let chain = chain(&[(FULL, &uri), (TOKEN, "other"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path)]);
    assert!(chain.provide_credentials().await.is_err(), "the file is not there");
    for token in ["one", "two\n"] {
        fs::write(&file, token).unwrap();
        chain.provide_credentials().await.unwrap();
    }
    fs::remove_file(&file).unwrap();
    let shown: Vec<_> =
        endpoint.received().iter().map(|one| one.header("authorization").to_owned()).collect();
    assert_eq!(shown, ["one", "two"]);
}

#[tokio::test]
async fn a_name_in_clear_is_asked_where_all_that_it_stands_for_is_the_machine_itself() {
    let endpoint = Endpoint::start(|_| answer(200, keys("ASIALOCAL", Duration::from_secs(3600)))).await;
    let port = endpoint.address.port();
    let local = chain(&[(FULL, &format!("http://localhost:{port}/role"))]);
    assert_eq!(local.provide_credentials().await.unwrap().access_key_id(), "ASIALOCAL");
    let unknown = chain(&[(FULL, "http://no-such-host.invalid/role")]);
    assert!(matches!(unknown.provide_credentials().await, Err(CredentialsError::ProviderError(_))));
}

#[tokio::test]
async fn an_instance_is_asked_for_a_token_a_role_and_its_credentials() {
    let endpoint = Endpoint::start(instance).await;
    let credentials = chain(&[(IMDS, &endpoint.url())]).provide_credentials().await.unwrap();
    assert_eq!(credentials.access_key_id(), "ASIAINSTANCE");
    let received = endpoint.received();
    let asked: Vec<_> = received.iter().map(|one| (one.method.as_str(), &*one.path)).collect();
    let roles = "/latest/meta-data/iam/security-credentials/";
    let role = format!("{roles}web-server");
    assert_eq!(asked, [("PUT", "/latest/api/token"), ("GET", roles), ("GET", &*role)]);
    assert_eq!(received[0].header("x-aws-ec2-metadata-token-ttl-seconds"), "60");
    assert!(received[1..].iter().all(|one| one.header("x-aws-ec2-metadata-token") == "imds-t0ken"));
}

#[tokio::test]
async fn an_instance_without_a_role_has_no_credentials() {
    let endpoint = Endpoint::start(|one| match &*one.path {
        "/latest/api/token" => answer(200, "imds-t0ken"),
        _ => answer(404, ""),
    })
    .await;
    let error = chain(&[(IMDS, &endpoint.url())]).provide_credentials().await.unwrap_err();
    assert!(matches!(error, CredentialsError::CredentialsNotLoaded(_)), "{error:?}");
    assert!(error.source().unwrap().to_string().contains("no role"));
}

#[tokio::test]
async fn an_instance_that_is_switched_off_is_not_asked() {
    let endpoint = Endpoint::start(instance).await;
    let pairs = [(IMDS, &*endpoint.url()), ("AWS_EC2_METADATA_DISABLED", "TRUE")];
    assert!(chain(&pairs).provide_credentials().await.is_err());
    assert_eq!(endpoint.received().len(), 0);
}

#[tokio::test]
async fn no_error_shows_what_an_endpoint_answered() {
    for body in ["s3cret", r#"{"AccessKeyId":"s3cret"}"#, r#"{"Code":"Failed","Message":"s3cret"}"#] {
        let endpoint = Endpoint::start(move |_| answer(200, body)).await;
        let error = chain(&[(FULL, &endpoint.url())]).provide_credentials().await.unwrap_err();
        let text = format!("{error:?} {error} {:?}", error.source().map(ToString::to_string));
        assert!(!text.contains("s3cret"), "{text}");
    }
}

// ===== keeping them =====

#[tokio::test]
async fn credentials_are_asked_for_once_for_all_callers() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let provider = Counting::new(|number| Ok(expiring(number, Duration::from_secs(3600))));
    let client = client(&endpoint, provider.clone());
    let posts = (0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.post("/", &HeaderMap::new(), "{}".into()).await.unwrap().status })
    });
    for post in posts.collect::<Vec<_>>() {
        assert_eq!(post.await.unwrap(), StatusCode::OK);
    }
    assert_eq!((provider.asked(), endpoint.received().len()), (1, 8));
}

#[tokio::test]
async fn credentials_are_asked_for_again_shortly_before_they_expire() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let provider = Counting::new(|number| Ok(expiring(number, Duration::from_secs(3600))));
    let client = client(&endpoint, provider.clone());
    for (minutes, expected) in [(0, 1), (54, 1), (2, 2), (54, 2), (2, 3)] {
        forward(minutes * 60).await;
        post(&client).await;
        assert_eq!(provider.asked(), expected, "after {minutes} minutes");
    }
    let keys: Vec<_> = endpoint.received().iter().map(|one| one.key().to_owned()).collect();
    assert_eq!(keys, ["AKID0", "AKID0", "AKID1", "AKID1", "AKID2"]);
}

#[tokio::test]
async fn what_has_expired_is_used_on_while_there_is_nothing_else() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let provider = Counting::new(|number| match number {
        0 => Ok(expiring(0, Duration::from_secs(600))),
        _ => Err(CredentialsError::not_loaded("gone")),
    });
    let client = client(&endpoint, provider.clone());
    for (seconds, expected) in [(0, 1), (301, 2), (10, 2), (21, 3), (3600, 4)] {
        forward(seconds).await;
        post(&client).await;
        assert_eq!(provider.asked(), expected, "after {seconds} s");
    }
    assert!(endpoint.received().iter().all(|one| one.key() == "AKID0"));
}

#[tokio::test]
async fn credentials_that_are_already_expired_are_not_asked_for_with_each_request() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let provider = Counting::new(|number| Ok(expiring(number, Duration::ZERO)));
    let client = client(&endpoint, provider.clone());
    for expected in [1, 1, 1] {
        post(&client).await;
        assert_eq!(provider.asked(), expected);
    }
    forward(31).await;
    post(&client).await;
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let client = client(&endpoint, Hanging);
    let error = client.post("/", &HeaderMap::new(), "{}".into()).await.unwrap_err();
    assert!(error.is_credentials(), "{error}");
    assert_eq!((error.reason(), endpoint.received().len()), ("no credentials", 0));
}

// ===== signed requests =====

#[tokio::test]
async fn a_post_is_signed_for_its_service_and_region() {
    let endpoint = Endpoint::start(|_| answer(200, r#"{"NextToken":null}"#)).await;
    let credentials = Credentials::new("AKID", "s3cret", Some("t0ken".to_owned()), None, "test");
    let client = client(&endpoint, credentials);
    let headers =
        HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let answer = client.post("/GetSamplingRules", &headers, "{}".into()).await.unwrap();
    assert_eq!(answer.body, r#"{"NextToken":null}"#);

    let received = &endpoint.received()[0];
    assert_eq!((received.method.clone(), &*received.path), (Method::POST, "/GetSamplingRules"));
    assert_eq!(received.body, "{}");
    assert_eq!(received.header("x-amz-security-token"), "t0ken");
    let (authorization, date) = (received.header("authorization"), received.header("x-amz-date"));
    let scope = format!("Credential=AKID/{}/eu-west-1/xray/aws4_request", &date[..8]);
    assert!(authorization.contains(&scope), "{authorization}");
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token";
    assert!(authorization.contains(signed), "{authorization}");
    let text = format!("{client:?}");
    assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{text}");
}

#[tokio::test]
async fn an_endpoint_may_have_a_path_of_its_own() {
    let endpoint = Endpoint::start(|_| answer(200, "{}")).await;
    let pairs = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_ENDPOINT_URL_XRAY", &format!("{}/base/", endpoint.url())),
    ];
    post(&Client::lookup(Service::XRAY, variables(&pairs)).unwrap()).await;
    assert_eq!(endpoint.received()[0].path, "/base/TraceSegments");
}

#[tokio::test]
async fn a_wrong_clock_is_set_by_the_answer_and_stays_set() {
    for (code, hours) in
        [("InvalidSignatureException", 3), ("RequestTimeTooSkewed", -3), ("RequestExpired", 3)]
    {
        let theirs = move || shifted(SystemTime::now(), hours);
        let endpoint = Endpoint::start(move |one| {
            let mut answer = if is_near(one, theirs()) { answer(200, "{}") } else { refusal(403, code) };
            let date = httpdate(theirs());
            answer.headers_mut().insert("date", HeaderValue::from_str(&date).unwrap());
            answer
        })
        .await;
        let provider = Counting::new(|number| Ok(expiring(number, Duration::from_secs(3600))));
        let client = client(&endpoint, provider.clone());
        assert_eq!(post(&client).await, StatusCode::OK, "{code}");
        assert_eq!(endpoint.received().len(), 2, "{code}: once more, and no oftener");
        assert_eq!(post(&client.clone()).await, StatusCode::OK);
        assert_eq!(endpoint.received().len(), 3, "{code}: the clock stays set");
        assert_eq!(provider.asked(), 1, "{code}: the keys were not to blame");
    }
}

#[tokio::test]
async fn a_date_is_not_learned_from_answers_that_do_not_complain_about_it() {
    let endpoint = Endpoint::start(|_| {
        let mut answer = refusal(403, "AccessDeniedException");
        let date = httpdate(shifted(SystemTime::now(), 3));
        answer.headers_mut().insert("date", HeaderValue::from_str(&date).unwrap());
        answer
    })
    .await;
    let client = client(&endpoint, Credentials::new("AKID", "s3cret", None, None, "test"));
    for _ in 0..2 {
        assert_eq!(post(&client).await, StatusCode::FORBIDDEN);
    }
    let received = endpoint.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|one| is_near(one, SystemTime::now())));
}

#[tokio::test]
async fn keys_that_are_not_taken_are_replaced_once() {
    for code in ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"] {
        let endpoint = Endpoint::start(move |one| match one.key() {
            "AKID0" => refusal(403, code),
            _ => answer(200, "{}"),
        })
        .await;
        let provider = Counting::new(|number| Ok(expiring(number, Duration::from_secs(3600))));
        let client = client(&endpoint, provider.clone());
        assert_eq!(post(&client).await, StatusCode::OK, "{code}");
        assert_eq!((provider.asked(), endpoint.received().len()), (2, 2), "{code}");
    }
}

#[tokio::test]
async fn keys_that_nobody_can_replace_are_not_sent_twice() {
    let endpoint = Endpoint::start(|_| refusal(403, "UnrecognizedClientException")).await;
    let client = client(&endpoint, Credentials::new("AKID", "s3cret", None, None, "test"));
    let answer = client.post("/", &HeaderMap::new(), "{}".into()).await.unwrap();
    let error = ServiceError::of(&answer).unwrap();
    assert_eq!((error.code(), error.message()), ("UnrecognizedClientException", ""));
    assert_eq!(endpoint.received().len(), 1);
}

#[tokio::test]
async fn a_service_that_refuses_everything_does_not_have_each_request_ask_for_other_keys() {
    let endpoint = Endpoint::start(|_| refusal(403, "UnrecognizedClientException")).await;
    let provider = Counting::new(|number| Ok(expiring(number, Duration::from_secs(3600))));
    let client = client(&endpoint, provider.clone());
    for _ in 0..10 {
        assert_eq!(post(&client).await, StatusCode::FORBIDDEN);
    }
    assert_eq!((provider.asked(), endpoint.received().len()), (2, 11));
}

#[tokio::test]
async fn no_log_line_of_any_level_shows_a_secret() {
    let log = log::Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE);
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let endpoint = Endpoint::start(|one| match &*one.path {
        "/TraceSegments" => refusal(403, "InvalidSignatureException"),
        _ => answer(200, keys("ASIACONTAINER", Duration::from_secs(3600))),
    })
    .await;
    let chain = chain(&[(FULL, &format!("{}/role", endpoint.url())), (TOKEN, "authorization-t0ken")]);
    assert_eq!(post(&client(&endpoint, chain)).await, StatusCode::FORBIDDEN);
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains("TRACE")), "{lines:?}");
    let shown: Vec<_> =
        lines.iter().filter(|line| line.contains("s3cret") || line.contains("t0ken")).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

// ===== doubles =====

/// A provider that counts how often it is asked.
#[derive(Clone)]
struct Counting {
    asked: Arc<AtomicUsize>,
    give: Arc<dyn Fn(usize) -> Result<Credentials, CredentialsError> + Send + Sync>,
}

impl Counting {
    fn new(give: impl Fn(usize) -> Result<Credentials, CredentialsError> + Send + Sync + 'static) -> Self {
        Self { asked: Arc::default(), give: Arc::new(give) }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::new(async move {
            tokio::task::yield_now().await;
            (self.give)(number)
        })
    }
}

#[derive(Debug)]
struct Hanging;

impl ProvideCredentials for Hanging {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

fn instance(one: &Received) -> Answer {
    match &*one.path {
        "/latest/api/token" => answer(200, "imds-t0ken"),
        "/latest/meta-data/iam/security-credentials/" => answer(200, "web-server"),
        "/latest/meta-data/iam/security-credentials/web-server" => {
            answer(200, keys("ASIAINSTANCE", Duration::from_secs(6 * 3600)))
        }
        _ => answer(404, ""),
    }
}

fn keys(id: &str, lifetime: Duration) -> String {
    let expiration = time::OffsetDateTime::from(SystemTime::now() + lifetime);
    let expiration = expiration.format(&time::format_description::well_known::Rfc3339).unwrap();
    format!(
        r#"{{"Code":"Success","AccessKeyId":"{id}","SecretAccessKey":"s3cret","Token":"t0ken","Expiration":"{expiration}"}}"#
    )
}

fn expiring(number: usize, lifetime: Duration) -> Credentials {
    Credentials::new(format!("AKID{number}"), "s3cret", None, Some(SystemTime::now() + lifetime), "test")
}

fn client(endpoint: &Endpoint, credentials: impl ProvideCredentials + 'static) -> Client {
    let builder = Client::builder(Service::XRAY, "eu-west-1".parse().unwrap(), credentials);
    builder.endpoint(endpoint.url().parse().unwrap()).build().unwrap()
}

async fn post(client: &Client) -> StatusCode {
    client.post("/TraceSegments", &HeaderMap::new(), "{}".into()).await.unwrap().status
}

/// Moves the clock of spans of time, and no more: sockets need a clock that goes on.
async fn forward(seconds: u64) {
    tokio::time::pause();
    advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

fn lookup(pairs: Pairs<'_>) -> Result<Client, belvedere::Error> {
    Client::lookup(Service::XRAY, variables(pairs))
}

fn chain(pairs: Pairs<'_>) -> CredentialsChain {
    CredentialsChain::lookup(variables(pairs)).unwrap()
}

fn variables(pairs: Pairs<'_>) -> impl Fn(&str) -> Option<String> + use<> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: HashMap<_, _> = pairs.iter().map(owned).collect();
    move |name| variables.get(name).cloned()
}

/// Whether a request was signed at about that time.
fn is_near(one: &Received, time: SystemTime) -> bool {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed = time::PrimitiveDateTime::parse(one.header("x-amz-date"), format).unwrap().assume_utc();
    (time::OffsetDateTime::from(time) - signed).abs() < Duration::from_secs(30)
}

fn shifted(time: SystemTime, hours: i64) -> SystemTime {
    let by = Duration::from_secs(hours.unsigned_abs() * 3600);
    if hours < 0 { time - by } else { time + by }
}

fn httpdate(time: SystemTime) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time::OffsetDateTime::from(time).format(format).unwrap()
}

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const IMDS: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
