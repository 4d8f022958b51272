//! All four layers together, in each order and in one pass, on axum, hyper and tonic, over real sockets: each request has one
//! trace id in its span, its segment, its item and its line, and one of each.
#![cfg(feature = "full")]

#[path = "support/aws.rs"]
mod aws;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/lines.rs"]
mod lines;
#[path = "support/log.rs"]
mod log;
#[path = "support/rollbar.rs"]
mod rollbar;
mod support;

use std::{collections::HashMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use axum::{Router, routing::any};
use belvedere::{
    BelvedereLayer, Setup,
    aws::{Client, Region, Service as AwsService},
    cloudwatch::{self, CloudWatchLayer, LogLane},
    exchange::{AddressPolicy, Annotations, HandlerError},
    otel::{Ids, OtelLayer, Otlp, SpanLane},
    outbox::{Outbox, Report},
    rollbar::{Api, ItemLane, RollbarLayer},
    scrub::Scrubber,
    trace::{OccurrenceId, Propagation, Propagator},
    xray::{self, Sampler, SegmentLane, XRayLayer},
};
use bytes::Bytes;
use daemon::Daemon;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use lines::Lines;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rollbar::Rollbar;
use serde_json::Value;
use support::{
    Script, Server,
    client::ask1,
    greeter::GreeterClient,
    sink::{Sink, text},
};
use tonic::{body::Body as TonicBody, service::Routes};
use tower::{
    BoxError, Layer, Service, ServiceExt as _, service_fn,
    util::{BoxCloneSyncService, MapRequest},
};

/// What stands in for the four backends.
struct Doubles {
    sink: Sink,
    daemon: Daemon,
    rollbar: Rollbar,
    lines: Lines,
}

/// Whose layer it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Backend {
    Otel,
    XRay,
    Rollbar,
    CloudWatch,
}

/// How the layers are put onto a service.
#[derive(Clone)]
enum Form {
    /// The first is the outermost.
    Stacked(Arc<Layers>, [Backend; 4]),
    OnePass(BelvedereLayer),
}

struct Layers {
    otel: OtelLayer,
    xray: XRayLayer,
    rollbar: RollbarLayer,
    cloudwatch: CloudWatchLayer,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Axum,
    Hyper,
    Tonic,
}

/// How a request goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Case {
    Good,
    /// The client leaves, and nothing has failed.
    Away,
    /// The handler leaves its error in the response.
    Left,
    Panicked,
    /// The body breaks.
    Torn,
    /// A bad status, and nothing more.
    Broken,
    /// The client leaves in the middle of a response that has failed.
    Gone,
}

/// The headers of a trace that a request comes with.
#[derive(Clone, Copy, Debug)]
struct Incoming {
    name: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// The trace that it belongs to, and the caller's part in it; none is a new one.
    expected: Option<(&'static str, &'static str)>,
}

/// What the backends got, each by whose request it was.
struct Seen {
    spans: HashMap<String, Vec<Span>>,
    segments: HashMap<String, Vec<Value>>,
    items: HashMap<String, Vec<Value>>,
    lines: HashMap<String, Vec<Value>>,
}

/// A service without its type.
type Erased<A> = BoxCloneSyncService<Request<A>, Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

// ===== impl Doubles =====

impl Doubles {
    async fn start() -> Self {
        let (sink, rollbar) = (Sink::start(), Rollbar::content());
        Self { sink, daemon: Daemon::large().await, rollbar, lines: Lines::start().await }
    }

