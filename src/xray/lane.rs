use super::{Api, Daemon, Document};
use crate::outbox::{Lane, Outbox};

/// A lane of segments: their way to a daemon, or to X-Ray itself. Clones share it.
///
/// Layers of several services in one process may share one.
///
/// ```no_run
/// use belvedere::{outbox::Outbox, xray::{Daemon, SegmentLane, XRayLayer}};
///
/// let outbox = Outbox::builder().start()?;
/// let daemon = Daemon::new("xray-daemon:2000".parse()?);
/// let layer = XRayLayer::on("checkout", SegmentLane::daemon(&outbox, daemon));
/// # Ok::<_, belvedere::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SegmentLane {
    lane: Lane<Document>,
}

// ===== impl SegmentLane =====

impl SegmentLane {
    /// By datagrams to a daemon; named after it: `xray 127.0.0.1:2000`.
    pub fn daemon(outbox: &Outbox, daemon: Daemon) -> Self {
        let name = format!("xray {}", daemon.address().udp());
        Self { lane: outbox.lane(name, daemon.destination()) }
    }

    /// By signed requests to X-Ray itself; named after its host: `xray xray.eu-west-1.amazonaws.com`.
    pub fn api(outbox: &Outbox, api: Api) -> Self {
        let name = format!("xray {}", api.client().endpoint().host().unwrap_or_default());
        Self { lane: outbox.lane(name, api.destination()) }
    }

    pub(super) fn push(&self, document: impl Into<Document>) {
        self.lane.push(document.into());
    }
}
