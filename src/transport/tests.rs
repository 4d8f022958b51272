//! Over real sockets.
#![allow(clippy::disallowed_types, reason = "a time-out is measured by the real clock")]

#[path = "../../tests/support/http.rs"]
mod backend;

use std::{error::Error, net::TcpListener, time::Duration};

use backend::{Backend, Reply};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::{Answer, HttpClient, HttpError};

#[tokio::test]
async fn a_post_arrives_and_its_answer_returns() {
    let backend = Backend::plain(answer("202 Accepted", "retry-after: 3\r\n", b"taken")).await;
    let headers = headers(&[("content-type", "text/plain"), ("x-key", "k1")]);
    let client = HttpClient::builder().build().unwrap();
    let answer =
        client.post(&uri(&backend, "http", "/in?a=b"), &headers, "hello".into(), LONG).await.unwrap();

    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.headers["retry-after"], "3");
    assert_eq!(answer.body, "taken");
    let request = &backend.requests()[0];
    assert!(request.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nhello"), "{request}");
    for line in [
        "content-type: text/plain",
        "x-key: k1",
        "content-length: 5",
        concat!("user-agent: belvedere/", env!("CARGO_PKG_VERSION")),
        &format!("host: {}", backend.address),
    ] {
        assert!(request.lines().any(|other| other == line), "{line} in {request}");
    }
    assert_eq!(request.lines().count(), 8, "nothing else is sent: {request}");
}

