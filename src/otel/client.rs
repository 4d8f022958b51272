use std::{
    borrow::Cow,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{Extensions, HeaderMap, Method, StatusCode, Uri, header, request, response};
use hyper_util::client::legacy::connect::HttpInfo;
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanKind, TraceContextExt as _},
};
use tower_layer::Layer;

use super::{
    attributes::{self, Attributes, GRPC, METHOD, cut, known_or_other},
    baggage,
    exception::Kind,
    measure::{Ended, Measure},
    options::Options,
    outcome::{Outcome, Side},
    span::builder,
    told::Told as _,
};
use crate::{
    Error,
    exchange::{self, AddressPolicy, Code, End, Host, Hosts, Resends, Tally, default_port, is_grpc},
    observe::{Observation, Observe, Observer},
    trace::{Identity, Propagation, Scope},
};

/// A layer that makes one `CLIENT` span of every outgoing request and writes the trace into its headers.
///
/// The span is a child of whatever is active where the request is made.
///
/// # Which clients
///
/// Every service that takes `http` requests:
///
/// - hyper-util's client, as it is;
/// - a tonic `Channel`, under the generated client, with [`origin`](Self::origin), since its requests have only a path;
/// - a reqwest client, by way of `belvedere::adapter` (feature `reqwest`).
///
/// ```
/// use belvedere::otel::OtelClientLayer;
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// # fn main() -> Result<(), http::uri::InvalidUri> {
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
/// let client = ServiceBuilder::new().layer(OtelClientLayer::new()).service(client);
///
/// # async fn channel() -> Result<(), http::uri::InvalidUri> {
/// let channel = tonic::transport::Channel::from_static("https://greeter.example").connect_lazy();
/// let layer = OtelClientLayer::new().origin("https://greeter.example".parse()?);
/// let channel = ServiceBuilder::new().layer(layer).service(channel);
/// let greeter = tonic::client::Grpc::new(channel); // GreeterClient::new(channel)
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
///
/// # When the span ends
///
/// With the response's body: read to its end, broken, or dropped. Dropping it, or the future before there is a response,
/// is no error, since it is the caller's own wish; a gRPC call is `CANCELLED` then, its span's status unset, unless the
/// response's head has already said how it went. A time limit further out, such as tower's `Timeout`, drops the future; to
/// have it counted as an error, place it further in.
/// A body that is kept without being read keeps the span open.
///
/// # What is an error
///
/// A status from 400 on, and every gRPC code but `OK`. Where there was no answer, `error.type` is what of the network
/// [failed](crate::exchange::Fault): `connection_refused`, `timeout`; else the type of the error. A gRPC call is
/// `DEADLINE_EXCEEDED` when its time was over, `UNAVAILABLE` when the network failed in another way, what gRPC takes a reset
/// of HTTP/2 for, else `UNKNOWN`.
///
/// The exception's message has all causes where the error is [known](crate::exchange::Failure) to have some; tonic's is
/// not, until it is boxed: `channel.map_err(BoxError::from)`.
///
/// # Retries and redirects
///
/// Under a retry, or under tower-http's `FollowRedirect`, each attempt is a request and has a span of its own.
/// [`ResendCountLayer`](super::ResendCountLayer) outside of it numbers them. What a client does inside of itself, as
/// reqwest does with redirects, is one span.
#[derive(Clone, Debug, Default)]
pub struct OtelClientLayer {
    options: Arc<Options>,
}

/// Tells a layer further in whether the call is measured and how often it was sent from here.
struct Called {
    measured: bool,
    sent: AtomicU32,
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

    /// Where requests go that have no host, for `server.address`, `server.port` and `url.full`: those of a tonic
    /// `Channel`. Only its scheme, host and port are used. Default: none.
    #[must_use]
    pub fn origin(mut self, origin: Uri) -> Self {
        self.options_mut().origin = Some(origin);
        self
    }

    /// The hosts that are not told the trace: a request to one of them has a span, and no header of a trace or of baggage,
    /// not even one that was on it already. Default: none.
    ///
    /// A host is a name (`api.partner.example`), all names under one (`*.partner.example`, which leaves out
    /// `partner.example` itself), or an address (`10.0.0.1`, `[::1]`); with a port it is that port alone. A request that
    /// does not say its host, as those of tonic to its channel, goes to the [`origin`](Self::origin), or else to none of
    /// them.
    ///
    /// What a client does inside of itself, nobody sees: a redirect that reqwest follows takes the headers along, to an
    /// excluded host, too. Let it follow none, and put tower-http's `FollowRedirect` outside of this layer: then each hop is
    /// a request.
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
        let called = scope.get::<Called>();
        let outer = called.is_some_and(|called| called.measured);
        let resends = resends(&mut request.extensions, called);
        if called.is_some() {
            // Each attempt of a retry is another exchange.
            *scope = scope.child();
        }
        if scope.call() {
            self.options.propagation.clear(&mut request.headers);
        }
        let measured = outer || self.options.instruments.is_some();
        scope.insert(Called { measured, sent: AtomicU32::new(0) });
        let mut span = ClientSpan::start(&self.options, request, scope, resends);
        span.measure = if outer { None } else { measure(&self.options, request, &span.context) };
        Some(span)
    }
}

// ===== impl ClientSpan =====

