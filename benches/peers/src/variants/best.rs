use sentry::integrations::tower::SentryHttpLayer;
use tower::{ServiceBuilder, service_fn};
use tracing_appender::non_blocking;

use super::{Variant, opentelemetry_instrumentation_tower as spans, provider, reporting, tower_http};
use crate::{exchange::handle, records::Records, running::Running};

pub const VARIANT: Variant = Variant {
    name: "best",
    title: "best peers for all four jobs, stacked",
    records: Records::FOUR_JOBS,
    notes: "{opentelemetry-instrumentation-tower} for spans; {opentelemetry-aws} makes segments of the same spans; \
            {sentry-tower} without transactions, since nobody makes Rollbar items; {tower-http} with {tracing-appender}, whose \
            JSON lines an agent takes to CloudWatch, which is not counted. Less than ours by what the single ones do less.",
    start: |sinks| {
        let provider = provider::otlp_and_xray(sinks);
        let guard = reporting::client(sinks, 0.0);
        let (writer, lines) = non_blocking(std::io::stdout());
        tracing_subscriber::fmt().json().with_writer(writer).init();
        let service = ServiceBuilder::new()
            .layer(spans::layer())
            .layer(reporting::hub())
            .layer(SentryHttpLayer::new())
            .layer(tower_http::layer())
            .service(service_fn(handle));
        let ending = provider.clone();
        provider::sending(Running::new(service), provider).end(move || {
            ending.shutdown().expect("an end of spans");
            drop((guard, lines));
        })
    },
};
