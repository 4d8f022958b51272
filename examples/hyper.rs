//! A hyper service, HTTP/1.1 and HTTP/2: every request is a span, and counted in a metric.
//!
//! ```sh
//! cargo run --example hyper --features otel
//! curl -i http://127.0.0.1:3000/carts/17
//! ```
//!
//! hyper has no router, so the service says itself which routes there are. Where spans and metrics go is for the environment
//! to say (`HONEYCOMB_API_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT`), as is the port to listen on (`PORT`).

use std::{convert::Infallible, env, error::Error, time::Duration};

use belvedere::exchange::Peer;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let belvedere = belvedere::from_env()?;
    let layer = belvedere.layer().otel(|otel| otel.route(route));
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let (server, connections) = (auto::Builder::new(TokioExecutor::new()), GracefulShutdown::new());
    let serve = async {
        while let Ok((socket, address)) = listener.accept().await {
            let with_peer = move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(Peer(address)); // for the client's address
                request
            };
            let service = ServiceBuilder::new()
                .map_request(with_peer)
                .layer(layer.clone())
                .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE))
                .service_fn(handle);
            let connection = server.serve_connection(TokioIo::new(socket), TowerToHyperService::new(service));
            tokio::spawn(connections.watch(connection.into_owned()));
        }
    };
    tokio::select! { () = serve => {}, _ = tokio::signal::ctrl_c() => {} }
    connections.shutdown().await; // first the server, then what it has left to send
    println!("{}", belvedere.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// Which route a request takes: the name of many paths.
fn route(request: &request::Parts) -> Option<&'static str> {
    match request.uri.path().split('/').skip(1).collect::<Vec<_>>()[..] {
        ["carts", _] => Some("/carts/{id}"),
        ["carts", _, "order"] => Some("/carts/{id}/order"),
        ["report"] => Some("/report"),
        _ => None,
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, _) = request.into_parts();
    Ok(match (&parts.method, route(&parts)) {
        (&Method::GET, Some("/carts/{id}")) => cart(parts.uri.path()),
        (&Method::DELETE, Some("/carts/{id}")) => panic!("the cart is stuck"),
        (&Method::POST, Some("/carts/{id}/order")) => answer(StatusCode::SERVICE_UNAVAILABLE, ""),
        (&Method::GET, Some("/report")) => report(parts.uri.query() == Some("slow")).await,
        (_, Some(_)) => answer(StatusCode::METHOD_NOT_ALLOWED, ""),
        (_, None) => answer(StatusCode::NOT_FOUND, ""),
    })
}

/// Carts have numbers below 100.
fn cart(path: &str) -> Response<Full<Bytes>> {
    match path.trim_start_matches("/carts/").parse::<u32>() {
        Ok(0..100) => answer(StatusCode::OK, "tea"),
        _ => answer(StatusCode::NOT_FOUND, ""),
    }
}

/// Takes a while; if it is a slow one, longer than there is time.
async fn report(slow: bool) -> Response<Full<Bytes>> {
    tokio::time::sleep(if slow { 10 * PATIENCE } else { PATIENCE / 2 }).await;
    answer(StatusCode::OK, "all is well")
}

fn answer(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
}

const PATIENCE: Duration = Duration::from_secs(1);
