//! Every way to fail, on every server, in every order with other layers: one item each, and the right one. Over real
//! sockets.
#![cfg(feature = "full")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/rollbar.rs"]
mod rollbar;
#[path = "support/segments.rs"]
mod segments;
mod support;

use std::{io, time::Duration};

use belvedere::{
    exchange::HandlerError,
    observe::ObserveLayer,
    outbox::Outbox,
    rollbar::{Api, ItemLane, RollbarLayer, report_error},
    trace::{OccurrenceId, SpanId, TraceId},
};
use futures_util::StreamExt as _;
use http::{HeaderValue, Request, Response, StatusCode};
use rollbar::Rollbar;
use segments::{Traced, Wrapped};
use serde_json::Value;
use support::{
    Script, Server, Spans,
    client::{connect2, read, request2},
    greeter::GreeterClient,
};
use tonic::{body::Body as TonicBody, transport::Channel};
use tower::{
    BoxError, Layer as _,
    layer::util::Stack,
    service_fn,
    util::{MapRequestLayer, MapResponseLayer},
};
use tower_http::catch_panic::CatchPanicLayer;

/// What stands in for Rollbar, and a layer whose items it gets.
struct Watch {
    rollbar: Rollbar,
    outbox: Outbox,
    layer: RollbarLayer,
}

// ===== impl Watch =====

impl Watch {
    fn open() -> Self {
        let (rollbar, outbox) = (Rollbar::content(), Outbox::builder().start().unwrap());
        let api = Api::new("a-token".parse().unwrap()).endpoint(rollbar.url().parse().unwrap());
        let layer = RollbarLayer::on(ItemLane::limited(&outbox, api, None, None).unwrap());
        Self { rollbar, outbox, layer }
    }

    async fn close(self) -> Vec<Value> {
        assert_eq!(self.outbox.shutdown(Duration::from_secs(10)).await.lost(), 0);
        self.rollbar.items()
    }
}

/// Does it by each order of the three layers, stacked and in one pass: those that are further in come first.
macro_rules! in_each_order {
    (|$layer:ident| $serve:expr, $expected:expr) => {
        for order in 0..12 {
            let (watch, traced, spans) = (Watch::open(), Traced::new("shop").await, Spans::new());
            let (rollbar, xray, otel) = (watch.layer.clone(), traced.layer.clone(), spans.layer());
            in_each_order!(@ order, $layer, $serve,
                0 => Stack::new(rollbar, Stack::new(xray, otel)),
                1 => Stack::new(rollbar, Stack::new(otel, xray)),
                2 => Stack::new(xray, Stack::new(rollbar, otel)),
                3 => Stack::new(xray, Stack::new(otel, rollbar)),
                4 => Stack::new(otel, Stack::new(rollbar, xray)),
                5 => Stack::new(otel, Stack::new(xray, rollbar)),
                6 => ObserveLayer::new((rollbar, xray, otel)),
                7 => ObserveLayer::new((rollbar, otel, xray)),
                8 => ObserveLayer::new((xray, rollbar, otel)),
                9 => ObserveLayer::new((xray, otel, rollbar)),
                10 => ObserveLayer::new((otel, rollbar, xray)),
                _ => ObserveLayer::new((otel, xray, rollbar))
            );
            let expected: &[(&str, &str)] = $expected;
            let items = watch.close().await;
            assert_are(&items, expected, order);
            for (item, span) in items.iter().zip(spans.ended(expected.len()).await) {
                assert_eq!(item["custom"]["span_id"], span.span_context.span_id().to_string(), "{order}");
                assert_eq!(item["custom"]["trace_id"], span.span_context.trace_id().to_string(), "{order}");
            }
            drop(traced);
        }
    };
    (@ $order:ident, $layer:ident, $serve:expr, $($number:pat => $made:expr),+) => {
        match $order {
            $($number => { let $layer = $made; $serve })+
        }
    };
}

