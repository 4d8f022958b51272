//! The same exchanges through every server and a client, over sockets: each ends once, as what it was, when it was, and
//! makes one record and one span.
#![cfg(feature = "full")]

mod support;

use std::time::Duration;

use belvedere::{observe::ObserveLayer, otel::OtelLayer};
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use support::{
    Ended, Recorder, Server, Spans, client,
    layers::{exception, lasted, text},
    shop,
};
use tokio::time::timeout;
use tower::layer::util::Stack;

/// Who watches a server.
#[derive(Clone)]
struct Eyes {
    recorder: Recorder,
    spans: std::sync::Arc<Spans>,
}

/// Which server serves the shop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Axum,
    Hyper1,
    Hyper2,
}

/// What a visitor of the shop does.
#[derive(Clone, Copy, Debug)]
enum Visit {
    Stay,
    Leave,
}

// ===== impl Eyes =====

impl Eyes {
    fn new() -> Self {
        Self { recorder: Recorder::new(), spans: Spans::new().into() }
    }

    /// The spans outermost, as a user stacks them.
    fn layer(&self) -> Stack<ObserveLayer<Recorder>, OtelLayer> {
        Stack::new(ObserveLayer::new(self.recorder.clone()), self.spans.layer())
    }

    /// Waits for the one record and the one span, and a little longer for a second that must not come.
    async fn one(&self) -> (Ended, SpanData) {
        self.recorder.ended(1).await;
        self.spans.ended(1).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        let (ended, span) = (self.recorder.only(), self.spans.only());
        assert!(lasted(&span) >= ended.duration, "the outer layer ends last");
        assert!(lasted(&span) < ended.duration + Duration::from_secs(1), "{span:#?}");
        (ended, span)
    }
}

// ===== impl Kind =====

impl Kind {
    async fn open(self, eyes: &Eyes) -> Server {
        let shop = || eyes.layer();
        match self {
            Self::Axum => Server::axum(shop::router().layer(shop())).await,
            Self::Hyper1 => Server::hyper1(tower::Layer::layer(&shop(), tower::service_fn(shop::shop))).await,
            Self::Hyper2 => Server::hyper2(tower::Layer::layer(&shop(), tower::service_fn(shop::shop))).await,
        }
    }

    /// One visitor of a fresh server: what was recorded of the exchange, and its span.
    async fn visited(self, method: &str, path: &str, visit: Visit) -> (Ended, SpanData) {
        let eyes = Eyes::new();
        let server = self.open(&eyes).await;
        match (self, visit) {
            (Self::Axum | Self::Hyper1, Visit::Stay) => {
                client::raw1(server.address, method, path).await;
            }
            (Self::Axum | Self::Hyper1, Visit::Leave) => {
                client::leave1(server.address, method, path, SOON).await;
            }
            (Self::Hyper2, _) => {
                let mut sender = client::connect2(server.address).await;
                let request = client::request2(server.address, method, path);
                let exchange = async { client::read(sender.send_request(request).await?).await };
                let patience = if matches!(visit, Visit::Leave) { SOON } else { Duration::from_secs(10) };
                drop(timeout(patience, exchange).await);
            }
        }
        let (ended, span) = eyes.one().await;
        self.says_whose_it_is(method, path, &span);
        (ended, span)
    }

    fn says_whose_it_is(self, method: &str, path: &str, span: &SpanData) {
        assert_eq!(span.span_kind, SpanKind::Server);
        match self {
            Self::Axum => {
                assert_eq!(span.name, format!("{method} /{{what}}"));
                assert_eq!(text(span, "http.route"), "/{what}");
            }
            Self::Hyper1 | Self::Hyper2 => assert_eq!(span.name, method),
        }
        assert_eq!(text(span, "url.path"), path);
        assert_eq!(text(span, "http.request.method"), method);
        let version = if self == Self::Hyper2 { "2" } else { "1.1" };
        assert_eq!(text(span, "network.protocol.version"), version);
    }

    /// What the error of a broken body is called: axum boxes it.
    fn broken(self) -> &'static str {
        match self {
            Self::Axum => std::any::type_name::<axum::Error>(),
            Self::Hyper1 | Self::Hyper2 => std::any::type_name::<support::body::Broken>(),
        }
    }
}

