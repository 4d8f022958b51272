//! A way out to a daemon's double, and the segments that came there.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::time::Duration;

use belvedere::{
    outbox::{Builder, Outbox},
    xray::{Sampler, Segment, SegmentLane, XRayLayer},
};
use tokio::time::sleep;

use crate::daemon::Daemon;

/// A daemon, and an outbox whose segments it gets.
pub(crate) struct Segments {
    daemon: Daemon,
    pub(crate) outbox: Outbox,
}

// ===== impl Segments =====

impl Segments {
    pub(crate) async fn collect() -> Self {
        Self::on(Outbox::builder()).await
    }

    pub(crate) async fn on(outbox: Builder) -> Self {
        Self { daemon: Daemon::large().await, outbox: outbox.start().unwrap() }
    }

    /// A layer that records all.
    pub(crate) fn layer(&self, service: &'static str) -> XRayLayer {
        let daemon = belvedere::xray::Daemon::new(self.daemon.address.to_string().parse().unwrap());
        XRayLayer::on(service, SegmentLane::daemon(&self.outbox, daemon)).sample(Sampler::all())
    }

    /// All that were made.
    pub(crate) async fn all(self) -> Vec<Segment> {
        let report = self.outbox.shutdown(Duration::from_secs(10)).await;
        assert_eq!(report.lost(), 0, "{report}");
        let delivered = report.lanes.iter().map(|lane| lane.delivered).sum::<u64>();
        for _ in 0..500 {
            if self.daemon.documents().len() as u64 >= delivered {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        let documents = self.daemon.documents();
        documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect()
    }

    /// Their names.
    pub(crate) async fn names(self) -> Vec<String> {
        self.all().await.into_iter().map(|segment| segment.entity.name.to_string()).collect()
    }
}