/// Fails unless there is one item for each of these, in their order: what it says, and its context.
#[track_caller]
fn assert_are(items: &[Value], expected: &[(&str, &str)], order: usize) {
    let told: Vec<_> = items.iter().map(|item| (says(item), item["context"].as_str().unwrap())).collect();
    let told: Vec<_> = told.iter().map(|(said, context)| (said.as_str(), *context)).collect();
    assert_eq!(told, expected, "{order}");
    for item in items {
        let text = |key: &str| item["custom"][key].as_str().unwrap();
        let (trace_id, span_id): (TraceId, SpanId) =
            (text("trace_id").parse().unwrap(), text("span_id").parse().unwrap());
        assert_eq!(text("xray_trace_id"), trace_id.amzn().to_string());
        assert_eq!(item["uuid"], OccurrenceId::of(trace_id, span_id, 0).to_string(), "{order}");
        let first = if item["body"]["trace"].is_object() {
            &item["body"]["trace"]
        } else {
            &item["body"]["trace_chain"][0]
        };
        assert_eq!(first["frames"][0]["method"], item["context"], "{order}");
    }
}

/// Its level, and class and message of each error.
fn says(data: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let chain = data["body"]["trace_chain"].as_array().cloned();
    let chain = chain.unwrap_or_else(|| vec![data["body"]["trace"].clone()]);
    let one = |trace: &Value| {
        format!("{} \"{}\"", text(&trace["exception"]["class"]), text(&trace["exception"]["message"]))
    };
    format!("{}: {}", text(&data["level"]), chain.iter().map(one).collect::<Vec<_>>().join(" < "))
}

fn lost_cart() -> Wrapped<io::Error> {
    Wrapped("no cart", io::Error::other("the disk is gone"))
}

/// Fails by the path.
async fn fail<B>(request: Request<B>) -> Result<Response<Script>, BoxError> {
    let grpc = |script: Script| {
        let mut response = Response::new(script);
        response.headers_mut().insert("content-type", GRPC);
        response
    };
    let mut response = match request.uri().path() {
        "/error" => return Err(lost_cart().into()),
        "/panic" => panic!("the till is on fire"),
        "/torn" => return Ok(Response::new(Script::new().data("hello").wait(5).fail("the disk is gone"))),
        "/burnt" => {
            return Ok(Response::new(Script::new().data("hello").wait(5).panic("the till is on fire")));
        }
        "/trailers-only" => {
            let mut response = grpc(Script::new().last());
            response.headers_mut().insert("grpc-status", 14.into());
            response.headers_mut().insert("grpc-message", HeaderValue::from_static("a%20reef"));
            return Ok(response);
        }
        "/trailers" => {
            let trailers = [("grpc-status", "13"), ("grpc-message", "it%20broke")];
            return Ok(grpc(Script::new().data("hello").wait(5).trailers(&trailers)));
        }
        _ => Response::new(Script::new().data("failed").last().exact(6)),
    };
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if request.uri().path() == "/reported" {
        report_error(&lost_cart());
    }
    if matches!(request.uri().path(), "/left" | "/reported") {
        response.extensions_mut().insert(HandlerError::new(lost_cart()));
    }
    Ok(response)
}

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

const HELLO: &str = "POST /shop.Greeter/SayHello";
const HELLOS: &str = "POST /shop.Greeter/SayHellos";

const CHAIN: &str = "error: Wrapped \"no cart\" < io::Error::Other \"the disk is gone\"";
const PANIC: &str = "critical: panic \"the till is on fire\"";
const BARE: &str = "error: HTTP 503 \"Service Unavailable\"";
const TORN: &str = "error: Broken \"the disk is gone\"";
const TRAILERS_ONLY: &str = "error: gRPC UNAVAILABLE \"a reef\"";
const TRAILERS: &str = "error: gRPC INTERNAL \"it broke\"";

const PATHS: [&str; 9] =
    ["/error", "/left", "/bare", "/panic", "/torn", "/burnt", "/trailers-only", "/trailers", "/reported"];

