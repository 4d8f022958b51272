//! The table of the client example, which calls the other examples and a server that misbehaves.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response};
use hyper::body::Incoming;
use tower::service_fn;

use super::table::{Running, assert_row, call, lines};
use crate::support::{Script, Server, shop::shop};

/// Whom a row calls.
#[derive(Clone, Copy)]
enum Callee {
    /// The example for axum.
    Axum,
    /// The example for tonic.
    Tonic,
    /// A server that misbehaves, over HTTP/1.1.
    Odd,
    /// A gRPC service whose status is no status.
    OddGrpc,
    /// Nobody listens there.
    Nobody,
}

/// What the example is told, `@` standing for the address that it calls; what it says; and the spans that it makes.
type Row = (Callee, &'static str, &'static str, &'static [&'static str]);

const TABLE: &[Row] = &[
    (
        Callee::Axum,
        "hyper GET http://user:secret@@/carts/17?token=secret",
        "200 OK",
        &["
        GET | client | unset
        http.request.method=GET
        http.response.status_code=200
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://REDACTED:REDACTED@127.0.0.1:#/carts/17?token=REDACTED"],
    ),
    (
        Callee::Axum,
        "reqwest GET http://@/carts/17",
        "200 OK",
        &["
        GET | client | unset
        http.request.method=GET
        http.response.status_code=200
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/carts/17"],
    ),
    (
        Callee::Axum,
        "hyper GET http://@/carts/100",
        "404 Not Found",
        &["
        GET | client | error
        error.type=404
        http.request.method=GET
        http.response.status_code=404
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/carts/100"],
    ),
    (
        Callee::Axum,
        "hyper POST http://@/carts/17/order",
        "503 Service Unavailable",
        &[
            "
        POST | client | error
        error.type=503
        http.request.method=POST
        http.response.status_code=503
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/carts/17/order",
            "
        POST | client | error
        error.type=503
        http.request.method=POST
        http.request.resend_count=1
        http.response.status_code=503
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/carts/17/order",
        ],
    ),
    (
        Callee::Axum,
        "reqwest BREW http://@/carts/17",
        "405 Method Not Allowed",
        &["
        HTTP | client | error
        error.type=405
        http.request.method=_OTHER
        http.request.method_original=BREW
        http.response.status_code=405
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/carts/17"],
    ),
    (
        Callee::Odd,
        "hyper GET http://@/odd",
        "999",
        &["
        GET | client | unset
        http.request.method=GET
        http.response.status_code=999
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/odd"],
    ),
    // It reads the first piece of the body and no more.
    (
        Callee::Odd,
        "hyper GET http://@/endless",
        "200 OK hello",
        &["
        GET | client | unset
        http.request.method=GET
        http.response.status_code=200
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/endless"],
    ),
    (
        Callee::Odd,
        "reqwest GET http://@/torn",
        "no answer",
        &["
        GET | client | error *
        error.type=response_ended
        exception: exception.message=request or response body error: *, exception.type=reqwest::error::Error
        http.request.method=GET
        http.response.status_code=200
        network.peer.address=127.0.0.1
        network.peer.port=#
        network.protocol.version=1.1
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/torn"],
    ),
    (
        Callee::Odd,
        "hyper GET http://@/panic",
        "no answer",
        &["
        GET | client | error *
        error.type=response_ended
        exception: exception.message=client error (SendRequest): connection closed before message completed, exception.type=hyper_util::client::legacy::client::Error
        http.request.method=GET
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/panic"],
    ),
    (
        Callee::Odd,
        "hyper GET http://@/slow",
        "no answer",
        &["
        GET | client | error *
        error.type=timeout
        exception: exception.message=*request timed out, exception.type=_OTHER
        http.request.method=GET
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/slow"],
    ),
    (
        Callee::Odd,
        "reqwest GET http://@/slow",
        "no answer",
        &["
        GET | client | error *
        error.type=timeout
        exception: exception.message=*operation timed out, exception.type=reqwest::error::Error
        http.request.method=GET
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/slow"],
    ),
    (
        Callee::Nobody,
        "hyper GET http://@/",
        "no answer",
        &["
        GET | client | error *
        error.type=connection_refused
        exception: exception.message=*, exception.type=hyper_util::client::legacy::client::Error
        http.request.method=GET
        server.address=127.0.0.1
        server.port=#
        url.full=http://127.0.0.1:#/"],
    ),
    (
        Callee::Nobody,
        "reqwest GET http://nobody.invalid/",
        "no answer",
        &["
        GET | client | error *
        error.type=name_resolution_error
        exception: exception.message=*, exception.type=reqwest::error::Error
        http.request.method=GET
        server.address=nobody.invalid
        server.port=80
        url.full=http://nobody.invalid/"],
    ),
    (
        Callee::Tonic,
        "grpc http://@ shop.Carts",
        "HealthCheckResponse { status: Serving }",
        &["
        grpc.health.v1.Health/Check | client | unset
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=OK
        rpc.status_code=OK
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::Tonic,
        "grpc http://@ shop.Nobody",
        "code: 'Some requested entity was not found'",
        &["
        grpc.health.v1.Health/Check | client | error
        error.type=NOT_FOUND
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=NOT_FOUND
        rpc.status_code=NOT_FOUND
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::Tonic,
        "grpc http://@ shop.Orders",
        "code: 'The service is currently unavailable'",
        &["
        grpc.health.v1.Health/Check | client | error
        error.type=UNAVAILABLE
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=UNAVAILABLE
        rpc.status_code=UNAVAILABLE
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::Tonic,
        "grpc http://@ shop.Reports",
        "Timeout expired",
        &["
        grpc.health.v1.Health/Check | client | error *
        error.type=timeout
        exception: exception.message=*transport error, exception.type=tonic::transport::error::Error
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=DEADLINE_EXCEEDED
        rpc.status_code=DEADLINE_EXCEEDED
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::Tonic,
        "grpc http://@ shop.Returns",
        "code: 'The operation was cancelled'",
        &["
        grpc.health.v1.Health/Check | client | error *
        error.type=http_protocol_error
        exception: exception.message=*transport error, exception.type=tonic::transport::error::Error
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=CANCELLED
        rpc.status_code=CANCELLED
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    // It reads the first message and no more.
    (
        Callee::Tonic,
        "watch http://@ shop.Carts",
        "HealthCheckResponse { status: Serving }",
        &["
        grpc.health.v1.Health/Watch | client | unset
        rpc.method=grpc.health.v1.Health/Watch
        rpc.response.status_code=CANCELLED
        rpc.status_code=CANCELLED
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    // No service of gRPC, so that no method exists there.
    (
        Callee::Axum,
        "grpc http://@ shop.Carts",
        "code: 'Operation is not implemented or not supported'",
        &["
        grpc.health.v1.Health/Check | client | error
        error.type=UNIMPLEMENTED
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=UNIMPLEMENTED
        rpc.status_code=UNIMPLEMENTED
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::OddGrpc,
        "grpc http://@ shop.Carts",
        "code: 'Unknown error'",
        &["
        grpc.health.v1.Health/Check | client | error
        error.type=UNKNOWN
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=UNKNOWN
        rpc.status_code=UNKNOWN
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
    (
        Callee::Nobody,
        "grpc http://@ shop.Carts",
        "tcp connect error",
        &["
        grpc.health.v1.Health/Check | client | error *
        error.type=connection_refused
        exception: exception.message=*transport error, exception.type=tonic::transport::error::Error
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=UNAVAILABLE
        rpc.status_code=UNAVAILABLE
        rpc.system.name=grpc
        server.address=127.0.0.1
        server.port=#"],
    ),
];

/// All that may be called.
struct Callees {
    axum: Running,
    tonic: Running,
    odd: Server,
    odd_grpc: Server,
    nobody: SocketAddr,
}

// ===== impl Callees =====

impl Callees {
    async fn start() -> Self {
        let grpc = service_fn(|_: Request<Incoming>| async {
            let body = Script::new().trailers(&[("grpc-status", "99")]);
            Ok::<_, Infallible>(
                Response::builder().header("content-type", "application/grpc").body(body).unwrap(),
            )
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            axum: Running::start("axum"),
            tonic: Running::start("tonic"),
            odd: Server::hyper1(service_fn(shop::<Incoming>)).await,
            odd_grpc: Server::hyper2(grpc).await,
            nobody: listener.local_addr().unwrap(),
        }
    }

    fn address(&self, callee: Callee) -> SocketAddr {
        match callee {
            Callee::Axum => self.axum.address,
            Callee::Tonic => self.tonic.address,
            Callee::Odd => self.odd.address,
            Callee::OddGrpc => self.odd_grpc.address,
            Callee::Nobody => self.nobody,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_example_keeps_the_conventions() {
    let callees = Callees::start().await;
    for (callee, words, said, expected) in TABLE {
        let words = addressed(words, &callees.address(*callee).to_string());
        let of = words.clone();
        let called = tokio::task::spawn_blocking(move || call(&of)).await.unwrap();
        assert!(called.said.contains(said), "{words}: {}", called.said);
        assert_eq!(called.rows.len(), expected.len(), "{words}: {:#?}", called.rows);
        for (row, expected) in called.rows.iter().zip(*expected) {
            assert_row(row, expected, &words);
        }
        assert_eq!(called.points, [measured(expected)], "{words}");
    }
}

/// The words with an address in place of the `@`; the first of two is that of the credentials.
fn addressed(words: &str, address: &str) -> String {
    words
        .rsplit_once('@')
        .map_or_else(|| words.to_owned(), |(before, after)| format!("{before}{address}{after}"))
}

/// The one data point that these spans are counted in: of what is on a span the conventions name a part for it.
fn measured(rows: &[&str]) -> String {
    let grpc = rows[0].contains("rpc.system.name");
    let (name, keys) = if grpc {
        ("rpc.client.call.duration", &["error.type", "rpc.", "server."][..])
    } else {
        let keys = &[
            "error.type",
            "http.request.method=",
            "http.response.status_code",
            "network.protocol.version",
            "server.",
        ];
        ("http.client.request.duration", &keys[..])
    };
    let mut attributes = lines(rows[0]);
    attributes.retain(|line| keys.iter().any(|key| line.starts_with(key)) && !line.contains(" | "));
    // No status of HTTP: a span may have it, but not a metric, of which the other end would choose the sets.
    attributes.retain(|line| line != "http.response.status_code=999");
    attributes.sort();
    format!("{name} s {}: {}", rows.len(), attributes.join(", "))
}
