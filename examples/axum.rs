//! An axum service: every request is a span, and counted in metrics.
//!
//! ```sh
//! cargo run --example axum --features full
//! curl -i http://127.0.0.1:3000/carts/17
//! ```
//!
//! Where they go is for the environment to say (`HONEYCOMB_API_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT`), as is the port to
//! listen on (`PORT`). `OTEL_TRACES_EXPORTER=console` prints each span as it ends; with `OTEL_METRICS_EXPORTER=none` beside it
//! nothing is sent, and Ctrl-C waits for nobody.

use std::{env, error::Error, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use belvedere::{Setup, exchange::Annotations};
use serde::Serialize;
use tokio::net::TcpListener;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

#[derive(Serialize)]
struct Cart {
    id: u32,
    items: Vec<&'static str>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setup = Setup::from_env().metrics(|metrics| metrics.active_requests(true).body_sizes(true));
    let belvedere = setup.start()?;
    let app = Router::new()
        .route("/carts/{id}", get(cart).delete(remove))
        .route("/carts/{id}/order", post(order))
        .route("/report", get(report))
        .route(
            "/stock",
            get(report).layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PATIENCE)),
        )
        .layer(belvedere.layer())
        // Outside, so that the span sees the panic and the client gets a 500.
        .layer(CatchPanicLayer::new());

    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>(); // for the client's address
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    println!("{}", belvedere.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// Carts have numbers below 100.
async fn cart(annotations: Annotations, Path(id): Path<u32>) -> Result<Json<Cart>, StatusCode> {
    annotations.insert("cart", i64::from(id)); // onto the request's span
    if id < 100 { Ok(Json(Cart { id, items: vec!["tea"] })) } else { Err(StatusCode::NOT_FOUND) }
}

/// Orders need the bank, and the bank does not answer.
async fn order(Path(_): Path<u32>) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

/// Has a bug.
async fn remove(Path(_): Path<u32>) -> StatusCode {
    panic!("the cart is stuck")
}

/// Takes longer than most callers wait.
async fn report() -> &'static str {
    tokio::time::sleep(Duration::from_secs(10)).await;
    "all is well"
}

const PATIENCE: Duration = Duration::from_millis(100);
