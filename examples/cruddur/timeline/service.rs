use std::time::Duration;

use axum::{BoxError, Json, Router, routing::post};
use belvedere::Setup;
use futures_util::FutureExt as _;
use opentelemetry::{
    KeyValue, global,
    trace::{TraceContextExt as _, Tracer as _},
};
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;

use super::{Ask, Timeline};
use crate::{
    error::Error,
    extract::{Path, Payload},
    serve,
};

/// Runs the service until standard input ends. `otlp` is where traces go beside what the environment says.
pub(crate) async fn run(otlp: Option<String>) -> Result<(), BoxError> {
    let belvedere = otlp.into_iter().fold(Setup::from_env().service_name("timeline"), Setup::otlp).start()?;
    let listener = serve::listen("127.0.0.1", 0).await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().route("/timelines/{timeline}", post(rank)).layer(belvedere.layer());
    let served = serve::serve(listener, router, abandoned().shared()).await;
    belvedere.shutdown(LIMIT).await;
    Ok(served?)
}

/// Puts what there is into an order.
///
/// Demonstrates a span whose parent is in another process, and a span made by hand below it.
async fn rank(Path(timeline): Path<Timeline>, Payload(ask): Payload<Ask>) -> Result<Json<Vec<Uuid>>, Error> {
    let candidates = i64::try_from(ask.candidates()).unwrap_or(i64::MAX);
    Ok(Json(global::tracer("timeline").in_span("rank", |context| {
        context.span().set_attribute(KeyValue::new("app.candidates", candidates));
        timeline.rank(ask)
    })))
}

/// Standard input ends when the backend does, however it ends.
async fn abandoned() {
    let ignored = tokio::spawn(ignore_interrupts());
    let mut stdin = tokio::io::stdin();
    while stdin.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    ignored.abort();
}

/// A terminal sends Ctrl-C to all processes in it; the backend still has spans to send then, and so have we.
async fn ignore_interrupts() {
    while tokio::signal::ctrl_c().await.is_ok() {}
}

const LIMIT: Duration = Duration::from_secs(2);
