use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    process,
    sync::Mutex,
};

use anyhow::Result;
use axum::Router;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tower_otel::trace::HttpLayer;
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{AGE, BATCH, DRAIN, QUEUE, Stack, belvedere::resource};
use crate::{account::Lane, backend::Backend};

/// Spans, straight from the SDK.
pub(crate) fn instrumentation_tower(port: u16) -> Result<Stack> {
    let provider = provider(port)?;
    let layer = opentelemetry_instrumentation_tower::http::server::Layer::new();
    Ok(spans(provider, |router| router.layer(layer)))
}

/// Spans, by way of `tracing`.
pub(crate) fn tower_otel(port: u16) -> Result<Stack> {
    let provider = provider(port)?;
    subscribe(&provider, Targets::new().with_default(Level::INFO));
    Ok(spans(provider, |router| router.layer(HttpLayer::server(Level::INFO))))
}

/// Spans, by way of `tracing`, which it makes at the level of traces.
pub(crate) fn axum_tracing(port: u16) -> Result<Stack> {
    let provider = provider(port)?;
    subscribe(&provider, Targets::new().with_default(Level::INFO).with_target("otel::tracing", Level::TRACE));
    Ok(spans(provider, |router| router.layer(OtelAxumLayer::default())))
}

/// A line of JSON for each exchange, written at once, as to a terminal.
pub(crate) fn tower_http() -> Result<Stack> {
    let path = env::temp_dir().join(format!("belvedere-load-{}.log", process::id()));
    let file = fs::File::create(&path)?;
    tracing_subscriber::fmt().json().with_max_level(Level::INFO).with_writer(Mutex::new(file)).init();
    let layer = TraceLayer::new_for_http()
        .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    let close = move |exchanges: u64| {
        let written = BufReader::new(fs::File::open(&path)?).lines().count();
        fs::remove_file(&path)?;
        let lost = exchanges.saturating_sub(u64::try_from(written)?);
        Ok(vec![Lane { backend: Backend::File, accepted: exchanges, lost }])
    };
    Ok(Stack { layer: Box::new(|router| router.layer(layer)), close: Box::new(close) })
}

/// Each exchange is a span; what the SDK loses of them, the sink misses.
fn spans(provider: SdkTracerProvider, layer: impl FnOnce(Router) -> Router + 'static) -> Stack {
    let close = move |exchanges| {
        provider.shutdown_with_timeout(DRAIN)?;
        Ok(vec![Lane { backend: Backend::Otlp, accepted: exchanges, lost: 0 }])
    };
    Stack { layer: Box::new(layer), close: Box::new(close) }
}

/// The SDK's batch processor and the vendor's exporter, on a thread of their own.
fn provider(port: u16) -> Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("http://127.0.0.1:{port}/v1/traces"))
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(AGE)
        .build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let provider =
        SdkTracerProvider::builder().with_resource(resource()).with_span_processor(processor).build();
    global::set_tracer_provider(provider.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    Ok(provider)
}

fn subscribe(provider: &SdkTracerProvider, targets: Targets) {
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("load"));
    tracing_subscriber::registry().with(targets).with(spans).init();
}
