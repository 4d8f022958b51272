use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Method, StatusCode, request, response};
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceState},
};

use super::{
    OtelLayer,
    answer::Answer,
    attributes,
    attributes::{Attributes, GRPC},
    baggage,
    exception::Kind,
    measure::{Ended, InnerRoute, Measure, Route},
    options::Options,
    outcome::{Outcome, Side},
    secrets,
    span::builder,
};
use crate::{
    exchange::{self, Annotations, Code, End, HandlerError, Tally, grpc_timeout, is_grpc, may_be_grpc},
    observe::{Observation, Observer},
    trace::{AmznAnswer, Other, Scope, w3c::Traceparent},
};

/// A server's exchange, on its way to becoming a span.
#[derive(Debug)]
pub struct ServerSpan {
    options: Arc<Options>,
    context: Context,
    annotations: Annotations,
    grpc: Option<Call>,
    named: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    answer: Option<AmznAnswer>,
    error: Option<HandlerError>,
    trace: Traceparent,
    served: Arc<Served>,
    measure: Option<Box<Measure>>,
}

/// What may turn out to be a gRPC call.
#[derive(Debug)]
struct Call {
    /// As the caller wrote it.
    method: String,
    /// How long its caller waits.
    timeout: Option<Duration>,
    /// What the request is as plain HTTP, in case that the answer is none of gRPC.
    http: (Cow<'static, str>, Vec<KeyValue>),
}

/// Tells a second layer that the exchange has its span, and what that one need not add.
#[derive(Debug)]
struct Served {
    named: bool,
    routed: AtomicBool,
    measured: bool,
    /// Where the metrics look for a route that only the inner layer knows.
    inner: Option<InnerRoute>,
    answer: Answer,
}

// ===== impl OtelLayer =====

impl Observer for OtelLayer {
    type Observation = ServerSpan;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServerSpan> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        scope.serve();
        if let Some(served) = scope.get::<Served>() {
            contribute(served, options, request, scope);
            return None;
        }
        Some(ServerSpan::start(options, request, scope))
    }
}

/// The outer layer may stand before the router; only here the route is known. What else this one was told to add from the
/// request goes onto the same span.
fn contribute(served: &Served, options: &Options, request: &request::Parts, scope: &Scope) {
    served.answer.add(&options.answer);
    let span = scope.context().span();
    let mut attributes = Attributes::new();
    attributes.headers("http.request.header.", &options.request_headers, &request.headers, options);
    attributes.extend(options.request_attributes(request));
    span.set_attributes(attributes.finish());
    if options.instruments.is_some() && !served.measured {
        warn_of_metrics();
    }
    if served.routed.load(Ordering::Relaxed) || may_be_grpc(request) {
        return;
    }
    let Some(route) = options.route(request) else { return };
    served.routed.store(true, Ordering::Relaxed);
    if !served.named {
        span.update_name(http_name(options, &request.method, Some(&route)));
    }
    if let Some(inner) = &served.inner {
        inner.set(route.clone());
    }
    span.set_attribute(KeyValue::new(attributes::HTTP_ROUTE, route));
}

#[cold]
fn warn_of_metrics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            target: "belvedere::otel",
            "an inner OtelLayer has metrics and the outer one has none, so nothing is measured: give them to the outer one"
        );
    });
}

// ===== impl ServerSpan =====

impl ServerSpan {
    fn start(options: &Arc<Options>, request: &request::Parts, scope: &mut Scope) -> Self {
        let surrounding = scope.surrounding().cloned();
        let decided = scope.identity().is_some();
        let propagation = &options.propagation;
        let identity =
            scope.identify(|| propagation.identify(&request.headers, surrounding.as_ref())).clone();

        let route = options.route(request);
        let given = options.span_name(request);
        let named = given.is_some();
        let inner = (options.instruments.is_some() && route.is_none()).then(InnerRoute::default);
        let (routed, answer) = (route.is_some().into(), options.answer.clone());
        let measured = options.instruments.is_some();
        let served = Arc::new(Served { named, routed, measured, inner: inner.clone(), answer });
        scope.share(served.clone());
        let known = inner.map_or_else(|| Route::Known(route.clone()), Route::Later);
        let (grpc, (name, mut attributes)) = if may_be_grpc(request) {
            let call = Call::new(options, request, route);
            let facts = grpc_facts(options, request, &call);
            (Some(call), facts)
        } else {
            (None, http_facts(options, request, route))
        };
        let name = given.unwrap_or(name);
        attributes.extend(options.request_attributes(request));
        let links = links(identity.other(), &mut attributes);
        let builder =
            builder(name, SpanKind::Server, scope).with_attributes(attributes.finish()).with_links(links);

        let base = baggage::extract(propagation, &request.headers, scope.context());
        options.spans.start(builder, scope, &base, &identity, decided);
        let identity = scope.identity().unwrap_or(&identity);
        Self {
            options: options.clone(),
            answer: identity.amzn_answer(),
            trace: identity.traceparent(),
            served,
            context: scope.context().clone(),
            annotations: scope.annotations().clone(),
            grpc,
            named,
            status: None,
            code: None,
            error: None,
            measure: measure(options, request, scope.context(), known),
        }
    }

