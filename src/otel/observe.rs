use std::{borrow::Cow, sync::Arc};

use http::{HeaderName, HeaderValue, StatusCode, request, response};
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceState},
};

use super::{
    OtelLayer, attributes,
    attributes::Attributes,
    baggage,
    client::Called,
    options::Options,
    outcome::{Outcome, Side},
    span::builder,
};
use crate::{
    exchange::{self, Annotations, Code, End, Hops, Tally, is_grpc},
    observe::{Observation, Observer},
    trace::{Identity, Other, Scope, amzn},
};

/// A server's exchange, on its way to becoming a span.
#[derive(Debug)]
pub struct ServerSpan {
    options: Arc<Options>,
    context: Context,
    annotations: Annotations,
    /// The method of a gRPC call.
    grpc: Option<String>,
    status: Option<StatusCode>,
    code: Option<Code>,
    answer: Option<(HeaderName, HeaderValue)>,
}

/// Tells a second layer that the exchange has its span, and what that one need not add.
#[derive(Clone, Copy)]
pub(super) struct Served {
    named: bool,
    routed: bool,
}

// ===== impl OtelLayer =====

impl Observer for OtelLayer {
    type Observation = ServerSpan;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<ServerSpan> {
        let options = self.options();
        if options.skips(request) {
            return None;
        }
        // A service called in the same process gets its caller's scope, and is another exchange.
        if scope.get::<Called>().is_some() {
            *scope = scope.child();
        }
        if let Some(&served) = scope.get::<Served>() {
            contribute_route(served, options, request, scope);
            return None;
        }
        Some(ServerSpan::start(options, request, scope))
    }
}

/// The outer layer may stand before the router; only here the route is known.
fn contribute_route(served: Served, options: &Options, request: &request::Parts, scope: &Scope) {
    if served.routed || is_grpc(&request.headers) {
        return;
    }
    let Some(route) = options.route(request) else { return };
    let span = scope.context().span();
    if !served.named {
        span.update_name(http_name(request, Some(&route)));
    }
    span.set_attribute(KeyValue::new(attributes::HTTP_ROUTE, route));
}

// ===== impl ServerSpan =====

impl ServerSpan {
    fn start(options: &Arc<Options>, request: &request::Parts, scope: &mut Scope) -> Self {
        let surrounding =
            scope.surrounding().or_else(|| Identity::of_span(scope.context().span().span_context()));
        let propagation = &options.propagation;
        let identity =
            scope.identify(|| propagation.identify(&request.headers, surrounding.as_ref())).clone();

        let grpc = is_grpc(&request.headers).then(|| grpc_method(request));
        let route = if grpc.is_none() { options.route(request) } else { None };
        let given = options.span_name(request);
        scope.insert(Served { named: given.is_some(), routed: route.is_some() });
        let (name, mut attributes) = match &grpc {
            Some(method) => grpc_facts(options, request, method),
            None => http_facts(options, request, route),
        };
        let name = given.unwrap_or(name);
        let links = links(identity.other(), &mut attributes);
        let builder =
            builder(name, SpanKind::Server, scope).with_attributes(attributes.finish()).with_links(links);

        let base = baggage::extract(propagation, &request.headers, scope.context());
        options.spans.start(builder, scope, &base, &identity);
        Self {
            options: options.clone(),
            context: scope.context().clone(),
            answer: scope.identity().and_then(answer),
            annotations: scope.annotations().clone(),
            grpc,
            status: None,
            code: None,
        }
    }

    fn outcome(&self, end: End<'_>) -> Outcome {
        if self.grpc.is_some() {
            return Outcome::grpc(Side::Server, self.call(end), end);
        }
        Outcome::http(Side::Server, self.status, end)
    }

    /// The code of a gRPC call, if it came to one.
    fn call(&self, end: End<'_>) -> Option<Code> {
        match end {
            End::Complete { trailers } => Some(Code::of(self.status?, self.code, trailers)),
            End::Canceled => Some(Code::CANCELLED),
            End::Panicked { .. } => Some(Code::INTERNAL),
            End::Failed { .. } => Some(Code::UNKNOWN),
        }
    }

