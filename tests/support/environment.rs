//! What `from_env` makes of some variables, without the process's own.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use belvedere::{Belvedere, Error, Setup};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{Script, sink::Sink};

pub type Pairs<'a> = &'a [(&'a str, &'a str)];

/// These variables and no others.
pub fn bare(variables: Pairs<'_>) -> Setup {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: HashMap<_, _> = variables.iter().map(owned).collect();
    Setup::lookup(move |name| variables.get(name).cloned()).global(false)
}

/// These variables, and no metrics unless they say so.
pub fn setup(variables: Pairs<'_>) -> Setup {
    bare(&[&[("OTEL_METRICS_EXPORTER", "none")], variables].concat())
}

pub fn start(variables: Pairs<'_>) -> Result<Belvedere, Error> {
    setup(variables).start()
}

/// Started, with this sink as its endpoint.
pub fn towards(sink: &Sink, variables: Pairs<'_>) -> Belvedere {
    let base = sink.base();
    start(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", &*base)], variables].concat()).unwrap()
}

/// Started, with this sink as its endpoint, for all that there is.
pub fn wholly(sink: &Sink, variables: Pairs<'_>) -> Belvedere {
    let base = sink.base();
    bare(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", &*base)], variables].concat()).start().unwrap()
}

/// The message of an error that must be there.
#[track_caller]
pub fn refusal(variables: Pairs<'_>) -> String {
    let error = start(variables).map(|_| ()).unwrap_err();
    assert!(error.is_invalid());
    error.to_string()
}

#[track_caller]
pub fn warnings(variables: Pairs<'_>) -> Vec<String> {
    start(variables).unwrap().warnings().to_vec()
}

/// A bad value is one warning, which names the variable and what is used in its place.
#[track_caller]
pub fn warns(name: &str, value: &str, used: &str) {
    let warnings = warnings(&[(name, value)]);
    assert_eq!(warnings.len(), 1, "{name}={value}: {warnings:?}");
    assert!(warnings[0].contains(name) && warnings[0].contains(used), "{warnings:?}");
}

/// Serves one request with all the layers.
pub async fn serve(belvedere: &Belvedere, request: Request<()>) -> Response<()> {
    let service = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Script::new().data("hello").last()))
    });
    let (parts, body) = belvedere.layer().layer(service).oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    Response::from_parts(parts, ())
}

/// Serves one request that fails.
pub async fn fail(belvedere: &Belvedere) {
    let service = service_fn(|_: Request<()>| async {
        Err::<Response<Script>, _>(std::io::Error::other("out of stock"))
    });
    assert!(belvedere.layer().layer(service).oneshot(Request::new(())).await.is_err());
}

/// One request through the whole way: the sink that got what was made of it, after everything was shut down.
pub async fn through(variables: Pairs<'_>) -> Sink {
    let sink = Sink::start();
    let belvedere = towards(&sink, variables);
    serve(&belvedere, Request::get("/carts").body(()).unwrap()).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert!(report.lanes.iter().all(|lane| lane.waiting == 0), "{report}");
    sink
}

/// A URL that refuses every connection while its socket is kept: bound, so that nobody else gets the port, but not
/// listening.
pub fn dead() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let dead = format!("http://{}", socket.local_addr().unwrap());
    (socket, dead)
}
