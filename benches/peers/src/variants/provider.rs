//! The SDK's provider of spans, as its documentation sets it up.

use std::time::Duration;

use opentelemetry::global;
use opentelemetry_aws::{
    trace::XrayIdGenerator,
    xray_exporter::{XrayExporter, daemon_client::XrayDaemonClient},
};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, TracerProviderBuilder},
};

use crate::{running::Running, sinks::Sinks};

/// Spans to the collector, with the defaults of the SDK: batches of 512, protobuf over HTTP, no compression.
pub fn otlp(sinks: &Sinks) -> SdkTracerProvider {
    global(builder(sinks))
}

/// The same, and segments to the X-Ray daemon.
pub fn otlp_and_xray(sinks: &Sinks) -> SdkTracerProvider {
    let daemon = XrayDaemonClient::new(sinks.udp).expect("a socket");
    let segments = XrayExporter::new(daemon);
    global(builder(sinks).with_id_generator(XrayIdGenerator::default()).with_batch_exporter(segments))
}

/// Sends the provider's spans after each burst, and at the end.
pub fn sending(running: Running, provider: SdkTracerProvider) -> Running {
    let ending = provider.clone();
    running.flush(move || flush(&provider)).end(move || end(&ending))
}

/// Sends what there is. The SDK waits 5 s for it, which may be too short under callgrind; what arrives is counted anyhow.
pub fn flush(provider: &SdkTracerProvider) {
    provider.force_flush().unwrap_or_else(|error| eprintln!("{error}"));
}

/// Ends the sending.
pub fn end(provider: &SdkTracerProvider) {
    provider.shutdown_with_timeout(Duration::from_secs(900)).expect("an end of spans");
}

fn builder(sinks: &Sinks) -> TracerProviderBuilder {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(sinks.url("/v1/traces"))
        .build()
        .expect("an exporter");
    SdkTracerProvider::builder().with_batch_exporter(exporter)
}

fn global(builder: TracerProviderBuilder) -> SdkTracerProvider {
    let provider = builder.build();
    global::set_tracer_provider(provider.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    provider
}
