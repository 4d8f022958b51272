//! The table of the server examples.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::timeout;
use tonic::{Code, Status, client::Grpc, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tonic_prost::ProstCodec;

use tower::{ServiceBuilder, service_fn};

use super::table::{Running, lines};
use crate::support::{
    Script, Server,
    client::{connect2, leave1, leave2, raw1, read, request2},
    spans::{Spans, attribute, status},
};

/// One row: a method and a path, whether the client leaves, and the span.
type Row = (&'static str, &'static str, Stay, &'static str);

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stay {
    ToTheEnd,
    Briefly,
}
use Stay::{Briefly, ToTheEnd};

const LONG_ENOUGH: Duration = Duration::from_millis(200);

// ===== axum, over HTTP/1.1 =====

const AXUM_COMMON: &str = "
    client.address=127.0.0.1
    network.peer.address=127.0.0.1
    network.peer.port=#
    network.protocol.version=1.1
    server.address=shop.example
    url.scheme=http";

const AXUM: &[Row] = &[
    (
        "GET",
        "/carts/17?token=secret",
        ToTheEnd,
        "
        GET /carts/{id} | server | unset
        cart=17
        http.request.method=GET
        http.response.status_code=200
        http.route=/carts/{id}
        url.path=/carts/17
        url.query=token=REDACTED",
    ),
    (
        "GET",
        "/carts/100",
        ToTheEnd,
        "
        GET /carts/{id} | server | unset
        cart=100
        http.request.method=GET
        http.response.status_code=404
        http.route=/carts/{id}
        url.path=/carts/100",
    ),
    (
        "GET",
        "/nowhere",
        ToTheEnd,
        "
        GET | server | unset
        http.request.method=GET
        http.response.status_code=404
        url.path=/nowhere",
    ),
    (
        "POST",
        "/carts/17/order",
        ToTheEnd,
        "
        POST /carts/{id}/order | server | error
        error.type=503
        http.request.method=POST
        http.response.status_code=503
        http.route=/carts/{id}/order
        url.path=/carts/17/order",
    ),
    (
        "BREW",
        "/carts/17",
        ToTheEnd,
        "
        HTTP /carts/{id} | server | unset
        http.request.method=_OTHER
        http.request.method_original=BREW
        http.response.status_code=405
        http.route=/carts/{id}
        url.path=/carts/17",
    ),
    (
        "GET",
        "/report",
        Briefly,
        "
        GET /report | server | error the client left before the response was over
        error.type=canceled
        http.request.method=GET
        http.route=/report
        url.path=/report",
    ),
    (
        "DELETE",
        "/carts/17",
        ToTheEnd,
        "
        DELETE /carts/{id} | server | error panicked: the cart is stuck
        error.type=panic
        exception: exception.message=the cart is stuck, exception.type=panic
        http.request.method=DELETE
        http.route=/carts/{id}
        url.path=/carts/17",
    ),
    (
        "GET",
        "/stock",
        ToTheEnd,
        "
        GET /stock | server | error
        error.type=504
        http.request.method=GET
        http.response.status_code=504
        http.route=/stock
        url.path=/stock",
    ),
];

const AXUM_MEASURED: &str = "
    http.server.active_requests {request} 0: http.request.method=DELETE, url.scheme=http
    http.server.active_requests {request} 0: http.request.method=GET, url.scheme=http
    http.server.active_requests {request} 0: http.request.method=POST, url.scheme=http
    http.server.active_requests {request} 0: http.request.method=_OTHER, url.scheme=http
    http.server.request.duration s 1: error.type=503, http.request.method=POST, http.response.status_code=503, http.route=/carts/{id}/order, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: error.type=504, http.request.method=GET, http.response.status_code=504, http.route=/stock, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: error.type=canceled, http.request.method=GET, http.route=/report, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: error.type=panic, http.request.method=DELETE, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=200, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=404, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=404, network.protocol.version=1.1, url.scheme=http
    http.server.request.duration s 1: http.request.method=_OTHER, http.response.status_code=405, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: error.type=503, http.request.method=POST, http.response.status_code=503, http.route=/carts/{id}/order, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: error.type=504, http.request.method=GET, http.response.status_code=504, http.route=/stock, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: http.request.method=GET, http.response.status_code=200, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: http.request.method=GET, http.response.status_code=404, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: http.request.method=GET, http.response.status_code=404, network.protocol.version=1.1, url.scheme=http
    http.server.response.body.size By 1: http.request.method=_OTHER, http.response.status_code=405, http.route=/carts/{id}, network.protocol.version=1.1, url.scheme=http";

#[tokio::test]
async fn the_axum_example_keeps_the_conventions() {
    let mut shop = Running::start("axum");
    for (method, path, stay, expected) in AXUM {
        match stay {
            ToTheEnd => drop(raw1(shop.address, method, path).await),
            Briefly => leave1(shop.address, method, path, LONG_ENOUGH).await,
        }
        shop.check(&format!("{method} {path}"), AXUM_COMMON, expected).await;
    }
    assert_eq!(shop.stop().await, lines(AXUM_MEASURED));
}

// ===== hyper, over HTTP/2 =====

const HYPER_COMMON: &str = "
    client.address=127.0.0.1
    network.peer.address=127.0.0.1
    network.peer.port=#
    network.protocol.version=2
    url.scheme=http";

const HYPER: &[Row] = &[
    (
        "GET",
        "/carts/17?token=secret",
        ToTheEnd,
        "
        GET /carts/{id} | server | unset
        http.request.method=GET
        http.response.status_code=200
        http.route=/carts/{id}
        server.address=127.0.0.1
        server.port=#
        url.path=/carts/17
        url.query=token=REDACTED",
    ),
    (
        "GET",
        "/carts/100",
        ToTheEnd,
        "
        GET /carts/{id} | server | unset
        http.request.method=GET
        http.response.status_code=404
        http.route=/carts/{id}
        server.address=127.0.0.1
        server.port=#
        url.path=/carts/100",
    ),
    (
        "GET",
        "/nowhere",
        ToTheEnd,
        "
        GET | server | unset
        http.request.method=GET
        http.response.status_code=404
        server.address=127.0.0.1
        server.port=#
        url.path=/nowhere",
    ),
    (
        "POST",
        "/carts/17/order",
        ToTheEnd,
        "
        POST /carts/{id}/order | server | error
        error.type=503
        http.request.method=POST
        http.response.status_code=503
        http.route=/carts/{id}/order
        server.address=127.0.0.1
        server.port=#
        url.path=/carts/17/order",
    ),
    (
        "BREW",
        "/carts/17",
        ToTheEnd,
        "
        HTTP /carts/{id} | server | unset
        http.request.method=_OTHER
        http.request.method_original=BREW
        http.response.status_code=405
        http.route=/carts/{id}
        server.address=127.0.0.1
        server.port=#
        url.path=/carts/17",
    ),
    (
        "GET",
        "/report",
        Briefly,
        "
        GET /report | server | error the client left before the response was over
        error.type=canceled
        http.request.method=GET
        http.route=/report
        server.address=shop.example
        url.path=/report",
    ),
    (
        "DELETE",
        "/carts/17",
        ToTheEnd,
        "
        DELETE /carts/{id} | server | error panicked: the cart is stuck
        error.type=panic
        exception: exception.message=the cart is stuck, exception.type=panic
        http.request.method=DELETE
        http.route=/carts/{id}
        server.address=127.0.0.1
        server.port=#
        url.path=/carts/17",
    ),
    (
        "GET",
        "/report?slow",
        ToTheEnd,
        "
        GET /report | server | error
        error.type=504
        http.request.method=GET
        http.response.status_code=504
        http.route=/report
        server.address=127.0.0.1
        server.port=#
        url.path=/report
        url.query=REDACTED",
    ),
];

const HYPER_MEASURED: &str = "
    http.server.request.duration s 1: error.type=503, http.request.method=POST, http.response.status_code=503, http.route=/carts/{id}/order, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: error.type=504, http.request.method=GET, http.response.status_code=504, http.route=/report, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: error.type=canceled, http.request.method=GET, http.route=/report, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: error.type=panic, http.request.method=DELETE, http.route=/carts/{id}, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=200, http.route=/carts/{id}, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=404, http.route=/carts/{id}, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: http.request.method=GET, http.response.status_code=404, network.protocol.version=2, url.scheme=http
    http.server.request.duration s 1: http.request.method=_OTHER, http.response.status_code=405, http.route=/carts/{id}, network.protocol.version=2, url.scheme=http";

#[tokio::test]
async fn the_hyper_example_keeps_the_conventions() {
    let mut shop = Running::start("hyper");
    for (method, path, stay, expected) in HYPER {
        match stay {
            ToTheEnd => {
                let answer = connect2(shop.address).await.send_request(request2(shop.address, method, path));
                if let Ok(response) = answer.await {
                    drop(read(response).await);
                }
            }
            Briefly => leave2(shop.address, &[path], LONG_ENOUGH).await,
        }
        shop.check(&format!("{method} {path}"), HYPER_COMMON, expected).await;
    }
    assert_eq!(shop.stop().await, lines(HYPER_MEASURED));
}

// ===== tonic =====

const TONIC_COMMON: &str = "
    network.peer.address=127.0.0.1
    network.peer.port=#
    rpc.system.name=grpc
    server.address=127.0.0.1
    server.port=#";

/// What is asked for, how, the code that the caller gets, and the span.
const TONIC: &[(&str, Ask, Code, &str)] = &[
    (
        "shop.Carts",
        Ask::Check,
        Code::Ok,
        "
        grpc.health.v1.Health/Check | server | unset
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=OK
        rpc.status_code=OK",
    ),
    (
        "shop.Nobody",
        Ask::Check,
        Code::NotFound,
        "
        grpc.health.v1.Health/Check | server | unset
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=NOT_FOUND
        rpc.status_code=NOT_FOUND",
    ),
    (
        "shop.Orders",
        Ask::Check,
        Code::Unavailable,
        "
        grpc.health.v1.Health/Check | server | error
        error.type=UNAVAILABLE
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=UNAVAILABLE
        rpc.status_code=UNAVAILABLE",
    ),
    (
        "",
        Ask::Nonsense,
        Code::Unimplemented,
        "
        grpc | server | error
        error.type=UNIMPLEMENTED
        rpc.method=_OTHER
        rpc.method_original=grpc.health.v1.Health/Nonsense
        rpc.response.status_code=UNIMPLEMENTED
        rpc.status_code=UNIMPLEMENTED",
    ),
    (
        "shop.Reports",
        Ask::Briefly,
        Code::Cancelled,
        "
        grpc.health.v1.Health/Check | server | unset
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=CANCELLED
        rpc.status_code=CANCELLED",
    ),
    (
        "shop.Carts",
        Ask::WatchBriefly,
        Code::Ok,
        "
        grpc.health.v1.Health/Watch | server | unset
        rpc.method=grpc.health.v1.Health/Watch
        rpc.response.status_code=CANCELLED
        rpc.status_code=CANCELLED",
    ),
    (
        "shop.Reports",
        Ask::Deadline,
        Code::Cancelled,
        "
        grpc.health.v1.Health/Check | server | error
        error.type=DEADLINE_EXCEEDED
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=DEADLINE_EXCEEDED
        rpc.status_code=DEADLINE_EXCEEDED",
    ),
    (
        "shop.Returns",
        Ask::Check,
        Code::Cancelled,
        "
        grpc.health.v1.Health/Check | server | error panicked: the returns are stuck
        error.type=panic
        exception: exception.message=the returns are stuck, exception.type=panic
        rpc.method=grpc.health.v1.Health/Check
        rpc.response.status_code=INTERNAL
        rpc.status_code=INTERNAL",
    ),
];

const TONIC_MEASURED: &str = "
    rpc.server.call.duration s 1: error.type=DEADLINE_EXCEEDED, rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=DEADLINE_EXCEEDED, rpc.status_code=DEADLINE_EXCEEDED, rpc.system.name=grpc
    rpc.server.call.duration s 1: error.type=UNAVAILABLE, rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=UNAVAILABLE, rpc.status_code=UNAVAILABLE, rpc.system.name=grpc
    rpc.server.call.duration s 1: error.type=UNIMPLEMENTED, rpc.method=_OTHER, rpc.response.status_code=UNIMPLEMENTED, rpc.status_code=UNIMPLEMENTED, rpc.system.name=grpc
    rpc.server.call.duration s 1: error.type=panic, rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=INTERNAL, rpc.status_code=INTERNAL, rpc.system.name=grpc
    rpc.server.call.duration s 1: rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=CANCELLED, rpc.status_code=CANCELLED, rpc.system.name=grpc
    rpc.server.call.duration s 1: rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=NOT_FOUND, rpc.status_code=NOT_FOUND, rpc.system.name=grpc
    rpc.server.call.duration s 1: rpc.method=grpc.health.v1.Health/Check, rpc.response.status_code=OK, rpc.status_code=OK, rpc.system.name=grpc
    rpc.server.call.duration s 1: rpc.method=grpc.health.v1.Health/Watch, rpc.response.status_code=CANCELLED, rpc.status_code=CANCELLED, rpc.system.name=grpc";

/// How a part of the shop is asked after.
#[derive(Clone, Copy)]
enum Ask {
    Check,
    /// Until the caller gives up.
    Briefly,
    /// Until the caller's deadline, of which the service knows.
    Deadline,
    /// A stream, whose first message is read.
    WatchBriefly,
    /// A method that does not exist.
    Nonsense,
}

impl Ask {
    /// Asks on a connection of its own, and gives the code that the caller sees.
    async fn ask(self, address: std::net::SocketAddr, service: &str) -> Code {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
        let mut client = HealthClient::new(channel.clone());
        let mut request = tonic::Request::new(HealthCheckRequest { service: service.to_owned() });
        let result = match self {
            Self::Check => client.check(request).await.map(drop),
            Self::Briefly => match timeout(LONG_ENOUGH, client.check(request)).await {
                Ok(answer) => answer.map(drop),
                Err(_) => Err(Status::cancelled("the caller gave up")),
            },
            Self::Deadline => {
                request.set_timeout(LONG_ENOUGH);
                client.check(request).await.map(drop)
            }
            Self::WatchBriefly => match client.watch(request).await {
                Ok(answer) => answer.into_inner().message().await.map(drop),
                Err(status) => Err(status),
            },
            Self::Nonsense => nonsense(channel, request).await,
        };
        result.map_or_else(|status| status.code(), |()| Code::Ok)
    }
}

async fn nonsense(channel: Channel, request: tonic::Request<HealthCheckRequest>) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/grpc.health.v1.Health/Nonsense".parse().unwrap();
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    client.unary(request, path, codec).await.map(drop)
}

#[tokio::test]
async fn the_tonic_example_keeps_the_conventions() {
    let mut shop = Running::start("tonic");
    for (service, ask, code, expected) in TONIC {
        assert_eq!(ask.ask(shop.address, service).await, *code, "{service}");
        shop.check(service, TONIC_COMMON, expected).await;
    }
    assert_eq!(shop.stop().await, lines(TONIC_MEASURED));
}

// ===== what no example does =====

/// The one span of a request to a service that misbehaves behind a layer, on a real socket.
async fn misbehaving(version: http::Version, ask: impl AsyncFnOnce(SocketAddr)) -> (String, Vec<String>) {
    let spans = Spans::new();
    let service = ServiceBuilder::new().layer(spans.layer()).service(service_fn(odd));
    let server = if version == http::Version::HTTP_2 {
        Server::hyper2(service).await
    } else {
        Server::hyper1(service).await
    };
    ask(server.address).await;
    let span = spans.ended(1).await.remove(0);
    let facts = ["error.type", "http.response.status_code", "rpc.response.status_code", "rpc.method"];
    let facts = facts.iter().filter_map(|key| Some(format!("{key}={}", attribute(&span, key)?)));
    (status(&span), facts.collect())
}

/// A status that HTTP does not have, or for a call one that gRPC does not have.
async fn odd(request: Request<Incoming>) -> Result<Response<Script>, Infallible> {
    let is_call = request.headers().contains_key("content-type");
    let (status, body) = if is_call {
        (200, Script::new().data("\0\0\0\0\0").trailers(&[("grpc-status", "99")]))
    } else {
        (999, Script::new().data("odd").last())
    };
    let response = Response::builder().status(status).header("content-type", "application/grpc");
    Ok(response.body(body).unwrap())
}

#[tokio::test]
async fn a_status_that_is_none_is_told_and_judged_by_nobody() {
    let unset = ("unset".to_owned(), vec!["http.response.status_code=999".to_owned()]);
    let one =
        misbehaving(http::Version::HTTP_11, async |address| drop(raw1(address, "GET", "/").await)).await;
    assert_eq!(one, unset);
    let two = misbehaving(http::Version::HTTP_2, async |address| {
        let answer = connect2(address).await.send_request(request2(address, "GET", "/")).await.unwrap();
        drop(read(answer).await);
    });
    assert_eq!(two.await, unset);
}

#[tokio::test]
async fn a_code_that_is_none_is_unknown() {
    let span = misbehaving(http::Version::HTTP_2, async |address| {
        assert_eq!(Ask::Check.ask(address, "shop.Carts").await, Code::Unknown);
    });
    let (status, facts) = span.await;
    assert_eq!(status, "error: ");
    assert_eq!(
        facts,
        ["error.type=UNKNOWN", "rpc.response.status_code=UNKNOWN", "rpc.method=grpc.health.v1.Health/Check",]
    );
}
