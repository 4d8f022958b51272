//! The client layer on every client, over sockets: what its span says, and that the client cannot tell.
#![cfg(feature = "full")]

mod support;
#[path = "support/http.rs"]
mod wire;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use belvedere::{
    adapter::{Reqwest, ReqwestClient},
    exchange::Resends,
    otel::{OtelClientLayer, ResendCountLayer},
};
use bytes::Bytes;
use futures_util::{FutureExt as _, TryStreamExt as _};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry_sdk::trace::SpanData;
use support::{
    Script, Server, Spans,
    greeter::{GreeterClient, SAY_HELLO, SAY_HELLOS},
    layers::{exception, lasted, text},
    spans::{attributes, status},
};
use tokio::{io::AsyncReadExt as _, net::TcpListener, time::timeout};
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};
use tower::{
    BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _,
    layer::util::Identity,
    retry::{Policy, RetryLayer},
    service_fn,
};
use tower_http::follow_redirect::{
    FollowRedirectLayer,
    policy::{FilterCredentials, Limited, PolicyExt as _},
};
use wire::{Backend, Reply};

type Hyper = Client<HttpConnector, Empty<Bytes>>;

fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

fn get(uri: impl AsRef<str>) -> Request<Empty<Bytes>> {
    Request::get(uri.as_ref()).body(Empty::new()).unwrap()
}

/// A server of fixed behaviour: `/busy` is so twice, `/old` has moved to `/new`, and `/away/<port>` to another server.
async fn shop() -> Server {
    let asked = Arc::new(AtomicUsize::new(0));
    let service = service_fn(move |request: Request<Incoming>| {
        let asked = asked.clone();
        async move { Ok::<_, Infallible>(answer(&request, &asked)) }
    });
    Server::hyper1(service).await
}

fn answer(request: &Request<Incoming>, asked: &AtomicUsize) -> Response<Full<Bytes>> {
    let response = Response::builder();
    let response = match request.uri().path() {
        "/busy" if asked.fetch_add(1, Ordering::SeqCst) % 3 < 2 => response.status(503),
        "/old" => response.status(302).header("location", "/new"),
        "/json" => return Response::new(r#"{"items":[1,2,3]}"#.into()),
        path => match path.strip_prefix("/away/") {
            Some(port) => response.status(302).header("location", format!("http://127.0.0.1:{port}/new")),
            None => response,
        },
    };
    response.body("hello".into()).unwrap()
}

/// Where nobody listens: the port is bound, so that nobody else takes it.
fn nobody() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A server that takes a request and resets the connection.
async fn resetting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.read_u8().await.unwrap();
            stream.set_zero_linger().unwrap();
        }
    });
    address
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

// ===== hyper-util =====

#[tokio::test]
async fn a_call_of_hyper_has_the_attributes_of_the_conventions_and_no_secret() {
    let (spans, server) = (Spans::new(), shop().await);
    let uri = format!("http://user:hunter2@{}/carts?token=hunter2", server.address);
    let response = spans.client_layer().layer(hyper()).oneshot(get(uri)).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    let (span, port) = (spans.only(), server.address.port());
    assert_eq!(
        attributes(&span),
        [
            "http.request.method=GET",
            "http.response.status_code=200",
            "network.peer.address=127.0.0.1",
            &format!("network.peer.port={port}"),
            "network.protocol.version=1.1",
            "server.address=127.0.0.1",
            &format!("server.port={port}"),
            &format!("url.full=http://REDACTED:REDACTED@127.0.0.1:{port}/carts?token=REDACTED"),
        ]
    );
}

#[tokio::test]
async fn a_request_without_a_host_goes_to_the_origin() {
    let layer =
        |spans: &Spans| spans.client_layer().origin("https://user:hunter2@api.example".parse().unwrap());
    let api =
        service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
    for (uri, host, expected) in [
        ("/carts", None, "https://api.example/carts 443"),
        ("/carts", Some("host.example"), "https://host.example/carts 443"),
        ("http://there.example/carts", None, "http://there.example/carts 80"),
    ] {
        let spans = Spans::new();
        let mut request = Request::get(uri).body(()).unwrap();
        request.headers_mut().extend(host.map(|host| (http::header::HOST, host.parse().unwrap())));
        layer(&spans).layer(api).oneshot(request).await.unwrap();
        let span = spans.only();
        assert_eq!(format!("{} {}", text(&span, "url.full"), text(&span, "server.port")), expected);
    }
}

