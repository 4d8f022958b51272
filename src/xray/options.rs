use std::{fmt, net::SocketAddr, sync::Arc};

use http::request;

use super::{Name, Sampler, SegmentLane};
use crate::{
    exchange::{self, Hops},
    trace::{Propagation, Propagator},
};

/// What a user has set. Shared by a layer and all the services it made.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) name: Name,
    pub(super) lane: SegmentLane,
    pub(super) sampler: Sampler,
    pub(super) one_decision: bool,
    pub(super) propagation: Propagation,
    pub(super) hops: Hops,
    pub(super) skip: Option<OfRequest<bool>>,
    pub(super) peer: Option<OfRequest<Option<SocketAddr>>>,
}

pub(super) type OfRequest<T> = Arc<dyn Fn(&request::Parts) -> T + Send + Sync>;

// ===== impl Options =====

impl Options {
    pub(super) fn new(name: Name, lane: SegmentLane) -> Self {
        Self {
            name,
            lane,
            sampler: Sampler::default(),
            one_decision: false,
            propagation: Propagation::new([Propagator::XRay, Propagator::TraceContext]),
            hops: Hops::NONE,
            skip: None,
            peer: None,
        }
    }

    pub(super) fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }

    pub(super) fn peer(&self, request: &request::Parts) -> Option<SocketAddr> {
        let told = self.peer.as_ref().and_then(|peer| peer(request));
        told.or_else(|| exchange::peer(&request.extensions))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, lane, sampler, propagation, hops, .. } = self;
        f.debug_struct("Options")
            .field("name", name)
            .field("lane", lane)
            .field("sampler", sampler)
            .field("propagation", propagation)
            .field("hops", hops)
            .finish_non_exhaustive()
    }
}