#[track_caller]
fn assert_fine(span: &SpanData, status: u16) {
    assert_eq!(span.status, Status::Unset);
    assert_eq!(text(span, "error.type"), "");
    assert_eq!(text(span, "http.response.status_code"), status.to_string());
    assert_eq!(exception(span), None);
}

#[track_caller]
fn assert_error(span: &SpanData, kind: &str, description: &str, status: Option<u16>) {
    assert_eq!(span.status, Status::error(description.to_owned()));
    assert_eq!(text(span, "error.type"), kind);
    let status = status.map(|status| status.to_string()).unwrap_or_default();
    assert_eq!(text(span, "http.response.status_code"), status);
}

#[track_caller]
fn assert_lasted(duration: Duration, at_least: Duration) {
    assert!(duration >= at_least, "{duration:?}");
    assert!(duration < Duration::from_secs(2), "{duration:?}");
}

#[track_caller]
fn assert_left(ended: &Ended, span: &SpanData) {
    assert_eq!(ended.end, "canceled");
    // The visitor counts from when it has asked, the server from when it has heard.
    let soon = SOON - Duration::from_millis(50);
    assert_lasted(ended.duration, soon);
    assert_lasted(lasted(span), soon);
}

// ===== HTTP: each of these runs on axum, on hyper's HTTP/1 and on its HTTP/2 =====

async fn a_body_of_known_length_is_complete(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/ok", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 5));
    assert_fine(&span, 200);
}

async fn an_empty_body_is_complete(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/empty", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
    assert_fine(&span, 200);
}