/// What an error of hyper's is called.
async fn fault(uri: &str) -> (String, SpanData) {
    let spans = Spans::new();
    let uri = uri.parse::<http::Uri>().unwrap();
    let request = Request::get(uri).body(Empty::new()).unwrap();
    match spans.client_layer().layer(hyper()).oneshot(request).await {
        Ok(response) => drop(response.into_body().collect().await.unwrap_err()),
        Err(error) => drop(error),
    }
    let span = spans.only();
    (text(&span, "error.type"), span)
}

#[tokio::test]
async fn what_failed_of_the_network_has_a_word() {
    let (_held, refused) = nobody();
    let closes = Backend::plain(Reply::Last(Vec::new())).await;
    let breaks =
        Backend::plain(Reply::Last(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel".to_vec())).await;
    for (uri, word) in [
        (format!("http://{refused}/"), "connection_refused"),
        ("http://nobody.invalid/".to_owned(), "name_resolution_error"),
        (format!("http://{}/", resetting().await), "connection_reset"),
        (format!("http://{}/", closes.address), "response_ended"),
        (format!("http://{}/", breaks.address), "response_ended"),
    ] {
        let (kind, span) = fault(&uri).await;
        assert_eq!(kind, word, "{span:#?}");
        assert!(status(&span).starts_with("error: "), "{span:#?}");
        assert!(exception(&span).is_some_and(|message| !message.is_empty()));
    }
}

#[tokio::test]
async fn the_exception_keeps_the_name_of_the_errors_type() {
    let (_held, refused) = nobody();
    let (_, span) = fault(&format!("http://{refused}/")).await;
    let event = &span.events[0].attributes[0];
    assert_eq!(event.key.as_str(), "exception.type");
    assert_eq!(event.value.to_string(), "hyper_util::client::legacy::client::Error");
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_is_a_secure_connection_error() {
    let backend = Backend::tls("localhost", Reply::Bytes(ok(b"secret"))).await;
    let roots = tokio_rustls::rustls::RootCertStore::empty();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let https =
        hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(https.build());
    let spans = Spans::new();
    let uri = format!("https://localhost:{}/", backend.address.port());
    spans.client_layer().layer(client).oneshot(get(uri)).await.unwrap_err();
    assert_eq!(text(&spans.only(), "error.type"), "secure_connection_error");
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_further_in_is_an_error_and_one_further_out_is_none() {
    let hangs =
        service_fn(|_: Request<()>| std::future::pending::<Result<Response<Empty<Bytes>>, BoxError>>());
    let limit = || tower::timeout::TimeoutLayer::new(Duration::from_millis(10));
    let request = || Request::get("http://api.example/").body(()).unwrap();
    let spans = Spans::new();
    spans.client_layer().layer(limit().layer(hangs)).oneshot(request()).await.unwrap_err();
    assert_eq!(text(&spans.only(), "error.type"), "timeout");
    let spans = Spans::new();
    limit().layer(spans.client_layer().layer(hangs)).oneshot(request()).await.unwrap_err();
    let span = spans.only();
    assert_eq!((text(&span, "error.type").as_str(), status(&span).as_str()), ("", "unset"));
}

// ===== retries and redirects =====

/// Tries again while the server is busy.
#[derive(Clone)]
struct WhileBusy;

impl<B, C, E> Policy<Request<B>, Response<C>, E> for WhileBusy
where
    B: Clone,
{
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, result: &mut Result<Response<C>, E>) -> Option<Ready<()>> {
        let busy = result.as_ref().is_ok_and(|response| response.status() == StatusCode::SERVICE_UNAVAILABLE);
        busy.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<B>) -> Option<Request<B>> {
        Some(request.clone())
    }
}

/// The status and the ordinal of each attempt.
fn attempts(spans: &Spans) -> Vec<String> {
    let attempt = |span: &SpanData| {
        format!("{} {}", text(span, "http.response.status_code"), text(span, "http.request.resend_count"))
    };
    spans.all().iter().map(attempt).collect()
}

#[tokio::test]
async fn each_attempt_of_a_retry_has_its_ordinal_and_each_call_starts_anew() {
    let (spans, server) = (Spans::new(), shop().await);
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer)
        .layer(RetryLayer::new(WhileBusy))
        .layer(spans.client_layer())
        .service(hyper());
    let uri = format!("http://{}/busy", server.address);
    for _ in 0..2 {
        let response = client.clone().oneshot(get(&uri)).await.unwrap();
        drop(response.into_body().collect().await);
    }
    assert_eq!(attempts(&spans), ["503 ", "503 1", "200 2", "503 ", "503 1", "200 2"]);
}

#[tokio::test]
async fn a_client_layer_around_a_retry_counts_without_help() {
    let (spans, around, server) = (Spans::new(), Spans::new(), shop().await);
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer)
        .layer(around.client_layer())
        .layer(RetryLayer::new(WhileBusy))
        .layer(spans.client_layer())
        .service(hyper());
    let uri = format!("http://{}/busy", server.address);
    drop(client.oneshot(get(&uri)).await.unwrap().into_body().collect().await);
    assert_eq!(attempts(&spans), ["503 ", "503 1", "200 2"]);
    assert_eq!(attempts(&around), ["200 "], "what is around them is no attempt");
}

#[tokio::test(start_paused = true)]
async fn only_those_who_number_attempts_pay_for_the_count() {
    let answer = service_fn(|_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Script::new().last()))));
    let client = OtelClientLayer::new().tracer_provider(&NoopTracerProvider::new()).layer(answer);
    let allocated = |request: Request<()>| {
        let info = allocation_counter::measure(|| drop(client.clone().oneshot(request).now_or_never()));
        info.count_total
    };
    let plain = || Request::get("http://shop.example/").extension(()).body(()).unwrap();
    let counted = || Request::get("http://shop.example/").extension(Resends::new()).body(()).unwrap();
    allocated(plain());
    assert_eq!(allocated(counted()), allocated(plain()) + 1);
}

