use std::{fmt, net::SocketAddr, sync::Arc};

use http::{StatusCode, request};
use tracing::Level;

use super::{Format, LogLane, Metrics, share::Share};
use crate::{
    exchange::{AddressPolicy, Hops},
    scrub::Scrubber,
    trace::{Propagation, TrustIncoming},
};

/// What a user has set. Shared by a layer and all the services it made.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) lane: LogLane,
    pub(super) format: Format,
    pub(super) levels: Arc<dyn Fn(StatusCode) -> Level + Send + Sync>,
    pub(super) share: Share,
    pub(super) metrics: Option<Metrics>,
    pub(super) query: bool,
    pub(super) scrubber: Scrubber,
    pub(super) addresses: AddressPolicy,
    pub(super) propagation: Propagation,
    /// Where it was said by itself, whichever was said first.
    pub(super) trust: Option<TrustIncoming>,
    pub(super) hops: Hops,
    pub(super) skip: Option<OfRequest<bool>>,
    pub(super) peer: Option<OfRequest<Option<SocketAddr>>>,
}

type OfRequest<T> = Arc<dyn Fn(&request::Parts) -> T + Send + Sync>;

// ===== impl Options =====

impl Options {
    pub(super) fn new(lane: LogLane) -> Self {
        Self {
            lane,
            format: Format::default(),
            levels: Arc::new(level),
            share: Share::ALL,
            metrics: None,
            query: false,
            scrubber: Scrubber::default(),
            addresses: AddressPolicy::default(),
            propagation: Propagation::default(),
            trust: None,
            hops: Hops::NONE,
            skip: None,
            peer: None,
        }
    }

    pub(super) fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane, format, share, metrics, addresses, propagation, hops, .. } = self;
        f.debug_struct("Options")
            .field("lane", lane)
            .field("format", format)
            .field("share", share)
            .field("metrics", metrics)
            .field("addresses", addresses)
            .field("propagation", propagation)
            .field("hops", hops)
            .finish_non_exhaustive()
    }
}

fn level(status: StatusCode) -> Level {
    match status.as_u16() {
        500.. => Level::ERROR,
        400.. => Level::WARN,
        _ => Level::INFO,
    }
}