impl ClientSpan {
    fn start(options: &Arc<Options>, request: &mut request::Parts, scope: &mut Scope, resends: u32) -> Self {
        let surrounding = scope.surrounding().cloned();
        let decided = scope.identity().is_some();
        let begin = || surrounding.as_ref().map_or_else(Identity::root, Identity::child);
        let identity = scope.identify(begin).clone();

        let grpc = request.method == Method::POST && is_grpc(&request.headers);
        let method = grpc.then(|| options.rooms.called(rpc_method(request))).flatten();
        let (name, attributes) = if grpc {
            grpc_facts(options, request, method.clone())
        } else {
            http_facts(options, request, resends)
        };
        let name = options.span_name(request).unwrap_or(name);
        let builder = builder(name, SpanKind::Client, scope).with_attributes(attributes.finish());

        let base = scope.context().clone();
        options.spans.start(builder, scope, &base, &identity, decided);
        let identity = scope.identity().unwrap_or(&identity);
        if excluded(options, request) {
            Propagation::remove(&mut request.headers);
        } else {
            options.propagation.inject(identity, &mut request.headers);
            baggage::inject(&options.propagation, scope.context(), &mut request.headers);
        }
        let context = scope.context().clone();
        Self { options: options.clone(), context, grpc, status: None, code: None, method, measure: None }
    }

    fn record_call(&self, end: End<'_>) -> Option<Code> {
        let code = match end {
            End::Complete { trailers } => Some(Code::of(self.status?, self.code, trailers)),
            End::Canceled => Some(Code::CANCELLED),
            End::Failed { error } => Some(Code::unanswered(error)),
            End::Panicked { .. } => Some(Code::UNKNOWN),
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
        attributes.peer(response.extensions.get().map(HttpInfo::remote_addr), AddressPolicy::Full);
        if !self.grpc {
            attributes.extend(self.options.old_names(Side::Client, attributes.as_slice()));
        }
        attributes.extend(self.options.response_attributes(response));
        self.context.span().set_attributes(attributes.finish());
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let measure = self.measure.take();
        let end = if self.grpc { end.of_call(self.status, self.code) } else { end };
        let code = if self.grpc { self.record_call(end) } else { None };
        let outcome = if self.grpc {
            Outcome::grpc(Side::Client, code, end, &self.options.scrubber)
        } else {
            Outcome::http(Side::Client, self.status, end, &self.options.scrubber)
        };
        let ended = Ended { end, tally, error: measure.as_ref().and_then(|_| outcome.error_type()) };
        let span = self.context.span();
        let kind = Kind { side: Side::Client, grpc: self.grpc };
        outcome.record(&span, tally.ended(), &self.options.exceptions, kind);
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
    let (scheme, host) = target(options, request);
    let server = options.rooms.server(host.map(|host| with_port(host, scheme)));
    Some(Box::new(Measure::client(instruments, context, method, server, &request.headers)))
}

fn http_facts(options: &Options, request: &request::Parts, resends: u32) -> (Cow<'static, str>, Attributes) {
    let (scheme, host) = target(options, request);
    let mut attributes = Attributes::new();
    attributes.method(&request.method, options);
    attributes.full(&request.uri, scheme, host, options);
    attributes.server(host.map(|host| with_port(host, scheme)));
    attributes.maybe(RESEND_COUNT, (resends > 0).then(|| i64::from(resends)));
    if options.old_http_names {
        // The conventions leave it to a wish today, and did not then.
        attributes.user_agent(user_agent(&request.headers), &options.scrubber);
    }
    attributes.extend(options.old_names(Side::Client, attributes.as_slice()));
    attributes.extend(options.request_attributes(request));
    (options.methods.name(&request.method).unwrap_or(Cow::Borrowed("HTTP")), attributes)
}

fn grpc_facts(
    options: &Options,
    request: &request::Parts,
    method: Option<Arc<str>>,
) -> (Cow<'static, str>, Attributes) {
    let name = method.as_ref().map_or(Cow::Borrowed(GRPC), |method| Cow::Owned(method.to_string()));
    let (scheme, host) = target(options, request);
    let mut attributes = Attributes::new();
    attributes.push(attributes::RPC_SYSTEM, GRPC);
    if method.is_none() {
        let method = options.scrubber.text(rpc_method(request)).into_owned();
        attributes.push(attributes::RPC_METHOD_ORIGINAL, method);
    }
    attributes.push(attributes::RPC_METHOD, known_or_other(method));
    attributes.server(host.map(|host| with_port(host, scheme)));
    attributes.extend(options.request_attributes(request));
    (name, attributes)
}

fn user_agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).filter(|value| !value.is_sensitive())?.to_str().ok()
}

fn rpc_method(request: &request::Parts) -> &str {
    cut(request.uri.path().trim_start_matches('/'), METHOD)
}

/// Whether the request goes to a host that is not told the trace.
fn excluded(options: &Options, request: &request::Parts) -> bool {
    if options.excluded.is_empty() {
        return false;
    }
    let (scheme, host) = target(options, request);
    host.is_some_and(|host| options.excluded.have(scheme, host))
}

/// The scheme and the host that a request goes to.
fn target<'a>(options: &'a Options, request: &'a request::Parts) -> (&'a str, Option<Host<'a>>) {
    exchange::target(request, options.origin.as_ref())
}

/// The conventions require a port on this side.
fn with_port<'a>(host: Host<'a>, scheme: &str) -> Host<'a> {
    Host { port: host.port.or_else(|| Some(default_port(scheme))), ..host }
}

/// How often the request was sent before: by its own count, or else by that of the layer further out.
fn resends(extensions: &mut Extensions, called: Option<&Called>) -> u32 {
    match extensions.get_mut::<Resends>() {
        // Attempts further in, if this layer is around a retry, count for themselves.
        Some(resends) => mem::take(resends).send(),
        None => called.map_or(0, |called| called.sent.fetch_add(1, Ordering::Relaxed)),
    }
}

const RESEND_COUNT: &str = "http.request.resend_count";