#[tokio::test]
async fn a_redirect_is_a_resend_also_to_another_server() {
    let (spans, server, other) = (Spans::new(), shop().await, shop().await);
    let policy = Limited::new(5).and::<_, Empty<Bytes>, hyper_util::client::legacy::Error>(
        FilterCredentials::new().allow_extension::<Resends>(),
    );
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer)
        .layer(FollowRedirectLayer::with_policy(policy))
        .layer(spans.client_layer())
        .service(hyper());
    for path in ["/old".to_owned(), format!("/away/{}", other.address.port())] {
        let response = client.clone().oneshot(get(format!("http://{}{path}", server.address))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        drop(response.into_body().collect().await);
    }
    assert_eq!(attempts(&spans), ["302 ", "200 1", "302 ", "200 1"]);
}

#[tokio::test]
async fn a_loop_of_ones_own_counts_with_what_it_clones() {
    let (spans, server) = (Spans::new(), shop().await);
    let client = spans.client_layer().layer(hyper());
    let mut request = get(format!("http://{}/", server.address));
    for _ in 0..2 {
        drop(client.clone().oneshot(request.clone()).await.unwrap().into_body().collect().await);
    }
    assert_eq!(attempts(&spans), ["200 ", "200 "], "nobody said that these are one");
    request.extensions_mut().insert(Resends::new());
    for _ in 0..2 {
        drop(client.clone().oneshot(request.clone()).await.unwrap().into_body().collect().await);
    }
    assert_eq!(attempts(&spans)[2..], ["200 ", "200 1"]);
}

// ===== reqwest =====

fn reqwest(spans: &Spans) -> (reqwest::Client, ReqwestClient) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    (http.clone(), ReqwestClient::new(http, &spans.client_layer()))
}

#[tokio::test]
async fn a_call_of_reqwest_has_the_attributes_of_the_conventions_and_no_secret() {
    let (spans, server) = (Spans::new(), shop().await);
    let (http, client) = reqwest(&spans);
    let uri = format!("http://user:hunter2@{}/carts?token=hunter2", server.address);
    let response = client.send(http.get(uri)).await.unwrap();
    assert!(spans.all().is_empty(), "the body is still to be read");
    assert_eq!(response.text().await.unwrap(), "hello");
    let (span, port) = (spans.only(), server.address.port());
    assert_eq!(
        attributes(&span),
        [
            "http.request.method=GET",
            "http.response.status_code=200",
            "network.peer.address=127.0.0.1",
            &format!("network.peer.port={port}"),
            "network.protocol.version=1.1",
            "server.address=127.0.0.1",
            &format!("server.port={port}"),
            &format!("url.full=http://127.0.0.1:{port}/carts?token=REDACTED"),
        ]
    );
}

