//! An exporter of your own: spans leave through `opentelemetry-otlp`, over gRPC, and not through the outbox.
//!
//! ```sh
//! cargo run --example exporter --features otel
//! curl -i http://127.0.0.1:3000/carts/17
//! ```
//!
//! Spans go to `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://localhost:4317`. The exporter's own queue, retries and shutdown
//! apply, and what it loses nobody counts.

use std::{env, error::Error};

use axum::{Router, extract::Path, routing::get};
use belvedere::otel::{Ids, OtelLayer, Undecided};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("shop").build())
        .with_id_generator(Ids)
        .with_sampler(Undecided(Sampler::ParentBased(Box::new(Sampler::AlwaysOn))))
        .with_batch_exporter(SpanExporter::builder().with_tonic().build()?)
        .build();

    let layer = OtelLayer::new()
        .tracer_provider(&provider)
        .route(|request| request.uri.path().starts_with("/carts/").then_some("/carts/{id}"));
    let app = Router::new().route("/carts/{id}", get(cart)).layer(layer);
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    // It blocks, and its exporter needs this runtime meanwhile.
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}

async fn cart(Path(id): Path<u32>) -> String {
    format!("cart {id}")
}
