use std::{borrow::Cow, sync::Arc};

use http::{StatusCode, header, request, response};

use super::{
    Exception, Http, Link, Live, Losses, Name, Request, Response, Segment, Status, Text, Url, XRayLayer,
    aws::Xray,
    cause::Said,
    options::Options,
    sampler::{self, Sampling},
    stem::{Part, Stem},
};
use crate::{
    exchange::{self, Annotations, Code, End, HandlerError, Route, Tally, is_grpc, may_be_grpc},
    observe::{Observation, Observer, quietly},
    trace::{AmznAnswer, Identity, Other, Scope},
};

/// An exchange on its way to becoming a segment.
#[derive(Debug)]
pub struct ServedSegment {
    /// None if it is not recorded: the decision is passed on, and the caller answered.
    recorded: Option<Recorded>,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    answer: Option<AmznAnswer>,
}

#[derive(Debug)]
struct Recorded {
    stem: Arc<Stem>,
    annotations: Annotations,
    response: Option<Response>,
    error: Option<HandlerError>,
}

/// Tells a second layer that the exchange has its segment.
struct Served;

/// Whether a layer has seen the exchange, be it recorded or not.
pub(super) fn is_served(scope: &Scope) -> bool {
    scope.get::<Served>().is_some()
}

// ===== impl XRayLayer =====

impl Observer for XRayLayer {
    type Observation = ServedSegment;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServedSegment> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.serve();
        if is_served(scope) {
            contribute(options, request, scope);
            return None;
        }
        scope.insert(Served);
        let name = options.name(request);
        let (identity, sampling) = decide(options, request, &name, scope);
        let recorded =
            sampling.sampled.then(|| Recorded::begin(options, request, name, scope, &identity, sampling));
        let live = recorded.as_ref().map_or_else(Live::default, |recorded| Live::of(recorded.stem.clone()));
        if live.is_recorded() || Live::within(scope.context()).is_some() {
            scope.activate(live.context(scope.context()));
        }
        Some(ServedSegment {
            recorded,
            may_be_grpc: may_be_grpc(request),
            status: None,
            code: None,
            answer: identity.amzn_answer(),
        })
    }
}

/// Who the exchange is, and whether it is recorded: as a caller has decided it, or else as the sampler does.
fn decide(
    options: &Options,
    request: &request::Parts,
    name: &Name,
    scope: &mut Scope,
) -> (Identity, Sampling) {
    let surrounding = scope.surrounding().cloned();
    let joins = scope.identity().is_some();
    let begin = || options.propagation.identify(&request.headers, surrounding.as_ref());
    let identity = scope.identify(begin).clone();
    let mut identity = options.propagation.join(identity, &request.headers);
    if joins && identity.is_remote() && !options.propagation.passes_on() {
        // The layer further out lets callers decide, this one does not.
        identity = identity.sample_segment(None);
    }
    let asked = sampler::Request::of(request).service(name);
    let asked = options.origin().map_or(asked, |origin| asked.service_type(origin.as_str()));
    let of_spans = || identity.sampled().filter(|_| options.one_decision);
    let sampling = options.sampler.decide(identity.segment_sampled().or_else(of_spans), &asked);
    let identity = identity.sample_segment(Some(sampling.sampled));
    let decides = options.one_decision && identity.sampled().is_none();
    let identity = if decides { identity.sample(Some(sampling.sampled)) } else { identity };
    scope.amend(identity.clone());
    (identity, sampling)
}

// ===== impl Recorded =====

impl Recorded {
    fn begin(
        options: &Options,
        request: &request::Parts,
        name: Cow<'_, Name>,
        scope: &mut Scope,
        identity: &Identity,
        sampling: Sampling,
    ) -> Self {
        let mut segment = segment(options, request, name, scope, identity, sampling);
        if !identity.is_remote() {
            // A service in its caller's own process is a part of what is current there.
            let within =
                Live::within(scope.context()).filter(|live| live.trace_id() == Some(segment.trace_id));
            segment.parent_id = within.and_then(|live| live.id()).or(segment.parent_id);
        }
        let header = identity.amzn().cloned().unwrap_or_default();
        let way = (options.lane.clone(), options.scrubber.clone());
        let stem = Stem::segment(segment, header, way, (scope.started(), scope.began()));
        Self { stem, annotations: scope.annotations().clone(), response: None, error: None }
    }

    fn end(self, end: End<'_>, status: Status, tally: &Tally) {
        let Self { stem, annotations, response, error } = self;
        let said = Said::scrubbed(stem.scrubber());
        // What an error says is the user's code; should it panic, the segment is sent without it.
        if let Some(error) = error.filter(|_| status.error || status.fault) {
            quietly(|| stem.blame(said.error(error.error())));
        }
        match end {
            End::Failed { error } => drop(quietly(|| stem.fault(said.failure(error)))),
            End::Panicked { message } => stem.fault(said.panic(message)),
            End::Canceled => {
                stem.edit(|part| part.entity_mut().add_cause(Exception::new(CANCELED, LEFT).into()));
            }
            End::Complete { .. } => {}
        }
        stem.end(Some(tally.duration), |part| {
            let Part::Segment(segment) = part else { return };
            segment.entity.status |= status;
            if let (Some(http), Some(mut response)) = (&mut segment.entity.http, response) {
                response.content_length.get_or_insert(tally.bytes);
                http.response = Some(response);
            }
            annotations.visit(|key, value| {
                if key == USER {
                    segment.user = Some(Text::whole(value.to_string(), |user| stem.scrubber().text(user)));
                }
                segment.entity.annotations.insert_whole(key.clone(), value.clone(), stem.scrubber());
            });
        });
    }
}

