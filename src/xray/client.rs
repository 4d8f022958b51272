use std::{fmt, sync::Arc};

use http::{Method, StatusCode, Uri, header, request, response};
use tower_layer::Layer;

use super::{
    Http, Live, Name, Namespace, Request, Response, Status,
    cause::Said,
    missing,
    options::OfRequest,
    stem::{Part, Stem},
};
use crate::{
    Error,
    exchange::{self, Code, End, Hosts, Tally, is_grpc},
    observe::{Observation, Observe, Observer, quietly},
    scrub::Scrubber,
    trace::{Identity, Propagation, Propagator, Scope},
};

/// A layer that makes one remote subsegment of every outgoing request and writes the trace into its headers.
///
/// The subsegment is a part of the segment or subsegment that the request is made in, is named after the host that is
/// called, and ends with the response's body: read to its end, broken, or dropped. Its id is that of the client's span, and
/// the parent of the callee's segment. Where no segment is, or where it is not recorded, there is no subsegment, and the
/// headers say what was decided.
///
/// It goes onto every service that takes `http` requests, alone or with an `OtelClientLayer`, in either order:
///
/// - hyper-util's client, as it is;
/// - a tonic `Channel`, under the generated client, with [`origin`](Self::origin), since its requests have only a path;
/// - a reqwest client, by way of `belvedere::adapter` (feature `reqwest`).
///
/// ```
/// use belvedere::xray::XRayClientLayer;
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::ServiceBuilder;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
/// let client = ServiceBuilder::new().layer(XRayClientLayer::new()).service(client);
/// ```
///
/// # What is an error
///
/// As on a [server](super::XRayLayer): 4xx is an error, 429 a throttled call, 5xx a fault, a gRPC call by its
/// [code](Status::grpc). Where there was no answer, or the body broke, it is a fault with the reason. Who drops a response
/// has what it wants: that is no error.
///
/// # Retries and redirects
///
/// Under a retry, or under tower-http's `FollowRedirect`, each attempt is a subsegment of its own.
#[derive(Clone, Debug, Default)]
pub struct XRayClientLayer {
    options: Arc<ClientOptions>,
}

/// What a user has set.
#[derive(Clone)]
struct ClientOptions {
    propagation: Propagation,
    skip: Option<OfRequest<bool>>,
    name: Option<OfRequest<Name>>,
    origin: Option<Uri>,
    excluded: Hosts,
    traced: bool,
    scrubber: Scrubber,
}

/// A call on its way to becoming a subsegment.
#[derive(Debug)]
pub struct CalledSubsegment {
    options: Arc<ClientOptions>,
    stem: Arc<Stem>,
    grpc: bool,
    status: Option<StatusCode>,
    code: Option<Code>,
    response: Option<Response>,
}

/// Tells a layer further in that the call has its subsegment.
struct Called;

// ===== impl XRayClientLayer =====

impl XRayClientLayer {
    /// A layer that writes `X-Amzn-Trace-Id` and `traceparent`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which headers carry the trace. Default: `X-Amzn-Trace-Id`, and `traceparent`.
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        self.options_mut().propagation = propagation;
        self
    }

    /// Leaves requests alone: no subsegment, no header. Default: none.
    #[must_use]
    pub fn skip(mut self, skip: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.options_mut().skip = Some(Arc::new(skip));
        self
    }

    /// Names the subsegments, and with them the callee's node on the map if it sends no segments. Default: the host.
    #[must_use]
    pub fn name<N: Into<Name>>(
        mut self,
        name: impl Fn(&request::Parts) -> N + Send + Sync + 'static,
    ) -> Self {
        self.options_mut().name = Some(Arc::new(move |request| name(request).into()));
        self
    }

    /// Where requests go that have no host: those of a tonic `Channel`. Only its scheme, host and port are used. Default:
    /// none.
    #[must_use]
    pub fn origin(mut self, origin: Uri) -> Self {
        self.options_mut().origin = Some(origin);
        self
    }

    /// The hosts that are not told the trace: a request to one of them has a subsegment, and no header of a trace or of
    /// baggage, not even one that was on it already. Default: none.
    ///
    /// A host is a name (`api.partner.example`), all names under one (`*.partner.example`, which leaves out
    /// `partner.example` itself), or an address (`10.0.0.1`, `[::1]`); with a port it is that port alone.
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

    /// Whether those that are called send segments of their own, so that X-Ray waits for them. Default: no, and X-Ray joins
    /// those that come all the same.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.options_mut().traced = traced;
        self
    }

    /// What keeps secrets out of what it notes: out of URLs and the messages of errors. Default: [`Scrubber::default`], whose
    /// lists are wide. That of the [server's layer](super::XRayLayer::scrubber) counts for it as well.
    #[must_use]
    pub fn scrubber(mut self, scrubber: Scrubber) -> Self {
        self.options_mut().scrubber = scrubber;
        self
    }

    fn options_mut(&mut self) -> &mut ClientOptions {
        Arc::make_mut(&mut self.options)
    }
}