    /// The four layers by hand, with their way here.
    fn layers(&self, outbox: &Outbox, propagation: Option<Propagation>) -> Layers {
        let otlp = Otlp::new(format!("{}/v1/traces", self.sink.base()).parse().unwrap());
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids)
            .with_span_processor(SpanLane::otlp(outbox, otlp).unwrap())
            .build();
        let daemon = xray::Daemon::new(self.daemon.address.to_string().parse().unwrap());
        let segments = SegmentLane::daemon(outbox, daemon.pace(20, 1_000));
        let token = "a-token".parse().unwrap();
        let api = Api::new(token).endpoint(self.rollbar.url().parse().unwrap());
        let items = ItemLane::limited(outbox, api, None, None).unwrap();
        let keys = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let client = Client::builder(AwsService::LOGS, "eu-west-1".parse::<Region>().unwrap(), keys);
        let client = client.endpoint(self.lines.url().parse().unwrap()).build().unwrap();
        let lines = LogLane::new(outbox, cloudwatch::Api::new(client, "/shop".parse().unwrap()));
        let (otel, xray) = (OtelLayer::new(), XRayLayer::on("shop", segments).sample(Sampler::all()));
        let (rollbar, cloudwatch) = (RollbarLayer::on(items), CloudWatchLayer::on(lines));
        let otel = otel.tracer_provider(&provider);
        match propagation {
            None => Layers { otel, xray, rollbar, cloudwatch },
            Some(propagation) => Layers {
                otel: otel.propagation(propagation.clone()),
                xray: xray.propagation(propagation.clone()),
                rollbar: rollbar.propagation(propagation.clone()),
                cloudwatch: cloudwatch.propagation(propagation),
            },
        }
    }

    /// The same by the environment.
    fn setup(&self) -> Setup {
        let variables = HashMap::from([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.sink.base()),
            ("OTEL_METRICS_EXPORTER", "none".to_owned()),
            ("AWS_XRAY_DAEMON_ADDRESS", self.daemon.address.to_string()),
            ("ROLLBAR_ACCESS_TOKEN", "a-token".to_owned()),
            ("ROLLBAR_ENDPOINT", self.rollbar.url()),
            ("CLOUDWATCH_LOG_GROUP", "/shop".to_owned()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", self.lines.url()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ]);
        Setup::lookup(move |name| variables.get(name).cloned()).global(false).xray_pace(20, 1_000)
    }

    /// All that came of so many requests, of which so many have failed, after everything was sent.
    async fn seen(&self, requests: usize, failed: usize, report: Report) -> Seen {
        assert_eq!((report.lost(), report.lanes.len()), (0, 4), "{report}");
        self.daemon.arrived(requests).await;
        let attribute = |span: &Span| {
            let pair = span.attributes.iter().find(|pair| pair.key == "user_id");
            pair.map(|pair| text(pair.value.clone().unwrap().value)).unwrap_or_default()
        };
        let documents = self.daemon.documents();
        let documents = documents.iter().map(|document| serde_json::from_str::<Value>(document).unwrap());
        let segments = documents.filter(|document| document.get("in_progress").is_none());
        let seen = Seen {
            spans: by(self.sink.spans(), attribute),
            segments: by(segments, |segment| said(&segment["annotations"]["user_id"])),
            items: by(self.rollbar.items(), |item| said(&item["person"]["id"])),
            lines: by(self.lines.json(), |line| said(&line["annotations"]["user_id"])),
        };
        assert_eq!(seen.counts(), [requests, requests, failed, requests]);
        seen
    }
}

// ===== impl Form =====

impl Form {
    fn onto<A: Send + 'static>(&self, service: Erased<A>) -> Erased<A> {
        match self {
            Self::OnePass(layer) => erase(layer.layer(service)),
            Self::Stacked(layers, order) => {
                order.iter().rev().fold(service, |service, backend| match backend {
                    Backend::Otel => erase(layers.otel.layer(service)),
                    Backend::XRay => erase(layers.xray.layer(service)),
                    Backend::Rollbar => erase(layers.rollbar.layer(service)),
                    Backend::CloudWatch => erase(layers.cloudwatch.layer(service)),
                })
            }
        }
    }

    fn onto_router(&self, router: Router) -> Router {
        match self {
            Self::OnePass(layer) => router.layer(layer.clone()),
            Self::Stacked(layers, order) => {
                order.iter().rev().fold(router, |router, backend| match backend {
                    Backend::Otel => router.layer(layers.otel.clone()),
                    Backend::XRay => router.layer(layers.xray.clone()),
                    Backend::Rollbar => router.layer(layers.rollbar.clone()),
                    Backend::CloudWatch => router.layer(layers.cloudwatch.clone()),
                })
            }
        }
    }
}

/// Around a greeter that says whose call it was, and why it failed.
impl Layer<Routes> for Form {
    type Service = Erased<TonicBody>;

    fn layer(&self, routes: Routes) -> Erased<TonicBody> {
        let routes = erase(routes);
        self.onto(erase(service_fn(move |request: Request<TonicBody>| {
            let leaves = annotate(&request).contains(&format!("{:?}", Case::Left));
            let call = routes.clone().oneshot(request);
            async move {
                let mut response = call.await?;
                if leaves {
                    response.extensions_mut().insert(HandlerError::new("out of stock"));
                }
                Ok::<_, BoxError>(response)
            }
        })))
    }
}