/// What is known of the segment when the request arrives.
fn segment(
    options: &Options,
    request: &request::Parts,
    name: Cow<'_, Name>,
    scope: &Scope,
    identity: &Identity,
    sampling: Sampling,
) -> Segment {
    let (name, started) = (name.into_owned(), scope.started());
    let mut segment = Segment::new(identity.trace_id(), identity.span_id(), name, started);
    segment.parent_id = identity.parent_id();
    if let Some(other) = identity.other() {
        relate(&mut segment, other);
    }
    segment.entity.http = Some(Http { request: Some(asked(options, request)), ..Http::default() });
    let xray =
        Xray { sampling_rule_name: sampling.rule.map(|rule| rule.to_string().into()), ..Xray::belvedere() };
    options.describe(&mut segment);
    segment.entity.aws.get_or_insert_default().xray = Some(xray);
    segment
}

/// Notes the other trace that the request belongs to: as a link, if it names a place in it.
fn relate(segment: &mut Segment, other: Other) {
    match other.span_id {
        Some(id) => segment.links.push(Link::new(other.trace_id, id)),
        None => {
            let trace_id = other.trace_id.amzn().to_string();
            segment.entity.metadata.insert(Losses::NAMESPACE, "other_trace", trace_id);
        }
    }
}

fn asked(options: &Options, request: &request::Parts) -> Request {
    let (headers, hops) = (&request.headers, options.hops);
    let scheme = exchange::scheme(request, hops);
    let host = exchange::host(&request.uri, headers, hops);
    let hidden = hidden(options, request);
    let path = hidden.as_deref().unwrap_or_else(|| request.uri.path());
    let url = host.map(|host| format!("{scheme}://{host}{path}"));
    let url = Url::whole(url.unwrap_or_else(|| path.to_owned()), &options.scrubber);
    let mut asked = Request::new(&request.method, url);
    let forwarded = hops.client(headers).map(|(address, _)| address);
    let address = forwarded.or_else(|| options.peer(request).map(|peer| peer.ip()));
    let shown = address.and_then(|address| options.addresses.apply(address));
    asked.client_ip = shown.map(|address| address.to_string().into());
    asked.x_forwarded_for = forwarded.is_some() && shown.is_some();
    let agent = headers.get(header::USER_AGENT).filter(|value| !value.is_sensitive());
    let agent = agent.and_then(|value| value.to_str().ok());
    asked.user_agent = agent.map(|agent| Text::whole(agent.to_owned(), |agent| options.scrubber.text(agent)));
    asked
}

/// The path, if there is a value in it that the route calls a secret.
fn hidden(options: &Options, request: &request::Parts) -> Option<String> {
    Route::of(request)?.redact(request.uri.path(), |name| options.scrubber.is_secret(name))
}

/// The outer layer may stand before the router; only here it is known what the route calls a secret.
fn contribute(options: &Options, request: &request::Parts, scope: &Scope) {
    let Some(hidden) = hidden(options, request) else { return };
    let live = Live::within(scope.context());
    let Some(stem) = live.as_ref().and_then(Live::stem) else { return };
    stem.edit(|part| {
        let Part::Segment(segment) = part else { return };
        if let Some(Http { request: Some(asked), .. }) = &mut segment.entity.http {
            let url = asked.url.as_ref().map_or("", Url::as_str);
            let base = url.strip_suffix(request.uri.path()).unwrap_or_default();
            asked.url = Some(Url::whole(format!("{base}{hidden}"), &options.scrubber));
        }
    });
}

// ===== impl ServedSegment =====

impl ServedSegment {
    fn status(&self, end: End<'_>) -> Status {
        let answered = match (self.code, end) {
            (Some(head), End::Complete { trailers }) => {
                self.status.map(|status| Status::grpc(Code::of(status, Some(head), trailers)))
            }
            (None, End::Complete { trailers }) if self.may_be_grpc => {
                self.status.map(|status| Status::grpc(Code::of(status, None, trailers)))
            }
            _ => self.status.map(Status::http),
        };
        answered.unwrap_or(Status::OK) | Status::end(end)
    }
}

impl Observation for ServedSegment {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.code = Code::read(&response.headers);
        self.may_be_grpc &= self.code.is_some() || is_grpc(&response.headers);
        if !self.may_be_grpc {
            self.code = None;
        }
        if let Some(answer) = self.answer.take() {
            answer.write(response);
        }
        if let Some(recorded) = &mut self.recorded {
            let mut answered = Response::new(response.status);
            let length = response.headers.get(header::CONTENT_LENGTH);
            answered.content_length = length.and_then(|value| value.to_str().ok()?.parse().ok());
            recorded.response = Some(answered);
            recorded.error = response.extensions.get().cloned();
        }
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        if let Some(recorded) = self.recorded.take() {
            recorded.end(end, self.status(end), tally);
        }
    }
}

/// The annotation that names who asks.
const USER: &str = "user_id";
const CANCELED: &str = "canceled";
const LEFT: &str = "the client left before the response was over";
