use std::time::Duration;

use axum::{
    BoxError,
    http::{Request, StatusCode, header, uri::Authority},
};
use belvedere::BelvedereClientLayer;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tower::{Layer, ServiceExt as _};
use uuid::Uuid;

use super::{Ask, NAME, Timeline};

/// Calls the second service, with the trace in the headers of each call.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    at: Authority,
    http: Traced<Http<HttpConnector, Full<Bytes>>>,
}

/// A client with the layers around it.
type Traced<S> = <BelvedereClientLayer as Layer<S>>::Service;

// ===== impl Client =====

impl Client {
    pub(crate) fn new(at: Authority, layer: BelvedereClientLayer) -> Self {
        // One node on the map, whether it answers or not, and wherever it is.
        let layer = layer.xray(|xray| xray.name(|_| NAME).traced(true));
        let http = Http::builder(TokioExecutor::new()).build_http();
        Self { at, http: layer.layer(http) }
    }

    /// The order that the service gives, if it gives one in time.
    pub(crate) async fn rank(&self, timeline: Timeline, ask: &Ask) -> Result<Vec<Uuid>, BoxError> {
        let request = Request::post(format!("http://{}{}", self.at, timeline.path()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(ask)?))?;
        timeout(PATIENCE, self.call(request)).await?
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<Vec<Uuid>, BoxError> {
        let response = self.http.clone().oneshot(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("the timeline answered {}", response.status()).into());
        }
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    }
}

const PATIENCE: Duration = Duration::from_secs(1);
const MAX_BODY: usize = 64 << 10;