#[tokio::test]
async fn reqwest_sends_the_same_bytes_but_for_the_trace_and_answers_the_same() {
    let backend = Backend::plain(Reply::Bytes(ok(b"[1,2,3]"))).await;
    let spans = Spans::new();
    let (http, client) = reqwest(&spans);
    let url = format!("http://{}/carts?a=b#items", backend.address);
    for method in [reqwest::Method::GET, reqwest::Method::POST, reqwest::Method::DELETE] {
        let request = || http.request(method.clone(), &url).bearer_auth("secret");
        let (plain, layered) = (request().send().await.unwrap(), client.send(request()).await.unwrap());
        assert_eq!(layered.url(), plain.url());
        assert_eq!((layered.status(), layered.version()), (plain.status(), plain.version()));
        assert_eq!(layered.headers(), plain.headers());
        assert_eq!(layered.remote_addr(), Some(backend.address));
        assert_eq!(layered.content_length(), Some(7));
        assert_eq!(layered.json::<Vec<u8>>().await.unwrap(), [1, 2, 3]);
    }
    let untraced = ReqwestClient::new(http.clone(), &Identity::new());
    for method in [reqwest::Method::GET, reqwest::Method::POST] {
        let request = || http.request(method.clone(), &url).json(&[1, 2, 3]);
        request().send().await.unwrap();
        untraced.send(request()).await.unwrap();
        let sent = backend.requests();
        assert_eq!(sent[sent.len() - 2], sent[sent.len() - 1]);
    }
    let traced = backend.requests().iter().filter(|request| request.contains("traceparent: 00-")).count();
    assert_eq!(traced, 3, "the layered ones alone");
}

#[tokio::test]
async fn a_stream_of_reqwest_is_watched_to_its_end() {
    let (spans, server) = (Spans::new(), shop().await);
    let (http, client) = reqwest(&spans);
    let response = client.send(http.get(format!("http://{}/json", server.address))).await.unwrap();
    let chunks: Vec<Bytes> = response.bytes_stream().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), br#"{"items":[1,2,3]}"#);
    assert_eq!(status(&spans.only()), "unset");
}

#[tokio::test]
async fn redirects_inside_of_reqwest_are_one_span_and_the_url_is_the_last() {
    let (spans, server) = (Spans::new(), shop().await);
    let (http, client) = reqwest(&spans);
    let response = client.send(http.get(format!("http://{}/old", server.address))).await.unwrap();
    assert_eq!(response.url().path(), "/new");
    drop(response);
    assert!(text(&spans.only(), "url.full").ends_with("/old"));
}

#[tokio::test]
async fn redirects_outside_of_reqwest_are_a_span_each() {
    let (spans, server) = (Spans::new(), shop().await);
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let client = ServiceBuilder::new()
        .layer(ResendCountLayer)
        .layer(FollowRedirectLayer::new())
        .layer(spans.client_layer())
        .service(Reqwest::new(http));
    let request =
        Request::get(format!("http://{}/old", server.address)).body(reqwest::Body::default()).unwrap();
    let response = client.oneshot(request).await.unwrap();
    drop(response.into_body().collect().await);
    assert_eq!(attempts(&spans), ["302 ", "200 1"]);
}

/// Whether a server was told the trace, to which one of the host `localhost` sent a client of reqwest that tells it no host
/// of numbers.
async fn told_by_redirect<S, B>(client: impl FnOnce(OtelClientLayer, reqwest::ClientBuilder) -> S) -> bool
where
    S: Service<Request<reqwest::Body>, Response = Response<B>, Error: std::fmt::Debug>,
{
    let (server, other) = (shop().await, Backend::plain(Reply::Bytes(ok(b""))).await);
    let layer = Spans::new().client_layer().excluded_hosts(["127.0.0.1"]).unwrap();
    let client = client(layer, reqwest::Client::builder().no_proxy());
    let uri = format!("http://localhost:{}/away/{}", server.address.port(), other.address.port());
    let request = Request::get(uri).body(reqwest::Body::default()).unwrap();
    drop(client.oneshot(request).await.unwrap());
    other.requests()[0].contains("traceparent")
}