async fn an_answer_to_a_head_is_complete_without_a_body(kind: Kind) {
    let (ended, span) = kind.visited("HEAD", "/ok", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
    assert_fine(&span, 200);
}

async fn a_204_is_complete(kind: Kind) {
    let (ended, span) = kind.visited("DELETE", "/nothing", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
    assert_fine(&span, 204);
}

async fn a_404_is_complete_and_not_the_servers_error(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/missing", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 7));
    assert_fine(&span, 404);
}

async fn a_500_is_complete_and_an_error(kind: Kind) {
    let (ended, span) = kind.visited("POST", "/broken", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 6));
    assert_error(&span, "500", "", Some(500));
}

async fn a_body_streamed_for_500_ms_lasts_500_ms(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/stream", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 25));
    assert_fine(&span, 200);
    assert_lasted(ended.duration, Duration::from_millis(500));
    assert_lasted(lasted(&span), Duration::from_millis(500));
    assert!(ended.head.unwrap() < ended.duration - Duration::from_millis(400), "{ended:?}");
}

async fn a_body_with_trailers_is_complete_with_them(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/checked", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("complete with trailers", 5));
    assert_fine(&span, 200);
}

async fn a_client_that_leaves_before_the_head_is_a_cancel(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/slow", Visit::Leave).await;
    assert_eq!((ended.status, ended.bytes), (None, 0));
    assert_left(&ended, &span);
    assert_error(&span, "canceled", "the client left before the response was over", None);
}

async fn a_client_that_leaves_in_the_body_is_a_cancel(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/endless", Visit::Leave).await;
    assert_eq!(ended.bytes, 5);
    assert_left(&ended, &span);
    assert_error(&span, "canceled", "the client left before the response was over", Some(200));
}

async fn a_panic_in_the_handler_is_an_error_with_its_message(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/panic", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.status), ("panicked: the till is on fire", None));
    assert_error(&span, "panic", "panicked: the till is on fire", None);
    assert_eq!(exception(&span).as_deref(), Some("the till is on fire"));
}

async fn a_panic_in_the_body_is_an_error_with_its_message(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/panic-in-the-body", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("panicked: the till is on fire", 5));
    assert_error(&span, "panic", "panicked: the till is on fire", Some(200));
    assert_eq!(exception(&span).as_deref(), Some("the till is on fire"));
}

async fn a_body_that_breaks_is_an_error_with_its_message(kind: Kind) {
    let (ended, span) = kind.visited("GET", "/torn", Visit::Stay).await;
    assert_eq!((ended.end.as_str(), ended.bytes), ("failed: the disk is gone", 5));
    assert_error(&span, kind.broken(), "the disk is gone", Some(200));
    assert_eq!(exception(&span).as_deref(), Some("the disk is gone"));
}

/// One test of each name for each server.
macro_rules! table {
    ($($exchange:ident)+) => {
        table!(@server on_axum, Axum, $($exchange)+);
        table!(@server on_hyper1, Hyper1, $($exchange)+);
        table!(@server on_hyper2, Hyper2, $($exchange)+);
    };
    (@server $server:ident, $kind:ident, $($exchange:ident)+) => {
        mod $server {
            $(#[tokio::test]
            async fn $exchange() {
                super::$exchange(super::Kind::$kind).await;
            })+
        }
    };
}

table! {
    a_body_of_known_length_is_complete
    an_empty_body_is_complete
    an_answer_to_a_head_is_complete_without_a_body
    a_204_is_complete
    a_404_is_complete_and_not_the_servers_error
    a_500_is_complete_and_an_error
    a_body_streamed_for_500_ms_lasts_500_ms
    a_body_with_trailers_is_complete_with_them
    a_client_that_leaves_before_the_head_is_a_cancel
    a_client_that_leaves_in_the_body_is_a_cancel
    a_panic_in_the_handler_is_an_error_with_its_message
    a_panic_in_the_body_is_an_error_with_its_message
    a_body_that_breaks_is_an_error_with_its_message
}

// ===== what only one of them has =====

/// A shop behind axum, and the only span of one visit.
async fn routed(router: axum::Router, method: &str, path: &str, spans: &Spans) -> SpanData {
    let server = Server::axum(router).await;
    client::raw1(server.address, method, path).await;
    spans.ended(1).await;
    spans.only()
}

#[tokio::test]
async fn on_axum_a_path_that_no_route_matches_has_a_span_without_a_route() {
    let spans = Spans::new();
    let span = routed(shop::router().layer(spans.layer()), "GET", "/no/such/path", &spans).await;
    assert_eq!((span.name.as_ref(), text(&span, "http.route")), ("GET", String::new()));
    assert_fine(&span, 404);
}

#[tokio::test]
async fn on_axum_a_nested_router_names_its_whole_route() {
    for outside in [true, false] {
        let spans = Spans::new();
        let router = if outside {
            axum::Router::new().nest("/shop", shop::router()).layer(spans.layer())
        } else {
            axum::Router::new().nest("/shop", shop::router().layer(spans.layer()))
        };
        let span = routed(router, "GET", "/shop/ok", &spans).await;
        assert_eq!(span.name, "GET /shop/{what}", "the layer outside: {outside}");
        assert_eq!(text(&span, "http.route"), "/shop/{what}");
    }
}

#[tokio::test]
async fn on_axum_a_route_layer_sees_what_a_route_matches_and_nothing_else() {
    let spans = Spans::new();
    let server = Server::axum(shop::router().route_layer(spans.layer())).await;
    client::raw1(server.address, "GET", "/no/such/path").await;
    client::raw1(server.address, "GET", "/ok").await;
    spans.ended(1).await;
    assert_eq!(spans.only().name, "GET /{what}");
}

#[tokio::test]
async fn on_axum_a_method_router_and_a_fallback_take_the_layers_too() {
    use axum::routing::get;
    let eyes = Eyes::new();
    let router = axum::Router::new()
        .route("/{what}", get(shop::handler).layer(eyes.layer()))
        .fallback_service(tower::Layer::layer(&eyes.layer(), get(shop::handler)));
    let server = Server::axum(router).await;
    client::raw1(server.address, "GET", "/ok").await;
    client::raw1(server.address, "GET", "/no/such/path").await;
    let ended = eyes.recorder.ended(2).await;
    assert!(ended.iter().all(|ended| ended.end == "complete"), "{ended:#?}");
    let names: Vec<_> = eyes.spans.ended(2).await.into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["GET /{what}", "GET"]);
}

#[tokio::test]
async fn on_axum_the_layers_may_stand_around_the_router() {
    let eyes = Eyes::new();
    let outside = axum::Router::new().fallback_service(tower::Layer::layer(&eyes.layer(), shop::router()));
    let server = Server::axum(outside).await;
    client::raw1(server.address, "GET", "/stream").await;
    let (ended, span) = eyes.one().await;
    assert_eq!(ended.end, "complete");
    assert_eq!(span.name, "GET", "the route is not known yet");
}