fn erase<A, S, B>(service: S) -> Erased<A>
where
    A: Send + 'static,
    S: Service<Request<A>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let body = |body: B| UnsyncBoxBody::new(body.map_err(Into::into));
    let service = service.map_response(move |response: Response<B>| response.map(body));
    BoxCloneSyncService::new(service.map_err(Into::into))
}

// ===== impl Kind =====

impl Kind {
    const ALL: [Self; 3] = [Self::Axum, Self::Hyper, Self::Tonic];

    async fn open(self, form: &Form) -> Server {
        match self {
            Self::Axum => {
                let handler = async |request: axum::extract::Request| {
                    let Ok(response) = shop(request).await;
                    response.map(axum::body::Body::new)
                };
                Server::axum(form.onto_router(Router::new().route("/{case}", any(handler)))).await
            }
            Self::Hyper => Server::hyper1(form.onto(erase(service_fn(shop)))).await,
            Self::Tonic => Server::tonic(form.clone()).await,
        }
    }

    /// A call of gRPC has no status to fail with before its end.
    fn cases(self) -> &'static [Case] {
        if self == Self::Tonic { &Case::ALL[..6] } else { &Case::ALL }
    }

    async fn ask(self, address: SocketAddr, case: Case, incoming: Incoming) {
        let who = self.who(case, incoming);
        let headers = [&[("x-who", &*who)], incoming.headers].concat();
        if self == Self::Tonic {
            return call(address, case, &headers).await;
        }
        let until = matches!(case, Case::Away | Case::Gone).then_some("hello");
        ask1(address, &format!("/{case:?}"), &headers, until).await;
    }

    /// The name of whoever makes this request.
    fn who(self, case: Case, incoming: Incoming) -> String {
        format!("{self:?} {case:?} {}", incoming.name)
    }
}

// ===== impl Case =====

impl Case {
    const ALL: [Self; 7] =
        [Self::Good, Self::Away, Self::Left, Self::Panicked, Self::Torn, Self::Broken, Self::Gone];

    fn fails(self) -> bool {
        !matches!(self, Self::Good | Self::Away)
    }
}

/// Says who asks, and gives the name.
fn annotate<A>(request: &Request<A>) -> String {
    let who = request.headers()["x-who"].to_str().unwrap().to_owned();
    Annotations::current().insert("user_id", who.clone());
    who
}

/// Answers by the request's path.
async fn shop<A>(request: Request<A>) -> Result<Response<Script>, Infallible> {
    annotate(&request);
    let case = request.uri().path().trim_start_matches('/');
    let case = Case::ALL.into_iter().find(|one| format!("{one:?}") == case).unwrap();
    let hello = || Script::new().data("hello");
    let mut response = Response::new(match case {
        Case::Good | Case::Left | Case::Broken => hello().last().exact(5),
        Case::Away | Case::Gone => hello().hang(),
        Case::Panicked => panic!("the till is on fire"),
        Case::Torn => hello().fail("the disk is gone"),
    });
    match case {
        Case::Broken => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
        Case::Left | Case::Gone => {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response.extensions_mut().insert(HandlerError::new("out of stock"));
        }
        _ => {}
    }
    Ok(response)
}

/// Calls a greeter, and does not mind how that ends.
async fn call(address: SocketAddr, case: Case, headers: &[(&str, &str)]) {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    let headers: Vec<_> = headers.iter().map(pair).collect();
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let channel = MapRequest::new(channel.connect_lazy(), move |mut request: Request<TonicBody>| {
        request.headers_mut().extend(headers.clone());
        request
    });
    let mut client = GreeterClient::new(channel, address);
    match case {
        Case::Good => drop(client.hello("worf").await.unwrap()),
        Case::Left | Case::Broken => drop(client.hello("broken").await.unwrap_err()),
        Case::Panicked => drop(client.hello("panic").await.unwrap_err()),
        Case::Away => drop(client.hellos("forever").await.unwrap().message().await.unwrap()),
        Case::Torn => {
            let mut greetings = client.hellos("torn").await.unwrap();
            while greetings.message().await.is_ok_and(|greeting| greeting.is_some()) {}
        }
        Case::Gone => unreachable!("no call of gRPC goes so"),
    }
}

// ===== impl Seen =====