impl<S> Layer<S> for XRayClientLayer {
    type Service = Observe<S, Self>;

    fn layer(&self, inner: S) -> Observe<S, Self> {
        Observe::new(inner, self.clone())
    }
}

impl Observer for XRayClientLayer {
    type Observation = CalledSubsegment;

    fn observe(&self, request: &mut request::Parts, scope: &mut Scope) -> Option<CalledSubsegment> {
        let options = &*self.options;
        if options.skips(request) {
            return None;
        }
        if scope.get::<Called>().is_some() {
            // Each attempt of a retry is another exchange.
            *scope = scope.child();
        }
        if scope.call() {
            options.propagation.clear(&mut request.headers);
        }
        scope.insert(Called);
        let live = Live::within(scope.context());
        let stem = live.as_ref().and_then(Live::stem);
        let Some(identity) = identify(scope, stem) else {
            missing::note();
            options.hide(request);
            return None;
        };
        options.tell(&identity, stem, request);
        let stem = stem?.begin(identity.span_id(), options.name(request));
        stem.edit(|part| options.describe(request, part));
        scope.activate(Live::of(stem.clone()).context(scope.context()));
        let grpc = request.method == Method::POST && is_grpc(&request.headers);
        Some(CalledSubsegment {
            options: self.options.clone(),
            stem,
            grpc,
            status: None,
            code: None,
            response: None,
        })
    }
}

/// Who the call is: as another layer has decided it, else a part of what is active here. Nobody, outside of a trace.
///
/// A second call with the ids of the first one is a retry between that layer and this one: it gets ids of its own.
fn identify(scope: &mut Scope, stem: Option<&Arc<Stem>>) -> Option<Identity> {
    if let Some(identity) = scope.identity().cloned() {
        if !stem.is_some_and(|stem| stem.calls(identity.span_id())) {
            return Some(identity);
        }
        *scope = scope.child();
        scope.call();
        scope.insert(Called);
    }
    let identity = scope.surrounding()?.child();
    Some(scope.identify(|| identity).clone())
}

// ===== impl ClientOptions =====

impl ClientOptions {
    fn skips(&self, request: &request::Parts) -> bool {
        self.skip.as_ref().is_some_and(|skip| skip(request))
    }

    fn name(&self, request: &request::Parts) -> Name {
        if let Some(name) = &self.name {
            return name(request);
        }
        let (_, host) = exchange::target(request, self.origin.as_ref());
        host.map_or_else(|| REMOTE.into(), |host| host.name.to_ascii_lowercase().into())
    }

    /// Writes the trace into the request's headers, or keeps it from who is not to know it.
    fn tell(&self, identity: &Identity, stem: Option<&Arc<Stem>>, request: &mut request::Parts) {
        if self.hide(request) {
            return;
        }
        self.propagation.inject(identity, &mut request.headers);
        // The active span may be of another trace than the segment.
        let apart = stem.filter(|stem| stem.trace_id() != identity.trace_id());
        if let Some(stem) = apart.filter(|_| self.propagation.has(Propagator::XRay)) {
            stem.header(identity.span_id()).inject(&mut request.headers);
        }
    }