#[tokio::test]
async fn on_hyper1_each_exchange_of_a_connection_that_is_kept_has_its_own_record() {
    let eyes = Eyes::new();
    let server = Kind::Hyper1.open(&eyes).await;
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for path in ["/ok", "/stream", "/empty"] {
        let request = client::request2(server.address, "GET", path);
        client::read(sender.send_request(request).await.unwrap()).await.unwrap();
    }
    let ended = eyes.recorder.ended(3).await;
    let facts: Vec<_> =
        ended.iter().map(|ended| (ended.path.as_str(), ended.end.as_str(), ended.bytes)).collect();
    assert_eq!(facts, [("/ok", "complete", 5), ("/stream", "complete", 25), ("/empty", "complete", 0)]);
    let spans = eyes.spans.ended(3).await;
    assert_ne!(spans[0].span_context.trace_id(), spans[1].span_context.trace_id());
}

#[tokio::test]
async fn on_hyper2_a_stream_that_is_reset_leaves_the_others_alone() {
    let eyes = Eyes::new();
    let server = Kind::Hyper2.open(&eyes).await;
    let sender = client::connect2(server.address).await;
    let visit = |path, patience| {
        let (mut sender, request) = (sender.clone(), client::request2(server.address, "GET", path));
        async move {
            let exchange = async { client::read(sender.send_request(request).await?).await };
            drop(timeout(patience, exchange).await);
        }
    };
    let patient = Duration::from_secs(10);
    tokio::join!(
        visit("/stream", patient),
        visit("/endless", SOON),
        visit("/ok", patient),
        visit("/slow", SOON)
    );
    let mut ends: Vec<_> =
        eyes.recorder.ended(4).await.into_iter().map(|ended| (ended.path, ended.end)).collect();
    ends.sort();
    let ends: Vec<_> = ends.iter().map(|(path, end)| (path.as_str(), end.as_str())).collect();
    assert_eq!(
        ends,
        [("/endless", "canceled"), ("/ok", "complete"), ("/slow", "canceled"), ("/stream", "complete")]
    );
    assert_eq!(eyes.spans.ended(4).await.len(), 4);
}

#[tokio::test]
async fn on_hyper2_a_connection_that_is_gone_cancels_all_its_exchanges() {
    let eyes = Eyes::new();
    let server = Kind::Hyper2.open(&eyes).await;
    client::leave2(server.address, &["/slow", "/endless"], SOON).await;
    let ended = eyes.recorder.ended(2).await;
    assert!(ended.iter().all(|ended| ended.end == "canceled"), "{ended:#?}");
    assert_eq!(eyes.spans.ended(2).await.len(), 2);
}

// ===== tonic =====

mod on_tonic {
    use futures_util::StreamExt as _;
    use tonic::{Code, Status, transport::Channel};

    use super::*;
    use crate::support::greeter::{GreeterClient, Greeting, SAY_HELLO, SAY_HELLOS};

    /// A greeter that is watched, and a client.
    async fn open() -> (Eyes, Server, GreeterClient<Channel>) {
        let eyes = Eyes::new();
        let server = Server::tonic(eyes.layer()).await;
        let endpoint = Channel::from_shared(format!("http://{}", server.address)).unwrap();
        let client = GreeterClient::new(endpoint.connect().await.unwrap(), server.address);
        (eyes, server, client)
    }

    async fn hello(name: &str) -> (Result<Greeting, Status>, Ended, SpanData) {
        let (eyes, _server, mut client) = open().await;
        let answer = client.hello(name).await;
        let (ended, span) = eyes.one().await;
        assert_call(&span, SAY_HELLO);
        (answer, ended, span)
    }

    /// Reads a stream to its end: its messages, and the status if it failed.
    async fn hellos(name: &str) -> (usize, Option<Code>, Ended, SpanData) {
        let (eyes, _server, mut client) = open().await;
        let mut stream = client.hellos(name).await.unwrap();
        let (mut count, mut code) = (0, None);
        while let Some(message) = stream.next().await {
            match message {
                Ok(_) => count += 1,
                Err(status) => code = Some(status.code()),
            }
        }
        let (ended, span) = eyes.one().await;
        assert_call(&span, SAY_HELLOS);
        (count, code, ended, span)
    }