impl Seen {
    fn counts(&self) -> [usize; 4] {
        let Self { spans, segments, items, lines } = self;
        let count = |values: &HashMap<String, Vec<Value>>| values.values().map(Vec::len).sum();
        [spans.values().map(Vec::len).sum(), count(segments), count(items), count(lines)]
    }

    /// One of each, with the same ids, and an item only where something has failed.
    #[track_caller]
    fn check(&self, who: &str, fails: bool, expected: Option<(&str, &str)>) {
        let (line, span, segment) =
            (only(&self.lines, who), only(&self.spans, who), only(&self.segments, who));
        let (trace_id, span_id) = (said(&line["trace_id"]), said(&line["span_id"]));
        let amzn = format!("1-{}-{}", &trace_id[..8], &trace_id[8..]);
        assert_eq!(line["xray_trace_id"], amzn, "{who}");
        assert_eq!((hex(&span.trace_id), hex(&span.span_id)), (trace_id.clone(), span_id.clone()), "{who}");
        assert_eq!(
            (said(&segment["trace_id"]), said(&segment["id"])),
            (amzn.clone(), span_id.clone()),
            "{who}"
        );
        assert_eq!(segment["user"], who);
        if let Some((expected, parent)) = expected {
            assert_eq!(trace_id, expected, "{who}");
            assert_eq!(
                (hex(&span.parent_span_id), said(&segment["parent_id"])),
                (parent.into(), parent.into())
            );
        }
        if !fails {
            assert!(!self.items.contains_key(who), "{who}: {:#?}", self.items[who]);
            return;
        }
        let item = only(&self.items, who);
        let custom = ["trace_id", "span_id", "xray_trace_id"].map(|name| said(&item["custom"][name]));
        assert_eq!(custom, [trace_id.clone(), span_id.clone(), amzn], "{who}");
        let uuid = OccurrenceId::of(trace_id.parse().unwrap(), span_id.parse().unwrap(), 0);
        assert_eq!(
            (&item["uuid"], &line["rollbar_uuid"]),
            (&uuid.to_string().into(), &item["uuid"]),
            "{who}"
        );
    }
}

fn by<T>(all: impl IntoIterator<Item = T>, who: impl Fn(&T) -> String) -> HashMap<String, Vec<T>> {
    let mut groups: HashMap<_, Vec<T>> = HashMap::new();
    all.into_iter().for_each(|one| groups.entry(who(&one)).or_default().push(one));
    groups
}

#[track_caller]
fn only<'a, T: std::fmt::Debug>(all: &'a HashMap<String, Vec<T>>, who: &str) -> &'a T {
    let of_who = all.get(who).map(Vec::as_slice).unwrap_or_default();
    assert_eq!(of_who.len(), 1, "{who}: {of_who:#?}");
    &of_who[0]
}

