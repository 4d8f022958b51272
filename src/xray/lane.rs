use std::{fmt, sync::Arc};

use http::uri::Authority;

use super::{Api, Daemon, Document, Segment, draft::Draft, outgoing::Outgoing};
use crate::{
    outbox::{Lane, Outbox},
    scrub::Scrubber,
};

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
    lanes: Arc<[Lane<Outgoing>]>,
}

// ===== impl SegmentLane =====

impl SegmentLane {
    /// By datagrams to a daemon; named after it: `xray 127.0.0.1:2000`.
    pub fn daemon(outbox: &Outbox, daemon: Daemon) -> Self {
        let name = format!("xray {}", daemon.address().udp());
        Self { lanes: Arc::new([outbox.lane(name, daemon.destination())]) }
    }

    /// By signed requests to X-Ray itself; named after its host: `xray xray.eu-west-1.amazonaws.com`.
    pub fn api(outbox: &Outbox, api: Api) -> Self {
        let authority = api.client().endpoint().authority();
        let name = format!("xray {}", authority.map(Authority::as_str).unwrap_or_default());
        Self { lanes: Arc::new([outbox.lane(name, api.destination())]) }
    }

    /// To nowhere: traces go on through the service, and its segments are dropped.
    pub fn none() -> Self {
        Self { lanes: Arc::new([]) }
    }

    /// To both: each has a copy of every segment, and loses none because of the other.
    ///
    /// ```no_run
    /// use belvedere::{outbox::Outbox, xray::{Daemon, SegmentLane}};
    ///
    /// let outbox = Outbox::builder().start()?;
    /// let daemon = |address: &str| Ok::<_, belvedere::Error>(Daemon::new(address.parse()?));
    /// let lane = SegmentLane::daemon(&outbox, daemon("xray-daemon:2000")?)
    ///     .and(SegmentLane::daemon(&outbox, daemon("127.0.0.1:2001")?));
    /// # Ok::<_, belvedere::Error>(())
    /// ```
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { lanes: self.lanes.iter().chain(&*other.lanes).cloned().collect() }
    }

    pub(super) fn push(&self, document: Document, scrubber: &Scrubber) {
        self.push_each(document, |document| Outgoing::new(document, scrubber.clone()));
    }

    /// The segment of an exchange, with what was added to it by hand.
    #[inline(always)]
    pub(super) fn push_draft(&self, added: Option<Box<Segment>>, draft: Draft) {
        match added {
            None => self.push_each(draft, Outgoing::Drafted),
            Some(added) => self.push_each((added, draft), |(added, draft)| Outgoing::added(added, draft)),
        }
    }

    #[inline(always)]
    fn push_each<T: Clone>(&self, record: T, outgoing: impl Fn(T) -> Outgoing) {
        let Some((last, others)) = self.lanes.split_last() else { return };
        others.iter().for_each(|lane| lane.push(outgoing(record.clone())));
        last.push(outgoing(record));
    }
}

/// The names of its lanes.
impl fmt::Display for SegmentLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.lanes.iter().map(Lane::name).collect();
        f.pad(&if names.is_empty() { "nowhere".to_owned() } else { names.join(", ") })
    }
}