    #[track_caller]
    fn assert_call(span: &SpanData, method: &str) {
        assert_eq!((span.name.as_ref(), &span.span_kind), (method, &SpanKind::Server));
        assert_eq!(text(span, "rpc.method"), method);
        assert_eq!(text(span, "http.request.method"), "", "an RPC is not told twice");
    }

    #[track_caller]
    fn assert_code(span: &SpanData, code: &str, error: bool) {
        assert_eq!(text(span, "rpc.response.status_code"), code);
        let (kind, status) = if error {
            (code, opentelemetry::trace::Status::error(""))
        } else {
            ("", opentelemetry::trace::Status::Unset)
        };
        assert_eq!((text(span, "error.type").as_str(), &span.status), (kind, &status));
    }

    fn grpc_status(ended: &Ended) -> Option<&str> {
        ended.trailers.as_ref()?.get("grpc-status")?.to_str().ok()
    }

    #[tokio::test]
    async fn a_call_that_goes_well_is_ok_by_its_trailers() {
        let (answer, ended, span) = hello("Worf").await;
        assert_eq!(answer.unwrap().text, "Hello, Worf!");
        assert_eq!((ended.end.as_str(), grpc_status(&ended)), ("complete with trailers", Some("0")));
        assert_code(&span, "OK", false);
    }

