//! Outgoing calls as spans and metrics: a client of hyper's, one of reqwest's, one of tonic's.
//!
//! ```sh
//! cargo run --example client --features full -- hyper GET http://127.0.0.1:3000/carts/17
//! cargo run --example client --features full -- reqwest GET http://127.0.0.1:3000/carts/17
//! cargo run --example client --features full -- grpc http://127.0.0.1:50051 shop.Carts
//! cargo run --example client --features full -- watch http://127.0.0.1:50051 shop.Carts
//! ```
//!
//! Each waits for a second; the first asks again when the answer is a 503. Where spans and metrics go is for the
//! environment to say (`HONEYCOMB_API_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT`).

use std::{env, error::Error, future, time::Duration};

use belvedere::{Belvedere, BelvedereClientLayer, adapter::ReqwestClient, otel::ResendCountLayer};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::{BoxError, Layer, Service as _, ServiceBuilder, ServiceExt as _, retry::Policy};

type AnyError = Box<dyn Error + Send + Sync>;
type Watched = <BelvedereClientLayer as Layer<Channel>>::Service;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let belvedere = belvedere::from_env()?;
    let words: Vec<_> = env::args().skip(1).collect();
    let answer = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hyper", method, url] => hyper(&belvedere, method, url).await,
        ["reqwest", method, url] => reqwest(&belvedere, method, url).await,
        ["grpc", origin, service] => grpc(&belvedere, origin, service).await,
        ["watch", origin, service] => watch(&belvedere, origin, service).await,
        _ => Err("say: hyper|reqwest METHOD URL, or grpc|watch ORIGIN SERVICE".into()),
    };
    println!("{}", answer.unwrap_or_else(|error| format!("no answer: {error}")));
    println!("{}", belvedere.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// The first piece of an answer is all that it reads.
async fn hyper(belvedere: &Belvedere, method: &str, url: &str) -> Result<String, AnyError> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut client = ServiceBuilder::new()
        .layer(ResendCountLayer) // outside of the retry, so that its attempts are numbered
        .retry(Again(1))
        .layer(belvedere.client_layer())
        .timeout(PATIENCE)
        .service(client);
    let request = Request::builder().method(method).uri(url).body(Empty::new())?;
    let (head, mut body) = client.ready().await?.call(request).await?.into_parts();
    let piece = body.frame().await.transpose()?.and_then(|frame| frame.into_data().ok());
    Ok(format!("{} {}", head.status, String::from_utf8_lossy(&piece.unwrap_or_default())))
}

async fn reqwest(belvedere: &Belvedere, method: &str, url: &str) -> Result<String, AnyError> {
    let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let client = ReqwestClient::new(http.clone(), &belvedere.client_layer());
    let response = client.send(http.request(method.parse()?, url)).await?;
    Ok(format!("{} {}", response.status(), response.text().await?))
}

async fn grpc(belvedere: &Belvedere, origin: &str, service: &str) -> Result<String, AnyError> {
    let answer = health(belvedere, origin)?.check(asked(service)).await;
    Ok(answer.map_or_else(|status| status.to_string(), |answer| format!("{:?}", answer.into_inner())))
}

/// The first message of a stream is all that it reads.
async fn watch(belvedere: &Belvedere, origin: &str, service: &str) -> Result<String, AnyError> {
    let mut messages = health(belvedere, origin)?.watch(asked(service)).await?.into_inner();
    Ok(format!("{:?}", messages.message().await?.unwrap_or_default()))
}

fn health(belvedere: &Belvedere, origin: &str) -> Result<HealthClient<Watched>, AnyError> {
    let origin: Uri = origin.parse()?;
    let channel = Endpoint::from(origin.clone()).timeout(PATIENCE).connect_lazy();
    // The channel knows the host, what calls it does not.
    let layer = belvedere.client_layer().otel(|otel| otel.origin(origin));
    Ok(HealthClient::new(layer.layer(channel)))
}

fn asked(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

/// How often a request that was answered with a 503 is sent again.
#[derive(Clone)]
struct Again(usize);

// ===== impl Again =====

impl<B> Policy<Request<Empty<Bytes>>, Response<B>, BoxError> for Again {
    type Future = future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Empty<Bytes>>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let busy = matches!(result, Ok(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE);
        self.0 = self.0.checked_sub(usize::from(busy))?;
        busy.then(|| future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Empty<Bytes>>) -> Option<Request<Empty<Bytes>>> {
        Some(request.clone())
    }
}

const PATIENCE: Duration = Duration::from_secs(1);