#[tokio::test]
async fn a_redirect_to_an_excluded_host_tells_it_nothing_where_each_hop_is_a_request() {
    let inside = |layer: OtelClientLayer, http: reqwest::ClientBuilder| {
        layer.layer(Reqwest::new(http.build().unwrap()))
    };
    assert!(told_by_redirect(inside).await, "nobody sees it");
    let outside = |layer: OtelClientLayer, http: reqwest::ClientBuilder| {
        let http = http.redirect(reqwest::redirect::Policy::none()).build().unwrap();
        ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(layer).service(Reqwest::new(http))
    };
    assert!(!told_by_redirect(outside).await);
}

#[tokio::test]
async fn the_time_limit_and_the_version_of_a_request_of_reqwest_survive() {
    let (spans, backend) = (Spans::new(), Backend::plain(Reply::Silence).await);
    let (http, client) = reqwest(&spans);
    let request = http.get(format!("http://{}/", backend.address)).version(Version::HTTP_10);
    let sent = client.send(request.timeout(Duration::from_millis(50)));
    let error = timeout(Duration::from_secs(5), sent).await.expect("it has a limit of its own").unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(text(&spans.only(), "error.type"), "timeout");
    assert!(backend.requests()[0].starts_with("GET / HTTP/1.0\r\n"), "{}", backend.requests()[0]);
}

#[tokio::test]
async fn the_time_limit_of_reqwest_covers_the_body() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel".to_vec();
    let (spans, backend) = (Spans::new(), Backend::plain(Reply::Bytes(begun)).await);
    let (http, client) = reqwest(&spans);
    let request = http.get(format!("http://{}/", backend.address)).timeout(Duration::from_millis(50));
    let error = client.send(request).await.unwrap().bytes().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let span = spans.only();
    assert_eq!(text(&span, "error.type"), "timeout");
    assert_eq!(text(&span, "http.response.status_code"), "200");
}

#[tokio::test]
async fn an_error_of_reqwest_says_why_and_never_where() {
    let spans = Spans::new();
    let (http, client) = reqwest(&spans);
    let (_held, refused) = nobody();
    let url = format!("http://{refused}/carts?token=hunter2");
    let error = client.send(http.get(&url)).await.unwrap_err();
    assert!(
        error.is_connect() && error.url().is_some_and(|has| has.as_str() == url),
        "the caller's is whole"
    );
    let span = spans.only();
    assert_eq!(text(&span, "error.type"), "connection_refused");
    let said = exception(&span).unwrap();
    assert!(said.to_lowercase().contains("connection refused"), "{said}");
    assert!(!format!("{span:?}").contains("hunter2"), "{span:#?}");
}

#[tokio::test]
async fn an_error_around_one_of_reqwest_never_says_where_either() {
    let (spans, (_held, refused)) = (Spans::new(), nobody());
    let client = ServiceBuilder::new()
        .layer(spans.client_layer())
        .map_err(std::io::Error::other)
        .service(Reqwest::new(reqwest::Client::builder().no_proxy().build().unwrap()));
    let uri = format!("http://user:hunter2@{refused}/carts?token=hunter2");
    let request = Request::get(uri).body(reqwest::Body::default()).unwrap();
    assert!(
        client.oneshot(request).await.unwrap_err().to_string().contains("hunter2"),
        "the caller's is whole"
    );
    let span = spans.only();
    assert!(exception(&span).unwrap().starts_with("error sending request: client error"), "{span:#?}");
    assert!(!format!("{span:?}").contains("hunter2"), "{span:#?}");
}

#[tokio::test]
async fn an_error_in_a_box_or_without_an_answer_has_a_word_too() {
    let (closes, spans) = (Backend::plain(Reply::Last(Vec::new())).await, Spans::new());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let uris = ["http://nobody.invalid/?token=hunter2".to_owned(), format!("http://{}/", closes.address)];
    for uri in uris {
        let client = ServiceBuilder::new()
            .layer(spans.client_layer())
            .map_err(BoxError::from)
            .service(Reqwest::new(http.clone()));
        let request = Request::get(uri).body(reqwest::Body::default()).unwrap();
        drop(client.oneshot(request).await.unwrap_err());
    }
    let kinds: Vec<_> = spans.all().iter().map(|span| text(span, "error.type")).collect();
    assert_eq!(kinds, ["name_resolution_error", "response_ended"]);
    assert!(!format!("{:?}", spans.all()).contains("hunter2"));
}

