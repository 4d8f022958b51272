use std::{env, future::pending, time::Duration};

use axum::{BoxError, Json, Router, routing::post};
use belvedere::{Belvedere, Setup};
use futures_util::FutureExt as _;
use opentelemetry::{
    KeyValue, global,
    trace::{TraceContextExt as _, Tracer as _},
};
use tokio::{
    io::{AsyncReadExt as _, Stdin, stdin},
    sync::oneshot,
};
use uuid::Uuid;

use super::{Ask, NAME, Timeline};
use crate::{
    bind::Bind,
    error::Error,
    extract::{Path, Payload},
    log::{self, Shipping},
    serve::{self, Signals},
    telemetry::{self, Also},
};

/// Runs the service by itself until it is told to stop.
pub(crate) async fn run(shipping: &Shipping) -> Result<(), BoxError> {
    let bind = Bind::read(|name| env::var(name).ok(), PORT)?;
    let signals = Signals::listen();
    let listener = serve::listen(&bind).await?;
    let belvedere = start(Also::default(), shipping)?;
    println!("Listening on {}", serve::url(listener.local_addr()?));
    let served = serve::serve_until(&signals, listener, router(&belvedere)).await;
    telemetry::shutdown(NAME, belvedere, LIMIT, signals.insisted()).await;
    served
}

/// Runs the service for the backend that started it, until standard input ends.
pub(crate) async fn run_as_child(also: Also, shipping: &Shipping) -> Result<(), BoxError> {
    let belvedere = start(also, shipping)?;
    let listener = serve::listen(&Bind { host: "127.0.0.1".to_owned(), port: 0 }).await?;
    println!("{}", listener.local_addr()?);
    let (told, stdin) = oneshot::channel();
    let stop = async move { drop(told.send(asked_to_stop().await)) };
    let served = serve::serve(listener, router(&belvedere), stop.shared()).await;
    telemetry::shutdown(NAME, belvedere, LIMIT, insisted(stdin)).await;
    Ok(served?)
}

fn start(also: Also, shipping: &Shipping) -> Result<Belvedere, BoxError> {
    let belvedere = also.onto(Setup::from_env().service_name(NAME)).start()?;
    shipping.begin(&belvedere);
    Ok(belvedere)
}

fn router(belvedere: &Belvedere) -> Router {
    let router = Router::new().route("/timelines/{timeline}", post(rank));
    router.layer(belvedere.layer().cloudwatch(log::course))
}

/// Puts what there is into an order.
///
/// Demonstrates a span whose parent is in another process, and a span made by hand below it. For X-Ray it is a node of
/// its own on the map: a segment with another name, whose parent is the backend's subsegment.
async fn rank(Path(timeline): Path<Timeline>, Payload(ask): Payload<Ask>) -> Result<Json<Vec<Uuid>>, Error> {
    let candidates = i64::try_from(ask.candidates()).unwrap_or(i64::MAX);
    Ok(Json(global::tracer("timeline").in_span("rank", |context| {
        context.span().set_attribute(KeyValue::new("app.candidates", candidates));
        timeline.rank(ask)
    })))
}

/// The backend says so on standard input, which also ends when the backend does, however it ends. What is left of it.
async fn asked_to_stop() -> Option<Stdin> {
    tokio::spawn(ignore_interrupts());
    let mut stdin = stdin();
    let asked = stdin.read(&mut [0; 64]).await.is_ok_and(|read| read > 0);
    asked.then_some(stdin)
}

/// Whoever asked to stop ends the standard input if it is in a hurry.
async fn insisted(stdin: oneshot::Receiver<Option<Stdin>>) {
    let Ok(Some(mut stdin)) = stdin.await else { return pending().await };
    while stdin.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
}

/// A terminal sends Ctrl-C to all processes in it; the backend decides when we end.
async fn ignore_interrupts() {
    while tokio::signal::ctrl_c().await.is_ok() {}
}

/// Where it listens if it is not told where, beside a backend on the same machine.
const PORT: u16 = 4568;

const LIMIT: Duration = Duration::from_secs(2);