    #[tokio::test]
    async fn an_error_that_is_the_callers_is_told_by_a_head_of_trailers_alone() {
        let (answer, ended, span) = hello("nobody").await;
        assert_eq!(answer.unwrap_err().code(), Code::NotFound);
        assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 0));
        assert_code(&span, "NOT_FOUND", false);
    }

    #[tokio::test]
    async fn an_error_that_is_the_servers_is_an_error() {
        let (answer, ended, span) = hello("broken").await;
        assert_eq!(answer.unwrap_err().code(), Code::Internal);
        assert_eq!(ended.end, "complete");
        assert_code(&span, "INTERNAL", true);
    }

    #[tokio::test]
    async fn a_method_that_nobody_serves_is_unimplemented_and_names_nothing() {
        let (eyes, _server, mut client) = open().await;
        assert_eq!(client.unheard_of().await.unwrap_err().code(), Code::Unimplemented);
        let (ended, span) = eyes.one().await;
        assert_eq!(ended.end, "complete");
        assert_eq!((span.name.as_ref(), text(&span, "rpc.method").as_str()), ("grpc", "_OTHER"));
        assert_code(&span, "UNIMPLEMENTED", true);
    }

    #[tokio::test]
    async fn a_stream_that_goes_well_is_ok() {
        let (count, code, ended, span) = hellos("Worf").await;
        assert_eq!((count, code), (2, None));
        assert_eq!((ended.end.as_str(), grpc_status(&ended)), ("complete with trailers", Some("0")));
        assert_code(&span, "OK", false);
    }

    #[tokio::test]
    async fn a_stream_of_500_ms_lasts_500_ms() {
        let (count, code, ended, span) = hellos("slow").await;
        assert_eq!((count, code), (7, None));
        assert_lasted(ended.duration, Duration::from_millis(500));
        assert_lasted(lasted(&span), Duration::from_millis(500));
        assert_code(&span, "OK", false);
    }

    #[tokio::test]
    async fn a_stream_that_fails_at_once_is_told_by_a_head_of_trailers_alone() {
        let (eyes, _server, mut client) = open().await;
        assert_eq!(client.hellos("nobody").await.unwrap_err().code(), Code::NotFound);
        let (ended, span) = eyes.one().await;
        assert_eq!(ended.end, "complete");
        assert_code(&span, "NOT_FOUND", false);
    }

    #[tokio::test]
    async fn a_stream_that_fails_after_two_messages_is_an_error_by_its_trailers() {
        let (count, code, ended, span) = hellos("torn").await;
        assert_eq!((count, code), (2, Some(Code::Internal)));
        assert_eq!((ended.end.as_str(), grpc_status(&ended)), ("complete with trailers", Some("13")));
        assert_eq!(ended.status.map(|status| status.as_u16()), Some(200));
        assert_code(&span, "INTERNAL", true);
    }

    #[tokio::test]
    async fn a_caller_that_leaves_before_the_head_is_a_cancel() {
        let (eyes, _server, mut client) = open().await;
        timeout(SOON, client.hello("forever")).await.unwrap_err();
        let (ended, span) = eyes.one().await;
        assert_eq!(ended.status, None);
        assert_left(&ended, &span);
        assert_code(&span, "CANCELLED", false);
    }

    #[tokio::test]
    async fn a_caller_that_leaves_in_a_stream_is_a_cancel() {
        let (eyes, _server, mut client) = open().await;
        let stream = client.hellos("forever").await.unwrap();
        timeout(SOON, stream.collect::<Vec<_>>()).await.unwrap_err();
        let (ended, span) = eyes.one().await;
        assert!(ended.bytes > 0);
        assert_left(&ended, &span);
        assert_code(&span, "CANCELLED", false);
    }

    #[tokio::test]
    async fn a_panic_in_a_call_is_an_error_with_its_message() {
        let (answer, ended, span) = hello("panic").await;
        answer.unwrap_err();
        assert_eq!(ended.end, "panicked: the till is on fire");
        assert_panicked(&span);
    }

    #[tokio::test]
    async fn a_panic_in_a_stream_is_an_error_with_its_message() {
        let (count, code, ended, span) = hellos("panic").await;
        assert!(count <= 2 && code.is_some(), "{count} {code:?}");
        assert_eq!(ended.end, "panicked: the till is on fire");
        assert_panicked(&span);
    }

    #[track_caller]
    fn assert_panicked(span: &SpanData) {
        assert_eq!(span.status, opentelemetry::trace::Status::error("panicked: the till is on fire"));
        assert_eq!(text(span, "error.type"), "panic");
        assert_eq!(text(span, "rpc.response.status_code"), "INTERNAL");
        assert_eq!(exception(span).as_deref(), Some("the till is on fire"));
    }

    #[tokio::test]
    async fn the_peer_is_who_tonic_says() {
        use tonic::transport::server::TcpConnectInfo;
        let spans = Spans::new();
        let layer = spans.layer().peer(|request| request.extensions.get::<TcpConnectInfo>()?.remote_addr());
        let server = Server::tonic(layer).await;
        let channel =
            Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
        GreeterClient::new(channel, server.address).hello("Worf").await.unwrap();
        assert_eq!(text(&spans.ended(1).await[0], "network.peer.address"), "127.0.0.1");
    }

    #[tokio::test]
    async fn a_call_over_a_watched_channel_is_the_servers_parent() {
        let (eyes, server, _) = open().await;
        let channel =
            Channel::from_shared(format!("http://{}", server.address)).unwrap().connect().await.unwrap();
        let spans = Spans::new();
        let channel = tower::Layer::layer(&spans.client_layer(), channel);
        let mut client = GreeterClient::new(channel, server.address);
        let stream = client.hellos("torn").await.unwrap();
        assert_eq!(stream.collect::<Vec<_>>().await.len(), 3);

        let (_, served) = eyes.one().await;
        let called = spans.ended(1).await.remove(0);
        assert_eq!((called.name.as_ref(), &called.span_kind), (SAY_HELLOS, &SpanKind::Client));
        assert_code(&called, "INTERNAL", true);
        assert_eq!(served.span_context.trace_id(), called.span_context.trace_id());
        assert_eq!(served.parent_span_id, called.span_context.span_id());
        assert!(served.parent_span_is_remote);
    }
}

// ===== hyper-util's client =====

mod on_a_client {
    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use tower::ServiceExt as _;

    use super::*;

    /// A server of the shop, and a client whose exchanges are watched.
    struct Calls {
        shop: Eyes,
        server: Server,
        client: Eyes,
    }

    type Answer = Result<http::Response<Watched>, hyper_util::client::legacy::Error>;
    type Watched = belvedere::observe::Body<Inner, belvedere::otel::ClientSpan>;
    type Inner = belvedere::observe::Body<
        hyper::body::Incoming,
        <Recorder as belvedere::observe::Observer>::Observation,
    >;

    impl Calls {
        async fn open() -> Self {
            let shop = Eyes::new();
            let server = Kind::Hyper1.open(&shop).await;
            Self { shop, server, client: Eyes::new() }
        }