#[tokio::test]
async fn a_request_that_reqwest_refuses_is_an_error_and_no_panic() {
    let spans = Spans::new();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = Request::get("/no/host").body(reqwest::Body::default()).unwrap();
    let error = spans.client_layer().layer(Reqwest::new(http)).oneshot(request).await.unwrap_err();
    assert!(error.is_builder(), "{error:?}");
    assert_eq!(text(&spans.only(), "error.type"), "reqwest::error::Error");
}

#[tokio::test]
async fn a_client_of_reqwest_that_drops_the_body_is_no_error() {
    let (spans, server) = (Spans::new(), shop().await);
    let (http, client) = reqwest(&spans);
    drop(client.send(http.get(format!("http://{}/", server.address))).await.unwrap());
    assert_eq!(status(&spans.only()), "unset");
}

const _: () = {
    const fn kept<T: Clone + Send + Sync + Unpin + 'static>() {}
    kept::<ReqwestClient>();
    kept::<Reqwest>();
};

// ===== tonic =====

fn channel(address: SocketAddr) -> Endpoint {
    Channel::from_shared(format!("http://{address}")).unwrap()
}

fn greeter(
    spans: &Spans,
    endpoint: &Endpoint,
) -> GreeterClient<<OtelClientLayer as tower::Layer<Channel>>::Service> {
    let layer = spans.client_layer().origin(endpoint.uri().clone());
    GreeterClient::of_channel(layer.layer(endpoint.connect_lazy()))
}

fn code(span: &SpanData) -> String {
    text(span, "rpc.status_code")
}

#[tokio::test]
async fn a_call_of_tonic_has_the_attributes_of_the_conventions_and_no_others() {
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    let greeting = greeter(&spans, &channel(server.address)).hello("world").await.unwrap();
    assert_eq!(greeting.text, "Hello, world!");
    let span = spans.only();
    assert_eq!((span.name.as_ref(), status(&span).as_str()), (SAY_HELLO, "unset"));
    assert_eq!(
        attributes(&span),
        [
            &format!("rpc.method={SAY_HELLO}"),
            "rpc.response.status_code=OK",
            "rpc.status_code=OK",
            "rpc.system.name=grpc",
            "server.address=127.0.0.1",
            &format!("server.port={}", server.address.port()),
        ]
    );
}

#[tokio::test]
async fn the_codes_of_tonic_are_judged_as_a_client_judges_them() {
    let server = Server::tonic(Identity::new()).await;
    for (name, expected) in [("nobody", "NOT_FOUND"), ("broken", "INTERNAL"), ("late", "DEADLINE_EXCEEDED")] {
        let spans = Spans::new();
        greeter(&spans, &channel(server.address)).hello(name).await.unwrap_err();
        let span = spans.only();
        assert_eq!((code(&span).as_str(), text(&span, "error.type").as_str()), (expected, expected));
        assert_eq!(status(&span), "error: ");
    }
}

#[tokio::test]
async fn a_reset_of_http_2_has_the_code_that_the_caller_sees() {
    let server = Server::tonic(Identity::new()).await;
    let spans = Spans::new();
    let seen = greeter(&spans, &channel(server.address)).hello("panic").await.unwrap_err();
    assert_eq!((seen.code(), code(&spans.only()).as_str()), (tonic::Code::Cancelled, "CANCELLED"));
    assert_ne!(status(&spans.only()), "unset");
}

#[tokio::test]
async fn a_stream_of_tonic_lasts_to_its_trailers() {
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    for (name, count, expected) in [("slow", 7, "OK"), ("torn", 2, "INTERNAL")] {
        let spans = if name == "slow" { &spans } else { &Spans::new() };
        let mut greetings = greeter(spans, &channel(server.address)).hellos(name).await.unwrap();
        for _ in 0..count {
            greetings.next().await.unwrap().unwrap();
        }
        assert!(spans.all().is_empty());
        assert_eq!(greetings.next().await.is_some_and(|end| end.is_err()), expected != "OK");
        assert_eq!(code(&spans.only()), expected);
    }
    let span = spans.only();
    assert_eq!(span.name, SAY_HELLOS);
    assert!(lasted(&span) >= Duration::from_millis(400), "{:?}", lasted(&span));
}

