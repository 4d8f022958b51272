use http::HeaderMap;

use super::{Identity, amzn, w3c};

/// Which headers carry the identity, in which order, and what a caller may decide with them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Propagation {
    propagators: Vec<Propagator>,
    trust: TrustIncoming,
}

/// A way to carry an identity in headers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Propagator {
    /// `traceparent` and `tracestate`, <https://www.w3.org/TR/trace-context-2/>.
    TraceContext,
    /// `baggage`, <https://www.w3.org/TR/baggage/>.
    Baggage,
    /// `X-Amzn-Trace-Id`,
    /// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>.
    XRay,
}

/// What a caller may decide about a trace.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum TrustIncoming {
    /// The trace and whether it is recorded, as in every tracing library: the default.
    #[default]
    All,
    /// The trace, but not whether it is recorded. For services that strangers can reach: they could force sampling.
    Ids,
    /// Nothing: each request starts a trace of its own. The caller's is kept as a link.
    None,
}

// ===== impl Propagation =====

impl Propagation {
    /// Reads and writes what `propagators` say. Where a request carries several, the first that is there decides.
    pub fn new(propagators: impl IntoIterator<Item = Propagator>) -> Self {
        let mut distinct = Vec::new();
        for propagator in propagators {
            if !distinct.contains(&propagator) {
                distinct.push(propagator);
            }
        }
        Self { propagators: distinct, trust: TrustIncoming::default() }
    }

    /// What a caller may decide. Default: [`TrustIncoming::All`].
    #[must_use]
    pub fn trust(self, trust: TrustIncoming) -> Self {
        Self { trust, ..self }
    }

    /// Whether `propagator` is among them.
    pub fn has(&self, propagator: Propagator) -> bool {
        self.propagators.contains(&propagator)
    }

    /// Whether what a caller wrote may pass into the service and on from it, as baggage does.
    pub fn passes_on(&self) -> bool {
        self.trust == TrustIncoming::All
    }

    /// Who a request that arrives is: what its headers say, else a part of the exchange that it is made in, else new.
    pub fn identify(&self, headers: &HeaderMap, surrounding: Option<&Identity>) -> Identity {
        let (first, second, amzn) = self.read(headers);
        let begin = || surrounding.map_or_else(Identity::root, Identity::child);
        // A header without a root may still say whether to record.
        let decided =
            amzn.as_ref().and_then(|header| header.sampled?.is_sampled()).filter(|_| self.passes_on());
        match (self.trust, first) {
            (_, None) if decided.is_some() => begin().sample(decided).and_amzn(amzn),
            (TrustIncoming::None, None) => begin(),
            (_, None) => begin().and_amzn(amzn),
            (TrustIncoming::None, Some(first)) => begin().and_other(Some(&first)),
            (TrustIncoming::Ids, Some(first)) => first.sample(None).and_other(second.as_ref()).and_amzn(amzn),
            (TrustIncoming::All, Some(first)) => first.and_other(second.as_ref()).and_amzn(amzn),
        }
    }

    /// Writes the identity into a request that leaves, in place of what was there.
    pub fn inject(&self, identity: &Identity, headers: &mut HeaderMap) {
        for propagator in &self.propagators {
            match propagator {
                Propagator::TraceContext => inject_w3c(identity, headers),
                Propagator::XRay => inject_amzn(identity, headers),
                Propagator::Baggage => {}
            }
        }
    }

    /// The first two identities that the headers name, in the order of the propagators.
    fn read(&self, headers: &HeaderMap) -> (Option<Identity>, Option<Identity>, Option<amzn::Header>) {
        let (mut first, mut second, mut amzn) = (None, None, None);
        for propagator in &self.propagators {
            let named = match propagator {
                Propagator::TraceContext => {
                    w3c::extract(headers).map(|(traceparent, state)| Identity::of_w3c(traceparent, state))
                }
                Propagator::XRay => {
                    amzn = amzn::Header::read(headers);
                    amzn.as_ref().and_then(Identity::of_amzn)
                }
                Propagator::Baggage => None,
            };
            let place = if first.is_none() { &mut first } else { &mut second };
            *place = named.or_else(|| place.take());
        }
        (first, second, amzn)
    }
}

impl Default for Propagation {
    /// `tracecontext,baggage`, the default of `OTEL_PROPAGATORS`.
    fn default() -> Self {
        Self::new([Propagator::TraceContext, Propagator::Baggage])
    }
}

/// `traceparent` cannot leave the decision open, and "not recorded" would forbid it to everybody downstream.
fn inject_w3c(identity: &Identity, headers: &mut HeaderMap) {
    if identity.sampled().is_none() {
        return;
    }
    let (trace_id, parent_id) = (identity.trace_id(), identity.span_id());
    let traceparent = w3c::Traceparent { trace_id, parent_id, flags: identity.flags() };
    w3c::inject(headers, traceparent, identity.state());
}

fn inject_amzn(identity: &Identity, headers: &mut HeaderMap) {
    let mut header = identity.amzn().cloned().unwrap_or_default();
    header.root = Some(identity.trace_id());
    header.parent = Some(identity.span_id());
    header.sampled = identity.sampled().map(amzn::Decision::from);
    header.inject(headers);
}
