use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_cloudwatchlogs::{Client, Config, config::Region};
use opentelemetry::trace::TracerProvider as _;
use sentry::integrations::tower::SentryHttpLayer;
use tokio::runtime::{self, Runtime};
use tower::{ServiceBuilder, service_fn};
use tower_otel::trace::HttpLayer;
use tracing::Level;
use tracing_cloudwatch::ExportConfig;
use tracing_subscriber::{
    Layer as _, Registry, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::{BURST, Variant, provider, reporting, tower_http};
use crate::{exchange::handle, records::Records, running::Running, sinks::Sinks};

pub const VARIANT: Variant = Variant {
    name: "usual",
    title: "usual peers for all four jobs, stacked",
    records: Records { transactions: 1, ..Records::FOUR_JOBS },
    notes: "{tower-otel} for spans; {opentelemetry-aws} makes segments of the same spans; {sentry-tower} with transactions, since \
            nobody makes Rollbar items; {tower-http} with {tracing-cloudwatch} in batches of 512 (its default is 5). Filters keep \
            the one's spans out of the other's records, which few users have. Less than ours by what the single ones do less.",
    start: |sinks| {
        let provider = provider::otlp_and_xray(sinks);
        let guard = reporting::client(sinks, 1.0);
        let worker = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let worker = worker.expect("a runtime");

        let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
        let (logs, lines) = {
            let _inside = worker.enter();
            tracing_cloudwatch::layer()
                .with_fmt_layer(fmt::layer().json())
                .with_client(client(sinks), config())
        };
        let only = |target| Targets::new().with_target(target, Level::INFO);
        Registry::default()
            .with(spans.with_filter(only("tower_otel")))
            .with(logs.with_filter(only("tower_http")))
            .init();

        let service = ServiceBuilder::new()
            .layer(HttpLayer::server(Level::INFO))
            .layer(reporting::hub())
            .layer(SentryHttpLayer::new().enable_transaction())
            .layer(tower_http::layer())
            .service(service_fn(handle));
        let ending = provider.clone();
        Running::new(service)
            .flush(move || {
                provider::flush(&provider);
                reporting::flush();
            })
            .end(move || {
                provider::end(&ending);
                drop(guard);
                worker.block_on(lines.shutdown());
                Runtime::shutdown_background(worker);
            })
    },
};

fn client(sinks: &Sinks) -> Client {
    let config = Config::builder()
        .behavior_version_latest()
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "bench"))
        .endpoint_url(sinks.url("/"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn config() -> ExportConfig {
    ExportConfig::default()
        .with_batch_size(BURST)
        .with_interval(Duration::from_secs(1))
        .with_log_group_name("/shop/bench")
        .with_log_stream_name("web-1")
}
