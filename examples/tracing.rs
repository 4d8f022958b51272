//! Spans of the `tracing` crate inside of a request, as children of its span.
//!
//! ```sh
//! cargo run --example tracing --features full
//! curl -i http://127.0.0.1:3000/carts/17
//! ```
//!
//! Where spans go is for the environment to say (`HONEYCOMB_API_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT`).

use std::{env, error::Error, time::Duration};

use axum::{Router, extract::Path, routing::get};
use belvedere::trace::InScope as _;
use opentelemetry::trace::TracerProvider as _;
use tokio::net::TcpListener;
use tracing::{info, instrument};
use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let belvedere = belvedere::from_env()?;
    let provider = belvedere.tracer_provider();
    let layer = provider.map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("shop")));
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();

    let app = Router::new().route("/carts/{id}", get(cart)).layer(belvedere.layer());
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    println!("{}", belvedere.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

#[instrument]
async fn cart(Path(id): Path<u32>) -> String {
    // A task does not inherit the scope by itself.
    let items = tokio::spawn(items(id).in_scope()).await.unwrap_or_default();
    format!("cart {id}: {items:?}")
}

#[instrument]
async fn items(cart: u32) -> Vec<&'static str> {
    info!(cart, "looking into the cart"); // an event of the span
    vec!["tea"]
}
