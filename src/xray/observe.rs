use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{StatusCode, header, request, response};

use super::{
    Exception, Live, Name, Response, Status, XRayLayer, cause::Said, draft::Draft, options::Options,
    sampler::Sampling, stem::Stem,
};
use crate::{
    exchange::{Code, End, Fields, Forwarded, HandlerError, SharedPairs, Tally, is_grpc},
    observe::{Observation, Observer, quietly},
    trace::{Known, Mark, Place, Scope, SpanId},
};

/// An exchange on its way to becoming a segment.
#[derive(Debug)]
pub struct ServedSegment(Served);

#[derive(Debug)]
enum Served {
    Recorded(Recorded),
    /// The decision is passed on, and the caller answered.
    Unrecorded(Known),
}

#[derive(Debug)]
struct Recorded {
    draft: Draft,
    may_be_grpc: bool,
    code: Option<Code>,
    error: Option<HandlerError>,
}

/// Whether a layer has seen the exchange, be it recorded or not.
pub(super) fn is_served(scope: &Scope) -> bool {
    scope.marks().has(Mark::SEGMENT)
}

// ===== impl XRayLayer =====

impl Observer for XRayLayer {
    type Observation = ServedSegment;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServedSegment> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.take_server_side();
        if is_served(scope) {
            // The outer layer may stand before the router; only here it is known what the route calls a secret.
            scope.known().and_then(Known::head).into_iter().for_each(|head| head.learn_route(request));
            return None;
        }
        let name = options.name(request);
        let sampling = decide(options, request, &name, scope);
        let parent_id = parent_id(scope);
        let identity = scope.identity()?;
        let place = Place::new(identity.trace_id(), identity.span_id(), sampling.sampled);
        scope.take_place(place);
        scope.share(options.clone());
        scope.mark(Mark::SEGMENT);
        if !sampling.sampled {
            return Some(ServedSegment(Served::Unrecorded(scope.keep())));
        }
        let recorded = Recorded::begin(options, request, scope, (name, parent_id), sampling.rule);
        Some(ServedSegment(Served::Recorded(recorded)))
    }
}

/// Decides who the exchange is, and whether it is recorded: as a caller has decided it, or else as the sampler does.
fn decide(options: &Options, request: &request::Parts, name: &Name, scope: &mut Scope) -> Sampling {
    let (propagation, headers) = (&options.propagation, &request.headers);
    let mut fields = None;
    let identity = match scope.identity() {
        Some(known) => {
            let identity = propagation.join(known.clone(), headers);
            // The layer further out lets callers decide, this one does not.
            let decides_for_us = identity.is_remote() && !propagation.passes_on();
            if decides_for_us { identity.sample_segment(None) } else { identity }
        }
        None => {
            let fields = fields.insert(Fields::of(headers));
            propagation.identify_by(fields, headers, scope.surrounding())
        }
    };
    let of_spans = || identity.sampled().filter(|_| options.one_decision);
    let sampling = match identity.segment_sampled().or_else(of_spans) {
        Some(sampled) => Sampling::without_rule(sampled),
        None => options.sampler.sample(&options.asked(request, name)),
    };
    let identity = identity.sample_segment(Some(sampling.sampled));
    let decides = options.one_decision && identity.sampled().is_none();
    let identity = if decides { identity.sample(Some(sampling.sampled)) } else { identity };
    scope.arrive(identity, request, fields.as_ref());
    sampling
}

/// What the exchange is a part of.
fn parent_id(scope: &Scope) -> Option<SpanId> {
    let identity = scope.identity()?;
    let within = || Live::within(scope.context()).filter(|live| live.trace_id() == Some(identity.trace_id()));
    // A service in its caller's own process is a part of what is current there.
    let within = if identity.is_remote() { None } else { within() };
    within.and_then(|live| live.id()).or_else(|| identity.parent_id())
}

// ===== impl Recorded =====

