//! A call through three services, axum to tonic to hyper, over real sockets: one trace.
#![cfg(feature = "full")]

mod support;

use std::{convert::Infallible, net::SocketAddr, pin::Pin};

use axum::{Router, extract::Path, routing::get};
use belvedere::{observe::Observe, otel::OtelClientLayer};
use bytes::Bytes;
use futures_util::Stream;
use http::{Request, Response, StatusCode, Version};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry_sdk::trace::SpanData;
use support::{
    Script, Server,
    layers::text,
    spans::{Spans, status},
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::{Layer as _, ServiceBuilder, ServiceExt as _, service_fn};

type HttpClient = Observe<legacy::Client<HttpConnector, Empty<Bytes>>, OtelClientLayer>;

/// Three services, as if each were a process of its own: each with a provider of its own.
struct Chain {
    front: Spans,
    middle: Spans,
    back: Spans,
}

/// The service in the middle: it is well if the one at the back is.
struct Middle {
    client: HttpClient,
    back: SocketAddr,
    version: Version,
}

// ===== impl Chain =====

impl Chain {
    /// Calls through all three; HTTP is spoken in this version. Gives the spans in the order of the call.
    async fn call(version: Version, path: &str) -> Vec<SpanData> {
        let chain = Self { front: Spans::new(), middle: Spans::new(), back: Spans::new() };
        let back = chain.back(version).await;
        let middle = chain.middle(version, back.address).await;
        let front = chain.front(middle).await;

        let client = http_client(version);
        let request = request(version, front.address, path);
        client.request(request).await.unwrap();
        chain.spans().await
    }

    /// hyper at the back: it is ill when it is asked for something odd.
    async fn back(&self, version: Version) -> Server {
        let layer = self
            .back
            .layer()
            .route(|request| request.uri.path().starts_with("/stock/").then_some("/stock/{item}"));
        let service =
            ServiceBuilder::new().layer(layer).service(service_fn(|request: Request<Incoming>| async move {
                let odd = request.uri().path() == "/stock/odd";
                let status = if odd { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
                Ok::<_, Infallible>(
                    Response::builder().status(status).body(Script::new().data("12").last()).unwrap(),
                )
            }));
        if version == Version::HTTP_2 { Server::hyper2(service).await } else { Server::hyper1(service).await }
    }

    /// tonic in the middle.
    async fn middle(&self, version: Version, back: SocketAddr) -> SocketAddr {
        let client = self.middle.client_layer().layer(http_client(version));
        let health = HealthServer::new(Middle { client, back, version });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder().layer(self.middle.layer()).add_service(health);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    /// axum in front.
    async fn front(&self, middle: SocketAddr) -> Server {
        let channel = Channel::from_shared(format!("http://{middle}")).unwrap().connect_lazy();
        let channel = self.front.client_layer().layer(channel);
        let client = HealthClient::with_origin(channel, format!("http://{middle}").parse().unwrap());
        let handler = async move |Path(item): Path<String>| match client
            .clone()
            .check(HealthCheckRequest { service: item })
            .await
        {
            Ok(_) => StatusCode::OK,
            Err(_) => StatusCode::BAD_GATEWAY,
        };
        Server::axum(Router::new().route("/buy/{item}", get(handler)).layer(self.front.layer())).await
    }

    async fn spans(&self) -> Vec<SpanData> {
        let (mut front, mut middle, back) =
            (self.front.ended(2).await, self.middle.ended(2).await, self.back.ended(1).await);
        // The inner one ends first.
        front.reverse();
        middle.reverse();
        [front, middle, back].concat()
    }
}

// ===== impl Middle =====

#[tonic::async_trait]
impl Health for Middle {
    async fn check(
        &self,
        asked: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, tonic::Status> {
        let path = format!("/stock/{}", asked.get_ref().service);
        let response = self.client.clone().oneshot(request(self.version, self.back, &path)).await;
        let response = response.map_err(|error| tonic::Status::internal(error.to_string()))?;
        if response.status().is_success() {
            return Ok(tonic::Response::new(HealthCheckResponse::default()));
        }
        Err(tonic::Status::unavailable("the stock is not well"))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, tonic::Status>> + Send>>;

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, tonic::Status> {
        Err(tonic::Status::unimplemented("not needed"))
    }
}

fn http_client(version: Version) -> legacy::Client<HttpConnector, Empty<Bytes>> {
    legacy::Client::builder(TokioExecutor::new()).http2_only(version == Version::HTTP_2).build_http()
}

fn request(version: Version, address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("http://{address}{path}");
    Request::get(uri).version(version).body(Empty::new()).unwrap()
}

/// `GET /buy/{item} server unset`, with what else tells how it went.
fn shown(span: &SpanData) -> String {
    let kind = match span.span_kind {
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        _ => "other",
    };
    let of = |key| text(span, key);
    let answer = [of("http.response.status_code"), of("rpc.response.status_code")].concat();
    let protocol = of("network.protocol.version");
    format!(
        "{} | {kind} | {answer} | {} | {} | {protocol}",
        span.name,
        status(span).trim_end(),
        of("http.route")
    )
}

#[track_caller]
fn assert_one_trace(spans: &[SpanData]) {
    let trace = spans[0].span_context.trace_id();
    assert!(spans.iter().all(|span| span.span_context.trace_id() == trace), "{spans:#?}");
    let mut parent = SpanId::INVALID;
    for span in spans {
        assert_eq!(span.parent_span_id, parent, "{}", span.name);
        parent = span.span_context.span_id();
    }
}

async fn a_good_call(version: Version, protocol: &str) {
    let spans = Chain::call(version, "/buy/tea").await;
    assert_one_trace(&spans);
    assert_eq!(
        spans.iter().map(shown).collect::<Vec<_>>(),
        [
            format!("GET /buy/{{item}} | server | 200 | unset | /buy/{{item}} | {protocol}"),
            "grpc.health.v1.Health/Check | client | OK | unset |  | ".to_owned(),
            "grpc.health.v1.Health/Check | server | OK | unset |  | ".to_owned(),
            format!("GET | client | 200 | unset |  | {protocol}"),
            format!("GET /stock/{{item}} | server | 200 | unset | /stock/{{item}} | {protocol}"),
        ]
    );
}

async fn a_failing_call(version: Version, protocol: &str) {
    let spans = Chain::call(version, "/buy/odd").await;
    assert_one_trace(&spans);
    assert_eq!(
        spans.iter().map(shown).collect::<Vec<_>>(),
        [
            format!("GET /buy/{{item}} | server | 502 | error: | /buy/{{item}} | {protocol}"),
            "grpc.health.v1.Health/Check | client | UNAVAILABLE | error: |  | ".to_owned(),
            "grpc.health.v1.Health/Check | server | UNAVAILABLE | error: |  | ".to_owned(),
            format!("GET | client | 503 | error: |  | {protocol}"),
            format!("GET /stock/{{item}} | server | 503 | error: | /stock/{{item}} | {protocol}"),
        ]
    );
}

#[tokio::test]
async fn a_call_through_three_services_is_one_trace_over_http_1() {
    a_good_call(Version::HTTP_11, "1.1").await;
}

#[tokio::test]
async fn a_call_through_three_services_is_one_trace_over_http_2() {
    a_good_call(Version::HTTP_2, "2").await;
}

#[tokio::test]
async fn a_call_that_fails_at_the_back_is_one_trace_over_http_1() {
    a_failing_call(Version::HTTP_11, "1.1").await;
}

#[tokio::test]
async fn a_call_that_fails_at_the_back_is_one_trace_over_http_2() {
    a_failing_call(Version::HTTP_2, "2").await;
}
