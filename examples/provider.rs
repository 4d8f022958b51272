//! A tracer provider of your own: your resource, your sampler, your processors, and Belvedere's layer on top.
//!
//! ```sh
//! cargo run --example provider --features full
//! curl -i http://127.0.0.1:3000/carts/17
//! ```
//!
//! Spans go to the OTLP endpoint at `ENDPOINT`, or `http://localhost:4318/v1/traces`.

use std::{env, error::Error, time::Duration};

use axum::{Router, extract::Path, routing::get};
use belvedere::{
    otel::{Ids, OtelLayer, Otlp, SpanLane, Undecided},
    outbox::Outbox,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor},
};
use tokio::net::TcpListener;

/// A processor as you may have one already.
#[derive(Debug)]
struct Region(&'static str);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let outbox = Outbox::builder().start()?;
    let endpoint = env::var("ENDPOINT").unwrap_or_else(|_| "http://localhost:4318/v1/traces".to_owned());
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("shop").build())
        // One trace id in all backends, and what callers leave open decided here.
        .with_id_generator(Ids)
        .with_sampler(Undecided(Sampler::ParentBased(Box::new(Sampler::AlwaysOn))))
        .with_span_processor(Region("eu-west-1"))
        // Or any other processor or exporter, such as that of `opentelemetry-otlp`.
        .with_span_processor(SpanLane::otlp(&outbox, Otlp::new(endpoint.parse()?))?)
        .build();

    let layer = OtelLayer::new().tracer_provider(&provider);
    let app = Router::new().route("/carts/{id}", get(cart)).layer(layer);
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    println!("{}", outbox.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

async fn cart(Path(id): Path<u32>) -> String {
    format!("cart {id}")
}

// ===== impl Region =====

impl SpanProcessor for Region {
    fn on_start(&self, span: &mut Span, _context: &Context) {
        use opentelemetry::trace::Span as _;
        span.set_attribute(KeyValue::new("cloud.region", self.0));
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