#[tokio::test]
async fn a_stream_of_tonic_that_is_dropped_in_the_middle_is_cancelled_and_no_error() {
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    let mut greetings = greeter(&spans, &channel(server.address)).hellos("forever").await.unwrap();
    greetings.next().await.unwrap().unwrap();
    drop(greetings);
    let span = spans.only();
    assert_eq!((code(&span).as_str(), status(&span).as_str()), ("CANCELLED", "unset"));
    assert_eq!(text(&span, "error.type"), "");
}

#[tokio::test]
async fn a_call_of_tonic_that_is_dropped_is_cancelled_and_no_error() {
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    let mut greeter = greeter(&spans, &channel(server.address));
    timeout(Duration::from_millis(50), greeter.hello("forever")).await.unwrap_err();
    let span = spans.only();
    assert_eq!((code(&span).as_str(), status(&span).as_str()), ("CANCELLED", "unset"));
}

#[tokio::test]
async fn a_call_of_tonic_that_finds_nobody_is_unavailable() {
    let (_held, refused) = nobody();
    let endpoints = [
        (channel(refused), "connection_refused"),
        (Channel::from_static("http://nobody.invalid"), "name_resolution_error"),
    ];
    for (endpoint, word) in endpoints {
        let spans = Spans::new();
        greeter(&spans, &endpoint).hello("world").await.unwrap_err();
        let span = spans.only();
        assert_eq!((code(&span).as_str(), text(&span, "error.type").as_str()), ("UNAVAILABLE", word));
        assert_eq!(status(&span), "error: transport error");
    }
}

#[tokio::test]
async fn an_error_of_tonic_in_a_box_tells_its_causes() {
    let (spans, (_held, refused)) = (Spans::new(), nobody());
    let service = spans.client_layer().layer(channel(refused).connect_lazy().map_err(BoxError::from));
    GreeterClient::of_channel(service).hello("world").await.unwrap_err();
    let said = exception(&spans.only()).unwrap();
    assert!(said.starts_with("transport error: ") && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn a_call_of_tonic_whose_time_is_over_exceeded_its_deadline() {
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    let endpoint = channel(server.address).timeout(Duration::from_millis(50));
    greeter(&spans, &endpoint).hello("forever").await.unwrap_err();
    let span = spans.only();
    assert_eq!((code(&span).as_str(), text(&span, "error.type").as_str()), ("DEADLINE_EXCEEDED", "timeout"));
}

/// The code, the status and the `error.type` of a call that is answered with this head; its body does not end.
async fn headed(head: http::response::Builder) -> (String, String, String) {
    let head = Arc::new(Mutex::new(Some(head)));
    let server = Server::hyper2(service_fn(move |_: Request<Incoming>| {
        let head = head.lock().unwrap().take().unwrap();
        ready(Ok::<_, Infallible>(head.body(Script::new().data("<html>").hang()).unwrap()))
    }))
    .await;
    let spans = Spans::new();
    greeter(&spans, &channel(server.address)).hello("world").await.unwrap_err();
    let span = spans.only();
    (code(&span), status(&span), text(&span, "error.type"))
}

#[tokio::test]
async fn a_call_of_tonic_has_the_code_of_its_head_though_the_rest_is_dropped_unread() {
    let said = |code: &str| (code.to_owned(), "error: ".to_owned(), code.to_owned());
    let grpc = || Response::builder().header("content-type", "application/grpc");
    assert_eq!(headed(grpc().header("grpc-status", "5")).await, said("NOT_FOUND"));
    // A proxy in between.
    let html = Response::builder().status(503).header("content-type", "text/html");
    assert_eq!(headed(html).await, said("UNAVAILABLE"));
}

#[tokio::test]
async fn a_stream_of_tonic_whose_server_goes_away_is_unavailable() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (spans, server) = (Spans::new(), Server::tonic(Identity::new()).await);
    let (address, target) = (gone.local_addr().unwrap(), server.address);
    let relay = tokio::spawn(async move {
        let (mut client, _) = gone.accept().await.unwrap();
        let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    });
    let mut greetings = greeter(&spans, &channel(address)).hellos("forever").await.unwrap();
    greetings.next().await.unwrap().unwrap();
    greetings.next().await.unwrap().unwrap();
    relay.abort();
    greetings.next().await.unwrap().unwrap_err();
    let span = spans.only();
    assert_eq!(code(&span), "UNAVAILABLE", "{span:#?}");
}

/// Keeps `Service` in use where only its methods are.
fn _is_a_service<S: Service<Request<()>>>(_: &S) {}