    /// Removes all of a trace from the headers if the host is not to know it, and says whether that is so.
    fn hide(&self, request: &mut request::Parts) -> bool {
        let hidden = self.excludes(request);
        if hidden {
            Propagation::remove(&mut request.headers);
        }
        hidden
    }

    fn excludes(&self, request: &request::Parts) -> bool {
        if self.excluded.is_empty() {
            return false;
        }
        let (scheme, host) = exchange::target(request, self.origin.as_ref());
        host.is_some_and(|host| self.excluded.have(scheme, host))
    }

    fn describe(&self, request: &request::Parts, part: &mut Part) {
        let Part::Subsegment(subsegment) = part else { return };
        let (scheme, host) = exchange::target(request, self.origin.as_ref());
        let path = self.scrubber.url(request.uri.path());
        let url = host.map(|host| format!("{scheme}://{host}{path}"));
        let asked = Request::new(&request.method, url.unwrap_or_else(|| path.into_owned()));
        subsegment.entity.http = Some(Http { request: Some(asked), ..Http::default() });
        subsegment.namespace = Some(Namespace::Remote);
        subsegment.traced = self.traced;
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            propagation: Propagation::new([Propagator::XRay, Propagator::TraceContext]),
            skip: None,
            name: None,
            origin: None,
            excluded: Hosts::default(),
            traced: false,
            scrubber: Scrubber::default(),
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { propagation, origin, excluded, traced, .. } = self;
        f.debug_struct("ClientOptions")
            .field("propagation", propagation)
            .field("origin", &origin.as_ref().and_then(Uri::host))
            .field("excluded", excluded)
            .field("traced", traced)
            .finish_non_exhaustive()
    }
}

// ===== impl CalledSubsegment =====

impl CalledSubsegment {
    fn said(&self) -> Said<'_> {
        Said::scrubbed(&self.options.scrubber)
    }

    fn status(&self, end: End<'_>) -> Status {
        let code = match (self.grpc, end) {
            (true, End::Complete { trailers }) => {
                self.status.map(|status| Code::of(status, self.code, trailers))
            }
            (true, End::Failed { error }) => Some(Code::unanswered(error)),
            _ => None,
        };
        let answered = match code {
            Some(code) => Status::grpc(code),
            None => self.status.map_or(Status::OK, Status::http),
        };
        // Who drops a response has what it wants.
        if matches!(end, End::Canceled) { answered } else { answered | Status::end(end) }
    }
}

impl Observation for CalledSubsegment {
    fn on_response(&mut self, response: &mut response::Parts) {
        self.status = Some(response.status);
        self.code = self.grpc.then(|| Code::read(&response.headers)).flatten();
        let mut answered = Response::new(response.status);
        let length = response.headers.get(header::CONTENT_LENGTH);
        answered.content_length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        self.response = Some(answered);
    }

    fn on_end(mut self, end: End<'_>, tally: &Tally) {
        let end = if self.grpc { end.of_call(self.status, self.code) } else { end };
        let (status, response) = (self.status(end), self.response.take());
        match end {
            // What an error says is the user's code; should it panic, the subsegment is sent without it.
            End::Failed { error } => drop(quietly(|| self.stem.fault(self.said().failure(error)))),
            End::Panicked { message } => self.stem.fault(self.said().panic(message)),
            _ => {}
        }
        self.stem.end(|part| {
            let entity = part.entity_mut();
            entity.status |= status;
            if let (Some(http), Some(mut response)) = (&mut entity.http, response) {
                response.content_length.get_or_insert(tally.bytes);
                http.response = Some(response);
            }
        });
    }
}

/// The name of who is called where nothing says it.
const REMOTE: &str = "remote";
