use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::SpanContext;

use super::{
    SpanId, TraceId, amzn, b3,
    w3c::{Flags, Traceparent, Tracestate},
};

/// Who an exchange is: one trace id for all backends, and its place in that trace.
///
/// The outermost layer decides it, all layers further in join.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    remote: bool,
    sampled: Option<bool>,
    segment: Option<bool>,
    debug: bool,
    random: bool,
    state: Option<Tracestate>,
    amzn: Option<amzn::Header>,
    other: Option<Other>,
}

/// A second trace that a request said it belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Other {
    /// The other trace.
    pub trace_id: TraceId,
    /// The span in it, if one was named.
    pub span_id: Option<SpanId>,
}

// ===== impl Identity =====

impl Identity {
    /// A new trace.
    pub fn root() -> Self {
        Self::in_trace(TraceId::generate()).random(true)
    }

    /// An exchange begun inside of this one: the same trace, one step further down.
    #[must_use]
    pub fn child(&self) -> Self {
        let (parent_id, remote) = (Some(self.span_id), false);
        Self { span_id: SpanId::generate(), parent_id, remote, other: None, ..self.clone() }
    }

    /// This exchange where one of its spans is active.
    pub(super) fn at(&self, active: &Self) -> Self {
        let Self { span_id, sampled, ref state, .. } = *active;
        let state = state.clone().map(|state| self.and_unseen(state)).or_else(|| self.state.clone());
        // Where no span was made, the active one is the caller's, and cannot say that the decision is open.
        let sampled = if span_id == self.span_id { self.sampled } else { sampled };
        Self { span_id, sampled, state, ..self.clone() }
    }

    /// The identity of a span; `None` if its context is invalid.
    pub fn of_span(span: &SpanContext) -> Option<Self> {
        let flags = Flags::from(span.trace_flags());
        let trace_id = TraceId::from_otel(span.trace_id())?;
        let span_id = SpanId::from_otel(span.span_id())?;
        let state = Tracestate::from_otel(span.trace_state());
        let identity = Self { span_id, state, ..Self::in_trace(trace_id) };
        Some(identity.sample(Some(flags.is_sampled())).random(flags.is_random()))
    }

    /// This identity as the span `span` has it: with its ids and its sampling decision.
    #[must_use]
    pub fn as_span(&self, span: &SpanContext) -> Self {
        let Some(made) = Self::of_span(span) else { return self.clone() };
        if Some(made.span_id) == self.parent_id {
            // No span was made: what is sent on is the parent, and what it says about sampling.
            return Self { span_id: made.span_id, ..self.clone() };
        }
        let Self { trace_id, span_id, sampled, .. } = made;
        let state = made.state.map(|state| self.state_with(state, span)).or_else(|| self.state.clone());
        Self { trace_id, span_id, sampled, state, ..self.clone() }
    }

    /// The caller's state with what a sampler or a processor has made of it.
    fn state_with(&self, made: Tracestate, span: &SpanContext) -> Tracestate {
        let Some(callers) = &self.state else { return made };
        match callers.to_otel() {
            // The caller's own spelling is passed on, unless its meaning was changed.
            Some(state) if state == *span.trace_state() => callers.clone(),
            _ => self.and_unseen(made),
        }
    }

    /// A state that was made of a span, and of the caller's what the API could not hold, so that its maker did not see it.
    fn and_unseen(&self, made: Tracestate) -> Tracestate {
        match &self.state {
            Some(callers) if callers.to_otel().is_none() => made.before(callers),
            _ => made,
        }
    }

    /// The trace, the same in all backends.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The exchange's own span, and its X-Ray segment.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The span that this exchange was begun in; `None` where it starts the trace, or where its caller named none.
    pub fn parent_id(&self) -> Option<SpanId> {
        self.parent_id
    }

    /// Whether the parent is in another process.
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// Whether the trace's spans are recorded; `None` while nobody has decided. It goes downstream in `traceparent`.
    pub fn sampled(&self) -> Option<bool> {
        self.sampled
    }

    /// Whether the trace's X-Ray segments are recorded; `None` while nobody has decided. It goes downstream in
    /// `X-Amzn-Trace-Id`.
    ///
    /// A caller that says only one of the two has decided both.
    pub fn segment_sampled(&self) -> Option<bool> {
        self.segment
    }

    /// Whether the caller asked by [B3's debug flag](b3::Decision::Debug) that no sampler on the way leaves the trace out.
    /// It is sent on by B3; our own samplers see that the caller records.
    pub fn is_debug(&self) -> bool {
        self.debug
    }

    /// The trace id's [random flag](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag).
    pub fn is_random(&self) -> bool {
        self.random
    }

    /// The vendors' part of the trace context, as the caller wrote it.
    pub fn state(&self) -> Option<&Tracestate> {
        self.state.as_ref()
    }

    /// What the caller wrote into `X-Amzn-Trace-Id`, if that header is read.
    pub fn amzn(&self) -> Option<&amzn::Header> {
        self.amzn.as_ref()
    }

    /// The trace that a second header named, where it is another one.
    pub fn other(&self) -> Option<Other> {
        self.other
    }