    /// A method that is not implemented may be any text that a stranger wrote.
    fn record_call(&self, method: &str, code: Code) {
        let span = self.context.span();
        span.set_attributes(attributes::RPC_STATUS.map(|key| KeyValue::new(key, code.name())));
        if code == Code::UNIMPLEMENTED {
            span.update_name("grpc");
            span.set_attribute(KeyValue::new(attributes::RPC_METHOD, attributes::OTHER));
            span.set_attribute(KeyValue::new(attributes::RPC_METHOD_ORIGINAL, method.to_owned()));
        }
    }
}

impl Observation for ServerSpan {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        let grpc = self.grpc.is_some();
        self.code = grpc.then(|| Code::read(&response.headers)).flatten();
        if let Some((name, value)) = self.answer.take() {
            response.headers.insert(name, value);
        }
        let mut attributes = Attributes::new();
        if !grpc {
            attributes.push(attributes::HTTP_STATUS, i64::from(response.status.as_u16()));
        }
        let prefix = if grpc { "rpc.response.metadata." } else { "http.response.header." };
        attributes.headers(prefix, &self.options.response_headers, &response.headers);
        attributes.extend(self.options.response_attributes(response));
        self.context.span().set_attributes(attributes.finish());
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        let span = self.context.span();
        if let (Some(method), Some(code)) = (&self.grpc, self.call(end)) {
            self.record_call(method, code);
        }
        self.annotations.visit(|key, value| span.set_attribute(KeyValue::new(key.clone(), told(value))));
        self.outcome(end).record(&span, tally.ended());
        span.end_with_timestamp(tally.ended());
    }
}

fn http_facts(
    options: &Options,
    request: &request::Parts,
    route: Option<String>,
) -> (Cow<'static, str>, Attributes) {
    let hops = options.hops;
    let peer = options.peer(request);
    let mut attributes = Attributes::new();
    attributes.method(&request.method);
    attributes.target(request, hops, &options.query);
    attributes.server(exchange::host(&request.uri, &request.headers, hops));
    attributes.client(&request.headers, hops, peer);
    attributes.peer(peer);
    attributes.version(request.version);
    attributes.user_agent(&request.headers);
    attributes.headers("http.request.header.", &options.request_headers, &request.headers);
    let name = http_name(request, route.as_deref());
    attributes.maybe(attributes::HTTP_ROUTE, route);
    attributes.extend(options.request_attributes(request));
    (name, attributes)
}

/// `{method} {route}`, or the method alone: never the path.
fn http_name(request: &request::Parts, route: Option<&str>) -> Cow<'static, str> {
    let method = exchange::method(&request.method).unwrap_or("HTTP");
    route.map_or(Cow::Borrowed(method), |route| Cow::Owned(format!("{method} {route}")))
}

/// `package.Service/Method`, as far as a stranger may make it long.
fn grpc_method(request: &request::Parts) -> String {
    attributes::cut(request.uri.path().trim_start_matches('/'), attributes::METHOD).to_owned()
}

fn grpc_facts(options: &Options, request: &request::Parts, method: &str) -> (Cow<'static, str>, Attributes) {
    let mut attributes = Attributes::new();
    attributes.push("rpc.system.name", "grpc");
    attributes.push(attributes::RPC_METHOD, method.to_owned());
    attributes.server(exchange::host(&request.uri, &request.headers, Hops(0)));
    attributes.peer(options.peer(request));
    attributes.headers("rpc.request.metadata.", &options.request_headers, &request.headers);
    attributes.extend(options.request_attributes(request));
    (method.to_owned().into(), attributes)
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

/// What a caller that sent `X-Amzn-Trace-Id` is told.
fn answer(identity: &Identity) -> Option<(HeaderName, HeaderValue)> {
    let header = identity.amzn()?;
    Some((amzn::NAME.clone(), header.answer(identity.trace_id(), identity.sampled() == Some(true))))
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