    fn outcome(&self, end: End<'_>, code: Option<Code>) -> Outcome {
        if self.grpc.is_some() {
            return Outcome::grpc(Side::Server, code, end, &self.options.scrubber);
        }
        Outcome::http(Side::Server, self.status, end, &self.options.scrubber)
    }

    /// The code of a gRPC call, if it came to one.
    fn code(&self, call: &Call, end: End<'_>, tally: &Tally) -> Option<Code> {
        match end {
            End::Complete { trailers } => Some(Code::of(self.status?, self.code, trailers)),
            End::Canceled if call.is_late(tally.duration) => Some(Code::DEADLINE_EXCEEDED),
            End::Canceled => Some(Code::CANCELLED),
            End::Panicked { .. } => Some(Code::INTERNAL),
            End::Failed { .. } => Some(Code::UNKNOWN),
        }
    }

    /// The answer is none of gRPC: whatever the caller wrote into its content type, this is plain HTTP.
    fn demote(&mut self, call: Call) {
        let (name, attributes) = call.http;
        self.rename(name);
        self.context.span().set_attributes(attributes);
    }

    /// Only now it is known whether the method may be any text that a stranger wrote. Gives its name.
    fn record_call(&self, call: &Call, code: Code) -> Value {
        let span = self.context.span();
        span.set_attributes(attributes::RPC_STATUS.map(|key| KeyValue::new(key, code.name())));
        let known = self.options.rpc_method(&call.method, code);
        if known.is_none() {
            self.rename(GRPC);
            let method = self.options.scrubber.text(&call.method).into_owned();
            span.set_attribute(KeyValue::new(attributes::RPC_METHOD_ORIGINAL, method));
        }
        let method = attributes::known_or_other(known);
        span.set_attribute(KeyValue::new(attributes::RPC_METHOD, method.clone()));
        method
    }

    fn rename(&self, name: impl Into<Cow<'static, str>>) {
        if !self.named {
            self.context.span().update_name(name);
        }
    }
}

impl Observation for ServerSpan {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.error = response.extensions.get().cloned();
        self.code = Code::read(&response.headers);
        let is_call = self.code.is_some() || is_grpc(&response.headers);
        if !is_call && let Some(call) = self.grpc.take() {
            self.demote(call);
        }
        let grpc = self.grpc.is_some();
        if let Some(answer) = self.answer.take() {
            answer.write(response);
        }
        self.served.answer.write(&self.trace, &mut response.headers);
        let mut attributes = Attributes::none();
        if !grpc {
            let status = KeyValue::new(attributes::HTTP_STATUS, i64::from(response.status.as_u16()));
            attributes.extend(self.options.old_names(Side::Server, std::slice::from_ref(&status)));
            self.context.span().set_attribute(status);
        }
        let prefix = if grpc { "rpc.response.metadata." } else { "http.response.header." };
        attributes.headers(prefix, &self.options.response_headers, &response.headers, &self.options);
        attributes.extend(self.options.response_attributes(response));
        let attributes = attributes.finish();
        if !attributes.is_empty() {
            self.context.span().set_attributes(attributes);
        }
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let measure = self.measure.take();
        let end = if self.grpc.is_some() { end.of_call(self.status, self.code) } else { end };
        let span = self.context.span();
        let call = self.grpc.as_ref().and_then(|call| Some((call, self.code(call, end, tally)?)));
        let call = call.map(|(call, code)| (self.record_call(call, code), code));
        let outcome = self.outcome(end, call.as_ref().map(|(_, code)| *code));
        let outcome = outcome.because(self.error.take(), &self.options.scrubber);
        let ended = Ended { end, tally, error: measure.as_ref().and_then(|_| outcome.error_type()) };
        // Before the annotations, since the SDK keeps a limited number of attributes.
        let kind = Kind { side: Side::Server, grpc: self.grpc.is_some() };
        let report = self.annotations.report_id().filter(|_| outcome.error_type().is_some());
        outcome.record(&span, tally.ended(), &self.options.exceptions, kind);
        self.annotations.visit(|key, value| {
            let value = secrets::annotation(&self.options.scrubber, key, told(value));
            span.set_attribute(KeyValue::new(key.clone(), value));
        });
        if let Some(id) = report {
            span.set_attribute(KeyValue::new(OCCURRENCE, id.to_string()));
        }
        if let dropped @ 1.. = self.annotations.dropped() {
            span.set_attribute(KeyValue::new(DROPPED, i64::try_from(dropped).unwrap_or(i64::MAX)));
        }
        span.end_with_timestamp(tally.ended());
        // Last, so that a meter that panics costs no span.
        match (measure, call) {
            (Some(measure), Some((method, code))) => measure.grpc(method, code, ended),
            (Some(measure), None) => measure.http(self.status, ended),
            (None, _) => {}
        }
    }
}