    /// The flags that go downstream.
    pub fn flags(&self) -> Flags {
        let random = if self.random { Flags::RANDOM } else { Flags::default() };
        random.sampled(self.sampled.or(self.segment) == Some(true))
    }

    /// The identity as the header `traceparent` writes it. Where nobody has decided about spans, it says what was decided
    /// about segments; a decision that is open reads as no.
    pub fn traceparent(&self) -> Traceparent {
        Traceparent { trace_id: self.trace_id, parent_id: self.span_id, flags: self.flags() }
    }

    /// What a caller that sent `X-Amzn-Trace-Id` is told in the response's: the trace, and what was decided if it asked.
    pub fn amzn_answer(&self) -> Option<HeaderValue> {
        let header = self.amzn.as_ref()?;
        let root = header.root.unwrap_or(self.trace_id);
        // What was decided here was decided for our trace, which may be another one.
        let is_asked = header.sampled == Some(amzn::Decision::Ask) && root == self.trace_id;
        let is_sampled = self.segment.or(self.sampled) == Some(true);
        Some(amzn::answer(root, is_asked.then_some(is_sampled.into())))
    }

    /// Whether a response says so of the same trace.
    pub(super) fn is_amzn_answer(&self, headers: &HeaderMap) -> bool {
        let own = self.amzn.as_ref().and_then(|header| header.root).unwrap_or(self.trace_id);
        amzn::Header::read(headers).is_some_and(|answer| answer.root == Some(own))
    }

    /// Sets the decision about spans. The wish to debug goes with any other than yes.
    #[must_use]
    pub fn sample(self, sampled: Option<bool>) -> Self {
        Self { sampled, debug: self.debug && sampled == Some(true), ..self }
    }

    /// Sets the decision about segments.
    #[must_use]
    pub fn sample_segment(self, segment: Option<bool>) -> Self {
        Self { segment, ..self }
    }

    pub(super) fn of_w3c(traceparent: Traceparent, state: Option<Tracestate>) -> Self {
        let Traceparent { trace_id, parent_id, flags } = traceparent;
        let identity = Self { parent_id: Some(parent_id), remote: true, state, ..Self::in_trace(trace_id) };
        identity.sample_all(Some(flags.is_sampled())).random(flags.is_random())
    }

    pub(super) fn of_amzn(header: &amzn::Header) -> Option<Self> {
        let amzn::Header { root, parent: parent_id, sampled, .. } = *header;
        let sampled = sampled.and_then(amzn::Decision::is_sampled);
        let identity = Self { parent_id, remote: parent_id.is_some(), ..Self::in_trace(root?) };
        Some(identity.sample_all(sampled))
    }

    pub(super) fn of_b3(header: &b3::Header) -> Option<Self> {
        let b3::Header { ids, decision } = *header;
        let b3::Ids { trace_id, span_id, .. } = ids?;
        let identity = Self { parent_id: Some(span_id), remote: true, ..Self::in_trace(trace_id) };
        Some(identity.decide(decision))
    }

    /// Sets both decisions to a caller's.
    pub(super) fn sample_all(self, sampled: Option<bool>) -> Self {
        self.sample(sampled).sample_segment(sampled)
    }

    /// Adds what `traceparent` and `tracestate` say of the same trace.
    pub(super) fn and_w3c(&mut self, w3c: Self) {
        let Self { sampled, random, state, .. } = w3c;
        (self.sampled, self.random, self.state) = (sampled, random, state);
    }

    /// Adds what `X-Amzn-Trace-Id` decides about the same trace.
    pub(super) fn and_amzn_decision(&mut self, decision: Option<amzn::Decision>) {
        if let Some(decision) = decision {
            self.segment = decision.is_sampled();
        }
    }

    /// Sets the sampling decisions as B3 knows them.
    pub(super) fn decide(self, decision: Option<b3::Decision>) -> Self {
        let sampled = decision.map(b3::Decision::is_sampled);
        Self { debug: decision == Some(b3::Decision::Debug), ..self.sample_all(sampled) }
    }

    /// What B3 says of this identity to a callee.
    pub(super) fn b3(&self) -> b3::Header {
        let Self { trace_id, span_id, sampled, segment, debug, .. } = *self;
        let decided = sampled.or(segment).map(b3::Decision::from);
        let decision = if debug { Some(b3::Decision::Debug) } else { decided };
        // OpenTelemetry forbids to send the parent's parent.
        b3::Header { ids: Some(b3::Ids { trace_id, span_id, parent_id: None }), decision }
    }

    pub(super) fn and_amzn(self, amzn: Option<amzn::Header>) -> Self {
        Self { amzn, ..self }
    }

    /// Notes that the request also named another trace.
    pub(super) fn and_other(self, other: Option<Other>) -> Self {
        Self { other: other.filter(|other| other.trace_id != self.trace_id), ..self }
    }

    /// This trace as that of a second header.
    pub(super) fn as_other(&self) -> Other {
        Other { trace_id: self.trace_id, span_id: self.parent_id }
    }

    fn in_trace(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            span_id: SpanId::generate(),
            parent_id: None,
            remote: false,
            sampled: None,
            segment: None,
            debug: false,
            random: false,
            state: None,
            amzn: None,
            other: None,
        }
    }

    fn random(self, random: bool) -> Self {
        Self { random, ..self }
    }
}
