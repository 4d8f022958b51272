use std::{borrow::Cow, sync::Arc};

use http::{Method, StatusCode, request, response};
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, TraceContextExt as _},
};
use tower_layer::Layer;

use super::{
    attributes::{self, Attributes, METHOD, cut, default_port},
    baggage,
    hosts::Hosts,
    observe::Served,
    options::Options,
    outcome::{Outcome, Side},
    span::builder,
};
use crate::{
    Error,
    exchange::{self, Code, End, Hops, Host, Tally, is_grpc},
    observe::{Observation, Observe, Observer},
    trace::{Identity, Propagation, Scope},
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

/// Tells a server in the same process that the scope is a caller's.
#[derive(Clone, Copy)]
pub(super) struct Called;

/// A client's exchange, on its way to becoming a span.
#[derive(Debug)]
pub struct ClientSpan {
    options: Arc<Options>,
    context: Context,
    grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
}

// ===== impl OtelClientLayer =====

impl OtelClientLayer {
    /// A layer with the global tracer provider, as it is when the first request is made.
    pub fn new() -> Self {
        Self::default()
    }

    super::setters::shared_setters!();

    /// The hosts that are not told the trace: a request to one of them has a span, and no header of a trace or of baggage,
    /// not even one that was on it already. Default: none.
    ///
    /// A host is a name (`api.partner.example`), all names under one (`*.partner.example`, which leaves out
    /// `partner.example` itself), or an address (`10.0.0.1`, `[::1]`); with a port it is that port alone. A request that
    /// does not say its host, as those of tonic to its channel, goes to none of them.
    ///
    /// ```
    /// use belvedere::otel::OtelClientLayer;
    ///
    /// let layer = OtelClientLayer::new().excluded_hosts(["api.partner.example", "*.ads.example:443"])?;
    /// # Ok::<_, belvedere::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When one is no host.
    pub fn excluded_hosts<H: AsRef<str>>(
        mut self,
        hosts: impl IntoIterator<Item = H>,
    ) -> Result<Self, Error> {
        self.options_mut().excluded = Hosts::new(hosts)?;
        Ok(self)
    }
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
        if scope.get::<Served>().is_some() || scope.get::<Called>().is_some() {
            *scope = scope.child();
        }
        scope.insert(Called);
        Some(ClientSpan::start(&self.options, request, scope))
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
        let (name, attributes) =
            if grpc { grpc_facts(options, request) } else { http_facts(options, request) };
        let name = options.span_name(request).unwrap_or(name);
        let builder = builder(name, SpanKind::Client, scope).with_attributes(attributes.finish());

        let base = scope.context().clone();
        options.spans.start(builder, scope, &base, &identity, decided);
        let identity = scope.identity().unwrap_or(&identity);
        if options.excluded.have(request) {
            Propagation::remove(&mut request.headers);
        } else {
            options.propagation.inject(identity, &mut request.headers);
            baggage::inject(&options.propagation, scope.context(), &mut request.headers);
        }
        let context = scope.context().clone();
        Self { options: options.clone(), context, grpc, status: None, code: None }
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
            attributes.extend(self.options.old_names(Side::Client, attributes.as_slice()));
        }
        attributes.extend(self.options.response_attributes(response));
        self.context.span().set_attributes(attributes.finish());
    }

    fn on_end(self, end: End<'_>, tally: &Tally) {
        let outcome = if self.grpc {
            Outcome::grpc(Side::Client, self.record_call(end), end)
        } else {
            Outcome::http(Side::Client, self.status, end)
        };
        let span = self.context.span();
        outcome.record(&span, tally.ended());
        span.end_with_timestamp(tally.ended());
    }
}

fn http_facts(options: &Options, request: &request::Parts) -> (Cow<'static, str>, Attributes) {
    let host = exchange::host(&request.uri, &request.headers, Hops::NONE);
    let mut attributes = Attributes::new();
    attributes.method(&request.method);
    attributes.full(&request.uri, host, &options.query);
    attributes.server(host.map(|host| with_port(host, request)));
    if options.old_http_names {
        // The conventions leave it to a wish today, and did not then.
        attributes.user_agent(&request.headers);
    }
    attributes.extend(options.old_names(Side::Client, attributes.as_slice()));
    attributes.extend(options.request_attributes(request));
    (exchange::method(&request.method).unwrap_or("HTTP").into(), attributes)
}

fn grpc_facts(options: &Options, request: &request::Parts) -> (Cow<'static, str>, Attributes) {
    let method = cut(request.uri.path().trim_start_matches('/'), METHOD).to_owned();
    let host = exchange::host(&request.uri, &request.headers, Hops::NONE);
    let mut attributes = Attributes::new();
    attributes.push("rpc.system.name", "grpc");
    attributes.push(attributes::RPC_METHOD, method.clone());
    attributes.server(host.map(|host| with_port(host, request)));
    attributes.extend(options.request_attributes(request));
    (method.into(), attributes)
}

/// The conventions require a port on this side.
fn with_port<'a>(host: Host<'a>, request: &request::Parts) -> Host<'a> {
    Host { port: host.port.or_else(|| Some(default_port(&request.uri))), ..host }
}