#[tokio::test]
async fn a_question_has_no_body() {
    let backend = Backend::plain(answer("200 OK", "", b"known")).await;
    let client = HttpClient::builder().build().unwrap();
    let answer =
        client.get(&uri(&backend, "http", "/1/auth"), &headers(&[("x-key", "k1")]), LONG).await.unwrap();
    assert_eq!(answer.body, "known");
    let request = &backend.requests()[0];
    assert!(request.starts_with("GET /1/auth HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-key: k1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
}

#[tokio::test]
async fn a_request_has_the_method_that_it_is_given() {
    let backend = Backend::plain(answer("200 OK", "", b"token")).await;
    let client = HttpClient::builder().build().unwrap();
    let uri = uri(&backend, "http", "/latest/api/token");
    let answer = client.request(Method::PUT, &uri, &headers(&[]), Bytes::new(), LONG).await.unwrap();
    assert_eq!(answer.body, "token");
    let request = &backend.requests()[0];
    assert!(request.starts_with("PUT /latest/api/token HTTP/1.1\r\n"), "{request}");
}

#[tokio::test]
async fn as_much_of_an_answer_is_read_as_was_asked_for() {
    let backend = Backend::plain(answer("200 OK", "", &[b'x'; 100_000])).await;
    for (most, read) in [(10, 10), (99_999, 99_999), (1 << 20, 100_000)] {
        let client = HttpClient::builder().answer_bytes(most).build().unwrap();
        let answer = client.get(&uri(&backend, "http", "/"), &headers(&[]), LONG).await.unwrap();
        assert_eq!(answer.body.len(), read);
    }
}

#[tokio::test]
async fn a_user_agent_of_the_callers_stays() {
    let backend = Backend::plain(answer("200 OK", "", b"")).await;
    let headers = headers(&[("user-agent", "exporter/1")]);
    HttpClient::builder()
        .build()
        .unwrap()
        .post(&uri(&backend, "http", "/"), &headers, Bytes::new(), LONG)
        .await
        .unwrap();
    assert!(backend.requests()[0].contains("user-agent: exporter/1\r\n"));
    assert!(!backend.requests()[0].contains("belvedere"));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let backend = Backend::plain(answer("200 OK", "", b"fine")).await;
    let client = HttpClient::builder().build().unwrap();
    for _ in 0..3 {
        post(&client.clone(), &uri(&backend, "http", "/")).await.unwrap();
    }
    assert_eq!((backend.requests().len(), backend.connections()), (3, 1));
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let backend =
        Backend::plain(answer("308 Permanent Redirect", "location: http://other.invalid/\r\n", b"")).await;
    let answer = post(&HttpClient::builder().build().unwrap(), &uri(&backend, "http", "/")).await.unwrap();
    assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn an_authority_that_was_given_is_trusted() {
    let backend = Backend::tls("localhost", answer("200 OK", "", b"secret")).await;
    let client = HttpClient::builder().root(backend.root.clone()).build().unwrap();
    let uri = format!("https://localhost:{}/", backend.address.port()).parse().unwrap();
    assert_eq!(post(&client, &uri).await.unwrap().body, "secret");
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not() {
    let backend = Backend::tls("localhost", answer("200 OK", "", b"secret")).await;
    let client = HttpClient::builder().build().unwrap();
    let uri = format!("https://localhost:{}/", backend.address.port()).parse().unwrap();
    let error = post(&client, &uri).await.unwrap_err();
    assert!(error.is_tls() && !error.is_connect());
    assert_eq!(error.reason(), "tls");
    assert!(chain(&error).contains("UnknownIssuer"), "{}", chain(&error));
    assert_eq!(backend.requests().len(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_accepted() {
    let backend = Backend::tls("other.example", answer("200 OK", "", b"secret")).await;
    let client = HttpClient::builder().root(backend.root.clone()).build().unwrap();
    let uri = format!("https://localhost:{}/", backend.address.port()).parse().unwrap();
    assert_eq!(post(&client, &uri).await.unwrap_err().reason(), "tls");
}

#[tokio::test]
async fn tls_with_a_server_that_has_none_is_a_tls_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let client = HttpClient::builder().build().unwrap();
    let error = post(&client, &format!("https://{address}/").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.reason(), "tls");
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let backend = Backend::plain(Reply::Silence).await;
    assert_timeout(&uri(&backend, "http", "/")).await;
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let backend =
        Backend::plain(Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".into())).await;
    assert_timeout(&uri(&backend, "http", "/")).await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_times_out() {
    let backend = Backend::plain(Reply::Silence).await;
    assert_timeout(&uri(&backend, "https", "/")).await;
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_refuses() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = HttpClient::builder().build().unwrap();
    for scheme in ["http", "https"] {
        let error = post(&client, &format!("{scheme}://{address}/").parse().unwrap()).await.unwrap_err();
        assert!(error.is_connect());
        assert_eq!((error.reason(), error.to_string().as_str()), ("refused", "could not connect"));
        assert!(chain(&error).contains("refused"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let client = HttpClient::builder().build().unwrap();
    let error = post(&client, &Uri::from_static("http://nobody.invalid/")).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(error.reason(), "dns", "{}", chain(&error));
}

#[tokio::test]
async fn garbage_is_a_broken_exchange() {
    for garbage in [
        &b"220 mail.example ESMTP\r\n"[..],
        b"\0\0\0",
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
    ] {
        let backend = Backend::plain(Reply::Last(garbage.into())).await;
        let client = HttpClient::builder().build().unwrap();
        let error = post(&client, &uri(&backend, "http", "/")).await.unwrap_err();
        assert!(error.is_exchange(), "{}", chain(&error));
        assert_eq!(error.reason(), "broken");
    }
}

#[tokio::test]
async fn a_large_answer_is_read_to_64_kib_and_no_further() {
    let backend = Backend::plain(answer("500 Internal Server Error", "", &[b'x'; 1_000_000])).await;
    let client = HttpClient::builder().build().unwrap();
    let answer = post(&client, &uri(&backend, "http", "/")).await.unwrap();
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.body.len(), 64 * 1024);
    assert_eq!(post(&client, &uri(&backend, "http", "/")).await.unwrap().body.len(), 64 * 1024);
}

#[tokio::test]
async fn errors_do_not_give_keys_away() {
    let client = HttpClient::builder().build().unwrap();
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let garbage = Backend::plain(Reply::Last(b"nonsense\r\n\r\n".into())).await.address;
    let headers = headers(&[("authorization", "Bearer hunter2")]);
    for uri in [
        format!("http://user:hunter2@{refused}/hunter2?key=hunter2"),
        format!("https://user:hunter2@{refused}/hunter2?key=hunter2"),
        format!("http://user:hunter2@{garbage}/hunter2?key=hunter2"),
        "http://user:hunter2@nobody.invalid/hunter2".into(),
        "ftp://user:hunter2@host/hunter2".into(),
        "/hunter2".into(),
    ] {
        let error = client.post(&uri.parse().unwrap(), &headers, "hunter2".into(), LONG).await.unwrap_err();
        let words = format!("{error:?} {}", chain(&error));
        assert!(!words.contains("hunter2"), "{words}");
    }
}

#[tokio::test]
async fn a_root_that_is_no_certificate_is_refused() {
    let error = HttpClient::builder().root(*b"-----BEGIN CERTIFICATE-----").build().unwrap_err();
    assert!(error.is_invalid());
    assert!(error.to_string().contains("DER"), "{error}");
}

#[tokio::test]
async fn roots_in_pem_take_the_place_of_those_that_are_compiled_in() {
    let backend = Backend::tls("127.0.0.1", answer("200 OK", "", b"")).await;
    let (pem, https) = (backend.root_pem(), uri(&backend, "https", "/"));
    let client = HttpClient::builder().roots(pem.as_bytes()).unwrap().build().unwrap();
    assert_eq!(post(&client, &https).await.unwrap().status, StatusCode::OK);

    let other = Backend::tls("127.0.0.1", answer("200 OK", "", b"")).await.root_pem();
    let client = HttpClient::builder().roots(other.as_bytes()).unwrap().build().unwrap();
    assert!(post(&client, &https).await.unwrap_err().is_tls());

    let both = HttpClient::builder().roots(format!("{other}\n{pem}").as_bytes()).unwrap().build().unwrap();
    assert_eq!(post(&both, &https).await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn a_backend_that_asks_who_one_is_is_shown_the_certificate() {
    let (backend, certificate, key) = Backend::mutual("127.0.0.1", answer("200 OK", "", b"")).await;
    let (pem, https) = (backend.root_pem(), uri(&backend, "https", "/"));
    let builder = || HttpClient::builder().roots(pem.as_bytes()).unwrap();

    let stranger = builder().build().unwrap();
    assert!(post(&stranger, &https).await.is_err());
    let known = builder().identity(certificate.as_bytes(), key.as_bytes()).unwrap().build().unwrap();
    assert_eq!(post(&known, &https).await.unwrap().status, StatusCode::OK);
    assert_eq!(backend.requests().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_and_a_key_is_never_shown() {
    let (_, certificate, key) = Backend::mutual("127.0.0.1", Reply::Silence).await;
    let (_, _, other) = Backend::mutual("127.0.0.1", Reply::Silence).await;
    let (certificate, key, other) = (certificate.as_bytes(), key.as_bytes(), other.as_bytes());
    let secret = &key[60..100];
    let torn = &key[..key.len() - 40];
    let identity = |chain: &[u8], key: &[u8]| HttpClient::builder().identity(chain, key).unwrap_err();
    for (error, named) in [
        (HttpClient::builder().roots(b"").unwrap_err(), "root certificates is \"without a certificate\""),
        (HttpClient::builder().roots(key).unwrap_err(), "root certificates is \"without a certificate\""),
        (identity(b"nothing", key), "client certificate is \"without a certificate\""),
        (identity(certificate, b"nothing"), "client key is \"not a private key in PEM\""),
        (identity(certificate, torn), "client key is \"not a private key in PEM\""),
        (identity(certificate, certificate), "client key is \"not a private key in PEM\""),
        (identity(certificate, other), "client key is \"not the key of the client certificate\""),
    ] {
        let words = format!("{error} {error:?}");
        assert!(error.is_invalid() && words.contains(named), "{named}: {words}");
        assert!(!words.contains(std::str::from_utf8(secret).unwrap()), "{words}");
    }
    let builder = HttpClient::builder().identity(certificate, key).unwrap();
    assert!(!format!("{builder:?}").contains(std::str::from_utf8(secret).unwrap()));
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = headers.iter();
    pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn uri(backend: &Backend, scheme: &str, path: &str) -> Uri {
    format!("{scheme}://{}{path}", backend.address).parse().unwrap()
}

async fn post(client: &HttpClient, uri: &Uri) -> Result<Answer, HttpError> {
    client.post(uri, &HeaderMap::new(), "hello".into(), LONG).await
}

async fn assert_timeout(uri: &Uri) {
    let client = HttpClient::builder().build().unwrap();
    let start = std::time::Instant::now();
    let limit = Duration::from_millis(100);
    let error = client.post(uri, &HeaderMap::new(), "hello".into(), limit).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.reason(), error.to_string().as_str()), ("timeout", "no answer in time"));
    assert!((limit..LONG).contains(&start.elapsed()));
}

fn chain(error: &HttpError) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

const LONG: Duration = Duration::from_secs(10);
