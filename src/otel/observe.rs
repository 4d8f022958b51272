use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{StatusCode, request, response};
use opentelemetry::{KeyValue, trace::SpanContext};

use super::{
    OtelLayer,
    arrival::Arrival,
    attributes::{self, Attributes},
    exception::Kind as Whose,
    facts::rpc_method,
    given::Given,
    measure::{Ended, Measure, Route},
    options::Options,
    outcome::{Outcome, Side},
    quickly::Quickly,
    recorded::Kind,
    sdk_span::SdkSpan,
    served::{Inner, Served},
};
use crate::{
    exchange::{self, Code, End, HandlerError, Tally, grpc_timeout, is_grpc, may_be_grpc},
    observe::{Observation, Observer},
    trace::{Known, OccurrenceId, Scope},
};

/// A server's exchange, on its way to becoming a span.
#[derive(Debug)]
pub struct ServerSpan {
    options: Arc<Options>,
    known: Known,
    way: Way,
    call: Call,
    status: Option<StatusCode>,
    code: Option<Code>,
    error: Option<HandlerError>,
    measure: Option<Box<Measure>>,
}

/// Whose span it is.
#[derive(Debug)]
pub(super) enum Way {
    /// One of a provider of any type.
    Sdk(Box<SdkSpan>),
    /// Our own, which is made when all is over.
    Quick(Quickly),
    /// Nothing is recorded.
    Unsampled(SpanContext),
}

/// How an exchange was, for its span.
pub(super) struct Over<'a> {
    pub(super) kind: Kind,
    pub(super) status: Option<StatusCode>,
    pub(super) outcome: Outcome,
    pub(super) error: Option<HandlerError>,
    pub(super) tally: &'a Tally,
}

/// What the request asks for.
#[derive(Clone, Copy, Debug)]
enum Call {
    Http,
    /// It may turn out to be a call of gRPC, whose caller waits so long.
    Grpc(Option<Duration>),
    /// The answer was none of gRPC.
    Demoted,
}

// ===== impl OtelLayer =====

impl Observer for OtelLayer {
    type Observation = ServerSpan;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServerSpan> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.take_server_side();
        if let Some(served) = Served::of(scope) {
            served.contribute(options, request, scope);
            return None;
        }
        Some(ServerSpan::start(options, request, scope))
    }
}

// ===== impl ServerSpan =====

impl ServerSpan {
    fn start(options: &Arc<Options>, request: &request::Parts, scope: &mut Scope) -> Self {
        let given = Given::of(options, request);
        let (may_be_grpc, is_matched) = (may_be_grpc(request), options.is_matched(request));
        let routed = is_matched || given.as_ref().is_some_and(|given| given.route.is_some());
        let named = given.as_ref().is_some_and(|given| given.name.is_some());
        let served = Served { named, routed, measured: options.instruments.is_some() };
        let route = given.as_ref().and_then(|given| given.route.clone());
        let (known, way) = Arrival { options, given, is_matched, served }.start(request, scope);
        let call = if may_be_grpc { Call::Grpc(grpc_timeout(&request.headers)) } else { Call::Http };
        let measure = measure(options, request, scope, (routed, route));
        let (options, status, code, error) = (options.clone(), None, None, None);
        Self { options, known, way, call, status, code, error, measure }
    }

    fn outcome(&self, end: End<'_>, code: Option<Code>) -> Outcome {
        if self.call.is_grpc() {
            return Outcome::grpc(Side::Server, code, end, &self.options.scrubber);
        }
        Outcome::http(Side::Server, self.status, end, &self.options.scrubber)
    }

    /// The code of a gRPC call, if it came to one.
    fn code(&self, end: End<'_>, tally: &Tally) -> Option<Code> {
        let Call::Grpc(timeout) = self.call else { return None };
        match end {
            End::Complete { trailers } => Some(Code::of(self.status?, self.code, trailers)),
            End::Canceled if is_late(timeout, tally.duration) => Some(Code::DEADLINE_EXCEEDED),
            End::Canceled => Some(Code::CANCELLED),
            End::Panicked { .. } => Some(Code::INTERNAL),
            End::Failed { .. } => Some(Code::UNKNOWN),
        }
    }

    /// The answer is none of gRPC: whatever the caller wrote into its content type, this is plain HTTP.
    fn demote(&mut self) {
        self.call = Call::Demoted;
        match &mut self.way {
            Way::Sdk(span) => span.demote(),
            Way::Quick(quickly) => quickly.demote(&self.known),
            Way::Unsampled(_) => {}
        }
    }

    /// What it turned out to be; `code` is the call's, if it came to one.
    fn kind(&self, code: Option<Code>) -> Kind {
        let call = |code| {
            let method = self.known.head().map(rpc_method);
            Kind::Call { code, method: method.and_then(|method| self.options.rpc_method(method, code)) }
        };
        match self.call {
            Call::Http => Kind::Http,
            Call::Demoted => Kind::Demoted,
            Call::Grpc(_) => code.map_or(Kind::Uncoded, call),
        }
    }