/// The metrics of a request that has just arrived, if there are any.
fn measure(
    options: &Options,
    request: &request::Parts,
    context: &Context,
    route: Route,
) -> Option<Box<Measure>> {
    let instruments = options.instruments.as_ref()?;
    let method = options.methods.name(&request.method).unwrap_or(Cow::Borrowed(attributes::OTHER));
    let scheme = exchange::scheme(request, options.hops);
    let mut measure = Measure::server(instruments, context, method, scheme, &request.headers).routed(route);
    measure.version(request.version);
    Some(Box::new(measure))
}

fn http_facts(
    options: &Options,
    request: &request::Parts,
    route: Option<Arc<str>>,
) -> (Cow<'static, str>, Attributes) {
    let hops = options.hops;
    let peer = options.peer(request);
    let mut attributes = Attributes::new();
    attributes.method(&request.method, options);
    attributes.target(request, options, route.as_deref());
    attributes.server(exchange::host(&request.uri, &request.headers, hops));
    attributes.client(options, &request.headers, peer);
    attributes.peer(peer, options.addresses);
    attributes.version(request.version);
    attributes.user_agent(&request.headers, &options.scrubber);
    attributes.extend(options.old_names(Side::Server, attributes.as_slice()));
    attributes.headers("http.request.header.", &options.request_headers, &request.headers, options);
    let name = http_name(options, &request.method, route.as_deref());
    attributes.maybe(attributes::HTTP_ROUTE, route);
    (name, attributes)
}

/// `{method} {route}`, or the method alone: never the path.
fn http_name(options: &Options, method: &Method, route: Option<&str>) -> Cow<'static, str> {
    let method = options.methods.name(method).unwrap_or(Cow::Borrowed("HTTP"));
    match route {
        Some(route) => Cow::Owned(format!("{method} {route}")),
        None => method,
    }
}

fn grpc_facts(options: &Options, request: &request::Parts, call: &Call) -> (Cow<'static, str>, Attributes) {
    let mut attributes = Attributes::new();
    attributes.push(attributes::RPC_SYSTEM, GRPC);
    attributes.server(exchange::host(&request.uri, &request.headers, options.hops));
    attributes.peer(options.peer(request), options.addresses);
    attributes.headers("rpc.request.metadata.", &options.request_headers, &request.headers, options);
    let unknown = options.lacks(&call.method);
    (if unknown { Cow::Borrowed(GRPC) } else { Cow::Owned(call.method.clone()) }, attributes)
}

// ===== impl Call =====

impl Call {
    fn new(options: &Options, request: &request::Parts, route: Option<Arc<str>>) -> Self {
        let path = request.uri.path().trim_start_matches('/');
        let method = attributes::cut(path, attributes::METHOD).to_owned();
        let (name, attributes) = http_facts(options, request, route);
        // These are on the span already, or will be again.
        let shared = |pair: &KeyValue| SHARED.iter().any(|prefix| pair.key.as_str().starts_with(prefix));
        let attributes = attributes.finish().into_iter().filter(|pair| !shared(pair)).collect();
        Self { method, timeout: grpc_timeout(&request.headers), http: (name, attributes) }
    }

    /// Whether a call that was cut off had no time left: the caller gave up at its deadline, or the server did so for it.
    fn is_late(&self, duration: Duration) -> bool {
        self.timeout.is_some_and(|timeout| duration + SLACK.min(timeout / 10) >= timeout)
    }
}

/// A second trace is a link, or an attribute where it names no span that could be linked.
fn links(other: Option<Other>, attributes: &mut Attributes) -> Vec<Link> {
    let Some(other) = other else { return Vec::new() };
    let Some(span_id) = other.span_id else {
        attributes.push(attributes::XRAY_TRACE_ID, other.trace_id.amzn().to_string());
        return Vec::new();
    };
    let (trace_id, flags, state) = (other.trace_id.into(), TraceFlags::default(), TraceState::default());
    vec![Link::new(SpanContext::new(trace_id, span_id.into(), flags, true, state), Vec::new(), 0)]
}

fn told(value: &exchange::Value) -> Value {
    match value {
        exchange::Value::Text(Cow::Borrowed(text)) => Value::String((*text).into()),
        exchange::Value::Text(Cow::Owned(text)) => Value::String(text.clone().into()),
        exchange::Value::Int(int) => Value::I64(*int),
        exchange::Value::Float(float) => Value::F64(*float),
        exchange::Value::Bool(bool) => Value::Bool(*bool),
    }
}

/// The caller's clock started before ours, and its answer took a while to come.
const SLACK: Duration = Duration::from_millis(10);

/// What a span of gRPC has in common with one of HTTP.
const SHARED: [&str; 2] = ["server.", "network.peer."];

/// Where Rollbar has the failure: <https://rollbar.com/occurrence/uuid/?uuid=..>. Rollbar's own libraries call it so.
const OCCURRENCE: &str = "rollbar.occurrence.uuid";

/// How many annotations of the exchange there was no room for.
const DROPPED: &str = "belvedere.dropped_annotations_count";