#[tokio::test]
async fn on_hyper_in_any_order() {
    in_each_order!(
        |layer| {
            let server = Server::hyper2(layer.layer(service_fn(fail))).await;
            for path in PATHS {
                ask(&server, path).await;
            }
        },
        &[
            (CHAIN, "GET"),
            (CHAIN, "GET"),
            (BARE, "GET"),
            (PANIC, "GET"),
            (TORN, "GET"),
            (PANIC, "GET"),
            (TRAILERS_ONLY, "POST"),
            (TRAILERS, "POST"),
            (CHAIN, "GET"),
        ]
    );
}

/// Asks, as a client of gRPC where the path says so.
async fn ask(server: &Server, path: &str) {
    let is_grpc = path.starts_with("/trailers");
    let mut request = request2(server.address, if is_grpc { "POST" } else { "GET" }, path);
    if is_grpc {
        request.headers_mut().insert("content-type", GRPC);
    }
    if let Ok(response) = connect2(server.address).await.send_request(request).await {
        drop(read(response).await);
    }
}

#[tokio::test]
async fn on_axum_in_any_order_and_with_panics_caught_further_in() {
    in_each_order!(
        |layer| {
            let told = |error: BoxError| async move {
                let mut response = Response::new(axum::body::Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response.extensions_mut().insert(HandlerError::new(error));
                response
            };
            let service =
                || axum::error_handling::HandleError::new(service_fn(fail::<axum::body::Body>), told);
            let caught = axum::Router::new().route_service("/panic", service()).layer(CatchPanicLayer::new());
            let router = axum::Router::new().route_service("/{what}", service()).merge(caught).layer(layer);
            let server = Server::axum(router).await;
            for path in PATHS {
                ask(&server, path).await;
            }
        },
        &[
            (CHAIN, "GET /{what}"),
            (CHAIN, "GET /{what}"),
            (BARE, "GET /{what}"),
            (PANIC, "GET /panic"),
            (TORN, "GET /{what}"),
            (PANIC, "GET /{what}"),
            (TRAILERS_ONLY, "POST /{what}"),
            (TRAILERS, "POST /{what}"),
            (CHAIN, "GET /{what}"),
        ]
    );
}

fn report(request: Request<TonicBody>) -> Request<TonicBody> {
    report_error(&lost_cart());
    request
}

fn leave(mut response: Response<TonicBody>) -> Response<TonicBody> {
    response.extensions_mut().insert(HandlerError::new(lost_cart()));
    response
}

async fn call(server: &Server, name: &str, is_stream: bool) {
    let channel =
        Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
    let mut client = GreeterClient::new(channel, server.address);
    if is_stream {
        if let Ok(stream) = client.hellos(name).await {
            stream.collect::<Vec<_>>().await;
        }
    } else {
        drop(client.hello(name).await);
    }
}

#[tokio::test]
async fn on_tonic_in_any_order_and_with_panics_caught_further_in() {
    in_each_order!(
        |layer| {
            let server = Server::tonic(layer.clone()).await;
            for (name, is_stream) in [("broken", false), ("panic", false), ("torn", true), ("panic", true)] {
                call(&server, name, is_stream).await;
            }
            let left = Server::tonic(Stack::new(MapResponseLayer::new(leave), layer.clone())).await;
            call(&left, "broken", false).await;
            call(&left, "torn", true).await;
            let reported = Server::tonic(Stack::new(MapRequestLayer::new(report), layer.clone())).await;
            call(&reported, "broken", false).await;
            call(&reported, "torn", true).await;
            let caught = Server::tonic(Stack::new(CatchPanicLayer::new(), layer)).await;
            call(&caught, "panic", false).await;
        },
        &[
            ("error: gRPC INTERNAL \"the greeter is ill\"", HELLO),
            (PANIC, HELLO),
            ("error: gRPC INTERNAL \"the greeter fell ill\"", HELLOS),
            (PANIC, HELLOS),
            (CHAIN, HELLO),
            (CHAIN, HELLOS),
            (CHAIN, HELLO),
            (CHAIN, HELLOS),
            (PANIC, HELLO),
        ]
    );
}
