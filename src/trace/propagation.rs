use http::HeaderMap;

use super::{Identity, Other, amzn, b3, carried::Carried, w3c};
use crate::exchange::Fields;

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
    /// B3 in a single header, `b3`, <https://github.com/openzipkin/b3-propagation>. Where it is not there, B3's many
    /// headers are read.
    B3,
    /// B3 in many headers: `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled`, `X-B3-Flags`. Where the single one is there, it
    /// is read instead.
    B3Multi,
}

/// What a caller may decide about a trace.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum TrustIncoming {
    /// The trace and whether it is recorded, as in every tracing library: the default.
    #[default]
    All,
    /// The trace, but not whether it is recorded. For services that strangers can reach: they could force sampling.
    ///
    /// A sampler that keeps a share of all traces goes by the trace's id; a stranger who makes up one that it keeps is
    /// still recorded. Only [`None`](Self::None) leaves nothing to them.
    Ids,
    /// Nothing: each request starts a trace of its own. The caller's is kept as a link.
    None,
}

/// What the headers of a request name.
#[derive(Default)]
struct Named {
    first: Option<Identity>,
    second: Option<Other>,
    decision: Option<b3::Decision>,
    amzn: Option<amzn::Header>,
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
        self.identify_by(&Fields::of(headers), headers, surrounding)
    }

    /// The same where the headers have been looked through.
    pub(crate) fn identify_by(
        &self,
        fields: &Fields<'_>,
        headers: &HeaderMap,
        surrounding: Option<&Identity>,
    ) -> Identity {
        let Named { first, second, decision, amzn } = self.read(fields, headers);
        let begin = || surrounding.map_or_else(Identity::root, Identity::child);
        // A header without ids may still say whether to record.
        let decision = decision.filter(|_| self.passes_on());
        match (self.trust, first) {
            (_, None) if decision.is_some() => begin().decide(decision).and_amzn(amzn),
            (TrustIncoming::None, None) => begin(),
            (_, None) => begin().and_amzn(amzn),
            (TrustIncoming::None, Some(first)) => begin().and_other(Some(first.as_other())),
            (TrustIncoming::Ids, Some(first)) => first.sample_all(None).and_other(second).and_amzn(amzn),
            (TrustIncoming::All, Some(first)) => first.and_other(second).and_amzn(amzn),
        }
    }

    /// Adds what `X-Amzn-Trace-Id` says to an identity that was decided without that header: of the same trace, or of another
    /// one, which is noted.
    #[cfg(feature = "xray")]
    pub(crate) fn join(&self, identity: Identity, headers: &HeaderMap) -> Identity {
        let unread = identity.amzn().is_none() && self.has(Propagator::XRay);
        if !unread || self.trust == TrustIncoming::None {
            return identity;
        }
        let Some(header) = amzn::Header::read(headers) else { return identity };
        let named = Identity::of_amzn(&header);
        let mut identity = if identity.other().is_none() {
            identity.and_other(named.map(|named| named.as_other()))
        } else {
            identity
        };
        if self.passes_on() && header.root == Some(identity.trace_id()) {
            identity.and_amzn_decision(header.sampled);
        }
        identity.and_amzn(Some(header))
    }

    /// Writes the identity into a request that leaves, in place of what was there.
    pub fn inject(&self, identity: &Identity, headers: &mut HeaderMap) {
        for propagator in &self.propagators {
            match propagator {
                Propagator::TraceContext => inject_w3c(identity, headers),
                Propagator::XRay => inject_amzn(identity, headers),
                Propagator::B3 | Propagator::B3Multi => self.inject_b3(identity, headers),
                Propagator::Baggage => {}
            }
        }
    }

    /// Removes what the caller wrote for these propagators from a request that is passed on: what may go on from it is
    /// written anew, and may be nothing. Headers of others pass; [`remove`](Self::remove) removes all.
    pub fn clear(&self, headers: &mut HeaderMap) {
        for name in self.propagators.iter().flat_map(|propagator| propagator.fields()) {
            headers.remove(*name);
        }
    }

    /// Removes the headers that carry a trace or baggage: those of every [`Propagator`] that there is.
    pub fn remove(headers: &mut HeaderMap) {
        for name in ALL.iter().flat_map(|propagator| propagator.fields()) {
            headers.remove(*name);
        }
    }

    /// In whichever forms are asked for; a form that is not would name an outdated parent.
    fn inject_b3(&self, identity: &Identity, headers: &mut HeaderMap) {
        let header = identity.b3();
        match (self.has(Propagator::B3), self.has(Propagator::B3Multi)) {
            (true, multi) => {
                header.inject(headers);
                multi.then(|| header.add_multi(headers));
            }
            (false, _) => header.inject_multi(headers),
        }
    }

    /// The first two traces that the headers name, and the first decision without one, in the order of the propagators.
    fn read(&self, fields: &Fields<'_>, headers: &HeaderMap) -> Named {
        let (mut named, carried) = (Named::default(), Carried::new(headers, fields));
        for propagator in &self.propagators {
            match propagator {
                Propagator::TraceContext => named.w3c(carried.w3c()),
                Propagator::XRay => named.amzn(carried.amzn()),
                Propagator::B3 | Propagator::B3Multi => named.b3(headers),
                Propagator::Baggage => {}
            }
        }
        named
    }
}