fn said(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All requests of a server, to the end of each: how many there were, and how many have failed.
async fn serve(kind: Kind, form: &Form, lines: &Lines, flush: impl AsyncFn() -> bool) -> (usize, usize) {
    let server = kind.open(form).await;
    let before = lines.all().len();
    for case in kind.cases() {
        for incoming in INCOMING {
            kind.ask(server.address, *case, incoming).await;
        }
    }
    let requests = kind.cases().len() * INCOMING.len();
    // A server notices in its own time that a client has left.
    for _ in 0..1_000 {
        assert!(flush().await);
        if lines.all().len() >= before + requests {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let failing = kind.cases().iter().filter(|case| case.fails()).count();
    (requests, failing * INCOMING.len())
}

fn check(seen: &Seen, kind: Kind) {
    for case in kind.cases() {
        for incoming in INCOMING {
            seen.check(&kind.who(*case, incoming), case.fails(), incoming.expected);
        }
    }
}

/// The six orders with this layer outermost.
fn orders(first: Backend) -> [[Backend; 4]; 6] {
    let order = |rest: [usize; 3]| {
        let inner: Vec<_> = Backend::ALL.into_iter().filter(|backend| *backend != first).collect();
        [first, inner[rest[0]], inner[rest[1]], inner[rest[2]]]
    };
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].map(order)
}

async fn outermost(first: Backend) {
    for order in orders(first) {
        let (doubles, outbox) = (Doubles::start().await, Outbox::builder().start().unwrap());
        let propagation = Propagation::new([Propagator::TraceContext, Propagator::XRay]);
        let form = Form::Stacked(Arc::new(doubles.layers(&outbox, Some(propagation))), order);
        let (mut requests, mut failed) = (0, 0);
        for kind in Kind::ALL {
            let flush = async || outbox.flush(PATIENCE).await;
            let (more, more_failed) = serve(kind, &form, &doubles.lines, flush).await;
            requests += more;
            failed += more_failed;
        }
        let seen = doubles.seen(requests, failed, outbox.shutdown(PATIENCE).await).await;
        for kind in Kind::ALL {
            check(&seen, kind);
        }
    }
}

impl Backend {
    const ALL: [Self; 4] = [Self::Otel, Self::XRay, Self::Rollbar, Self::CloudWatch];
}

#[tokio::test]
async fn a_request_has_one_trace_in_all_backends_with_spans_outermost() {
    outermost(Backend::Otel).await;
}

#[tokio::test]
async fn a_request_has_one_trace_in_all_backends_with_segments_outermost() {
    outermost(Backend::XRay).await;
}

#[tokio::test]
async fn a_request_has_one_trace_in_all_backends_with_items_outermost() {
    outermost(Backend::Rollbar).await;
}

#[tokio::test]
async fn a_request_has_one_trace_in_all_backends_with_lines_outermost() {
    outermost(Backend::CloudWatch).await;
}

#[tokio::test]
async fn a_request_has_one_trace_in_all_backends_in_one_pass() {
    for kind in Kind::ALL {
        let doubles = Doubles::start().await;
        let belvedere = doubles.setup().start().unwrap();
        let form = Form::OnePass(belvedere.layer().xray(|xray| xray.sample(Sampler::all())));
        let flush = async || belvedere.flush(PATIENCE).await;
        let (requests, failed) = serve(kind, &form, &doubles.lines, flush).await;
        let seen = doubles.seen(requests, failed, belvedere.shutdown(PATIENCE).await).await;
        check(&seen, kind);
    }
}

#[tokio::test]
async fn one_scrubber_and_one_address_policy_count_for_all_backends() {
    let doubles = Doubles::start().await;
    let setup = doubles.setup().scrubber(Scrubber::default().fields(["iban"]));
    let belvedere = setup.addresses(AddressPolicy::Anonymized).start().unwrap();
    let handler = async |annotations: Annotations| {
        annotations.insert("user_id", "worf");
        annotations.insert("iban", "CANARY");
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let layer = belvedere.layer().xray(|xray| xray.sample(Sampler::all()).trusted_hops(1));
    let layer = layer.otel(|otel| otel.trusted_hops(1)).rollbar(|rollbar| rollbar.trusted_hops(1));
    let layer = layer.cloudwatch(|cloudwatch| cloudwatch.trusted_hops(1));
    let server = Server::axum(Router::new().route("/", any(handler)).layer(layer)).await;
    ask1(server.address, "/", &[("x-forwarded-for", "203.0.113.42")], None).await;
    let seen = doubles.seen(1, 1, belvedere.shutdown(PATIENCE).await).await;
    let (span, segment) = (&seen.spans["worf"][0], &seen.segments["worf"][0]);
    let (item, line) = (&seen.items["worf"][0], &seen.lines["worf"][0]);
    let attribute = |name: &str| {
        let pair = span.attributes.iter().find(|pair| pair.key == name)?;
        Some(text(pair.value.clone()?.value))
    };
    let network = "203.0.113.0";
    assert_eq!(attribute("client.address").as_deref(), Some(network));
    assert_eq!(segment["http"]["request"]["client_ip"], network);
    assert_eq!((&item["request"]["user_ip"], &line["client"]), (&network.into(), &network.into()));
    let hidden = "REDACTED";
    assert_eq!(attribute("iban").as_deref(), Some(hidden));
    assert_eq!((&segment["annotations"]["iban"], &item["custom"]["iban"]), (&hidden.into(), &hidden.into()));
    assert_eq!(line["annotations"]["iban"], hidden);
}

/// Each has headers of its own that it reads unless told otherwise: whichever is outermost, all have what it has read.
#[tokio::test]
async fn whatever_each_reads_by_itself_the_outermost_decides_for_all() {
    for first in Backend::ALL {
        let (doubles, outbox) = (Doubles::start().await, Outbox::builder().start().unwrap());
        let mut order = Backend::ALL;
        let place = order.iter().position(|backend| *backend == first).unwrap();
        order.swap(0, place);
        let form = Form::Stacked(Arc::new(doubles.layers(&outbox, None)), order);
        let server = Kind::Hyper.open(&form).await;
        for incoming in INCOMING {
            Kind::Hyper.ask(server.address, Case::Left, incoming).await;
        }
        let seen = doubles.seen(INCOMING.len(), INCOMING.len(), outbox.shutdown(PATIENCE).await).await;
        for incoming in INCOMING {
            seen.check(&Kind::Hyper.who(Case::Left, incoming), true, None);
        }
    }
}

/// Neither a span nor a segment: what is left has the ids that they would have had.
#[tokio::test]
async fn an_item_and_a_line_have_one_trace_where_the_others_left_it_out() {
    for order in Backend::ALL.into_iter().flat_map(orders) {
        let (doubles, outbox) = (Doubles::start().await, Outbox::builder().start().unwrap());
        let mut layers = doubles.layers(&outbox, None);
        let off = SdkTracerProvider::builder().with_id_generator(Ids);
        let off = off.with_sampler(opentelemetry_sdk::trace::Sampler::AlwaysOff).build();
        layers.otel = layers.otel.tracer_provider(&off);
        layers.xray = layers.xray.sample(Sampler::none());
        layers.cloudwatch = layers.cloudwatch.sample(0.0);
        let server = Kind::Hyper.open(&Form::Stacked(Arc::new(layers), order)).await;
        for case in [Case::Good, Case::Left] {
            Kind::Hyper.ask(server.address, case, INCOMING[0]).await;
        }
        assert_eq!(outbox.shutdown(PATIENCE).await.lost(), 0);
        let (items, lines) = (doubles.rollbar.items(), doubles.lines.json());
        assert_eq!((items.len(), lines.len()), (1, 1), "{order:?}");
        for name in ["trace_id", "span_id", "xray_trace_id"] {
            assert_eq!(items[0]["custom"][name], lines[0][name], "{order:?} {name}");
            assert!(lines[0][name].is_string());
        }
        assert_eq!(items[0]["uuid"], lines[0]["rollbar_uuid"], "{order:?}");
        assert!(doubles.daemon.documents().is_empty() && doubles.sink.spans().is_empty(), "{order:?}");
    }
}

#[tokio::test]
async fn each_backend_says_in_one_line_what_is_on_or_what_turns_it_on() {
    let doubles = Doubles::start().await;
    let said = |setup: Setup| {
        let log = log::Log::default();
        drop(tracing::subscriber::with_default(log.subscriber(), || setup.start().unwrap()));
        let lines = log.lines().into_iter().filter(|line| line.contains("belvedere::setup"));
        lines.map(|line| line.split_once("belvedere::setup: ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let on = said(doubles.setup().service_name("shop"));
    let Doubles { sink, daemon, rollbar, lines } = &doubles;
    let rollbar = rollbar.url().parse::<http::Uri>().unwrap().authority().unwrap().to_string();
    let expected = [
        format!("segments: on to=xray {} name=shop sampling=\"the account's rules\"", daemon.address),
        format!("spans: on to=otlp {}/v1/traces name=shop", sink.base()),
        format!("items: on to=rollbar {rollbar} environment=production"),
        format!("lines: on to=cloudwatch {} /shop stream={{hostname}}/{{pid}}", lines.address()),
    ];
    assert_eq!(on, expected);

    let off =
        said(Setup::lookup(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned())).global(false));
    let expected = [
        "segments: off; AWS_XRAY_SDK_ENABLED=true, AWS_XRAY_DAEMON_ADDRESS or AWS_XRAY_TRACING_NAME turns them on",
        "spans: off, because OTEL_SDK_DISABLED is true",
        "items: off; ROLLBAR_ACCESS_TOKEN turns them on",
        "lines: off; CLOUDWATCH_LOG_GROUP turns them on",
    ];
    assert_eq!(off, expected);
}

const INCOMING: [Incoming; 4] = [
    Incoming { name: "alone", headers: &[], expected: None },
    Incoming {
        name: "traceparent",
        headers: &[TRACEPARENT],
        expected: Some(("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")),
    },
    Incoming {
        name: "amzn",
        headers: &[AMZN],
        expected: Some(("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8")),
    },
    Incoming {
        name: "both",
        headers: &[AMZN, TRACEPARENT],
        expected: Some(("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")),
    },
];
const TRACEPARENT: (&str, &str) = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
const AMZN: (&str, &str) =
    ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");

const PATIENCE: Duration = Duration::from_secs(10);
