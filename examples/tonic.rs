//! A tonic service: every call is a span that ends with the trailers and has their status, and is counted in a metric.
//!
//! ```sh
//! cargo run --example tonic --features otel
//! cargo run --example client --features full -- grpc http://127.0.0.1:50051 shop.Carts
//! ```
//!
//! It answers the standard health protocol for a shop, some of whose parts are not well. Where spans and metrics go is for the
//! environment to say (`HONEYCOMB_API_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT`), as is the port to listen on (`PORT`).

use std::{env, error::Error, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpConnectInfo},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

struct Shop;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let belvedere = belvedere::from_env()?;
    let layer = belvedere.layer().otel(|otel| {
        otel.peer(|request| request.extensions.get::<TcpConnectInfo>()?.remote_addr())
            // So that strangers cannot name spans.
            .rpc_methods(["grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"])
    });
    let port = env::var("PORT").map_or(Ok(50051), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let server = Server::builder().layer(layer).add_service(HealthServer::new(Shop));
    server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), interrupted).await?;
    println!("{}", belvedere.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

#[tonic::async_trait]
impl Health for Shop {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "" | "shop.Carts" => Ok(Response::new(health(ServingStatus::Serving))),
            "shop.Orders" => Err(Status::unavailable("the bank does not answer")),
            "shop.Reports" => Err(late().await),
            "shop.Returns" => panic!("the returns are stuck"),
            _ => Err(Status::not_found("there is no such part of the shop")),
        }
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The health now, and then whenever it changes.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let now = self.check(request).await?.into_inner();
        Ok(Response::new(stream::iter([Ok(now)]).chain(stream::pending()).boxed()))
    }
}

/// Takes longer than most callers wait.
async fn late() -> Status {
    tokio::time::sleep(Duration::from_secs(10)).await;
    Status::deadline_exceeded("the reports are late")
}

fn health(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
