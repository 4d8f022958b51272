use std::{borrow::Cow, sync::Arc};

use http::{Method, StatusCode, request, response};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, TraceContextExt as _},
};
use tower_layer::Layer;

use super::{
    attributes::{self, Attributes, GRPC, METHOD, cut, default_port, known_or_other},
    baggage,
    measure::{Ended, Measure},
    observe::Served,
    options::Options,
    outcome::{Outcome, Side},
    span::builder,
};
use crate::{
    exchange::{self, Code, End, Hops, Host, Tally, is_grpc},
    observe::{Observation, Observe, Observer},
    trace::{Identity, Scope},
};

/// A layer that makes one `CLIENT` span of every outgoing request and writes the trace into its headers.
///
/// It goes onto hyper-util's client, or any service that takes `http` requests. The span is a child of whatever is
/// active where the request is made. It ends with the response's body: read to its end, or dropped, which is no error,
/// since it is the caller's own wish.
#[derive(Clone, Debug, Default)]
pub struct OtelClientLayer {
    options: Arc<Options>,
}

/// Tells a server in the same process that the scope is a caller's, and a layer further in whether it is measured.
#[derive(Clone, Copy)]
pub(super) struct Called {
    measured: bool,
}

/// A client's exchange, on its way to becoming a span.
#[derive(Debug)]
pub struct ClientSpan {
    options: Arc<Options>,
    context: Context,
    grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    /// The gRPC method, if there is room for its name.
    method: Option<Arc<str>>,
    measure: Option<Box<Measure>>,
}

// ===== impl OtelClientLayer =====

impl OtelClientLayer {
    /// A layer with the global tracer provider, as it is when the first request is made.
    pub fn new() -> Self {
        Self::default()
    }

    super::setters::shared_setters!(Client);
}

impl<S> Layer<S> for OtelClientLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}

impl Observer for OtelClientLayer {
    type Observation = ClientSpan;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ClientSpan> {
        if self.options.skips(request) {
            return None;
        }
        // A proxy passes on the scope of the request that it serves, a retry that of the call; each attempt is another
        // exchange.
        let outer = scope.get::<Called>().is_some_and(|called| called.measured);
        if scope.get::<Served>().is_some() || scope.get::<Called>().is_some() {
            *scope = scope.child();
        }
        scope.insert(Called { measured: outer || self.options.instruments.is_some() });
        let mut span = ClientSpan::start(&self.options, request, scope);
        span.measure = if outer { None } else { measure(&self.options, request, &span.context) };
        Some(span)
    }
}

// ===== impl ClientSpan =====

impl ClientSpan {
    fn start(options: &Arc<Options>, request: &mut request::Parts, scope: &mut Scope) -> Self {
        let surrounding = scope.surrounding().cloned();
        let decided = scope.identity().is_some();
        let begin = || surrounding.as_ref().map_or_else(Identity::root, Identity::child);
        let identity = scope.identify(begin).clone();

        let grpc = request.method == Method::POST && is_grpc(&request.headers);
        let method = grpc.then(|| options.rooms.called(rpc_method(request))).flatten();
        let (name, attributes) =
            if grpc { grpc_facts(options, request, method.clone()) } else { http_facts(options, request) };
        let name = options.span_name(request).unwrap_or(name);
        let builder = builder(name, SpanKind::Client, scope).with_attributes(attributes.finish());

        let base = scope.context().clone();
        options.spans.start(builder, scope, &base, &identity, decided);
        let identity = scope.identity().unwrap_or(&identity);
        options.propagation.inject(identity, &mut request.headers);
        baggage::inject(&options.propagation, scope.context(), &mut request.headers);
        let context = scope.context().clone();
        Self { options: options.clone(), context, grpc, status: None, code: None, method, measure: None }
    }

