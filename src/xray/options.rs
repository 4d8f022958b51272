use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use http::request;

use super::{
    CloudWatchLogs, Name, Origin, Sampler, Segment, SegmentLane, Service, aws::Xray, constant::Constant,
    naming::Naming, plugins::Plugins, sampler,
};
use crate::{
    exchange::{self, AddressPolicy, Hops},
    scrub::Scrubber,
    trace::{Propagation, Propagator, TrustIncoming},
};

/// What a user has set. Shared by a layer and all the services it made.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) naming: Naming,
    pub(super) service: Service,
    pub(super) log_groups: Vec<CloudWatchLogs>,
    pub(super) plugins: Plugins,
    pub(super) lane: SegmentLane,
    pub(super) sampler: Sampler,
    pub(super) one_decision: bool,
    pub(super) propagation: Propagation,
    /// Where it was said by itself, whichever was said first.
    pub(super) trust: Option<TrustIncoming>,
    pub(super) hops: Hops,
    pub(super) scrubber: Scrubber,
    pub(super) addresses: AddressPolicy,
    pub(super) skip: Option<OfRequest<bool>>,
    pub(super) peer: Option<OfRequest<Option<SocketAddr>>>,
    /// Before the plugins have found something, and after that.
    pub(super) constants: [OnceLock<Option<Constant>>; 2],
}

pub(super) type OfRequest<T> = Arc<dyn Fn(&request::Parts) -> T + Send + Sync>;

// ===== impl Options =====

impl Options {
    pub(super) fn new(name: Name, lane: SegmentLane) -> Self {
        Self {
            naming: Naming::new(name),
            service: Service::rust(),
            log_groups: Vec::new(),
            plugins: Plugins::default(),
            lane,
            sampler: Sampler::default(),
            one_decision: false,
            propagation: Propagation::new([Propagator::XRay, Propagator::TraceContext]),
            trust: None,
            hops: Hops::NONE,
            scrubber: Scrubber::default(),
            addresses: AddressPolicy::default(),
            skip: None,
            peer: None,
            constants: Default::default(),
        }
    }

    /// What the segment of a request is called.
    pub(super) fn name(&self, request: &request::Parts) -> Cow<'_, Name> {
        self.naming.name(|| exchange::host(&request.uri, &request.headers, self.hops))
    }

    /// What the sampler asks of a request.
    pub(super) fn asked<'a>(&'a self, request: &'a request::Parts, name: &'a Name) -> sampler::Request<'a> {
        let asked = sampler::Request::of(request).service(name);
        self.plugins.origin().map(Origin::as_str).map_or(asked, |origin| asked.service_type(origin))
    }

    /// What is the same for all segments of now, if it need not be cut.
    pub(super) fn constant(&self) -> Option<&Constant> {
        let place = usize::from(self.plugins.is_done());
        self.constants[place].get_or_init(|| Constant::of(self)).as_ref()
    }

    /// Adds what is the same for all segments of now, and the rule that this one was sampled by.
    pub(super) fn describe(&self, segment: &mut Segment, rule: Option<&str>) {
        segment.service = Some(Box::new(self.service.clone()));
        let aws = segment.entity.aws.get_or_insert_default();
        if let Some(facts) = self.plugins.facts() {
            segment.origin = facts.origin.clone();
            **aws = facts.aws.clone();
        }
        let of_plugins = std::mem::replace(&mut aws.cloudwatch_logs, self.log_groups.clone());
        let is_new =
            |logs: &CloudWatchLogs| !self.log_groups.iter().any(|own| own.log_group == logs.log_group);
        aws.cloudwatch_logs.extend(of_plugins.into_iter().filter(is_new));
        let sampling_rule_name = rule.map(|rule| rule.to_owned().into());
        aws.xray = Some(Xray { sampling_rule_name, ..Xray::belvedere() });
    }

    pub(super) fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }

    /// The socket's other end, where the user says it.
    pub(super) fn peer(&self, request: &request::Parts) -> Option<SocketAddr> {
        self.peer.as_ref().and_then(|peer| peer(request))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { naming, lane, sampler, propagation, hops, addresses, .. } = self;
        f.debug_struct("Options")
            .field("naming", naming)
            .field("lane", lane)
            .field("sampler", sampler)
            .field("propagation", propagation)
            .field("hops", hops)
            .field("addresses", addresses)
            .finish_non_exhaustive()
    }
}