impl Recorded {
    #[inline]
    fn begin(
        options: &Arc<Options>,
        request: &request::Parts,
        scope: &mut Scope,
        (name, parent_id): (Cow<'_, Name>, Option<SpanId>),
        rule: Option<Arc<str>>,
    ) -> Self {
        let may_be_grpc = scope.head(request).may_be_grpc();
        let draft = Draft {
            options: options.clone(),
            known: scope.keep(),
            parent_id,
            name: match name {
                Cow::Owned(name) => Some(Box::new(name)),
                Cow::Borrowed(_) => None,
            },
            rule,
            forwarded: Forwarded::read(options.hops, &request.headers),
            peer: options.peer(request).map(|peer| Box::new(peer.ip())),
            response: None,
            status: Status::OK,
            duration: Duration::ZERO,
            annotations: SharedPairs::default(),
        };
        Self { draft, may_be_grpc, code: None, error: None }
    }

    fn answered(&mut self, response: &mut response::Parts) {
        if self.may_be_grpc {
            self.code = Code::read(&response.headers);
            self.may_be_grpc = self.code.is_some() || is_grpc(&response.headers);
        }
        let mut answered = Response::new(response.status);
        let length = response.headers.get(header::CONTENT_LENGTH);
        answered.content_length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        self.draft.response = Some(answered);
        self.error = response.extensions.get().cloned();
        self.draft.known.answer_amzn(response);
    }

    fn status(&self, end: End<'_>) -> Status {
        let status = self.draft.response.as_ref().and_then(|response| response.status);
        let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
            return Status::end(end);
        };
        let answered = match end {
            End::Complete { trailers } if self.code.is_some() || self.may_be_grpc => {
                Status::grpc(Code::of(status, self.code, trailers))
            }
            _ => Status::http(status),
        };
        answered | Status::end(end)
    }

    fn end(self, end: End<'_>, tally: &Tally) {
        let status = self.status(end);
        let Self { mut draft, error, .. } = self;
        blame(&draft, error.filter(|_| status.error || status.fault), end);
        (draft.status, draft.duration) = (status, tally.duration);
        if let Some(response) = &mut draft.response {
            response.content_length.get_or_insert(tally.bytes);
        }
        if let Some(annotations) = draft.known.annotations() {
            draft.annotations = annotations.pairs();
        }
        // First, so that nobody makes a segment that is not over from here on.
        draft.known.place().into_iter().for_each(Place::end);
        let stem = draft.known.made::<Stem>();
        let mut added = stem.and_then(|stem| stem.end_segment(tally.duration, status));
        if let Some(segment) = &mut added {
            segment.entity.name = draft.name().clone();
        }
        let options = draft.options.clone();
        options.lane.push_draft(added, draft);
    }
}

/// Adds to the segment why the exchange failed, if it did.
fn blame(draft: &Draft, error: Option<HandlerError>, end: End<'_>) {
    if error.is_none() && matches!(end, End::Complete { .. }) {
        return;
    }
    let live = Live::of_exchange(&draft.known);
    let Some(stem) = live.as_ref().and_then(Live::stem) else { return };
    let said = Said::scrubbed(stem.scrubber());
    // What an error says is the user's code; should it panic, the segment is sent without it.
    if let Some(error) = error {
        quietly(|| stem.blame(said.error(error.error())));
    }
    match end {
        End::Failed { error } => drop(quietly(|| stem.fault(said.failure(error)))),
        End::Panicked { message } => stem.fault(said.panic(message)),
        End::Canceled => stem.edit(|part| part.entity_mut().add_cause(Exception::new(CANCELED, LEFT).into())),
        End::Complete { .. } => {}
    }
}

// ===== impl ServedSegment =====

impl Observation for ServedSegment {
    fn on_response(&mut self, response: &mut response::Parts) {
        match &mut self.0 {
            Served::Recorded(recorded) => recorded.answered(response),
            Served::Unrecorded(known) => known.answer_amzn(response),
        }
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        if let Served::Recorded(recorded) = self.0 {
            recorded.end(end, tally);
        }
    }
}

const CANCELED: &str = "canceled";
const LEFT: &str = "the client left before the response was over";
