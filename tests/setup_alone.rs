//! Set-up with X-Ray alone: it needs no other backend. `cargo test --features xray --test setup_alone` is without one.
#![cfg(feature = "xray")]

#[path = "support/daemon.rs"]
mod daemon;

use std::{collections::HashMap, convert::Infallible, time::Duration};

use belvedere::{Belvedere, Setup, xray::Segment};
use bytes::Bytes;
use daemon::Daemon;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use tower::{Layer as _, ServiceExt as _, service_fn};

fn start(variables: &[(&'static str, String)]) -> Belvedere {
    let off = ("OTEL_SDK_DISABLED", "true".to_owned());
    let variables: HashMap<_, _> = variables.iter().cloned().chain([off]).collect();
    Setup::lookup(move |name| variables.get(name).cloned()).global(false).start().unwrap()
}

/// Serves a request that calls somebody, and gives what was heard there.
async fn serve(belvedere: &Belvedere, request: Request<()>) -> HeaderMap {
    let client = belvedere.client_layer().layer(service_fn(|request: Request<()>| async move {
        let heard = |name: &str| request.headers().get(name).cloned();
        let mut response = Response::new(Empty::<Bytes>::new());
        // By other names: the caller has an answer by these.
        for (name, as_heard) in [("x-amzn-trace-id", "amzn"), ("traceparent", "w3c")] {
            response
                .headers_mut()
                .extend(heard(name).map(|value| (HeaderName::from_static(as_heard), value)));
        }
        Ok::<_, Infallible>(response)
    }));
    let service =
        belvedere.layer().layer(service_fn(move |_: Request<()>| client.clone().oneshot(Request::new(()))));
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    drop(body.collect().await);
    parts.headers
}

#[tokio::test]
async fn a_daemon_in_the_environment_is_enough() {
    let daemon = Daemon::large().await;
    let belvedere = start(&[
        ("AWS_XRAY_DAEMON_ADDRESS", daemon.address.to_string()),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=the%20shop".to_owned()),
    ]);
    let heard = serve(&belvedere, Request::new(())).await;
    let report = belvedere.shutdown(Duration::from_secs(5)).await;
    assert_eq!((report.lanes.len(), report.lanes[0].delivered), (1, 1), "{report}");
    let document = daemon.arrived(1).await.remove(0);
    let segment: Segment = serde_json::from_str(&document).unwrap();
    assert_eq!(segment.entity.name.as_str(), "the shop");
    let called = segment.subsegments.iter().next().unwrap().entity.id.to_string();
    assert!(heard["amzn"].to_str().unwrap().contains(&called), "{heard:?}");
    assert!(heard["w3c"].to_str().unwrap().contains(&called), "{heard:?}");
}

#[tokio::test]
async fn off_it_lets_the_header_through_and_no_variable_at_all_is_no_error() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let request = || Request::get("/").header("x-amzn-trace-id", header).body(()).unwrap();
    let off = start(&[("AWS_XRAY_SDK_ENABLED", "0".to_owned())]);
    let heard = serve(&off, request()).await;
    assert_eq!(heard["amzn"], header);

    let nothing = start(&[]);
    assert_eq!(nothing.warnings(), [""; 0]);
    serve(&nothing, request()).await;
    assert!(nothing.outbox().report().lanes.is_empty());
}
