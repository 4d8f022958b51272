use std::convert::Infallible;

use http::{Request, Response, header};
use sentry::integrations::tower::SentryHttpLayer;
use tokio::time::Instant;
use tower::{ServiceBuilder, service_fn};
use tracing_appender::non_blocking;

use super::{Variant, opentelemetry_instrumentation_tower as spans, provider, reporting};
use crate::{
    exchange::{Body, handle},
    records::Records,
    running::Running,
};

pub const VARIANT: Variant = Variant {
    name: "best",
    title: "best peers for all four jobs, stacked",
    records: Records::FOUR_JOBS,
    notes: "{opentelemetry-instrumentation-tower} for spans; {opentelemetry-aws} makes segments of the same spans; \
            {sentry-tower} without transactions, since nobody makes Rollbar items; for logs one event of `tracing` around the \
            handler, written by hand, as a JSON line of {tracing-subscriber} through {tracing-appender}, since every layer that \
            logs costs more. An agent takes the lines to CloudWatch, which is not counted. Less than ours by what the single \
            ones do less; the line has no trace id.",
    start: |sinks| {
        let provider = provider::otlp_and_xray(sinks);
        let guard = reporting::client(sinks, 0.0);
        let (writer, lines) = non_blocking(std::io::stdout());
        tracing_subscriber::fmt().json().with_writer(writer).init();
        let service = ServiceBuilder::new()
            .layer(spans::layer())
            .layer(reporting::hub())
            .layer(SentryHttpLayer::new())
            .service(service_fn(logged));
        let ending = provider.clone();
        provider::sending(Running::new(service), provider).end(move || {
            provider::end(&ending);
            drop((guard, lines));
        })
    },
};

async fn logged(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let start = Instant::now();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let agent = request.headers().get(header::USER_AGENT).cloned();
    let Ok(response) = handle(request).await;
    let agent = agent.as_ref().and_then(|agent| agent.to_str().ok());
    let (status, micros) = (response.status().as_u16(), start.elapsed().as_micros() as u64);
    tracing::info!(method = method.as_str(), path = uri.path(), status, micros, agent, "served");
    Ok(response)
}
