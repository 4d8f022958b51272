//! A service for the conformance suite of the W3C's Trace Context recommendation.
//!
//! `POST /test` takes `[{"url": "...", "arguments": [...]}]`, posts each `arguments` as JSON to its `url` and answers
//! 200. What arrives goes through the server layer, what leaves through the client layer. It listens on `PORT` (5000).
//!
//! ```sh
//! cargo run --release --example conformance --features full
//! python3 -m unittest   # in the suite's folder, with HARNESS_... set as its README says
//! ```

use std::{env, error::Error, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use belvedere::{Setup, observe::Observe, otel::OtelClientLayer};
use http::{Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};

type Client = Observe<legacy::Client<HttpConnector, Full<Bytes>>, OtelClientLayer>;

#[derive(Deserialize)]
struct Call {
    url: String,
    arguments: Value,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Trace headers are what is tested here; nothing is sent unless the environment says otherwise.
    let belvedere = Setup::lookup(|name| {
        let set = env::var(name).ok();
        let is_exporter = matches!(name, "OTEL_TRACES_EXPORTER" | "OTEL_METRICS_EXPORTER");
        set.or_else(|| is_exporter.then(|| "none".to_owned()))
    })
    .start()?;
    let client = legacy::Client::builder(TokioExecutor::new()).build_http();
    let app = Router::new()
        .route("/test", post(test))
        .with_state(belvedere.otel_client_layer().layer(client))
        .layer(belvedere.layer());

    let port: u16 = env::var("PORT").ok().map_or(Ok(5000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}/test", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
    belvedere.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

/// Reads JSON whatever its content type: it is the trace headers that are tested.
async fn test(State(client): State<Client>, body: Bytes) -> Result<StatusCode, StatusCode> {
    let calls: Vec<Call> = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    for call in calls {
        let request = Request::post(call.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(call.arguments.to_string()))
            .map_err(|_| StatusCode::BAD_REQUEST)?;
        client.clone().oneshot(request).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    }
    Ok(StatusCode::OK)
}

async fn interrupted() {
    tokio::signal::ctrl_c().await.ok();
}