    fn record_call(&self, end: End<'_>) -> Option<Code> {
        let code = match end {
            End::Complete { trailers } => Some(Code::of(self.status?, self.code, trailers)),
            End::Canceled => Some(Code::CANCELLED),
            End::Failed { .. } | End::Panicked { .. } => Some(Code::UNKNOWN),
        }?;
        let span = self.context.span();
        span.set_attributes(attributes::RPC_STATUS.map(|key| KeyValue::new(key, code.name())));
        Some(code)
    }
}

impl Observation for ClientSpan {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.code = self.grpc.then(|| Code::read(&response.headers)).flatten();
        let mut attributes = Attributes::new();
        if !self.grpc {
            attributes.push(attributes::HTTP_STATUS, i64::from(response.status.as_u16()));
            attributes.version(response.version);
        }
        if let Some(measure) = &mut self.measure {
            measure.version(response.version);
        }
        attributes.extend(self.options.response_attributes(response));
        self.context.span().set_attributes(attributes.finish());
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let measure = self.measure.take();
        let code = if self.grpc { self.record_call(end) } else { None };
        let outcome = if self.grpc {
            Outcome::grpc(Side::Client, code, end)
        } else {
            Outcome::http(Side::Client, self.status, end)
        };
        let ended = Ended { end, tally, error: measure.as_ref().and_then(|_| outcome.error_type()) };
        let span = self.context.span();
        outcome.record(&span, tally.ended());
        span.end_with_timestamp(tally.ended());
        // Last, so that a meter that panics costs no span.
        match (measure, code) {
            (Some(measure), Some(code)) => {
                measure.grpc(known_or_other(self.method), code, ended);
            }
            (Some(measure), None) => measure.http(self.status, ended),
            (None, _) => {}
        }
    }
}

/// The metrics of a request that is about to leave, if there are any.
fn measure(options: &Options, request: &request::Parts, context: &Context) -> Option<Box<Measure>> {
    let instruments = options.instruments.as_ref()?;
    let method = options.methods.name(&request.method).unwrap_or(Cow::Borrowed(attributes::OTHER));
    let host = exchange::host(&request.uri, &request.headers, Hops::NONE);
    let server = options.rooms.server(host.map(|host| with_port(host, request)));
    Some(Box::new(Measure::client(instruments, context, method, server, &request.headers)))
}

fn http_facts(options: &Options, request: &request::Parts) -> (Cow<'static, str>, Attributes) {
    let host = exchange::host(&request.uri, &request.headers, Hops::NONE);
    let mut attributes = Attributes::new();
    attributes.method(&request.method, &options.methods);
    attributes.full(&request.uri, host, &options.query);
    attributes.server(host.map(|host| with_port(host, request)));
    attributes.extend(options.request_attributes(request));
    (options.methods.name(&request.method).unwrap_or(Cow::Borrowed("HTTP")), attributes)
}

fn grpc_facts(
    options: &Options,
    request: &request::Parts,
    method: Option<Arc<str>>,
) -> (Cow<'static, str>, Attributes) {
    let name = method.as_ref().map_or(Cow::Borrowed(GRPC), |method| Cow::Owned(method.to_string()));
    let host = exchange::host(&request.uri, &request.headers, Hops::NONE);
    let mut attributes = Attributes::new();
    attributes.push(attributes::RPC_SYSTEM, GRPC);
    if method.is_none() {
        attributes.push(attributes::RPC_METHOD_ORIGINAL, rpc_method(request).to_owned());
    }
    attributes.push(attributes::RPC_METHOD, known_or_other(method));
    attributes.server(host.map(|host| with_port(host, request)));
    attributes.extend(options.request_attributes(request));
    (name, attributes)
}

fn rpc_method(request: &request::Parts) -> &str {
    cut(request.uri.path().trim_start_matches('/'), METHOD)
}

/// The conventions require a port on this side.
fn with_port<'a>(host: Host<'a>, request: &request::Parts) -> Host<'a> {
    Host { port: host.port.or_else(|| Some(default_port(&request.uri))), ..host }
}