    #[inline(always)]
    fn over(self, kind: Kind, outcome: Outcome, tally: &Tally) {
        let Self { options, known, way, call, status, error, .. } = self;
        let whose = Whose { side: Side::Server, grpc: call.is_grpc() };
        let over = Over { kind, status, outcome, error, tally };
        match way {
            Way::Sdk(span) => span.end(over, whose, &options, &known),
            Way::Quick(quickly) => {
                over.log(&options, whose, || quickly.context());
                quickly.end(over, options, known);
            }
            Way::Unsampled(span) => over.log(&options, whose, || span),
        }
    }

    /// Tells the caller about its trace, as far as this layer and those further in are to.
    fn answer(&self, response: &mut response::Parts) {
        let Some(identity) = self.known.identity() else { return };
        self.known.answer_amzn(response);
        let inner = self.known.made::<Inner>();
        if self.options.answer.is_asked() || inner.is_some() {
            let answer = self.options.answer.clone();
            inner.iter().for_each(|inner| answer.add(&inner.answer));
            answer.write(&identity.traceparent(), &mut response.headers);
        }
    }

    /// What options make of the response.
    fn of_response(&self, response: &response::Parts) -> Option<Vec<KeyValue>> {
        let Options { response_headers, response_attributes, .. } = &*self.options;
        if response_headers.is_empty() && response_attributes.is_none() {
            return None;
        }
        let mut attributes = Attributes::none();
        let prefix = if self.call.is_grpc() { "rpc.response.metadata." } else { "http.response.header." };
        attributes.headers(prefix, response_headers, &response.headers, &self.options);
        attributes.extend(self.options.response_attributes(response));
        Some(attributes.finish())
    }
}

impl Observation for ServerSpan {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.error = response.extensions.get().cloned();
        self.code = if self.call.is_grpc() { Code::read(&response.headers) } else { None };
        if let Way::Quick(quickly) = &mut self.way {
            quickly.answered(&self.known);
        }
        if self.call.is_grpc() && self.code.is_none() && !is_grpc(&response.headers) {
            self.demote();
        }
        self.answer(response);
        let (attributes, is_http) = (self.of_response(response), !self.call.is_grpc());
        match (&mut self.way, attributes) {
            (Way::Sdk(span), attributes) => {
                let attributes = attributes.unwrap_or_default();
                span.answered(response.status, is_http, attributes, &self.options);
            }
            (Way::Quick(quickly), Some(attributes)) => quickly.add(attributes),
            (Way::Quick(_), None) | (Way::Unsampled(_), _) => {}
        }
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let measure = self.measure.take();
        let end = if self.call.is_grpc() { end.of_call(self.status, self.code) } else { end };
        let kind = self.kind(self.code(end, tally));
        let code = kind.code();
        let outcome = self.outcome(end, code);
        let Some(measure) = measure else { return self.over(kind, outcome, tally) };
        let (call, status) = (code.zip(kind.method()), self.status);
        let ended = Ended { end, tally, error: outcome.error_type() };
        self.over(kind, outcome, tally);
        // Last, so that a meter that panics costs no span.
        match call {
            Some((code, method)) => measure.grpc(method, code, ended),
            None => measure.http(status, ended),
        }
    }
}

// ===== impl Over =====

impl Over<'_> {
    /// Under which id its failure is reported.
    pub(super) fn report(&self, known: &Known) -> Option<OccurrenceId> {
        if self.outcome.is_good() { None } else { known.report() }
    }

    /// Tells of an exception as a log record, if that is asked for.
    fn log(&self, options: &Options, whose: Whose, span: impl FnOnce() -> SpanContext) {
        let Options { exceptions, scrubber, .. } = options;
        if !exceptions.are_logged() {
            return;
        }
        let outcome = self.outcome.clone().because(self.error.clone(), scrubber);
        if let Some(exception) = outcome.exception() {
            exceptions.log(exception, whose, &span(), self.tally.ended());
        }
    }
}

// ===== impl Call =====

impl Call {
    fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc(_))
    }
}

/// The metrics of a request that has just arrived, if there are any.
fn measure(
    options: &Options,
    request: &request::Parts,
    scope: &mut Scope,
    (is_routed, route): (bool, Option<Arc<str>>),
) -> Option<Box<Measure>> {
    let instruments = options.instruments.as_ref()?;
    // Of a call its method is told, too.
    scope.head(request);
    let method = options.methods.name(&request.method).unwrap_or(Cow::Borrowed(attributes::OTHER));
    let scheme = exchange::scheme(request, options.hops);
    let route = if is_routed {
        Route::Known(route.or_else(|| options.route(request)))
    } else {
        Route::Later(Inner::of(scope).route.clone())
    };
    let mut measure =
        Measure::server(instruments, scope.context(), method, scheme, &request.headers).routed(route);
    measure.version(request.version);
    Some(Box::new(measure))
}

/// Whether a call that was cut off had no time left: the caller gave up at its deadline, or the server did so for it.
fn is_late(timeout: Option<Duration>, duration: Duration) -> bool {
    timeout.is_some_and(|timeout| duration + SLACK.min(timeout / 10) >= timeout)
}

/// The caller's clock started before ours, and its answer took a while to come.
const SLACK: Duration = Duration::from_millis(10);