        async fn call(&self, path: &str) -> Answer {
            let Eyes { recorder, spans } = &self.client;
            let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
            let client = tower::ServiceBuilder::new()
                .layer(spans.client_layer())
                .layer(ObserveLayer::new(recorder.clone()))
                .service(client);
            client.oneshot(client::request2(self.server.address, "GET", path)).await
        }

        async fn one(&self) -> (Ended, SpanData) {
            let (ended, span) = self.client.one().await;
            assert_eq!((span.name.as_ref(), &span.span_kind), ("GET", &SpanKind::Client));
            assert_eq!(text(&span, "server.address"), "127.0.0.1");
            assert_eq!(text(&span, "server.port"), self.server.address.port().to_string());
            (ended, span)
        }
    }

    #[tokio::test]
    async fn a_body_that_is_read_to_its_end_is_complete_and_the_server_is_a_child() {
        let calls = Calls::open().await;
        calls.call("/ok").await.unwrap().collect().await.unwrap();
        let (ended, called) = calls.one().await;
        assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 5));
        assert_fine(&called, 200);
        let (_, served) = calls.shop.one().await;
        assert_eq!(served.span_context.trace_id(), called.span_context.trace_id());
        assert_eq!(served.parent_span_id, called.span_context.span_id());
        assert!(served.parent_span_is_remote);
    }

    #[tokio::test]
    async fn a_body_streamed_for_500_ms_lasts_500_ms() {
        let calls = Calls::open().await;
        calls.call("/stream").await.unwrap().collect().await.unwrap();
        let (ended, span) = calls.one().await;
        assert_eq!((ended.end.as_str(), ended.bytes), ("complete", 25));
        assert_lasted(lasted(&span), Duration::from_millis(500));
        assert_fine(&span, 200);
    }

    #[tokio::test]
    async fn a_404_is_the_callers_error() {
        let calls = Calls::open().await;
        calls.call("/missing").await.unwrap().collect().await.unwrap();
        let (ended, span) = calls.one().await;
        assert_eq!(ended.end, "complete");
        assert_error(&span, "404", "", Some(404));
    }

    #[tokio::test]
    async fn a_body_that_is_dropped_unread_is_no_error() {
        let calls = Calls::open().await;
        drop(calls.call("/endless").await.unwrap());
        let (ended, span) = calls.one().await;
        assert_eq!(ended.end, "canceled");
        assert_fine(&span, 200);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_lasts_until_then_and_is_no_error() {
        let calls = Calls::open().await;
        timeout(SOON, calls.call("/slow")).await.unwrap_err();
        let (ended, span) = calls.one().await;
        assert_eq!((ended.end.as_str(), ended.status), ("canceled", None));
        assert_lasted(lasted(&span), SOON);
        assert_eq!(span.status, Status::Unset);
        let (ended, _) = calls.shop.one().await;
        assert_eq!(ended.end, "canceled", "the server is left");
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_an_error() {
        let calls = Calls::open().await;
        calls.call("/torn").await.unwrap().collect().await.unwrap_err();
        let (ended, span) = calls.one().await;
        assert!(ended.end.starts_with("failed: "), "{}", ended.end);
        assert_eq!(text(&span, "error.type"), "response_ended");
        assert!(matches!(span.status, Status::Error { .. }));
        assert_eq!(text(&span, "http.response.status_code"), "200");
    }

    #[tokio::test]
    async fn a_server_that_panics_is_an_error_of_the_connection() {
        let calls = Calls::open().await;
        let error = calls.call("/panic").await.unwrap_err();
        let (ended, span) = calls.one().await;
        assert_eq!((ended.end, ended.status), (format!("failed: {error}"), None));
        assert_eq!(text(&span, "error.type"), "response_ended");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error_of_the_connection() {
        let mut calls = Calls::open().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        calls.server.address = listener.local_addr().unwrap();
        drop(listener);
        let error = calls.call("/ok").await.unwrap_err();
        assert!(error.is_connect(), "the caller gets the client's own error");
        let (ended, span) = calls.one().await;
        assert_eq!((ended.end, ended.status), (format!("failed: {error}"), None));
        assert_eq!(text(&span, "error.type"), "connection_refused");
    }
}

/// When a client leaves.
const SOON: Duration = Duration::from_millis(300);
