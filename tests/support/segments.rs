//! A service whose segments come to a daemon of its own, on a real socket.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{fmt, time::Duration};

use axum::Router;
use belvedere::{
    outbox::Outbox,
    xray::{self, Document, Sampler, Segment, SegmentLane, Subsegment, XRayLayer},
};
use http::{Request, Response};
use tower::ServiceExt as _;

use crate::daemon::Daemon;

/// A daemon, and a layer whose segments it gets. Dropping it sends nothing more.
#[derive(Debug)]
pub(crate) struct Traced {
    pub(crate) daemon: Daemon,
    pub(crate) outbox: Outbox,
    pub(crate) layer: XRayLayer,
}

// ===== impl Traced =====

impl Traced {
    /// It records everything.
    pub(crate) async fn new(service: &'static str) -> Self {
        let (daemon, outbox) = (Daemon::large().await, Outbox::builder().start().unwrap());
        let address = daemon.address.to_string().parse().unwrap();
        let lane = SegmentLane::daemon(&outbox, xray::Daemon::new(address).pace(100_000, 100_000));
        let layer = XRayLayer::on(service, lane).sample(Sampler::all());
        Self { daemon, outbox, layer }
    }

    /// Runs a handler for one request, to the end of its answer.
    pub(crate) async fn serve<F, R>(&self, handler: impl FnOnce() -> F + Clone + Send + Sync + 'static)
    where
        F: Future<Output = R> + Send + 'static,
        R: axum::response::IntoResponse + 'static,
    {
        self.ask(Request::get("/").body(axum::body::Body::empty()).unwrap(), handler).await;
    }

    /// Runs a handler for this request, and gives the head of its answer.
    pub(crate) async fn ask<F, R>(
        &self,
        request: Request<axum::body::Body>,
        handler: impl FnOnce() -> F + Clone + Send + Sync + 'static,
    ) -> Response<()>
    where
        F: Future<Output = R> + Send + 'static,
        R: axum::response::IntoResponse + 'static,
    {
        let router = Router::new().fallback(handler).layer(self.layer.clone());
        let (head, body) = router.oneshot(request).await.unwrap().into_parts();
        drop(axum::body::to_bytes(body, usize::MAX).await);
        Response::from_parts(head, ())
    }

    /// All that the daemon gets until the outbox has nothing left.
    pub(crate) async fn documents(self) -> Vec<Document> {
        let report = self.outbox.shutdown(Duration::from_secs(30)).await;
        assert_eq!(report.lost(), 0, "{report}");
        let expected: u64 = report.lanes.iter().map(|lane| lane.delivered).sum();
        let documents = || self.daemon.documents();
        for _ in 0..1_000 {
            if documents().len() as u64 >= expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        documents().iter().map(|document| serde_json::from_str(document).unwrap()).collect()
    }

    /// The one segment that the daemon gets.
    pub(crate) async fn segment(self) -> Segment {
        match <[_; 1]>::try_from(self.documents().await) {
            Ok([Document::Segment(segment)]) => *segment,
            other => panic!("{other:#?}"),
        }
    }
}

/// The names of subsegments, each with those in it: `a(b c)`.
pub(crate) fn outline(subsegments: &[Subsegment]) -> String {
    let one = |subsegment: &Subsegment| {
        let (name, inner) = (&subsegment.entity.name, outline(&subsegment.subsegments));
        if inner.is_empty() { name.to_string() } else { format!("{name}({inner})") }
    };
    subsegments.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Types and messages of the exceptions that something tells of itself.
pub(crate) fn exceptions(entity: &xray::Entity) -> Vec<(String, String)> {
    let Some(xray::Cause::Exceptions(cause)) = &entity.cause else { return Vec::new() };
    let text = |text: &Option<xray::Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
    cause.exceptions.iter().map(|exception| (text(&exception.type_name), text(&exception.message))).collect()
}

/// What is written of it.
pub(crate) fn json(document: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(document).unwrap()
}

/// An error with a cause.
#[derive(Debug)]
pub(crate) struct Wrapped<E>(pub(crate) &'static str, pub(crate) E);

impl<E> fmt::Display for Wrapped<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Wrapped<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}