impl Default for Propagation {
    /// `tracecontext,baggage`, the default of `OTEL_PROPAGATORS`.
    fn default() -> Self {
        Self::new([Propagator::TraceContext, Propagator::Baggage])
    }
}

// ===== impl Propagator =====

impl Propagator {
    /// The names of the headers that it reads and writes, in lower case.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::TraceContext => &["traceparent", "tracestate"],
            Self::Baggage => &["baggage"],
            Self::XRay => &["x-amzn-trace-id"],
            Self::B3 | Self::B3Multi => b3::FIELDS,
        }
    }
}

// ===== impl Named =====

impl Named {
    fn w3c(&mut self, read: Option<(w3c::Traceparent, Option<w3c::Tracestate>)>) {
        let identity = read.map(|(traceparent, state)| Identity::of_w3c(traceparent, state));
        if let Some(same) = self.note(identity) {
            self.first.as_mut().expect("it is the same trace").and_w3c(same);
        }
    }

    fn amzn(&mut self, read: Option<amzn::Header>) {
        self.amzn = read;
        let Some(header) = &self.amzn else { return };
        let (identity, sampled) = (Identity::of_amzn(header), header.sampled);
        let decision = sampled.and_then(amzn::Decision::is_sampled).map(b3::Decision::from);
        self.decision = self.decision.or(decision);
        if self.note(identity).is_some() {
            self.first.as_mut().expect("it is the same trace").and_amzn_decision(sampled);
        }
    }

    fn b3(&mut self, headers: &HeaderMap) {
        let Some(header) = b3::Header::read(headers) else { return };
        self.decision = self.decision.or(header.decision);
        self.note(Identity::of_b3(&header));
    }

    /// Takes a trace that a header names, and gives it back if an earlier one named it, too.
    fn note(&mut self, identity: Option<Identity>) -> Option<Identity> {
        let identity = identity?;
        match &self.first {
            None => self.first = Some(identity),
            Some(first) if first.trace_id() == identity.trace_id() => return Some(identity),
            Some(_) => self.second = self.second.or(Some(identity.as_other())),
        }
        None
    }
}

/// `traceparent` cannot leave the decision open, and "not recorded" would forbid it to everybody downstream.
fn inject_w3c(identity: &Identity, headers: &mut HeaderMap) {
    if identity.sampled().is_none() && identity.segment_sampled().is_none() {
        return;
    }
    w3c::inject(headers, identity.traceparent(), identity.state());
}

fn inject_amzn(identity: &Identity, headers: &mut HeaderMap) {
    let mut header = identity.amzn().cloned().unwrap_or_default();
    header.root = Some(identity.trace_id());
    header.parent = Some(identity.span_id());
    header.sampled = identity.segment_sampled().or_else(|| identity.sampled()).map(amzn::Decision::from);
    header.inject(headers);
}

/// One of each set of headers.
const ALL: [Propagator; 4] =
    [Propagator::TraceContext, Propagator::Baggage, Propagator::XRay, Propagator::B3];
