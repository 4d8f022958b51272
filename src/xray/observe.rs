use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header, request, response};

use super::{
    Aws, Cause, Exception, Http, Request, Response, Segment, Status, XRayLayer,
    aws::Xray,
    options::Options,
    sampler::{self, Sampling},
};
use crate::{
    exchange::{self, Annotations, Code, End, Tally, is_grpc, may_be_grpc},
    observe::{Observation, Observer},
    trace::{Identity, Scope},
};

/// An exchange on its way to becoming a segment.
#[derive(Debug)]
pub struct ServedSegment {
    options: Arc<Options>,
    /// None if it is not recorded, and only the caller is answered.
    segment: Option<Box<Segment>>,
    annotations: Option<Annotations>,
    may_be_grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    answer: Option<(HeaderName, HeaderValue)>,
}

/// Tells a second layer that the exchange has its segment.
struct Served;

// ===== impl XRayLayer =====

impl Observer for XRayLayer {
    type Observation = ServedSegment;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServedSegment> {
        let options = self.options();
        if options.skips(request) || scope.get::<Served>().is_some() {
            return None;
        }
        scope.insert(Served);
        let (identity, sampling) = decide(options, request, scope);
        let answer = identity.amzn_answer();
        if !sampling.sampled && answer.is_none() {
            return None;
        }
        let segment =
            sampling.sampled.then(|| Box::new(segment(options, request, scope, &identity, sampling)));
        Some(ServedSegment {
            options: options.clone(),
            annotations: segment.is_some().then(|| scope.annotations().clone()),
            segment,
            may_be_grpc: may_be_grpc(request),
            status: None,
            code: None,
            answer,
        })
    }
}

/// Who the exchange is, and whether it is recorded: as a layer further out, or a caller, has decided it, or else as the
/// sampler does.
fn decide(options: &Options, request: &request::Parts, scope: &mut Scope) -> (Identity, Sampling) {
    let surrounding = scope.surrounding().cloned();
    let begin = || options.propagation.identify(&request.headers, surrounding.as_ref());
    let identity = scope.identify(begin).clone();
    let asked = sampler::Request::of(request).service(&options.name);
    let sampling = options.sampler.decide(identity.sampled(), &asked);
    if identity.sampled().is_some() {
        return (identity, sampling);
    }
    let identity = identity.sample(Some(sampling.sampled));
    scope.amend(identity.clone());
    (identity, sampling)
}

/// What is known of the segment when the request arrives.
fn segment(
    options: &Options,
    request: &request::Parts,
    scope: &Scope,
    identity: &Identity,
    sampling: Sampling,
) -> Segment {
    let name = options.name.clone();
    let mut segment = Segment::new(identity.trace_id(), identity.span_id(), name, scope.started());
    segment.parent_id = identity.parent_id();
    segment.entity.http = Some(Http { request: Some(asked(options, request)), ..Http::default() });
    let xray =
        Xray { sampling_rule_name: sampling.rule.map(|rule| rule.to_string().into()), ..Xray::belvedere() };
    segment.entity.aws = Some(Box::new(Aws { xray: Some(xray), ..Aws::default() }));
    segment
}

fn asked(options: &Options, request: &request::Parts) -> Request {
    let (headers, hops) = (&request.headers, options.hops);
    let scheme = exchange::scheme(request, hops);
    let host = exchange::host(&request.uri, headers, hops);
    let url = host.map(|host| format!("{scheme}://{}{}", written(host), request.uri.path()));
    let mut asked = Request::new(&request.method, url.unwrap_or_else(|| request.uri.path().to_owned()));
    let forwarded = hops.client(headers).map(|(address, _)| address);
    let address = forwarded.or_else(|| options.peer(request).map(|peer| peer.ip()));
    asked.client_ip = address.map(|address| address.to_canonical().to_string().into());
    asked.x_forwarded_for = forwarded.is_some();
    let agent = headers.get(header::USER_AGENT).filter(|value| !value.is_sensitive());
    asked.user_agent = agent.and_then(|value| Some(value.to_str().ok()?.to_owned().into()));
    asked
}

/// A host as it stands in a URL.
fn written(host: exchange::Host<'_>) -> String {
    let name = if host.name.contains(':') { format!("[{}]", host.name) } else { host.name.to_owned() };
    host.port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
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
        if let Some((name, value)) = self.answer.take() {
            response.headers.insert(name, value);
        }
        if let Some(http) = self.segment.as_mut().and_then(|segment| segment.entity.http.as_mut()) {
            let mut answered = Response::new(response.status);
            let length = response.headers.get(header::CONTENT_LENGTH);
            answered.content_length = length.and_then(|value| value.to_str().ok()?.parse().ok());
            http.response = Some(answered);
        }
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let status = self.status(end);
        let Some(mut segment) = self.segment.take() else { return };
        let entity = &mut segment.entity;
        entity.status = status;
        entity.cause = match end {
            End::Failed { error } => Some(Cause::failure(error)),
            End::Panicked { message } => Some(Cause::panic(message)),
            End::Canceled => Some(Exception::new(CANCELED, LEFT).into()),
            End::Complete { .. } => None,
        };
        if let Some(answered) = entity.http.as_mut().and_then(|http| http.response.as_mut()) {
            answered.content_length.get_or_insert(tally.bytes);
        }
        entity.end(tally.duration);
        if let Some(annotations) = &self.annotations {
            annotations.visit(|key, value| {
                if key == USER {
                    segment.user = Some(value.to_string().into());
                }
                segment.entity.annotations.insert(key.clone(), value.clone());
            });
        }
        self.options.lane.push(*segment);
    }
}

/// The annotation that names who asks.
const USER: &str = "user_id";
const CANCELED: &str = "canceled";
const LEFT: &str = "the client left before the response was over";
